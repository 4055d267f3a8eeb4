"""`idiolect repro --keep-going`: a person without usable clips does not stop the others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import REPO
from tests.pipeline.execution.conftest import Small, make

pytestmark = pytest.mark.slow

PARAMS = """
subjects:
  all:
    ann: {role: seen}
    bob: {role: seen}
    cid: {role: seen}
  seen: [ann, bob, cid]
transfers:
  bob: {role: seen}   # kept
sample:
  subjects: {}
"""
DVC = """
stages:
  clips:
    foreach: ${subjects.all}
    do:
      cmd: python clips.py ${item.role} ${key}
      deps: ["data/raw/${key}"]
      outs: ["data/clips/${item.role}/${key}"]
  train_motion:
    cmd: python train.py
    deps: [data/clips/seen]
    params: [subjects.seen]
    outs: [model]
"""
CLIPS = """
import pathlib, sys
from stages.base.config.subjects import remedy
role, name = sys.argv[1:]
text = pathlib.Path("data/raw", name, "video").read_text()
folder = pathlib.Path("data/clips", role, name)
folder.mkdir(parents=True, exist_ok=True)
(folder / "ledger").write_text(text)
if text == "wall":
    sys.exit(f"error: {name}: no usable clip in 1 video; {remedy(name)}")
if text == "broken":
    sys.exit("error: this machine: no space left")
"""
TRAIN = """
from pathlib import Path
names = sorted(path.name for path in Path("data/clips/seen").iterdir() if path.is_dir())
Path("model").write_text(" ".join(names))
"""
RUN = """
from pipeline.execution.console import console
from pipeline.execution.reproduce import print_summary, reproduce
from pipeline.project.leave_out import run_without_failed
from pipeline.runtime.user_errors import report_user_errors

def run():
    code, stages = reproduce((), 2, callbacks=console, check_project=False)
    print_summary(stages, print)
    return code, stages

if __name__ == "__main__":
    with report_user_errors():
        raise SystemExit(run_without_failed(run, print))
"""


def project(tmp_path: Path, **videos: str) -> Small:
    raw = {f"data__raw__{name}__video": text for name, text in videos.items()}
    files = {"params_yaml": PARAMS, "clips_py": CLIPS, "train_py": TRAIN, "run_py": RUN}
    return make(tmp_path / "project", DVC, **files, **raw)


def keep_going(small: Small) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "run.py"],
        cwd=small.root,
        env=os.environ | {"PYTHONPATH": str(REPO)},
        check=False,
        text=True,
        capture_output=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_others_are_trained_and_params_and_lock_say_who(tmp_path: Path) -> None:
    small = project(tmp_path, ann="face", bob="wall", cid="face")
    code, output = keep_going(small)
    assert code == 1, output
    assert (small.root / "model").read_text() == "ann cid"
    params = YAML(typ="safe").load((small.root / "params.yaml").read_text())
    assert params["subjects"]["seen"] == ["ann", "cid"]
    assert params["subjects"]["all"]["bob"] == {"role": "unseen"}
    assert params["transfers"] == {}
    locked = small.lock()["stages"]["train_motion"]["params"]["params.yaml"]
    assert locked == {"subjects.seen": ["ann", "cid"]}
    last = output.splitlines()[-1]
    assert last.startswith("left out: bob: no usable clip in 1 video; bob is now unseen")
    assert (small.root / "data/clips/unseen/bob/ledger").read_text() == "wall"
    again, output = keep_going(small)
    assert again == 1
    assert "left out" not in output
    assert "1 failed" in output
    assert "train_motion" not in output


@pytest.mark.parametrize(
    "videos",
    [
        {"ann": "face", "bob": "broken", "cid": "face"},  # the machine's fault, not the person's
        {"ann": "wall", "bob": "wall", "cid": "wall"},  # nobody would be left
    ],
)
def test_nobody_is_left_out_for_another_reason_or_with_all_others(
    tmp_path: Path, videos: dict[str, str]
) -> None:
    small = project(tmp_path, **videos)
    before = (small.root / "params.yaml").read_text()
    code, output = keep_going(small)
    assert code == 1
    assert "left out" not in output
    assert (small.root / "params.yaml").read_text() == before
    assert not (small.root / "model").exists()
