"""The templates: their file, and learning them from syllables."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from pipeline.runtime.user_errors import BadFormat, MissingInput, report_user_errors
from stages.base.config import params
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.references import templates
from stages.references.artifacts import TEMPLATES
from stages.references.learn_templates import (
    REACH,
    STEPS,
    Syllable,
    _curves,
    learn,
    main,
    read_people,
    syllables,
)
from stages.references.params import ReferenceParams
from stages.references.person import NAMES
from stages.speech.artifacts import PHONES, SYNC
from stages.speech.sync import LEAD

from .people import FPS, person_of
from .scene import write_subject

REPO = Path(__file__).resolve().parents[3]


def test_templates_survive_saving_and_loading(tmp_path: Path) -> None:
    curves = np.random.default_rng(0).uniform(0, 1, (4, 9, 12)).round(4)
    templates.save(curves, tmp_path)
    np.testing.assert_array_equal(templates.load(tmp_path), curves)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mouth_opening", "mouth", "expected columns template, step, mouth_opening"),
        ("R,0", "Q,0", "expected None, M, R, O in this order"),
        ("0.5", "1.5", "expected quantiles between 0 and 1"),
        ("0.5", "half", "could not convert"),
        ("R,0,0.5000", "R,0", "expected 14 values in each row"),
    ],
)
def test_templates_changed_by_hand_are_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    templates.save(np.full((4, 3, 12), 0.5), tmp_path)
    path = tmp_path / templates.FILE
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BadFormat, match=message):
        templates.load(tmp_path)


def test_an_empty_line_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    curves = np.full((4, 3, 12), 0.5)
    templates.save(curves, tmp_path)
    path = tmp_path / templates.FILE
    path.write_text(path.read_text() + "\n")
    np.testing.assert_array_equal(templates.load(tmp_path), curves)
    path.write_bytes(b"\xaf\x00")
    with pytest.raises(BadFormat, match="is not UTF-8 text"):
        templates.load(tmp_path)


def test_the_error_for_missing_templates_gives_their_source(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="restore data/templates from git"):
        templates.load(tmp_path)


def test_the_templates_in_git_show_the_motions_of_their_names() -> None:
    curves = templates.load(REPO / "data/templates")
    middle = curves[:, curves.shape[1] // 2]
    none, m, r, o = (dict(zip(NAMES, row, strict=True)) for row in middle)
    assert m["mouth_opening"] < 0.25  # lips meet
    assert m["mouth_opening"] < none["mouth_opening"] < r["mouth_opening"]
    assert o["mouth_width"] < 0.35  # rounded
    assert o["mouth_width"] < min(none["mouth_width"], m["mouth_width"], r["mouth_width"])


def test_the_provenance_counts_the_syllables_and_names_nobody() -> None:
    story = json.loads((REPO / "data/templates/provenance.json").read_text())
    counts = [story["classes"][name]["syllables"] for name in TEMPLATES]
    assert min(counts) >= 20
    assert sum(counts) == sum(story["syllables_by_person"])
    assert f"{sum(counts)} syllables" in story["measured_on"]


def test_a_template_is_its_classes_mean_moved_out_to_an_expressive_syllable() -> None:
    """One descriptor separates the classes, by hand; the others are noise."""
    random = np.random.default_rng(1)
    kinds = np.repeat(np.array(TEMPLATES), 400)
    curves = random.uniform(0.3, 0.7, (1600, 5, 12))
    centres = {"None": 0.45, "M": 0.25, "R": 0.65, "O": 0.45}
    curves[:, :, 0] = np.array([centres[str(kind)] for kind in kinds])[:, None]
    curves[:, :, 0] += random.uniform(-0.1, 0.1, (1600, 1))
    learned = learn(curves, kinds)
    assert learned.counts == (400, 400, 400, 400)
    # The middle of the classes is 0.45; M lies 0.2 below, and the quarter of its syllables that
    # moves most another 0.05 further (uniform within 0.1).
    assert REACH == 0.75
    np.testing.assert_allclose(learned.curves[1, :, 0], 0.45 - 0.2 - 0.05, atol=0.02)
    np.testing.assert_allclose(learned.curves[2, :, 0], 0.45 + 0.2 + 0.05, atol=0.02)
    np.testing.assert_allclose(learned.curves[1:3, :, 1:], 0.5, atol=0.03)


def test_a_class_without_syllables_is_an_error() -> None:
    with pytest.raises(MissingInput, match="O: expected at least 2 syllables, found 0"):
        learn(np.full((9, 5, 12), 0.5), np.repeat(np.array(["None", "M", "R"]), 3))


SOUNDS = {"None": ("AE", "T"), "M": ("AE", "M"), "R": ("T", "IY"), "O": ("T", "UW")}


def write_speech(data: Path, name: str, beat: float) -> None:
    """Let a subject speak syllables of every class, one after the other."""
    folder = data / "speech/seen" / name
    rows = [
        ("a-001", start + beat * i / 2, start + beat * (i + 1) / 2, phone, number, kind)
        for number, start in enumerate(np.arange(0.2, 5.5, beat))
        for kind in (TEMPLATES[(number * 7) % 4],)
        for i, phone in enumerate(SOUNDS[kind])
    ]
    columns = dict(zip(PHONES.names, zip(*rows, strict=True), strict=True))
    tables.write(folder / "phones.parquet", PHONES, columns)
    sync = {"clip": ["a-001"], "offset": [0.02], "correlation": [0.5], "seconds": [12.0]}
    sync |= {"status": ["ok"], "reason": [""], "late": [0.02]}
    tables.write(folder / "sync.parquet", SYNC, sync)


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw one moving face, for everyone: drawing is slow."""
    data = tmp_path_factory.mktemp("face")
    write_subject(data, Subject("seen", "face"), lengths=(160,))
    return data


