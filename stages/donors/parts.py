"""The two parts of a face that donors lend, mouth and eyes: shapes, strengths, masks.

Ours. Shapes are compared after the rigid landmarks are moved onto the mean face's: scale, place and
roll do not matter, and the turn of the head does, since it shows another side of teeth and lids.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import AnyFloats, Floats, Floats32, Points
from stages.base.face.face_measures import eye_opening, face_height, mouth_opening
from stages.base.face.landmark_groups import RIGID
from stages.base.face.mean_face import MEAN_FACE
from stages.base.face.similarity import fit_similarity
from stages.base.io.image_io import FRACTION_BITS, Image, opencv_fixed_point

_RIGID, _NOSE_TIP = list(RIGID), 30
_POSE_WEIGHT = 1.0  # of the nose tip, which moves with the head's turn, against a point
_OUTER_WEIGHT = 0.5  # of the outer lips against the inner ones
_COLOUR_WEIGHT = 0.002  # face heights a grey level: donors in the source's light come first
_GAP_FROM, _GAP_TO = 0.01, 0.025  # face heights; a mouth's inside begins to show, shows fully
_OPEN, _SHUT = 0.75, 0.5  # of the source's lids: donors do not show from here, show fully to here
_GROWTH, _SOFTNESS = 0.02, 0.012  # of the mouth's mask, face heights
_EYE_AXES, _EYE_SOFTNESS = (0.8, 0.6), 0.08  # half axes and blur of an eye's mask, eye widths
_RING = 0.08  # width of the surroundings whose colour is compared, face heights


@dataclass(frozen=True)
class Patch:
    """One place of the face that is blended as a whole.

    Attributes:
        shape: landmarks that span it.
        controls: landmarks that its warp interpolates.
        margin: of its box around the shape on each side, in widths of the shape.
    """

    shape: NDArray[np.intp]
    controls: NDArray[np.intp]
    margin: float


class Part(ABC):
    """A part of the face that donors lend.

    Attributes:
        name: value of the column `part`.
        patches: its places, P of them.
    """

    name: str
    patches: tuple[Patch, ...]

    @abstractmethod
    def strengths(self, points: Points, source: Points) -> Floats:
        """Return how far donors show in frames.

        Args:
            points: driving landmarks, (N, 68, 2).
            source: landmarks of the source image, (68, 2).

        Returns:
            0 (the network's picture) to 1 (the donor's), (N, P).
        """

    @abstractmethod
    def _shape(self, aligned: Floats) -> Floats:
        """Return the shape of aligned landmarks (N, 68, 2) about its centre, (N, K, 2)."""

    @abstractmethod
    def masks(self, patch: int, points: Points, size: tuple[int, ...]) -> tuple[Floats32, Image]:
        """Draw a patch's mask and its surroundings.

        Args:
            patch: its index.
            points: landmarks of the frame, (68, 2), px of the patch's box.
            size: height and width of the box.

        Returns:
            The mask, (H, W), 0 to 1, and the surroundings, (H, W), 0 or 255.
        """

    def descriptors(self, points: Points, colours: AnyFloats) -> Floats32:
        """Describe shapes with the light that they are in.

        Args:
            points: landmarks, (N, 68, 2), px of frames of any size.
            colours: mean colour around the part, (N or 1, 3), grey levels.

        Returns:
            (N, D), face heights.
        """
        to_mean = fit_similarity(points[:, _RIGID], MEAN_FACE[_RIGID, :2])
        aligned = points @ np.swapaxes(to_mean[:, :, :2], 1, 2) + to_mean[:, None, :, 2]
        x, y = np.moveaxis(self._shape(aligned), -1, 0)
        pose = _POSE_WEIGHT * aligned[:, _NOSE_TIP]
        light = np.broadcast_to(_COLOUR_WEIGHT * colours, (len(points), 3))
        return np.asarray(np.concatenate([x, y, pose, light], axis=1), np.float32)

    def colour(self, image: Image, points: Points) -> Floats:
        """Measure the mean colour around the part, (3,), grey levels; landmarks are (68, 2), px."""
        surroundings = np.max(
            [self.masks(i, points, image.shape[:2])[1] for i in range(len(self.patches))], axis=0
        )
        return np.array(cv2.mean(image, surroundings)[:3])


class Mouth(Part):
    """The inside of the mouth, within the inner lips."""

    name = "mouth"
    patches = (Patch(np.r_[48:68], np.r_[48:68, 5:12, 31:36], 0.35),)

    def strengths(self, points: Points, source: Points) -> Floats:  # noqa: ARG002
        """Return 0 for closed lips to 1, whatever the source's."""
        return _ramp(mouth_opening(points), _GAP_FROM, _GAP_TO)[:, None]

    def _shape(self, aligned: Floats) -> Floats:
        lips = aligned[:, 48:68] - aligned[:, 48:68].mean(1, keepdims=True)
        lips[:, :12] *= _OUTER_WEIGHT
        return np.asarray(lips)

    def masks(self, patch: int, points: Points, size: tuple[int, ...]) -> tuple[Floats32, Image]:
        """Draw the inner lips, a little wider and soft; surroundings lie around the outer lips."""
        unit, lips = float(face_height(points)), points[self.patches[patch].shape]
        inside = cv2.dilate(_polygon(lips[12:], size), _disc(_GROWTH * unit))
        return _soft(inside, _SOFTNESS * unit), _ring(_polygon(lips[:12], size), unit)


