"""A style whose motion model was fine-tuned is drawn by that model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.motion.model import MotionModel
from stages.render.artifacts import MOTION, VIDEOS
from stages.render.params import RenderParams
from stages.render.render import run
from stages.render.trained_models import describe_style, load_models
from stages.transfer.artifacts import model_path
from tests.stages.render.project import write_project


@pytest.fixture
def project(workdir: Path) -> Path:
    write_project()
    model = MotionModel.load()
    model.mouth.scale_output(0.0)
    replace(model, regression=model.regression.scaled(0.0), personal={}).save(model_path("bob"))
    return workdir


def transfer(names: str) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("transfers: {}", f"transfers: {names}"))


def test_the_model_of_a_style_counts_where_transfers_names_it(project: Path):
    lent = load_models(["ann"], 32, "bob").motion
    assert np.any(lent.regression.weights)
    assert describe_style("bob").startswith("style bob: lent, not fine-tuned")
    transfer("{bob: {role: seen}, ann: {role: seen}}")
    tuned = load_models(["ann"], 32, "bob").motion
    assert not np.any(tuned.regression.weights)
    assert describe_style("bob") == "style bob: models/motion_bob.safetensors, fine-tuned to it"
    # Without a file of its own, and in the own style, it is the common model.
    assert describe_style("ann").startswith("style ann: lent, not fine-tuned")
    assert np.any(load_models(["bob"], 32, "bob").motion.regression.weights)


def test_the_stage_draws_the_other_style_by_its_model_and_the_own_by_the_common_one(project: Path):
    transfer("{bob: {role: seen}}")
    params = RenderParams(seconds=0.4, crf=30, panel=64, batch=4, drawn_size=32, donors=False)
    seen = ["ann", "bob"]
    for name in seen:
        run(Subject("seen", name), seen, params, 1)
    # Lips that a model never moves stay where the closed mouth of the identity has them.
    moved = {}
    for table in ("ann/as_bob", "bob/bob"):
        head = tables.read(VIDEOS / f"{table}.parquet", MOTION, ["head"])["head"]
        moved[table] = float(head[:, 48:].std(axis=0).max())
    assert moved["ann/as_bob"] < 1e-6
    assert moved["bob/bob"] > 1e-4
