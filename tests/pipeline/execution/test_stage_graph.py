"""The graph of stages: what DVC reads, what is stale, what targets name."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.execution import dvc_project
from pipeline.execution.dvc_project import Dag, Node, UnknownStage
from stages.base.config.params import read_params
from tests.conftest import REPO
from tests.pipeline.execution.conftest import Small, make

DIAMOND = Dag(
    {
        "a": Node("a"),
        "x@1": Node("x@1", frozenset({"a"})),
        "x@2": Node("x@2", frozenset({"a"})),
        "end": Node("end", frozenset({"x@1", "x@2"})),
        "other": Node("other"),
    },
    {"x@1": ["code"]},
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Give this repository's stages, none of which has run."""
    return _house(tmp_path_factory.mktemp("house") / "project")


def _house(root: Path) -> Small:
    files = ("params.yaml", "versions.yaml", ".gitignore")
    project = make(root, (REPO / "dvc.yaml").read_text())
    for name in files:
        shutil.copy(REPO / name, root / name)
    shutil.copytree(REPO / "data", root / "data", ignore=_made)
    return project


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    """Work in a house of the test's own."""
    project = _house(tmp_path / "project")
    monkeypatch.chdir(project.root)
    return project


def _made(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if Path(folder, name).is_dir() and name != "portrait"}


def test_the_graph_is_that_of_dvc_dag(house: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.root)
    found = dvc_project.load_dag()
    output = house.dvc("dag", "--dot")
    edges = {(b, a) for a, b in re.findall(r'"([^"]+)" -> "([^"]+)"', output)}
    assert len(edges) > 50
    assert {(name, need) for name, node in found.nodes.items() for need in node.needs} == edges
    assert set(found.stale(found.resolve([]))) == set(found.nodes)
    trains = {name.partition("@")[0] for name, node in found.nodes.items() if node.trains}
    assert {"train_audio", "train_generator", "evaluate"} <= trains
    assert trains.isdisjoint({"clips", "landmarks", "isp", "match", "render"})


def test_an_unseen_person_has_references_and_isps_and_reruns_no_training(
    own: Small,
) -> None:
    params = own.root / "params.yaml"
    text = params.read_text()
    guest, lists = re.subn(r"(?m)^  (all|pictured):.*\n", r"\g<0>    guest: {role: unseen}\n", text)
    assert lists == 2
    params.write_text(guest)
    (own.root / "data/raw/guest").mkdir(parents=True)
    nodes = dvc_project.load_dag().nodes
    assert {"references@guest", "isp@guest", "features@guest"} <= set(nodes)
    assert "references@guest" in _upstream(nodes, "isp@guest")
    may_fail = {name: node.may_fail for name, node in nodes.items() if node.may_fail}
    stages = ("clips", "landmarks", "speech", "features", "references")
    assert may_fail == {"evaluate": {f"{stage}@guest" for stage in stages}}
    trainings = [name for name in nodes if name.startswith("train_")]
    assert len(trainings) == 5
    for name in trainings:
        assert not [need for need in _upstream(nodes, name) if need.endswith("@guest")], name


def test_changed_transfers_rerun_their_own_stage_render_and_evaluate_alone(
    own: Small,
) -> None:
    params = own.root / "params.yaml"
    text = params.read_text()
    one = text.replace("  sample_lively: {role: seen}\n\nsample:", "\nsample:")
    assert one != text
    both = dvc_project.load_dag().nodes
    params.write_text(one)
    nodes = dvc_project.load_dag().nodes
    assert set(both) - set(nodes) == {"transfer_style@sample_lively"}
    params.write_text(text)
    after = {name for name in both if "transfer_style@sample_lively" in _upstream(both, name)}
    expected = {"render@sample_calm", "render@sample_lively", "evaluate"}
    assert after == expected
    stages = read_params(Path("dvc.yaml"))["stages"]
    bodies = {name: stage.get("do", stage) for name, stage in stages.items()}
    readers = {
        name
        for name, body in bodies.items()
        for param in body.get("params", ())
        if isinstance(param, str) and param.partition(".")[0] == "transfers"
    }
    assert readers == {"transfer_style", "render", "evaluate"}
    motion = {"train_motion", "features@sample_calm", "references@sample_lively"}
    assert motion <= _upstream(both, "transfer_style@sample_lively")
    assert "train_generator" not in _upstream(both, "transfer_style@sample_lively")


def _upstream(nodes: Mapping[str, Node], name: str) -> set[str]:
    needs = set(nodes[name].needs)
    return needs.union(*(_upstream(nodes, need) for need in needs))


def test_each_stage_comes_after_what_it_needs(
    house: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(house.root)
    nodes = dvc_project.load_dag().nodes
    seen: set[str] = set()
    for name, node in nodes.items():
        assert node.needs <= seen
        seen.add(name)


def test_stale_are_changed_stages_and_those_downstream() -> None:
    assert DIAMOND.stale(DIAMOND.resolve([])) == ["x@1", "end"]
    assert DIAMOND.stale(DIAMOND.resolve(["x@2"])) == []


def test_a_target_includes_what_it_needs_and_a_group_all_of_its_stages() -> None:
    assert DIAMOND.resolve(["x@2"]) == ["a", "x@2"]
    assert DIAMOND.resolve(["x"]) == ["a", "x@1", "x@2"]
    assert DIAMOND.resolve(["other", "end"]) == ["a", "x@1", "x@2", "end", "other"]


def test_an_unknown_stage_suggests_similar_names() -> None:
    with pytest.raises(UnknownStage, match=r"othr: no such stage; did you mean other\?"):
        DIAMOND.resolve(["othr"])
    with pytest.raises(UnknownStage, match="known: a, end, other, x"):
        DIAMOND.resolve(["zzzzzz"])


def test_a_person_of_the_population_is_read_by_the_trainings_of_speech_and_motion_alone(
    own: Small,
) -> None:
    params = own.root / "params.yaml"
    text = params.read_text()
    with_dan = text.replace(
        "subjects:\n  all:\n", "subjects:\n  all:\n    dan: {role: population}\n"
    )
    with_dan = with_dan.replace("population: []", "population: [dan]")
    assert with_dan.count("dan") == 2
    params.write_text(with_dan)
    (own.root / "data/raw/dan").mkdir(parents=True)
    nodes = dvc_project.load_dag().nodes
    made = {name.partition("@")[0] for name in nodes if name.endswith("@dan")}
    assert made == {"clips", "landmarks", "speech", "features", "references"}
    readers = {
        name
        for name in nodes
        if name.startswith("train_") and any(n.endswith("@dan") for n in _upstream(nodes, name))
    }
    assert readers == {"train_audio", "train_motion"}
    assert "population" in nodes["train_motion"].needs
    for training in ("train_style_mapping", "train_generator_base", "train_generator"):
        assert not _upstream(nodes, training) & {"population", "train_audio", "train_motion"}


def test_a_project_without_a_population_has_its_folders(tmp_path: Path) -> None:
    project = _house(tmp_path / "project")
    project.dvc("repro", "population")
    read = read_params(REPO / "dvc.yaml")["stages"]["train_motion"]["deps"]
    folders = [project.root / dep for dep in read if dep.endswith("/population")]
    assert len(folders) == 5
    assert [(folder / "people.txt").read_text() for folder in folders] == [""] * 5
