"""Synthetic subjects with known mouth, head and lid motion."""

from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from stages.base.face.head_pose import rotation_from_vector
from stages.base.face.mean_face import MEAN_FACE
from stages.base.face.projection import project
from stages.base.io import tables
from stages.base.io.wav_files import write_wav
from stages.clips.artifacts import LEDGER
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.motion.emphasis import Emphasis
from stages.motion.eyes import DEFAULT_BLINKS, BlinkSampler, close_lids, irises_from_gaze
from stages.motion.model import MotionModel, build
from stages.motion.mouth import MouthTcn
from stages.motion.params import MotionParams
from stages.motion.person import MotionPerson
from stages.motion.predict import MotionStream, join
from stages.motion.recordings import Rest
from stages.motion.ridge_regression import RidgeRegression
from stages.references.artifacts import REFERENCES, TEMPLATES
from stages.speech.artifacts import FEATURES, SYNC
from stages.speech.phone_track import PHONES

SIZE, FOCAL = 128, 400.0
REPRESENTATION = 240
WIDTH = REPRESENTATION + len(PHONES)
GAZE = np.array([[0.05, 0.02], [-0.03, 0.02]])
LOWER = (*range(4, 13), *range(55, 60), 64, 65, 66, 67)


def person(name: str, opening: float = 0.02) -> MotionPerson:
    """Return a person with the mean face of all, whose mouth is open by `opening` at rest."""
    mean = MEAN_FACE.copy()
    mean[list(LOWER), 1] += opening
    shoulders = np.stack([np.linspace(20, 108, 18), np.full(18, 118.0)], axis=1)
    return MotionPerson(
        name=name,
        mean_face=mean,
        closed_face=MEAN_FACE.copy(),
        mouth_scale=0.03,
        rest=Rest(np.eye(3), np.array([0.0, 0.0, 8.0]), shoulders, FOCAL, SIZE),
        pose_scale=np.full(6, 0.05),
        velocity_scale=np.full(6, 0.01),
        pose_range=np.array([[-0.1] * 6, [0.1] * 6]),
        mouth_gain=1.0,
        head_gain=np.ones(6),
        gaze=GAZE,
        gaze_spread=np.array([0.05, 0.03]),
        torso=0.4,
        blinks=DEFAULT_BLINKS,
        nods=Emphasis(0.3, -1.0),
    )


def random_model(params: MotionParams, fps: float = 25.0, base: int = 0) -> MotionModel:
    """Return a model of two people with random networks."""
    torch.manual_seed(0)
    people = {name: person(name, opening) for name, opening in (("ann", 0.02), ("bob", 0.05))}
    networks = build(params, len(people), 2 * WIDTH, fps)
    if isinstance(networks.mouth, MouthTcn):
        torch.nn.init.normal_(networks.mouth.basis[:, 48 * 3 :], std=0.1)  # lips
    features = torch.randn(base, REPRESENTATION)
    weights = np.random.default_rng(0).normal(0, 0.02, (5 * WIDTH, 204)).astype(np.float32)
    return MotionModel(
        params=params,
        fps=fps,
        regression=RidgeRegression(weights, (-2, -1, 0, 1, 2)),
        personal={"bob": RidgeRegression(weights[::-1].copy(), (-2, -1, 0, 1, 2))},
        mouth=networks.mouth.eval(),
        pose=networks.pose.eval(),
        encoder=networks.encoder.eval(),
        styles=networks.own.weight.detach(),
        feature_mean=torch.zeros(2 * WIDTH),
        feature_scale=torch.ones(2 * WIDTH),
        people=people,
        bases=dict.fromkeys(people, features),
    )


