"""A project with one subject whose face drifts and nods: clips, landmarks, references."""

from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from stages.base.config import code_version
from stages.base.face import head_pose, mean_face, projection
from stages.base.io import tables
from stages.base.io.image_io import encode_jpeg, encode_png, resize
from stages.clips.artifacts import FRAMES, LEDGER
from stages.landmarks.artifacts import CAMERAS, LANDMARKS, NEUTRAL
from stages.references.artifacts import REFERENCES, TEMPLATES
from tests.stages.style_mapping.settings import PARAMS

SIZE, COUNT, FOCAL = 64, 40, 250.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a project of one subject, `someone`, with 24 training and 12 held-out frames."""
    from skimage.data import astronaut

    monkeypatch.chdir(tmp_path)
    face = resize(np.ascontiguousarray(astronaut()[:300, 80:380]), SIZE)
    shifts = (4 * np.sin(np.arange(COUNT) * 0.5)).round().astype(int)
    images = [encode_jpeg(np.roll(face, shift, axis=1)) for shift in shifts]
    clips = Path("data/clips/seen/someone")
    tables.write(clips / "clips.parquet", LEDGER, _ledger())
    tables.write(
        clips / "one-000" / "frames.parquet",
        FRAMES,
        {"frame": np.arange(COUNT), "time": np.arange(COUNT) / 25, "jpeg": images},
        25,
    )
    _landmarks(shifts)
    _references(images)
    Path("data/neutral.png").write_bytes(encode_png(resize(face, 80)))
    sections = {
        "subjects": {"all": {"someone": {"role": "seen"}}, "seen": ["someone"]},
        "training": {"seed": 1, "precision": "fp32", "threads": 1},
        "style_mapping": PARAMS.model_dump(mode="json"),
        "isp": {"size": 64},
    }
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe").dump(sections, file)
    code_version.write(Path("versions.yaml"))
    return tmp_path


def _ledger() -> dict[str, object]:
    numbers = {"start": 0.0, "end": COUNT / 25, "fps": 25.0, "frames": COUNT, "size": SIZE}
    numbers |= {"source_width": SIZE, "source_height": SIZE, "source_fps": 25.0}
    numbers |= {
        "face_height": 30.0,
        "missing": 0.0,
        "others": 0.0,
        "lips_lead": 1.0,
        "loudness": -20.0,
    }
    numbers |= {"sharpness": 90.0, "exposure": 120.0, "clipped": 0.0}
    numbers |= {"head_angle": 5.0, "occlusion": 0.0, "confidence": 0.93, "hand": 0.0}
    texts = {"video": "one.mp4", "sha256": "", "clip": "one-000", "status": "ok", "reason": ""}
    row: dict[str, object] = {name: [value] for name, value in (numbers | texts).items()}
    spans = {"window": [[0, 0, SIZE]], "train": [[0, 24]], "test": [[28, COUNT]]}
    return row | spans


def _landmarks(shifts: np.ndarray) -> None:
    angles = np.zeros((COUNT, 3))
    angles[:, 1] = shifts * 0.02
    R = head_pose.rotation_from_angles(angles)
    t = np.stack([shifts * 6 / FOCAL, np.zeros(COUNT), np.full(COUNT, 6.0)], axis=-1)
    points = projection.project(mean_face.MEAN_FACE, R, t, FOCAL, SIZE)
    low, high = points.min(1), points.max(1)
    filled = {c.name: np.zeros((COUNT, *c.shape), c.type) for c in LANDMARKS.columns}
    filled |= {"frame": np.arange(COUNT), "valid": np.arange(COUNT) != 3, "points": points}
    filled |= {"rotation": R, "translation": t, "box": np.hstack([low, high - low])}
    filled |= {"head": np.repeat(mean_face.MEAN_FACE[None], COUNT, axis=0)}
    folder = Path("data/landmarks/seen/someone")
    tables.write(folder / "one-000.parquet", LANDMARKS, filled)
    camera = {"clip": ["one-000"], "focal": [FOCAL], "size": [SIZE]}
    camera |= {"valid": [COUNT - 1], "frames": [COUNT]}
    tables.write(folder / "cameras.parquet", CAMERAS, camera)
    neutral = {"size": [80], "focal": [FOCAL * 80 / SIZE], "points": points[:1] * 80 / SIZE}
    neutral |= {"head": mean_face.MEAN_FACE[None], "rotation": R[:1], "translation": t[:1]}
    tables.write(Path("data/neutral.parquet"), NEUTRAL, neutral)


def _references(images: list[bytes]) -> None:
    picks = [(name, rank, 5 * i + rank) for i, name in enumerate(TEMPLATES) for rank in range(2)]
    tables.write(
        Path("data/references/seen/someone/references.parquet"),
        REFERENCES,
        {
            "template": [name for name, _, _ in picks],
            "rank": [rank for _, rank, _ in picks],
            "chosen": [rank == 0 for _, rank, _ in picks],
            "clip": ["one-000"] * len(picks),
            "frame": [frame for _, _, frame in picks],
            "distance": np.zeros(len(picks)),
            "amplitude": np.zeros((len(picks), 12)),
            "image": [images[frame] for _, _, frame in picks],
        },
    )
