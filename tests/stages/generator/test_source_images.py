"""Scenes: separated by colour wherever the crop lies, one source image each."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.base.config.subjects import Subject
from stages.clips.ledger import read_ledger
from stages.generator.footage import read_footage
from stages.generator.source_images import (
    choose_sources,
    colour_histogram,
    group_scenes,
    held_out_sources,
    match_scenes,
    nearest_scene,
)
from stages.generator.task import GeneratorTask
from stages.generator.training_run import read_inputs
from tests.stages.generator.conftest import write_person

ANN = Subject("seen", "ann")


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    from skimage import data

    return np.ascontiguousarray(data.astronaut())


def test_another_crop_is_the_same_scene_and_another_light_is_not(photograph):
    one, moved = photograph[:384, :384], photograph[20:404, 30:414]
    dim = (photograph * 0.5).astype(np.uint8)[:384, :384]
    blue = one[..., [2, 0, 1]].copy()
    here = colour_histogram([one])
    assert here.sum() == pytest.approx(1.0, abs=1e-5)
    assert nearest_scene(here, [colour_histogram([moved])]) == 0
    assert nearest_scene(here, [colour_histogram([one[:, ::-1].copy()])]) == 0
    assert nearest_scene(here, [colour_histogram([dim])]) is None
    assert nearest_scene(here, [colour_histogram([blue]), here]) == 1
    assert group_scenes([here, colour_histogram([dim]), colour_histogram([moved])]) == [0, 1, 0]


@pytest.mark.slow
def test_the_clips_of_real_addresses_fall_into_their_rooms(shared_data):
    import av

    histograms = []
    for letter in "abcdef":
        with av.open(str(shared_data / "obama" / f"weekly_720_{letter}.mp4")) as video:
            frames = [f.to_ndarray(format="rgb24") for f in video.decode(video=0)][::10]
        histograms.append(colour_histogram([cv2.resize(f[:, 240:960], (128, 128)) for f in frames]))
    assert group_scenes(histograms) == [0, 1, 2, 3, 3, 4]  # d and e are one address


def test_one_scene_has_one_source_and_held_out_frames_of_it_use_it(project):
    (footage,) = read_footage([ANN], 32)
    sources = choose_sources(footage)
    assert len(sources) == 1
    assert match_scenes(footage, sources) == [0]
    assert held_out_sources(ANN, sources, 32) == {"one": sources[0]}


def test_the_source_of_a_new_scene_is_its_first_held_out_frame(project):
    (footage,) = read_footage([ANN], 32)
    write_person(Path("elsewhere"), "ann", (40, 90, 60), 1.0)
    strange = choose_sources(read_footage([ANN], 32, data=Path("elsewhere"))[0])
    source = held_out_sources(ANN, strange, 32)["one"]
    (clip,) = read_ledger(Path("data/clips/seen/ann"))
    assert (source.clip, source.frame) == ("one", clip.test[0])
    assert source.small.shape == footage.image(0).shape
    assert not source.correction.weights.any()


def test_people_of_several_scenes_alone_are_drawn_from_other_frames(project):
    inputs = read_inputs()
    sources = [choose_sources(footage) for footage in inputs.footage]
    params = inputs.params.model_copy(update={"one_shot": 1.0})
    task = GeneratorTask(params, inputs.footage, sources, inputs.isps, 6, (1e-3, 1e-3), 1)
    rng, row = np.random.default_rng(0), 5
    assert all(task._source(0, row, rng) is sources[0][0] for _ in range(20))
    task.sources = [(sources[0][0], sources[0][0]), *sources[1:]]
    frames = {task._source(0, row, rng).frame for _ in range(200)}
    own = int(inputs.footage[0].frame[row])
    assert frames == set(inputs.footage[0].frame.tolist()) - {own}  # never the frame itself
