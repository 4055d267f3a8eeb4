"""The pandas view of a project: its tables and scores as DataFrames.

    from pipeline.report import Project
    p = Project(".")
    p.landmarks("anna")     # one row a frame
    p.metrics()             # one row per run, subject and metric

Every column of a table keeps the name, unit and meaning of docs/formats.md. A cell with a shape
becomes one column per number: `rotation_0_2`, and `points_30_x`, `head_30_z` for the 68 landmarks.
A project is only read; commits are read from git and DVC's cache, without a checkout.
"""

from collections.abc import Iterator, Mapping
from contextlib import chdir
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.experiments.listing import flatten
from pipeline.experiments.measures import find
from pipeline.experiments.scores import is_scored, read_metrics
from pipeline.project.revision import WORKSPACE, Revision
from pipeline.report.runs import Run, find_run, list_runs
from pipeline.runtime.user_errors import BadParams, MissingInput
from stages.base.config.params import Subjects, validate_section
from stages.base.io import tables
from stages.base.io.formats import Format
from stages.base.io.image_io import Image, decode_jpeg
from stages.clips.artifacts import FRAMES, LEDGER
from stages.landmarks.artifacts import LANDMARKS

if TYPE_CHECKING:
    from pandas import DataFrame

_FACE = 68  # landmarks
_SCORED = ("subjects", "unseen")


class Project:
    """A project's folder.

    Args:
        folder: where its params.yaml is.

    Raises:
        MissingInput: the folder has no params.yaml.
    """

    def __init__(self, folder: str | Path = ".") -> None:
        self.folder = Path(folder).resolve()
        if not (self.folder / "params.yaml").is_file():
            found = f"no params.yaml in {self.folder}"
            raise MissingInput("project", found, "name the project's folder")

    def people(self) -> "DataFrame":
        """Return a row for each person: subject, role (seen or unseen), clips, videos, seconds.

        `clips` and `seconds` count what is used, and `unused` the videos and shots that are not:
        `ledger` has their reasons. All are 0 before `clips` has run.
        """
        import pandas as pd

        rows = []
        for name, role in self._roles().items():
            path = self.folder / "data/clips" / role / name / "clips.parquet"
            found = tables.read(path, LEDGER) if path.is_file() else {}
            good = found["status"] == "ok" if found else np.zeros(0, bool)
            seconds = (found["frames"] / found["fps"])[good].sum() if found else 0.0
            rows.append((name, role, int(good.sum()), float(seconds), int((~good).sum())))
        return pd.DataFrame(rows, columns=["subject", "role", "clips", "seconds", "unused"])

    def ledger(self, subject: str | None = None) -> "DataFrame":
        """Return a row for each clip, and for each video or shot that is not used.

        Args:
            subject: of one person; default: all people whose clips exist.

        Returns:
            `subject`, `role` and the columns of docs/formats.md, "ledger". `status` is ok, rejected
            or failed, and `reason` says why.

        Raises:
            BadParams: no such subject.
            MissingInput: `clips` has not run for this person, or for anybody.
        """
        import pandas as pd

        roles = self._roles()
        chosen = [subject] if subject is not None else list(roles)
        parts = []
        for name in chosen:
            path = self._data("clips", name) / "clips.parquet"
            if subject is None and not path.is_file():
                continue
            part = _frame(path, LEDGER)
            part.insert(0, "subject", name)
            part.insert(1, "role", roles[name])
            parts.append(part)
        if not parts:
            raise MissingInput("clips", "no subject has clips yet", "run `idiolect repro`")
        return pd.concat(parts, ignore_index=True)

    def landmarks(self, subject: str, clip: str | None = None) -> "DataFrame":
        """Return a row for each frame, with landmarks and pose.

        Args:
            subject: the person.
            clip: one clip; default: all of them.

        Returns:
            Index `clip` and `frame`; columns of docs/formats.md, "landmarks"; NaN where no face is
            detected.

        Raises:
            BadParams: no such subject or clip.
            MissingInput: `landmarks` has not run for this person.
        """
        import pandas as pd

        folder = self._data("landmarks", subject)
        known = sorted(p.stem for p in folder.glob("*.parquet") if p.stem != "cameras")
        if not known:
            found = "do not exist yet"
            raise MissingInput(f"landmarks of {subject}", found, "run `idiolect repro`")
        if clip is not None and clip not in known:
            raise BadParams(clip, f"no such clip of {subject}; known: {', '.join(known)}")
        names = known if clip is None else [clip]
        parts = {name: _frame(folder / f"{name}.parquet", LANDMARKS, "frame") for name in names}
        return pd.concat(parts, names=["clip"])

    def frames(self, subject: str, clip: str) -> "DataFrame":
        """Return a row for each frame of a clip: index `frame`, columns `time` (s) and `jpeg`.

        Raises:
            BadParams: no such subject.
            MissingInput: no such clip.
        """
        return _frame(self._data("clips", subject) / clip / "frames.parquet", FRAMES, "frame")

    def image(self, subject: str, clip: str, frame: int) -> Image:
        """Return a frame as an array (size, size, 3), uint8, RGB; raise as `frames`."""
        rows = self.frames(subject, clip)
        if frame not in rows.index:
            raise BadParams(str(frame), f"no such frame of {clip}; it has {len(rows)}")
        return decode_jpeg(bytes(rows["jpeg"][frame]))

    def runs(self) -> "DataFrame":
        """Return a row for each evaluated run: the workspace, commits, experiments and champions.

        Returns:
            `run` (its name), `kind` (workspace, champion, experiment or commit), `commit`, `time`
            (UTC, NaT for the workspace), newest first.
        """
        import pandas as pd

        with chdir(self.folder):
            rows = [(one.name, one.kind, one.commit, one.time) for one in list_runs()]
        found = pd.DataFrame(rows, columns=["run", "kind", "commit", "time"])
        found["time"] = pd.to_datetime(found["time"], utc=True)
        return found

    def metrics(self, *runs: str) -> "DataFrame":
        """Return a row for each run, subject and metric.

        Args:
            runs: workspace, champion, champion/N, an experiment, or a revision of git; default: all
                of `runs()`.

        Returns:
            `run`, `kind`, `commit`, `time`, `subject`, `metric` (key below the subject in
            reports/evaluation/scores.json, explained in docs/reference/metrics.md), `value`,
            `unit`, `better` (more, less, near or none).

        Raises:
            UserError: no such run, or DVC's cache no longer has its scores.
        """
        import pandas as pd

        with chdir(self.folder):
            chosen = [find_run(name) for name in runs] if runs else list_runs()
            rows = [row for one in chosen for row in _metric_rows(one)]
        names = ["run", "kind", "commit", "time", "subject", "metric", "value", "unit", "better"]
        found = pd.DataFrame(rows, columns=names)
        found["time"] = pd.to_datetime(found["time"], utc=True)
        return found

    def compare(self, before: str, after: str) -> "DataFrame":
        """Compare the metrics of two runs, such as `champion` and `HEAD`.

        Returns:
            Index `subject` and `metric`; columns `before`, `after`, `change` (after - before),
            `gain` (by how much better after is; NaN where neither direction is better), `unit`.
            NaN where one run lacks the metric.

        Raises:
            UserError: as `metrics`.
        """
        import pandas as pd

        sides = [self.metrics(name).set_index(["subject", "metric"]) for name in (before, after)]
        found = pd.DataFrame({"before": sides[0]["value"], "after": sides[1]["value"]})
        units = pd.concat([side["unit"] for side in sides])
        found["change"] = found["after"] - found["before"]
        found["gain"] = [
            _gain(metric, row.before, row.after)
            for (_, metric), row in zip(found.index, found.itertuples(), strict=True)
        ]
        found["unit"] = units[~units.index.duplicated()]
        return found

    def _roles(self) -> Mapping[str, str]:
        """Return the role of each subject of params.yaml."""
        from stages.base.config.params import read_params

        content = read_params(self.folder / "params.yaml").get("subjects")
        people = validate_section("subjects", content, Subjects).all
        return {name: person.role for name, person in people.items()}

    def _data(self, kind: str, subject: str) -> Path:
        roles = self._roles()
        if subject not in roles:
            raise BadParams(subject, "no such subject", f"known: {', '.join(roles)}")
        return self.folder / "data" / kind / roles[subject] / subject


