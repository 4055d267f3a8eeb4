"""Held-out and training frames of one subject, with their landmarks and labels as truth."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from stages.base.arrays import AnyFloats
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.image_io import Image, decode_png
from stages.clips.frames import Frames
from stages.clips.ledger import Clip, clips_of
from stages.landmarks.artifacts import LANDMARKS
from stages.motion.features import sync_offsets
from stages.parsing.artifacts import PARSING
from stages.references.artifacts import MATCH


@dataclass(frozen=True)
class FrameRef:
    """One frame: its clip and its index there."""

    clip: Clip
    frame: int


def subsample(frames: list[FrameRef], most: int) -> list[FrameRef]:
    """Return at most `most` frames, evenly spread."""
    return [frames[i] for i in evenly_spaced(len(frames), most)]


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return at most `most` indices into `count` frames, evenly spread from first to last."""
    if count <= most:
        return list(range(count))
    return [int(i) for i in np.linspace(0, count - 1, most).round()]


class SubjectFrames:
    """One subject's clips with their landmarks, split into training and held-out frames."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.clips = clips_of(subject)
        folder = DATA / "landmarks" / str(subject)
        self.landmarks = {
            clip.id: tables.read(folder / f"{clip.id}.parquet", LANDMARKS) for clip in self.clips
        }

    @cached_property
    def rendered(self) -> list[Clip]:
        """The clips whose sound belongs to their lips, in ledger order: those of renders."""
        in_sync = sync_offsets(self.subject, DATA)
        return [clip for clip in self.clips if clip.id in in_sync]

    @property
    def fps(self) -> float:
        """Frames per second of every clip."""
        return self.clips[0].fps

    def valid_frames(self, split: str) -> list[FrameRef]:
        """List the frames of the spans `train` or `test` that have a valid face."""
        return [
            FrameRef(clip, frame)
            for clip in self.clips
            for frame in range(*getattr(clip, split))
            if self.landmarks[clip.id]["valid"][frame]
        ]

    def rendered_column(self, name: str) -> AnyFloats:
        """Return a landmark column over the test spans, joined as in renders.

        These are in ledger order, without clips whose sound does not belong to their lips.
        """
        return np.concatenate([self.landmarks[c.id][name][slice(*c.test)] for c in self.rendered])

    def rendered_frames(self) -> list[FrameRef]:
        """List the frames of the rows of `rendered_column`."""
        return [FrameRef(clip, frame) for clip in self.rendered for frame in range(*clip.test)]

    def mean_head(self) -> AnyFloats:
        """Average the head over the training frames, (68, 3), face heights."""
        return np.asarray(self.column(self.valid_frames("train"), "head").mean(axis=0))

    def column(self, frames: list[FrameRef], name: str) -> AnyFloats:
        """Return a column of the landmark tables at frames, (N, …)."""
        return np.array([self.landmarks[f.clip.id][name][f.frame] for f in frames])

    def scaled_points(self, frames: list[FrameRef], size: int) -> AnyFloats:
        """Return the landmarks of frames, (N, 68, 2), in px of images of another size."""
        scale = np.array([size / f.clip.size for f in frames])
        return np.asarray(self.column(frames, "points") * scale[:, None, None])

    def images(self, frames: list[FrameRef], size: int) -> Image:
        """Decode frames, (N, size, size, 3), RGB."""
        return np.stack(list(map(self.reader(size), frames)))

    def reader(self, size: int) -> Callable[[FrameRef], Image]:
        """Return a function that decodes one frame, (size, size, 3), RGB."""
        readers = {clip.id: Frames(clip.video, size) for clip in self.clips}
        return lambda frame: readers[frame.clip.id][frame.frame]

    def labels(self, frames: list[FrameRef], size: int) -> Image:
        """Decode the label maps of frames, (N, size, size), nearest label."""
        folder = DATA / "parsing" / str(self.subject)
        paths = {f.clip.id: folder / f"{f.clip.id}.parquet" for f in frames}
        maps = {
            clip: tables.read(path, PARSING, ["labels"])["labels"] for clip, path in paths.items()
        }
        labels = [
            decode_png(maps[f.clip.id][f.frame], f"{paths[f.clip.id]}: frame {f.frame}")
            for f in frames
        ]
        shape, nearest = (size, size), cv2.INTER_NEAREST_EXACT
        return np.stack([cv2.resize(label, shape, interpolation=nearest) for label in labels])

    def match(self, frames: list[FrameRef]) -> tuple[AnyFloats, AnyFloats]:
        """Return the matched reference's index (N,) and transform (N, 2, 3) of frames."""
        folder = DATA / "match" / str(self.subject)
        match = {
            clip.id: tables.read(folder / f"{clip.id}.parquet", MATCH)
            for clip in {f.clip for f in frames}
        }
        index = np.array([match[f.clip.id]["reference"][f.frame] for f in frames])
        transform = np.array([match[f.clip.id]["transform"][f.frame] for f in frames])
        return index, transform
