"""A project of two drawn people, small enough to train on in seconds."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.base.config import code_version
from stages.base.face import head_pose, mean_face, projection, similarity
from stages.base.io import tables
from stages.base.io.image_io import encode_jpeg, encode_png
from stages.clips.artifacts import FRAMES, LEDGER
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.parsing.artifacts import LABELS, PARSING
from stages.references.artifacts import MATCH, REFERENCES, TEMPLATES
from stages.style_mapping.artifacts import ISPS

SIZE, FRAMES_IN_ALL, FOCAL = 64, 40, 160.0
TRAIN, TEST = (0, 30), (34, 40)
PARAMS = """
subjects: {all: {ann: {role: seen}, bob: {role: seen}}, seen: [ann, bob]}
training: {seed: 1, precision: fp32, threads: 1}
region_weights: {mouth: 5.0, eyes: 3.0, skin: 1.0, other: 0.0}
lambda_sp: 1.0
generator:
  size: 32
  channels: [16, 16]
  steps: 6
  batch: 2
  learning_rate: 1.0e-3
  warmup: 2
  ema: 0.9
  clip: 50.0
  losses: {adversarial: 1.0, l1: 100.0, perceptual: 0.0, style: 0.0, feature_matching: 10.0}
  discriminator: {channels: 16, layers: 2, learning_rate: 1.0e-3, begins: 0.5}
  perceptual: {network: mobilenet_v2, taps: [1], images: 0, close: 1.0, begins: 0.5}
  isp_dropout: 0.1
  isp_gap: 0.2
  neutralise: 0.3
  one_shot: 0.2
  rare: 0.5
  focus: 4.0
