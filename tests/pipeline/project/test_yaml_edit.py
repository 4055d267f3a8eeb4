"""An edit of params.yaml changes the lines that it is about, in any user's hand."""

import re
from difflib import unified_diff
from pathlib import Path

import pytest

from pipeline.project import people, yaml_edit
from pipeline.project.presets import apply_preset, edit_params
from stages.base.config.params import read_params
from tests.conftest import REPO

BY_HAND = """\
# mine
subjects:
    all: {  ann: {role: 'seen'},   bob: {"role": seen} }   # two
    seen:
    - ann
    - bob
generator: {lr: 1.0e-3,  steps:   0x10}
clips:

  fps:   25.0      # a comment far away
  long: [ 1,2,
          3 ]
  rate: 1.0e-3
  text: "quoted"
"""


def changed(before: str, after: str) -> list[str]:
    """List the lines that differ, without the places."""
    lines = list(unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    return [line for line in lines if not line.startswith("@@")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_one_value_changes_one_line(workdir: Path, end: str) -> None:
    written = BY_HAND.replace("\n", end).encode()
    Path("params.yaml").write_bytes(written)
    with edit_params():
        pass
    assert Path("params.yaml").read_bytes() == written
    with edit_params() as content:
        content["clips"]["fps"] = 30.0
        content["clips"]["text"] = "other"
    edited = Path("params.yaml").read_bytes().decode()
    assert changed(written.decode(), edited) == [
        "-  fps:   25.0      # a comment far away",
        "+  fps: 30.0        # a comment far away",
        '-  text: "quoted"',
        '+  text: "other"',
    ]
    assert read_params()["clips"] == {
        "fps": 30.0, "long": [1, 2, 3], "rate": 0.001, "text": "other"
    }  # fmt: skip


def test_a_new_person_changes_the_subjects_alone(workdir: Path) -> None:
    Path("params.yaml").write_text(BY_HAND)
    with edit_params() as content:
        people._list_subject(content, "carol", "seen")
    text = Path("params.yaml").read_text()
    assert read_params()["subjects"]["seen"] == ["ann", "bob", "carol"]
    assert set(read_params()["subjects"]["all"]) == {"ann", "bob", "carol"}
    assert text[text.index("generator") :] == BY_HAND[BY_HAND.index("generator") :]
    assert text.startswith("# mine\nsubjects:\n")


def test_presets_and_back_are_the_committed_file(empty: Path) -> None:
    text = Path("params.yaml").read_text()
    apply_preset("laptop")
    assert Path("params.yaml").read_text() == text
    for name in ("tiny", "paper", "laptop"):
        apply_preset(name)
    back = Path("params.yaml").read_text()
    one_space = [re.sub(" +", " ", each) for each in (text, back)]  # before comments
    assert changed(*one_space) == []
    assert back.count("1.0e-3") == (REPO / "params.yaml").read_text().count("1.0e-3")


def test_the_sample_comes_back_without_another_change(empty: Path) -> None:
    text = Path("params.yaml").read_text().replace("min_face: 64.0 ", "min_face: 6.40e1 ")
    Path("params.yaml").write_text(text)
    people.add_sample()
    assert changed(text, Path("params.yaml").read_text()) == []


def test_a_line_of_the_writer_is_merged_only_where_the_edit_is() -> None:
    written, before = "a:  1\nb:   2\nc: 3\n", "a: 1\nb: 2\nc: 3\n"
    assert yaml_edit.keep_lines(written, before, "a: 1\nb: 5\nc: 3\n") == "a:  1\nb: 5\nc: 3\n"
    assert yaml_edit.keep_lines(written, before, "a: 1\nc: 3\n") == "a:  1\nc: 3\n"
    added = yaml_edit.keep_lines(written, before, "a: 1\nb: 2\nx: 0\nc: 3\n")
    assert added == "a:  1\nb:   2\nx: 0\nc: 3\n"


def test_what_becomes_empty_stays_yaml_beside_its_comment() -> None:
    text = (
        "a:\n  people:   # who\n    ann: 1   # first\n  # list\n  names: # all\n    - ann\nb: 2\n"
    )
    content = yaml_edit.round_trip().load(text)
    del content["a"]["people"]["ann"]
    content["a"]["names"].pop()
    yaml_edit.close_empty(content)
    assert yaml_edit.safe_load(yaml_edit.dump(content)) == {
        "a": {"people": {}, "names": []},
        "b": 2,
    }
    assert "# who" in yaml_edit.dump(content)


def test_the_last_person_can_be_removed_and_the_sample_added_again(workdir: Path) -> None:
    written = (REPO / "params.yaml").read_text()
    (workdir / "params.yaml").write_text(written)
    for name in ("sample_calm", "sample_lively"):
        people.remove(name)
    assert read_params()["subjects"] == {"all": {}, "pictured": {}, "seen": [], "population": []}
    people.add_sample()
    assert read_params() == read_params(REPO / "params.yaml")


def test_a_preset_completes_subjects_of_an_earlier_version(workdir: Path) -> None:
    text = (REPO / "params.yaml").read_text()
    before, _, rest = text.partition("  pictured:")
    old = before + "  seen:" + rest.partition("  seen:")[2].replace("  population: []\n", "", 1)
    (workdir / "params.yaml").write_text(old)
    assert set(read_params()["subjects"]) == {"all", "seen"}
    apply_preset("laptop")
    assert read_params() == read_params(REPO / "params.yaml")
