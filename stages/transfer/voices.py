"""Training data of a transfer: voices with their true motion, and what regressions say of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stages.base.training.state import Batch
from stages.motion.features import Features
from stages.motion.model import MotionModel
from stages.motion.recordings import Recording


@dataclass(frozen=True)
class VoiceRecording:
    """One recording in the networks' units.

    Attributes:
        person: number of its person in the model.
        features: normalised, (T + ahead, 2D); the last row is repeated where the clip ends.
        true: displacements, (T, 68, 3), in the person's `mouth_scale`.
        own: what the regressions add in the person's own style, (T, 68, 3), same unit.
        lent: what they add in the transferred style, (T, 68, 3), in its owner's `mouth_scale`.
        mask: 1 for frames with a face, (T,).
    """

    person: int
    features: Features
    true: NDArray[np.float32]
    own: NDArray[np.float32]
    lent: NDArray[np.float32]
    mask: NDArray[np.float32]


def read_voice(
    model: MotionModel, name: str, style: str, recording: Recording, length: int, ahead: int
) -> VoiceRecording:
    """Prepare a recording of a person of the model.

    Args:
        model: the motion model.
        name: the person.
        style: the style's owner.
        recording: of the person; one shorter than a window is padded on the left and masked there.
        length: of a window, frames.
        ahead: the mouth network's look-ahead, frames.
    """
    person, frames = model.person(name), len(recording.valid)
    features = model.normalise(torch.from_numpy(recording.features)).numpy()
    own, lent = (
        model.regression_of(each).predict(features, np.arange(frames)) for each in (name, style)
    )
    true = np.where(
        recording.valid[:, None, None],
        (recording.head - person.mean_face) / person.mouth_scale,
        0.0,
    )
    missing, left = max(0, frames + ahead - len(features)), max(0, length - frames)
    return VoiceRecording(
        person=list(model.people).index(name),
        features=np.pad(features[: frames + ahead], ((left, missing), (0, 0)), mode="edge"),
        true=_padded(true, left),
        own=_padded(own, left),
        lent=_padded(lent, left),
        mask=_padded(recording.valid, left),
    )


def _padded(values: NDArray[Any], left: int) -> NDArray[np.float32]:
    return np.pad(values, ((left, 0), *[(0, 0)] * (values.ndim - 1))).astype(np.float32)


class Voices:
    """Draws windows of voices: half of them the style owner's, the rest of all people alike.

    Args:
        owner: number of the style's owner among the people.
        voices: of all people.
        length: of a window, frames.
        ahead: frames of audio in a window beyond its last frame.
    """

    def __init__(
        self, owner: int, voices: Sequence[VoiceRecording], length: int, ahead: int
    ) -> None:
        self.length, self.ahead, self.owner = length, ahead, owner
        self.by_person: dict[int, list[VoiceRecording]] = {}
        for voice in voices:
            self.by_person.setdefault(voice.person, []).append(voice)

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Draw a batch of `count` windows, those of the owner first.

        Returns:
            `person` (B,), `features` (B, length + ahead, 2D), and, each (B, length, …), `true`,
            `own`, `lent` and `mask`.
        """
        people = list(self.by_person)
        persons = [self.owner] * (count // 2)
        persons += [people[i] for i in rng.integers(0, len(people), count - len(persons))]
        rows: list[Mapping[str, NDArray[np.float32]]] = []
        for person in persons:
            own = self.by_person[person]
            starts = np.array([len(v.mask) - self.length + 1 for v in own], float)
            voice = own[int(rng.choice(len(own), p=starts / starts.sum()))]
            rows.append(self._window(voice, int(rng.integers(len(voice.mask) - self.length + 1))))
        batch = {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}
        batch["person"] = torch.tensor(persons)
        return batch

    def _window(self, voice: VoiceRecording, start: int) -> dict[str, NDArray[np.float32]]:
        end = start + self.length
        window = {name: getattr(voice, name)[start:end] for name in ("true", "own", "lent", "mask")}
        return window | {"features": voice.features[start : end + self.ahead]}
