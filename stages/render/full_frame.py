"""The full frame of a talking head: the drawn square in the face's own still background. Ours."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.runtime.user_errors import UserError
from stages.base.arrays import Floats32
from stages.base.config.subjects import Subject
from stages.base.io.image_io import Image, resize
from stages.base.io.video_frames import read_frames
from stages.clips.artifacts import CLIPS_DIR, RAW_DIR
from stages.clips.frames import Frames
from stages.clips.ledger import LEDGER_FILE, LedgerRow, read_rows
from stages.clips.params import ClipsParams
from stages.clips.videos import hash_video
from stages.clips.window import Window
from stages.generator.source_images import Source
from stages.portrait.picture import read_crop
from stages.render.controls import Controls
from stages.render.paste import blend

Frame = Literal["square", "full"]

_FEATHER = 0.08  # of the window's side, inside of its border
_STILL = 4.0  # grey levels by which a still background's border differs between frames at most
_LOOKS = 20  # frames of a clip that are compared
_HALF_TICK = 5e-4  # s; time stamps are rounded to the container's ticks


@dataclass(frozen=True)
class Background:
    """A still picture with the window that drawn squares are pasted into.

    Attributes:
        picture: (H, W, 3) RGB, H and W even.
        window: square of the picture to paste into, px.
    """

    picture: Image
    window: Window

    @cached_property
    def mask(self) -> Floats32:
        """Opacity of the drawn square, (side, side): 1 inside, falling to 0 at a feathered border.

        A side of the window on the picture's border, or beyond it, has no feather.
        """
        window, (height, width) = self.window, self.picture.shape[:2]
        across = _depth(window.x, window.side, width)
        down = _depth(window.y, window.side, height)
        depth = np.minimum(across[None, :], down[:, None])
        share = np.clip(depth / max(_FEATHER * window.side, 1.0), 0, 1)
        return np.asarray(share * share * (3 - 2 * share), np.float32)

    def paste(self, squares: Iterable[Image]) -> Iterator[Image]:
        """Yield the picture with each of the squares, (H, W, 3)."""
        for square in squares:
            yield blend(self.picture, square, self.window, self.mask)


def _depth(begin: int, side: int, length: int) -> Floats32:
    """Return the distance of each pixel of a window from its nearest side inside the picture."""
    at = np.arange(side, dtype=np.float32)
    low = at if begin > 0 else np.full(side, np.inf, np.float32)
    high = at[::-1] if begin + side < length else np.full(side, np.inf, np.float32)
    return np.minimum(low, high)


def _even(picture: Image) -> Image:
    """Return a picture without its last row and column where their number is odd."""
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[: height // 2 * 2, : width // 2 * 2])


def person_background(identity: str, source: Source) -> Background | None:
    """Return the still background of a person's source image; None, printing why, without one."""
    return _found(_of_person(identity, source))


def portrait_background(path: Path, clips: ClipsParams) -> Background | None:
    """Return the background of a portrait's picture; None, printing why, if there is nothing."""
    picture, window = read_crop(path, clips)
    height, width = picture.shape[:2]
    return _found(_whole(window, width, height) or Background(_even(picture), window))


def _found(background: Background | str) -> Background | None:
    if isinstance(background, Background):
        return background
    print(f"frame: square: {background}", file=sys.stderr)
    return None


def _of_person(identity: str, source: Source) -> Background | str:
    folder = CLIPS_DIR / str(Subject("seen", identity))
    row = next(row for row in read_rows(folder / LEDGER_FILE) if row.clip == source.clip)
    window = Window(*(round(float(value)) for value in row.window))
    if reason := _whole(window, row.source_width, row.source_height):
        return reason
    video = RAW_DIR / identity / row.video
    if hash_video(video)[0] != row.sha256:
        return f"{video} is missing or has changed"
    background = Background(_picture(row, source.frame, identity), window)
    moved = _border_motion(Frames(folder / row.clip / "frames.parquet"), source.frame, background)
    if moved > _STILL:
        return f"the background of {row.clip} moves by {moved:.1f} grey levels, at most {_STILL:g}"
    return background


def _whole(window: Window, width: int, height: int) -> str:
    """Return why a window leaves nothing of a picture around it; empty if it does."""
    around = window.x > 0 or window.y > 0
    around = around or window.x + window.side < width or window.y + window.side < height
    return "" if around else "the square is the whole picture"


def _picture(row: LedgerRow, frame: int, identity: str) -> Image:
    time = float(row.start) + frame / float(row.fps) + _HALF_TICK
    _, picture = next(read_frames(RAW_DIR / identity / row.video, time))
    return _even(picture)


def _border_motion(frames: Frames, still: int, background: Background) -> float:
    """Return the largest mean difference of the feathered border to the still frame."""
    image = frames[still].astype(np.int16)
    places = np.linspace(0, background.window.side - 1, len(image)).round().astype(int)
    mask = background.mask[np.ix_(places, places)]
    border = mask < 1
    looks = np.linspace(0, len(frames) - 1, min(_LOOKS, len(frames))).round().astype(int)
    return max(float(np.abs(frames[int(i)] - image)[border].mean()) for i in looks)


def check_frame(frame: Frame, controls: Controls) -> None:
    """Raise UserError for a size of a full frame, which has its picture's."""
    if frame == "full" and controls.size is not None:
        raise UserError("size", "does not fit --frame full, whose size is the picture's own")


def paste_into_background(
    squares: Iterable[Image], background: Background | None, panel: int
) -> Iterator[Image]:
    """Return squares in their background, or alone, of a panel's size at least."""
    return enlarge(squares, panel) if background is None else background.paste(squares)


def enlarge(images: Iterable[Image], panel: int) -> Iterator[Image]:
    """Enlarge images that are smaller than a panel, px.

    H.264 keeps a quarter of the colour's pixels, which is too few for lips in a small image.
    """
    for image in images:
        yield resize(image, max(panel, len(image)))
