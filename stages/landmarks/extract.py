"""One clip: from its frames to its table of landmarks and its camera."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import faces, tables
from pipeline.faces import Floats
from pipeline.formats import CAMERAS, LANDMARKS
from pipeline.pictures import Frames, Image, resize
from stages.clips.ledger import Clip
from stages.landmarks import backend, pose
from stages.landmarks.matte import Matte
from stages.landmarks.params import LandmarksParams
from stages.landmarks.shoulders import Follower, trace

TABLE, CAMERA = "landmarks.parquet", "camera.parquet"
_FACE_PIXELS = 128  # sharpness is measured on a face of this size


def extract(clip: Clip, params: LandmarksParams, folder: Path) -> None:
    """Write the landmarks and the camera of one clip into a folder."""
    seen = _see(clip, params)
    count = len(seen["points"])
    train = np.zeros(count, bool)
    first, end = clip.train
    train[first:end] = True
    if end <= first:  # an unseen subject trains nothing
        train[:] = True
    window = round(params.pose_window * clip.fps)
    poses = pose.fit(seen["points"], seen["depth"], clip.size, params.distance, train, window)
    columns = _table(seen, poses, params)
    tables.write(folder / TABLE, LANDMARKS, columns, max(1, round(clip.fps)))
    camera = {
        "clip": [clip.id],
        "focal": [poses.focal],
        "size": [clip.size],
        "valid": [int(columns["valid"].sum())],
        "frames": [count],
    }
    tables.write(folder / CAMERA, CAMERAS, camera)


def _see(clip: Clip, params: LandmarksParams) -> dict[str, Any]:
    """Run the networks over a clip, one frame in memory at a time."""
    finder, matte = backend.opened(params.backend), Matte()
    shoulders = Follower(round(params.shoulder_interval * clip.fps))
    frames = Frames(clip.video)
    count = len(frames)
    seen = {
        "points": np.full((count, 68, 2), np.nan),
        "depth": np.full((count, 68), np.nan),
        "oval": np.full((count, 36, 2), np.nan),
        "irises": np.full((count, 2, 2), np.nan),
        "score": np.zeros(count),
        "sharpness": np.full(count, np.nan),
    }
    for i in range(count):
        image = frames[i]
        face = finder(image)
        traced = None
        if face is not None:
            if shoulders.due():
                traced = trace(matte(image), face.points)
            seen["points"][i], seen["irises"][i], seen["score"][i] = (
                face.points,
                face.irises,
                face.score,
            )
            if face.depth is not None:
                seen["depth"][i] = face.depth
            if face.oval is not None:
                seen["oval"][i] = face.oval
            seen["sharpness"][i] = sharpness(image, face.points)
        shoulders.add(image, traced)
    finder.close()
    matte.close()
    return {**seen, "shoulders": shoulders.finish()}


def sharpness(image: Image, points: Floats) -> float:
    """Measure the variance of the Laplacian over the face's box, scaled to 128 pixels."""
    import cv2

    low = np.maximum(np.floor(points.min(0)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0)), image.shape[1::-1]).astype(int)
    if (high - low < 2).any():
        return 0.0
    crop = cv2.cvtColor(image[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    grey = resize(np.asarray(crop), _FACE_PIXELS)
    return float(np.var(cv2.Laplacian(grey, cv2.CV_64F)))


def _table(seen: dict[str, Any], poses: pose.Poses, params: LandmarksParams) -> dict[str, Any]:
    """Arrange what was seen as columns of LANDMARKS, NaN where there is no valid face."""
    with np.errstate(invalid="ignore"):
        limit = params.max_reprojection * poses.focal / poses.translation[:, 2]
        valid = np.asarray((poses.reprojection <= limit) & (poses.translation[:, 2] > 1))
    moved = poses.points - seen["points"]
    shift = moved.mean(1, keepdims=True)  # the pose's filter moves the face as a whole
    low, high = poses.points.min(1), poses.points.max(1)
    columns = {
        "score": seen["score"],
        "points": poses.points,
        "oval": _oval(seen["oval"], shift, poses),
        "irises": seen["irises"] + shift,
        "box": np.concatenate([low, high - low], axis=-1),
        "rotation": poses.rotation,
        "translation": poses.translation,
        "head": poses.head,
        "reprojection": poses.reprojection,
        "sharpness": seen["sharpness"],
        "opening_eyes": faces.eye_opening(poses.points),
    }
    for values in columns.values():
        values[~valid] = np.nan
    columns["score"] = np.where(valid, columns["score"], 0.0)
    return {
        **columns,
        "frame": np.arange(len(valid)),
        "valid": valid,
        "shoulders": seen["shoulders"],
        "shoulders_valid": np.isfinite(seen["shoulders"]).all((1, 2)),
    }


def _oval(oval: Floats, shift: Floats, poses: pose.Poses) -> Floats:
    """Take the backend's oval, or that of the posed mean face where it gives none."""
    posed = faces.project(
        faces.MEAN_OVAL, poses.rotation, poses.translation, poses.focal, poses.size
    )
    known: NDArray[np.bool_] = np.asarray(np.isfinite(oval).all((1, 2)))
    return np.where(known[:, None, None], oval + shift, posed)
