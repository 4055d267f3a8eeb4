"""Make one sample subject: its video, and beside it the truth about every frame."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.cpu_count import cpu_count

if TYPE_CHECKING:
    from stages.sample.motion import Motion
    from stages.sample.picture import Painter
    from stages.sample.pose import Pose
    from stages.sample.voice import Utterance

FloatArray = NDArray[np.float64]

IDENTITIES = ("a", "b")
STYLES = ("calm", "lively")


def make_sample(
    identity: str,
    style: str,
    seconds: float,
    size: int,
    fps: int,
    out_video: Path,
    out_truth: Path,
    start: int = 0,
) -> None:
    """Write a video of an identity speaking and singing in a style, and its truth.

    Args:
        identity: `a` or `b`.
        style: `calm` or `lively`.
        seconds: length of the video.
        size: width and height in pixels.
        fps: frames a second.
        out_video: the .mp4 to write.
        out_truth: the folder for truth.parquet, phones.parquet and rest.parquet.
        start: the line of the script to begin with.

    The bytes are the same on every run on one machine.
    """
    from joblib import Parallel, delayed

    from pipeline.runtime.progress import each
    from stages.base.io.encoding import encode_video
    from stages.sample.face import load_face
    from stages.sample.motion import move
    from stages.sample.picture import Painter
    from stages.sample.spoken import speak
    from stages.sample.voice import RATE

    frames = round(seconds * fps)
    speech = speak(identity, style, frames / fps, start)
    seed = 10 * IDENTITIES.index(identity) + STYLES.index(style)
    motion = move(speech, style, frames, fps, seed)
    painter = Painter(load_face(identity))
    rows: list[tuple[FloatArray, Pose]] = []
    drawn = Parallel(n_jobs=cpu_count(), return_as="generator")(
        delayed(_draw)(painter, motion, range(first, min(first + fps, frames)), size)
        for first in range(0, frames, fps)
    )

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for second in drawn:
            for image, points, pose in second:
                rows.append((points, pose))
                yield image

    shown = each(pictures(), f"sample {identity} {style}", frames)
    encode_video(out_video, shown, fps, (speech.sound, RATE), crf=15)
    _write_truth(out_truth, painter, motion, rows, size, fps, style)
    _write_phones(out_truth, speech)


def _draw(
    painter: "Painter", motion: "Motion", frames: range, size: int
) -> list[tuple[NDArray[np.uint8], FloatArray, "Pose"]]:
    """Draw some frames on one core: pictures (size, size, 3), mesh points, poses."""
    import cv2

    cv2.setNumThreads(1)
    made = []
    for frame in frames:
        image, points, pose = painter.draw(motion, frame)
        if size != len(image):
            image = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
        made.append((image, points, pose))
    return made


def _write_truth(
    folder: Path,
    painter: "Painter",
    motion: "Motion",
    rows: list[tuple[FloatArray, "Pose"]],
    size: int,
    fps: int,
    style: str,
) -> None:
    from stages.base.io import tables
    from stages.sample import points as index
    from stages.sample.artifacts import REST, TRUTH
    from stages.sample.grid import CANVAS, at_points
    from stages.sample.motion import MOUTH_GAIN
    from stages.sample.pose import FOCAL

    poses = [pose for _, pose in rows]
    height = painter.face.height
    scale = size / CANVAS
    points = np.stack([mesh for mesh, _ in rows]) * scale
    landmarks = points[:, list(index.IBUG_68)]
    frames = len(rows)
    mouth = motion.mouth
    tables.write(
        folder / "truth.parquet",
        TRUTH,
        {
            "frame": np.arange(frames),
            "time": (np.arange(frames) + 0.5) / fps,
            "landmarks": landmarks,
            "irises": points[:, list(index.IRISES)],
            "R": np.stack([pose.R for pose in poses]),
            "t": np.stack([pose.t for pose in poses]) / height,
            "focal": np.full(frames, FOCAL * scale),
            "torso": np.stack([pose.torso for pose in poses]) * scale,
            "opening": np.linalg.norm(landmarks[:, 66] - landmarks[:, 62], axis=1) / height / scale,
            "blink": motion.blink,
            "brow": motion.brow,
            "jaw": mouth.jaw,
            "press": mouth.press,
            "pucker": mouth.pucker,
            "spread": mouth.spread,
            "gain": np.full(frames, MOUTH_GAIN[style]),
        },
    )
    rest = painter.face.points[list(index.IBUG_68)]
    X = painter.head.at_rest(rest[:, :2], at_points(painter.face.depth, rest)) / height
    tables.write(folder / "rest.parquet", REST, {"X": X})


def _write_phones(folder: Path, speech: "Utterance") -> None:
    from stages.base.io import tables
    from stages.sample.artifacts import PHONES

    phones = speech.phones
    tables.write(
        folder / "phones.parquet",
        PHONES,
        {
            "phone": [p.name for p in phones],
            "start": [p.start for p in phones],
            "end": [p.end for p in phones],
            "stressed": [p.stressed for p in phones],
            "sung": [p.sung for p in phones],
        },
    )