class Eyes(Part):
    """Closed lids of both eyes."""

    name = "eyes"
    patches = (
        Patch(np.r_[36:42], np.r_[36:42, 17:22, 27, 28], 0.7),
        Patch(np.r_[42:48], np.r_[42:48, 22:27, 27, 28], 0.7),
    )

    def strengths(self, points: Points, source: Points) -> Floats:
        """Return 1 where lids are closed against the source's; half-closed ones are in between."""
        return 1 - _ramp(eye_opening(points) / eye_opening(source), _SHUT, _OPEN)

    def _shape(self, aligned: Floats) -> Floats:
        eyes = aligned[:, 36:48].reshape(-1, 2, 6, 2)
        return np.asarray((eyes - eyes.mean(2, keepdims=True)).reshape(-1, 12, 2))

    def masks(self, patch: int, points: Points, size: tuple[int, ...]) -> tuple[Floats32, Image]:
        """Draw an ellipse around the eye, as far as the face reaches."""
        eye = points[self.patches[patch].shape]
        (x, y), along = eye.mean(0), eye[3] - eye[0]
        width, angle = float(np.linalg.norm(along)), np.degrees(np.arctan2(along[1], along[0]))
        whole = np.zeros(size, np.uint8)
        centre, axes = opencv_fixed_point(np.array([x, y])), np.array(_EYE_AXES) * width
        fixed = [tuple(int(v) for v in pair) for pair in (centre, axes * 2**FRACTION_BITS)]
        where = (fixed[0], fixed[1], float(angle), 0, 360, 255, cv2.FILLED, cv2.LINE_AA)
        cv2.ellipse(whole, *where, FRACTION_BITS)
        hull = cv2.convexHull(points.astype(np.float32))[:, 0]
        whole = np.minimum(whole, _polygon(hull, size))
        return _soft(whole, _EYE_SOFTNESS * width), _ring(whole, float(face_height(points)))


PARTS: tuple[Part, ...] = (Mouth(), Eyes())


def _ramp(values: Floats, low: float, high: float) -> Floats:
    return np.asarray(np.clip((values - low) / (high - low), 0, 1))


def _polygon(points: Points, size: tuple[int, ...]) -> Image:
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [opencv_fixed_point(points)], 255, cv2.LINE_AA, FRACTION_BITS)
    return mask


def _disc(radius: float) -> Image:
    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _soft(mask: Image, sigma: float) -> Floats32:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), max(sigma, 0.3)))


def _ring(mask: Image, unit: float) -> Image:
    return np.asarray(cv2.dilate(mask, _disc(_RING * unit)) - mask)
