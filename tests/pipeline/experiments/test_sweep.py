"""A sweep runs every combination of the values of known params."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from pipeline.experiments import sweep
from pipeline.project.revision import Revision
from pipeline.runtime.user_errors import BadParams, UserError
from tests.conftest import REPO


@pytest.fixture(autouse=True)
def params(workdir: Path) -> None:
    shutil.copy(REPO / "params.yaml", workdir)


def test_every_combination_is_a_variant_the_first_values_first() -> None:
    found = sweep.combinations(["region_weights.mouth=5, 10", "lambda_sp=0,1"])
    assert [dict(v.changes) for v in found] == [
        {"region_weights.mouth": "5", "lambda_sp": "0"},
        {"region_weights.mouth": "5", "lambda_sp": "1"},
        {"region_weights.mouth": "10", "lambda_sp": "0"},
        {"region_weights.mouth": "10", "lambda_sp": "1"},
    ]
    assert found[0].name == "region_weights.mouth=5 lambda_sp=0"


@pytest.mark.parametrize("text", ["region_weights.lips=5", "lambda=1", "lambda_sp.x=1"])
def test_an_unknown_param_is_reported(text: str) -> None:
    with pytest.raises(BadParams, match="no such param"):
        sweep.combinations([text])


def test_the_nearest_name_of_an_unknown_param_is_proposed() -> None:
    with pytest.raises(BadParams, match=r"did you mean region_weights\.mouth"):
        sweep.combinations(["region_weights.mout=5"])


@pytest.mark.parametrize("texts", [["lambda_sp=5,1,5.0"], ["lambda_sp=0", "lambda_sp=1"]])
def test_a_duplicate_value_or_key_is_reported(texts: list[str]) -> None:
    with pytest.raises(BadParams, match="twice"):
        sweep.combinations(texts)


def test_a_param_without_values_is_reported() -> None:
    with pytest.raises(BadParams, match="expected values"):
        sweep.combinations(["lambda_sp="])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("region_weights.mouth=-1,5", "region_weights.mouth: .* equal to 0, found -1"),
        ("region_weights.mouth=5,lots", "region_weights.mouth: .* valid number, .* found 'lots'"),
        ("generator.size=100", "generator.size: expected a power of two"),
        ("style_generator.alignment=meshes", "style_generator.alignment: .* found 'meshes'"),
        ("lambda_sp=1,nan", "lambda_sp: expected a number"),
        ("lambda_sp={1", "cannot be read"),
        ("lambda_sp=${x}", "cannot be read: .* 'x' not found"),
        ("style_mapping.perceptual=vgg20", "vgg20: no such perceptual network"),
    ],
)
def test_a_value_that_a_stage_would_refuse_is_reported_before_any_run(
    text: str, message: str
) -> None:
    before = Path("params.yaml").read_text()
    with pytest.raises(BadParams, match=message) as caught:
        sweep.run(sweep.combinations([text]))
    assert "\n" not in str(caught.value)
    assert Path("params.yaml").read_text() == before


def test_region_weights_that_are_all_0_are_reported() -> None:
    texts = [f"region_weights.{region}=0,1" for region in ("mouth", "eyes", "skin", "other")]
    with pytest.raises(BadParams, match="all region weights are 0"):
        sweep.run(sweep.combinations(texts))


def test_a_sweep_needs_a_finished_run() -> None:
    with pytest.raises(UserError, match="idiolect repro"):
        sweep.run(sweep.combinations(["lambda_sp=0"]))


def test_a_locked_index_of_git_is_reported_before_any_run() -> None:
    _run("git init -q")
    Path("dvc.lock").touch()
    Path(".git/index.lock").touch()
    with pytest.raises(UserError, match=r"\.git/index\.lock: exists: "):
        sweep.run([])


@pytest.mark.slow
def test_an_experiment_has_the_videos_of_a_subject_that_git_does_not_track_yet(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):  # a user without name and e-mail
        monkeypatch.setenv(variable, "/dev/null")
    monkeypatch.delenv("GIT_CONFIG_COUNT", raising=False)
    shutil.copy(REPO / ".gitignore", workdir)
    stage = {"cmd": "cp data/raw/ann/clip.txt out.txt", "deps": ["data/raw/ann"]}
    stage |= {"params": ["lambda_sp"], "outs": ["out.txt"]}
    (workdir / "dvc.yaml").write_text(json.dumps({"stages": {"copy": stage}}))
    (workdir / "data/raw/ann").mkdir(parents=True)
    (workdir / "data/raw/ann/clip.txt").write_text("frames")
    for command in ("git init -q", "dvc init -q", "git add .", "git commit -qm base"):
        _run(command)
    _run("dvc add -q data/raw/ann")
    before = dict(os.environ)
    revision = sweep._run_experiment(sweep.Variant("none", {"lambda_sp": "0.0"}))
    assert Revision("experiment", revision).text("out.txt") == "frames"
    assert dict(os.environ) == before


@pytest.mark.slow
def test_a_work_tree_that_git_cannot_stash_is_one_line_and_keeps_its_changes(workdir: Path) -> None:
    shutil.copy(REPO / ".gitignore", workdir)
    stage = {"cmd": "echo 1 > out.txt", "params": ["lambda_sp"], "outs": ["out.txt"]}
    Path("dvc.yaml").write_text(json.dumps({"stages": {"copy": stage}}))
    Path("notes").write_text("first\n")
    for command in ("git init -q", "dvc init -q", "git add .", "git commit -qm base"):
        _run(command)
    Path("notes").write_text("second\n")
    _run("git commit -qam second")
    Path("notes").write_text("third\n")
    with suppress(subprocess.CalledProcessError):
        _run("git stash")
        _run("git revert --no-edit HEAD")
        _run("git stash pop")  # a conflict: its entries of the index cannot be stashed
    before = Path("notes").read_text()
    with pytest.raises(UserError, match=r"the experiment failed: .*; if .* `git stash pop`"):
        sweep._run_experiment(sweep.Variant("none", {"lambda_sp": "0.0"}))
    assert Path("notes").read_text() == before


@pytest.mark.slow
def test_a_ref_that_git_cannot_write_is_one_line(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dulwich import file, refs

    def locked(filename: bytes, *_: object) -> None:  # as after a first attempt on a full disk
        raise file.FileLocked(filename, filename + b".lock")

    shutil.copy(REPO / ".gitignore", workdir)
    stage = {"cmd": "echo 1 > out.txt", "params": ["lambda_sp"], "outs": ["out.txt"]}
    Path("dvc.yaml").write_text(json.dumps({"stages": {"copy": stage}}))
    for command in ("git init -q", "dvc init -q", "git add .", "git commit -qm base"):
        _run(command)
    monkeypatch.setattr(refs, "GitFile", locked)
    expected = r"git cannot write (\S*); if the disk is full, make room; .* delete \1\.lock$"
    with pytest.raises(UserError, match=expected):
        sweep._run_experiment(sweep.Variant("none", {"lambda_sp": "0.0"}))


def _run(command: str) -> None:
    name = ("-c", "user.name=a", "-c", "user.email=a@b")
    words = [
        word for part in command.split() for word in ((part, *name) if part == "git" else (part,))
    ]
    if words[0] == "dvc":
        words = [sys.executable, "-m", *words]
    subprocess.run(words, check=True, capture_output=True)


@pytest.mark.slow
def test_every_part_that_an_ablation_changes_is_a_param() -> None:
    names = [variant.name for variant in sweep.ABLATION]
    assert len(set(names)) == len(names)
    for variant in sweep.ABLATION:
        for key in variant.changes:
            sweep.check_key(key)
        sweep.check(variant)


def test_a_generator_without_isps_is_compared_by_its_images_without_isps() -> None:
    answers = np.array(["generator", "isps_zeroed", "source", "truth"], object)
    found = sweep.select_answer({"answer": answers, "psnr": np.arange(4.0)}, "isps_zeroed")
    assert found["answer"].tolist() == ["generator", "truth"]
    assert found["psnr"].tolist() == [1.0, 3.0]
