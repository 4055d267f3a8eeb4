"""`idiolect evaluate`: score videos of any tool against real ones, by our own measures.

    idiolect evaluate --real videos/real --generated videos/tool

Prints a table, and writes scores.csv (a line for each pair and row) and scores.json (also with
judges, params, framing, and the reasons of what was rejected). Sources are read-only; clips and
landmarks go to a temporary folder.
"""

import csv
import io
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from tabulate import tabulate

from pipeline.runtime.atomic_files import check_writable, write_atomic
from pipeline.runtime.progress import with_progress
from pipeline.runtime.user_errors import UserError
from stages.base.config import code_version
from stages.base.config.params import read_section
from stages.base.io.video_frames import VideoFacts
from stages.base.training import pretrained
from stages.evaluation.page import arrowed
from stages.evaluation.params import JUDGES, EvaluationParams
from stages.evaluation.video_faces import FoundFaces, find_faces
from stages.evaluation.video_pairs import VideoPair, check_videos, find_pairs
from stages.evaluation.video_scores import ROWS, VideoScores, average, score_pair

_SLOWEST, _FASTEST = 5.0, 60.0  # frames per second of a track
_MOST_COLUMNS = 4  # pairs that the printed table shows on their own
CROP = "box of the 68 landmarks of the real face, 20 % wider on each side"


@dataclass(frozen=True)
class Report:
    """What was scored and what was not, by the pair's name."""

    pairs: Sequence[VideoPair]
    scores: Mapping[str, VideoScores]
    rejected: Mapping[str, str]

    def table(self) -> str:
        """Return the means, and each pair's scores where they are few, a line for each measure."""
        mean = average(list(self.scores.values()))
        shown = self.scores if 1 < len(self.scores) <= _MOST_COLUMNS else {}
        heads = ["", "truth", "generated", *shown]
        parts = []
        for group in dict.fromkeys(name.partition(".")[0] for name in mean["truth"]):
            names = [n for n in mean["truth"] if n.startswith(f"{group}.")]
            cells = [
                [
                    arrowed(name.removeprefix(f"{group}.")),
                    *(mean[row][name] for row in ROWS),
                    *(score.rows["generated"][name] for score in shown.values()),
                ]
                for name in names
            ]
            parts.append(str(tabulate(cells, [group, *heads[1:]], "github", floatfmt=".3f")))
        return "\n\n".join(parts)

    def json(self) -> str:
        """Return everything as JSON."""
        content = {
            "crop": CROP,
            "judges": {
                "measures": code_version.compute("stages.evaluation.video_scores"),
                **{name: pretrained.sha256(name) for name in JUDGES},
                "landmarks": f"mediapipe {package_version('mediapipe')}",
            },
            "evaluation": read_section("evaluation", EvaluationParams).model_dump(),
            "mean": average(list(self.scores.values())) if self.scores else {},
            "pairs": {p.name: self._entry(p) for p in self.pairs if p.name in self.scores},
            "rejected": dict(self.rejected),
        }
        return json.dumps(_finite(content), indent=1) + "\n"

    def _entry(self, pair: VideoPair) -> dict[str, Any]:
        entry = {"real": str(pair.real), "generated": str(pair.generated)}
        return entry | vars(self.scores[pair.name])

    def csv(self) -> str:
        """Return a line for each pair and row."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        for name, score in self.scores.items():
            facts = {"seconds": score.seconds, "frames": score.frames, "shown": score.shown}
            for row in ROWS:
                values = facts | score.rows[row]
                if text.tell() == 0:
                    table.writerow(["pair", "row", *values])
                cells = (_rounded(value) for value in values.values())
                table.writerow([name, row, *("" if c is None else c for c in cells)])
        return text.getvalue()


def evaluate_videos(real: Path, generated: Path, pairs: Path | None, out: Path) -> Report:
    """Score the generated videos of a folder; write scores.csv and scores.json.

    Args:
        real: folder of real videos.
        generated: folder of generated videos.
        pairs: CSV with the columns real and generated; by default pairs have the same stem.
        out: folder to write to.

    Raises:
        UserError: a folder or video is missing or no video, or `out` is one of the inputs; the
            weights of a judge are missing.
    """
    chosen = find_pairs(real, generated, pairs)
    for folder in (real, generated):
        if out.resolve() == folder.resolve():
            raise UserError(out, "is a folder of inputs, which must not change", "name another")
    facts = check_videos(chosen)
    params = read_section("evaluation", EvaluationParams)
    for judge in JUDGES:
        pretrained.path(judge)  # a missing one stops the run before any work
    if params.syncnet:
        pretrained.load_user_weights("syncnet", params.syncnet)
    check_writable(out / "scores.csv")
    scores: dict[str, VideoScores] = {}
    rejected: dict[str, str] = {}
    for fps in sorted({_rate(facts[pair.real]) for pair in chosen}):
        own = [pair for pair in chosen if _rate(facts[pair.real]) == fps]
        with tempfile.TemporaryDirectory(prefix="idiolect-") as scratch:
            found = _find_faces(own, facts, fps, Path(scratch))
        for pair in with_progress(own, f"scores of pairs at {fps:g} fps", len(own)):
            result = _score(pair, found, params)
            if isinstance(result, str):
                rejected[pair.name] = result
            else:
                scores[pair.name] = result
    report = Report(chosen, {p.name: scores[p.name] for p in chosen if p.name in scores}, rejected)
    write_atomic(out / "scores.csv", report.csv())
    write_atomic(out / "scores.json", report.json())
    return report


def _rate(facts: VideoFacts) -> float:
    return round(min(max(facts.fps, _SLOWEST), _FASTEST), 3)


def _find_faces(
    pairs: Sequence[VideoPair], facts: Mapping[Path, VideoFacts], fps: float, scratch: Path
) -> FoundFaces:
    videos = {path: facts[path] for pair in pairs for path in (pair.real, pair.generated)}
    return find_faces(videos, fps, {pair.generated: pair.real for pair in pairs}, scratch)


def _score(pair: VideoPair, found: FoundFaces, params: EvaluationParams) -> VideoScores | str:
    for path in (pair.real, pair.generated):
        if path in found.rejected:
            return f"{path}: {found.rejected[path]}"
    real, generated = found.faces[pair.real], found.faces[pair.generated]
    return score_pair(real, generated, found.speech[pair.real], params)


def _finite(value: Any) -> Any:
    """Round numbers, and replace those that JSON lacks by None."""
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    return _rounded(value)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
