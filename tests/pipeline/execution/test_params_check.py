"""params.yaml is checked as a whole before the first stage."""

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import save

from pipeline.execution.params_check import (
    SECTIONS,
    check_if_changed,
    check_lists,
    check_params,
)
from pipeline.execution.repair import remove_unreadable_versions
from pipeline.project import doctor
from pipeline.runtime.user_errors import BadParams, UserError
from stages.base.config import code_version
from stages.base.config.params import read_params
from stages.base.training import pretrained
from stages.base.training.pretrained import BadWeights

ROOT = Path(__file__).parents[3]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a copy of the project's params.yaml with one text put in place of another."""
    monkeypatch.chdir(tmp_path)

    def write(old="", new=""):
        text = (ROOT / "params.yaml").read_text()
        assert old in text
        Path("params.yaml").write_text(text.replace(old, new, 1))

    return write


@pytest.mark.slow
def test_the_params_of_the_repo_and_of_its_presets_pass(written):
    written()
    check_params()
    assert set(SECTIONS) | {"lambda_sp"} == set(read_params())


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("style_generator:\n  steps: 200", "style_generator:\n  steps: 0", "style_generator.steps"),
        ("lambda_sp: 1.0", "lambda_sp: -1.0", "lambda_sp"),
        ("region_weights:", "region_weigths: {}\nregion_weights:", "region_weigths"),
        ("  seconds: 40\n", "  seconds: 0\n", "sample.seconds"),
        ("  channels: [32, 64", "  channels: [0, 64", "generator.channels"),
        ("    sample_calm: {role: seen}", "    Anna B: {role: seen}", "Anna B"),
        ("  seed: 1\n  precision", "  seed: -1\n  precision", "training.seed"),
    ],
)
def test_a_bad_section_is_named(written, old, new, named):
    written(old, new)
    with pytest.raises(BadParams) as caught:
        check_params()
    assert named in str(caught.value)


def test_a_key_with_an_old_name_is_reported_with_its_new_name(written):
    written(
        "style_generator:\n  steps: 200\n  learning_rate:", "style_generator:\n  steps: 200\n  lr:"
    )
    with pytest.raises(BadParams) as caught:
        check_params()
    message = "renamed: style_generator.lr → style_generator.learning_rate in params.yaml"
    assert str(caught.value) == message


def test_a_missing_network_is_named_before_its_training(written):
    absent = "vgg19:" + 64 * "0"
    written("  perceptual: mobilenet_v2\n", f"  perceptual: {absent}\n")
    with pytest.raises(BadWeights) as caught:
        check_params()
    assert 64 * "0" in str(caught.value)


@pytest.mark.parametrize("judge", ["arcface", "inception"])
def test_a_missing_judge_is_named_before_all_trainings(written, judge):
    written(f'  {judge}: ""', f"  {judge}: {64 * 'f'}")
    with pytest.raises(BadWeights, match=f"not found, and no package carries {judge}"):
        check_params()


@pytest.mark.slow
def test_a_network_deleted_since_the_last_run_is_reported_before_any_stage_runs(
    written, monkeypatch
):
    kept = Path("cache/idiolect/weights")
    if pretrained.folder().is_dir():
        shutil.copytree(pretrained.folder(), kept)  # not fetched again
    kept.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept.parent.parent.resolve()))
    layer = {"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}
    content = save(layer)
    brought = kept / f"{hashlib.sha256(content).hexdigest()}.safetensors"
    brought.write_bytes(content)
    written(
        "  perceptual: mobilenet_v2\n  taps: [1, 3, 6]",
        f"  perceptual: vgg19:{brought.stem}\n  taps: [1]",
    )
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("13], images: 2", "13], images: 0"))
    check_if_changed()
    brought.unlink()
    with pytest.raises(UserError, match=rf"^params\.yaml: .*{brought.name}: not found"):
        check_if_changed()


@pytest.mark.parametrize("key", ["subjects.pictured", "sample.subjects", "transfers"])
def test_a_list_of_stages_that_is_missing_is_named_before_dvc_reads_it(written, key):
    written()
    shutil.copy(ROOT / "dvc.yaml", "dvc.yaml")
    check_lists()
    content = read_params()
    *sections, last = key.split(".")
    del (content[sections[0]] if sections else content)[last]
    YAML().dump(content, Path("params.yaml"))
    with pytest.raises(BadParams, match=f"{key}: missing, and dvc.yaml lists stages by it"):
        check_lists()


def test_a_section_that_contradicts_itself_is_reported(written):
    written("seen: [sample_calm, sample_lively]", "seen: [sample_calm]")
    with pytest.raises(BadParams) as caught:
        check_params()
    assert str(caught.value) == (
        "params.yaml: subjects: subjects.seen must list exactly ['sample_calm', 'sample_lively']"
    )


@pytest.mark.slow
def test_the_doctor_reports_bad_params_in_one_line(written, capsys):
    written("lambda_sp: 1.0", "lambda_sp: -1.0")
    assert doctor.report() == 1
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == "error    params.yaml: lambda_sp: expected a number ≥ 0, found -1.0"


def test_presets_are_checked_by_their_use(tmp_path, monkeypatch):
    from pipeline.project.presets import apply_preset

    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    for name in ("tiny", "paper", "laptop"):
        apply_preset(name)
        check_params()


def test_a_versions_yaml_that_is_no_text_is_written_again(workdir):
    path = Path("versions.yaml")
    path.write_bytes(b"\x8a\xff")
    remove_unreadable_versions(path)
    code_version.write(path)
    written = path.read_bytes()
    remove_unreadable_versions(path)
    assert path.read_bytes() == written
    assert b"clips" in written
