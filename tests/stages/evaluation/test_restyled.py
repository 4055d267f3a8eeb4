"""Restyled frames: how far the mouth moves in pictures, and the rows of a trained-like generator."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from stages.base.config.subjects import Subject
from stages.base.face import warping
from stages.base.io.image_io import Image
from stages.evaluation import reconstruction, restyled
from stages.evaluation.held_out_frames import SubjectFrames
from stages.generator.drawing import Generator
from stages.generator.driving import Amplitudes
from stages.generator.footage import read_footage
from stages.generator.network import UNet
from stages.generator.source_images import choose_sources
from tests.stages.evaluation.faces import SIZE, astronaut, landmarks
from tests.stages.generator.conftest import write_person

ANN = Subject("seen", "ann")
JAW = [*range(6, 11), *range(55, 60), *range(65, 68)]
WAVE = (0.0, 4.0, 8.0)  # px that the jaw is lowered


def talking(photograph: Image, points: np.ndarray, amplitude: float) -> Image:
    """A photograph whose jaw moves by an amplitude, (3, SIZE, SIZE, 3)."""
    shoulders, images = np.full((18, 2), np.nan), []
    for lowered in WAVE:
        moved = points.copy()
        moved[JAW, 1] += amplitude * lowered
        ends = warping.controls(moved, shoulders, points, shoulders, SIZE)
        places = (warping.flow(*ends, SIZE) + 1) * (SIZE / 2) - 0.5
        images.append(cv2.remap(photograph, places.astype(np.float32), None, cv2.INTER_LINEAR))
    return np.stack(images)


@pytest.mark.slow
def test_amplitudes_are_of_the_mouths_in_the_pictures_and_differences_are_paired():
    photograph = astronaut()
    points = landmarks(photograph)
    truth, calmer = (talking(photograph, points, amplitude) for amplitude in (1.0, 0.5))
    rows = {
        "truth": truth,
        "generator": cv2.add(truth, np.full_like(truth, 4)),
        "neutral": calmer,
        "restyled_own": cv2.add(truth, np.full_like(truth, 8)),
        "restyled_other": cv2.add(calmer, np.full_like(truth, 8)),
    }
    scores = restyled.compare_rows(rows, np.repeat(points[None], 3, 0), ["one"] * 3, -0.5)
    assert scores["truth"].mouth_amplitude == 1
    assert scores["restyled_own"].mouth_amplitude == pytest.approx(1, abs=0.15)
    assert scores["restyled_other"].mouth_amplitude == pytest.approx(0.5, abs=0.15)
    assert scores["restyled_other"].style_reached == pytest.approx(1, abs=0.3)
    other = scores["restyled_other"]
    assert other.reached_low <= other.style_reached <= other.reached_high
    assert np.isnan(scores["restyled_own"].style_reached)
    assert scores["neutral"].moved == 0
    assert other.moved == pytest.approx(0, abs=0.1)
    assert scores["restyled_own"].moved == pytest.approx(1, abs=0.4)
    assert scores["restyled_own"].change == pytest.approx(-6, abs=0.3)  # twice the difference
    assert scores["restyled_own"].change_low <= scores["restyled_own"].change
    assert scores["generator"].change == scores["generator"].change_high == 0
    assert {row.frames for row in scores.values()} == {3}


def test_restyled_rows_exist_for_generators_that_restyle_alone(workdir: Path):
    for name, gain in (("ann", 1.0), ("bob", 2.0)):
        write_person(workdir / "data", name, (220, 160, 140), gain)
    torch.manual_seed(0)
    unet, people = UNet(32, [8, 8]), read_footage([ANN, Subject("seen", "bob")], 32)
    torch.nn.init.normal_(unet.restyling.out.weight, std=0.3)
    sources = {footage.subject.name: choose_sources(footage) for footage in people}
    amplitudes = {footage.subject.name: footage.amplitudes for footage in people}
    generator = Generator(unet, sources, 32, 32, amplitudes, restyles=True)
    drawn = reconstruction.reconstruct(SubjectFrames(ANN), generator, {}, ["bob"], 100)
    scores = restyled.score(ANN, drawn, generator, ["bob"])
    lent = {f"restyled_{whose}" for whose in ("own", "other", "zeroed")}
    assert set(scores) == {"truth", "generator", "neutral", *lent}
    assert np.isfinite([scores[name].psnr_face for name in lent]).all()
    assert scores["restyled_own"].psnr_face != scores["restyled_zeroed"].psnr_face
    assert restyled.score(ANN, drawn, Generator(unet, sources, 32, 32, amplitudes), []) == {}
    assert generator.population.mouth == pytest.approx(
        (amplitudes["ann"].mouth + amplitudes["bob"].mouth) / 2
    )
    assert isinstance(generator.population, Amplitudes)
