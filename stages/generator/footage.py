"""The frames of one person that a generator trains on or is evaluated on, and their landmarks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import UserError
from stages.base.arrays import Floats32
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face import face_measures, head_pose
from stages.base.io import tables
from stages.base.io.image_io import Image, decode_jpeg
from stages.clips.decoded_frames import DecodedFrames
from stages.clips.frames import Frames
from stages.clips.ledger import Clip, clips_of
from stages.generator.driving import (
    Amplitudes,
    ClipMotion,
    Driving,
    RestPose,
    join,
    mean_amplitudes,
    mean_head,
    measure_amplitudes,
    neutralise,
    rest_pose,
)
from stages.landmarks.artifacts import LANDMARKS, read_focals

_COLUMNS = [
    *("frame", "valid", "points", "irises", "shoulders", "shoulders_valid"),
    *("rotation", "translation", "head", "sharpness", "opening_eyes"),
]
_MOTION = ("points", "irises", "shoulders", "shoulders_valid", "rotation", "translation", "head")
_CACHE_BYTES = 256 << 20  # compressed frames kept in memory, all clips of a training together
_RARE_NEIGHBOURS = 2  # rows either side of the drawn opening, so single extremes do not dominate


@dataclass(frozen=True)
class Footage:
    """Valid frames of one person, of the training or the held-out spans.

    Attributes:
        subject: the person.
        clips: usable clips that have such frames.
        readers: one reader of frames a clip, at training size.
        clip: index into `clips`, (N,).
        frame: index in the clip, (N,).
        driving: detected landmarks, px of the training size.
        cameras: focal length and size of the stored frames, px, a clip.
        rests: mean pose of the frames, a clip.
        mean: the person's mean head, (68, 3), face heights.
        amplitudes: how much the person moves.
        population: how much the people of the same reading move on average.
        columns: the landmark tables' columns of these frames.
        size: width and height of the training frames.
    """

    subject: Subject
    clips: list[Clip]
    readers: list[Frames]
    clip: NDArray[np.int32]
    frame: NDArray[np.int32]
    driving: Driving
    cameras: list[tuple[float, int]]
    rests: list[RestPose]
    mean: Floats32
    amplitudes: Amplitudes
    population: Amplitudes
    columns: dict[str, NDArray[Any]]
    size: int

    def __len__(self) -> int:
        return len(self.frame)

    def draw(self, rng: np.random.Generator, rare: float) -> int:
        """Draw a row; a share `rare` of them evenly over the opening of mouth or eyes.

        Wide mouths and closed lids are rare in time and small in the image, yet viewers look there.
        """
        if rng.random() >= rare:
            return int(rng.integers(len(self)))
        opening, order = self._openings[int(rng.integers(2))]
        low, high = opening[order[[0, -1]]]
        place = np.searchsorted(opening[order], rng.uniform(low, high))
        offset = rng.integers(-_RARE_NEIGHBOURS, _RARE_NEIGHBOURS + 1)
        return int(order[np.clip(place + offset, 0, len(order) - 1)])

    @cached_property
    def _openings(self) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        """The openings of mouth and of lids, (N,), each with the row order that sorts it."""
        openings = (
            face_measures.mouth_opening(self.columns["head"]),
            self.columns["opening_eyes"].mean(1),
        )
        return [(np.asarray(o, np.float64), np.argsort(o, kind="stable")) for o in openings]

    def neutral(self, row: int, gains: Amplitudes) -> Driving:
        """Return a row's landmarks with scaled motion: one row, px of the training size."""
        number = int(self.clip[row])
        focal, size = self.cameras[number]
        one = {name: self.columns[name][row : row + 1] for name in _MOTION}
        moved = neutralise(_motion(one, focal, size), self.mean, gains, self.rests[number])
        return moved.scaled(self.size / size)

    def image(self, row: int) -> Image:
        """Decode a row's frame at training size, (size, size, 3) RGB."""
        return self.readers[int(self.clip[row])][int(self.frame[row])]

    def stored_image(self, row: int) -> Image:
        """Decode a row's frame as it is stored, (stored, stored, 3) RGB."""
        reader, frame = self.readers[int(self.clip[row])], int(self.frame[row])
        return decode_jpeg(reader.jpeg(frame), f"{reader.path}: frame {frame}")

    def sharp_neutral_row(self, rows: NDArray[np.intp]) -> int:
        """Choose the sharpest of rows with a closed mouth, open eyes and a near-median pose.

        Each condition admits a third (mouth) or half of the rows; a condition that no row meets is
        skipped.
        """
        columns = {name: values[rows] for name, values in self.columns.items()}
        angles = head_pose.angles_from_rotation(columns["rotation"])
        turn = np.abs(angles - np.median(angles, axis=0)).sum(1)
        opening = face_measures.mouth_opening(columns["head"])
        lids = columns["opening_eyes"].mean(1)
        allowed = np.ones(len(rows), bool)
        for condition in (
            opening <= np.quantile(opening, 1 / 3),
            lids >= np.quantile(lids, 0.5),
            turn <= np.quantile(turn, 0.5),
        ):
            if (allowed & condition).any():
                allowed &= condition
        return int(rows[np.argmax(np.where(allowed, columns["sharpness"], -np.inf))])


