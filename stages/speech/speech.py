"""Speech of one subject: mel spectrogram, phones with their syllables, and sync.

    python -m stages speech seen/NAME

Reads data/clips/ROLE/NAME (audio.wav and the ledger) and data/landmarks/ROLE/NAME; writes
data/speech/ROLE/NAME (see docs/formats.md, "mel", "phones" and "sync"). Sync is measured on the
training span alone, of an unseen subject on the whole clip; a clip whose sound is not its lips' is
rejected, with its reason.
Method: sections 1 and 4 of docs/method.md.
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime import item_store, process_pool, progress
from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config.code_version import version
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import mouth_opening
from stages.base.io import tables
from stages.base.io.wav_files import read_wav
from stages.clips.ledger import CLIPS, Clip, clips_of
from stages.landmarks.artifacts import LANDMARKS
from stages.speech import mel
from stages.speech.artifacts import MEL, PHONES, SYNC
from stages.speech.params import SpeechParams
from stages.speech.phones import Phone, Word, grouped, heard, pieces
from stages.speech.sync import Sync, measure, stretch
from stages.speech.verdict import Verdict, judge

LANDMARKS_ROOT = Path("data/landmarks")
SPEECH = Path("data/speech")
Span = tuple[int, int]


def run(
    subject: Subject,
    params: SpeechParams,
    clips: Path = CLIPS,
    landmarks: Path = LANDMARKS_ROOT,
    speech: Path = SPEECH,
) -> dict[str, Verdict]:
    """Write mel, phones and sync of a subject's clips; return what is judged of each one's sound.

    Raises:
        MissingInput: a clip has no sound or no landmarks.
        BadFormat: sound that is not 16 kHz, or landmarks of another length than the clip.
    """
    found = clips_of(subject, clips)
    marks = landmarks / subject.role / subject.name
    with atomic_folder(speech / subject.role / subject.name) as target:
        work = target / ".work"
        _all(found, marks, params, work, subject)
        for clip in found:
            (work / clip.id / "mel.parquet").rename(target / f"{clip.id}.parquet")
        with tables.writer(target / "phones.parquet", PHONES, 65536) as add:
            for clip in found:
                rows = tables.read(work / clip.id / "phones.parquet", PHONES)
                add({**rows, "clip": [clip.id] * len(rows["clip"])})
        verdicts = _judge(found, work, target)
        shutil.rmtree(work, ignore_errors=True)
    return verdicts


def _judge(clips: list[Clip], work: Path, target: Path) -> dict[str, Verdict]:
    """Write what was measured of every clip's sync, and what follows from all together."""
    rows = [tables.read(work / clip.id / "sync.parquet", SYNC) for clip in clips]
    columns = {name: [row[name][0] for row in rows] for name in SYNC.names}
    measured = zip(*(columns[name] for name in ("offset", "correlation", "seconds")), strict=True)
    found = (Sync(float(offset), float(r), float(seconds)) for offset, r, seconds in measured)
    verdicts = judge({clip.id: sync for clip, sync in zip(clips, found, strict=True)})
    judged = {
        name: [getattr(verdict, name) for verdict in verdicts.values()]
        for name in ("status", "late", "reason")
    }
    tables.write(target / "sync.parquet", SYNC, columns | judged | {"clip": list(verdicts)})
    return verdicts


def _all(
    clips: list[Clip], marks: Path, params: SpeechParams, work: Path, subject: Subject
) -> None:
    """Take clips from the item store, or work on their pieces side by side."""
    keys = {
        clip.id: _key(clip, _span(clip, subject), _marks(marks, clip), params) for clip in clips
    }
    new = [clip for clip in clips if not item_store.fetch(keys[clip.id], work / clip.id)]
    scratch = work / ".new"
    cuts = [(clip, cut) for clip in new for cut in pieces(*_sound(clip.audio))]
    tasks: list[tuple[Any, ...]] = [
        (_heard, clip, cut, params.recogniser == "words") for clip, cut in cuts
    ]
    # Short work last, so that no core waits long for another.
    tasks += [
        (measured, clip, _span(clip, subject), _marks(marks, clip), scratch / clip.id)
        for clip in new
    ]
    done = progress.each(process_pool.run(_do, tasks), f"speech {subject}", len(tasks))
    words: dict[str, list[list[Word]]] = {clip.id: [] for clip in new}
    for task, found in zip(tasks, done, strict=True):
        if found is not None:
            words[task[1].id].append(found)
    for clip in new:
        _keep(keys[clip.id], scratch / clip.id, grouped(words[clip.id]), work / clip.id)


