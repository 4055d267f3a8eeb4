"""Both phases and the drawing of frames, on a project of two drawn people."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.runtime.user_errors import BadFormat, UserError
from stages.__main__ import main
from stages.base.config.params import Training, read_section
from stages.base.config.subjects import Subject
from stages.base.io.image_io import decode_png
from stages.base.training.loop import train
from stages.base.training.model_files import load_model, save_model
from stages.generator import train_generator, train_generator_base
from stages.generator.drawing import Generator
from stages.generator.driving import Driving, join
from stages.generator.footage import read_footage
from stages.generator.isps import read_isps
from stages.generator.params import GeneratorParams
from stages.generator.source_images import choose_sources
from stages.generator.task import GeneratorTask, scale_pixels
from stages.generator.train_generator import RestyleTask

ANN = Subject("seen", "ann")


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def draw(path, identity="ann", style="ann", rows=slice(0, 5), batch=8, drawn_size=32):
    footage = read_footage([Subject("seen", identity)], 64, held_out=True)[0]
    columns = {name: values[rows] for name, values in vars(footage.driving).items()}
    isps = read_isps(style).chosen_images()
    generator = Generator.load(drawn_size, path)
    source = generator.default_source(identity)
    return np.stack(list(generator.frames(source, Driving.from_columns(columns), isps, batch)))


def test_footage_holds_valid_frames_of_the_span_alone(project):
    train, held = read_footage([ANN], 32)[0], read_footage([ANN], 32, held_out=True)[0]
    assert set(train.frame) == set(range(30)) - {7}
    assert set(held.frame) == set(range(34, 40))
    assert train.image(3).shape == (32, 32, 3)
    assert np.isfinite(train.driving.points).all()
    assert train.driving.points.max() < 32


def test_neutral_driving_is_unchanged_for_one_person_and_smaller_for_the_livelier_of_two(project):
    def scaled_opening(footage, style):
        gains = style.amplitudes.gains(footage.population)
        points = join([footage.neutral(row, gains) for row in range(len(footage))]).points
        return points, np.linalg.norm(points[:, 66] - points[:, 62], axis=-1).std()

    alone = read_footage([ANN], 32)[0]
    np.testing.assert_allclose(scaled_opening(alone, alone)[0], alone.driving.points, atol=0.05)
    ann, bob = read_footage([ANN, Subject("seen", "bob")], 32)
    true = np.linalg.norm(bob.driving.points[:, 66] - bob.driving.points[:, 62], axis=-1).std()
    assert scaled_opening(bob, bob)[1] < 0.9 * true
    assert scaled_opening(bob, ann)[1] > 1.1 * true  # what a calm person's ISPs calm


def test_rare_rows_are_drawn_evenly_over_the_opening_of_the_mouth(project):
    footage = read_footage([ANN], 32)[0]
    opening = np.ones(len(footage))
    opening[-4:] = [2.0, 2.1, 2.2, 2.3]  # four of 29 rows
    footage.__dict__["_openings"] = [(opening, np.argsort(opening, kind="stable"))] * 2
    rng = np.random.default_rng(0)
    rare = np.mean([footage.draw(rng, 1.0) >= 25 for _ in range(400)])
    plain = np.mean([footage.draw(rng, 0.0) >= 25 for _ in range(400)])
    assert plain < 0.25
    assert rare > 0.6


def test_the_source_is_sharp_with_a_closed_mouth(project):
    footage = read_footage([ANN], 32)[0]
    row = footage.sharp_neutral_row(np.arange(len(footage)))
    gaps = np.linalg.norm(footage.columns["head"][:, 66] - footage.columns["head"][:, 62], axis=-1)
    assert gaps[row] <= np.quantile(gaps, 1 / 3)


def perceptual_losses(close: float) -> list[float]:
    """Perceptual and style loss of one batch's frames with something in the middle of the mouth."""
    params = read_section("generator", GeneratorParams)
    losses = params.losses.model_copy(update={"perceptual": 1.0, "style": 1.0})
    perceptual = params.perceptual.model_copy(update={"images": 2, "close": close})
    params = params.model_copy(update={"losses": losses, "perceptual": perceptual})
    footage = [read_footage([ANN], params.size)[0]]
    isps = [read_isps("ann", params.size)]
    sources = [choose_sources(person) for person in footage]
    task = GeneratorTask(params, footage, sources, isps, 1, (1e-3, 1e-3), seed=1)
    batch = scale_pixels(task.batch(0, np.random.default_rng(1)))
    drawn = batch["frame"].clone()
    for image, places in zip(drawn, batch["close_up"], strict=True):
        x, y = ((places.mean((0, 1)) + 1) * params.size / 2).int().tolist()
        image[:, y, x] = 1
    return [float(value) for value in task._perceptual_losses(drawn, batch)]


@pytest.mark.slow
def test_close_ups_add_to_the_perceptual_losses_by_their_weight(project):
    none, once, twice = (np.array(perceptual_losses(close)) for close in (0.0, 1.0, 2.0))
    assert (once - none > none).all()  # a pixel of the mouth is more of a close-up
    assert twice - none == pytest.approx(2 * (once - none), rel=1e-4)


