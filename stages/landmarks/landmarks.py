"""Detect landmarks, irises, shoulders, head pose and camera in each frame of a subject's clips.

    python -m stages landmarks seen/NAME

Reads data/clips/ROLE/NAME; writes data/landmarks/ROLE/NAME (docs/formats.md: landmarks, cameras).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.runtime import item_store
from stages.base.arrays import Floats
from stages.base.clipwise import TABLE, ClipStage, Span, clip_items
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.base.face import face_measures, head_pose, mean_face, projection
from stages.base.io import tables
from stages.base.io.image_io import Image, resize
from stages.base.io.timebase import to_frames
from stages.clips.artifacts import CLIPS_DIR
from stages.clips.frames import Frames
from stages.clips.ledger import Clip, clips_of
from stages.landmarks import backend, pose, shoulders
from stages.landmarks.artifacts import CAMERAS, LANDMARKS, LANDMARKS_DIR
from stages.landmarks.matte import Matte
from stages.landmarks.params import LandmarksParams

CAMERA = "camera.parquet"
_WARM_UP = 10  # frames before a chunk that the backend runs on, so that it tracks the face already
_FACE_PIXELS = 128  # sharpness is measured on a face of this size


@dataclass(frozen=True)
class LandmarksStage(ClipStage[Clip]):
    """Landmarks and camera of one clip; `weights` identify the backend's networks."""

    name: ClassVar[str] = "landmarks"
    params: LandmarksParams
    weights: str

    def key(self, clip: Clip) -> dict[str, Any]:
        """Return what a clip's landmarks depend on."""
        return {
            "frames": item_store.file_hash(clip.video),
            "clip": (clip.id, clip.fps, clip.train),
            "params": self.params.model_dump(),
            "weights": self.weights,
        }

    def compute(self, clip: Clip, span: Span, piece: Path) -> None:
        """Run the networks over a chunk, one frame in memory at a time.

        The piece holds the arrays of `_no_detections` and the shoulder track. The track has one
        frame more, the first of the next chunk, where `shoulders.join_tracks` joins the two.
        """
        first, end = span
        finder, matte = backend.open_backend(self.params.backend), Matte()
        tracker = shoulders.ShoulderTracker(to_frames(self.params.shoulder_interval, clip.fps))
        frames = Frames(clip.video, cache_bytes=0)
        for i in range(max(0, first - _WARM_UP), first):
            finder(frames[i])  # a tracked face is located a little better than a new one
        detections = _no_detections(end - first)
        rows = range(first, min(end + 1, len(frames)))
        for i, image, face in _detect(finder, frames, rows):
            traced = None
            if face is not None:
                if tracker.is_due():
                    traced = shoulders.trace(matte(image), face.points)
                if i < end:
                    _set_detection(detections, i - first, face, image)
            tracker.add(image, traced)
        finder.close()
        matte.close()
        with piece.open("wb") as file:
            arrays: dict[str, Any] = {**detections, **asdict(tracker.track())}
            np.savez(file, **arrays)

    def assemble(self, clip: Clip, pieces: list[Path], folder: Path) -> None:
        """Write the clip's landmarks and camera, one piece in memory at a time.

        Poses, shoulders, and a thousand frames for the camera stay in memory for the whole clip.
        """
        camera = self._camera(clip, pieces)
        fitted = [
            head_pose.fit_pose(_load(piece, "points"), camera.model, camera.focal, clip.size)
            for piece in pieces
        ]
        R, t = (np.concatenate(parts) for parts in zip(*fitted, strict=True))
        smooth = pose.smooth_poses(R, t, to_frames(self.params.pose_window, clip.fps))
        names = [field.name for field in fields(shoulders.ShoulderTrack)]
        tracks = [shoulders.ShoulderTrack(*(_load(p, name) for name in names)) for p in pieces]
        interval = to_frames(self.params.shoulder_interval, clip.fps, 1)
        shoulder_points = shoulders.locate(shoulders.join_tracks(tracks), interval)
        row, valid = 0, 0
        with tables.writer(folder / TABLE, LANDMARKS, to_frames(1.0, clip.fps, 1)) as add:
            for piece in pieces:
                found = _load(piece)
                rows = slice(row, row + len(found["points"]))
                poses = pose.place(
                    found["points"],
                    found["depth"],
                    camera,
                    (R[rows], t[rows]),
                    (smooth[0][rows], smooth[1][rows]),
                )
                found["shoulders"] = shoulder_points[rows]
                columns = _columns(found, poses, self.params.max_reprojection)
                add({**columns, "frame": np.arange(rows.start, rows.stop)})
                row, valid = rows.stop, valid + int(columns["valid"].sum())
        summary = {"clip": clip.id, "focal": camera.focal, "size": clip.size}
        summary |= {"valid": valid, "frames": row}
        tables.write(folder / CAMERA, CAMERAS, {name: [v] for name, v in summary.items()})

    def _camera(self, clip: Clip, pieces: list[Path]) -> pose.Camera:
        """Fit the clip's camera on its training span; on all frames of an unseen subject."""
        valid = np.concatenate([np.isfinite(_load(p, "points")).all((1, 2)) for p in pieces])
        first, end = clip.train if clip.train[1] > clip.train[0] else (0, clip.frames)
        valid[:first] = valid[end:] = False
        chosen = pose.camera_frames(valid)
        points, depth, row = [], [], 0
        for piece in pieces:
            piece_points = _load(piece, "points")
            rows = chosen[(chosen >= row) & (chosen < row + len(piece_points))] - row
            points.append(piece_points[rows])
            depth.append(_load(piece, "depth")[rows])
            row += len(piece_points)
        return pose.fit_camera(
            np.concatenate(points), np.concatenate(depth), clip.size, self.params.distance
        )


