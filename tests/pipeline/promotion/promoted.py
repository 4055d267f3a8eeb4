"""A small project that is really run: its one trained number decides how good its pictures are."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from dvc.cli import main
from typer.testing import CliRunner

from pipeline.cli.app import app
from tests.conftest import REPO

DVC_YAML = """
stages:
  clips:
    cmd: python make.py clips
    params: [held_out]
    outs: [data/clips/seen/ann, data/landmarks/seen/ann, data/parsing/seen/ann]
  train:
    cmd: python make.py train
    deps: [data/raw]
    params: [quality]
    outs: [models/generator.safetensors]
  evaluate:
    cmd: python make.py evaluate
    deps: [data/clips/seen/ann, models/generator.safetensors]
    params: [held_out, quality]
    metrics: [reports/metrics]
    outs: [reports/evaluation, reports/metrics.json]
"""
PARAMS = """# what is trained
quality: 0.0          # dB
held_out: {one: 10}   # seconds a clip
clips: {fps: 25.0}
subjects: {all: {ann: {role: seen}}, seen: [ann]}
"""
RULES = """
better: {metric: reconstruction.generator.psnr_face, by: 0.1}
not_worse:
  - {metric: reconstruction.generator.l1_mouth, margin: 0.5}
  - {metric: motion.generated.lmd, margin: 0.1}
missing: keep
seconds: 5
first: beats_trivial
"""
MAKE = """
import json, sys
from pathlib import Path
from ruamel.yaml import YAML

params = YAML(typ="safe").load(Path("params.yaml").read_text())
clips = [(c, f) for c, s in params["held_out"].items() for f in range(25 * s)]
if sys.argv[1] == "clips":
    for clip in params["held_out"]:
        for name in (f"clips/seen/ann/{clip}/frames", f"landmarks/seen/ann/{clip}", f"parsing/seen/ann/{clip}"):
            path = Path(f"data/{name}.parquet")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name + params.get("look", ""))
elif sys.argv[1] == "train":
    Path("models").mkdir(exist_ok=True)
    Path("models/generator.safetensors").write_text(f"weights {params['quality']}")
else:
    import numpy as np
    from stages.base.io import tables
    from stages.evaluation.artifacts import SCORES, VOICE_SCORES
    from stages.base.io.image_io import encode_png

    quality = params["quality"]
    count = len(clips)
    wave = np.repeat(np.random.default_rng(0).normal(size=count // 25), 25)
    noise = 0.05 * np.random.default_rng(round(1000 * quality) + 9007).normal(size=count)
    rows = {"subject": ["ann"] * 2 * count, "clip": 2 * [c for c, _ in clips],
            "frame": 2 * [f for _, f in clips], "answer": ["generator"] * count + ["source"] * count}
    for name in SCORES.names[4:]:
        good = -1.0 if name.startswith("l1") else 1.0
        if name == "l1_mouth":
            good = params.get("mouth", good)
        rows[name] = np.concatenate([25 + wave + good * (quality + noise), 22 + wave])
    tables.write(Path("reports/evaluation/frames.parquet"), SCORES, rows)
    opening = 0.05 + 0.02 * np.sin(np.arange(count))
    voice = {"subject": ["ann"] * count, "clip": [c for c, _ in clips], "frame": [f for _, f in clips],
             "lips": 1.0 + 0 * noise, "lips_at_rest": 2.0 + 0 * noise}
    voice |= {n: opening + noise * 0.01 for n in VOICE_SCORES.names if n.startswith("opening")}
    tables.write(Path("reports/evaluation/voice.parquet"), VOICE_SCORES, voice)
    own = {"psnr_face": 25 + quality, "l1_mouth": 25 - quality}
    scores = {"reconstruction": {"generator": own}, "motion": {"generated": {"lmd": 1.0, "d_v": 10 - quality}}}
    from stages.evaluation.headline import write_scores
    write_scores({"size": 64, "crop": "face", "judges": {"measures": "1"}, "subjects": {"ann": scores}})
    shade = np.full((16, 16, 3), round(100 + 10 * quality), np.uint8)
    Path("reports/evaluation/figures").mkdir()
    Path("reports/evaluation/figures/ann_frames.png").write_bytes(encode_png(shade))
"""


def git(*arguments: str) -> str:
    """Run git as a user does."""
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def dvc(*arguments: str, code: int = 0) -> None:
    assert main(["-q", *arguments]) == code, arguments


def new() -> None:
    """Make the project in the working folder, commit it, and run it."""
    shutil.copy(REPO / ".gitignore", ".gitignore")
    Path("dvc.yaml").write_text(DVC_YAML)
    Path("params.yaml").write_text(PARAMS)
    Path("promotion.yaml").write_text(RULES)
    Path("make.py").write_text(MAKE)
    Path("versions.yaml").write_text("train: a1\nevaluate: b1\n")
    git("init", "-q", "-b", "main")
    git("config", "user.name", "user")
    git("config", "user.email", "user@example.com")
    dvc("init")
    Path("data/raw/ann").mkdir(parents=True)
    Path("data/raw/ann/one.mp4").write_text("a video")
    dvc("add", "data/raw/ann")
    git("add", ".")
    git("commit", "-qm", "start")
    dvc("repro")


def retrain(**params: object) -> None:
    """Change params and run what is stale."""
    edit(**params)
    dvc("repro")


def edit(**params: object) -> None:
    """Set params, each in one line."""
    lines = Path("params.yaml").read_text().splitlines()
    for name, value in params.items():
        lines = [line for line in lines if not line.startswith(f"{name}:")]
        lines.append(f"{name}: {json.dumps(value)}")
    Path("params.yaml").write_text("\n".join(lines) + "\n")


def python_first(path: str) -> str:
    """Put this Python first on a PATH, as `python` of the stages."""
    return f"{Path(sys.executable).parent}:{path}"


def run(*arguments: str) -> str:
    """Run a command of idiolect; return what it prints."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def tags() -> list[str]:
    return git("tag", "--list", "champion/*").split()


def records() -> list[str]:
    return sorted(re.sub(r"^\S+_", "", p.name) for p in Path("reports/promotion").glob("*.md"))