@pytest.mark.slow
def test_both_phases_train_and_draw_frames_of_each_identity(project):
    train_generator_base.main()
    train_generator.main()
    tensors, config = load_model(project / "models/generator.safetensors")
    assert list(config["subjects"]) == ["ann", "bob"]
    assert tensors["unet.restyling.out.weight"].any()
    assert [source["clip"] for source in config["subjects"]["ann"]] == ["one"]
    assert decode_png(tensors["source.bob.0.png"].numpy().tobytes()).shape == (64, 64, 3)
    path = Path("models/generator.safetensors")
    one = draw(path, "ann", "bob")
    assert one.shape == (5, 32, 32, 3)
    assert one.dtype == np.uint8
    np.testing.assert_allclose(draw(path, "ann", "bob", batch=2).astype(int), one, atol=1)
    with pytest.raises(UserError, match="not an identity"):
        Generator.load(32, path).default_source("carl")


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes_and_weights_change_the_second_phase_alone(
    project, monkeypatch
):
    train_generator_base.main()
    train_generator.main()
    first = digest("models/generator_base.safetensors"), digest("models/generator.safetensors")
    again = project / "again"
    again.mkdir()
    for name in ("data", "params.yaml", "versions.yaml"):
        (again / name).symlink_to(project / name)
    monkeypatch.chdir(again)
    train_generator_base.main()
    train_generator.main()
    assert (
        digest("models/generator_base.safetensors"),
        digest("models/generator.safetensors"),
    ) == first
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("mouth: 5.0", "mouth: 6.0"))
    train_generator.main()
    assert digest("models/generator.safetensors") != first[1]


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("mouth: 5.0", "mouth: -5.0", "region_weights.mouth"),
        ("{mouth: 5.0, eyes: 3.0, skin: 1.0", "{mouth: 0.0, eyes: 0.0, skin: 0.0", "all region"),
        ("lambda_sp: 1.0", "lambda_sp: -1", "lambda_sp"),
        ("size: 32", "size: 33", "power of two"),
        (", bob: {role: seen}}, seen: [ann, bob]", "}, seen: [ann]", "idiolect remove bob"),
        ("bob: {role: seen}}, seen: [ann, bob]", "carl: {role: seen}}, seen: [ann, carl]", "carl"),
    ],
)
def test_a_bad_params_file_is_reported_in_one_line(project, capsys, old, new, word):
    text = (project / "params.yaml").read_text()
    assert old in text
    (project / "params.yaml").write_text(text.replace(old, new))
    with pytest.raises(SystemExit) as stop:
        main(["train_generator"])
    assert stop.value.code == 1
    err = capsys.readouterr().err
    assert word in err
    assert err.count("\n") == 1


def test_a_model_of_an_earlier_version_is_refused_in_one_line(project):
    train_generator_base.main()
    path = Path("models/generator_base.safetensors")
    tensors, config = load_model(path)
    assert sorted(config.pop("amplitudes")) == ["ann", "bob"]
    save_model(path, tensors, config)
    with pytest.raises(BadFormat, match=r"^.*safetensors: .* earlier .*idiolect repro"):
        train_generator.main()


def test_restyled_examples_keep_their_target_and_take_motion_and_isps_of_anyone(project):
    params = read_section("generator", GeneratorParams)
    footage = read_footage([ANN, Subject("seen", "bob")], params.size)
    isps = [read_isps(name, params.size) for name in ("ann", "bob")]
    sources = [choose_sources(person) for person in footage]

    def batches(share: float, dropped: float = 0.0) -> dict[str, torch.Tensor]:
        changed = params.model_copy(update={"neutralise": share, "isp_dropout": dropped})
        task = GeneratorTask(changed, footage, sources, isps, 1, (1e-3, 1e-3), seed=1)
        parts = [task.batch(step, np.random.default_rng(step)) for step in range(8)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    plain, restyled, dropped = batches(0.0), batches(1.0), batches(1.0, 1.0)
    assert "flag" not in plain
    assert restyled["flag"].all()
    assert torch.equal(plain["map"], plain["true_map"])
    assert torch.equal(dropped["map"], dropped["true_map"])  # without ISPs nothing is missing
    moved = (restyled["map"] != restyled["true_map"]).flatten(1).any(1)
    assert moved.all()
    assert torch.equal(restyled["frame"][:1], plain["frame"][:1])


def test_the_part_for_restyled_frames_is_trained_and_nothing_else(project):
    params = read_section("generator", GeneratorParams)
    footage = read_footage([ANN, Subject("seen", "bob")], params.size)
    isps = [read_isps(name, params.size) for name in ("ann", "bob")]
    sources = [choose_sources(person) for person in footage]
    task = GeneratorTask(params, footage, sources, isps, 1, (1e-3, 1e-3), seed=1)
    before = {name: t.clone() for name, t in task.modules["unet"].state_dict().items()}
    restyling = RestyleTask(task, before, 1e-3)
    training = read_section("training", Training)
    weights = train(restyling, name="t", steps=3, training=training, inputs={}, ema=0.5)["unet"]
    changed = {name for name in before if not torch.equal(before[name], weights[name])}
    assert "restyling.out.weight" in changed
    assert "restyling.code.weight" in changed
    assert all(name.startswith("restyling.") for name in changed)


def test_a_base_of_other_channels_is_refused(project, capsys):
    train_generator_base.main()
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("[16, 16]", "[16, 32]"))
    with pytest.raises(SystemExit):
        main(["train_generator"])
    assert "does not fit params.yaml" in capsys.readouterr().err
