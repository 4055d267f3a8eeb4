"""params.yaml: every number that changes a result, one section a stage, checked when read.

Each stage package defines its own section as a subclass of `Section`; this module only reads.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.runtime.user_errors import BadParams, MissingInput
from stages.base.config.subjects import check_name

PARAMS = Path("params.yaml")


class Section(BaseModel):
    """One section of params.yaml: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Training(Section):
    """What every training shares, since it changes bytes."""

    seed: int = Field(ge=0)
    precision: Literal["fp32", "bf16"]
    threads: int = Field(ge=1)


class Role(Section):
    """What a subject is for."""

    role: Literal["seen", "unseen"]


class Subjects(Section):
    """Who there is, and whom trainings read: `seen` lists those of `all` whose role it is."""

    all: dict[str, Role]
    seen: list[str]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name in self.all:
            check_name(name)
        listed = {name for name, one in self.all.items() if one.role == "seen"}
        if listed != set(self.seen) or len(set(self.seen)) != len(self.seen):
            raise ValueError(f"subjects.seen must list exactly {sorted(listed)}")
        return self


S = TypeVar("S", bound=Section)


def read_params(path: Path = PARAMS) -> dict[str, Any]:
    """Read params.yaml whole; raise MissingInput or BadParams."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe").load(path.read_text())
    except FileNotFoundError:
        raise MissingInput(path, "not here", "run inside the project's folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadParams(path, f"cannot be read as text: {error}") from None
    except YAMLError as error:
        raise BadParams(path, f"is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise BadParams(path, "expected a mapping of sections")
    return content


def read_section(name: str, model: type[S], path: Path = PARAMS) -> S:
    """Read one section; raise BadParams naming the key, what was expected and found."""
    return parse_section(name, read_params(path), model, path)


def parse_section(name: str, content: Mapping[str, Any], model: type[S], path: Path = PARAMS) -> S:
    """Take one section out of all of them; raise BadParams as `read_section` does."""
    if name not in content:
        raise BadParams(f"{path}: {name}", "section missing", "run `idiolect preset laptop`")
    return validate_section(name, content[name], model)


def validate_section(name: str, content: object, model: type[S]) -> S:
    """Validate one section's content; raise BadParams naming the key, expected and found."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([name, *(str(part) for part in first["loc"])])
        said = first["msg"].removeprefix("Value error, ")
        # These are about a whole mapping, which would hide what is said of it.
        whole = first["type"] in ("missing", "value_error")
        raise BadParams(where, said if whole else f"{said}, found {first['input']!r}") from None


def seen_subjects(path: Path = PARAMS) -> list[str]:
    """Read the list subjects.seen; raise BadParams where it is empty."""
    subjects = read_params(path).get("subjects")
    names = subjects.get("seen") if isinstance(subjects, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadParams("subjects.seen", f"expected a list of names, found {names!r}")
    if not names:
        raise BadParams("subjects.seen", "no subject to train on", "run `idiolect add VIDEO…`")
    return names
