"""Champions are git tags. Promotion and rollback commit the decision, then set the tag.

A commit takes dvc.lock, params.yaml, the .dvc files and other tracked files of data as they are in
the workspace, and nothing else. Without the tag there is no new champion.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.experiments.listing import find_experiment
from pipeline.experiments.scores import read_scores
from pipeline.project import git
from pipeline.project.revision import WORKSPACE, Revision
from pipeline.promotion.challenger import read_challenger
from pipeline.promotion.decision import Decision, decide
from pipeline.promotion.rules import RULES, Rules, read_rules
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import MissingInput, UserError

RECORDS = Path("reports/promotion")
STATE = ("dvc.lock", "params.yaml", "data")  # what a rollback restores
_TAG = re.compile(r"champion/([1-9][0-9]*)")
_RECORD = re.compile(r"_(?:champion|rollback)-([1-9][0-9]*)\.md")


@dataclass(frozen=True)
class Champion:
    """A champion, past or present.

    Attributes:
        number: 1 is the first.
        commit: full hash.
        since: time of the tag, ISO 8601.
        why: first line of the tag's message.
    """

    number: int
    commit: str
    since: str
    why: str

    @property
    def tag(self) -> str:
        """Name of the tag in git."""
        return f"champion/{self.number}"

    def __str__(self) -> str:
        return f"champion {self.number}"


def champions() -> list[Champion]:
    """List this project's champions, the present one last.

    In a folder of a larger repository, another project's champions may have tags too: only those
    whose commit adds a record to this folder count. A tag of something else than a commit is no
    champion's.

    Raises:
        UserError: this is no git repository, or a clone without the tags of its champions.
    """
    in_subfolder = bool(git.prefix())
    fields = "%(refname:lstrip=2)%09%(objecttype) %(objectname)%09%(*objecttype) %(*objectname)"
    more = "%09%(creatordate:iso-strict)%09%(contents:subject)"
    options = (f"--format={fields}{more}", "refs/tags/champion")
    known, tagged = [], set()
    for line in git.git("for-each-ref", *options).splitlines():
        name, own, peeled, since, why = line.split("\t", 4)
        number, (kind, commit) = _TAG.fullmatch(name), (peeled.strip() or own).split()
        tagged |= {number[1]} if number else set()
        if (
            number
            and kind == "commit"
            and not (in_subfolder and number[1] not in _recorded_numbers(commit))
        ):
            known.append(Champion(int(number[1]), commit, since, why))
    _check_history(known, tagged)
    return sorted(known, key=lambda champion: champion.number)


def _check_history(known: Sequence[Champion], tagged: set[str]) -> None:
    """Raise MissingInput if records in HEAD name champions whose tags this clone never fetched."""
    if not git.has_commits():
        return
    records = map(_RECORD.search, git.in_commit("HEAD", [str(RECORDS)]))
    absent = sorted(
        int(record[1])
        for record in records
        # Without its tag, a commit of this clone is a promotion that was killed.
        if record and record[1] not in tagged and not git.added_here(record.string)
    )
    shallow = git.is_shallow()
    if not absent or (known and not shallow and not git.skips_tags()):
        return  # of several champions, a user may delete the tag of one
    fetch = "`git fetch --unshallow --tags`" if shallow else "`git fetch --tags`"
    tag = f"`git tag champion/{absent[-1]} COMMIT`"
    found = f"is recorded in {RECORDS}, and its tag is missing here"
    todo = f"{fetch} if this is a clone, or {tag}"
    raise MissingInput(f"champion {absent[-1]}", found, todo)


def _recorded_numbers(commit: str) -> set[str]:
    """Return the numbers of the champions whose records a commit adds to reports/promotion."""
    records = map(_RECORD.search, git.files_of_commit(commit, str(RECORDS)))
    return {record[1] for record in records if record}


def champion() -> Champion | None:
    """Return the champion, or None before the first."""
    known = champions()
    return known[-1] if known else None


def resolve(name: str) -> Revision:
    """Return the revision of a name: a git revision, an experiment, `champion`, or `workspace`.

    Raises:
        UserError: no such revision, experiment or champion.
    """
    if name == WORKSPACE:
        return Revision(WORKSPACE)
    if name == "champion":
        present = _require_champion()
        return Revision(str(present), present.commit)
    try:
        commit = git.commit_of(name)
    except UserError:
        if not (found := find_experiment(name)):
            raise
        commit = found.commit
    return Revision(commit[:10] if name == commit else name, commit)


def _require_champion() -> Champion:
    if present := champion():
        return present
    raise UserError("champion", "the project has none yet", "`idiolect promote` makes the first")


def describe() -> str:
    """Return the champion, its metrics, and the champions before it, as text.

    Raises:
        UserError: the project has no champion yet.
    """
    present = _require_champion()
    lines = [f"{present}, since {present.since}: commit {present.commit[:10]}, tag {present.tag}"]
    lines += [f"  {present.why}", *_metric_lines(present, read_rules())]
    if earlier := champions()[-2::-1]:
        lines += ["before:", *(f"  {one}, since {one.since}: {one.why}" for one in earlier)]
    return "\n".join(lines)


def _metric_lines(present: Champion, rules: Rules) -> list[str]:
    """List the metrics that promotion.yaml names; or why they cannot be read."""
    try:
        scores = read_scores(resolve(present.tag))
    except MissingInput as error:
        return [f"  metrics: {error}"]
    width = max(map(len, rules.metrics()))
    lines = []
    for metric in rules.metrics():
        values = {name: scores.metric(name, metric) for name in scores.subjects()}
        texts = (f"{n} {'missing' if v is None else f'{v:.3f}'}" for n, v in values.items())
        lines.append(f"  {metric:<{width}}  {'  '.join(texts)}")
    return lines


def decide_workspace() -> Decision:
    """Decide whether the workspace should become champion; change nothing.

    Raises:
        UserError: no rules, no repository, or the champion's scores are no longer in DVC's cache.
    """
    rules = read_rules()
    before = read_scores(resolve("champion")) if champion() else None
    return decide(before, read_challenger(), rules)


def record(decision: Decision) -> str:
    """Commit the workspace's state with a decision, and tag it where it is promoted.

    Returns:
        One line about the commit.

    Raises:
        UserError: a merge or rebase is in progress, or git refuses the commit or the tag; then
            neither is left, and no record.
    """
    git.check_no_operation()
    if decision.promote:
        number = next_number()
        commit = _commit(f"champion-{number}", f"Promote champion {number}", decision, number)
        line = f"champion {number}: commit {commit[:10]}, tag champion/{number}"
    else:
        present = champion()
        title = f"Keep champion {present.number}" if present else "No champion yet"
        line = f"recorded: commit {_commit('keep', title, decision)[:10]}"
    if git.is_detached():
        line += "; HEAD is on no branch: `git branch NAME` keeps this commit"
    return line


def next_number() -> int:
    """Return the next champion's number; a number whose tag was deleted is not used again."""
    tags = git.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags/champion").split()
    records = [path.name for path in RECORDS.glob("*.md")]
    matches = [*map(_TAG.fullmatch, tags), *map(_RECORD.search, records)]
    return max([0, *(int(match[1]) for match in matches if match)]) + 1


