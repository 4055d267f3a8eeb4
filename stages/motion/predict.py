"""Predict motion from audio features, and put it onto an identity.

    model = MotionModel.load()
    motion = generate(model, features, style="sample_lively", seed=1)
    columns = retarget(motion, model.person("sample_lively"), model.person("sample_calm"))

`MotionStream` does the same in pieces, so that memory does not grow with the audio's length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stages.base.face.arrays import Floats
from stages.base.face.face_measures import keep_lips_apart
from stages.base.face.projection import project
from stages.motion.eyes import BlinkDrawer, GazeDrawer, close_lids, irises_at
from stages.motion.features import APC, Features, pairs_of
from stages.motion.model import MotionModel
from stages.motion.networks import POSE
from stages.motion.person import JAW, LIPS, Person
from stages.motion.pose import from_rest
from stages.motion.recordings import Rest
from stages.motion.streams import MouthStream, PoseStream, SilenceStream
from stages.motion.torso import head_shift, place_shoulders


@dataclass(frozen=True)
class Motion:
    """How a style moves, apart from any identity; N frames.

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
        return Motion(
            self.displacement[frame:], self.pose[frame:], self.closed[frame:], self.gaze[frame:]
        )


def generate(
    model: MotionModel,
    features: Features,
    style: str,
    seed: int,
    quiet: NDArray[np.bool_] | None = None,
) -> Motion:
    """Predict the motion of a style speaking.

    Args:
        model: a trained motion model.
        features: audio features, two a frame, (2N, 551).
        style: name of a trained subject.
        seed: of head pose, blinks and gaze.
        quiet: frames of silence, (N,), in which the mouth closes; none unless given.

    Returns:
        N frames of motion.

    Raises:
        NotTrained: no such style.
    """
    stream = MotionStream(model, style, seed)
    return join([stream.push(features, quiet), stream.finish()])


def join(pieces: Sequence[Motion]) -> Motion:
    """Put pieces of motion one after the other."""
    return Motion(
        displacement=np.concatenate([p.displacement for p in pieces]),
        pose=np.concatenate([p.pose for p in pieces]),
        closed=np.concatenate([p.closed for p in pieces]),
        gaze=np.concatenate([p.gaze for p in pieces]),
    )


class MotionStream:
    """Motion in pieces: the same frames however the features are cut."""

    def __init__(self, model: MotionModel, style: str, seed: int) -> None:
        self.model, self.person = model, model.person(style)
        fps = model.fps
        rngs = [np.random.default_rng([seed, part]) for part in range(3)]
        self.project = _projection(model, style)
        self.mouth = MouthStream(model, style)
        self.pose = PoseStream(model, style, rngs[0])
        self.silence = SilenceStream(fps)
        self.blinks = BlinkDrawer(self.person.blinks, fps, rngs[1])
        self.gaze = GazeDrawer(self.person.gaze_spread, fps, rngs[2])
        self.ready: list[Floats] = [np.zeros((0, 68, 3)), np.zeros((0, POSE)), np.zeros(0)]

    def push(self, features: Features, quiet: NDArray[np.bool_] | None = None) -> Motion:
        """Take the next features, (2n, 551), and silences, (n,); return the frames now ready."""
        count = len(features) // 2
        if not count:
            return self._emit()
        own = self.project(np.asarray(features[: 2 * count], np.float32))
        pairs = self.model.normalised(torch.tensor(pairs_of(own)))
        still = np.zeros(count, bool) if quiet is None else quiet
        return self._emit(self.mouth.push(pairs), self.pose.push(pairs), self.silence.push(still))

    def finish(self) -> Motion:
        """Return the last frames, for which the audio ahead is the last heard."""
        return self._emit(self.mouth.finish(), self.pose.finish(), self.silence.finish())

    def _emit(self, *new: Floats) -> Motion:
        if new:
            self.ready = [np.concatenate(both) for both in zip(self.ready, new, strict=True)]
        count = min(len(part) for part in self.ready)
        displacement, pose, silence = (part[:count] for part in self.ready)
        self.ready = [part[count:] for part in self.ready]
        return Motion(
            displacement=self._close(displacement, silence),
            pose=pose,
            closed=self.blinks.draw(count),
            gaze=self.gaze.draw(count),
        )

    def _close(self, displacement: Floats, silence: Floats) -> Floats:
        """Blend lips and jaw to the person's closed mouth in silence."""
        moved = [*JAW, *LIPS]
        closed = (self.person.closed_face - self.person.mean_face)[moved]
        share = silence[:, None, None]
        out = displacement.copy()
        out[:, moved] = (1 - share) * displacement[:, moved] + share * closed
        return out


def _projection(model: MotionModel, style: str) -> Any:
    """Return the projection onto the style's own features, or none."""
    base = model.bases[style]
    if not len(base):
        return lambda features: features
    from stages.speech.manifold import Manifold

    manifold = Manifold(base.numpy(), neighbours=model.params.manifold.neighbours)

    def projected(features: Features) -> Features:
        return np.concatenate([manifold.project(features[:, :APC]), features[:, APC:]], axis=1)

    return projected


def retarget(
    motion: Motion,
    style: Person,
    identity: Person,
    rest: Rest | None = None,
    first: int = 0,
) -> dict[str, NDArray[Any]]:
    """Put the motion of a style onto an identity's face, in its camera.

    Args:
        motion: of the style.
        style: whose motion it is.
        identity: whose face moves.
        rest: where the identity's head rests, unless that of its longest clip.
        first: number of the first frame.

    Returns:
        Columns of the format MOTION.

    Displacements are carried over in face heights from the closed mouth, not from the mean face,
    whose mouth is open by another amount in everyone: so lips that close on one close on the
    other. For the style's own face both are the same. Ours.
    """
    rest = rest or identity.rest
    moved = style.mean_face - style.closed_face + motion.displacement
    head = keep_lips_apart(identity.closed_face + moved)
    head = close_lids(head, motion.closed)
    R, t = from_rest(motion.pose, rest.rotation, rest.translation)
    points = project(head, R, t, rest.focal, rest.size)
    gaze = identity.gaze + motion.gaze[:, None]
    shifts = head_shift(t, rest.translation, rest.focal)
    return {
        "frame": np.arange(first, first + len(motion)),
        "head": head,
        "rotation": R,
        "translation": t,
        "points": points,
        "irises": irises_at(points, gaze),
        "shoulders": place_shoulders(rest.shoulders, shifts, identity.torso),
    }
