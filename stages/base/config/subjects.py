"""Subjects: people with a folder of videos each and a role in training.

`seen`: every training reads the person. `population`: those of speech and motion do; nothing is
made of the pictures. `unseen`: none does.
"""

from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.user_errors import BadParams, MissingInput
from stages.base.config.params import Subjects, check_name, read_section

ROLES = ("seen", "unseen", "population")


@dataclass(frozen=True)
class Subject:
    """One person; its text `ROLE/NAME` is also its folder within each folder of data/."""

    role: str
    name: str

    def __str__(self) -> str:
        return f"{self.role}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """Read `ROLE/NAME`, or the `NAME` of a subject in params.yaml.

        Raises:
            BadParams: the text is neither.
            MissingInput: params.yaml, needed to look up a name, is missing.
        """
        role, slash, name = text.partition("/")
        if not slash:
            subjects = read_section("subjects", Subjects).all
            if text not in subjects:
                names = ", ".join(subjects) or "none"
                raise BadParams(text, f"expected ROLE/NAME, or a subject of params.yaml: {names}")
            return cls(subjects[text].role, text)
        if role not in ROLES:
            raise BadParams(text, f"expected ROLE/NAME, ROLE one of {', '.join(ROLES)}")
        return cls(role, check_name(name))


def remedy(name: str) -> str:
    """Return the advice for a subject without data to train on.

    `idiolect repro --keep-going` makes unseen each subject whose stage fails with this text.
    """
    return f"add others, or `idiolect remove {name}` so that the other people train"


def training_subjects(names: list[str], folder: Path) -> list[Subject]:
    """Return the subjects of one role, the name of `folder`, in the order of `names`.

    Args:
        names: the subjects of params.yaml that have the role.
        folder: of their data.

    Raises:
        MissingInput: a listed subject has no folder.
        BadParams: the folder holds a subject that is not listed (DVC leaves one behind when a
            subject changes its role).
    """
    folders = folder.iterdir() if folder.is_dir() else ()
    present = {path.name for path in folders if path.is_dir()}
    role = folder.name
    for name in names:
        if name not in present:
            raise MissingInput(
                folder / name, f"no data of {role} subject {name}", "run `idiolect repro`"
            )
    for name in sorted(present - set(names)):
        raise BadParams(folder / name, f"not in subjects.{role}", f"run `idiolect remove {name}`")
    return [Subject(role, name) for name in names]
