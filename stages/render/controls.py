"""What a user changes of a render: amplitudes, blinks, gaze, seed, size, rate, part of the voice.

    controls = Controls(mouth=1.2, blinks=15)
    motions = apply_controls(motions, controls, style, identity, fps, seed)

The defaults are the style as it is: they change no byte. Ours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import UserError
from stages.base.arrays import Floats
from stages.base.config.params import Training, read_section
from stages.base.face.projection import project
from stages.base.io.image_io import Image, resize
from stages.base.io.video_frames import resample_frames
from stages.motion.eyes import BlinkSampler, gaze_from_irises
from stages.motion.person import MOUTH, MotionPerson
from stages.motion.pose import absolute_from_rest
from stages.motion.predict import Motion

# Least and largest value of each control that is a number.
LIMITS: dict[str, tuple[float, float]] = {
    "mouth": (0, 2),
    "head": (0, 2),
    "blinks": (0, 60),
    "seed": (0, 2**32 - 1),
    "size": (64, 2048),
    "fps": (1, 120),
    "start": (0, 86400),
    "duration": (0.04, 86400),
}
GAZES = ("style", "camera")
_WHOLE = ("seed", "size")
_CORNERS = [[36, 39], [42, 45]]
_EYEBALL = 0.2  # of its centre behind the middle of the eye's corners, eye widths


@dataclass(frozen=True)
class Controls:
    """Changes to a render; None is the style's, the project's or the voice's own.

    Attributes:
        mouth: factor on the mouth's motion about the closed mouth.
        head: factor on the head's motion about its mean pose.
        blinks: a minute; each has the shape of the style's.
        gaze: "style", or "camera": the eyes look into the camera wherever the head turns.
        seed: of head motion, blinks and gaze; default: `training.seed`.
        size: height and width of the video, px, even.
        fps: frames per second of the video; motion keeps the rate of its training.
        start: where the voice begins, s of the file.
        duration: of the voice, s.

    Raises:
        UserError: a value is not allowed.
    """

    mouth: float = 1.0
    head: float = 1.0
    blinks: float | None = None
    gaze: str = "style"
    seed: int | None = None
    size: int | None = None
    fps: float | None = None
    start: float = 0.0
    duration: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            kind, what = (int, "a whole number from ") if name in _WHOLE else ((int, float), "")
            if value is None and getattr(Controls, name) is None:
                continue
            if not (isinstance(value, kind) and low <= value <= high):
                raise UserError(name, f"expected {what}{low:g} to {high:.10g}, found {value}")
        if self.gaze not in GAZES:
            raise UserError("gaze", f"expected style or camera, found {self.gaze}")
        if self.size is not None and self.size % 2:
            raise UserError("size", f"expected an even number, found {self.size}")

    def changed(self) -> dict[str, Any]:
        """Return the controls that differ from the defaults."""
        pairs = ((field, getattr(self, field.name)) for field in fields(self))
        return {field.name: value for field, value in pairs if value != field.default}

    def own_seed(self) -> int:
        """Return the seed of these controls; without one, that of params.yaml."""
        return read_section("training", Training).seed if self.seed is None else self.seed


UNCHANGED = Controls()


def apply_controls(
    motions: Iterable[Motion],
    controls: Controls,
    style: MotionPerson,
    identity: MotionPerson,
    fps: float,
    seed: int,
) -> Iterator[Motion]:
    """Change motion by controls, piece by piece: the sizes of the pieces do not matter.

    Args:
        motions: of the style.
        controls: mouth, head, blinks and gaze are used.
        style: whose motion it is.
        identity: whose face it moves.
        fps: frames per second of the motion.
        seed: of the motion, which samples the blinks too.
    """
    closed = style.closed_face - style.mean_face
    lids = _blinks(controls, style, fps, seed)
    for motion in motions:
        displacement = motion.displacement.copy()
        # Scaled about the closed mouth, lips that touch still touch.
        moved = displacement[:, MOUTH] - closed[MOUTH]
        displacement[:, MOUTH] += (controls.mouth - 1) * moved
        pose = controls.head * motion.pose  # the rest is the mean pose
        shut = motion.closed if lids is None else lids(len(motion))
        gaze = motion.gaze if controls.gaze == "style" else camera_gaze(pose, identity)
        yield replace(motion, displacement=displacement, pose=pose, closed=shut, gaze=gaze)


def _blinks(controls: Controls, style: MotionPerson, fps: float, seed: int) -> Any:
    """Return what samples the lids' closing of the next frames; None for the style's own."""
    if controls.blinks is None:
        return None
    if controls.blinks == 0:
        return np.zeros
    blinks = replace(style.blinks, rate=controls.blinks / 60)
    return BlinkSampler(blinks, fps, np.random.default_rng([seed, 1])).sample


def camera_gaze(pose: Floats, identity: MotionPerson) -> Floats:
    """Return the irises' offsets, (N, 2) eye widths, of eyes that look into the camera.

    Args:
        pose: of the head about its rest, (N, 6).
        identity: whose eyes they are.

    An eye that looks into the camera covers its own centre with its iris. Across the eye the iris
    is centred for a frontal head; along its height, where the person's is on average.
    """
    rest, face = identity.rest, identity.mean_face
    corners = face[_CORNERS]  # (2, 2, 3)
    width = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=-1, keepdims=True)
    centres = corners.mean(1) + _EYEBALL * width * np.array([0, 0, 1])
    poses = np.concatenate([np.zeros((1, pose.shape[1])), pose])
    R, t = absolute_from_rest(poses, rest.rotation, rest.translation)
    both = project(np.concatenate([face, centres]), R, t, rest.focal, rest.size)
    gaze = gaze_from_irises(both[:, :68], both[:, 68:]).mean(1)
    usual = np.array([identity.gaze[:, 0].mean(), gaze[0, 1]])
    return np.asarray(gaze[1:] - usual)


def trim_audio(
    pieces: Iterable[NDArray[np.int16]], controls: Controls, rate: int
) -> Iterator[NDArray[np.int16]]:
    """Yield the part of sound, in pieces, that the controls' start and duration leave."""
    first = round(controls.start * rate)
    last = None if controls.duration is None else first + round(controls.duration * rate)
    done = 0
    for piece in pieces:
        end = len(piece) if last is None else min(len(piece), last - done)
        if end > (begin := max(0, first - done)):
            yield piece[begin:end]
        done += len(piece)
        if last is not None and done >= last:
            return


def resample_video(
    images: Iterable[Image], controls: Controls, fps: float, count: int
) -> Iterator[Image]:
    """Return drawn frames at the video's size and rate.

    Args:
        images: at the motion's rate, (H, H, 3).
        controls: size and fps are used.
        fps: the motion's rate.
        count: frames of the video.
    """
    if controls.fps is not None:
        timed = ((index / fps, image) for index, image in enumerate(images))
        images = (image for _, image in resample_frames(timed, controls.fps, 0.0, count))
    for image in images:
        yield image if controls.size is None else resize(image, controls.size)
