"""Held-out frames drawn from their true landmarks, by the generator and by the baselines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.progress import with_progress
from pipeline.runtime.user_errors import UserError
from stages.base.arrays import Mask
from stages.base.config.paths import DATA
from stages.base.io import tables
from stages.base.io.image_io import Image, decode_jpeg, opencv_transform, resize
from stages.donors.library import Donors
from stages.donors.painter import DonorPainter
from stages.evaluation.baselines import TrainingFrames, align, warp
from stages.evaluation.held_out_frames import FrameRef, SubjectFrames, subsample
from stages.generator.drawing import Generator
from stages.generator.driving import Driving
from stages.generator.isps import read_isps
from stages.generator.source_images import Source, held_out_sources
from stages.parsing.regions import region_masks
from stages.references.artifacts import REFERENCES, TEMPLATES

_TRAINING_FRAMES = 2000
DrawClip = Callable[[Source, Driving], Iterator[Image]]


@dataclass(frozen=True)
class Reconstruction:
    """Held-out frames with the images of every method.

    Attributes:
        frames: which frames.
        new_scene: how many of these show a scene without training frames.
        points: their landmarks at the images' size, (N, 68, 2).
        truth: (N, H, W, 3).
        methods: name of the method to its images, (N, H, W, 3).
        regions: masks in the order of REGIONS, (N, 4, H, W).
        matched: the aligned match I_m, (N, H, W, 3).
        covered: where I_m has a pixel, (N, H, W).
    """

    frames: list[FrameRef]
    new_scene: int
    points: NDArray[np.floating[Any]]
    truth: Image
    methods: dict[str, Image]
    regions: Mask
    matched: Image
    covered: Mask


@dataclass(frozen=True)
class _Drawer:
    """Draws held-out frames from their true landmarks, those of a clip from its source image.

    Attributes:
        held: the subject.
        frames: which frames, clip by clip.
        sources: the source of each.
    """

    held: SubjectFrames
    frames: list[FrameRef]
    sources: list[Source]

    def draw(self, draw_clip: DrawClip, title: str) -> Image:
        """Draw the frames, (N, H, W, 3)."""
        images = (image for clip in self._clips() for image in draw_clip(*clip))
        return np.stack(
            list(with_progress(images, f"{self.held.subject.name} {title}", len(self.frames)))
        )

    def paint(self, images: Image, donors: Mapping[str, Donors]) -> Image:
        """Paint the drawn frames from donors."""
        drawn, painted = iter(images), list[Image]()
        for source, driving in self._clips():
            painted += DonorPainter(donors, source).paint(islice(drawn, len(driving)), driving)
        return np.stack(painted)

    def _clips(self) -> Iterator[tuple[Source, Driving]]:
        """Yield the source of each clip and the landmarks of its frames."""
        pairs = zip(self.sources, self.frames, strict=True)
        for _, clip in groupby(pairs, lambda pair: pair[1].clip.id):
            sources, frames = map(list, zip(*clip, strict=True))
            names = ("points", "irises", "shoulders")
            columns = {name: self.held.column(frames, name) for name in names}
            yield sources[0], Driving.from_columns(columns)


def reconstruct(
    held: SubjectFrames,
    generator: Generator,
    donors: Mapping[str, Donors],
    others: Sequence[str],
    most: int,
) -> Reconstruction:
    """Draw a subject's held-out frames as renders do, by ablations and by the baselines.

    Args:
        held: the subject.
        generator: the trained generator.
        donors: the subject's donors by part; with any, `donors_off` is the generator without them.
        others: names of the other seen subjects; `isps_swapped` has the ISPs of the first.
        most: frames at most, evenly spread.

    Raises:
        UserError: no frame is left to score.
    """
    size, name = generator.drawn_size, held.subject.name
    trained = generator.sources[name]
    by_clip = held_out_sources(held.subject, trained, generator.size)
    used = {(source.clip, source.frame) for source in by_clip.values()}
    frames = [f for f in held.valid_frames("test") if (f.clip.id, f.frame) not in used]
    if not frames:
        found = "no held-out frame with a face is left to score"
        raise UserError(held.subject, found, "add a longer video")
    frames = subsample(frames, most)
    sources = [by_clip[frame.clip.id] for frame in frames]
    points = held.scaled_points(frames, size)
    isps = read_isps(name).chosen_images()
    drawer = _Drawer(held, frames, sources)

    def generate(isps: Image, title: str) -> Image:
        def frames_of(source: Source, driving: Driving) -> Iterator[Image]:
            return generator.frames(source, driving, isps)

        return drawer.draw(frames_of, title)

    network = generate(isps, "drawn from true landmarks")
    methods = {
        "generator": drawer.paint(network, donors),
        **({"donors_off": network} if donors else {}),
        "isps_zeroed": drawer.paint(generate(np.zeros_like(isps), "with ISPs zeroed"), donors),
        "source_warped": drawer.draw(generator.warped_source, "with the source warped"),
        **_baselines(held, sources, points, size),
    }
    if others:
        swapped = read_isps(others[0]).chosen_images()
        methods["isps_swapped"] = drawer.paint(generate(swapped, "with others' ISPs"), donors)
    matched, covered = _matched_references(held, frames, size)
    return Reconstruction(
        frames,
        sum(not any(source is known for known in trained) for source in sources),
        points,
        held.images(frames, size),
        methods,
        np.stack([region_masks(labels) for labels in held.labels(frames, size)]),
        matched,
        covered,
    )


def _baselines(
    held: SubjectFrames, sources: Sequence[Source], points: NDArray[Any], size: int
) -> dict[str, Image]:
    chosen, decode = subsample(held.valid_frames("train"), _TRAINING_FRAMES), held.reader(size)
    training = TrainingFrames(held.scaled_points(chosen, size), lambda i: decode(chosen[i]))
    nearest = [training.nearest(p) for p in points]
    copies = np.stack([training.image(i) for i in nearest])
    own = training.points[nearest]
    stills = np.stack([resize(source.image, size) for source in sources])
    marks = [source.points * (size / source.size) for source in sources]
    return {
        "mean_frame": np.repeat(training.mean()[None], len(points), axis=0),
        "nearest_frame": copies,
        "nearest_frame_aligned": np.stack(list(map(align, copies, own, points))),
        "source": stills,
        "source_aligned": np.stack(list(map(align, stills, marks, points))),
    }


def _matched_references(
    held: SubjectFrames, frames: list[FrameRef], size: int
) -> tuple[Image, Mask]:
    """Align each frame's matched reference to it; return also where it has a pixel."""
    index, transform = held.match(frames)
    path = DATA / "references" / str(held.subject) / "references.parquet"
    table = tables.read(path, REFERENCES, ["template", "chosen", "image"])
    references = [
        decode_jpeg(table["image"][(table["template"] == template) & table["chosen"]][0])
        for template in TEMPLATES
    ]
    matched = np.zeros((len(frames), size, size, 3), np.uint8)
    covered = np.zeros((len(frames), size, size), bool)
    full = np.full((size, size), 255, np.uint8)
    for i, frame in enumerate(frames):
        if index[i] >= 0:
            to_frame = transform[i] * np.array([1.0, 1.0, size / frame.clip.size])
            matched[i] = warp(resize(references[index[i]], size), to_frame)
            covered[i] = cv2.warpAffine(full, opencv_transform(to_frame), (size, size)) == 255
    return matched, covered
