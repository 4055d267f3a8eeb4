"""Train on the others when a person has nothing that a training could read.

`idiolect repro --keep-going` gives such a person the role unseen: params.yaml and dvc.lock then say
whom the models know, and a later run, by DVC alone too, is the same.
"""

from collections.abc import Callable, Sequence

from pipeline.execution.stage_run import StageRun, State
from pipeline.project.people import delete_results, exclude_from_training
from stages.base.config.params import Subjects, read_section
from stages.base.config.subjects import remedy


def run_without_failed(
    run: Callable[[], tuple[int, list[StageRun]]], out: Callable[[str], None]
) -> int:
    """Run stages, leave out people with nothing to train on, and run again while there are any.

    Args:
        run: one run of all stages meant; returns its exit code and its stages.
        out: prints a line.

    Returns:
        The exit code of the last run: 1 as long as a person without a usable clip is in the
        project, although all else is done.
    """
    reasons: dict[str, str] = {}
    while True:
        code, stages = run()
        failed = leave_out_failed(stages) if code == 1 else {}
        if not failed:
            break
        out(f"left out: {', '.join(failed)}; the others go on")
        reasons |= failed
    for name, reason in reasons.items():
        undo = f"undo: `idiolect remove {name}`, then `idiolect add` other videos"
        out(f"left out: {reason}; {name} is now unseen in params.yaml; {undo}")
    return code


def leave_out_failed(stages: Sequence[StageRun]) -> dict[str, str]:
    """Make people unseen whose own stage failed for want of usable clips; delete their results.

    Returns:
        Reason by person; empty if no such failure occurred or no seen person would remain.

    Raises:
        UserError: a result is not in DVC's cache and the person's videos are missing.
    """
    reasons = failed_people(stages)
    for name in reasons:
        delete_results(name)
        exclude_from_training(name)
    return reasons


def failed_people(stages: Sequence[StageRun]) -> dict[str, str]:
    """Return the reason of each person who could be left out; empty if nobody would be left."""
    people = read_section("subjects", Subjects)
    trained = [*people.seen, *people.population]
    reasons = {name: why for name in trained if (why := _reason(name, stages))}
    return reasons if set(people.seen) - set(reasons) else {}


def _reason(name: str, stages: Sequence[StageRun]) -> str:
    """Return why a person's own stage failed, if its error names the remedy; "" otherwise."""
    own = [s for s in stages if s.state is State.FAILED and s.name.rpartition("@")[2] == name]
    lines = [line for stage in own for line in stage.last_lines if remedy(name) in line]
    return lines[0].removeprefix("error: ").partition(f"; {remedy(name)}")[0] if lines else ""
