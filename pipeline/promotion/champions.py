"""Who is champion: read from git's tags, changed by commits that hold the decision.

A commit takes dvc.lock, params.yaml, the .dvc files and whatever else git has of data as they lie
in the workspace, and nothing else of the user's. The tag comes last: with it, and not before, there
is a new champion.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.project import git
from pipeline.project.revision import WORKSPACE, Revision
from pipeline.promotion import judged
from pipeline.promotion.decision import Decision, decide
from pipeline.promotion.rules import RULES, Rules, load
from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import UserError

RECORDS = Path("reports/promotion")
STATE = ("dvc.lock", "params.yaml", "data")  # what a rollback brings back
_RECORDED = (*STATE, "versions.yaml", str(RULES))
_TAG = re.compile(r"champion/([1-9][0-9]*)")
_NAMED = re.compile(r"_(?:champion|rollback)-([1-9][0-9]*)\.md")


@dataclass(frozen=True)
class Champion:
    """A champion, past or present.

    Attributes:
        number: 1 is the first.
        commit: full hash.
        since: when the tag was made, ISO 8601.
        why: the first line of the tag's message.
    """

    number: int
    commit: str
    since: str
    why: str

    @property
    def tag(self) -> str:
        """The name in git."""
        return f"champion/{self.number}"

    def __str__(self) -> str:
        return f"champion {self.number}"


def champions() -> list[Champion]:
    """List this project's champions, the present one last.

    In a folder of a larger repository, another project's champions may have tags too: only those
    that hold a record of this folder count.

    Raises:
        UserError: this is no git repository.
    """
    below = bool(git.prefix())
    form = "%(refname:lstrip=2)%09%(objectname)%09%(*objectname)%09%(creatordate:iso-strict)"
    lines = git.git("for-each-ref", f"--format={form}%09%(contents:subject)", "refs/tags/champion")
    found = []
    for line in lines.splitlines():
        name, own, peeled, since, why = line.split("\t", 4)
        number, commit = _TAG.fullmatch(name), peeled or own
        if number and not (below and number[1] not in _recorded(commit)):
            found.append(Champion(int(number[1]), commit, since, why))
    return sorted(found, key=lambda champion: champion.number)


def _recorded(commit: str) -> set[str]:
    """Return the numbers of the champions whose records a commit adds to reports/promotion."""
    records = map(_NAMED.search, git.files_of_commit(commit, str(RECORDS)))
    return {record[1] for record in records if record}


def champion() -> Champion | None:
    """Return the champion, or None before the first."""
    found = champions()
    return found[-1] if found else None


def resolve(name: str) -> Revision:
    """Return the revision that a user names: one of git's, `champion`, or `workspace`.

    Raises:
        UserError: there is none.
    """
    if name == WORKSPACE:
        return Revision(WORKSPACE)
    if name == "champion":
        present = champion()
        if present is None:
            raise UserError(name, "there is none yet", "`idiolect promote` makes the first")
        return Revision(str(present), git.commit_of(present.commit))
    commit = git.commit_of(name)
    return Revision(commit[:10] if name == commit else name, commit)


def judge(rules: Rules | None = None) -> Decision:
    """Hold the workspace against the champion; nothing is changed.

    Args:
        rules: those of promotion.yaml unless given.

    Raises:
        UserError: no rules, no repository, or the champion's scores are no longer in DVC's cache.
    """
    rules = rules or load()
    present = champion()
    before = judged.of_revision(resolve("champion")) if present else None
    return decide(before, judged.of_workspace(), rules)


def record(decision: Decision) -> str:
    """Do what a decision says; return one line that tells it."""
    if decision.promote:
        new = promote(decision)
        return f"{new}: commit {new.commit[:10]}, tag {new.tag}{_detached()}"
    return f"recorded: commit {keep(decision)[:10]}{_detached()}"


def _detached() -> str:
    return (
        "; HEAD is on no branch: `git branch NAME` keeps this commit" if git.is_detached() else ""
    )


def promote(decision: Decision) -> Champion:
    """Commit the workspace's state with the decision and tag it as the next champion.

    Raises:
        UserError: git refuses; then there is no new champion, and no record is left.
    """
    number = _next()
    commit = _commit(f"champion-{number}", f"Promote champion {number}", decision)
    git.tag(f"champion/{number}", commit, f"Champion {number}: {decision.headline()}")
    return champions()[-1]


def keep(decision: Decision) -> str:
    """Commit the workspace's state with the decision that keeps the champion; return the hash."""
    present = champion()
    title = f"Keep champion {present.number}" if present else "No champion yet"
    return _commit("keep", title, decision)


def _next() -> int:
    """Return the next number: one whose tag was deleted is not given twice."""
    tags = git.git("tag", "--list", "champion/*").splitlines()
    records = [path.name for path in RECORDS.glob("*.md")]
    named = [*map(_TAG.fullmatch, tags), *map(_NAMED.search, records)]
    return max([0, *(int(name[1]) for name in named if name)]) + 1


def _commit(what: str, title: str, decision: Decision) -> str:
    page = write(what, f"# {title}\n\n{decision.markdown()}")
    code = git.changed(("pipeline", "stages"))
    places = [place for place in _RECORDED if not (code and place == "versions.yaml")]
    return commit_with(page, places, f"{title}\n\n{decision.headline()}")


def write(what: str, text: str) -> Path:
    """Write a record under a name of its own, by the time (UTC)."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")
    path, again = RECORDS / f"{now}_{what}.md", 1
    while path.exists():
        again += 1
        path = RECORDS / f"{now}.{again}_{what}.md"
    with atomic_file(path) as part:
        part.write_text(text)
    return path


def commit_with(page: Path, places: Sequence[str], message: str) -> str:
    """Commit a record with what is changed at places; take the record back where git refuses."""
    try:
        return git.commit([str(page), *(p for p in git.changed(places) if _ours(p))], message)
    except UserError:
        page.unlink()
        with suppress(UserError):  # a locked index, which has not taken it in either
            git.git("rm", "--quiet", "--cached", "--force", "--ignore-unmatch", "--", str(page))
        raise


def _ours(path: str) -> bool:
    """Tell whether a changed file is part of a state: of data, what git has and .dvc files."""
    return not path.startswith("data/") or path.endswith(".dvc") or _known(path)


def _known(path: str) -> bool:
    return git.has_commits() and bool(git.in_commit("HEAD", [path]))
