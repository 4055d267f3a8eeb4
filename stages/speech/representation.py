"""Representations of speech: what a model of `train_audio` makes of a sound.

Two kinds, chosen by `speech.features`:

    whisper     principal components of Whisper's activations, and the mel bands
    apc         the last layer of the APC network
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.runtime.user_errors import BadFormat
from stages.base.arrays import Floats32
from stages.base.training.model_files import check_finite, load_model
from stages.speech.activations import Activations, EncodedActivations, at_steps
from stages.speech.apc import States, build, levelled
from stages.speech.artifacts import AUDIO_MODEL
from stages.speech.mel import Read
from stages.speech.whisper import SoundEncoder, load


@dataclass(frozen=True)
class Sound:
    """One sound, as representations read it.

    Attributes:
        blocks: of its mel frames, (n, 80) each, in order, two frames per video frame.
        gain_db: brings the sound to the level of the training, see `apc.gain`.
        activations: for a representation with an encoder.
    """

    blocks: Iterable[Floats32]
    gain_db: float
    activations: Activations | None = None


class Representation(ABC):
    """A trained representation of speech.

    Attributes:
        width: size of a feature.
        fps: video frames per second of its training.
        level: loudness of its training's loud passages, dB of full scale.
        encoder: name of the pre-trained encoder whose activations it reads; empty for none.
        inputs: width of these activations.
    """

    width: int
    encoder, inputs = "", 0

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.fps, self.level = float(config["fps"]), float(config["level_db"])

    @abstractmethod
    def features(self, sound: Sound) -> Iterator[Floats32]:
        """Yield the features (n, width) of each block of a sound's mel, in order."""

    def activations(self, read: Read, samples: int) -> Activations | None:
        """Return the activations of a sound that is no clip's, encoded when they are read."""
        if not self.encoder:
            return None
        return EncodedActivations(SoundEncoder(load(self.encoder), read, samples))


class ApcRepresentation(Representation):
    """The last layer of the APC network."""

    def __init__(self, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.network, self.width = build(tensors, config), int(config["hidden"])

    def features(self, sound: Sound) -> Iterator[Floats32]:
        """Run the network block by block, continuing from its states."""
        states: States = []
        for block in sound.blocks:
            levels = torch.from_numpy(levelled(block, sound.gain_db))[None]
            with torch.inference_mode():
                features, states = self.network.represent(levels, states)
            yield features[0].numpy()


class WhisperRepresentation(Representation):
    """Principal components of Whisper's activations, and mel bands, of like variance."""

    def __init__(self, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.encoder = str(config["encoder"])
        names = ("mean", "components", "mel_mean", "mel_scale")
        self.mean, self.components, self.mel_mean, self.mel_scale = (tensors[n] for n in names)
        self.inputs, count = self.components.shape
        self.width = count + len(self.mel_mean)

    def features(self, sound: Sound) -> Iterator[Floats32]:
        """Project the activations of each block, and standardise its mel bands."""
        if sound.activations is None:
            raise ValueError("expected the activations of the sound")
        step = 0
        for block in sound.blocks:
            rows = at_steps(sound.activations, step, step + len(block), self.fps)
            step += len(block)
            projected = (torch.from_numpy(rows).float() - self.mean) @ self.components
            mel = torch.from_numpy(levelled(block, sound.gain_db))
            standard = (mel - self.mel_mean) / self.mel_scale
            yield torch.cat([projected, standard], dim=1).numpy()


_KINDS = {"apc": ApcRepresentation, "whisper": WhisperRepresentation}


def load_representation(model: Path = AUDIO_MODEL) -> Representation:
    """Load the model that `train_audio` wrote; raise MissingInput or BadFormat."""
    tensors, config = load_model(model)
    for name, tensor in tensors.items():
        check_finite(model, name, tensor)
    try:
        return _KINDS[config["representation"]](tensors, config)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        found = f"is not an audio model of this version: {str(error).splitlines()[0]}"
        raise BadFormat(model, found, "run `idiolect repro`") from None
