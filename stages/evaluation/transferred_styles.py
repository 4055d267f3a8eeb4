"""Transferred styles: speech of the seen people in a style before and after its fine-tuning.

The rows of a style X, each a mean over voices: `own`, each voice in its own style; `lent`, the base
model with X's style vector; `transferred`, models/motion_X.safetensors; `truth`, real motion of X
of another time. All are compared with X's real motion. The voices are those of at most four other
seen people: those after X, cyclically, in `subjects.seen`, or the first four if X is unseen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from stages.base.config.subjects import Subject
from stages.evaluation.held_out_frames import SubjectFrames
from stages.evaluation.lent_styles import MOST_STYLES, SeenStyles, styles_lent_to
from stages.evaluation.motion_scores import score_motion
from stages.evaluation.style_scores import StyleDistances
from stages.evaluation.style_tables import TRANSFER_ROWS
from stages.evaluation.styles import StylePerson
from stages.evaluation.subject_tracks import SubjectTracks
from stages.evaluation.track import Track, track_of_columns
from stages.evaluation.unseen_people import read_unseen_person
from stages.motion.lending import lend_style
from stages.motion.model import MotionModel
from stages.render.held_out_speech import held_out_spans, predict_speech
from stages.transfer.artifacts import model_path


def score_transfers(
    owners: Sequence[Subject], seen: SeenStyles, seconds: float
) -> dict[str, dict[str, Any]]:
    """Score every transferred style; a project with no other voice scores none.

    Args:
        owners: of the styles, as section `transfers` lists them.
        seen: the seen people.
        seconds: of an unseen owner's speech at most.

    Returns:
        By owner `voices`, their number, and each of TRANSFER_ROWS: `sld`, `slv`, `smd` from the
        owner's real motion; `gap_closed`, the share of the distance by SLD from the row `own` to
        the row `truth` that a row closes; and `mouth_correlation`, of the mouth's opening with
        that of whoever speaks.
    """
    scores = {}
    for owner in owners:
        names = list(seen.people)
        known = owner.name in seen.people
        voices = styles_lent_to(owner.name, names) if known else names[:MOST_STYLES]
        if voices:
            scores[owner.name] = _score(owner, seen, voices, seconds)
    return scores


def _score(
    subject: Subject, seen: SeenStyles, voices: Sequence[str], seconds: float
) -> dict[str, Any]:
    name, plain = subject.name, seen.model
    tuned = MotionModel.load(model_path(name))
    if name in seen.people:
        owner = seen.people[name]
    else:
        owner, plain = read_unseen_person(subject, seconds), lend_style(plain, subject)
    far: dict[str, list[dict[str, float]]] = {row: [] for row in TRANSFER_ROWS}
    for voice in voices:
        tracks, face = SubjectTracks(SubjectFrames(Subject("seen", voice))), seen.people[voice]
        made = {
            "own": tracks.generated,
            "lent": _speak(plain, tracks, name, seen.seed),
            "transferred": _speak(tuned, tracks, name, seen.seed),
        }
        for row, track in made.items():
            sync = score_motion(tracks.truth, tracks.speech, track).mouth_correlation
            far[row].append({**_distances(owner, track, face, seen), "mouth_correlation": sync})
        most = len(seen.windows.starts(tracks.generated))
        floor = owner.distances(owner.reference, owner, seen.windows, most)
        far["truth"].append(asdict(floor))
    means = {row: _means(found) for row, found in far.items()}
    own, floor_sld = means["own"]["sld"], means["truth"]["sld"]
    for scores in means.values():
        closed = (own - scores["sld"]) / (own - floor_sld) if own > floor_sld else float("nan")
        scores["gap_closed"] = closed
    return {"voices": len(voices), **means}


def _speak(model: MotionModel, tracks: SubjectTracks, style: str, seed: int) -> Track:
    """Generate a seen person's rendered speech in a style, on the own face."""
    held = tracks.held
    spans = held_out_spans(held.subject, len(tracks) / held.fps)
    columns = predict_speech(model, held.subject, spans, style, seed)
    return track_of_columns(columns, tracks.rests, tracks.truth.span, held.fps)


def _distances(
    owner: StylePerson, track: Track, face: StylePerson, seen: SeenStyles
) -> dict[str, float]:
    distances: StyleDistances = owner.distances(track, face, seen.windows)
    return asdict(distances)


def _means(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([one[key] for one in found])) for key in found[0]}
