"""Features of one subject's speech, two a video frame: the APC network's last layer, and phones.

    python -m stages features seen/NAME

Reads data/speech/ROLE/NAME and models/audio.safetensors; writes data/features/ROLE/NAME (see
docs/formats.md, "features"). Method: section "Audio" of docs/method.md.
"""

from collections.abc import Iterable, Iterator
from math import ceil, gcd
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.runtime import progress
from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.user_errors import BadFormat
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.training.model_files import load_model
from stages.speech import mel as mels
from stages.speech.apc import APC, States, build, gain, levelled
from stages.speech.artifacts import FEATURES, MEL, PHONES
from stages.speech.phone_track import PhoneTrack

SPEECH = Path("data/speech")
MODEL = Path("models/audio.safetensors")
FEATURES_ROOT = Path("data/features")
_OTHERS = ("phones", "sync")  # tables beside the clips' own
_CHUNK = 2000  # audio frames that pass through the network at once
_ROWS = 64  # in a row group: about a second

Floats = NDArray[np.float32]


class Representer:
    """A trained network and what its input has to be brought to.

    Args:
        model: the file that `train_audio` wrote.

    Attributes:
        fps: video frames a second of the sound that it was trained on.
    """

    def __init__(self, model: Path = MODEL) -> None:
        tensors, config = load_model(model)
        try:
            self.network: APC = build(tensors, config)
            self.fps, self.level = float(config["fps"]), float(config["level_db"])
        except (KeyError, RuntimeError) as error:
            raise BadFormat(model, f"is no audio model of ours: {error}") from None

    def features(self, blocks: Iterable[Floats], gain_db: float) -> Iterator[Floats]:
        """Yield the features (n, 512) of each block (n, 80) of one sound's mel, in order."""
        states: States = []
        for block in blocks:
            levels = torch.from_numpy(levelled(block, gain_db))[None]
            with torch.inference_mode():
                found, states = self.network.represent(levels, states)
            yield found[0].numpy()


def features_of_audio(
    samples: NDArray[np.floating], rate: int, fps: float, model_path: Path = MODEL
) -> Floats:
    """Compute the features of any sound, to drive a video with.

    Args:
        samples: mono, (S,) within -1 to 1.
        rate: samples a second.
        fps: video frames a second; those of the model's training.
        model_path: the audio model.

    Returns:
        Features, (2N, 512), where N frames cover the whole sound.

    Raises:
        BadFormat: not mono, empty, or another frame rate than the model's.
    """
    if samples.ndim != 1 or not len(samples) or rate <= 0:
        raise BadFormat("audio", f"expected mono sound, (S,), found {samples.shape} at {rate} Hz")
    representer = Representer(model_path)
    if abs(representer.fps - fps) > 1e-6:
        raise BadFormat(model_path, f"trained at {representer.fps:g} fps, asked for {fps:g}")
    sound = _at_16_khz(np.asarray(samples, np.float32), rate)
    frames = max(1, ceil(len(sound) * fps / mels.RATE - 1e-6))
    mel, energy = mels.log_mel(sound, fps, frames)
    blocks = (mel[i : i + _CHUNK] for i in range(0, len(mel), _CHUNK))
    return np.concatenate(list(representer.features(blocks, gain(energy, representer.level))))


def _at_16_khz(samples: Floats, rate: int) -> Floats:
    from scipy.signal import resample_poly

    if rate == mels.RATE:
        return samples
    common = gcd(rate, mels.RATE)
    return np.asarray(resample_poly(samples, mels.RATE // common, rate // common), np.float32)


def run(
    subject: Subject, speech: Path = SPEECH, model: Path = MODEL, out: Path = FEATURES_ROOT
) -> int:
    """Write the features of a subject's clips; return how many clips there are."""
    torch.set_num_threads(1)  # other numbers of threads may give other bytes
    representer = Representer(model)
    source = speech / subject.role / subject.name
    phones = tables.read(source / "phones.parquet", PHONES, ["clip", "start", "end", "phone"])
    clips = sorted(p for p in source.glob("*.parquet") if p.stem not in _OTHERS)
    with atomic_folder(out / subject.role / subject.name) as target:
        for path in progress.each(clips, f"features {subject}", len(clips)):
            own = phones["clip"] == path.stem
            track = PhoneTrack(phones["phone"][own], phones["start"][own], phones["end"][own])
            _write(path, target / path.name, representer, track)
    return len(clips)


def _write(source: Path, target: Path, representer: Representer, track: PhoneTrack) -> None:
    energy = tables.read(source, MEL, ["energy"])["energy"]
    blocks = (
        tables.read(source, MEL, ["mel"], first, min(first + _CHUNK, len(energy)))["mel"]
        for first in range(0, len(energy), _CHUNK)
    )
    step = 0
    with tables.writer(target, FEATURES, _ROWS) as add:
        for found in representer.features(blocks, gain(energy, representer.level)):
            end = step + len(found)
            heard = track.at(step, end, representer.fps)
            add({"step": np.arange(step, end), "feature": found, "phones": heard})
            step = end


def main(subject: str) -> None:
    """Write the features of the subject that the command line names."""
    person = Subject.parse(subject)
    print(f"{person.name}: features of {run(person)} clips")
