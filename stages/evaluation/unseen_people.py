"""Motion for the voices of unseen people, whom no training has read.

A clip's first half measures the person's face and has the style references; the second half is the
held-out speech, generated in the styles of seen people and in the own one, of the references. These
scores are never mixed with those of seen people.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline.runtime.user_errors import UserError
from stages.base.config.params import Subjects, read_section
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.clips.ledger import clips_of, style_spans
from stages.evaluation.lent_styles import MOST_STYLES, SeenStyles, read_real_motion
from stages.evaluation.motion_rows import score_rows
from stages.evaluation.styles import StyleComparison, StylePerson
from stages.evaluation.track import read_speech, read_track, track_of_columns
from stages.motion.lending import lend_style
from stages.motion.person import measure_person
from stages.motion.recordings import read_recordings, read_rest
from stages.render.held_out_speech import held_out_spans, predict_speech


def unseen_subjects() -> list[Subject]:
    """List the unseen subjects of params.yaml."""
    subjects = read_section("subjects", Subjects).all
    return [Subject(s.role, name) for name, s in subjects.items() if s.role == "unseen"]


def score_unseen(subjects: Sequence[Subject], seen: SeenStyles, seconds: float) -> dict[str, Any]:
    """Score the motion of unseen people's speech in the styles of seen people and in their own.

    Args:
        subjects: the unseen people.
        seen: the seen people, of whom the first four lend their styles.
        seconds: of speech at most.

    Returns:
        By name the rows of each measure of motion, and under `style` those of
        `StyleComparison.score_lent_styles`, among the seen people and this one; or under `absent`
        why there are none, or under `absent_own_style` why the own style is left out.
    """
    scores: dict[str, Any] = {}
    for subject in subjects:
        try:
            scores[subject.name] = _score(subject, seen, seconds)
        except UserError as error:
            print(f"{subject}: no scores: {error}", file=sys.stderr)
            scores[subject.name] = {"absent": str(error)}
    return scores


def read_unseen_person(subject: Subject, seconds: float) -> StylePerson:
    """Read the real motion of an unseen person: the first half of each clip, and as much after it.

    Raises:
        MissingInput: an artifact is missing, or no clip has both a face and its sound.
    """
    clips = style_spans(subject, clips_of(subject))
    face = measure_person(subject.name, read_recordings(subject, 0.0, DATA, clips))
    spans = held_out_spans(subject, seconds, clips)
    rests = [read_rest(subject, span.clip, DATA) or face.rest for span in spans]
    truth = read_track(subject, [(span.clip, span.first, span.end) for span in spans], rests)
    return StylePerson(subject.name, read_real_motion(subject, clips), truth)


def _score(subject: Subject, seen: SeenStyles, seconds: float) -> dict[str, Any]:
    name, clips = subject.name, style_spans(subject, clips_of(subject))
    face = measure_person(name, read_recordings(subject, 0.0, DATA, clips))
    spans = held_out_spans(subject, seconds, clips)
    places = [(span.clip, span.first, span.end) for span in spans]
    rests = [read_rest(subject, span.clip, DATA) or face.rest for span in spans]
    truth = read_track(subject, places, rests)
    speech = read_speech(subject, places, [span.late for span in spans])
    styles, unknown = list(seen.people)[:MOST_STYLES], {}
    try:
        knowing = lend_style(seen.model, subject)
        styles.append(name)
    except UserError as error:
        unknown = {"absent_own_style": str(error)}
        # The last place keeps the order of the style vectors.
        knowing = replace(seen.model, people={**seen.model.people, name: face})
    lent = {}
    for style in styles:
        columns = predict_speech(knowing, subject, spans, style, seen.seed)
        lent[style] = track_of_columns(columns, rests, truth.span, truth.fps)
    person = StylePerson(name, read_real_motion(subject, clips), truth)
    compared = StyleComparison({**seen.people, name: person}, seen.windows)
    rows = {"truth": [truth], **{f"as_{style}": [track] for style, track in lent.items()}}
    return {
        **unknown,
        "motion_frames": len(truth),
        **score_rows(truth, speech, rows),
        "style": compared.score_lent_styles(name, lent),
    }
