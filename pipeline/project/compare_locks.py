"""Compare dvc.lock with another machine's, and write one to compare with.

idiolect verify --against other/dvc.lock        # stage by stage, out by out
idiolect verify --write-lock release.lock     # the hashes of a release, with CPU flags
"""

from pathlib import Path
from typing import Any

from tabulate import tabulate

from pipeline.execution import dvc_files
from pipeline.execution.dvc_files import LOCK
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import BadFormat, MissingInput

_CPU = "# CPU: "


def compare(other: Path, lock: Path = LOCK) -> int:
    """Print which outs of two locks are the same; return 1 if an out of both differs.

    Raises:
        MissingInput: a lock does not exist.
        BadFormat: a file is not a dvc.lock.
    """
    from pipeline.project.doctor import cpu

    here, there = _stages(lock), _stages(other)
    rows: list[tuple[str, str, str]] = []
    for stage in dict.fromkeys([*here, *there]):
        ours, theirs = (dvc_files.outs(stages.get(stage, {})) for stages in (here, there))
        same_inputs = dvc_files.inputs(here.get(stage, {})) == dvc_files.inputs(
            there.get(stage, {})
        )
        differs = f"differs, {'from the same inputs' if same_inputs else 'as do its inputs'}"
        for path in dict.fromkeys([*ours, *theirs]):
            verdict = "same" if ours.get(path) == theirs.get(path) else differs
            if path not in ours or path not in theirs:
                verdict = "only here" if path in ours else "only there"
            rows.append((stage, path, verdict))
    print(tabulate(rows, tablefmt="plain", disable_numparse=True))
    print(f"CPU here:  {cpu()}")
    print(f"CPU there: {_cpu_of(other)}")
    both = {stage for stage, _, verdict in rows if not verdict.startswith("only")}
    differ = {stage for stage, _, verdict in rows if verdict.startswith("differs")}
    print(f"{len(both - differ)} of {len(both)} stages reproduce to the byte")
    return 1 if differ else 0


def write(path: Path, lock: Path = LOCK) -> None:
    """Write a lock below a comment with this CPU's flags and the version of torch."""
    from importlib.metadata import version

    from pipeline.project.doctor import cpu

    _stages(lock)
    head = (
        f"# Hashes of a run; `idiolect verify --against {path}` compares yours with them.\n"
        f"{_CPU}{cpu()}; torch {version('torch')}\n"
    )
    write_atomic(path, head + lock.read_text())


def _stages(path: Path) -> dict[str, Any]:
    """Read the stages of a lock."""
    if not path.is_file():
        raise MissingInput(
            path,
            "not found",
            "run `idiolect repro`" if path == LOCK else "give the path of a dvc.lock",
        )
    try:
        stages: dict[str, Any] = dvc_files.stages(path)
        for entry in stages.values():
            dvc_files.outs(entry)
            dvc_files.inputs(entry)
    except (AttributeError, KeyError, TypeError, ValueError):
        stages = {}
    if not stages:
        raise BadFormat(path, "expected a dvc.lock, found no stages with outs")
    return stages


def _cpu_of(lock: Path) -> str:
    lines = lock.read_text().splitlines()
    return next((ln.removeprefix(_CPU) for ln in lines if ln.startswith(_CPU)), "unknown")
