"""Learn a representation of speech from the seen subjects and the population.

    python -m stages train_audio

Fits the principal components of Whisper's activations (seconds), or trains the APC network, as
`speech.features` says. Reads data/speech/seen and the ledgers of data/clips/seen; writes
models/audio.safetensors and reports/training/train_audio. Method: section "Audio" of
docs/method.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config.params import (
    Training,
    population_subjects,
    read_section,
    seen_subjects,
)
from stages.base.config.subjects import Subject, training_subjects
from stages.base.io import tables
from stages.base.io.timebase import AUDIO_RATE, to_frames
from stages.base.training.checkpoint import fingerprint
from stages.base.training.curves import Curves
from stages.base.training.devices import is_first_process, local_batch
from stages.base.training.loop import train
from stages.base.training.model_files import flatten_modules, module_tensors, save_model
from stages.base.training.state import Batch, Update
from stages.clips.artifacts import CLIPS_DIR
from stages.clips.ledger import clips_of
from stages.speech.activations import STEP, StoredActivations, activations_of
from stages.speech.apc import APC, apc_loss, levelled, loudness_gain_db
from stages.speech.artifacts import AUDIO_MODEL, MEL, SPEECH_DIR, SYNC
from stages.speech.mel import BANDS
from stages.speech.params import AudioParams, SpeechParams
from stages.speech.principal_components import Moments, fit_components

NAME = "train_audio"
_BLOCK = 5000  # rows read at once


@dataclass(frozen=True)
class AudioSpan:
    """Training frames of one clip: its mel table, first step and end, and the clip's gain in dB."""

    path: Path
    first: int
    last: int
    gain: float


