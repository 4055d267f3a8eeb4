"""An unseen person's failure costs what depends on this person, and not the evaluation of all."""

from collections.abc import Callable

import pytest

from tests.pipeline.execution.conftest import Small
from tests.pipeline.execution.run_states import states

PEOPLE = """
stages:
  clips:
    foreach: ${subjects}
    do:
      cmd: python work.py data/raw/${key} data/clips/${item.role}/${key}
      deps: ["data/raw/${key}"]
      outs: ["data/clips/${item.role}/${key}"]
  isp:
    foreach: ${subjects}
    do:
      cmd: python work.py data/clips/${item.role}/${key} data/isp/${key}
      deps: ["data/clips/${item.role}/${key}"]
      outs: ["data/isp/${key}"]
  train:
    cmd: python work.py data/clips/seen model
    deps: [data/clips/seen]
    outs: [model]
  evaluate:
    cmd: python work.py data/clips scores
    deps: [model, data/clips]
    outs: [scores]
"""
PARAMS = "subjects: {anna: {role: seen}, guest: {role: unseen}, other: {role: unseen}}\n"
# Writes the names of all files of a folder, and fails where one of them is called `bad`.
WORK = """
import pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:])
names = sorted(f.name for f in source.rglob("*") if f.is_file())
if "bad" in names:
    sys.exit("error: bad video")
target.mkdir(parents=True)
for name in names:
    (target / name).write_text(name)
"""


@pytest.fixture
def people(small: Callable[..., Small]) -> Small:
    videos = {f"data__raw__{name}__{name}": name for name in ("anna", "guest", "other")}
    return small(PEOPLE, work_py=WORK, params_yaml=PARAMS, **videos)


@pytest.mark.slow
def test_a_failing_unseen_person_costs_only_their_own_rows(people: Small) -> None:
    bad = people.root / "data/raw/guest/bad"
    bad.write_text("")
    ended = states(people.run(code=1))
    assert {name for name, state in ended.items() if state == "ran"} == {
        *("clips@anna", "clips@other", "isp@anna", "isp@other", "train", "evaluate"),
    }
    assert ended["clips@guest"] == "failed"
    scores = people.root / "scores"
    assert {path.name for path in scores.glob("[!.]*")} == {"anna", "other"}

    bad.unlink()
    again = states(people.run())
    assert set(again) == {"clips@guest", "isp@guest", "evaluate"}
    assert {path.name for path in scores.glob("[!.]*")} == {"anna", "guest", "other"}


@pytest.mark.slow
def test_a_failing_seen_person_stops_training_and_evaluation(people: Small) -> None:
    (people.root / "data/raw/anna/bad").write_text("")
    ended = states(people.run(code=1))
    assert "ran" not in {ended.get("train"), ended.get("evaluate")}
    assert not (people.root / "scores").exists()
