"""Train the motion model: one for all seen subjects, each with a style vector of their own.

    python -m stages train_motion

Reads training spans of clips, features and landmarks of the seen subjects; writes
models/motion.safetensors and curves to reports/training/train_motion. Method: section 3 of
docs/method.md.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.runtime.user_errors import BadFormat
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.subjects import Subject, training_subjects
from stages.base.training.checkpoint import fingerprint
from stages.base.training.loop import cosine, train
from stages.base.training.state import Batch, Update
from stages.motion.direct import offsets
from stages.motion.features import APC, FEATURE
from stages.motion.losses import displacement_loss, gaussian_nll
from stages.motion.model import MODEL, MotionModel, build
from stages.motion.networks import LANDMARKS, MouthNet
from stages.motion.params import MotionParams, frames_in
from stages.motion.person import LIDS, LIPS, measure_person
from stages.motion.recordings import Recording, read_recordings
from stages.motion.windows import Windows, feature_statistics

NAME = "train_motion"
_CLIP = 1.0  # largest norm of the gradients


class MotionTask:
    """Mouth and head pose, trained side by side on the same windows."""

    def __init__(self, params: MotionParams, windows: Windows, fps: float, subjects: int) -> None:
        self.params, self.windows = params, windows
        self.mouth_ahead = frames_in(params.mouth.look_ahead_s, fps)
        self.pose_ahead = frames_in(params.pose.look_ahead_s, fps)
        self.weights = landmark_weights(params.mouth.lips)
        self.modules: dict[str, nn.Module] = build(params, subjects)
        groups = [
            {
                "params": list(self.modules["mouth"].parameters()),
                "lr": params.mouth.rate,
                "weight_decay": params.mouth.decay,
            },
            {
                "params": list(self.modules["pose"].parameters()),
                "lr": params.pose.rate,
                "weight_decay": params.mouth.decay,
            },
            {
                "params": list(self.modules["style"].parameters()),
                "lr": params.mouth.rate,
                "weight_decay": 0.0,
            },
        ]
        self.optimizers: dict[str, torch.optim.Optimizer] = {"motion": torch.optim.AdamW(groups)}
        self.averaged: tuple[str, ...] = ("mouth", "pose", "style")

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        """Draw windows."""
        return self.windows.draw(self.params.batch, rng)

    def step(self, batch: Batch, step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Take one step on the sum of both losses."""
        style = self.modules["style"](batch["subject"])
        mouth, pose = self._mouth_loss(batch, style), self._pose_loss(batch, style)
        update("motion", mouth + pose)
        return {"mouth": mouth.detach(), "pose": pose.detach()}

    def _mouth_loss(self, batch: Batch, style: Tensor) -> Tensor:
        length, ahead = self.windows.length, self.mouth_ahead
        pairs = batch["pairs"][:, : length + ahead]
        heard = pairs + self.params.mouth.noise * torch.randn_like(pairs)
        late = self.modules["mouth"](heard, style)[:, ahead:]
        return displacement_loss(
            late.float(),
            batch["displacement"],
            self.weights.to(late.device),
            batch["face"],
            self.params.mouth.velocity,
        )

    def _pose_loss(self, batch: Batch, style: Tensor) -> Tensor:
        length, ahead = self.windows.length, self.pose_ahead
        motion = batch["motion"]
        history = torch.cat([torch.zeros_like(motion[:, :1]), motion[:, :-1]], dim=1)
        history = hide_frames(history, self.params.pose.dropout)
        pairs = batch["pairs"][:, ahead : ahead + length]
        mean, log_sigma = self.modules["pose"](history, pairs, style)
        return gaussian_nll(motion, mean.float(), log_sigma.float(), batch["posed"])


def hide_frames(history: Tensor, share: float) -> Tensor:
    """Zero a share of the frames of a history, (B, T, 12); the others are scaled as by dropout."""
    if not share:
        return history
    kept = torch.rand(history.shape[:2], device=history.device) >= share
    return history * kept[..., None] / (1 - share)


def landmark_weights(lips: float) -> Tensor:
    """Return the landmarks' weights, (68,): lips as told, lids 0 (blinks are drawn), others 1."""
    weights = torch.ones(LANDMARKS)
    weights[list(LIPS)] = lips
    weights[list(LIDS)] = 0.0
    return weights