def _do(work: Callable[..., Any], *task: Any) -> Any:
    return work(*task)


def _span(clip: Clip, subject: Subject) -> Span:
    return clip.train if subject.role == "seen" else (0, clip.frames)


def _marks(folder: Path, clip: Clip) -> Path:
    return folder / f"{clip.id}.parquet"


def _key(clip: Clip, span: Span, marks: Path, params: SpeechParams) -> str:
    """Address what a clip's speech is made of; raise MissingInput where that is not here."""
    for path in (clip.audio, marks):
        if not path.is_file():
            raise MissingInput(path, "not here", "run `dvc repro`")
    return item_store.key(
        stage="speech",
        version=version("speech"),
        params=params.model_dump(),
        sha256=[item_store.file_hash(clip.audio), item_store.file_hash(marks)],
        clip=[clip.frames, clip.fps, span],
    )


def _keep(key: str, scratch: Path, phones: list[Phone], folder: Path) -> None:
    """Make one clip's item of what was measured and heard, and fill its folder."""

    def make(part: Path) -> None:
        for path in scratch.iterdir():
            shutil.move(path, part / path.name)
        write_phones(phones, part / "phones.parquet")

    item_store.compute(key, folder, make)


def _heard(clip: Clip, cut: Span, words: bool) -> list[Word]:
    """Recognise one piece of a clip's sound."""
    return heard(_sound(clip.audio)[0](*cut), cut[0], words=words)


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


def measured(clip: Clip, span: Span, marks: Path, folder: Path) -> None:
    """Write one clip's mel and sync into a folder; clip and verdict stay empty.

    Args:
        clip: which.
        span: first frame and end (exclusive) of what the sync is measured on.
        marks: the clip's landmarks.
        folder: where to write.
    """
    read, _ = _sound(clip.audio)
    with tables.writer(folder / "mel.parquet", MEL, round(2 * clip.fps)) as add:
        step = 0
        for block, energy in mel.in_blocks(read, clip.fps, clip.frames):
            add({"step": np.arange(step, step + len(block)), "mel": block, "energy": energy})
            step += len(block)
    first, last = stretch(*span, clip.fps)
    sound = tables.read(folder / "mel.parquet", MEL, ["mel"], 2 * first, 2 * last)["mel"]
    sync = measure(sound, _opening(marks, clip, first, last), clip.fps)
    unjudged = {"clip": [""], "status": [""], "late": [float("nan")], "reason": [""]}
    told = {name: [value] for name, value in asdict(sync).items()}
    tables.write(folder / "sync.parquet", SYNC, unjudged | told)


def _sound(path: Path) -> tuple[mel.Read, int]:
    """Return a reader of samples and their number; raise BadFormat unless 16 kHz."""
    import wave

    with wave.open(str(path), "rb") as file:
        rate, samples = file.getframerate(), file.getnframes()
    if rate != mel.RATE:
        raise BadFormat(path, f"expected {mel.RATE} Hz, found {rate}")
    return lambda first, last: read_wav(path, first, last)[0], samples


def _opening(path: Path, clip: Clip, first: int, last: int) -> NDArray[np.float64]:
    """Return the mouth's opening in a span of frames, NaN where no face was found."""
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
    verdicts = run(person, read_section("speech", SpeechParams))
    print(f"{person.name}: mel, phones and sync of {len(verdicts)} clips")
    for clip, verdict in verdicts.items():
        if verdict.reason:
            print(f"{verdict.status}: {clip}: {verdict.reason}")
