"""Sections `transfers` and `transfer` of params.yaml."""

from collections.abc import Mapping
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import Role, Section, Subjects, check_name, read_section
from stages.base.config.subjects import Subject


class Transfers(Section):
    """Section `transfers`: roles of the people to whose styles the motion model is fine-tuned."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Role]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for name in self.roles:
            check_name(name)
        return self

    @property
    def roles(self) -> Mapping[str, Role]:
        """The people by name."""
        return self.__pydantic_extra__

    def owners(self) -> list[Subject]:
        """Return the people, in the order of params.yaml."""
        return [Subject(entry.role, name) for name, entry in self.roles.items()]

    def check_subjects(self, subjects: Subjects) -> None:
        """Raise BadParams unless all are subjects and have the same role there."""
        for name, entry in self.roles.items():
            where, known = f"transfers.{name}", subjects.all.get(name)
            if known is None:
                raise BadParams(where, f"no such subject; known: {', '.join(subjects.all)}")
            if known != entry:
                raise BadParams(where, f"expected role {known.role}, found {entry.role}")
            if entry.role == "population":
                raise BadParams(where, "expected role seen or unseen, found population")


class TransferParams(Section):
    """Section `transfer`: fine-tuning of the motion model to one style.

    Attributes:
        steps: optimizer steps.
        batch: windows per step; half are the style owner's.
        frames: generated frames, and reference frames, that f compares in a step.
        learning_rate: Adam's, of the mouth network.
        style_rate: factor on it for the style vector.
        features_rate: Adam's, of the feature network f.
        style: weight of L_sc.
        penalty: weight of L_r.
    """

    steps: int = Field(ge=1)
    batch: int = Field(ge=2)
    frames: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    style_rate: float = Field(gt=0, le=1000)
    features_rate: float = Field(gt=0)
    style: float = Field(ge=0)
    penalty: float = Field(ge=0)


def transferred_names() -> tuple[str, ...]:
    """Return the names in section `transfers` of params.yaml."""
    return tuple(read_section("transfers", Transfers).roles)
