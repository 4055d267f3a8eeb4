"""Train the motion model: one for all seen subjects, each with a style vector.

    python -m stages train_motion     # laptop preset: two minutes on 2 cores

Reads training spans of clips, features and landmarks of the seen subjects; writes
models/motion.safetensors and curves to reports/training/train_motion. Method: section 3 of
docs/method.md.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.runtime.user_errors import BadFormat
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject, training_subjects
from stages.base.io.timebase import to_frames
from stages.base.training.checkpoint import fingerprint
from stages.base.training.loop import cosine, train
from stages.base.training.state import Batch, Update
from stages.motion.features import PHONE
from stages.motion.model import MODEL, MotionModel, build
from stages.motion.networks import LANDMARKS, MouthNet, displacement_loss, gaussian_nll
from stages.motion.params import MotionParams, frames_in
from stages.motion.person import LIDS, LIPS, measure_person
from stages.motion.recordings import Recording, read_recordings
from stages.motion.ridge_regression import context_offsets
from stages.motion.windows import Windows

NAME = "train_motion"
_LARGEST_GRADIENT = 1.0  # norm


class MotionTask:
    """Mouth and head pose, trained together on the same windows."""

    def __init__(self, params: MotionParams, windows: Windows, fps: float, subjects: int) -> None:
        self.params, self.windows = params, windows
        self.mouth_ahead = frames_in(params.mouth.look_ahead_s, fps)
        self.pose_ahead = frames_in(params.pose.look_ahead_s, fps)
        self.weights = landmark_weights(params.mouth.lips)
        networks = build(params, subjects, len(windows.feature_mean))
        self.averaged: tuple[str, ...] = ("mouth", "pose", "style")
        self.modules: dict[str, nn.Module] = dict(zip(self.averaged, networks, strict=True))
        mouth, decay = params.mouth.learning_rate, params.mouth.decay
        settings = ((mouth, decay), (params.pose.learning_rate, decay), (mouth, 0.0))
        groups = [
            {"params": list(network.parameters()), "lr": rate, "weight_decay": weight_decay}
            for network, (rate, weight_decay) in zip(networks, settings, strict=True)
        ]
        self.optimizers: dict[str, torch.optim.Optimizer] = {"motion": torch.optim.AdamW(groups)}

    def batch(self, _step: int, rng: np.random.Generator) -> Batch:
        """Draw windows."""
        return self.windows.draw(self.params.batch, rng)

    def step(self, batch: Batch, _step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Take one step on the sum of both losses."""
        style = self.modules["style"](batch["subject"])
        mouth, pose = self._mouth_loss(batch, style), self._pose_loss(batch, style)
        update("motion", mouth + pose)
        return {"mouth": mouth.detach(), "pose": pose.detach()}

    def _mouth_loss(self, batch: Batch, style: Tensor) -> Tensor:
        features = batch["features"][:, : self.windows.length + self.mouth_ahead]
        noisy = features + self.params.mouth.noise * torch.randn_like(features)
        residual = self.modules["mouth"](noisy, style)[:, self.mouth_ahead :]
        return displacement_loss(
            residual.float(),
            batch["residual"],
            self.weights.to(residual.device),
            batch["mouth_mask"],
            self.params.mouth.velocity,
        )

    def _pose_loss(self, batch: Batch, style: Tensor) -> Tensor:
        motion = batch["motion"]
        history = torch.cat([torch.zeros_like(motion[:, :1]), motion[:, :-1]], dim=1)
        history = hide_frames(history, self.params.pose.dropout)
        features = batch["features"][:, self.pose_ahead : self.pose_ahead + self.windows.length]
        mean, log_sigma = self.modules["pose"](history, features, style)
        return gaussian_nll(motion, mean.float(), log_sigma.float(), batch["pose_mask"])


def hide_frames(history: Tensor, share: float) -> Tensor:
    """Zero a random share of the frames of a history, (B, T, 12); scale the others as dropout."""
    if not share:
        return history
    shown = torch.rand(history.shape[:2], device=history.device) >= share
    return history * shown[..., None] / (1 - share)


def landmark_weights(lips: float) -> Tensor:
    """Return the landmarks' weights, (68,): `lips` for lips, 0 for lids (blinks are sampled), 1."""
    weights = torch.ones(LANDMARKS)
    weights[list(LIPS)] = lips
    weights[list(LIDS)] = 0.0
    return weights


