"""Subjects: people with a folder of videos each and a role, seen or unseen in training."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.user_errors import BadParams, MissingInput

ROLES = ("seen", "unseen")
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Subject:
    """One person; as text `ROLE/NAME`, its folder below data/clips and most of data's folders."""

    role: str
    name: str

    def __str__(self) -> str:
        return f"{self.role}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """Read `ROLE/NAME`, as dvc.yaml passes it; raise BadParams for anything else."""
        role, _, name = text.partition("/")
        if role not in ROLES or not _NAME.fullmatch(name):
            raise BadParams(text, "expected ROLE/NAME, ROLE seen or unseen, NAME of a-z 0-9 _")
        return cls(role, name)


def check_name(name: str) -> str:
    """Return a subject's name; raise BadParams where it is not a valid one."""
    if not _NAME.fullmatch(name):
        raise BadParams(name, "a subject's name has 1 to 63 of a-z, 0-9 and _, first no _")
    return name


def training_subjects(names: list[str], folder: Path) -> list[Subject]:
    """Return the seen subjects of params.yaml, whose data are in `folder`, in the order of `names`.

    Raises:
        MissingInput: a listed subject has no folder.
        BadParams: the folder holds a subject that is not listed (DVC leaves one behind when a
            subject changes its role).
    """
    folders = folder.iterdir() if folder.is_dir() else ()
    present = {path.name for path in folders if path.is_dir()}
    for name in names:
        if name not in present:
            raise MissingInput(folder / name, f"no data of seen subject {name}", "run `dvc repro`")
    for name in sorted(present - set(names)):
        raise BadParams(folder / name, "not in subjects.seen", f"run `idiolect remove {name}`")
    return [Subject("seen", name) for name in names]