style_generator: {steps: 4, learning_rate: 5.0e-4, alignment: similarity, restyle_alignment: rigid, restyle_steps: 3}
"""


@pytest.fixture
def project(workdir: Path) -> Path:
    """Return a project folder with all inputs of both phases."""
    (workdir / "params.yaml").write_text(PARAMS)
    code_version.write(workdir / "versions.yaml")
    for name, colour, gain in (("ann", (220, 160, 140), 1.0), ("bob", (140, 160, 220), 2.0)):
        write_person(workdir / "data", name, colour, gain)
    return workdir


def write_person(data: Path, name: str, colour: tuple[int, int, int], gain: float) -> None:
    wave = gain * np.sin(np.arange(FRAMES_IN_ALL) / 3)
    head = np.repeat(mean_face.MEAN_FACE[None], FRAMES_IN_ALL, axis=0)
    head[:, [56, 57, 58, 65, 66, 67], 1] += 0.05 * (1 + wave[:, None])
    R = head_pose.rotation_from_angles(np.stack([wave * 0.05, wave * 0, wave * 0.03], axis=1))
    t = np.array([0.0, 0.1, 6.0]) + 0.05 * wave[:, None]
    points = projection.project(head, R, t, FOCAL, SIZE)
    shoulders = np.stack([np.linspace(2, 62, 18), np.full(18, 58.0)], axis=1)
    frames = [draw_face(p, colour) for p in points]
    labels = [draw_labels(p) for p in points]
    _write_clip(data, name, frames)
    _write_landmarks(data, name, head, R, t, points, shoulders)
    tables.write(
        data / "parsing/seen" / name / "one.parquet",
        PARSING,
        {
            "frame": np.arange(FRAMES_IN_ALL),
            "labels": [encode_png(label) for label in labels],
            "areas": np.zeros((FRAMES_IN_ALL, 4)),
        },
    )
    _write_style(data, name, frames, points)


def draw_face(points, colour):
    image = np.full((SIZE, SIZE, 3), 40, np.uint8)
    whole = np.round(points).astype(np.int32)
    cv2.fillPoly(image, [cv2.convexHull(whole)], colour)
    cv2.fillPoly(image, [whole[48:60]], (170, 60, 60))
    for eye in (whole[36:42], whole[42:48]):
        cv2.fillPoly(image, [eye], (250, 250, 250))
    return image


def draw_labels(points):
    image = np.zeros((SIZE, SIZE), np.uint8)
    whole = np.round(points).astype(np.int32)
    cv2.fillPoly(image, [cv2.convexHull(whole)], LABELS.index("skin"))
    cv2.fillPoly(image, [whole[48:60]], LABELS.index("mouth"))
    for eye in (whole[36:42], whole[42:48]):
        cv2.fillPoly(image, [eye], LABELS.index("eyes"))
    return image


def _write_clip(data, name, frames):
    row = dict.fromkeys(LEDGER.names, 0.0) | {
        "video": "one.mp4",
        "sha256": "",
        "clip": "one",
        "status": "ok",
        "reason": "",
        "fps": 25.0,
        "frames": FRAMES_IN_ALL,
        "size": SIZE,
        "window": np.zeros(3),
        "train": TRAIN,
        "test": TEST,
    }
    folder = data / "clips/seen" / name
    tables.write(folder / "clips.parquet", LEDGER, {key: [value] for key, value in row.items()})
    tables.write(
        folder / "one" / "frames.parquet",
        FRAMES,
        {
            "frame": np.arange(FRAMES_IN_ALL),
            "time": np.arange(FRAMES_IN_ALL) / 25,
            "jpeg": [encode_jpeg(frame) for frame in frames],
        },
        rows_per_group=25,
    )


def _write_landmarks(data, name, head, R, t, points, shoulders):
    count = FRAMES_IN_ALL
    valid = np.ones(count, bool)
    valid[7] = False
    columns = {c.name: np.zeros((count, *c.shape)) for c in LANDMARKS.columns} | {
        "frame": np.arange(count),
        "valid": valid,
        "points": points,
        "irises": np.stack([points[:, 36:42].mean(1), points[:, 42:48].mean(1)], axis=1),
        "shoulders": np.repeat(shoulders[None], count, axis=0),
        "shoulders_valid": np.arange(count) % 5 > 0,
        "rotation": R,
        "translation": t,
        "head": head,
        "sharpness": np.arange(count) % 11,
        "opening_eyes": np.full((count, 2), 0.3),
    }
    columns["points"][7] = np.nan
    folder = data / "landmarks/seen" / name
    tables.write(folder / "one.parquet", LANDMARKS, columns)
    camera = {"clip": ["one"], "focal": [FOCAL], "size": [SIZE], "valid": [39], "frames": [count]}
    tables.write(folder / "cameras.parquet", CAMERAS, camera)


def _write_style(data, name, frames, points):
    rows = [
        (template, rank, 6 * i + 3 * rank)
        for i, template in enumerate(TEMPLATES)
        for rank in (0, 1)
    ]
    shared = {
        "template": [template for template, _, _ in rows],
        "rank": [rank for _, rank, _ in rows],
        "chosen": [rank == 0 for _, rank, _ in rows],
        "clip": ["one"] * len(rows),
        "frame": [frame for _, _, frame in rows],
    }
    images = [frames[frame] for _, _, frame in rows]
    tables.write(
        data / "references" / "seen" / name / "references.parquet",
        REFERENCES,
        shared
        | {
            "distance": np.zeros(len(rows)),
            "amplitude": np.zeros((len(rows), 12)),
            "image": [encode_jpeg(image) for image in images],
        },
    )
    tables.write(
        data / "isp" / "seen" / name / "isps.parquet",
        ISPS,
        shared | {"image": [encode_png(image[::2, ::2]) for image in images]},
    )
    reference = np.arange(FRAMES_IN_ALL) % 5 - 1
    chosen = [rows[2 * max(i, 0)][2] for i in reference]
    tables.write(
        data / "match" / "seen" / name / "one.parquet",
        MATCH,
        {
            "frame": np.arange(FRAMES_IN_ALL),
            "reference": reference,
            "distance": np.zeros(FRAMES_IN_ALL),
            "transform": similarity.fit_similarity(points[chosen], points),
        },
    )
