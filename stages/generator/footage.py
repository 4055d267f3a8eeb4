"""The frames of one person that a generator trains on or is judged by, with what drives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import UserError
from stages.base.config.subjects import Subject
from stages.base.face import face_measures, head_pose
from stages.base.io import tables
from stages.base.io.image_io import Image
from stages.clips.frames import Frames
from stages.clips.ledger import Clip, clips_of
from stages.generator.driving import Driving, Take, amplitudes, mean_head, neutralised, population
from stages.landmarks.artifacts import CAMERAS, LANDMARKS

_COLUMNS = [
    "frame",
    "valid",
    "points",
    "irises",
    "shoulders",
    "shoulders_valid",
    "rotation",
    "translation",
    "head",
    "sharpness",
    "opening_eyes",
]
_CACHE_BYTES = 256 << 20  # compressed frames kept in memory, all clips of a training together
_NEAR = 2  # rows beside the drawn opening, so that lone extremes are not drawn all the time
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Footage:
    """Valid frames of one person, of the training or the held-out spans.

    Attributes:
        subject: the person.
        clips: usable clips that have such frames.
        pictures: their frames, decoded at training size, one reader a clip.
        clip: index into `clips`, (N,).
        frame: index in the clip, (N,).
        driving: landmarks as seen, px of the training size.
        neutral: landmarks with the population's amplitude; the same rows.
        facts: the landmark tables' columns of these frames.
        size: width and height of the training frames.
    """

    subject: Subject
    clips: list[Clip]
    pictures: list[Frames]
    clip: NDArray[np.int32]
    frame: NDArray[np.int32]
    driving: Driving
    neutral: Driving
    facts: Columns
    size: int

    def __len__(self) -> int:
        return len(self.frame)

    def draw(self, rng: np.random.Generator, rare: float) -> int:
        """Draw a row; a share of them evenly over how far mouth or eyes open, not over time.

        Wide mouths and closed lids are seldom and small, and are what is looked at.
        """
        if rng.random() >= rare:
            return int(rng.integers(len(self)))
        opening, order = self._openings[int(rng.integers(2))]
        low, high = opening[order[[0, -1]]]
        place = np.searchsorted(opening[order], rng.uniform(low, high))
        near = np.clip(place + rng.integers(-_NEAR, _NEAR + 1), 0, len(order) - 1)
        return int(order[near])

    @cached_property
    def _openings(self) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        """Mouth and lids: how far they open, (N,), and the rows in that order."""
        kinds = (
            face_measures.mouth_opening(self.facts["head"]),
            self.facts["opening_eyes"].mean(1),
        )
        return [(np.asarray(kind, np.float64), np.argsort(kind, kind="stable")) for kind in kinds]

    def picture(self, row: int) -> Image:
        """Decode a row's frame at training size, (size, size, 3) RGB."""
        return self.pictures[int(self.clip[row])][int(self.frame[row])]


def read_footage(
    subjects: Sequence[Subject], size: int, *, held_out: bool = False, data: Path = Path("data")
) -> list[Footage]:
    """Read the frames of several people; the population is all of them.

    Args:
        subjects: whom.
        size: width and height to decode frames to.
        held_out: the held-out spans instead of the training spans.
        data: folder of the artifacts.

    Raises:
        UserError: a person without a valid frame.
    """
    people = [_clips(subject, held_out=held_out, data=data) for subject in subjects]
    takes = [[_take(clip, columns, focal) for clip, columns, focal in clips] for clips in people]
    ways = [amplitudes(person) for person in takes]
    average = population(ways)
    number = sum(len(clips) for clips in people)
    footage = []
    for subject, clips, person, way in zip(subjects, people, takes, ways, strict=True):
        mean, gains = mean_head(person), way.gains(average)
        scales = [size / take.size for take in person]
        neutral = [neutralised(take, mean, gains) for take in person]
        counts = [len(take.head) for take in person]
        columns = [c for _, c, _ in clips]
        footage.append(
            Footage(
                subject=subject,
                clips=[clip for clip, _, _ in clips],
                pictures=[Frames(c.video, size, _CACHE_BYTES // number) for c, _, _ in clips],
                clip=np.repeat(np.arange(len(clips), dtype=np.int32), counts),
                frame=np.concatenate([c["frame"] for c in columns]),
                driving=_joined([take.driving for take in person], scales),
                neutral=_joined(neutral, scales),
                facts={name: np.concatenate([c[name] for c in columns]) for name in _COLUMNS},
                size=size,
            )
        )
    return footage


def _clips(subject: Subject, *, held_out: bool, data: Path) -> list[tuple[Clip, Columns, float]]:
    """Read a person's clips: the columns of valid frames in the span, and the focal length."""
    folder = data / "landmarks" / subject.role / subject.name
    cameras = tables.read(folder / "cameras.parquet", CAMERAS, ["clip", "focal"])
    focal = dict(zip(cameras["clip"], cameras["focal"], strict=True))
    found = []
    for clip in clips_of(subject, data / "clips"):
        first, end = clip.test if held_out else clip.train
        if end <= first or clip.id not in focal:
            continue
        columns = tables.read(folder / f"{clip.id}.parquet", LANDMARKS, _COLUMNS, first, end)
        valid = columns["valid"].astype(bool)
        if valid.any():
            found.append((clip, {k: v[valid] for k, v in columns.items()}, float(focal[clip.id])))
    if not found:
        span = "held-out" if held_out else "training"
        raise UserError(subject, f"no valid frame in any {span} span", "see its clips.parquet")
    return found


def _take(clip: Clip, columns: Columns, focal: float) -> Take:
    seen = columns["shoulders_valid"].astype(bool)[:, None, None]
    shoulders = np.where(seen, columns["shoulders"], np.float32(np.nan))
    return Take(
        head=columns["head"],
        rotation=columns["rotation"],
        translation=columns["translation"],
        focal=focal,
        size=clip.size,
        driving=Driving(columns["points"], columns["irises"], shoulders),
    )


def _joined(parts: list[Driving], scales: list[float]) -> Driving:
    scaled = [part.scaled(scale) for part, scale in zip(parts, scales, strict=True)]
    return Driving(
        np.concatenate([p.points for p in scaled]),
        np.concatenate([p.irises for p in scaled]),
        np.concatenate([p.shoulders for p in scaled]),
    )


def choose_source(footage: Footage, rows: NDArray[np.intp]) -> int:
    """Choose the source among rows: sharp, of near-mean pose, closed mouth and open eyes.

    Each condition admits half of the frames or the closest third to it, and falls away from the
    last where they leave none.
    """
    facts = {name: values[rows] for name, values in footage.facts.items()}
    angles = head_pose.angles_from_rotation(facts["rotation"])
    turned = np.abs(angles - np.median(angles, axis=0)).sum(1)
    opening = face_measures.mouth_opening(facts["head"])
    lids = facts["opening_eyes"].mean(1)
    allowed = np.ones(len(rows), bool)
    for condition in (
        opening <= np.quantile(opening, 1 / 3),
        lids >= np.quantile(lids, 0.5),
        turned <= np.quantile(turned, 0.5),
    ):
        if (allowed & condition).any():
            allowed &= condition
    return int(rows[np.argmax(np.where(allowed, facts["sharpness"], -np.inf))])