def run(
    subject: Subject,
    params: LandmarksParams,
    clips: Path = CLIPS_DIR,
    landmarks: Path = LANDMARKS_DIR,
) -> str:
    """Write the landmarks and cameras of a subject's clips; return a summary line.

    Raises:
        MissingInput: the clips or the backend's weights are missing.
    """
    subject_clips = clips_of(subject, clips)
    stage = LandmarksStage(params, backend.weights_id(params.backend))
    with clip_items(stage, subject_clips, landmarks / str(subject)) as items:
        cameras = [tables.read(folder / CAMERA, CAMERAS) for folder in items.folders]
        rows = {name: [camera[name][0] for camera in cameras] for name in CAMERAS.names}
        tables.write(items.out / "cameras.parquet", CAMERAS, rows)
    valid, frames = sum(rows["valid"]), sum(rows["frames"])
    count = f"{len(subject_clips)} clips ({items.computed} new)"
    return f"{subject}: {count}, a face in {valid} of {frames} frames"


def _detect(
    finder: backend.Backend, frames: Frames, rows: range
) -> Iterator[tuple[int, Image, backend.Face | None]]:
    """Yield number, image and face of each frame, detected in the backend's batches."""
    for start in range(rows.start, rows.stop, finder.batch):
        batch = range(start, min(start + finder.batch, rows.stop))
        images = [frames[i] for i in batch]
        yield from zip(batch, images, finder.detect_batch(images), strict=True)


def _no_detections(count: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a chunk of `count` frames without a face."""
    return {
        "points": np.full((count, 68, 2), np.nan),
        "depth": np.full((count, 68), np.nan),
        "oval": np.full((count, 36, 2), np.nan),
        "irises": np.full((count, 2, 2), np.nan),
        "score": np.zeros(count),
        "sharpness": np.full(count, np.nan),
    }


def _set_detection(
    detections: dict[str, NDArray[Any]], row: int, face: backend.Face, image: Image
) -> None:
    for name in ("points", "depth", "oval", "irises", "score"):
        value = getattr(face, name)
        if value is not None:
            detections[name][row] = value
    detections["sharpness"][row] = sharpness(image, face.points)


@overload
def _load(piece: Path) -> dict[str, NDArray[Any]]: ...
@overload
def _load(piece: Path, name: str) -> NDArray[Any]: ...
def _load(piece: Path, name: str = "") -> dict[str, NDArray[Any]] | NDArray[Any]:
    """Read one array of a piece, or all."""
    with np.load(piece, allow_pickle=False) as arrays:
        return np.asarray(arrays[name]) if name else {key: arrays[key] for key in arrays.files}


def sharpness(image: Image, points: Floats) -> float:
    """Measure the variance of the Laplacian over the face's box, scaled to 128 pixels.

    Args:
        image: RGB, (H, W, 3).
        points: landmarks, (68, 2), pixels.
    """
    low = np.maximum(np.floor(points.min(0)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0)), image.shape[1::-1]).astype(int)
    if (high - low < 2).any():
        return 0.0
    crop = cv2.cvtColor(image[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    grey = resize(np.asarray(crop), _FACE_PIXELS)
    return float(np.var(cv2.Laplacian(grey, cv2.CV_64F)))


def _columns(
    found: dict[str, NDArray[Any]], poses: pose.Poses, max_reprojection: float
) -> dict[str, NDArray[Any]]:
    """Return the columns of LANDMARKS but `frame`; numbers are NaN where no face is valid."""
    with np.errstate(invalid="ignore"):
        limit = max_reprojection * poses.focal / poses.translation[:, 2]
        valid = np.asarray((poses.reprojection <= limit) & (poses.translation[:, 2] > 1))
    # The pose's filter moves the face as a whole, including points that the pose does not place.
    shift = (poses.points - found["points"]).mean(1, keepdims=True)
    low, high = poses.points.min(1), poses.points.max(1)
    columns = {
        "score": found["score"],
        "points": poses.points,
        "oval": _oval(found["oval"], shift, poses),
        "irises": found["irises"] + shift,
        "box": np.concatenate([low, high - low], axis=-1),
        "rotation": poses.rotation,
        "translation": poses.translation,
        "head": poses.head,
        "reprojection": poses.reprojection,
        "sharpness": found["sharpness"],
        "opening_eyes": face_measures.eye_opening(poses.points),
    }
    for values in columns.values():
        values[~valid] = np.nan
    columns["score"] = np.where(valid, columns["score"], 0.0)
    return {
        **columns,
        "valid": valid,
        "shoulders": found["shoulders"],
        "shoulders_valid": np.isfinite(found["shoulders"]).all((1, 2)),
    }


def _oval(oval: Floats, shift: Floats, poses: pose.Poses) -> Floats:
    """Return the backend's oval, or that of the posed mean face where it gives none."""
    posed = projection.project(
        mean_face.MEAN_OVAL, poses.rotation, poses.translation, poses.focal, poses.size
    )
    known: NDArray[np.bool_] = np.asarray(np.isfinite(oval).all((1, 2)))
    return np.where(known[:, None, None], oval + shift, posed)


def main(subject: str) -> None:
    """Detect the landmarks of the subject that the command line names."""
    print(run(Subject.parse(subject), read_section("landmarks", LandmarksParams)))
