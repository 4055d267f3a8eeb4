"""Held-out frames drawn from true landmarks: which are scored, and from which source."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.base.config.subjects import Subject
from stages.donors import donors
from stages.donors.library import read_donors
from stages.donors.params import DonorParams
from stages.evaluation import reconstruction
from stages.evaluation.artifacts import BASELINES
from stages.evaluation.held_out_frames import SubjectFrames
from stages.generator.drawing import Generator
from stages.generator.footage import read_footage
from stages.generator.network import UNet
from stages.generator.source_images import choose_sources
from tests.stages.generator.conftest import TEST, write_person

ANN = Subject("seen", "ann")
SIZE = 32


@pytest.fixture
def held(workdir: Path) -> SubjectFrames:
    write_person(workdir / "data", "ann", (220, 160, 140), 1.0)
    return SubjectFrames(ANN)


def generator(*, strange: bool) -> Generator:
    torch.manual_seed(0)
    (source,) = choose_sources(read_footage([ANN], SIZE)[0])
    if strange:  # as if training had only another room
        source = replace(source, colours=np.roll(source.colours, 700))
    return Generator(UNet(SIZE, [8, 8]), {"ann": [source]}, SIZE, SIZE)


def test_frames_of_a_known_scene_are_all_scored_and_drawn_from_its_source(
    held: SubjectFrames,
) -> None:
    known = generator(strange=False)
    drawn = reconstruction.reconstruct(held, known, {}, [], 100)
    assert [row.frame for row in drawn.frames] == list(range(*TEST))
    assert drawn.new_scene == 0
    assert (drawn.methods["source"] == known.default_source("ann").small).all()


def test_the_source_frame_of_a_new_scene_is_not_scored(held: SubjectFrames) -> None:
    drawn = reconstruction.reconstruct(held, generator(strange=True), {}, [], 100)
    first, end = TEST
    assert [row.frame for row in drawn.frames] == list(range(first + 1, end))
    assert drawn.new_scene == len(drawn.frames)
    first_frame = read_footage([ANN], SIZE, held_out=True)[0].image(0)
    assert (drawn.methods["source"] == first_frame).all()


def test_the_aligned_source_is_nearer_to_the_truth_than_the_copied_one(
    held: SubjectFrames,
) -> None:
    drawn = reconstruction.reconstruct(held, generator(strange=False), {}, [], 100)

    def distance(name: str) -> float:
        return float(np.abs(drawn.methods[name].astype(int) - drawn.truth).mean())

    assert distance("source_aligned") < distance("source")
    assert "source_aligned" in BASELINES


def test_frames_without_donors_have_a_row_of_their_own_and_differ_in_the_mouth_alone(
    held: SubjectFrames,
) -> None:
    params = {"mouths": 20, "lids": 4, "open": 0.01, "closed": 0.8, "blur": 0.0, "few": 3}
    donors.run(ANN, DonorParams.model_validate(params))
    library = read_donors("ann")
    drawn = reconstruction.reconstruct(held, generator(strange=False), library, ["ann"], 100)
    painted, plain = drawn.methods["generator"], drawn.methods["donors_off"]
    changed = (painted != plain).any(axis=(0, 3))
    lips = drawn.points[:, 48:68].reshape(-1, 2)
    rows, columns = np.nonzero(changed)
    assert len(rows)
    assert (np.stack([columns, rows], axis=1) >= lips.min(0) - 2).all()
    assert (np.stack([columns, rows], axis=1) <= lips.max(0) + 2).all()
    np.testing.assert_array_equal(drawn.methods["isps_swapped"], painted)  # the same ISPs
    without = reconstruction.reconstruct(held, generator(strange=False), {}, [], 100)
    assert "donors_off" not in without.methods
    np.testing.assert_array_equal(without.methods["generator"], plain)
