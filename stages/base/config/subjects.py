"""Subjects: people with a folder of videos each and a role, seen or unseen in training."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.user_errors import BadParams, MissingInput
from stages.base.config.params import Subjects, check_name, read_section

ROLES = ("seen", "unseen")


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
