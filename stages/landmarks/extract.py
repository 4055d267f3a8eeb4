"""One clip: from its frames to its table of landmarks and its camera."""

from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_file
from stages.base.face import face_measures, head_pose, mean_face, projection
from stages.base.face.arrays import Floats
from stages.base.io import tables
from stages.base.io.chunking import chunk_spans
from stages.base.io.image_io import Image, resize
from stages.clips.frames import Frames
from stages.clips.ledger import Clip
from stages.landmarks import backend, pose
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.landmarks.matte import Matte
from stages.landmarks.params import LandmarksParams
from stages.landmarks.shoulders import Follower, Trail, joined, placed, trace

TABLE, CAMERA = "landmarks.parquet", "camera.parquet"
_WARM = 10  # frames before a chunk that the backend is shown, so that it follows the face
_FACE_PIXELS = 128  # sharpness is measured on a face of this size


def extract(clip: Clip, params: LandmarksParams, folder: Path) -> None:
    """Write the landmarks and the camera of one clip into a folder, one chunk after the other."""
    pieces = [folder / f".{first}.npz" for first, _ in chunk_spans(clip.frames, clip.fps)]
    for piece, span in zip(pieces, chunk_spans(clip.frames, clip.fps), strict=True):
        see(clip, span, params, piece)
    assemble(clip, pieces, params, folder)
    for piece in pieces:
        piece.unlink()


def see(clip: Clip, span: tuple[int, int], params: LandmarksParams, piece: Path) -> None:
    """Run the networks over a chunk of a clip, one frame in memory at a time; write what they see.

    Args:
        clip: which.
        span: first frame and end (exclusive) of the chunk; see
        `pipeline.runtime.process_pool.spans`. params: of the stage.
        piece: the file to write: arrays of `_nothing`, and the shoulders' trail, of one frame more,
            the next chunk's first, where the two are joined.
    """
    first, end = span
    finder, matte = backend.opened(params.backend), Matte()
    shoulders = Follower(round(params.shoulder_interval * clip.fps))
    frames = Frames(clip.video, cache_bytes=0)
    for i in range(max(0, first - _WARM), first):
        finder(frames[i])  # a face that is followed is found a little better than a new one
    seen = _nothing(end - first)
    chosen = range(first, min(end + 1, len(frames)))
    for i, image, face in _looked(finder, frames, chosen):
        traced = None
        if face is not None:
            if shoulders.due():
                traced = trace(matte(image), face.points)
            if i < end:
                _keep(seen, i - first, face, image)
        shoulders.add(image, traced)
    finder.close()
    matte.close()
    with atomic_file(piece) as part:
        arrays: dict[str, Any] = {**seen, **asdict(shoulders.trail())}
        np.savez(part, **arrays)


def _looked(
    finder: backend.Backend, frames: Frames, chosen: range
) -> Iterator[tuple[int, Image, backend.Face | None]]:
    """Yield number, picture and face of frames, found in batches of what the backend likes."""
    for start in range(chosen.start, chosen.stop, finder.batch):
        rows = range(start, min(start + finder.batch, chosen.stop))
        images = [frames[i] for i in rows]
        yield from zip(rows, images, finder.several(images), strict=True)


def _nothing(count: int) -> dict[str, NDArray[Any]]:
    """Return the arrays for so many frames in which nothing is seen."""
    return {
        "points": np.full((count, 68, 2), np.nan),
        "depth": np.full((count, 68), np.nan),
        "oval": np.full((count, 36, 2), np.nan),
        "irises": np.full((count, 2, 2), np.nan),
        "score": np.zeros(count),
        "sharpness": np.full(count, np.nan),
    }


def _keep(seen: dict[str, NDArray[Any]], row: int, face: backend.Face, image: Image) -> None:
    seen["points"][row], seen["irises"][row] = face.points, face.irises
    seen["score"][row] = face.score
    if face.depth is not None:
        seen["depth"][row] = face.depth
    if face.oval is not None:
        seen["oval"][row] = face.oval
    seen["sharpness"][row] = sharpness(image, face.points)


