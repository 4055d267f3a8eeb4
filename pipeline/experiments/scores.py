"""Scores of one revision: of single frames, as means, and the data that they refer to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.project.revision import Revision
from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.io import tables
from stages.base.io.formats import Format
from stages.evaluation.artifacts import METRICS, SCORES, SCORES_JSON, VOICE_SCORES
from stages.evaluation.headline import value_at

# All scores; earlier versions wrote them to METRICS, which now holds the headline numbers.
PLACES = (str(SCORES_JSON), str(METRICS))
FRAMES, VOICE = "reports/evaluation/frames.parquet", "reports/evaluation/voice.parquet"
LOCK = "dvc.lock"
# Earlier code recorded a hash of the measures. These gave the numbers of version 1.
_VERSION_1 = frozenset(
    (
        *("0006f88dcaa4bfc0", "0a8c2f4ffb92a331", "0eac1929b5152f69", "1c85c770057be4e8"),
        *("4d43744dbef7a2e3", "6148b6f6142e5bc1", "6dfd4c4bad414620", "9f6061ee14fbfdbe"),
        *("c6729f0b0abeaa00", "cf984ca984de658f", "d6affdadc2c33f33", "e555893b97dd8ab9"),
        *("e9215117128e4504", "f7b30e3f212c4eef"),
    )
)

Table = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Scores:
    """Scores of the champion or the challenger.

    Attributes:
        name: in messages and tables.
        lock: text of its dvc.lock.
        metrics: content of its scores.json.
        frames: rows of SCORES, without the columns of later versions; empty if it has none.
        voice: rows of VOICE_SCORES, likewise.
        truth: by subject and clip, hashes of the true frames, landmarks and label maps; empty
            where they are unknown.
        fps: frames per second of its clips.
        faults: why it cannot become champion; empty for a champion.
    """

    name: str
    lock: str
    metrics: Mapping[str, Any]
    frames: Table
    voice: Table
    truth: Mapping[tuple[str, str], str]
    fps: float
    faults: tuple[str, ...] = ()

    def table(self, name: str) -> Table:
        """Return the rows of a measure: `voice`, or the generator's rows of `frames`."""
        return self.voice if name == "voice" else rows_of_answer(self.frames, "generator")

    def subjects(self) -> list[str]:
        """List the evaluated subjects."""
        return list(self.metrics.get("subjects", {}))

    def metric(self, subject: str, name: str) -> float | None:
        """Return a metric of a subject by its dotted name; None where it is not a number."""
        return value_at(self.metrics.get("subjects", {}).get(subject, {}), name)

    def has(self, name: str) -> bool:
        """Return whether a score exists by its dotted name for any subject, be it null.

        It is null where there is nothing to measure, and absent where the code did not measure it.
        """
        return any(_has(own, name.split(".")) for own in self.metrics.get("subjects", {}).values())

    def setting(self) -> dict[str, Any]:
        """Return what two revisions must share for a score to be comparable, by what it is.

        The first two concern scores of pictures alone.
        """
        measures = self.metrics.get("judges", {}).get("measures")
        return {
            "the pictures' size": self.metrics.get("size"),
            "the face crop": self.metrics.get("crop"),
            "the version of the measures": 1 if measures in _VERSION_1 else measures,
        }


def _has(scores: Any, parts: list[str]) -> bool:
    if not parts:
        return True
    return isinstance(scores, Mapping) and parts[0] in scores and _has(scores[parts[0]], parts[1:])


def row_keys(table: Table) -> list[tuple[str, str, int]]:
    """Return subject, clip and frame of each row."""
    columns = (table[name] for name in ("subject", "clip", "frame"))
    return [(str(s), str(c), int(f)) for s, c, f in zip(*columns, strict=True)]


def select_rows(table: Table, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return some rows of a table, by mask or indices."""
    return {name: column[rows] for name, column in table.items()}


def rows_of_answer(table: Table, answer: str) -> dict[str, NDArray[Any]]:
    """Return the rows of one answer of a table of the format SCORES; empty for an empty table."""
    return select_rows(table, table["answer"] == answer) if table else {}


def is_scored(revision: Revision) -> bool:
    """Return whether a revision was evaluated; DVC's cache may have lost its scores."""
    return any(map(revision.has, PLACES))


def read_metrics(revision: Revision) -> Mapping[str, Any]:
    """Read the content of a revision's scores.json, or of its metrics.json of an earlier version.

    Raises:
        MissingInput: it was never evaluated, or DVC's cache no longer has its scores.
        BadFormat: its scores are not JSON.
    """
    place = next(filter(revision.has, PLACES), None)
    if place is None:
        raise MissingInput(
            f"{PLACES[0]} of {revision}", "was never made", "run `idiolect repro` there"
        )
    with revision.local(place) as copy:
        try:
            return dict(json.loads(copy.read_text(errors="replace")))
        except ValueError:
            item, todo = f"{place} of {revision}", "run `idiolect repro evaluate`"
            raise BadFormat(item, "is not JSON", todo) from None


def read_scores(revision: Revision) -> Scores:
    """Read the scores of a revision, of this or an earlier version; raise as `read_metrics`."""
    metrics = read_metrics(revision)
    frames = _read_table(revision, FRAMES, SCORES)
    voice = _read_table(revision, VOICE, VOICE_SCORES)
    clips = {key[:2] for table in (frames, voice) if table for key in row_keys(table)}
    truth = {clip: _truth_hashes(revision, *clip) for clip in clips}
    fps = float(revision.yaml("params.yaml").get("clips", {}).get("fps", 25))
    return Scores(revision.name, revision.text(LOCK) or "", metrics, frames, voice, truth, fps)


def _read_table(revision: Revision, path: str, fmt: Format) -> Table:
    """Read the columns that a table has in common with a format; empty if there is no such table.

    A table of an earlier version lacks the columns of measures that came later.
    """
    if not revision.has(path):
        return {}
    with revision.local(path) as copy:
        try:
            with pq.ParquetFile(copy) as file:
                tables.check_size(copy, file)
                names = [name for name in fmt.names if name in file.schema_arrow.names]
                table = file.read(columns=names)
        except (pa.ArrowException, OSError):
            return {}
    if not {"subject", "clip", "frame"} <= set(names):
        return {}
    return {name: table.column(name).to_numpy() for name in names}


def _truth_hashes(revision: Revision, subject: str, clip: str) -> str:
    """Join the hashes of the true frames, landmarks and label maps of a clip."""
    files = (
        f"data/clips/seen/{subject}/{clip}/frames.parquet",
        f"data/landmarks/seen/{subject}/{clip}.parquet",
        f"data/parsing/seen/{subject}/{clip}.parquet",
    )
    hashes = [revision.md5(path) for path in files]
    return " ".join(hashes) if all(hashes) else ""