@dataclass(frozen=True)
class _ClipRows:
    """A clip, the columns of its valid frames in the span, and their motion."""

    clip: Clip
    columns: dict[str, NDArray[Any]]
    motion: ClipMotion


def read_footage(
    subjects: Sequence[Subject],
    size: int,
    *,
    held_out: bool = False,
    cached: bool = False,
    data: Path = DATA,
) -> list[Footage]:
    """Read the frames of several people, who together are the population.

    Args:
        subjects: the people.
        size: width and height to decode frames to.
        held_out: read the held-out spans instead of the training spans.
        cached: keep decoded frames on the disk, for a training.
        data: folder of the artifacts.

    Raises:
        UserError: a person without a valid frame.
    """
    people = [_read_clips(subject, held_out=held_out, data=data) for subject in subjects]
    amplitudes = [measure_amplitudes([rows.motion for rows in person]) for person in people]
    population = mean_amplitudes(amplitudes)
    cache = _CACHE_BYTES // sum(map(len, people))
    reader = DecodedFrames if cached else Frames
    footage = []
    for subject, person, own in zip(subjects, people, amplitudes, strict=True):
        motions = [rows.motion for rows in person]
        scales = [size / motion.size for motion in motions]
        columns = {name: np.concatenate([r.columns[name] for r in person]) for name in _COLUMNS}
        counts = [len(motion.head) for motion in motions]
        footage.append(
            Footage(
                subject=subject,
                clips=[rows.clip for rows in person],
                readers=[reader(rows.clip.video, size, cache) for rows in person],
                clip=np.repeat(np.arange(len(person), dtype=np.int32), counts),
                frame=columns["frame"],
                driving=join([m.driving.scaled(k) for m, k in zip(motions, scales, strict=True)]),
                cameras=[(motion.focal, motion.size) for motion in motions],
                rests=[rest_pose(motion) for motion in motions],
                mean=mean_head(motions),
                amplitudes=own,
                population=population,
                columns=columns,
                size=size,
            )
        )
    return footage


def _read_clips(subject: Subject, *, held_out: bool, data: Path) -> list[_ClipRows]:
    """Read the clips of a person that have a valid frame in the span."""
    folder = data / "landmarks" / str(subject)
    focals = read_focals(folder)
    person = []
    for clip in clips_of(subject, data / "clips"):
        first, end = clip.test if held_out else clip.train
        if end <= first or clip.id not in focals:
            continue
        columns = tables.read(folder / f"{clip.id}.parquet", LANDMARKS, _COLUMNS, first, end)
        valid = columns["valid"].astype(bool)
        if valid.any():
            columns = {name: values[valid] for name, values in columns.items()}
            motion = _motion(columns, focals[clip.id], clip.size)
            person.append(_ClipRows(clip, columns, motion))
    if not person:
        span = "held-out" if held_out else "training"
        raise UserError(
            subject, f"no valid frame in any {span} span", f"see data/clips/{subject}/clips.parquet"
        )
    return person


def _motion(columns: dict[str, NDArray[Any]], focal: float, size: int) -> ClipMotion:
    known = columns["shoulders_valid"].astype(bool)[:, None, None]
    shoulders = np.where(known, columns["shoulders"], np.float32(np.nan))
    driving = Driving(columns["points"], columns["irises"], shoulders)
    head, rotation, translation = (columns[n] for n in ("head", "rotation", "translation"))
    return ClipMotion(head, rotation, translation, focal, size, driving)
