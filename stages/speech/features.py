"""Compute a subject's audio features, two per video frame, with the APC network.

    python -m stages features seen/NAME

Reads data/speech/ROLE/NAME and models/audio.safetensors; writes data/features/ROLE/NAME (see
docs/formats.md, "features"). Method: section "Audio" of docs/method.md.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from pipeline.runtime import progress
from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.user_errors import BadFormat
from stages.base.arrays import Floats32
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.training.model_files import load_model
from stages.speech.apc import APC, States, build, gain, levelled
from stages.speech.artifacts import (
    AUDIO_MODEL,
    FEATURES,
    FEATURES_DIR,
    MEL,
    PHONES,
    SPEECH_DIR,
)
from stages.speech.phone_track import PhoneTrack

_NOT_CLIPS = ("phones", "sync")  # tables of all clips together
_CHUNK = 2000  # audio frames in one pass of the network
_ROWS = 64  # in a row group: about a second


class Representer:
    """A trained APC network, applied to mel frames at the level of its training.

    Args:
        model: the file that `train_audio` wrote.

    Attributes:
        fps: video frames per second of its training.
        level: loudness of its training's loud passages, dB of full scale.
        width: size of a feature.
    """

    def __init__(self, model: Path = AUDIO_MODEL) -> None:
        tensors, config = load_model(model)
        try:
            self.network: APC = build(tensors, config)
            self.width = int(config["hidden"])
            self.fps, self.level = float(config["fps"]), float(config["level_db"])
        except (KeyError, RuntimeError) as error:
            raise BadFormat(model, f"is not an audio model: {error}") from None

    def features(self, blocks: Iterable[Floats32], gain_db: float) -> Iterator[Floats32]:
        """Yield the features (n, width) of each block (n, 80) of one sound's mel, in order."""
        states: States = []
        for block in blocks:
            levels = torch.from_numpy(levelled(block, gain_db))[None]
            with torch.inference_mode():
                features, states = self.network.represent(levels, states)
            yield features[0].numpy()


def run(
    subject: Subject, speech: Path = SPEECH_DIR, model: Path = AUDIO_MODEL, out: Path = FEATURES_DIR
) -> int:
    """Write the features of a subject's clips; return how many clips there are."""
    torch.set_num_threads(1)  # other numbers of threads may give other bytes
    representer = Representer(model)
    source = speech / subject.role / subject.name
    phones = tables.read(source / "phones.parquet", PHONES, ["clip", "start", "end", "phone"])
    clips = sorted(p for p in source.glob("*.parquet") if p.stem not in _NOT_CLIPS)
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
    with tables.writer(target, FEATURES.sized(feature=representer.width), _ROWS) as add:
        for feature in representer.features(blocks, gain(energy, representer.level)):
            end = step + len(feature)
            phones = track.at(step, end, representer.fps)
            add({"step": np.arange(step, end), "feature": feature, "phones": phones})
            step = end


def main(subject: str) -> None:
    """Write the features of the subject that the command line names."""
    person = Subject.parse(subject)
    print(f"{person.name}: features of {run(person)} clips")
