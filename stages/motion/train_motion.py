"""Train the motion model: one for all seen subjects and the population, each with a style vector.

    python -m stages train_motion     # laptop preset: two minutes on 2 cores

Reads training spans of clips, features and landmarks of these; writes
models/motion.safetensors and curves to reports/training/train_motion. Method: section "Motion" of
docs/method.md.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import BadFormat
from stages.base.config.params import (
    Training,
    population_subjects,
    read_section,
    seen_subjects,
)
from stages.base.config.paths import DATA, REPORTS
from stages.base.config.subjects import Subject, training_subjects
from stages.base.training.checkpoint import fingerprint
from stages.base.training.loop import cosine, train
from stages.motion import weighing
from stages.motion.features import PHONE
from stages.motion.gains import with_head_gain
from stages.motion.model import MODEL, MotionModel, build
from stages.motion.mouth import MouthNetwork, MouthTcn
from stages.motion.mouth_space import MouthSpace
from stages.motion.params import MotionParams, frames_in
from stages.motion.person import MotionPerson, measure_person
from stages.motion.recordings import Recording, read_recordings
from stages.motion.ridge_regression import RidgeRegression, context_offsets
from stages.motion.style_effect import report, style_effects
from stages.motion.style_references import ReferenceFrame, read_candidates, style_windows
from stages.motion.task import MotionTask, landmark_weights
from stages.motion.windows import WindowSampler

NAME = "train_motion"
STYLE_REPORT = "style.json"
_LARGEST_GRADIENT = 1.0  # norm


def run(
    params: MotionParams,
    training: Training,
    subjects: Sequence[Subject],
    data: Path = DATA,
    model: Path = MODEL,
) -> MotionModel:
    """Train on the subjects and write the model, and what style does to the training report.

    Raises:
        UserError: an artifact is missing or does not fit.
    """
    ahead_s = max(params.mouth.look_ahead_s, params.pose.look_ahead_s)
    recordings = {s.name: read_recordings(s, ahead_s, data) for s in subjects}
    candidates = {s.name: read_candidates(s, data) for s in subjects}
    trained, found = fit_model(recordings, candidates, params, training, _tables(subjects, data))
    trained.save(model)
    text = json.dumps(found, indent=2, sort_keys=True) + "\n"
    write_atomic(REPORTS / "training" / NAME / STYLE_REPORT, text)
    return trained


def fit_model(
    recordings: Mapping[str, Sequence[Recording]],
    candidates: Mapping[str, Sequence[ReferenceFrame]],
    params: MotionParams,
    training: Training,
    files: Sequence[Path] = (),
) -> tuple[MotionModel, dict[str, Any]]:
    """Train on people.

    Args:
        recordings: of each subject.
        candidates: of each subject's references; those outside its recordings do not count.
        params: section `motion`.
        training: section `training`.
        files: what all was read from.

    Returns:
        The model, and what style does (see `style_effect.report`).
    """
    fps, ahead = _frame_rate(recordings), params.mouth.look_ahead_s
    offsets = context_offsets(ahead, fps)
    with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
        people = {name: measure_person(name, own) for name, own in recordings.items()}
        windows = WindowSampler(
            list(people.values()),
            list(recordings.values()),
            frames_in(params.window_s, fps),
            frames_in(max(ahead, params.pose.look_ahead_s), fps),
            params.mouth.ridge,
            offsets,
            params.mouth.judged,
            residual=params.mouth.network == "lstm",
        )
        space = MouthSpace.of_people(windows.moments(), params.mouth.tcn.components)
        basis = space.basis.numpy()
        references = [
            style_windows(person, recordings[name], candidates[name], basis)
            for name, person in people.items()
        ]
    torch.manual_seed(training.seed)
    weights = train(
        MotionTask(params, windows, references, space, fps),
        name=NAME,
        steps=params.steps,
        training=training,
        inputs=fingerprint(
            NAME, files, motion=params.model_dump(mode="json"), subjects=list(recordings)
        ),
        clip=_LARGEST_GRADIENT,
        schedule=cosine(params.steps, warmup=min(20, params.steps // 10), floor=0.05),
    )
    with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
        networks = build(params, len(people), len(windows.feature_mean), fps)
        for name, state in weights.items():
            getattr(networks, name).load_state_dict(state)
        read = torch.stack([networks.encoder.eval().encode(each) for each in references])
        styles = read + weights["own"]["weight"]
        shares = _weigh(networks.mouth.eval(), styles, read, windows, basis, params, people, fps)
        trained = MotionModel(
            params=params,
            fps=fps,
            regression=shares.regression,
            personal=shares.personal,
            mouth=networks.mouth,
            pose=networks.pose.eval(),
            encoder=networks.encoder,
            styles=styles,
            feature_mean=torch.from_numpy(windows.feature_mean),
            feature_scale=torch.from_numpy(windows.feature_scale),
            people=people,
            bases={name: _base(own, params.manifold.rows) for name, own in recordings.items()},
        )
        moving = {name: with_head_gain(trained, name, own) for name, own in recordings.items()}
        moving = {n: replace(p, mouth_gain=shares.mouths.get(n, 1.0)) for n, p in moving.items()}
        return replace(trained, people=moving), shares.report


@dataclass(frozen=True)
class _Shares:
    """How strong each part is to be.

    Attributes:
        regression: of all people.
        personal: of each person who has one.
        mouths: gain of each person's lips and jaw.
        report: what style does, and the factors.
    """

    regression: RidgeRegression
    personal: dict[str, RidgeRegression]
    mouths: dict[str, float]
    report: dict[str, Any]


def _weigh(
    mouth: MouthNetwork,
    styles: Tensor,
    read: Tensor,
    windows: WindowSampler,
    basis: NDArray[np.float32],
    params: MotionParams,
    people: Mapping[str, MotionPerson],
    fps: float,
) -> _Shares:
    """Scale the mouth network and the regressions by what the validation frames say."""
    ahead, sizes = frames_in(params.mouth.look_ahead_s, fps), params.mouth
    validation = weighing.predict_validation(mouth, styles, windows, ahead)
    if sizes.network == "lstm":
        gain = weighing.output_gain(validation, landmark_weights(sizes), len(people), fps)
        mouth.scale_output(gain)
        return _Shares(windows.regression, {}, {}, {"network": round(gain, 4)})
    share = weighing.population_share(validation, len(people))
    offsets = windows.regression.offsets
    own = [[r for r in validation if r.subject == subject] for subject in range(len(people))]
    personal = [
        weighing.fit_personal(each, share, sizes.tcn.personal, offsets, fps) for each in own
    ]
    effects = style_effects(mouth, styles, read, validation, people, share, personal, ahead)
    whole = [
        weighing.blend(r.network, r.regression, share)
        + personal[r.subject].gain
        * personal[r.subject].learnt.predict(r.features, np.arange(len(r.true)))
        for r in validation
    ]
    gains = weighing.amplitude_gains(validation, whole, basis, sizes.tcn.amplitude)
    mouth.scale_output(1 - share)
    cast("MouthTcn", mouth).amplify(torch.from_numpy(gains))
    moved = [weighing.amplified(each, basis, gains) for each in whole]
    mouths = {}
    for subject, (name, person) in enumerate(people.items()):
        pairs = [(r, m) for r, m in zip(validation, moved, strict=True) if r.subject == subject]
        mouths[name] = weighing.mouth_gain([r for r, _ in pairs], [m for _, m in pairs], person)
    named = zip(people, personal, strict=True)
    shared = windows.regression.scaled(weighing.population_factors(share))
    return _Shares(
        regression=shared.amplified(basis, gains),
        personal={
            name: p.whole.scaled(p.gain).amplified(basis, gains) for name, p in named if p.gain > 0
        },
        mouths=mouths,
        report=report(1 - share, effects)
        | {"amplified": [round(float(g), 3) for g in gains]}
        | {"mouth_gain": {name: round(gain, 3) for name, gain in mouths.items()}},
    )


def _frame_rate(recordings: Mapping[str, Sequence[Recording]]) -> float:
    """Return the common frame rate; raise BadFormat if clips differ."""
    rates = {r.fps: f"{name}/{r.clip}" for name, own in recordings.items() for r in own}
    if len(rates) > 1:
        listed = ", ".join(f"{where} {fps:g}" for fps, where in rates.items())
        raise BadFormat("data/clips", f"expected one frame rate, found {listed}")
    return next(iter(rates))


def _base(recordings: Sequence[Recording], rows: int) -> Tensor:
    """Select evenly spaced features of a person's training spans, (rows or fewer, D - 39)."""
    steps: NDArray[np.float32] = np.concatenate(
        [r.features.reshape(2 * len(r.features), -1)[:, :-PHONE] for r in recordings]
    )
    selected = np.unique(np.linspace(0, len(steps) - 1, min(rows, len(steps))).round().astype(int))
    return torch.from_numpy(steps[selected] if rows else steps[:0])


def _tables(subjects: Sequence[Subject], data: Path) -> list[Path]:
    """List the tables that the training reads."""
    files: list[Path] = []
    for subject in subjects:
        files.append(data / "clips" / str(subject) / "clips.parquet")
        files.append(data / "speech" / str(subject) / "sync.parquet")
        for kind in ("landmarks", "features", "references"):
            files += (data / kind / str(subject)).glob("*.parquet")
    return files


def main() -> None:
    """Train with the params of params.yaml."""
    subjects = training_subjects(seen_subjects(), DATA / "features/seen")
    subjects += training_subjects(population_subjects(), DATA / "features/population")
    run(read_section("motion", MotionParams), read_section("training", Training), subjects)