def _frame(path: Path, fmt: Format, index: str = "") -> "DataFrame":
    """Read a table as a DataFrame, one column for each number of a cell."""
    import pandas as pd

    if not path.is_file():
        raise MissingInput(str(path), "was not made yet", "run `idiolect repro`")
    columns = tables.read(path, fmt)
    flat = {name: column for c in fmt.columns for name, column in _split(c.name, columns[c.name])}
    found = pd.DataFrame(flat)
    return found.set_index(index) if index else found


def _split(name: str, values: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield a column for each number of the cells, (N, …)."""
    shape = values.shape[1:]
    points = len(shape) > 1 and shape[0] == _FACE
    flat = values.reshape(len(values), prod(shape))
    for i, at in enumerate(product(*map(range, shape))):
        parts = [str(k) for k in at]
        if points:
            parts[-1] = "xyz"[at[-1]]
        yield "_".join([name, *parts]), flat[:, i]


def _metric_rows(run: Run) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of `Project.metrics` of one run."""
    revision = Revision(run.name, run.commit)
    scores = read_metrics(revision) if run.kind != WORKSPACE or is_scored(revision) else {}
    for group in _SCORED:
        for subject, own in scores.get(group, {}).items():
            for metric, value in flatten(own).items():
                if isinstance(value, bool) or not isinstance(value, int | float):
                    continue
                known = find(f"subjects.{subject}.{metric}")
                about = (known.unit, known.better) if known else ("", "none")
                yield (*(run.name, run.kind, run.commit, run.time), subject, metric, value, *about)


def _gain(metric: str, before: float, after: float) -> float:
    known = find(f"subjects.S.{metric}")
    if known is None or known.better == "none":
        return float("nan")
    return known.gain(before, after)
