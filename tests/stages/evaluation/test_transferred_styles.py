"""Transferred styles beside lent ones, scored on the speech of others."""

from dataclasses import replace
from pathlib import Path

import pytest

from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.evaluation.held_out_frames import SubjectFrames
from stages.evaluation.lent_styles import SeenStyles, lend_styles
from stages.evaluation.page import page
from stages.evaluation.params import EvaluationParams
from stages.evaluation.style_tables import TRANSFER_ROWS
from stages.evaluation.subject_tracks import SubjectTracks
from stages.evaluation.transferred_styles import score_transfers
from stages.motion.lending import lend_style
from stages.render.artifacts import MOTION, VIDEOS
from stages.render.held_out_speech import held_out_spans, predict_speech
from stages.speech.artifacts import PHONES
from stages.transfer.artifacts import model_path
from tests.stages.motion.people import random_model, write_subject
from tests.stages.motion.settings import tiny

PARAMS = """subjects:
  all: {ann: {role: seen}, bob: {role: seen}, carol: {role: unseen}}
  seen: [ann, bob]
"""
ANN, BOB, CAROL = Subject("seen", "ann"), Subject("seen", "bob"), Subject("unseen", "carol")


@pytest.fixture
def seen(workdir: Path) -> SeenStyles:
    Path("params.yaml").write_text(PARAMS)
    model = random_model(tiny())
    model.save()
    for subject, gain in ((ANN, 0.03), (BOB, 0.06), (CAROL, 0.06)):
        write_subject(Path("data"), str(subject), gain=gain)
        rows = {"clip": ["one-001"], "start": [0.1], "end": [0.2], "phone": ["M"]}
        rows |= {"syllable": [0], "kind": ["M"]}
        tables.write(Path(f"data/speech/{subject}/phones.parquet"), PHONES, rows)
    for subject in (ANN, BOB):
        columns = predict_speech(model, subject, held_out_spans(subject, 9), subject.name, 1)
        folder = VIDEOS / subject.name
        tables.write(folder / f"{subject.name}.parquet", MOTION, columns)
    # A model that never moves the mouth stands for a transferred one.
    still = replace(model, regression=model.regression.scaled(0.0), personal={})
    still.mouth.scale_output(0.0)
    still.save(model_path("bob"))
    lend_style(still, CAROL).save(model_path("carol"))
    params = EvaluationParams(frames=1, window_s=0.4, stride_s=0.2)
    return SeenStyles([ANN, BOB], params, seed=1, transferred=["bob"])


def test_own_lent_and_transferred_motion_are_scored_against_the_owners_real_motion(
    seen: SeenStyles,
):
    scores = score_transfers([BOB, CAROL], seen, seconds=9.0)
    assert {name: own["voices"] for name, own in scores.items()} == {"bob": 1, "carol": 2}
    bob = scores["bob"]
    lent = seen.people["bob"].distances(
        lend_styles(seen.model, SubjectTracks(SubjectFrames(ANN)), ["bob"], 1)["bob"],
        seen.people["ann"],
        seen.windows,
    )
    assert bob["lent"]["sld"] == pytest.approx(lent.sld)
    own = seen.people["bob"].distances(
        SubjectTracks(SubjectFrames(ANN)).generated, seen.people["ann"], seen.windows
    )
    assert bob["own"]["sld"] == pytest.approx(own.sld)
    assert bob["transferred"]["sld"] != pytest.approx(lent.sld)
    assert bob["own"]["gap_closed"] == 0
    assert bob["truth"]["gap_closed"] == pytest.approx(1)
    assert bob["truth"]["sld"] < min(bob[row]["sld"] for row in TRANSFER_ROWS[:3])
    assert "mouth_correlation" not in bob["truth"]
    text = page("held-out", "face", {}, {}, scores)
    for name in ("bob", "carol"):
        for row in TRANSFER_ROWS:
            assert f"{name}: {row}" in text


def test_a_project_of_one_voice_scores_no_transfer_of_its_own(seen: SeenStyles):
    del seen.people["bob"]
    assert score_transfers([ANN], seen, seconds=9.0) == {}


def test_what_render_drew_by_a_transferred_model_is_no_lent_style(seen: SeenStyles):
    tracks = SubjectTracks(SubjectFrames(ANN))
    spans = held_out_spans(ANN, 9)
    tables.write(
        VIDEOS / "ann/as_bob.parquet", MOTION, predict_speech(seen.model, ANN, spans, "bob", 7)
    )
    read = lend_styles(seen.model, tracks, ["bob"], 1)["bob"]
    made = lend_styles(seen.model, tracks, ["bob"], 1, ["bob"])["bob"]
    assert abs(read.pose - made.pose).max() > 1e-3
