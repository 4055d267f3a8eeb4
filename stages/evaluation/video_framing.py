"""How pictures of a generated video lie on the real one's: as they are, or moved.

A video with the real one's framing is scaled to its size; one with another crop is moved onto it by
the similarity that aligns the mean faces.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import AnyFloats, Floats
from stages.base.face.landmark_groups import RIGID
from stages.base.face.similarity import fit_similarity
from stages.base.io.image_io import Image, opencv_transform, resize
from stages.base.io.video_frames import read_pictures, resample_frames
from stages.evaluation.video_faces import VideoFace

# The same framing: aspect ratio and scaled faces differ at most so much.
_ASPECT, _SCALE, _SHIFT = 0.02, 0.15, 0.25  # shares; the shift in face heights


@dataclass(frozen=True)
class Framing:
    """How pictures of the generated video are moved onto the real one's.

    Attributes:
        size: height and width of the real video, px.
        scale: the real video's width and height over the generated one's, (2,).
        transform: of the generated video's px to the real one's, (2, 3); None where both have the
            same framing and are scaled only.
    """

    size: tuple[int, int]
    scale: Floats
    transform: Floats | None

    def apply(self, image: Image) -> Image:
        """Return a generated picture in the real video's frame, (H, W, 3)."""
        if self.transform is None:
            return resize(image, self.size)
        scale = min(1.0, float(np.hypot(*self.transform[:, 0])))
        small = resize(image, (round(len(image) * scale), round(image.shape[1] * scale)))
        back = np.array([image.shape[1] / small.shape[1], len(image) / len(small), 1.0])
        matrix = opencv_transform(self.transform * back)
        border = cv2.BORDER_REPLICATE
        return np.asarray(cv2.warpAffine(small, matrix, self.size[::-1], borderMode=border))

    def move(self, points: AnyFloats) -> Floats:
        """Return points (…, 2) of the generated video in px of the real one."""
        if self.transform is None:
            return np.asarray(points * self.scale)
        return np.asarray(points @ self.transform[:, :2].T + self.transform[:, 2])

    def __str__(self) -> str:
        if self.transform is None:
            return "same"
        (a, _, x), (b, _, y) = self.transform
        turn = np.degrees(np.arctan2(b, a))
        return f"moved: scale {np.hypot(a, b):.2f}, turn {turn:.0f}°, shift {x:.0f}, {y:.0f} px"


def find_framing(real: VideoFace, generated: VideoFace, frames: NDArray[np.int64]) -> Framing:
    """Decide how the generated pictures lie on the real ones, by the mean faces of frames."""
    rigid = list(RIGID)
    target, source = (face.points[frames][:, rigid].mean(axis=0) for face in (real, generated))
    size = (real.height, real.width)
    fitted = fit_similarity(source, target)
    plain = np.array([real.width / generated.width, real.height / generated.height])
    height = float(np.ptp(real.points[frames].mean(axis=0)[:, 1]))
    shift = float(np.linalg.norm((source * plain - target).mean(axis=0)))
    scale = float(np.hypot(*fitted[:, 0])) / float(plain.mean())
    same = (
        abs(plain[0] / plain[1] - 1) <= _ASPECT
        and abs(scale - 1) <= _SCALE
        and shift <= _SHIFT * height
    )
    return Framing(size, plain, None if same else fitted)


def images_of(face: VideoFace, fps: float, count: int) -> Iterator[Image]:
    """Read the pictures of a video that are on screen at the first frames of another rate."""
    size = (face.height, face.width)
    shown = resample_frames(read_pictures(face.video, size=size), fps, 0.0, count)
    return (picture.image() for _, picture in shown)
