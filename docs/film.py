"""Write docs/film.gif, the README's picture: the true video beside the one made from the voice.

    python docs/film.py                       # in a project whose demo is finished

Takes four seconds of held-out speech of sample_lively from reports/videos, at 12.5 frames/s.
"""

from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

VIDEO = Path("reports/videos/sample_lively/beside.mp4")
OUT = Path(__file__).with_name("film.gif")
START, SECONDS, EVERY = 1.0, 4.0, 2
SIDE, COLOURS, LARGEST = 184, 64, 1_000_000  # px, colours, bytes
TITLES = ("truth, never trained on", "made from the voice")


def main() -> None:
    """Write the film."""
    with av.open(str(VIDEO)) as video:
        rate = float(video.streams.video[0].average_rate or 25)
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    chosen = frames[round(START * rate) : round((START + SECONDS) * rate) : EVERY]
    side = chosen[0].shape[1] // 3
    pictures = [picture(frame[-side:, :side], frame[-side:, -side:]) for frame in chosen]
    palette = pictures[0].quantize(COLOURS)
    flat = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in pictures]
    pause = round(1000 * EVERY / rate)
    flat[0].save(OUT, save_all=True, append_images=flat[1:], duration=pause, loop=0, optimize=True)
    size = OUT.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{OUT}: {size} bytes, more than {LARGEST}; lower SIDE or SECONDS")


def picture(*panels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> Image.Image:
    """Return panels side by side under their titles."""
    page = Image.new("RGB", (SIDE * len(panels), SIDE + 16), "white")
    for i, (panel, title) in enumerate(zip(panels, TITLES, strict=True)):
        page.paste(Image.fromarray(panel).resize((SIDE, SIDE)), (i * SIDE, 16))
        ImageDraw.Draw(page).text((i * SIDE + 4, 2), title, fill="black")
    return page


if __name__ == "__main__":
    main()
