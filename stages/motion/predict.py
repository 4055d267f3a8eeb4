"""Predict motion from audio features, and retarget it to an identity.

    model = MotionModel.load()
    stream = MotionStream(model, "sample_lively", seed=1)
    motion = join([stream.push(features), stream.finish()])
    columns = retarget(motion, model.person("sample_lively"), model.person("sample_calm"))

The features of a long recording can be pushed in pieces: memory stays constant.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.face.face_measures import keep_lips_apart
from stages.base.face.projection import project
from stages.motion.eyes import BlinkSampler, GazeSampler, close_lids, irises_from_gaze
from stages.motion.features import PHONE, Features, bilabials
from stages.motion.model import MotionModel
from stages.motion.networks import POSE
from stages.motion.person import MOUTH, MotionPerson
from stages.motion.pose import absolute_from_rest, head_shift, place_shoulders
from stages.motion.recordings import Recording, Rest
from stages.motion.streaming import (
    LoudnessStream,
    MouthStream,
    NodStream,
    PoseStream,
    SilenceStream,
)

_BILABIAL = 0.5  # how far B, M and P blend the mouth to the closed one; 1 costs correlation


@dataclass(frozen=True)
class Motion:
    """Motion of a style, independent of the identity; N frames.

    Attributes:
        displacement: of the landmarks from the style's mean face, (N, 68, 3), face heights.
        pose: rotation vector and translation about the rest, (N, 6): radians, face heights.
        closed: how far the lids are closed, (N,), 0 to 1.
        gaze: the irises' offset from the person's mean gaze, (N, 2), eye widths.
    """

    displacement: Floats
    pose: Floats
    closed: Floats
    gaze: Floats

    def __len__(self) -> int:
        return len(self.closed)

    def after(self, frame: int) -> "Motion":
        """Return the motion from a frame on."""
        return Motion(*(getattr(self, field.name)[frame:] for field in fields(self)))


def join(pieces: Sequence[Motion]) -> Motion:
    """Concatenate pieces of motion."""
    names = [field.name for field in fields(Motion)]
    return Motion(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in names))


def predict_recording(model: MotionModel, style: str, recording: Recording, seed: int) -> Motion:
    """Predict the motion of a recording's sound in a style; one frame for each of its frames."""
    frames = len(recording.valid)
    stream = MotionStream(model, style, seed)
    features = recording.features[:frames].reshape(2 * frames, -1)
    return join([stream.push(features, loudness=recording.loudness), stream.finish()])


