"""Return to an earlier champion: its state from git, its models from DVC's cache, as a new commit.

The code does not change. All that the rollback overwrites or deletes must be in git and in DVC's
cache first, and the present champion keeps its tag. A rollback that was killed continues when it is
run again: what it has restored so far counts as saved, and what it has to change is that of HEAD.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.execution import repair
from pipeline.execution.params_check import move_keys, renames_in, with_new_names
from pipeline.experiments.listing import flatten
from pipeline.project import git, neutral_image, people
from pipeline.project.presets import edit_params, missing_keys, with_roles
from pipeline.project.revision import WORKSPACE, Revision, dvc_errors, first_uncached
from pipeline.promotion import champions
from pipeline.promotion.champions import STATE, Champion
from pipeline.promotion.compare import changed_code
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import PARAMS, read_params

_UNSAVED = ("modified", "not in cache", "new")


def rollback(number: int | None = None) -> list[str]:
    """Restore an earlier champion in the workspace and make it champion.

    Args:
        number: of the champion; default: the one before the present one.

    Returns:
        Lines about the workspace, renamed params, changed code, and how to undo it.

    Raises:
        UserError: no such champion; a merge or rebase is in progress; something unsaved would be
            overwritten or deleted; DVC's cache no longer has all files of the champion. The
            workspace is then as it was.
    """
    target, present = _choose(number)
    git.check_no_operation()
    _mend_unrestored(target.commit)
    here, there = Revision(WORKSPACE), Revision(str(target), target.commit)
    _check_target(there)
    _check_saved(target, here, there)
    head = Revision("HEAD", git.commit_of("HEAD"))
    params = head.yaml(str(PARAMS))
    later = head.subjects() - there.subjects()
    portrait = str(neutral_image.TRACKED)
    unset = head.has(portrait) and not there.has(portrait)
    for name in later:
        people.check_results_are_saved(name)
    if unset:
        neutral_image.check_portrait_is_saved()
    try:
        _restore_state(target.commit)
        notes = _update_params(params)  # before DVC reads dvc.yaml, which lists stages by params
        _checkout()
        for name in later:
            people.delete_results(name)
        if unset:
            neutral_image.use_sample()
        if stages := changed_code(there, Revision(WORKSPACE)):
            code = (
                f"code has changed since, and `idiolect repro` would run again: {', '.join(stages)}"
            )
            notes.append(code)
        return _record(target, present, notes)
    except UserError:
        _restore_state("HEAD")
        _checkout()
        raise


def _mend_unrestored(commit: str) -> None:
    """Restore HEAD's files that a failed rollback to a commit could restore in part alone.

    On a full disk, git leaves the beginning of a file in the workspace, beside that of the commit
    in the index.
    """
    torn = [
        path
        for path in git.changed(STATE)
        if git.is_staged_as_in(commit, path)
        and not git.is_staged_as_in("HEAD", path)
        and git.is_beginning_of("HEAD", path)
    ]
    if torn:
        git.git("restore", "--source=HEAD", "--staged", "--worktree", "--", *torn)


def _choose(number: int | None) -> tuple[Champion, Champion]:
    known = champions.champions()
    if not known:
        todo = "`idiolect promote` makes the first"
        raise UserError("rollback", "the project has no champion yet", todo)
    present = known[-1]
    if number is None and len(known) == 1:
        todo = f"`idiolect rollback --to {present.number}` restores it"
        raise UserError("rollback", f"no champion before {present}", todo)
    targets = known[-2:-1] if number is None else [one for one in known if one.number == number]
    if not targets:
        names = ", ".join(str(one.number) for one in known)
        raise UserError(f"champion {number}", f"no such champion; known: {names}")
    return targets[0], present


def _check_target(there: Revision) -> None:
    """Raise UserError unless a champion names its subjects and DVC's cache has all its files."""
    if not there.has(str(PARAMS)):
        raise UserError(f"{PARAMS} of {there}", "is not in its commit; nothing was changed")
    if not there.subjects():
        found = "lists no subjects, and the rollback would delete all results"
        raise UserError(f"{PARAMS} of {there}", f"{found}; nothing was changed")
    if absent := there.absent():
        more = f" ({len(absent)} in all)" if len(absent) > 1 else ""
        raise UserError(
            f"{there}: {absent[0]}{more}",
            "is not in DVC's cache; nothing was changed",
            "`dvc fetch --all-tags` if a remote has it, then `dvc pull`",
        )


