"""Champions of an earlier version, whose params have other names."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.execution.params_check import RENAMED, move_keys, renames_in, with_new_names
from stages.base.config.params import read_params
from tests.pipeline.promotion.promoted import dvc, git, retrain, run

OLD = """
motion:
  mouth: {look_ahead_s: 0.3, rate: 1.0e-3}  # rate: of Adam
  pose:
    rate: 2.0e-3   # the rate of the pose network
style_mapping: {rate: 0.0005}
generator:
  lr: 1.0e-3
  discriminator: {channels: 16, lr: 5.0e-4}
style_generator: {lr: 5.0e-4}
"""
NEW = """
motion:
  mouth: {look_ahead_s: 0.3, learning_rate: 1.0e-3}  # rate: of Adam
  pose:
    learning_rate: 2.0e-3   # the rate of the pose network
style_mapping: {learning_rate: 0.0005}
generator:
  learning_rate: 1.0e-3
  discriminator: {channels: 16, learning_rate: 5.0e-4}
style_generator: {learning_rate: 5.0e-4}
"""


NEW_OUTS = "    metrics: [reports/metrics]\n    outs: [reports/evaluation, reports/metrics.json]\n"
OLD_OUTS = "    metrics: [reports/metrics.json]\n    outs: [reports/evaluation]\n"

SUBJECTS = "all: {ann: {role: seen}}, "
LATER_SUBJECTS = f"{SUBJECTS}pictured: {{ann: {{role: seen}}}}, population: [], "
LISTED = """  looks:
    foreach: ${subjects.pictured}
    do:
      cmd: echo ${key} > models/${key}.txt
      outs: ["models/${key}.txt"]
"""


def as_before_scores_json(make: str) -> str:
    """Write all scores to metrics.json and no LPIPS of frames, as versions without scores.json."""
    metrics = 'Path("reports/metrics.json").write_text(json.dumps('
    call = r"from stages.evaluation.headline import write_scores\n    write_scores\((.*)\)\n"
    older, found = re.subn(call, lambda match: f"{metrics}{match[1]}))\n", make)
    table = 'Path("reports/evaluation/frames.parquet")'
    before = "    opening = 0.05"
    drop = f"pq.write_table(pq.read_table({table}).drop_columns(['lpips_face']), {table})"
    assert found == older.count(before) == 1
    return older.replace(before, f"    import pyarrow.parquet as pq\n    {drop}\n{before}")


def test_a_renamed_key_keeps_its_value_place_and_comments(workdir: Path) -> None:
    assert with_new_names(OLD) == NEW
    assert with_new_names(NEW) == NEW
    Path("params.yaml").write_text(OLD)
    assert renames_in(read_params()) == [f"{old} → {new}" for old, new in RENAMED.items()]


def test_keys_of_learned_keypoints_move_to_their_own_section() -> None:
    old = {"style_mapping": {"placing": 3, "network": {"size": 128, "heat_input": 64}}}
    assert renames_in(old) == [
        "style_mapping.network.heat_input → style_mapping.learned.heat_input",
        "style_mapping.placing → style_mapping.learned.placing",
    ]
    move_keys(old)
    learned = {"heat_input": 64, "placing": 3}
    network = {"size": 128}
    assert old == {
        "style_mapping": {"network": network, "learned": learned, "keypoints": "learned"}
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own
def test_a_champion_of_an_earlier_version_is_shown_compared_and_restored(project: Path) -> None:
    dvc_yaml, params, make = Path("dvc.yaml"), Path("params.yaml"), Path("make.py")
    sections = "params: [quality, generator, motion, style_mapping, style_generator]"
    dvc_yaml.write_text(dvc_yaml.read_text().replace("params: [quality]", sections))
    params.write_text(params.read_text() + OLD + "sample: {subjects: {}}\n")
    present = dvc_yaml.read_text(), make.read_text()
    dvc_yaml.write_text(present[0].replace(NEW_OUTS, OLD_OUTS))
    make.write_text(as_before_scores_json(present[1]))
    git("commit", "-qam", "an earlier version")
    retrain(quality=1.0)
    run("promote")
    assert not Path("reports/evaluation/scores.json").exists()
    model = Path("models/generator.safetensors").read_bytes()

    dvc_yaml.write_text(present[0] + LISTED)
    make.write_text(present[1])
    git("commit", "-qam", "the present version")
    later = params.read_text().replace(OLD, NEW).replace(SUBJECTS, LATER_SUBJECTS)
    params.write_text(later + "isp: {size: 128}\ntransfers: {}\n")
    guard = "  - {metric: reconstruction.generator.lpips_face, margin: 0.1}\n"
    rules = Path("promotion.yaml")
    rules.write_text(rules.read_text().replace("missing:", f"{guard}missing:"))
    retrain(quality=3.0)
    printed = run("promote")
    assert "better than champion 2" in printed
    assert "not compared: champion 2 was scored without this metric" in printed
    assert "champion 2, since 20" in run("champion")
    printed = run("compare", "champion/2", "champion")
    assert "quality: 1.0 → 3.0" in printed
    assert re.search(r"ann\.reconstruction\.generator\.psnr_face +26 +28  \*", printed)
    assert "learning_rate" not in printed

    printed = run("rollback")
    for old, new in RENAMED.items():
        assert f"renamed: {old} → {new} in params.yaml\n" in printed
    restored, wanted = read_params(), YAML(typ="safe").load(NEW)
    assert restored["motion"]["pose"]["learning_rate"] == wanted["motion"]["pose"]["learning_rate"]
    assert restored["generator"]["learning_rate"] == wanted["generator"]["learning_rate"]
    assert "# the rate of the pose network" in params.read_text()
    assert re.findall(r"added: (.*), of preset laptop", printed) == [
        "isp: {'size': 256} in params.yaml"
    ]
    assert restored["isp"] == {"size": 256}
    for name in ("subjects.pictured", "subjects.population", "transfers"):
        assert f"added: {name} in params.yaml\n" in printed
    assert restored["subjects"]["pictured"] == {"ann": {"role": "seen"}}
    assert restored["transfers"] == {}
    assert restored["quality"] == 1.0
    assert Path("models/generator.safetensors").read_bytes() == model
    assert Path("data/clips/seen/ann").is_dir()
    assert git("status", "--porcelain") == ""
    assert "champion 4, since 20" in run("champion")
    dvc("repro")
    assert Path("data/raw/ann/one.mp4").read_text() == "a video"
