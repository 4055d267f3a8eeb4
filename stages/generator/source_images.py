"""The source images of a person, one per scene: choose them, warp them, find the one of a clip.

Ours: a scene is one room, light and clothing. The distribution of colours over a clip, compared by
Hellinger distance, does not depend on the position of the crop. A test checks it on real clips of
one person in five rooms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stages.base.arrays import Floats32, Points
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face import warping
from stages.base.io.image_io import Image, resize
from stages.generator import warp_correction
from stages.generator.conditioning import images_to_tensor, tensor_to_images
from stages.generator.footage import Footage, read_footage
from stages.generator.network import sample
from stages.generator.warp_correction import WarpCorrection

_HISTOGRAM_FRAMES = 10  # of a clip, evenly spread
_BINS = (8, 16, 16)  # of lightness and the two colours
_RANGES = (0, 256, 64, 192, 64, 192)  # skin, cloth and walls are within this part of L*a*b*
_SAME_SCENE = 0.3  # largest Hellinger distance of one scene
_FITTED_FRAMES = 500  # evenly spread, that a warp correction is fitted to


@dataclass(frozen=True)
class Source:
    """The source image of one identity in one scene.

    Attributes:
        image: as stored, (stored, stored, 3) RGB: frames take their detail from it.
        size: width and height of the network's frames, px.
        points: its landmarks, (68, 2), px of the network's frames.
        shoulders: its shoulder points, (18, 2), px of the network's frames, or NaN.
        correction: the scene's own correction of the warp.
        colours: the scene's colour histogram, (2048,).
        clip: the clip that the image is a frame of.
        frame: index in that clip.
    """

    image: Image
    size: int
    points: Floats32
    shoulders: Floats32
    correction: WarpCorrection
    colours: Floats32
    clip: str
    frame: int

    @property
    def stored(self) -> int:
        """Side of the square source image, px."""
        return len(self.image)

    @cached_property
    def small(self) -> Image:
        """The image at the network's size, (size, size, 3) RGB."""
        return resize(self.image, self.size)

    def warp_grid(self, points: Points, shoulders: Points) -> Floats32:
        """Return the place in the source of each pixel of a driven frame.

        Args:
            points: driving landmarks, (68, 2), px of the network's frames.
            shoulders: driving shoulder points, (18, 2), px, or NaN.

        Returns:
            A sampling grid, (size, size, 2), −1 to 1 from edge to edge.
        """
        size = self.size
        pairs = warping.controls(points, shoulders, self.points, self.shoulders, size)
        coarse = self.correction.predict(points / size, shoulders / size)
        fine = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
        return np.asarray(warping.flow(*pairs, size, max(2, size // 128)) + fine)


def colour_histogram(images: Sequence[Image] | Image) -> Floats32:
    """Return the share of each colour, averaged over images (H, W, 3) RGB, (2048,)."""
    shares = []
    for image in images:
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        counts = cv2.calcHist([lab], [0, 1, 2], None, _BINS, _RANGES)
        shares.append(counts.ravel() / max(float(counts.sum()), 1.0))
    return np.asarray(np.mean(shares, axis=0), np.float32)


def nearest_scene(colours: Floats32, scenes: Sequence[Floats32]) -> int | None:
    """Return the index of the nearest histogram of the same scene; None without any."""
    distances = [cv2.compareHist(colours, scene, cv2.HISTCMP_BHATTACHARYYA) for scene in scenes]
    if not distances or min(distances) >= _SAME_SCENE:
        return None
    return int(np.argmin(distances))


def group_scenes(clips: Sequence[Floats32]) -> list[int]:
    """Return the scene of each clip by its histogram: the nearest known one, or a new number."""
    firsts: list[Floats32] = []
    numbers = []
    for colours in clips:
        number = nearest_scene(colours, firsts)
        if number is None:
            number = len(firsts)
            firsts.append(colours)
        numbers.append(number)
    return numbers


def choose_sources(footage: Footage) -> tuple[Source, ...]:
    """Choose a source image for each scene of a person and fit its warp correction.

    The scene of the longest clip comes first: it is the default source.
    """
    histograms = _clip_histograms(footage)
    scene = np.array(group_scenes(histograms))
    counts = np.bincount(footage.clip, minlength=len(footage.clips))
    longest = scene[int(np.argmax(counts))]
    sources = []
    for number in sorted(set(scene.tolist()), key=lambda s: (s != longest, s)):
        rows = np.flatnonzero(scene[footage.clip] == number)
        colours = np.mean([histograms[i] for i in np.flatnonzero(scene == number)], axis=0)
        plain = replace(row_as_source(footage, footage.sharp_neutral_row(rows)), colours=colours)
        sources.append(replace(plain, correction=_fit_correction(footage, rows, plain)))
    return tuple(sources)


def row_as_source(footage: Footage, row: int) -> Source:
    """Make a source of a row, without a warp correction."""
    clip = footage.clips[footage.clip[row]]
    image = footage.stored_image(row)
    return Source(
        image=image,
        size=footage.size,
        points=footage.driving.points[row],
        shoulders=footage.driving.shoulders[row],
        correction=warp_correction.no_correction(),
        colours=colour_histogram([resize(image, footage.size)]),
        clip=clip.id,
        frame=int(footage.frame[row]),
    )


def training_source(footage: Footage, row: int) -> Source:
    """Make a source of a row as `row_as_source`, of the training size and without a histogram."""
    return Source(
        image=footage.image(row),
        size=footage.size,
        points=footage.driving.points[row],
        shoulders=footage.driving.shoulders[row],
        correction=warp_correction.no_correction(),
        colours=np.zeros(0, np.float32),
        clip=footage.clips[footage.clip[row]].id,
        frame=int(footage.frame[row]),
    )


def match_scenes(footage: Footage, sources: Sequence[Source]) -> list[int | None]:
    """Return, for each clip, the index of the source of its scene; None without one."""
    scenes = [source.colours for source in sources]
    return [nearest_scene(colours, scenes) for colours in _clip_histograms(footage)]


def held_out_sources(
    subject: Subject, trained: Sequence[Source], size: int, data: Path = DATA
) -> dict[str, Source]:
    """Return the source of each held-out clip, by the clip's id.

    It is the source of the clip's scene. For a scene without training frames it is the clip's own
    first held-out frame, as a portrait would be; that frame must not be scored.
    """
    footage = read_footage([subject], size, held_out=True, data=data)[0]
    sources = {}
    for number, scene in enumerate(match_scenes(footage, trained)):
        first = int(np.argmax(footage.clip == number))
        source = row_as_source(footage, first) if scene is None else trained[scene]
        sources[footage.clips[number].id] = source
    return sources


def _clip_histograms(footage: Footage) -> list[Floats32]:
    """Return the colour histogram of each clip's frames of the span."""
    histograms = []
    for number, frames in enumerate(footage.readers):
        own = footage.frame[footage.clip == number]
        rows = np.unique(np.linspace(own[0], own[-1], _HISTOGRAM_FRAMES).astype(int))
        histograms.append(colour_histogram(frames.batch(rows)))
    return histograms


def _fit_correction(footage: Footage, rows: NDArray[np.intp], source: Source) -> WarpCorrection:
    spread = rows[np.unique(np.linspace(0, len(rows) - 1, _FITTED_FRAMES).astype(int))]
    size = np.float32(footage.size)
    image = images_to_tensor([source.small])
    inputs, residuals = [], []
    for row in spread:
        points, shoulders = footage.driving.points[row], footage.driving.shoulders[row]
        grid = source.warp_grid(points, shoulders)
        warped = tensor_to_images(sample(image, torch.from_numpy(grid)[None]))[0]
        residuals.append(warp_correction.residual_flow(footage.image(int(row)), warped, grid))
        inputs.append(warp_correction.flatten_landmarks(points, shoulders) / size)
    with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
        return warp_correction.fit(np.stack(inputs), np.stack(residuals))