def _check_saved(target: Champion, here: Revision, there: Revision) -> None:
    """Raise UserError if the rollback would overwrite a file that is in neither git nor DVC."""
    changed = git.changed(STATE)
    dirty = [path for path in changed if not git.is_as_in(target.commit, path)]
    was_killed = bool(changed) and not dirty  # a torn result of it can be made again
    if dirty:
        more = f" and {len(dirty) - 1} more" if len(dirty) > 1 else ""
        todo = "commit it, or `git restore` it, first"
        raise UserError(f"{dirty[0]}{more}", f"not committed; {target} would overwrite it", todo)
    for stage, path, state in _changed_outs(here.status()):
        if was_killed and not stage.endswith(".dvc"):
            continue
        if state in _UNSAVED and first_uncached([Path(path)]):
            save = f"dvc add {path}" if stage.endswith(".dvc") else f"idiolect repro {stage}"
            found = f"is not in DVC's cache as it is here ({state})"
            raise UserError(path, found, f"`{save}`, or `dvc checkout {path}`, first")
    tracked = set(here.outs())
    if lost := first_uncached(out for out in there.outs() if out not in tracked and out.exists()):
        found = f"is not in DVC's cache, and {target} would overwrite it"
        raise UserError(lost, found, "move it away, or `dvc add` its folder, first")


def _changed_outs(status: dict[str, list[Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield stage, path and state of each changed out."""
    for stage, entries in status.items():
        for entry in entries:
            if isinstance(entry, dict):
                for path, state in entry.get("changed outs", {}).items():
                    yield stage, path, str(state)


def _restore_state(commit: str) -> None:
    """Restore what git has of the state of a commit, in index and workspace."""
    places = [p for p in STATE if git.in_commit(commit, [p]) or git.in_commit("HEAD", [p])]
    options = (f"--source={commit}", "--staged", "--worktree")
    git.git("restore", *options, "--", *places, settings={"core.autocrlf": "false"})


def _checkout() -> None:
    """Check out DVC's files of the restored state."""
    from dvc.repo import Repo, lock_repo

    with dvc_errors("checkout"), Repo() as repo, lock_repo(repo):
        repair.remove_partial_files()
        # With targets: without them DVC deletes what it once linked and no longer tracks, such as
        # a person's videos. What is overwritten is in the cache: see _check_saved.
        repo.checkout([str(out) for out in repo.index.outs if out.hash_info], force=True)


def _update_params(present: Mapping[str, Any]) -> list[str]:
    """Give the restored params.yaml its present keys; return a line for each change.

    A key that the present params.yaml has, and that did not exist yet, gets laptop's value.
    """
    renames = renames_in(read_params())
    if renames:
        write_atomic(PARAMS, with_new_names(PARAMS.read_text()))
    notes = [f"renamed: {rename} in {PARAMS}" for rename in renames]
    content = read_params()
    move_keys(content)
    lists = sorted(_lists(present) - _lists(content))
    keys = flatten(present)
    added = {
        key: value
        for key, value in missing_keys(content).items()
        if key not in lists and any(f"{known}.".startswith(f"{key}.") for known in keys)
    }
    if content == read_params() and not added and not lists:
        return notes
    with edit_params() as params:
        move_keys(params)
        if "subjects" in {name.partition(".")[0] for name in lists}:
            with_roles(params["subjects"])
        if "transfers" in lists:
            params["transfers"] = {}
        for key, value in added.items():
            *sections, last = key.split(".")
            section = params
            for name in sections:
                section = section[name]
            section[last] = value
    notes += [f"added: {name} in {PARAMS}" for name in lists]
    return notes + [
        f"added: {key}: {value} in {PARAMS}, of preset laptop" for key, value in added.items()
    ]


def _lists(params: Mapping[str, Any]) -> set[str]:
    """Return which of the later lists, by which dvc.yaml lists its stages, params have."""
    subjects = {f"subjects.{name}" for name in ("pictured", "population")}
    known = {f"subjects.{name}" for name in params.get("subjects", {})}
    return (subjects & known) | ({"transfers"} & set(params))


def _record(target: Champion, present: Champion, notes: Sequence[str]) -> list[str]:
    """Commit the rollback, as a new champion unless the target is champion already."""
    left = git.commit_of("HEAD")
    undo, number = f"idiolect rollback --to {present.number}", 0
    if target.number == present.number:
        title, what = f"Restore {target}", f"restore-{target.number}"
        undo = f"git checkout {left[:10]} -- {' '.join(STATE)} && dvc checkout"
    else:
        number = champions.next_number()
        title, what = f"Roll back to {target} as champion {number}", f"rollback-{number}"
    text = f"# {title}\n\nThe champion was {present}.\n" + "".join(f"- {note}\n" for note in notes)
    page = champions.write_record(what, text)
    champions.commit_record(page, STATE, title, number, f"{target} again")
    now = str(present)
    if number:
        now = f"champion {number} (was {present})"
    return [f"workspace: {target}; the champion is {now}", *notes, f"undo: `{undo}`"]