class AudioTask:
    """Windows of mel frames, drawn from the spans by their length, and the APC loss on them."""

    def __init__(self, spans: Sequence[AudioSpan], params: AudioParams, window: int) -> None:
        self.params, self.spans, self.window = params, spans, window
        self.averaged: tuple[str, ...] = ("apc",)
        network = APC(params.hidden, params.layers, residual=params.residual)
        self.modules: dict[str, torch.nn.Module] = {"apc": network}
        optimizer = torch.optim.Adam(network.parameters(), params.learning_rate)
        self.optimizers: dict[str, torch.optim.Optimizer] = {"apc": optimizer}
        lengths = np.array([span.last - span.first for span in spans], float)
        self.share = lengths / lengths.sum()
        self.mel = [
            levelled(tables.read(s.path, MEL, ["mel"], s.first, s.last)["mel"], s.gain)
            for s in spans
        ]

    def batch(self, _step: int, rng: np.random.Generator) -> Batch:
        """Draw windows: mel (B, T, 80) and which frames are no padding, valid (B, T)."""
        shape = (local_batch(self.params.batch), self.window)
        mel, valid = np.zeros((*shape, BANDS), np.float32), np.zeros(shape, bool)
        for row, chosen in enumerate(rng.choice(len(self.spans), shape[0], p=self.share)):
            span = self.spans[chosen]
            free = max(0, span.last - span.first - self.window)
            first = int(rng.integers(free + 1))
            found = self.mel[chosen][first : first + self.window]
            mel[row, : len(found)] = found
            valid[row, : len(found)] = True
        return {"mel": torch.from_numpy(mel), "valid": torch.from_numpy(valid)}

    def step(self, batch: Batch, _step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Predict, compare, update; `copy` is the loss of repeating the present frame."""
        mel, valid, ahead = batch["mel"], batch["valid"], self.params.ahead
        predicted, _ = self.modules["apc"](mel)
        loss = apc_loss(predicted, mel, valid, ahead)
        update("apc", loss)
        return {"loss": loss.detach(), "copy": apc_loss(mel, mel, valid, ahead)}


def spans_of(
    subjects: Sequence[Subject], params: AudioParams, clips: Path, speech: Path
) -> tuple[list[AudioSpan], float]:
    """List the training spans of the subjects' clips and the clips' one frame rate.

    Clips whose sound does not belong to their lips are left out.

    Raises:
        MissingInput: no clip has a training span.
        BadFormat: clips of different rates, or mel of another length than its clip.
    """
    spans, rates = [], set()
    for subject in subjects:
        folder = speech / subject.role / subject.name
        sync = tables.read(folder / "sync.parquet", SYNC, ["clip", "status"])
        foreign = set(sync["clip"][sync["status"] == "rejected"])
        for clip in clips_of(subject, clips):
            if clip.id in foreign:
                continue
            path = folder / f"{clip.id}.parquet"
            energy = tables.read(path, MEL, ["energy"])["energy"]
            if len(energy) != 2 * clip.frames:
                raise BadFormat(path, f"expected {2 * clip.frames} rows, found {len(energy)}")
            first, last = (2 * frame for frame in clip.train)
            rates.add(clip.fps)
            if last - first > params.ahead:
                spans.append(
                    AudioSpan(path, first, last, loudness_gain_db(energy, params.level_db))
                )
    if not spans:
        raise MissingInput(speech, "no training span in any clip", "add longer or more videos")
    if len(rates) > 1:
        raise BadFormat(
            clips, f"expected one frame rate, found {sorted(rates)}", "run `idiolect repro`"
        )
    return spans, rates.pop()


def run(
    names: Sequence[str],
    params: AudioParams,
    training: Training,
    encoder: str,
    population: Sequence[str] = (),
    clips: Path = CLIPS_DIR,
    speech: Path = SPEECH_DIR,
    model: Path = AUDIO_MODEL,
) -> None:
    """Train on the seen subjects and the population, and write the model.

    Args:
        names: the seen subjects.
        params: section `train_audio`.
        training: section `training`.
        encoder: name of the pre-trained encoder whose activations are projected; empty: APC.
        population: its subjects.
        clips: folder of the clips.
        speech: folder of mel and activations.
        model: the file to write.
    """
    for folder in (clips, speech):
        subjects = training_subjects(list(names), folder / "seen")
        subjects += training_subjects(list(population), folder / "population")
    spans, fps = spans_of(subjects, params, clips, speech)
    if encoder and not is_first_process():
        return
    if encoder:
        tensors = _fit_representation(spans, fps, params.components)
        kind = {"representation": "whisper", "encoder": encoder, "level_db": params.level_db}
        save_model(model, tensors, kind | {"fps": fps})
        return
    torch.manual_seed(training.seed)
    task = AudioTask(spans, params, to_frames(params.seconds, 2 * fps))
    weights = train(
        task,
        name=NAME,
        steps=params.steps,
        training=training,
        inputs=fingerprint(
            NAME,
            {span.path for span in spans},
            params=params.model_dump(),
            spans=[(str(span.path), span.first, span.last) for span in spans],
        ),
        ema=params.ema,
        clip=params.clip,
    )
    config = params.model_dump(include={"hidden", "layers", "residual", "ahead", "level_db"})
    config |= {"representation": "apc", "fps": fps}
    save_model(model, module_tensors(flatten_modules(weights), "apc"), config)


def _fit_representation(spans: Sequence[AudioSpan], fps: float, count: int) -> dict[str, Tensor]:
    """Fit components and the bands' statistics; write the curve of the explained variance."""
    stored = [StoredActivations(activations_of(span.path)) for span in spans]
    rows_a_step = AUDIO_RATE / STEP / (2 * fps)
    layers, bands = Moments(stored[0].width), Moments(BANDS)
    for span, activations in zip(spans, stored, strict=True):
        begin, end = ceil(span.first * rows_a_step), ceil(span.last * rows_a_step)
        for first, last in _blocks(begin, min(end, activations.rows)):
            layers.add(activations.read(first, last))
        for first, last in _blocks(span.first, span.last):
            bands.add(levelled(tables.read(span.path, MEL, ["mel"], first, last)["mel"], span.gain))
    components = fit_components(layers, min(count, stored[0].width))
    points = [[float(i), float(share)] for i, share in enumerate(components.explained, 1)]
    with Curves(Path("reports/training") / NAME, {"points": {"explained": points}, "sums": {}}):
        pass  # entering writes the points
    spread = np.sqrt(np.maximum(np.diag(bands.covariance), 1e-6))
    statistics = {"mel_mean": bands.mean, "mel_scale": spread}
    mel = {name: torch.from_numpy(a.astype(np.float32)) for name, a in statistics.items()}
    return components.tensors() | mel


def _blocks(first: int, end: int) -> Iterator[tuple[int, int]]:
    """Split rows into blocks, which bounds the memory of long clips."""
    return ((i, min(i + _BLOCK, end)) for i in range(first, end, _BLOCK))


def main() -> None:
    """Train with the params of params.yaml."""
    params, training = read_section(NAME, AudioParams), read_section("training", Training)
    encoder = read_section("speech", SpeechParams).encoder
    run(seen_subjects(), params, training, encoder, population_subjects())