def run(
    params: MotionParams,
    training: Training,
    subjects: Sequence[Subject],
    data: Path = DATA,
    model: Path = MODEL,
) -> MotionModel:
    """Train on the subjects and write the model.

    Raises:
        UserError: an artifact is missing or does not fit.
    """
    ahead_s = max(params.mouth.look_ahead_s, params.pose.look_ahead_s)
    recordings = {s.name: read_recordings(s, ahead_s, data) for s in subjects}
    fps = _frame_rate(recordings)
    people = {name: measure_person(name, own) for name, own in recordings.items()}
    windows = Windows(
        list(people.values()),
        list(recordings.values()),
        frames_in(params.window_s, fps),
        frames_in(ahead_s, fps),
        params.mouth.ridge,
        context_offsets(params.mouth.look_ahead_s, fps),
        params.mouth.judged,
    )
    torch.manual_seed(training.seed)
    weights = train(
        MotionTask(params, windows, fps, len(people)),
        name=NAME,
        steps=params.steps,
        training=training,
        inputs=fingerprint(
            NAME,
            _tables(subjects, data),
            motion=params.model_dump(),
            subjects=[str(s) for s in subjects],
        ),
        clip=_LARGEST_GRADIENT,
        schedule=cosine(params.steps, warmup=min(20, params.steps // 10), floor=0.05),
    )
    mouth, pose, _ = build(params, len(people), len(windows.feature_mean))
    mouth.load_state_dict(weights["mouth"])
    pose.load_state_dict(weights["pose"])
    styles = weights["style"]["weight"]
    mouth.eval()
    mouth.scale_output(output_gain(mouth, styles, windows, params, fps))
    trained = MotionModel(
        params=params,
        fps=fps,
        regression=windows.regression,
        mouth=mouth,
        pose=pose.eval(),
        styles=styles,
        feature_mean=torch.from_numpy(windows.feature_mean),
        feature_scale=torch.from_numpy(windows.feature_scale),
        people=people,
        bases={name: _base(own, params.manifold.rows) for name, own in recordings.items()},
    )
    trained.save(model)
    return trained


@torch.no_grad()
def output_gain(
    mouth: MouthNet, styles: Tensor, windows: Windows, params: MotionParams, fps: float
) -> float:
    """Estimate the factor on the mouth network's output, 0 to 1, from validation frames.

    The lower bound of the least-squares gain: its estimate, with equal weight for every person,
    minus two standard errors of a ratio of means over pieces of one second; 1 without validation
    frames. Ours: an LSTM memorises minutes of speech, and at full strength it then makes the
    regression worse on other speech; a few seconds estimate the gain badly.
    """
    ahead, second = frames_in(params.mouth.look_ahead_s, fps), to_frames(1.0, fps, 1)
    weights = landmark_weights(params.mouth.lips)[:, None]
    pieces: dict[int, list[NDArray[np.float64]]] = {}
    for batch in windows.validation():
        true, valid = batch["residual"], batch["validation_mask"]
        features = batch["features"][:, : true.shape[1] + ahead]
        predicted = mouth(features, styles[batch["subject"]])[:, ahead:]
        mask = valid[..., None, None] * weights
        columns = (mask * true * predicted, mask * predicted * predicted, mask)
        sums = torch.stack([column.sum((0, 2, 3)) for column in columns], dim=1)
        rows = sums[valid[0] > 0].double().numpy()
        if len(rows):
            seconds = np.add.reduceat(rows, np.arange(0, len(rows), second))
            pieces.setdefault(int(batch["subject"]), []).append(seconds)
    people = [np.concatenate(own) for own in pieces.values()]
    if not people:
        return 1.0
    cross, power = np.concatenate([rows[:, :2] / rows[:, 2].sum() for rows in people]).T
    if not power.sum() > 0:
        return 0.0
    gain = cross.sum() / power.sum()
    variance = np.square(cross - gain * power).sum() * len(power) / max(len(power) - 1, 1)
    return float(np.clip(gain - 2 * np.sqrt(variance) / power.sum(), 0.0, 1.0))


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
        for kind in ("landmarks", "features"):
            files += (data / kind / str(subject)).glob("*.parquet")
    return files


def main() -> None:
    """Train with the params of params.yaml."""
    subjects = training_subjects(seen_subjects(), DATA / "features/seen")
    run(read_section("motion", MotionParams), read_section("training", Training), subjects)
