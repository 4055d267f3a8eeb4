"""A project with the real params, commands, people and champions, whose stages take a moment each."""

import os
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from stages.base.io.wav_files import write_wav
from tests.conftest import REPO
from tests.stages.clips.small_media import face_clip
from tests.stages.render.project import write_project

DVC_YAML = """
stages:
  sample:
    foreach: ${sample.subjects}
    do:
      cmd: exec python make.py sample ${key}
      params: [sample.seconds, 'sample.subjects.${key}']
      outs: ['data/raw/${key}']
  clips:
    foreach: ${subjects.all}
    do:
      cmd: exec python make.py clips ${item.role} ${key}
      deps: ['data/raw/${key}']
      params: [clips.fps]
      outs: ['data/clips/${item.role}/${key}', 'data/landmarks/${item.role}/${key}', 'data/parsing/${item.role}/${key}']
  train:
    cmd: exec python make.py train
    deps: [data/clips/seen, data/portrait]
    params: [lambda_sp, subjects.seen, clips.size]
    outs: [models/generator.safetensors]
  evaluate:
    cmd: exec python make.py evaluate
    deps: [data/clips/seen, models/generator.safetensors]
    params: [lambda_sp, subjects.seen]
    metrics: [reports/metrics]
    outs: [reports/evaluation, reports/metrics.json]
"""
MAKE = """
import hashlib, sys
from pathlib import Path
from ruamel.yaml import YAML

params = YAML(typ="safe").load(Path("params.yaml").read_text())
job, *names = sys.argv[1:]

def write(path, content):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())

def digest(folder):
    files = sorted(p for p in Path(folder).rglob("*") if p.is_file() and not p.name.startswith("."))
    return hashlib.sha256(b"".join(str(p).encode() + p.read_bytes() for p in files)).hexdigest()

if job == "sample":
    write(f"data/raw/{names[0]}/one.mp4", f"a video of {names[0]} " * 20)
elif job == "clips":
    role, name = names
    for part in ("clips/{}/{}/one/frames", "landmarks/{}/{}/one", "parsing/{}/{}/one"):
        kind = part.partition("/")[0]
        write(f"data/{part.format(role, name)}.parquet", f"{kind} {digest('data/raw/' + name)} " * 9)
elif job == "train":
    seen = "".join(digest(f"data/clips/seen/{name}") for name in params["subjects"]["seen"])
    known = f"{params['lambda_sp']} {params['clips']['size']} {digest('data/portrait')} {seen}"
    write("models/generator.safetensors", hashlib.sha256(known.encode()).hexdigest() * 20)
else:
    import numpy as np
    from stages.base.io import tables
    from stages.evaluation.artifacts import SCORES, VOICE_SCORES
    from stages.evaluation.headline import write_scores
    from stages.base.io.image_io import encode_png

    quality, count, scores = params["lambda_sp"], 50, {}
    rows = {name: [] for name in SCORES.names}
    voice = {name: [] for name in VOICE_SCORES.names}
    for name in params["subjects"]["seen"]:
        for answer in ("generator", "source"):
            for frame in range(count):
                for column in SCORES.names:
                    value = {"subject": name, "clip": "one", "frame": frame, "answer": answer}
                    rows[column].append(value.get(column, 25.0 + quality + frame % 7))
        for frame in range(count):
            for column in VOICE_SCORES.names:
                value = {"subject": name, "clip": "one", "frame": frame}
                voice[column].append(value.get(column, 0.05 + frame % 5 * 0.01))
        own = {"psnr_face": 25 + quality, "l1_mouth": 25 - quality}
        scores[name] = {"reconstruction": {"generator": own}, "motion": {"generated": {"lmd": 1.0}}}
    tables.write(Path("reports/evaluation/frames.parquet"), SCORES, rows)
    tables.write(Path("reports/evaluation/voice.parquet"), VOICE_SCORES, voice)
    write_scores({"size": 64, "crop": "face", "judges": {"measures": "1"}, "subjects": scores})
"""
NAMES = ("presets/tiny.yaml", "presets/laptop.yaml", "promotion.yaml", ".gitignore", ".dvcignore")


def environment() -> dict[str, str]:
    """Return variables with which `python` of the stages is this one, with this code."""
    folder = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": folder, "PYTHONPATH": str(REPO), "IDIOLECT_CORES": "2", "DVC_NO_ANALYTICS": "1"}


def make(root: Path, inputs: Path) -> None:
    """Make the project in `root`, in its first commit, and what commands add to it in `inputs`."""
    for name in ("params.yaml", "versions.yaml", ".dvc/config", *NAMES):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, root / name)
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "make.py").write_text(MAKE)
    (root / "data/portrait").mkdir(parents=True)
    (root / "data/portrait/.gitignore").write_text("/neutral.png\n")
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["transfers"], params["lambda_sp"] = {}, 0.5
    yaml.dump(params, root / "params.yaml")
    _commit(root)
    (inputs / "new").mkdir(parents=True)
    face_clip(inputs / "one.mp4", 40)
    face_clip(inputs / "two.mp4", 60)
    face_clip(inputs / "new/three.mp4", 80)
    from skimage import data

    from stages.base.io.image_io import encode_png

    (inputs / "face.png").write_bytes(encode_png(data.astronaut()))


def make_to_render(root: Path, inputs: Path) -> None:
    """Make a project of untrained models, which renders, and a voice in `inputs`."""
    root.mkdir(parents=True)
    with chdir(root):
        write_project()
    _commit(root)
    inputs.mkdir()
    write_wav(inputs / "voice.wav", np.random.default_rng(0).normal(0, 0.1, 16000))


def _commit(root: Path) -> None:
    git(root, "init", "-q", "-b", "main")
    for key, value in (("user.name", "user"), ("user.email", "user@example.com"), ("gc.auto", "0")):
        git(root, "config", key, value)
    git(root, "add", ".")
    git(root, "commit", "-qm", "start")


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout
