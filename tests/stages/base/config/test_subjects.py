from pathlib import Path

import pytest

from pipeline.runtime.user_errors import BadParams, MissingInput
from stages.base.config.subjects import Subject

PARAMS = "subjects: {all: {ann: {role: seen}, bob: {role: unseen}}, seen: [ann]}\n"


def test_a_subject_is_read_with_its_role(workdir: Path) -> None:
    assert Subject.parse("seen/ann") == Subject("seen", "ann")
    assert str(Subject.parse("unseen/bob_2")) == "unseen/bob_2"


def test_the_role_of_a_plain_name_is_that_of_params_yaml(workdir: Path) -> None:
    Path("params.yaml").write_text(PARAMS)
    assert Subject.parse("ann") == Subject("seen", "ann")
    assert Subject.parse("bob") == Subject("unseen", "bob")


@pytest.mark.parametrize("text", ["carl", "", "Ann", "known/ann", "seen/", "seen/Ann", "seen/a/b"])
def test_any_other_text_is_one_line(workdir: Path, text: str) -> None:
    Path("params.yaml").write_text(PARAMS)
    with pytest.raises(BadParams) as caught:
        Subject.parse(text)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones(workdir: Path) -> None:
    Path("params.yaml").write_text(PARAMS)
    with pytest.raises(BadParams, match=r"^carl: .* of params\.yaml: ann, bob$"):
        Subject.parse("carl")


def test_a_plain_name_needs_params_yaml(workdir: Path) -> None:
    with pytest.raises(MissingInput, match=r"params\.yaml"):
        Subject.parse("ann")
