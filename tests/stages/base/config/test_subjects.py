from pathlib import Path

import pytest

from pipeline.runtime.user_errors import BadParams, MissingInput
from stages.base.config.params import Subjects, validate_section
from stages.base.config.subjects import Subject, training_subjects

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


def test_the_lists_of_subjects_agree_with_their_roles() -> None:
    everyone = {"ann": {"role": "seen"}, "dan": {"role": "population"}}
    whole = {"all": everyone, "seen": ["ann"], "population": ["dan"]}
    read = validate_section("subjects", whole, Subjects)
    assert list(read.pictured) == ["ann"]
    with pytest.raises(BadParams, match=r"subjects.population must list exactly \['dan'\]"):
        validate_section("subjects", {"all": everyone, "seen": ["ann"]}, Subjects)
    with pytest.raises(BadParams, match=r"subjects.pictured must have exactly \['ann'\]"):
        validate_section("subjects", whole | {"pictured": everyone}, Subjects)


def test_the_data_of_a_role_are_those_of_its_subjects(workdir: Path) -> None:
    folder = workdir / "features/population"
    assert training_subjects([], folder) == []
    (folder / "dan").mkdir(parents=True)
    (folder / "people.txt").write_text("dan\n")
    assert training_subjects(["dan"], folder) == [Subject("population", "dan")]
    with pytest.raises(MissingInput, match="no data of population subject eve"):
        training_subjects(["dan", "eve"], folder)
    with pytest.raises(BadParams, match=r"not in subjects.population; .*remove dan"):
        training_subjects([], folder)
