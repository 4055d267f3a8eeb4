"""Held-out frames drawn from true landmarks: which are judged, and from what they are drawn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.base.config.subjects import Subject
from stages.evaluation import reconstruction
from stages.evaluation.heldout import Heldout
from stages.generator.footage import read_footage
from stages.generator.inference import Generator
from stages.generator.network import UNet
from stages.generator.sources import sources_of
from tests.stages.generator.conftest import TEST, write_person

ANN = Subject("seen", "ann")
SIZE = 32


@pytest.fixture
def held(workdir: Path) -> Heldout:
    write_person(workdir / "data", "ann", (220, 160, 140), 1.0)
    return Heldout(ANN)


def generator(*, strange: bool) -> Generator:
    torch.manual_seed(0)
    (source,) = sources_of(read_footage([ANN], SIZE)[0])
    if strange:  # as if training had seen another room alone
        source = replace(source, look=np.roll(source.look, 700))
    return Generator(UNet(SIZE, [8, 8]), {"ann": [source]}, SIZE)


def test_frames_of_a_known_scene_are_all_judged_and_drawn_from_its_source(held: Heldout) -> None:
    known = generator(strange=False)
    drawn = reconstruction.draw(held, known, [], 100)
    assert [row.frame for row in drawn.rows] == list(range(*TEST))
    assert drawn.new_scene == 0
    assert (drawn.answers["source"] == known.source("ann")).all()


def test_the_frame_that_a_new_scene_lends_is_not_judged(held: Heldout) -> None:
    drawn = reconstruction.draw(held, generator(strange=True), [], 100)
    first, end = TEST
    assert [row.frame for row in drawn.rows] == list(range(first + 1, end))
    assert drawn.new_scene == len(drawn.rows)
    lent = read_footage([ANN], SIZE, held_out=True)[0].picture(0)
    assert (drawn.answers["source"] == lent).all()


def test_the_aligned_source_lies_nearer_to_the_truth_than_the_copied_one(held: Heldout) -> None:
    drawn = reconstruction.draw(held, generator(strange=False), [], 100)

    def apart(name: str) -> float:
        return float(np.abs(drawn.answers[name].astype(int) - drawn.truth).mean())

    assert apart("source_aligned") < apart("source")
    assert "source_aligned" in reconstruction.TRIVIAL
