"""Neutral motion of a render: a style's motion with the amplitude of the population."""

from dataclasses import dataclass

from pipeline.runtime.user_errors import UserError
from stages.base.arrays import Floats
from stages.base.config.params import Subjects, read_section
from stages.base.config.subjects import Subject
from stages.base.face import head_pose
from stages.generator.artifacts import MODEL
from stages.generator.drawing import Generator
from stages.generator.driving import Amplitudes, ClipMotion, Driving, RestPose, neutralise
from stages.generator.footage import read_footage
from stages.motion.recordings import Rest
from stages.render.held_out_speech import Columns
from stages.render.trained_models import Models


@dataclass(frozen=True)
class NeutralMotion:
    """Scales the motion of a style on an identity's face.

    Attributes:
        gains: factors on the motion's amplitudes.
        mean: the identity's mean head in the style's motion, (68, 3), face heights.
        rest: rest pose of the identity's head.
    """

    gains: Amplitudes
    mean: Floats
    rest: Rest

    @classmethod
    def of(cls, models: Models, identity: str, style: str) -> "NeutralMotion":
        """Measure what a style's motion needs; raise UserError for a generator without flag 1."""
        if not models.generator.restyles:
            found = "the generator was trained without restyling"
            raise UserError(MODEL, found, "run `idiolect repro`")
        face, mover = models.motion.person(identity), models.motion.person(style)
        gains = style_amplitudes(models.generator, style).gains(models.generator.population)
        return cls(gains, face.closed_face + mover.mean_face - mover.closed_face, face.rest)

    def driving(self, columns: Columns) -> Driving:
        """Return the driving rows of motion, columns of the format MOTION."""
        head, R, t = (columns[name] for name in ("head", "rotation", "translation"))
        driving = Driving.from_columns(columns)
        motion = ClipMotion(head, R, t, self.rest.focal, self.rest.size, driving)
        angles = head_pose.angles_from_rotation(self.rest.rotation[None])[0]
        rest = RestPose(angles, self.rest.translation, self.rest.shoulders)
        return neutralise(motion, self.mean, self.gains, rest)


def style_amplitudes(generator: Generator, style: str) -> Amplitudes:
    """Return how much a person moves: as the generator was trained, or of all unseen footage."""
    if style in generator.amplitudes:
        return generator.amplitudes[style]
    subject = Subject(read_section("subjects", Subjects).all[style].role, style)
    return read_footage([subject], generator.size, held_out=True)[0].amplitudes
