"""Compare predictors of the mouth from a held-out voice: LSTM, regression, phones.

    python bench/mouth_from_voice.py     # in a project after `dvc repro`; about four minutes

Trains each variant on the project's seen subjects, in a temporary folder, and compares the mouth's
opening for the held-out voice with the truth: correlation at lag 0, at the best lag up to 0.12 s,
and the ratio of amplitudes.
"""

import tempfile
from contextlib import chdir
from pathlib import Path

import numpy as np

from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.subjects import Subject
from stages.base.face import face_measures
from stages.base.io import tables
from stages.evaluation import metrics
from stages.evaluation.motion_scores import best_lag
from stages.landmarks.artifacts import LANDMARKS
from stages.motion import ridge_regression, train_motion
from stages.motion.model import MotionModel
from stages.motion.params import MotionParams
from stages.render.held_out_speech import held_out_spans, predict_speech

SHORT = 1  # steps of a training whose network is not used


def main() -> None:
    params, training = read_section("motion", MotionParams), read_section("training", Training)
    subjects = [Subject("seen", name) for name in seen_subjects()]
    lstm = params.mouth.model_copy(update={"network": "lstm"})
    alone = lstm.model_copy(update={"ridge": 0.0, "judged": 0.0})
    once = params.model_copy(update={"mouth": lstm, "steps": SHORT})
    weigh = ridge_regression._PHONE_WEIGHT
    variants = {
        "as params.yaml says": (params, weigh, False),
        "LSTM alone": (params.model_copy(update={"mouth": alone}), weigh, False),
        "regression alone": (once, weigh, True),
        "regression alone, no phones": (once, 0.0, True),
    }
    print("| subject | variant | frames | r | r at its best lag | lag, s | amplitude |")
    print("|---|---|---|---|---|---|---|")
    for title, (changed, phones, silenced) in variants.items():
        ridge_regression._PHONE_WEIGHT = phones
        model = _trained(changed, training, subjects)
        if silenced:
            model.mouth.scale_output(0.0)
        for subject in subjects:
            print(f"| {subject.name} | {title} | {_scores(model, subject)} |")
        ridge_regression._PHONE_WEIGHT = weigh


def _trained(params: MotionParams, training: Training, subjects: list[Subject]) -> MotionModel:
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name in ("data", "params.yaml", "versions.yaml", "dvc.yaml"):
            Path(name).symlink_to(home / name)
        return train_motion.run(params, training, subjects)


def _scores(model: MotionModel, subject: Subject) -> str:
    parts = held_out_spans(subject, 600.0)
    columns = predict_speech(model, subject, parts, subject.name, 1)
    generated = face_measures.mouth_opening(columns["head"])
    rows = [
        tables.read(
            Path(f"data/landmarks/{subject}/{part.clip.id}.parquet"),
            LANDMARKS,
            ["head", "valid"],
            part.first,
            part.end,
        )
        for part in parts
    ]
    valid = np.concatenate([row["valid"] for row in rows]).astype(bool)
    true = face_measures.mouth_opening(np.concatenate([row["head"] for row in rows]))
    here = metrics.correlation(true[valid], generated[valid])
    best, lag = best_lag(true, generated, valid, model.fps)
    amplitude = generated[valid].std() / true[valid].std()
    return f"{valid.sum()} | {here:.2f} | {best:.2f} | {lag:+.2f} | {amplitude:.2f}"


if __name__ == "__main__":
    main()
