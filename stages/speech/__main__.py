"""Speech of one subject: mel spectrogram, phones with their syllables, and sync.

    python -m stages.speech seen/NAME

Reads data/clips/ROLE/NAME (audio.wav and the ledger) and data/landmarks/ROLE/NAME; writes
data/speech/ROLE/NAME (see docs/formats.md, "mel", "phones" and "sync"). Sync is measured on the
training span alone, of an unseen subject on the whole clip; a clip whose sound is not its lips' is
rejected, with its reason.
Method: sections 1 and 4 of docs/method.md.
"""

import sys
from contextlib import chdir
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import items, progress, tables
from pipeline.cores import cores
from pipeline.faces import mouth_opening
from pipeline.formats import LANDMARKS, MEL, PHONES, SYNC
from pipeline.params import section
from pipeline.problems import BadFormat, MissingInput, Problem, one_line
from pipeline.subjects import Subject
from pipeline.versions import version
from pipeline.wav import read_wav
from pipeline.writing import whole_folder
from stages.clips.ledger import CLIPS, Clip, clips_of
from stages.speech import mel
from stages.speech.params import SpeechParams
from stages.speech.phones import phones_of
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
    with whole_folder(speech / subject.role / subject.name) as target:
        work = target / ".work"
        _all(found, marks, params, work, subject)
        for clip in found:
            (work / clip.id / "mel.parquet").rename(target / f"{clip.id}.parquet")
        with tables.writer(target / "phones.parquet", PHONES, 65536) as add:
            for clip in found:
                rows = tables.read(work / clip.id / "phones.parquet", PHONES)
                add({**rows, "clip": [clip.id] * len(rows["clip"])})
        verdicts = _judge(found, work, target)
        _remove(work)
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


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _all(
    clips: list[Clip], marks: Path, params: SpeechParams, work: Path, subject: Subject
) -> None:
    """Work on every clip, each in a process of its own."""
    from joblib import Parallel, delayed

    jobs = max(1, min(cores(), len(clips)))
    home = Path.cwd()
    tasks = (
        delayed(_one)(
            clip,
            clip.train if subject.role == "seen" else (0, clip.frames),
            marks / f"{clip.id}.parquet",
            params,
            work,
            home,
        )
        for clip in clips
    )
    problems: dict[str, Problem] = {}
    with progress.bar(f"speech {subject}", len(clips)) as bar:
        for name, problem in Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks):
            if problem is not None:
                problems[name] = Problem(*problem)
            bar.advance(note=name)
    for clip in clips:
        if clip.id in problems:
            raise problems[clip.id]


def _one(
    clip: Clip, span: Span, marks: Path, params: SpeechParams, work: Path, home: Path
) -> tuple[str, tuple[str, str, str] | None]:
    """Fill the work folder of one clip; return its name and a problem's words.

    Exceptions of ours do not travel between processes: the words do, and are raised at home.
    """
    try:
        with chdir(home):  # a process that is used again may stand elsewhere
            _fill(clip, span, marks, params, work)
    except Problem as problem:
        return clip.id, (problem.item, problem.found, problem.todo)
    return clip.id, None


def _fill(clip: Clip, span: Span, marks: Path, params: SpeechParams, work: Path) -> None:
    """Compute one clip, or take it from the item store."""
    for path in (clip.audio, marks):
        if not path.is_file():
            raise MissingInput(path, "not here", "run `dvc repro`")
    key = items.key(
        stage="speech",
        version=version("speech"),
        params=params.model_dump(),
        sha256=[items.file_hash(clip.audio), items.file_hash(marks)],
        clip=[clip.frames, clip.fps, span],
    )
    items.compute(key, work / clip.id, lambda part: extract(clip, span, marks, params, part))


def extract(clip: Clip, span: Span, marks: Path, params: SpeechParams, folder: Path) -> None:
    """Write one clip's mel, phones and sync into a folder; clip and verdict stay empty.

    Args:
        clip: which.
        span: first frame and end (exclusive) of what the sync is measured on.
        marks: the clip's landmarks.
        params: how phones are found.
        folder: where to write.
    """
    read, samples = _sound(clip.audio)
    with tables.writer(folder / "mel.parquet", MEL, round(2 * clip.fps)) as add:
        step = 0
        for block, energy in mel.in_blocks(read, clip.fps, clip.frames):
            add({"step": np.arange(step, step + len(block)), "mel": block, "energy": energy})
            step += len(block)
    phones = phones_of(read, samples, words=params.recogniser == "words")
    columns = {
        "clip": [""] * len(phones),
        "start": [phone.start for phone in phones],
        "end": [phone.end for phone in phones],
        "phone": [phone.name for phone in phones],
        "syllable": [phone.syllable for phone in phones],
        "kind": [phone.kind for phone in phones],
    }
    tables.write(folder / "phones.parquet", PHONES, columns)
    first, last = stretch(*span, clip.fps)
    sound = tables.read(folder / "mel.parquet", MEL, ["mel"], 2 * first, 2 * last)["mel"]
    sync = measure(sound, _opening(marks, clip)[first:last], clip.fps)
    unjudged = {"clip": [""], "status": [""], "late": [float("nan")], "reason": [""]}
    measured = {name: [value] for name, value in asdict(sync).items()}
    tables.write(folder / "sync.parquet", SYNC, unjudged | measured)


def _sound(path: Path) -> tuple[mel.Read, int]:
    """Return a reader of samples and their number; raise BadFormat unless 16 kHz."""
    import wave

    with wave.open(str(path), "rb") as file:
        rate, samples = file.getframerate(), file.getnframes()
    if rate != mel.RATE:
        raise BadFormat(path, f"expected {mel.RATE} Hz, found {rate}")
    return lambda first, last: read_wav(path, first, last)[0], samples


def _opening(path: Path, clip: Clip) -> NDArray[np.float64]:
    """Return the mouth's opening, (N,), NaN where no face was found."""
    rows = tables.read(path, LANDMARKS, ["valid", "head"])
    if len(rows["valid"]) != clip.frames:
        raise BadFormat(path, f"expected {clip.frames} frames, found {len(rows['valid'])}")
    opening = np.full(clip.frames, np.nan)
    opening[rows["valid"]] = mouth_opening(rows["head"][rows["valid"]])
    return opening


def main(arguments: list[str]) -> None:
    """Run the stage for the subject that the command line names."""
    with one_line():
        if len(arguments) != 1:
            raise Problem("stages.speech", "expected one argument, ROLE/NAME")
        subject = Subject.parse(arguments[0])
        verdicts = run(subject, section("speech", SpeechParams))
        print(f"{subject.name}: mel, phones and sync of {len(verdicts)} clips")
        for clip, verdict in verdicts.items():
            if verdict.reason:
                print(f"{verdict.status}: {clip}: {verdict.reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
