"""CSIM-dlib: whether drawn frames show the person, by dlib's face network.

    faces = {name: describe_person(Subject("seen", name), size) for name in names}
    score_identity(drawn, faces, "ann")                  # or by ArcFace: with its weights' sha256

The cosine of a frame's descriptor to the mean descriptor of the person's training frames: about
0.96 for his own held-out frames, 0.80 to 0.85 for another person's, which is the floor. It is not
the CSIM of papers, whose network is ArcFace: its name is CSIM-dlib everywhere. With weights of
ArcFace that the user brings, the same functions give that CSIM.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stages.base.arrays import AnyFloats, Floats
from stages.base.config.subjects import Subject
from stages.base.io.image_io import Image
from stages.base.training.arcface import load_descriptor
from stages.base.training.face_identity import descriptor, similarity
from stages.evaluation.held_out_frames import SubjectFrames, evenly_spaced, subsample
from stages.evaluation.reconstruction import Reconstruction

FRAMES = 30  # a descriptor takes 80 ms


@dataclass(frozen=True)
class Faces:
    """Descriptors of one person's real frames.

    Attributes:
        mean: of training frames, (D,): D is 128 by dlib's network, 512 by ArcFace.
        truth: of held-out frames, (N, D).
    """

    mean: Floats
    truth: Floats


def describe_person(subject: Subject, size: int, arcface: str = "") -> Faces:
    """Describe some 30 training and 30 held-out frames of a person, as images of `size` px.

    Args:
        subject: the person.
        size: of the images.
        arcface: sha256 of the weights of ArcFace; empty for dlib's network.
    """
    held = SubjectFrames(subject)

    def described(split: str) -> Floats:
        frames = subsample(held.valid_frames(split), FRAMES)
        if not frames:
            return np.full((1, 1), np.nan)
        return describe(held.images(frames, size), held.scaled_points(frames, size), arcface)

    return Faces(described("train").mean(axis=0), described("test"))


def describe(images: Image, points: AnyFloats, arcface: str = "") -> Floats:
    """Describe the face of each image (N, H, W, 3) with landmarks (N, 68, 2), px, as (N, D)."""
    network = load_descriptor(arcface) if arcface else descriptor
    return np.array([network(*pair) for pair in zip(images, points, strict=True)])


def score_identity(
    drawn: Reconstruction, faces: Mapping[str, Faces], name: str, arcface: str = ""
) -> dict[str, float]:
    """Return the cosines of drawn frames, of the truth, and of other people's true frames.

    Args:
        drawn: the frames drawn for a subject, of which some 30 are described.
        faces: of all seen subjects by name.
        name: the subject's.
        arcface: sha256 of the weights of ArcFace that described them; empty for dlib's network.

    Returns:
        Mean cosine to the subject's mean descriptor: `generator`, `truth`, and each other name.
    """
    own = faces[name]
    others = {other: of_other.truth for other, of_other in faces.items() if other != name}
    rows = {"generator": _describe_drawn(drawn, arcface), "truth": own.truth, **others}
    return {row: mean_cosine(found, own.mean) for row, found in rows.items()}


def _describe_drawn(drawn: Reconstruction, arcface: str) -> Floats:
    rows = evenly_spaced(len(drawn.frames), FRAMES)
    return describe(drawn.methods["generator"][rows], drawn.points[rows], arcface)


def mean_cosine(found: Floats, mean: Floats) -> float:
    """Return the mean cosine of descriptors (N, D) to one (D,); NaN without a face."""
    cosines = similarity(found, mean)
    finite = cosines[np.isfinite(cosines)]
    return float(finite.mean()) if len(finite) else float("nan")
