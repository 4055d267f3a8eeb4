"""Presets, and edits of params.yaml."""

from pathlib import Path

import pytest

from pipeline.project import people
from pipeline.project.presets import apply_preset
from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import read_params
from tests.conftest import REPO


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("subjects:\n  all:", "people:\n  all:", "subjects"),
        ("sample:\n  size", "samples:\n  size", "sample"),
    ],
)
def test_a_missing_section_is_named(empty: Path, old: str, new: str, named: str) -> None:
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new))
    for change in (people.add_sample, lambda: apply_preset("tiny")):
        with pytest.raises(BadParams, match=named):
            change()


def test_a_section_that_is_a_number_is_written_anew_by_a_preset(empty: Path) -> None:
    text = Path("params.yaml").read_text()
    start, end = (text.index(f"\n{name}:") + 1 for name in ("match", "motion"))
    Path("params.yaml").write_text(text[:start] + "match: 5\n" + text[end:])
    apply_preset("laptop")
    assert read_params()["match"] == read_params(REPO / "params.yaml")["match"]


def test_presets_change_numbers_and_keep_subjects_and_comments(empty: Path) -> None:
    text, before = Path("params.yaml").read_text(), read_params()
    for name in ("tiny", "paper"):
        apply_preset(name)
        assert read_params() != before
        assert read_params()["subjects"] == before["subjects"]
        assert "# frames kept per key motion template" in Path("params.yaml").read_text()
    apply_preset("laptop")
    assert read_params() == before
    assert "# frames kept per key motion template" in text


def test_the_committed_params_are_the_laptop_preset() -> None:
    params, laptop = read_params(REPO / "params.yaml"), read_params(REPO / "presets/laptop.yaml")
    assert laptop.pop("transfers") == {}  # of any project; those of params.yaml are the sample's
    own = {key: value for key, value in params.items() if key not in ("subjects", "transfers")}
    assert own == laptop


def test_an_unknown_preset_is_reported_with_the_known_ones(empty: Path) -> None:
    with pytest.raises(BadParams, match="gpu, gpu-512, laptop, paper, tiny"):
        apply_preset("huge")


def test_broken_yaml_is_reported_in_one_line(workdir: Path) -> None:
    Path("params.yaml").write_text("a: [1\n")
    with pytest.raises(BadParams, match="is not YAML") as caught:
        read_params()
    assert "\n" not in str(caught.value)
