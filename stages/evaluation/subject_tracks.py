"""The tracks of one subject's held-out speech: true, generated from the voice, and redetected."""

from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stages.base.config.params import read_section
from stages.base.config.paths import DATA
from stages.base.io import tables
from stages.base.io.video_frames import read_frames
from stages.clips.ledger import Clip
from stages.evaluation import redetection
from stages.evaluation.held_out_frames import SubjectFrames
from stages.evaluation.redetection import Detections
from stages.evaluation.track import (
    Track,
    TrackSpeech,
    measure_rest,
    read_speech,
    read_track,
    track_of_columns,
)
from stages.landmarks.artifacts import read_focals
from stages.landmarks.params import LandmarksParams
from stages.landmarks.pose import Camera
from stages.motion.features import sync_offsets
from stages.motion.recordings import Rest, read_rest
from stages.render.artifacts import MOTION, VIDEOS

_MOTION = ("head", "rotation", "translation", "points", "irises")


@dataclass(frozen=True)
class TrackSpan:
    """Held-out frames of one clip: first, and end (exclusive)."""

    clip: Clip
    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first


class SubjectTracks:
    """Motion of one subject over the held-out speech that was rendered.

    Args:
        held: the subject.
    """

    def __init__(self, held: SubjectFrames) -> None:
        self.held, self.name = held, held.subject.name
        table = VIDEOS / self.name / f"{self.name}.parquet"
        self._motion = tables.read(table, MOTION, _MOTION)
        self.spans = rendered_spans(held, len(self._motion["head"]))
        self.rests = [_rest(held, span) for span in self.spans]

    def __len__(self) -> int:
        return sum(map(len, self.spans))

    @cached_property
    def truth(self) -> Track:
        """The true motion."""
        spans = [(s.clip, s.first, s.end) for s in self.spans]
        return read_track(self.held.subject, spans, self.rests)

    @cached_property
    def speech(self) -> TrackSpeech:
        """The sound, in sync with the true lips."""
        late = sync_offsets(self.held.subject, DATA)
        spans = [(s.clip, s.first, s.end) for s in self.spans]
        return read_speech(self.held.subject, spans, [late[s.clip.id] for s in self.spans])

    @cached_property
    def generated(self) -> Track:
        """The motion that was generated from the voice."""
        columns = {name: values[: len(self)] for name, values in self._motion.items()}
        return track_of_columns(columns, self.rests, self.truth.span, self.held.fps)

    @cached_property
    def detections(self) -> list[Detections]:
        """The faces in the rendered video, of each span; none in frames that it lacks."""
        images = (image for _, image in read_frames(VIDEOS / f"{self.name}.mp4"))
        found = (redetection.detect_faces(islice(images, len(span))) for span in self.spans)
        return [part.padded(len(span)) for part, span in zip(found, self.spans, strict=True)]

    @cached_property
    def redetected(self) -> Track:
        """The motion in the rendered video."""
        cameras = [_camera(self.held, span) for span in self.spans]
        params = read_section("landmarks", LandmarksParams)
        return redetection.track_of_detections(
            self.detections, cameras, self.rests, self.held.fps, params
        )


def rendered_spans(held: SubjectFrames, count: int) -> list[TrackSpan]:
    """List the held-out spans of a subject's render, cut to its number of frames."""
    spans = []
    for clip in held.rendered:
        first, end = clip.test
        taken = min(end - first, count)
        if taken > 0:
            spans.append(TrackSpan(clip, first, first + taken))
            count -= taken
    return spans


def _rest(held: SubjectFrames, span: TrackSpan) -> Rest:
    """Return a clip's rest pose; that of the span itself where training has too few frames."""
    if rest := read_rest(held.subject, span.clip, DATA):
        return rest
    rows = _valid_rows(held, span.clip, span.first, span.end)
    columns, focal = held.landmarks[span.clip.id], _focal(held, span.clip)
    return measure_rest(
        columns["rotation"][rows], columns["translation"][rows], focal, span.clip.size
    )


def _camera(held: SubjectFrames, span: TrackSpan) -> Camera:
    """Return the camera and face of a clip for frames of the redetection's size."""
    clip = span.clip
    rows = _valid_rows(held, clip, *clip.train)
    rows = rows if len(rows) else _valid_rows(held, clip, span.first, span.end)
    head = held.landmarks[clip.id]["head"][rows].astype(float)
    face = head.mean(axis=0) if len(rows) else held.mean_head()
    scale = redetection.SIZE / clip.size
    return Camera(_focal(held, clip) * scale, redetection.SIZE, np.asarray(face, float))


def _valid_rows(held: SubjectFrames, clip: Clip, first: int, end: int) -> NDArray[np.int64]:
    return first + np.flatnonzero(held.landmarks[clip.id]["valid"][first:end])


def _focal(held: SubjectFrames, clip: Clip) -> float:
    return read_focals(DATA / "landmarks" / str(held.subject))[clip.id]
