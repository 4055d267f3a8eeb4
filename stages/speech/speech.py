"""Compute mel spectrogram, activations, phones and audio-visual offset of a subject's clips.

    python -m stages speech seen/NAME

Reads data/clips/ROLE/NAME and data/landmarks/ROLE/NAME; writes data/speech/ROLE/NAME (see
docs/formats.md, "mel", "activations", "phones" and "sync"). Sync is measured on the training span,
for an unseen subject on the whole clip; a clip whose sound does not belong to its lips is rejected
with a reason.
Method: sections "Data" and "Audio" of docs/method.md.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime import item_store
from pipeline.runtime.user_errors import BadFormat, MissingInput, UserError
from stages.base.clipwise import TABLE, ClipStage, Span, clip_items
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject, remedy
from stages.base.face.face_measures import mouth_opening
from stages.base.io import tables
from stages.base.io.timebase import AUDIO_RATE, to_frames
from stages.base.io.wav_files import open_wav, read_wav
from stages.base.training import pretrained
from stages.clips.artifacts import CLIPS_DIR
from stages.clips.ledger import Clip, clips_of
from stages.landmarks.artifacts import LANDMARKS, LANDMARKS_DIR
from stages.speech import mel
from stages.speech.activations import join_tables, write_windows
from stages.speech.artifacts import ACTIVATIONS_FOLDER, MEL, PHONES, SPEECH_DIR, SYNC
from stages.speech.params import SpeechParams
from stages.speech.phones import Phone, Word, join_pieces, recognise_piece, split_at_pauses
from stages.speech.sync import Sync, SyncStatus, assess_sync, measure_sync, measured_span

if TYPE_CHECKING:
    from stages.speech.whisper import Encoder, SoundEncoder

_PHONES, _SYNC = "phones.parquet", "sync.parquet"
_ACTIVATIONS, _ENCODED = "activations.parquet", ".encoded"


class ForeignSound(UserError):
    """No clip of a training subject has audio that matches its lips."""


@dataclass(frozen=True)
class SpeechStage(ClipStage[Clip]):
    """Mel, phones and sync of one clip.

    Attributes:
        params: of the stage.
        landmarks: folder of the subject's landmarks.
        role: of the subject; an unseen one has no training span.
    """

    name: ClassVar[str] = "speech"
    params: SpeechParams
    landmarks: Path
    role: str

    def key(self, clip: Clip) -> dict[str, Any]:
        """Return what a clip's speech depends on; raise MissingInput if that is missing."""
        inputs = (clip.audio, self._landmarks(clip))
        for path in inputs:
            if not path.is_file():
                raise MissingInput(path, "not found", "run `idiolect repro`")
        return {
            "params": self.params.model_dump(),
            "sha256": [item_store.file_hash(path) for path in inputs],
            "clip": [clip.frames, clip.fps, self._sync_span(clip)],
            "encoder": pretrained.sha256(self.params.encoder) if self.params.encoder else "",
        }

    def _landmarks(self, clip: Clip) -> Path:
        return self.landmarks / f"{clip.id}.parquet"

    def _sync_span(self, clip: Clip) -> Span:
        return (0, clip.frames) if self.role == "unseen" else clip.train

    def spans(self, clip: Clip) -> Sequence[Span]:
        """Split a clip's sound at pauses: first sample and end (exclusive) of each piece."""
        return list(split_at_pauses(*_open_sound(clip.audio))) or [(0, 1)]

    def compute(self, clip: Clip, span: Span, piece: Path) -> None:
        """Recognise the words of one piece of sound, and encode the windows that begin in it.

        The column `syllable` numbers the words.
        """
        read, samples = _open_sound(clip.audio)
        if self.params.encoder:
            encoder = _encoder(self.params.encoder, read, samples)
            write_windows(encoder, *span, piece.with_suffix(_ENCODED))
        sound = read(*span)
        words = recognise_piece(sound, span[0], words=self.params.recogniser == "words")
        rows = [
            Phone(phone.name, phone.start, phone.end, number)
            for number, word in enumerate(words)
            for phone in word
        ]
        write_phones(rows, piece)

    def assemble(self, clip: Clip, pieces: list[Path], folder: Path) -> None:
        """Write a clip's tables; the columns that need all clips stay empty."""
        if self.params.encoder:
            join_tables([p.with_suffix(_ENCODED) for p in pieces], folder / _ACTIVATIONS)
        write_phones(join_pieces(_read_words(piece) for piece in pieces), folder / _PHONES)
        read, _ = _open_sound(clip.audio)
        with tables.writer(folder / TABLE, MEL, to_frames(1.0, 2 * clip.fps)) as add:
            step = 0
            for block, energy in mel.in_blocks(read, clip.fps, clip.frames):
                add({"step": np.arange(step, step + len(block)), "mel": block, "energy": energy})
                step += len(block)
        first, last = measured_span(*self._sync_span(clip), clip.fps)
        sound = tables.read(folder / TABLE, MEL, ["mel"], 2 * first, 2 * last)["mel"]
        opening = read_mouth_opening(self._landmarks(clip), clip, first, last)
        sync = measure_sync(sound, opening, clip.fps)
        row = {"clip": "", "status": "", "late": float("nan"), "reason": ""} | asdict(sync)
        tables.write(folder / _SYNC, SYNC, {name: [value] for name, value in row.items()})


