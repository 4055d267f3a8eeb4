"""Go back to an earlier champion: its state from git, its models from DVC's cache, as a new commit.

Code stays as it is. Nothing is lost: what would be overwritten has to be in git and in DVC's cache
before anything is touched, and the champion that one goes back from keeps its tag.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.execution.renamed_params import renames_in, with_new_names
from pipeline.project import git, project_edits
from pipeline.project.recorded_hashes import first_uncached
from pipeline.project.revision import WORKSPACE, Revision
from pipeline.promotion import champions
from pipeline.promotion.champions import STATE, Champion
from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import PARAMS, read_params

_LOST = ("modified", "not in cache", "new")


@dataclass(frozen=True)
class Rolled:
    """What a rollback did.

    Attributes:
        target: whose state the workspace has now.
        champion: who is champion now, a new number unless the target was champion already.
        before: who was champion.
        left: the commit whose state the workspace had.
        notes: what the user should know.
    """

    target: Champion
    champion: Champion
    before: Champion
    left: str
    notes: tuple[str, ...]

    def undo(self) -> str:
        """Return the commands that bring back what lay here before."""
        if self.champion != self.before:
            return f"idiolect rollback --to {self.before.number}"
        return f"git checkout {self.left[:10]} -- {' '.join(STATE)} && dvc checkout"


def rollback(number: int | None = None) -> Rolled:
    """Bring an earlier champion back into the workspace and make it champion.

    Args:
        number: which; the one before the present one unless given.

    Raises:
        UserError: no such champion; something uncommitted would be overwritten; DVC's cache no
            longer has all of its files. The workspace is then as it was.
    """
    target, present = _choose(number)
    there = Revision(str(target), target.commit)
    _refuse_incomplete(there)
    _refuse_unsaved(target, there)
    if absent := there.absent():
        more = f" ({len(absent)} in all)" if len(absent) > 1 else ""
        raise UserError(
            f"{target}: {absent[0]}{more}",
            "is not in DVC's cache; nothing was changed",
            "`dvc fetch --all-tags` brings it where a remote has it, `dvc pull` as always",
        )
    left = Revision(WORKSPACE).subjects() - there.subjects()
    portrait = Path(f"{project_edits.PORTRAIT}.dvc")
    unset = portrait.exists() and not there.has(str(portrait))
    for name in left:
        project_edits.check_results_are_saved(name)
    if unset:
        project_edits.check_portrait_is_saved()
    try:
        _restore(target.commit)
    except UserError:
        _restore("HEAD")
        raise
    for name in left:
        project_edits.delete_made(name)
    if unset:
        project_edits.sample_neutral()
    return _record(target, present, [*_rename_params(), *_notes(there)])


def _rename_params() -> list[str]:
    """Give the keys of the restored params.yaml their present names; return a line for each."""
    renames = renames_in(read_params())
    if renames:
        text = with_new_names(PARAMS.read_text())
        with atomic_file(PARAMS) as part:
            part.write_text(text)
    return [f"renamed: {rename} in {PARAMS}" for rename in renames]


def _choose(number: int | None) -> tuple[Champion, Champion]:
    known = champions.champions()
    if not known:
        raise UserError(
            "rollback", "there is no champion yet", "`idiolect promote` makes the first"
        )
    if number is None and len(known) == 1:
        found = f"there is none before {known[-1]}"
        raise UserError(
            "rollback", found, f"`idiolect rollback --to {known[-1].number}` restores it"
        )
    targets = known[-2:-1] if number is None else [one for one in known if one.number == number]
    if not targets:
        names = ", ".join(str(one.number) for one in known)
        raise UserError(f"champion {number}", f"there is none; there are: {names}")
    return targets[0], known[-1]


def _refuse_incomplete(there: Revision) -> None:
    """Raise UserError where a champion's commit does not say who its people are."""
    if not there.has("params.yaml"):
        raise UserError(f"params.yaml of {there}", "is not in its commit; nothing was changed")
    if not there.subjects():
        found = "names no subjects, and going back would delete everyone's results"
        raise UserError(f"params.yaml of {there}", f"{found}; nothing was changed")


def _refuse_unsaved(target: Champion, there: Revision) -> None:
    """Raise UserError where going back would overwrite what neither git nor DVC's cache has."""
    from dvc.exceptions import DvcException

    if dirty := git.changed(STATE):
        more = f" and {len(dirty) - 1} more" if len(dirty) > 1 else ""
        todo = "commit it, or `git restore` it, first"
        raise UserError(f"{dirty[0]}{more}", f"not committed; {target} would overwrite it", todo)
    try:
        here = Revision(WORKSPACE)
        status = here.index.repo.status()
    except DvcException as error:
        raise UserError("dvc status", f"failed: {' '.join(str(error).split())}") from None
    for stage, entries in status.items():
        for path, state in _outs(entries):
            if state in _LOST:
                save = f"dvc add {path}" if stage.endswith(".dvc") else f"dvc repro {stage}"
                found = f"is not in DVC's cache as it lies here ({state})"
                raise UserError(path, found, f"`{save}`, or `dvc checkout {path}`, first")
    tracked = set(here.outs())
    if lost := first_uncached(out for out in there.outs() if out not in tracked and out.exists()):
        found = f"is not in DVC's cache, and {target} would overwrite it"
        raise UserError(lost, found, "move it away, or `dvc add` its folder, first")


def _outs(entries: Any) -> list[tuple[str, str]]:
    changed = (entry.get("changed outs", {}) for entry in entries if isinstance(entry, dict))
    return [(path, str(state)) for outs in changed for path, state in outs.items()]


def _restore(commit: str) -> None:
    """Put the state of a commit into index and workspace, DVC's files with it."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    places = [p for p in STATE if git.in_commit(commit, [p]) or git.in_commit("HEAD", [p])]
    git.git("restore", f"--source={commit}", "--staged", "--worktree", "--", *places)
    try:
        with Repo() as repo:
            # Named one by one: else DVC deletes what it once linked and no longer knows, a person's
            # videos too. All that is overwritten is in the cache: see _refuse_unsaved.
            repo.checkout([str(out) for out in repo.index.outs if out.hash_info], force=True)
    except DvcException as error:
        raise UserError("dvc checkout", f"failed: {' '.join(str(error).split())}") from None


def _record(target: Champion, present: Champion, notes: Sequence[str]) -> Rolled:
    left = git.commit_of("HEAD")
    if target.number == present.number:
        title, what, number = f"Restore {target}", f"restore-{target.number}", 0
    else:
        number = champions._next()
        title, what = f"Roll back to {target} as champion {number}", f"rollback-{number}"
    text = f"# {title}\n\nThe champion was {present}.\n" + "".join(f"- {note}\n" for note in notes)
    page = champions.write(what, text)
    commit = champions.commit_with(page, STATE, title)
    if number:
        git.tag(f"champion/{number}", commit, f"Champion {number}: {target} again")
    return Rolled(target, champions.champions()[-1], present, left, tuple(notes))


def _notes(there: Revision) -> list[str]:
    """Tell of code that has changed since, which the next run will run again."""
    from pipeline.promotion.comparing import changed_code

    stages = changed_code(there, Revision(WORKSPACE))
    if not stages:
        return []
    named = ", ".join(stages)
    return [f"code has changed since, and `dvc repro` would run again: {named}"]
