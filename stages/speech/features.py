"""Compute a subject's audio features, two per video frame, with the model of `train_audio`.

    python -m stages features seen/NAME

Reads data/speech/ROLE/NAME and models/audio.safetensors; writes data/features/ROLE/NAME (see
docs/formats.md, "features"). Method: section "Audio" of docs/method.md.
"""

from pathlib import Path

import numpy as np
import torch

from pipeline.runtime import progress
from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.user_errors import BadFormat
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.speech.activations import StoredActivations, activations_of
from stages.speech.apc import loudness_gain_db
from stages.speech.artifacts import (
    AUDIO_MODEL,
    FEATURES,
    FEATURES_DIR,
    MEL,
    PHONES,
    SPEECH_DIR,
)
from stages.speech.phone_track import PhoneTrack
from stages.speech.representation import Representation, Sound, load_representation

_NOT_CLIPS = ("phones", "sync")  # tables of all clips together
_CHUNK = 2000  # audio frames in one pass of the network
_ROWS = 64  # in a row group: about a second


def run(
    subject: Subject, speech: Path = SPEECH_DIR, model: Path = AUDIO_MODEL, out: Path = FEATURES_DIR
) -> int:
    """Write the features of a subject's clips; return how many clips there are."""
    torch.set_num_threads(1)  # other numbers of threads may give other bytes
    representation = load_representation(model)
    source = speech / subject.role / subject.name
    phones = tables.read(source / "phones.parquet", PHONES, ["clip", "start", "end", "phone"])
    clips = sorted(p for p in source.glob("*.parquet") if p.stem not in _NOT_CLIPS)
    with atomic_folder(out / subject.role / subject.name) as target:
        for path in progress.with_progress(clips, f"features {subject}", len(clips)):
            own = phones["clip"] == path.stem
            track = PhoneTrack(phones["phone"][own], phones["start"][own], phones["end"][own])
            _write(path, target / path.name, representation, track)
    return len(clips)


def _write(source: Path, target: Path, representation: Representation, track: PhoneTrack) -> None:
    energy = tables.read(source, MEL, ["energy"])["energy"]
    loudness = loudness_gain_db(energy, representation.level)
    blocks = (
        tables.read(source, MEL, ["mel"], first, min(first + _CHUNK, len(energy)))["mel"]
        for first in range(0, len(energy), _CHUNK)
    )
    sound = Sound(blocks, loudness, _stored_activations(source, representation))
    step = 0
    with tables.writer(target, FEATURES.sized(feature=representation.width), _ROWS) as add:
        for feature in representation.features(sound):
            end = step + len(feature)
            phones = track.at(step, end, representation.fps)
            add({"step": np.arange(step, end), "feature": feature, "phones": phones})
            step = end


def _stored_activations(source: Path, representation: Representation) -> StoredActivations | None:
    """Open the activations of the clip of a mel table; raise BadFormat for another encoder's."""
    if not representation.encoder:
        return None
    found = StoredActivations(activations_of(source))
    if found.width != representation.inputs:
        expected = f"expected {representation.inputs} columns, found {found.width}"
        raise BadFormat(found.path, expected, "run `idiolect repro`")
    return found


def main(subject: str) -> None:
    """Write the features of the subject that the command line names."""
    person = Subject.parse(subject)
    print(f"{person.name}: features of {run(person)} clips")