class MotionStream:
    """Incremental prediction: the sizes of the pieces do not change the motion."""

    def __init__(self, model: MotionModel, style: str, seed: int) -> None:
        self.model, self.person = model, model.person(style)
        rngs = [np.random.default_rng([seed, part]) for part in range(3)]
        self.project = _manifold_projection(model, style)
        self.mouth = MouthStream(model, style)
        self.pose = PoseStream(model, style, rngs[0])
        self.nods = NodStream(model.fps)
        self.silence = SilenceStream(model.fps)
        self.loudness = LoudnessStream(model.fps)
        self.blinks = BlinkSampler(self.person.blinks, model.fps, rngs[1])
        self.gaze = GazeSampler(self.person.gaze_spread, model.fps, rngs[2])
        self.started = False
        # Displacements, poses beside nods, silences, loudness and bilabials wait here for the
        # slowest of them.
        self.waiting: list[Floats] = [
            *(np.zeros((0, 68, 3)), np.zeros((0, 2 * POSE))),
            *(np.zeros(0), np.zeros(0), np.zeros(0)),
        ]

    def push(
        self,
        features: Features,
        silent: NDArray[np.bool_] | None = None,
        loudness: Floats | None = None,
    ) -> Motion:
        """Append frames of sound; return the frames of motion now ready.

        Args:
            features: (2n, D).
            silent: mask of silence, (n,); none by default.
            loudness: see `features.loudness`, (n,); by default the person's usual one.
        """
        count = len(features) // 2
        if not count:
            return self._ready()
        self.started = True
        projected = self.project(np.asarray(features[: 2 * count], np.float32))
        frames = torch.tensor(np.ascontiguousarray(projected).reshape(count, -1))
        normal = self.model.normalise(frames)
        mask = np.zeros(count, bool) if silent is None else silent
        level = np.full(count, self.person.nods.usual) if loudness is None else loudness
        return self._ready(
            self.mouth.push(normal),
            self.nods.push(self.pose.push(normal)),
            self.silence.push(mask),
            self.loudness.push(level),
            bilabials(features[: 2 * count]),
        )

    def finish(self) -> Motion:
        """Return the last frames; their look-ahead repeats the last features."""
        if not self.started:
            return self._ready()
        return self._ready(
            self.mouth.finish(),
            self.nods.finish(self.pose.finish()),
            self.silence.finish(),
            self.loudness.finish(),
            np.zeros(0),
        )

    def _ready(self, *new: Floats) -> Motion:
        if new:
            self.waiting = [np.concatenate(both) for both in zip(self.waiting, new, strict=True)]
        count = min(map(len, self.waiting))
        displacement, pose, silence, loudness, closing = (part[:count] for part in self.waiting)
        self.waiting = [part[count:] for part in self.waiting]
        factor = self.person.nods.factor(loudness)[:, None]
        return Motion(
            displacement=self._close_mouth(displacement, np.maximum(silence, _BILABIAL * closing)),
            pose=pose[:, :POSE] + (factor - 1) * pose[:, POSE:],
            closed=self.blinks.sample(count),
            gaze=self.gaze.sample(count),
        )

    def _close_mouth(self, displacement: Floats, closing: Floats) -> Floats:
        """Blend lips and jaw to the person's closed mouth by shares, (n,)."""
        closed = (self.person.closed_face - self.person.mean_face)[MOUTH]
        share = closing[:, None, None]
        out = displacement.copy()
        out[:, MOUTH] = (1 - share) * displacement[:, MOUTH] + share * closed
        return out


def _manifold_projection(model: MotionModel, style: str) -> Callable[[Features], Features]:
    """Return the projection onto the style's own features; the identity without any."""
    base = model.bases[style]
    if not len(base):
        return lambda features: features
    from stages.speech.manifold import Manifold

    manifold = Manifold(base.numpy(), neighbours=model.params.manifold.neighbours)

    def project(features: Features) -> Features:
        projected = manifold.project(features[:, :-PHONE])
        return np.concatenate([projected, features[:, -PHONE:]], axis=1)

    return project


def retarget(
    motion: Motion,
    style: MotionPerson,
    identity: MotionPerson,
    rest: Rest | None = None,
    first: int = 0,
) -> dict[str, NDArray[Any]]:
    """Apply the motion of a style to an identity's face, in its camera.

    Args:
        motion: of the style.
        style: the person whose motion it is.
        identity: the person whose face moves.
        rest: rest pose of the identity's head; default: that of its longest clip.
        first: number of the first frame.

    Returns:
        Columns of the format MOTION.

    Displacements are transferred in face heights from the closed mouth and the resting brows: mean
    faces open their mouths and raise their brows by different amounts, which is style, and lips
    that close on one face close on the other. Where style and identity agree, this equals a
    displacement from the mean face. Ours.
    """
    rest = rest or identity.rest
    moved = style.mean_face - style.closed_face + motion.displacement
    head = keep_lips_apart(identity.closed_face + moved)
    head = close_lids(head, motion.closed)
    R, t = absolute_from_rest(motion.pose, rest.rotation, rest.translation)
    points = project(head, R, t, rest.focal, rest.size)
    gaze = identity.gaze + motion.gaze[:, None]
    shifts = head_shift(t, rest.translation, rest.focal)
    return {
        "frame": np.arange(first, first + len(motion)),
        "head": head,
        "rotation": R,
        "translation": t,
        "points": points,
        "irises": irises_from_gaze(points, gaze),
        "shoulders": place_shoulders(rest.shoulders, shifts, identity.torso),
    }
