"""Landmarks and pose detected again in drawn or rendered pictures, by the stage's own code.

The pose is fitted with the camera and the mean face of the true clip, so that a head that is
redetected without error equals the true one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from stages.base.arrays import Floats, Mask
from stages.base.face import head_pose
from stages.base.io.image_io import Image, resize
from stages.base.io.timebase import to_frames
from stages.evaluation.track import Track, track_of_columns
from stages.landmarks import backend, pose
from stages.landmarks.params import LandmarksParams
from stages.motion.recordings import Rest

SIZE = 256  # px; the mesh network needs a face of more than a hundred


@dataclass(frozen=True)
class Detections:
    """Faces detected in N square images, px of a frame of SIZE; NaN where no face was detected.

    Attributes:
        points: 68 landmarks, (N, 68, 2).
        depth: their relative distance from the camera, (N, 68); NaN if unknown.
        irises: centres, (N, 2, 2).
    """

    points: Floats
    depth: Floats
    irises: Floats

    @property
    def valid(self) -> Mask:
        """Where a face was detected, (N,)."""
        return np.asarray(np.isfinite(self.points).all(axis=(1, 2)))

    def padded(self, count: int) -> "Detections":
        """Append frames without a face up to a number of frames."""
        return join_detections([self, _none(count - len(self.points))])


def detect_faces(images: Iterable[Image]) -> Detections:
    """Detect the face in square images of one clip, in order of time."""
    detector = backend.open_backend("mediapipe")
    faces = [detector(resize(image, SIZE)) for image in images]
    detector.close()
    found = _none(len(faces))
    for row, face in enumerate(faces):
        if face is not None:
            found.points[row], found.irises[row] = face.points, face.irises
            if face.depth is not None:
                found.depth[row] = face.depth
    return found


def _none(count: int) -> Detections:
    return Detections(*(np.full((count, *shape), np.nan) for shape in ((68, 2), (68,), (2, 2))))


def join_detections(parts: Sequence[Detections]) -> Detections:
    """Join the detections of successive clips."""
    names = [field.name for field in fields(Detections)]
    return Detections(*(np.concatenate([getattr(part, n) for part in parts]) for n in names))


def track_of_detections(
    found: Sequence[Detections],
    cameras: Sequence[pose.Camera],
    rests: Sequence[Rest],
    fps: float,
    params: LandmarksParams,
) -> Track:
    """Fit poses to detected faces, as the landmarks stage does.

    Args:
        found: the detections of each span.
        cameras: camera and face of each span; `size` is SIZE.
        rests: the true rest pose of each span.
        fps: frames per second.
        params: filter of the poses, and largest error of a valid one.
    """
    placed = [_place(*pair, fps, params) for pair in zip(found, cameras, strict=True)]
    joined = join_detections(found)
    columns = {
        name: np.concatenate([getattr(poses, name) for poses in placed])
        for name in ("head", "rotation", "translation", "points")
    }
    # The pose's filter moves the face as a whole, including the irises.
    shift = (columns["points"] - joined.points).mean(axis=1, keepdims=True)
    limit = np.concatenate(
        [params.max_reprojection * p.focal / p.translation[:, 2] for p in placed]
    )
    error = np.concatenate([p.reprojection for p in placed])
    with np.errstate(invalid="ignore"):
        valid = np.asarray(error <= limit)
    span = np.repeat(np.arange(len(found)), [len(part.points) for part in found])
    return track_of_columns(
        {**columns, "irises": joined.irises + shift, "valid": valid}, rests, span, fps
    )


def _place(
    found: Detections, camera: pose.Camera, fps: float, params: LandmarksParams
) -> pose.Poses:
    fitted = head_pose.fit_pose(found.points, camera.model, camera.focal, camera.size)
    filtered = pose.smooth_poses(*fitted, to_frames(params.pose_window, fps))
    return pose.place(found.points, found.depth, camera, fitted, filtered)
