"""Generate the sample subjects' videos, with a face and a voice from packages.

    python -m stages sample sample_calm         # a minute on one core

Warps a NASA portrait (public domain): the head turns, lids blink, the mouth follows the phones of
synthesized speech and song. Writes data/raw/NAME, and the truth of every frame under data/truth;
tests and benches measure with the truth, no stage reads it.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed

from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.progress import with_progress
from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import read_section
from stages.base.io import tables
from stages.base.io.encoding import encode_video
from stages.base.io.timebase import to_frames
from stages.sample import contours
from stages.sample.artifacts import PHONES, RAW, REST, TRUTH, TRUTHS
from stages.sample.canvas import CANVAS, FloatArray, Image, sample_points
from stages.sample.deformation import FOCAL, Pose
from stages.sample.face import load_face
from stages.sample.motion import MOUTH_GAIN, Motion, move
from stages.sample.painter import Painter
from stages.sample.params import SampleParams
from stages.sample.script import speak
from stages.sample.voice import RATE, Utterance

IDENTITIES = ("a", "b")
STYLES = ("calm", "lively")


def run(name: str, params: SampleParams) -> None:
    """Generate a sample subject's video and truth; raise BadParams for an unknown name."""
    if name not in params.subjects:
        known = ", ".join(params.subjects)
        raise BadParams(f"sample.subjects.{name}", f"no such sample subject; known: {known}")
    subject = params.subjects[name]
    make_sample(
        subject.identity,
        subject.style,
        params.seconds,
        params.size,
        params.fps,
        RAW / name / f"{name}.mp4",
        TRUTHS / name,
    )


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
        fps: frames per second.
        out_video: the .mp4 to write.
        out_truth: the folder for truth.parquet, phones.parquet and rest.parquet.
        start: the line of the script to begin with.

    The bytes are the same on every run on one machine.
    """
    frames = to_frames(seconds, fps)
    speech = speak(identity, style, frames / fps, start)
    seed = 10 * IDENTITIES.index(identity) + STYLES.index(style)
    motion = move(speech, style, frames, fps, seed)
    painter = Painter(load_face(identity))
    meshes: list[FloatArray] = []
    poses: list[Pose] = []
    chunks = Parallel(n_jobs=cpu_count(), return_as="generator")(
        delayed(_draw)(painter, motion, range(first, min(first + fps, frames)), size)
        for first in range(0, frames, fps)
    )

    def images() -> Iterator[Image]:
        for chunk in chunks:
            for image, mesh, pose in chunk:
                meshes.append(mesh)
                poses.append(pose)
                yield image

    progress = with_progress(images(), f"sample {identity} {style}", frames)
    encode_video(out_video, progress, fps, (speech.sound, RATE), crf=15)
    scale = size / CANVAS
    _write_truth(out_truth, painter, motion, np.stack(meshes) * scale, poses, scale, fps, style)
    _write_phones(out_truth, speech)


def _draw(
    painter: Painter, motion: Motion, frames: range, size: int
) -> list[tuple[Image, FloatArray, Pose]]:
    """Draw some frames on one core: images (size, size, 3), mesh points (478, 2), poses."""
    cv2.setNumThreads(1)
    drawn = []
    for frame in frames:
        image, mesh, pose = painter.draw(motion, frame)
        if size != CANVAS:
            image = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
        drawn.append((image, mesh, pose))
    return drawn


def _write_truth(
    folder: Path,
    painter: Painter,
    motion: Motion,
    points: FloatArray,
    poses: list[Pose],
    scale: float,
    fps: int,
    style: str,
) -> None:
    """Write the truth of every frame, in pixels of the video, and the landmarks at rest."""
    height = painter.face.height
    landmarks = points[:, list(contours.IBUG_68)]
    frames = len(poses)
    mouth = motion.mouth
    tables.write(
        folder / "truth.parquet",
        TRUTH,
        {
            "frame": np.arange(frames),
            "time": (np.arange(frames) + 0.5) / fps,
            "landmarks": landmarks,
            "irises": points[:, list(contours.IRISES)],
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
    rest = painter.face.points[list(contours.IBUG_68)]
    X = painter.head.to_head_frame(rest[:, :2], sample_points(painter.face.depth, rest)) / height
    tables.write(folder / "rest.parquet", REST, {"X": X})


def _write_phones(folder: Path, speech: Utterance) -> None:
    rows = [(p.name, p.start, p.end, p.stressed, p.sung) for p in speech.phones]
    columns = dict(zip(PHONES.names, zip(*rows, strict=True), strict=True))
    tables.write(folder / "phones.parquet", PHONES, columns)


def main(subject: str) -> None:
    """Generate the sample subject that the command line names."""
    run(subject, read_section("sample", SampleParams))
