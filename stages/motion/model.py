"""The motion model: networks, feature normalisation and measured people, as one file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from pipeline.runtime.user_errors import BadFormat, UserError
from stages.base.config.paths import MODELS
from stages.base.training.model_files import (
    check_finite,
    flatten_modules,
    load_model,
    module_tensors,
    save_model,
)
from stages.motion.mouth import MouthLstm, MouthNetwork, MouthTcn
from stages.motion.networks import PoseNet
from stages.motion.params import MotionParams, frames_in
from stages.motion.person import MotionPerson
from stages.motion.ridge_regression import RidgeRegression, context_offsets
from stages.motion.style_encoder import StyleEncoder
from stages.motion.style_references import StyleWindows

MODEL = MODELS / "motion.safetensors"


class NotTrained(UserError):
    """An identity or style is not among the subjects that a model was trained on."""


@dataclass(frozen=True)
class Networks:
    """Untrained or trained networks: of mouth and head, and what gives a style vector.

    Attributes:
        mouth: predicts lips and jaw.
        pose: predicts the head pose.
        encoder: reads a style vector from references.
        own: what is added to each subject's vector.
    """

    mouth: MouthNetwork
    pose: PoseNet
    encoder: StyleEncoder
    own: nn.Embedding


def build(params: MotionParams, subjects: int, features: int, fps: float) -> Networks:
    """Build untrained networks; `features` is the size of a frame's audio features, 2D."""
    mouth, style = params.mouth, params.style
    ahead = frames_in(mouth.look_ahead_s, fps)
    network: MouthNetwork = (
        MouthTcn(mouth.tcn, style.size, features, ahead)
        if mouth.network == "tcn"
        else MouthLstm(mouth.lstm, style.size, features)
    )
    own = nn.Embedding(subjects, style.size)
    nn.init.normal_(own.weight, std=style.spread)
    encoder = StyleEncoder(mouth.tcn.components, style.size, style.spread)
    return Networks(network, PoseNet(params.pose, style.size, features), encoder, own)


@dataclass(frozen=True)
class MotionModel:
    """A trained motion model.

    Attributes:
        params: section `motion` of the training.
        fps: frames per second of the training clips.
        regression: of all people, predicts its share of the displacements.
        personal: by name, the regression of what is left of a person; none where it does not help.
        mouth: predicts the network's share of the displacements.
        pose: predicts the head pose.
        encoder: reads the style vector of anyone from references.
        styles: style vectors, (subjects, S), in the order of `people`.
        feature_mean: of the features of a frame, (2D,).
        feature_scale: their standard deviation, (2D,).
        people: the subjects by name, in the order of training.
        bases: by name, a person's own features for the manifold projection, (rows, D - 39).
    """

    params: MotionParams
    fps: float
    regression: RidgeRegression
    personal: Mapping[str, RidgeRegression]
    mouth: MouthNetwork
    pose: PoseNet
    encoder: StyleEncoder
    styles: Tensor
    feature_mean: Tensor
    feature_scale: Tensor
    people: Mapping[str, MotionPerson]
    bases: Mapping[str, Tensor]

    def person(self, name: str) -> MotionPerson:
        """Return a person by name; raise NotTrained for an unknown name."""
        if name not in self.people:
            known = ", ".join(self.people)
            todo = f"`idiolect add VIDEO… --subject {name}` unless done, then `idiolect repro`"
            raise NotTrained(name, f"is not trained; known: {known}", todo)
        return self.people[name]

    def style(self, name: str) -> Tensor:
        """Return a person's style vector, (S,); raise NotTrained."""
        self.person(name)
        return self.styles[list(self.people).index(name)]

    def lent(self, person: MotionPerson, windows: StyleWindows) -> "MotionModel":
        """Return the model with one more person, whose style its references alone give.

        Nothing is trained. A person of the same name is replaced.
        """
        kept = [i for i, name in enumerate(self.people) if name != person.name]
        people = {name: own for name, own in self.people.items() if name != person.name}
        none = next(iter(self.bases.values()))[:0]
        return replace(
            self,
            people={**people, person.name: person},
            styles=torch.cat([self.styles[kept], self.encoder.encode(windows)[None]]),
            personal={name: own for name, own in self.personal.items() if name != person.name},
            bases={**self.bases, person.name: none},
        )

    def regression_of(self, name: str) -> RidgeRegression:
        """Return the regression of all people and of a person together."""
        own = self.personal.get(name)
        return self.regression if own is None else self.regression.plus(own)

    def normalise(self, features: Tensor) -> Tensor:
        """Normalise the features of frames, (…, 2D)."""
        return (features - self.feature_mean) / self.feature_scale

    def save(self, path: Path = MODEL) -> None:
        """Write the model as safetensors."""
        tensors: dict[str, Tensor] = {
            **flatten_modules({"mouth": self.mouth.state_dict(), "pose": self.pose.state_dict()}),
            **flatten_modules({"encoder": self.encoder.state_dict()}),
            **flatten_modules({f"person.{n}": p.tensors() for n, p in self.people.items()}),
            **flatten_modules({"base": dict(self.bases)}),
            **{f"own.{n}": torch.from_numpy(own.weights) for n, own in self.personal.items()},
            "direct": torch.from_numpy(self.regression.weights),
            "styles": self.styles,
            "feature_mean": self.feature_mean,
            "feature_scale": self.feature_scale,
        }
        config = {
            "params": self.params.model_dump(),
            "fps": self.fps,
            "people": [person.config() for person in self.people.values()],
        }
        save_model(path, tensors, config)

    @classmethod
    def load(cls, path: Path = MODEL) -> "MotionModel":
        """Read a model; raise MissingInput, or BadFormat for a file of another version."""
        tensors, config = load_model(path)
        for name, tensor in tensors.items():
            if not name.endswith(".shoulders"):  # NaN where they are hidden
                check_finite(path, name, tensor)
        try:
            return cls._restore(tensors, config)
        except (KeyError, RuntimeError, TypeError, ValueError, ValidationError) as error:
            first = str(error).splitlines()[0]
            found = f"was written by another version of the code (missing or invalid: {first})"
            raise BadFormat(path, found, "run `idiolect repro`") from None

    @classmethod
    def _restore(cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> "MotionModel":
        params, fps = MotionParams.model_validate(config["params"]), config["fps"]
        networks = build(params, len(config["people"]), len(tensors["feature_mean"]), fps)
        for name in ("mouth", "pose", "encoder"):
            getattr(networks, name).load_state_dict(module_tensors(tensors, name))
        people = {
            entry["name"]: MotionPerson.restore(
                module_tensors(tensors, f"person.{entry['name']}"), entry
            )
            for entry in config["people"]
        }
        offsets = context_offsets(params.mouth.look_ahead_s, fps)
        own = module_tensors(tensors, "own")
        return cls(
            params=params,
            fps=fps,
            regression=RidgeRegression(tensors["direct"].numpy(), offsets),
            personal={n: RidgeRegression(w.numpy(), offsets) for n, w in own.items()},
            mouth=networks.mouth.eval(),
            pose=networks.pose.eval(),
            encoder=networks.encoder.eval(),
            styles=tensors["styles"],
            feature_mean=tensors["feature_mean"],
            feature_scale=tensors["feature_scale"],
            people=people,
            bases={name: tensors[f"base.{name}"] for name in people},
        )
