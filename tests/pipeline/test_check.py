"""params.yaml is judged whole, before anything runs."""

import shutil
from pathlib import Path

import pytest

from pipeline.check import SECTIONS, check_params
from pipeline.params import read
from pipeline.problems import BadParams
from pipeline.weights import BadWeights

ROOT = Path(__file__).parents[2]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a copy of the project's params.yaml with one text put in place of another."""
    monkeypatch.chdir(tmp_path)

    def write(old="", new=""):
        text = (ROOT / "params.yaml").read_text()
        assert old in text
        Path("params.yaml").write_text(text.replace(old, new, 1))

    return write


def test_the_params_of_the_repo_and_of_its_presets_pass(written):
    written()
    check_params()
    assert set(SECTIONS) | {"lambda_sp"} == set(read())


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("style_generator:\n  steps: 200", "style_generator:\n  steps: 0", "style_generator.steps"),
        ("lambda_sp: 1.0", "lambda_sp: -1.0", "lambda_sp"),
        ("region_weights:", "region_weigths: {}\nregion_weights:", "region_weigths"),
        ("  seconds: 40\n", "  seconds: 0\n", "sample.seconds"),
        ("  channels: [32, 64", "  channels: [0, 64", "generator.channels"),
        ("    sample_calm: {role: seen}", "    Anna B: {role: seen}", "Anna B"),
        ("training: {seed: 1", "training: {seed: -1", "training.seed"),
    ],
)
def test_a_bad_section_is_named(written, old, new, named):
    written(old, new)
    with pytest.raises(BadParams) as caught:
        check_params()
    assert named in str(caught.value)


def test_a_network_that_nobody_brought_is_named_before_its_training(written):
    absent = "vgg19:" + 64 * "0"
    written("  perceptual: mobilenet_v2\n", f"  perceptual: {absent}\n")
    with pytest.raises(BadWeights) as caught:
        check_params()
    assert 64 * "0" in str(caught.value)


def test_presets_are_checked_by_their_use(tmp_path, monkeypatch):
    from pipeline.project import apply_preset

    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    for name in ("tiny", "paper", "laptop"):
        apply_preset(name)
        check_params()
