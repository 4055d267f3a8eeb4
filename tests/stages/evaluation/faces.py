"""Photographs of two faces with landmarks, and their copies as if a generator had drawn them."""

from pathlib import Path

import cv2
import numpy as np

from stages.base.arrays import AnyFloats
from stages.base.io.image_io import Image
from stages.clips.ledger import Clip
from stages.evaluation.held_out_frames import FrameRef
from stages.evaluation.reconstruction import Reconstruction
from stages.landmarks import backend

SIZE = 160


def astronaut() -> Image:
    """Return a photograph of a woman, (SIZE, SIZE, 3)."""
    from skimage import data

    return _shrunk(data.astronaut()[:300, 80:380])


def another() -> Image:
    """Return the sample's second identity, made of the same photograph: a hard case."""
    from stages.sample.neutral_face import draw

    return _shrunk(draw("b"))


def _shrunk(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA))


def landmarks(image: Image) -> AnyFloats:
    """Detect the 68 landmarks of a photograph, (68, 2), px."""
    finder = backend.open_backend("mediapipe")
    face = finder(np.asarray(cv2.resize(image, (512, 512))))
    finder.close()
    assert face is not None
    return np.asarray(face.points * len(image) / 512)


def moved(image: Image, frames: int) -> Image:
    """Return frames that show an image moved by whole px, (N, H, W, 3)."""
    return np.stack([np.roll(image, (i, 2 * i), axis=(0, 1)) for i in range(frames)])


def blurred(images: Image, sigma: float) -> Image:
    """Blur images (N, H, W, 3) by a Gaussian, px."""
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in images])


def drawn_as(image: Image, methods: dict[str, Image], frames: int) -> Reconstruction:
    """Return a reconstruction whose truth is an image, moved, and whose methods are as given."""
    shifts = np.array([[2 * i, i] for i in range(frames)])[:, None]
    clip = Clip("one", frames, 25.0, SIZE, (0, 0), (0, frames), Path())
    truth = moved(image, frames)
    return Reconstruction(
        [FrameRef(clip, i) for i in range(frames)],
        0,
        landmarks(image) + shifts,
        truth,
        methods,
        np.ones((frames, 4, SIZE, SIZE), bool),
        truth,
        np.ones((frames, SIZE, SIZE), bool),
    )
