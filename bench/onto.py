"""How a mouth fits that is pasted into a person's own video at the video's own landmarks.

    python bench/onto.py data/raw/anna/interview.mp4 [--frames 100] [--sheet onto.png]

Run it in a project. It draws the video's own heads, so that a perfect drawing changes no pixel, and
prints in grey levels: the difference in the mask's rim, inside of it, and outside of it. The sheet
shows the lower faces of 12 consecutive frames, the video's above the drawn ones.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.base.arrays import Floats
from stages.base.config.params import read_section
from stages.base.io.image_io import Image, encode_png, resize
from stages.base.io.timebase import to_frames
from stages.base.io.video_frames import read_facts, read_frames, resample_frames
from stages.render.onto_video import ShotDrawer, revoice
from stages.render.params import RenderParams
from stages.render.paste import face_mask
from stages.render.trained_models import load_models
from stages.render.video_shots import UsableClip, read_usable_clips

_RIM = 0.5  # share of the drawing below which the mask is its rim
_TILE = 200  # px


def masks(shot: UsableClip, times: Floats, height: int, width: int) -> Floats:
    """Return the masks of frames at times, (N, H, W), as they are pasted."""
    rows = np.round((times - shot.row.start) * shot.row.fps).astype(int)
    points = shot.own().points / float(shot.row.size)
    window, found = shot.window, np.zeros((len(times), height, width))
    for i, row in enumerate(np.minimum(rows, len(points) - 1)):
        if not np.isfinite(points[row]).all():
            continue
        side = window.side
        mask = face_mask(points[row] * side, points[row] * side, side)
        top, left = max(0, window.y), max(0, window.x)
        part = mask[top - window.y :, left - window.x :][: height - top, : width - left]
        found[i, top : top + part.shape[0], left : left + part.shape[1]] = part
    return found


def write_sheet(path: Path, real: Sequence[Image], drawn: Sequence[Image], mask: Floats) -> None:
    """Write the lower faces of 12 frames: the video's, and the drawn ones below."""
    rows, columns = np.flatnonzero(mask.any((0, 2))), np.flatnonzero(mask.any((0, 1)))
    side = max(np.ptp(rows), np.ptp(columns)) + 1
    top, left = max(0, rows[-1] + 1 + side // 8 - side), columns[0]
    cut = np.s_[top : top + side + side // 8, left : left + side]
    tiles = [
        np.concatenate([resize(np.ascontiguousarray(image[cut]), _TILE) for image in pair])
        for pair in zip(real[:12], drawn[:12], strict=True)
    ]
    sheet = [np.concatenate(tiles[i : i + 6], axis=1) for i in range(0, len(tiles) // 6 * 6, 6)]
    path.write_bytes(encode_png(np.concatenate(sheet)))


def main() -> None:
    """Print the differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    name, shots = read_usable_clips(arguments.video)
    facts, params = read_facts(arguments.video), read_section("render", RenderParams)
    drawer = ShotDrawer(load_models((name,), params.drawn_size), name, name, params)
    shot = shots[0]
    start, length = float(shot.row.start), float(shot.row.end - shot.row.start)
    count = min(arguments.frames, to_frames(length, facts.fps))
    step = np.minimum(np.arange(to_frames(length, drawer.fps)) / drawer.fps * shot.row.fps,
                      len(shot.columns["head"]) - 1)  # fmt: skip
    heads = shot.columns["head"][np.round(step).astype(int)]
    pictures = read_frames(arguments.video, start)
    real = [image for _, image in resample_frames(pictures, facts.fps, start, count)]
    drawn = list(revoice(arguments.video, facts, count, [shot], heads, drawer, start))
    mask = masks(shot, start + np.arange(count) / facts.fps, *real[0].shape[:2])
    change = np.abs(np.stack(real).astype(np.int16) - np.stack(drawn)).mean(-1)
    rim, inside = (mask > 0) & (mask < _RIM), mask >= _RIM
    of_frames = [float(change[i][rim[i]].mean()) for i in range(count) if rim[i].any()]
    print(f"{name}: {count} frames of {facts.width}×{facts.height}, drawn at {params.drawn_size}")
    print(f"rim: mean {np.mean(of_frames):.2f}, worst frame {max(of_frames):.2f}")
    print(f"inside: mean {change[inside].mean():.2f}")
    print(f"outside: largest {change[mask == 0].max():.0f}")
    if arguments.sheet:
        write_sheet(arguments.sheet, real, drawn, mask)


if __name__ == "__main__":
    main()