def run(
    subject: Subject,
    params: SpeechParams,
    clips: Path = CLIPS_DIR,
    landmarks: Path = LANDMARKS_DIR,
    speech: Path = SPEECH_DIR,
) -> dict[str, SyncStatus]:
    """Write mel, activations, phones and sync of a subject's clips; return each clip's sync status.

    Raises:
        BadWeights: the encoder's weights cannot be fetched.
        MissingInput: a clip has no sound or no landmarks.
        BadFormat: sound that is not 16 kHz, or landmarks of another length than the clip.
    """
    subject_clips = clips_of(subject, clips)
    if params.encoder:
        pretrained.path(params.encoder)  # once, before the workers
    stage = SpeechStage(params, landmarks / str(subject), subject.role)
    with clip_items(stage, subject_clips, speech / str(subject)) as items:
        with tables.writer(items.out / _PHONES, PHONES, 65536) as add:
            for clip, folder in zip(subject_clips, items.folders, strict=True):
                rows = tables.read(folder / _PHONES, PHONES)
                add({**rows, "clip": [clip.id] * len(rows["clip"])})
        if params.encoder:
            (items.out / ACTIVATIONS_FOLDER).mkdir()
            for clip, folder in zip(subject_clips, items.folders, strict=True):
                table = items.out / ACTIVATIONS_FOLDER / f"{clip.id}.parquet"
                (folder / _ACTIVATIONS).replace(table)
        syncs = [tables.read(folder / _SYNC, SYNC) for folder in items.folders]
        return _write_sync([clip.id for clip in subject_clips], syncs, items.out / _SYNC)


def _write_sync(ids: list[str], syncs: list[tables.Columns], path: Path) -> dict[str, SyncStatus]:
    """Assess the sync of all clips together and write it."""
    measured = {name: [sync[name][0] for sync in syncs] for name in SYNC.names}
    values = zip(*(measured[name] for name in ("offset", "correlation", "seconds")), strict=True)
    found = (Sync(float(offset), float(r), float(seconds)) for offset, r, seconds in values)
    statuses = assess_sync(dict(zip(ids, found, strict=True)))
    assessed = {
        name: [getattr(status, name) for status in statuses.values()]
        for name in ("status", "late", "reason")
    }
    tables.write(path, SYNC, measured | assessed | {"clip": ids})
    return statuses


def write_phones(phones: list[Phone], path: Path) -> None:
    """Write a clip's phones; the column `clip` stays empty."""
    columns = {
        "clip": [""] * len(phones),
        "start": [phone.start for phone in phones],
        "end": [phone.end for phone in phones],
        "phone": [phone.name for phone in phones],
        "syllable": [phone.syllable for phone in phones],
        "kind": [phone.kind for phone in phones],
    }
    tables.write(path, PHONES, columns)


def _read_words(piece: Path) -> list[Word]:
    rows = tables.read(piece, PHONES)
    words: dict[int, Word] = {}
    for name, start, end, number in zip(
        rows["phone"], rows["start"], rows["end"], rows["syllable"], strict=True
    ):
        words.setdefault(int(number), []).append(Phone(str(name), float(start), float(end)))
    return list(words.values())


def _encoder(name: str, read: mel.Read, samples: int) -> "SoundEncoder":
    from stages.speech.whisper import SoundEncoder  # torch takes seconds to import

    return SoundEncoder(_network(name), read, samples)


@cache
def _network(name: str) -> "Encoder":
    from stages.speech.whisper import load

    return load(name)


def _open_sound(path: Path) -> tuple[mel.Read, int]:
    """Return a reader of samples and their number; raise BadFormat unless 16 kHz."""
    with open_wav(path) as file:
        rate, samples = file.getframerate(), file.getnframes()
    if rate != AUDIO_RATE:
        todo = f"delete {path.parents[1]} and run `idiolect repro`"
        raise BadFormat(path, f"expected {AUDIO_RATE} Hz, found {rate}", todo)
    return lambda first, last: read_wav(path, first, last)[0], samples


def read_mouth_opening(path: Path, clip: Clip, first: int, last: int) -> NDArray[np.float64]:
    """Return the mouth's opening in a span of frames, (last - first,); NaN without a face.

    Raises:
        BadFormat: the landmarks have another length than the clip.
    """
    count = tables.count(path, LANDMARKS)
    if count != clip.frames:
        raise BadFormat(path, f"expected {clip.frames} frames, found {count}")
    rows = tables.read(path, LANDMARKS, ["valid", "head"], first, last)
    opening = np.full(len(rows["valid"]), np.nan)
    opening[rows["valid"]] = mouth_opening(rows["head"][rows["valid"]])
    return opening


def main(subject: str) -> None:
    """Analyse the speech of the subject that the command line names."""
    person = Subject.parse(subject)
    statuses = run(person, read_section("speech", SpeechParams))
    print(f"{person.name}: mel, phones and sync of {len(statuses)} clips")
    for clip, status in statuses.items():
        if status.reason:
            print(f"{status.status}: {clip}: {status.reason}")
    if person.role != "unseen" and all(s.status == "rejected" for s in statuses.values()):
        found = f"the sound matches the lips in none of {len(statuses)} clips: sync.parquet"
        raise ForeignSound(person.name, found, remedy(person.name))
