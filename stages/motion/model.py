"""The motion model as a file: networks, what normalises their inputs, and every person."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from pipeline.runtime.user_errors import BadFormat, UserError
from stages.base.training.model_files import load_model, module_tensors, save_model
from stages.motion.direct import Direct, offsets
from stages.motion.networks import PAIR, MouthNet, PoseNet
from stages.motion.params import MotionParams
from stages.motion.person import Person

MODEL = Path("models/motion.safetensors")


class NotTrained(UserError):
    """An identity or style is not among the subjects that a model was trained on."""


def build(params: MotionParams, subjects: int) -> dict[str, nn.Module]:
    """Build untrained networks by name: mouth, pose and the style vectors of the subjects."""
    return {
        "mouth": MouthNet(params.mouth, params.style),
        "pose": PoseNet(params.pose, params.style),
        "style": nn.Embedding(subjects, params.style),
    }


@dataclass(frozen=True)
class MotionModel:
    """A trained motion model.

    Attributes:
        params: section `motion` that it was trained with.
        fps: frames a second that it was trained at.
        direct: regression of the displacements.
        mouth: network of what the regression leaves of them.
        pose: network of the head pose.
        styles: style vectors, (subjects, S), in the order of `people`.
        feature_mean: of the pairs of features, (1102,).
        feature_scale: their standard deviation, (1102,).
        people: the subjects by name, in the order of training.
        bases: by name, features of a person's own for the manifold projection, (rows, 512).
    """

    params: MotionParams
    fps: float
    direct: Direct
    mouth: MouthNet
    pose: PoseNet
    styles: Tensor
    feature_mean: Tensor
    feature_scale: Tensor
    people: Mapping[str, Person]
    bases: Mapping[str, Tensor]

    def person(self, name: str) -> Person:
        """Return a person; raise NotTrained where the model knows none of that name."""
        if name not in self.people:
            known = ", ".join(self.people)
            raise NotTrained(
                name, f"not among the trained subjects ({known})", "add it: `idiolect add`"
            )
        return self.people[name]

    def style(self, name: str) -> Tensor:
        """Return a person's style vector, (S,); raise NotTrained."""
        self.person(name)
        return self.styles[list(self.people).index(name)]

    def save(self, path: Path = MODEL) -> None:
        """Write the model whole, as safetensors."""
        tensors: dict[str, Tensor] = {
            **{f"mouth.{key}": value for key, value in self.mouth.state_dict().items()},
            **{f"pose.{key}": value for key, value in self.pose.state_dict().items()},
            "direct": torch.from_numpy(self.direct.weights),
            "styles": self.styles,
            "feature_mean": self.feature_mean,
            "feature_scale": self.feature_scale,
        }
        for name, person in self.people.items():
            tensors |= {f"person.{name}.{key}": v for key, v in person.tensors().items()}
            tensors[f"base.{name}"] = self.bases[name]
        config = {
            "params": self.params.model_dump(),
            "fps": self.fps,
            "people": [person.config() for person in self.people.values()],
        }
        save_model(path, tensors, config)

    @classmethod
    def load(cls, path: Path = MODEL) -> "MotionModel":
        """Read a model; raise MissingInput or BadFormat."""
        tensors, config = load_model(path)
        return cls.restore(tensors, config)

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> "MotionModel":
        """Build a model from its tensors and configuration; raise BadFormat for an older one."""
        try:
            return cls._restore(tensors, config)
        except (KeyError, RuntimeError, ValidationError) as error:
            first = str(error).splitlines()[0]
            raise BadFormat(MODEL, f"is of another version: {first}", "run `dvc repro`") from None

    @classmethod
    def _restore(cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> "MotionModel":
        params = MotionParams.model_validate(config["params"])
        mouth = MouthNet(params.mouth, params.style)
        pose = PoseNet(params.pose, params.style)
        mouth.load_state_dict(module_tensors(tensors, "mouth"))
        pose.load_state_dict(module_tensors(tensors, "pose"))
        people = {
            entry["name"]: Person.restore(module_tensors(tensors, f"person.{entry['name']}"), entry)
            for entry in config["people"]
        }
        return cls(
            params=params,
            fps=config["fps"],
            direct=Direct(
                tensors["direct"].numpy(), offsets(params.mouth.look_ahead_s, config["fps"])
            ),
            mouth=mouth.eval(),
            pose=pose.eval(),
            styles=tensors["styles"],
            feature_mean=tensors["feature_mean"],
            feature_scale=tensors["feature_scale"],
            people=people,
            bases={name: tensors[f"base.{name}"] for name in people},
        )

    def normalised(self, pairs: Tensor) -> Tensor:
        """Normalise pairs of features, (…, 1102)."""
        assert pairs.shape[-1] == PAIR
        normal: Tensor = (pairs - self.feature_mean) / self.feature_scale
        return normal
