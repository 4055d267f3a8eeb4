"""A small project with two subjects and untrained models: enough to render, not to look at."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pipeline.runtime.item_store import file_hash
from stages.base.face.projection import project
from stages.base.io import tables
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import Image, encode_jpeg, encode_png
from stages.base.io.wav_files import write_wav
from stages.base.training.model_files import save_model
from stages.clips.artifacts import FRAMES, LEDGER
from stages.clips.ledger import read_rows, write_rows
from stages.generator.driving import Amplitudes
from stages.generator.model import save as save_generator
from stages.generator.network import UNet
from stages.generator.params import GeneratorParams
from stages.generator.source_images import Source, colour_histogram
from stages.generator.warp_correction import no_correction
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.neutral import neutral
from stages.references.artifacts import TEMPLATES
from stages.speech.apc import APC
from stages.speech.artifacts import SYNC
from stages.style_mapping.artifacts import ISPS
from tests.conftest import REPO
from tests.stages.motion.people import (
    FOCAL,
    REPRESENTATION,
    SIZE,
    person,
    random_model,
    write_subject,
)
from tests.stages.motion.settings import tiny

FRAMES_IN_CLIP = 100
GENERATOR = GeneratorParams.model_validate(
    {
        "size": 32,
        "channels": [4, 8],
        "steps": 1,
        "batch": 1,
        "learning_rate": 1e-3,
        "warmup": 0,
        "ema": 0.9,
        "losses": dict.fromkeys(
            ("adversarial", "l1", "perceptual", "style", "feature_matching"), 1.0
        ),
        "discriminator": {"channels": 4, "layers": 2, "learning_rate": 1e-3, "begins": 0.5},
        "perceptual": {
            "network": "mobilenet_v2",
            "taps": [1],
            "images": 1,
            "close": 1.0,
            "begins": 0.5,
        },
        "isp_dropout": 0.1,
        "isp_gap": 1.0,
        "neutralise": 0.1,
        "one_shot": 0.1,
        "focus": 1.0,
        "rare": 0.5,
        "clip": 50.0,
    }
)
PARAMS = """
subjects: {all: {ann: {role: seen}, bob: {role: seen}}, seen: [ann, bob]}
training: {seed: 1, precision: fp32, threads: 1}
speech: {features: apc, recogniser: words}
transfers: {}
render: {seconds: 0.6, crf: 30, panel: 64, batch: 4, drawn_size: 32, donors: off}
portrait: {size: 96, network: off, max_head_angle: 35.0}
landmarks: {backend: mediapipe, distance: 8.0, max_reprojection: 0.05, pose_window: 0.28, shoulder_interval: 1.0}
"""


def write_project() -> None:
    """Write clips, landmarks, features, ISPs, models and params.yaml into the working folder."""
    Path("params.yaml").write_text(PARAMS)
    Path(".dvc").mkdir(exist_ok=True)
    for name in ("dvc.yaml", "versions.yaml"):  # what makes a folder a project
        shutil.copy(REPO / name, name)
    rng = np.random.default_rng(0)
    for name in ("ann", "bob"):
        write_subject(Path("data"), f"seen/{name}", frames=FRAMES_IN_CLIP)
        clip = Path(f"data/clips/seen/{name}/one-001")
        image = rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
        frames = {
            "frame": np.arange(FRAMES_IN_CLIP),
            "time": np.arange(FRAMES_IN_CLIP) / 25.0,
            "jpeg": [encode_jpeg(image)] * FRAMES_IN_CLIP,
        }
        tables.write(clip / "frames.parquet", FRAMES, frames, 25)
        write_wav(clip / "audio.wav", rng.normal(0, 0.1, FRAMES_IN_CLIP * 640))
        _write_video(name, image)
        isp = encode_png(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8))
        isps = {
            "template": list(TEMPLATES),
            "rank": [0] * 4,
            "chosen": [True] * 4,
            "clip": ["one-001"] * 4,
            "frame": [0] * 4,
            "image": [isp] * 4,
        }
        tables.write(Path(f"data/isp/seen/{name}/isps.parquet"), ISPS, isps)
    shutil.copy(neutral.DEFAULT, "data/neutral.png")
    random_model(tiny()).save()
    _write_generator()
    _write_audio_model()


def _write_video(name: str, picture: Image) -> None:
    """Write the video that a subject's clip was cut from, shorter than it, for a quick test."""
    video = Path(f"data/raw/{name}/one.mp4")
    encode_video(video, [picture] * 20, 25.0)
    ledger = Path(f"data/clips/seen/{name}/clips.parquet")
    write_rows(ledger, [replace(row, sha256=file_hash(video)) for row in read_rows(ledger)])


def _write_generator() -> None:
    torch.manual_seed(0)
    unet = UNet(GENERATOR.size, GENERATOR.channels)
    torch.nn.init.normal_(unet.restyling.out.weight, std=0.1)
    ann = person("ann")
    points = project(ann.mean_face, ann.rest.rotation, ann.rest.translation, FOCAL, SIZE)
    scale = GENERATOR.size / SIZE
    source = Source(
        image=np.full((SIZE, SIZE, 3), 128, np.uint8),
        size=GENERATOR.size,
        points=(points * scale).astype(np.float32),
        shoulders=(ann.rest.shoulders * scale).astype(np.float32),
        correction=no_correction(),
        colours=colour_histogram([np.full((8, 8, 3), 128, np.uint8)]),
        clip="one-001",
        frame=0,
    )
    weights = {"unet": dict(unet.state_dict())}
    sources = {"ann": [source], "bob": [source]}
    amplitudes = {"ann": Amplitudes(0.01, 0.01, 0.1, 0.1), "bob": Amplitudes(0.02, 0.02, 0.2, 0.2)}
    save_generator(Path("models/generator.safetensors"), weights, sources, amplitudes, GENERATOR)


def _write_audio_model() -> None:
    torch.manual_seed(0)
    config = {
        "representation": "apc",
        "hidden": REPRESENTATION,
        "layers": 1,
        "residual": False,
        "fps": 25.0,
        "level_db": -20.0,
    }
    network = APC(REPRESENTATION, 1, residual=False)
    save_model(Path("models/audio.safetensors"), network.state_dict(), config)


def copy_clip(name: str, to: str) -> None:
    """Give a subject a second clip, the same as the first."""
    shutil.copytree(f"data/clips/seen/{name}/one-001", f"data/clips/seen/{name}/{to}")
    for kind in ("landmarks", "features"):
        folder = Path(f"data/{kind}/seen/{name}")
        shutil.copy(folder / "one-001.parquet", folder / f"{to}.parquet")
    for path, fmt in (
        (Path(f"data/clips/seen/{name}/clips.parquet"), LEDGER),
        (Path(f"data/landmarks/seen/{name}/cameras.parquet"), CAMERAS),
        (Path(f"data/speech/seen/{name}/sync.parquet"), SYNC),
    ):
        rows = tables.read(path, fmt)
        twice = {column: np.concatenate([values, values]) for column, values in rows.items()}
        twice["clip"][-1] = to
        tables.write(path, fmt, twice)


def lose_faces(name: str, frames: list[int], clip: str = "one-001") -> None:
    """Make frames of a subject's clip invalid."""
    path = Path(f"data/landmarks/seen/{name}/{clip}.parquet")
    rows = tables.read(path, LANDMARKS)
    valid, points = rows["valid"].copy(), rows["points"].copy()
    valid[frames], points[frames] = False, np.nan
    tables.write(path, LANDMARKS, rows | {"valid": valid, "points": points})