def write_subject(
    data: Path,
    subject: str,
    *,
    frames: int = 300,
    fps: float = 25.0,
    gain: float = 0.05,
    holes: tuple[int, ...] = (),
) -> np.ndarray:
    """Write clips' ledger, landmarks, features and sync of one clip; return the true openings.

    All features carry the opening, so that the mouth can be learnt; the head sways, and
    the shoulders follow it by 0.4.
    """
    rng = np.random.default_rng(len(subject) + frames)
    time = np.arange(frames) / fps
    drive = gaussian_filter1d(rng.normal(size=frames), 0.08 * fps)
    drive = np.clip(0.5 + 0.25 * drive / drive.std(), 0.0, 1.0)
    opening = gain * drive
    head = np.repeat(MEAN_FACE[None], frames, axis=0)
    head[:, LOWER, 1] += opening[:, None]
    closed = BlinkSampler(DEFAULT_BLINKS, fps, rng).sample(frames)
    head = close_lids(head, closed)
    sway = 0.05 * np.sin(2 * np.pi * 0.4 * time)[:, None]
    R = rotation_from_vector(sway * [0.5, 1.0, 0.2])
    t = np.array([0.0, 0.0, 8.0]) + sway * [1.0, 0.5, 0.0]
    points = project(head, R, t, FOCAL, SIZE)
    shift = FOCAL * (t[:, :2] - [0.0, 0.0]) / 8.0
    valid = np.ones(frames, bool)
    valid[list(holes)] = False
    gone = ~valid
    columns = {
        "frame": np.arange(frames),
        "valid": valid,
        "score": np.ones(frames),
        "points": points,
        "oval": np.zeros((frames, 36, 2)),
        "irises": irises_from_gaze(points, np.repeat(GAZE[None], frames, axis=0)),
        "shoulders": person("any").rest.shoulders + 0.4 * shift[:, None],
        "shoulders_valid": valid,
        "box": np.zeros((frames, 4)),
        "rotation": R,
        "translation": t,
        "head": head,
        "reprojection": np.zeros(frames),
        "sharpness": np.ones(frames),
        "opening_eyes": 0.3 * (1 - closed)[:, None] * np.ones(2),
    }
    for name in ("points", "irises", "shoulders", "rotation", "translation", "head"):
        columns[name] = np.array(columns[name], np.float32)
        columns[name][gone] = np.nan
    held = frames * 4 // 5
    gap = round(fps)
    tables.write(data / f"landmarks/{subject}/one-001.parquet", LANDMARKS, columns)
    tables.write(
        data / f"landmarks/{subject}/cameras.parquet",
        CAMERAS,
        {
            "clip": ["one-001"],
            "focal": [FOCAL],
            "size": [SIZE],
            "valid": [valid.sum()],
            "frames": [frames],
        },
    )
    weights = np.random.default_rng(0).normal(size=REPRESENTATION)
    features = np.repeat(drive - 0.5, 2)[:, None] * weights
    features += rng.normal(0, 0.1, features.shape)
    tables.write(
        data / f"features/{subject}/one-001.parquet",
        FEATURES,
        {
            "step": np.arange(2 * frames),
            "feature": features,
            "phones": np.zeros((2 * frames, len(PHONES))),
        },
    )
    write_sync(data, subject, {"one-001": 0.0})
    at = [20 + 7 * i for i in range(8) if 20 + 7 * i < frames - 20]
    references = {
        "template": [TEMPLATES[i % 4] for i in range(len(at))],
        "rank": [i // 4 for i in range(len(at))],
        "chosen": [i < 4 for i in range(len(at))],
        "clip": ["one-001"] * len(at),
        "frame": at,
        "distance": [0.0] * len(at),
        "amplitude": np.zeros((len(at), 12)),
        "image": [b""] * len(at),
    }
    tables.write(data / f"references/{subject}/references.parquet", REFERENCES, references)
    write_wav(data / f"clips/{subject}/one-001/audio.wav", np.zeros(round(frames / fps * 16000)))
    ledger = {
        "video": ["one.mp4"],
        "sha256": ["0" * 64],
        "clip": ["one-001"],
        "status": ["ok"],
        "reason": [""],
        "start": [0.0],
        "end": [frames / fps],
        "fps": [fps],
        "frames": [frames],
        "size": [SIZE],
        "source_width": [SIZE],
        "source_height": [SIZE],
        "source_fps": [fps],
        "window": [[0, 0, SIZE]],
        "face_height": [50.0],
        "missing": [0.0],
        "others": [0.0],
        "lips_lead": [np.nan],
        "loudness": [-20.0],
        "sharpness": [90.0],
        "exposure": [120.0],
        "clipped": [0.0],
        "head_angle": [5.0],
        "occlusion": [0.0],
        "confidence": [0.93],
        "hand": [0.0],
        "train": [[0, held - gap]],
        "test": [[held, frames]],
    }
    tables.write(data / f"clips/{subject}/clips.parquet", LEDGER, ledger)
    return opening


def write_sync(data: Path, subject: str, late: dict[str, float]) -> None:
    """Write how late the sound of clips is, in seconds; NaN where it is not their lips'."""
    foreign = [np.isnan(seconds) for seconds in late.values()]
    columns = {
        "clip": list(late),
        "status": ["rejected" if other else "ok" for other in foreign],
        "reason": ["r 0.02 in 16.0 s" if other else "" for other in foreign],
        "late": list(late.values()),
        "offset": list(late.values()),
        "correlation": [0.5] * len(late),
        "seconds": [16.0] * len(late),
    }
    tables.write(data / f"speech/{subject}/sync.parquet", SYNC, columns)


def generate(model, features, style, seed, silent=None, loud=None):
    """Predict the motion of a whole recording at once."""
    stream = MotionStream(model, style, seed)
    return join([stream.push(features, silent, loud), stream.finish()])