def run(
    params: MotionParams,
    training: Training,
    subjects: Sequence[Subject],
    data: Path = Path("data"),
    model: Path = MODEL,
) -> MotionModel:
    """Train on the subjects and write the model.

    Raises:
        UserError: an artifact is missing or does not fit.
    """
    ahead_s = max(params.mouth.look_ahead_s, params.pose.look_ahead_s)
    recordings = {s.name: read_recordings(s, ahead_s, data) for s in subjects}
    fps = _one_rate(recordings)
    people = {name: measure_person(name, of_one) for name, of_one in recordings.items()}
    everything = [r for of_one in recordings.values() for r in of_one]
    feature_mean, feature_scale = feature_statistics(everything)
    windows = Windows(
        list(people.values()),
        list(recordings.values()),
        frames_in(params.window_s, fps),
        frames_in(ahead_s, fps),
        feature_mean,
        feature_scale,
        params.mouth.ridge,
        offsets(params.mouth.look_ahead_s, fps),
        params.mouth.judged,
    )
    torch.manual_seed(training.seed)
    task = MotionTask(params, windows, fps, len(people))
    weights = train(
        task,
        name=NAME,
        steps=params.steps,
        training=training,
        inputs=fingerprint(
            NAME,
            _tables(subjects, data),
            motion=params.model_dump(),
            subjects=[str(s) for s in subjects],
        ),
        clip=_CLIP,
        schedule=cosine(params.steps, warmup=min(20, params.steps // 10), floor=0.05),
    )
    networks = build(params, len(people))
    for name, network in networks.items():
        network.load_state_dict(weights[name])
    mouth = cast("MouthNet", networks["mouth"].eval())
    mouth.weigh(usefulness(mouth, weights["style"]["weight"], windows, params, fps))
    trained = MotionModel(
        params=params,
        fps=fps,
        direct=windows.direct,
        mouth=mouth,
        pose=networks["pose"].eval(),  # type: ignore[arg-type]
        styles=weights["style"]["weight"],
        feature_mean=torch.from_numpy(feature_mean),
        feature_scale=torch.from_numpy(feature_scale),
        people=people,
        bases={name: _base(of_one, params.manifold.rows) for name, of_one in recordings.items()},
    )
    trained.save(model)
    return trained


@torch.no_grad()
def usefulness(
    mouth: MouthNet, styles: Tensor, windows: Windows, params: MotionParams, fps: float
) -> float:
    """Return the factor, 0 to 1, by which the network's part surely helps where it did not learn.

    It is that of least squares over the judged ends of all recordings, every person alike, less
    two of its standard errors, which are those of a ratio of means over pieces of a second; 1 where
    there is nothing to judge by. Ours: an LSTM learns some minutes of speech by heart, and at full
    strength it then makes the regression worse on any other speech; and a few seconds to judge it
    by tell the factor badly.
    """
    ahead, second = frames_in(params.mouth.look_ahead_s, fps), max(1, round(fps))
    weights = landmark_weights(params.mouth.lips)[:, None]
    pieces: dict[int, list[NDArray[np.float64]]] = {}
    for batch in windows.judging():
        frames = batch["displacement"].shape[1]
        found = mouth(batch["pairs"][:, : frames + ahead], styles[batch["subject"]])[:, ahead:]
        wanted, mask = batch["displacement"], batch["judged"][..., None, None] * weights
        columns = ((mask * wanted * found), (mask * found * found), mask)
        sums = torch.stack([column.sum((0, 2, 3)) for column in columns], dim=1)
        rows = sums[batch["judged"][0] > 0].double().numpy()
        if len(rows):
            seconds = np.add.reduceat(rows, np.arange(0, len(rows), second))
            pieces.setdefault(int(batch["subject"]), []).append(seconds)
    told = [np.concatenate(of_one) for of_one in pieces.values()]
    if not told:
        return 1.0
    both, own = np.concatenate([rows[:, :2] / rows[:, 2].sum() for rows in told]).T
    if not own.sum() > 0:
        return 0.0
    best = both.sum() / own.sum()
    spread = np.square(both - best * own).sum() * len(own) / max(len(own) - 1, 1)
    return float(np.clip(best - 2 * np.sqrt(spread) / own.sum(), 0.0, 1.0))


def _one_rate(recordings: Mapping[str, Sequence[Recording]]) -> float:
    """Return the frames a second of all; raise BadFormat where two clips differ."""
    rates = {r.fps: f"{name}/{r.clip}" for name, rs in recordings.items() for r in rs}
    if len(rates) > 1:
        found = ", ".join(f"{where} {fps:g}" for fps, where in rates.items())
        raise BadFormat("data/clips", f"expected one rate of frames, found {found}")
    return next(iter(rates))


def _base(recordings: Sequence[Recording], rows: int) -> Tensor:
    """Keep evenly spaced features of a person's training spans, (rows or fewer, 512)."""
    steps: NDArray[np.float32] = np.concatenate(
        [r.pairs.reshape(-1, FEATURE)[:, :APC] for r in recordings]
    )
    kept = np.unique(np.linspace(0, len(steps) - 1, min(rows, len(steps))).round().astype(int))
    return torch.from_numpy(steps[kept] if rows else steps[:0])


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
    """Train as params.yaml says."""
    subjects = training_subjects(seen_subjects(), Path("data/features/seen"))
    run(read_section("motion", MotionParams), read_section("training", Training), subjects)
