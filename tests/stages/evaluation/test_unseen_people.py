"""Motion for the voice of an unseen person, in the styles of seen ones, from files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.clips.ledger import clips_of, split_in_halves
from stages.evaluation.held_out_frames import SubjectFrames
from stages.evaluation.lent_styles import SeenStyles, lend_styles, styles_lent_to
from stages.evaluation.page import page
from stages.evaluation.params import EvaluationParams
from stages.evaluation.subject_tracks import SubjectTracks
from stages.evaluation.unseen_people import score_unseen, unseen_subjects
from stages.render.artifacts import MOTION, VIDEOS
from stages.render.held_out_speech import held_out_spans, predict_speech
from stages.speech.artifacts import PHONES
from tests.stages.motion.people import random_model, write_subject, write_sync
from tests.stages.motion.settings import tiny

PARAMS = """subjects:
  all: {ann: {role: seen}, carol: {role: unseen}, bob: {role: seen}, dave: {role: unseen}}
  seen: [ann, bob]
"""
CAROL, DAVE = Subject("unseen", "carol"), Subject("unseen", "dave")


def write_phones(subject: str) -> None:
    rows = {"clip": ["one-001"], "start": [0.1], "end": [0.2], "phone": ["M"]}
    rows |= {"syllable": [0], "kind": ["M"]}
    tables.write(Path(f"data/speech/{subject}/phones.parquet"), PHONES, rows)


@pytest.fixture
def seen(workdir: Path) -> SeenStyles:
    Path("params.yaml").write_text(PARAMS)
    model = random_model(tiny())
    model.save()
    for subject in ("seen/ann", "seen/bob", "unseen/carol", "unseen/dave"):
        write_subject(Path("data"), subject, gain=0.03 if "ann" in subject else 0.06)
        write_phones(subject)
    for name in ("ann", "bob"):
        subject = Subject("seen", name)
        columns = predict_speech(model, subject, held_out_spans(subject, 9), name, 1)
        tables.write(VIDEOS / name / f"{name}.parquet", MOTION, columns)
    ann, bob = Subject("seen", "ann"), Subject("seen", "bob")
    return SeenStyles([ann, bob], EvaluationParams(frames=1, window_s=0.4, stride_s=0.2), seed=1)


def test_at_most_the_four_people_that_follow_lend_their_styles():
    people = ["a", "b", "c", "d", "e", "f", "g"]
    assert styles_lent_to("f", people) == ["g", "a", "b", "c"]
    assert styles_lent_to("b", ["a", "b"]) == ["a"]
    assert styles_lent_to("a", ["a"]) == []


def test_a_style_that_render_drew_is_read_and_any_other_generated(seen: SeenStyles):
    tracks = SubjectTracks(SubjectFrames(Subject("seen", "ann")))
    generated = lend_styles(seen.model, tracks, ["bob"], seed=1)["bob"]
    assert len(generated) == len(tracks)
    columns = predict_speech(
        seen.model, tracks.held.subject, held_out_spans(tracks.held.subject, 9), "bob", 7
    )
    tables.write(VIDEOS / "ann/as_bob.parquet", MOTION, columns)
    read = lend_styles(seen.model, tracks, ["bob"], seed=1)["bob"]
    np.testing.assert_allclose(read.head, columns["head"], atol=1e-6)
    assert np.abs(read.pose - generated.pose).max() > 1e-3


def test_seen_people_are_scored_in_their_own_and_in_lent_styles(seen: SeenStyles):
    scores = seen.score(SubjectTracks(SubjectFrames(Subject("seen", "bob"))))
    assert list(scores["lent"]) == ["ann"]
    assert scores["sld"] > 0
    assert scores["reidentified"]["chance"] == 0.5


def test_an_unseen_voice_is_scored_in_every_seen_style_and_against_its_own_truth(seen: SeenStyles):
    assert unseen_subjects() == [CAROL, DAVE]
    scores = score_unseen([CAROL], seen, 60.0)["carol"]
    assert scores["motion_frames"] == 150  # the second half of 12 s
    assert scores["motion"]["truth"]["lmd"] == 0
    assert scores["motion"]["as_ann"]["lmd"] > 0
    assert set(scores["style"]["lent"]) == {"ann", "bob", "carol"}
    assert set(scores["style"]["lent"]) == {row[3:] for row in scores["motion"] if row != "truth"}
    assert scores["style"]["reidentified"]["chance"] == pytest.approx(1 / 3)
    again = score_unseen([CAROL], seen, 60.0)["carol"]
    assert again["style"] == scores["style"]


def test_the_own_style_of_an_unseen_person_takes_references(seen: SeenStyles):
    assert "as_carol" in score_unseen([CAROL], seen, 60.0)["carol"]["motion"]
    Path("data/references/unseen/carol/references.parquet").unlink()
    without = score_unseen([CAROL], seen, 60.0)["carol"]
    assert "references" in without["absent_own_style"]
    assert set(without["style"]["lent"]) == {"ann", "bob"}


def test_the_page_has_a_section_for_each_unseen_person(seen: SeenStyles):
    scores = score_unseen([CAROL], seen, 60.0) | {"dave": {"absent": "no sound"}}
    text = page("held-out", "face", {}, {}, unseen=scores)
    carol, dave = text.index("## carol"), text.index("## dave")
    for name in ("150 frames", "as_ann", "as ann", "carol, other time", "### Behaviour"):
        assert carol < text.index(name) < dave
    assert "No motion: no sound." in text[dave:]
    reasons = {"absent_pictures": "no face", "absent_own_style": "no references"}
    text = page("held-out", "face", {}, {}, unseen={"carol": scores["carol"] | reasons})
    assert "No pictures: no face." in text
    assert "No motion in the own style: no references." in text
    assert "Gap closed" not in text


def test_only_as_much_of_an_unseen_voice_is_scored_as_is_rendered(seen: SeenStyles):
    assert score_unseen([CAROL], seen, 2.0)["carol"]["motion_frames"] == 50


def test_an_unseen_person_whose_sound_is_not_their_lips_is_absent_with_the_reason(
    seen: SeenStyles,
):
    write_sync(Path("data"), "unseen/dave", {"one-001": float("nan")})
    scores = score_unseen([CAROL, DAVE], seen, 60.0)
    assert "in 1, the sound does not match the lips" in scores["dave"]["absent"]
    assert scores["carol"]["motion_frames"] == 150


def test_halves_of_a_clip_meet_in_its_middle(seen: SeenStyles):
    (clip,) = clips_of(CAROL)
    halved = split_in_halves(replace(clip, frames=301))
    assert (halved.train, halved.test) == ((0, 150), (150, 301))