def assemble(clip: Clip, pieces: list[Path], params: LandmarksParams, folder: Path) -> None:
    """Write a clip's landmarks and camera from what was seen in its chunks, one in memory at once.

    Of the whole clip nothing but a thousand frames, for the camera, poses and shoulders are kept.
    """
    camera = _camera(clip, pieces, params)
    raw = [
        head_pose.fit_pose(_load(piece, "points"), camera.model, camera.focal, clip.size)
        for piece in pieces
    ]
    R, t = (np.concatenate(parts) for parts in zip(*raw, strict=True))
    kept = pose.steady(R, t, round(params.pose_window * clip.fps))
    trails = [Trail(*(_load(piece, field.name) for field in fields(Trail))) for piece in pieces]
    shoulders = placed(joined(trails), max(1, round(params.shoulder_interval * clip.fps)))
    row, valid = 0, 0
    with tables.writer(folder / TABLE, LANDMARKS, max(1, round(clip.fps))) as add:
        for piece in pieces:
            seen = _load(piece)
            rows = slice(row, row + len(seen["points"]))
            steady = kept[0][rows], kept[1][rows]
            poses = pose.place(seen["points"], seen["depth"], camera, (R[rows], t[rows]), steady)
            columns = _table(seen | {"shoulders": shoulders[rows]}, poses, params)
            add({**columns, "frame": np.arange(rows.start, rows.stop)})
            row, valid = rows.stop, valid + int(columns["valid"].sum())
    told = {
        "clip": [clip.id],
        "focal": [camera.focal],
        "size": [clip.size],
        "valid": [valid],
        "frames": [row],
    }
    tables.write(folder / CAMERA, CAMERAS, told)


def _camera(clip: Clip, pieces: list[Path], params: LandmarksParams) -> pose.Camera:
    there = np.concatenate([np.isfinite(_load(p, "points")).all((1, 2)) for p in pieces])
    train = np.zeros(len(there), bool)
    first, end = clip.train
    train[first:end] = True
    if end <= first:  # an unseen subject trains nothing
        train[:] = True
    chosen = pose.samples(train & there)
    points, depth, row = [], [], 0
    for piece in pieces:
        seen = _load(piece, "points"), _load(piece, "depth")
        some = chosen[(chosen >= row) & (chosen < row + len(seen[0]))] - row
        points.append(seen[0][some])
        depth.append(seen[1][some])
        row += len(seen[0])
    return pose.camera_of(np.concatenate(points), np.concatenate(depth), clip.size, params.distance)


@overload
def _load(piece: Path) -> dict[str, NDArray[Any]]: ...
@overload
def _load(piece: Path, name: str) -> NDArray[Any]: ...
def _load(piece: Path, name: str = "") -> dict[str, NDArray[Any]] | NDArray[Any]:
    """Read one array of a piece, or all."""
    with np.load(piece, allow_pickle=False) as arrays:
        return np.asarray(arrays[name]) if name else {key: arrays[key] for key in arrays.files}


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
        "opening_eyes": face_measures.eye_opening(poses.points),
    }
    for values in columns.values():
        values[~valid] = np.nan
    columns["score"] = np.where(valid, columns["score"], 0.0)
    return {
        **columns,
        "valid": valid,
        "shoulders": seen["shoulders"],
        "shoulders_valid": np.isfinite(seen["shoulders"]).all((1, 2)),
    }


def _oval(oval: Floats, shift: Floats, poses: pose.Poses) -> Floats:
    """Take the backend's oval, or that of the posed mean face where it gives none."""
    posed = projection.project(
        mean_face.MEAN_OVAL, poses.rotation, poses.translation, poses.focal, poses.size
    )
    known: NDArray[np.bool_] = np.asarray(np.isfinite(oval).all((1, 2)))
    return np.where(known[:, None, None], oval + shift, posed)
