"""Read and validate params.yaml: every number that changes a result, one section a stage.

Each stage package defines its own section as a subclass of `Section`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.runtime.user_errors import BadParams, MissingInput

PARAMS = Path("params.yaml")
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")


def _check_power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError("expected a power of two")
    return value


Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
PowerOfTwo = Annotated[int, AfterValidator(_check_power_of_two)]


class Section(BaseModel):
    """One section of params.yaml: frozen; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Training(Section):
    """Section `training`: the params that all trainings share.

    Attributes:
        seed: of weights and batches.
        precision: of the networks' forward passes.
        threads: of a training on a CPU.
        micro_batch: examples in memory at once; gradients of a batch's parts add up, 0: no parts.
    """

    seed: int = Field(ge=0)
    precision: Literal["fp32", "bf16"]
    threads: int = Field(ge=1)
    micro_batch: int = Field(default=0, ge=0)


class Role(Section):
    """What reads a subject: all trainings, none, or those of speech and motion alone."""

    role: Literal["seen", "unseen", "population"]


def check_name(name: str) -> str:
    """Return a subject's name, or raise BadParams if it is invalid."""
    if not _NAME.fullmatch(name):
        raise BadParams(
            name, "a subject's name has 1 to 63 characters a-z, 0-9 or _, and does not start with _"
        )
    return name


class Subjects(Section):
    """Section `subjects`, which `idiolect add` and `remove` write.

    Attributes:
        all: every subject.
        pictured: those whose pictures are used: all but the population; by default these.
        seen: those that all trainings read.
        population: those that the trainings of speech and motion read too.
    """

    all: dict[str, Role]
    pictured: dict[str, Role] = Field(
        default_factory=lambda data: {
            name: role for name, role in data.get("all", {}).items() if role.role != "population"
        }
    )
    seen: list[str]
    population: list[str] = []

    @model_validator(mode="after")
    def _check_lists(self) -> Self:
        for name in self.all:
            check_name(name)
        for role, names in (("seen", self.seen), ("population", self.population)):
            listed = {name for name, subject in self.all.items() if subject.role == role}
            if listed != set(names) or len(set(names)) != len(names):
                raise ValueError(f"subjects.{role} must list exactly {sorted(listed)}")
        pictured = {n: role for n, role in self.all.items() if role.role != "population"}
        if self.pictured != pictured:
            raise ValueError(f"subjects.pictured must have exactly {sorted(pictured)} of all")
        return self


S = TypeVar("S", bound=Section)


def read_params(path: Path = PARAMS) -> dict[str, Any]:
    """Read all sections of params.yaml; raise MissingInput or BadParams."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe").load(path.read_text())
    except FileNotFoundError:
        raise MissingInput(path, "not found", "run inside the project's folder") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadParams(path, f"cannot be read as text: {reason}") from None
    except YAMLError as error:
        raise BadParams(path, f"is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise BadParams(path, "expected a mapping of sections")
    return content


def read_section(name: str, model: type[S], path: Path = PARAMS) -> S:
    """Read one section of params.yaml; raise BadParams as `validate_section` does."""
    return parse_section(name, read_params(path), model, path)


def parse_section(name: str, content: Mapping[str, Any], model: type[S], path: Path = PARAMS) -> S:
    """Validate one of several sections; raise BadParams as `validate_section` does."""
    if name not in content:
        raise BadParams(f"{path}: {name}", "section missing", "run `idiolect preset laptop`")
    return validate_section(f"{path}: {name}", content[name], model)


def validate_section(name: str, content: object, model: type[S]) -> S:
    """Validate one section's content.

    Args:
        name: of the section in errors, which add the key's dotted path.
        content: of the section.
        model: its fields.

    Raises:
        BadParams: one line with the key, what was expected and what was found.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([name, *(str(part) for part in first["loc"])])
        message = first["msg"].removeprefix("Value error, ")
        # The input of these errors is a whole mapping: too long for the line.
        if first["type"] not in ("missing", "value_error"):
            message += f", found {first['input']!r}"
        raise BadParams(where, message) from None


def seen_subjects(path: Path = PARAMS) -> list[str]:
    """Read the list subjects.seen; raise BadParams if it is empty."""
    subjects = read_params(path).get("subjects")
    names = subjects.get("seen") if isinstance(subjects, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadParams("subjects.seen", f"expected a list of names, found {names!r}")
    if not names:
        todo = "run `idiolect add VIDEO… --subject NAME`"
        raise BadParams("subjects.seen", "no subject to train on", todo)
    return names


def population_subjects(path: Path = PARAMS) -> list[str]:
    """Read the list subjects.population, empty where it is missing; raise BadParams."""
    subjects = read_params(path).get("subjects")
    names = subjects.get("population", []) if isinstance(subjects, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadParams("subjects.population", f"expected a list of names, found {names!r}")
    return names