def write_people(face: Path, data: Path, **beats: float) -> None:
    """Let people with the same face speak, each at a beat of their own."""
    for name, beat in beats.items():
        for kind in ("clips", "landmarks"):
            shutil.copytree(face / kind / "seen/face", data / kind / "seen" / name)
        write_speech(data, name, beat)


@pytest.mark.slow
def test_templates_are_learnt_from_data_folders_into_a_folder_of_ones_choice(
    face: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPO)
    kept = {path: path.read_bytes() for path in (REPO / templates.FOLDER).iterdir()}
    one, two, out = tmp_path / "one", tmp_path / "two", tmp_path / "my templates"
    write_people(face, one, ada=0.25, animated=0.25)
    write_people(face, two, bob=0.2)
    (one / "truth/animated").mkdir(parents=True)
    with pytest.raises(SystemExit) as ended:
        run_command(monkeypatch, str(one), str(two), "--out", str(out), "--language", "German")
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "animated: left out, an animated face" in printed
    assert "balanced accuracy on other people" in printed
    assert templates.load(out).shape == (4, 9, 12)
    assert (out / "templates.png").is_file()
    story = json.loads((out / "provenance.json").read_text())
    assert story["measured_on"].startswith("2 people speaking German, ")
    entry = story["confusion"]
    counts = [sum(row.values()) for row in entry["true_class_by_nearest"].values()]
    assert counts == [story["classes"][name]["syllables"] for name in TEMPLATES]
    assert entry["chance_95"][0] < 0.25 < entry["chance_95"][1]
    text = (out / "provenance.json").read_text()
    assert "ada" not in text
    assert "bob" not in text
    assert kept == {path: path.read_bytes() for path in (REPO / templates.FOLDER).iterdir()}


def test_people_without_speech_are_reported_and_skipped(
    face: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_people(face, tmp_path, ada=0.25)
    for kind in ("clips", "landmarks"):
        shutil.copytree(face / kind / "seen/face", tmp_path / kind / "seen/mute")
    (tmp_path / "speech/seen/mute").mkdir()
    section = params.read_section("references", ReferenceParams, REPO / "params.yaml")
    assert len(read_people([tmp_path], section.mean_s)) == 1
    assert "mute: left out, no phones table here" in capsys.readouterr().out
    with pytest.raises(MissingInput, match="eve: no such seen subject"):
        read_people([tmp_path], section.mean_s, ["ada", "eve"])
    with pytest.raises(MissingInput, match="no person with syllables"):
        read_people([tmp_path], section.mean_s, ["mute"])


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["learn_templates", *arguments])
    with report_user_errors():
        typer.run(main)


def test_a_folder_without_speech_is_an_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPO)
    with pytest.raises(SystemExit) as stopped:
        run_command(monkeypatch, "nowhere")
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert "nowhere: no speech of seen subjects here; name a data folder" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"), [([], "Missing argument"), (["data", "--aut", "x"], "--aut")]
)
def test_a_wrong_command_line_is_refused(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run_command(monkeypatch, *arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_curves_are_centred_on_the_lips_not_on_their_sound() -> None:
    """Quantiles of 40 rising values are (i + 0.5) / 40: a curve tells the time it was read at."""
    motion = person_of(np.tile(np.arange(40.0)[:, None], (1, 12)), 40)
    curves = _curves(motion, 0, [Syllable("M", 1.0, 0.2)], late=0.1)
    frame = (1.0 - 0.1 - LEAD) * FPS
    np.testing.assert_allclose(curves[0, STEPS // 2], (frame + 0.5) / 40)
    np.testing.assert_allclose(curves[0, 0], (frame - 0.1 * FPS + 0.5) / 40)


def test_syllables_are_centred_on_the_sound_that_makes_their_class() -> None:
    sounds = [
        # "come": its vowel and the M that closes it
        ("K", 0.0, 0.1, 0, "M"),
        ("AH", 0.1, 0.2, 0, "M"),
        ("M", 0.2, 0.3, 0, "M"),
        ("SIL", 0.3, 0.5, -1, ""),
        # "two", "the" (neither rounded nor spread), "sit"
        ("T", 0.5, 0.6, 1, "O"),
        ("UW", 0.6, 0.8, 1, "O"),
        ("DH", 0.8, 0.85, 2, "R"),
        ("AH", 0.85, 0.9, 2, "R"),
        ("S", 0.9, 1.0, 3, "None"),
        ("IH", 1.0, 1.1, 3, "None"),
        ("T", 1.1, 1.2, 3, "None"),
    ]
    names = ("phone", "start", "end", "syllable", "kind")
    columns = {
        name: np.array(column, dtype=object if name in ("phone", "kind") else None)
        for name, column in zip(names, zip(*sounds, strict=True), strict=True)
    }
    columns["clip"] = np.array(["a"] * len(sounds), dtype=object)
    found = list(syllables(columns, "a"))
    expected = [Syllable("M", 0.25, 0.3), Syllable("O", 0.7, 0.3), Syllable("None", 1.15, 0.3)]
    assert [s.kind for s in found] == [s.kind for s in expected]
    for a, b in zip(found, expected, strict=True):
        assert (a.centre, a.length) == pytest.approx((b.centre, b.length))
    assert list(syllables(columns, "b")) == []