def _commit(what: str, title: str, decision: Decision, number: int = 0) -> str:
    page = write_record(what, f"# {title}\n\n{decision.markdown()}")
    places = [*STATE, str(RULES)]
    if not git.changed(("pipeline", "stages")):
        places.append("versions.yaml")
    why = decision.headline()
    return commit_record(page, places, f"{title}\n\n{why}", number, why)


def write_record(what: str, text: str) -> Path:
    """Write a record under a new name, by the time (UTC)."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")
    path, again = RECORDS / f"{now}_{what}.md", 1
    while path.exists():
        again += 1
        path = RECORDS / f"{now}.{again}_{what}.md"
    write_atomic(path, text)
    return path


def commit_record(
    page: Path, places: Sequence[str], message: str, number: int = 0, why: str = ""
) -> str:
    """Commit a record with the changed files at places, and tag the commit if it is a champion's.

    Args:
        page: the record.
        places: files and folders of the state.
        message: of the commit.
        number: of the new champion; 0 for none.
        why: of the tag's message.

    Returns:
        The commit's hash.

    Raises:
        UserError: git refuses the commit or the tag; neither is left then, and no record.
    """
    try:
        with git.roll_back_on_error():
            paths = [str(page), *filter(_is_state, git.changed(places))]
            commit = git.commit(list(dict.fromkeys(paths)), message)
            if number:
                git.tag(f"champion/{number}", commit, f"Champion {number}: {why}")
    except BaseException:
        page.unlink(missing_ok=True)
        raise
    return commit


def _is_state(path: str) -> bool:
    """Return whether a changed file is part of the state: of data, .dvc files and tracked files."""
    if not path.startswith("data/") or path.endswith(".dvc"):
        return True
    return git.has_commits() and bool(git.in_commit("HEAD", [path]))
