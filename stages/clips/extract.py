"""One video to its clips: shots, faces, crop, constant rate, sound, and a row for each."""

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.prefetch import prefetch
from stages.base.io import tables
from stages.base.io.containers import NotAVideo
from stages.base.io.image_io import Image, encode_jpeg
from stages.base.io.sound import read_sound_span
from stages.base.io.video_frames import (
    Picture,
    VideoFacts,
    read_facts,
    read_pictures,
    resample_frames,
)
from stages.base.io.wav_files import write_wav
from stages.clips.artifacts import FRAMES, LEDGER
from stages.clips.bars import bars
from stages.clips.detector import FaceFinder
from stages.clips.judge import Row, judged
from stages.clips.lips import Lips
from stages.clips.params import SHORTEST, ClipsParams
from stages.clips.people import follow, lips_lead, others
from stages.clips.quality import MEASURES as QUALITIES
from stages.clips.quality import FaceJudge, median
from stages.clips.shots import SMALL, Shot, shots
from stages.clips.window import Window, face_height, window

ROWS = "shots.parquet"
MEASURES, FRAMES_OF = "measures", "frames"
_LARGE = 2_100_000  # pixels; 1080p has 2.07 million
T = TypeVar("T")
R = TypeVar("R")
_LEAST_RATE = 10_000  # bytes a second: a header that promises more seconds of a file lies


def extract(
    video: Path,
    params: ClipsParams,
    folder: Path,
    known: Path | None,
    kept: set[str],
    promise: Callable[[float], None],
) -> None:
    """Measure a video's shots and cut those that are good.

    Args:
        video: any file.
        params: what a clip is made of, and what is refused.
        folder: is made, with its parents. MEASURES in it gets ROWS, in the ledger's format, its
            names and spans left for the subject to fill in, and each shot's sound, NNN/audio.wav,
            NNN the shot's number from 001; FRAMES_OF gets NNN/frames.parquet of the good ones.
        known: what MEASURES holds, from an earlier run; None to measure.
        kept: numbers of the shots whose frames are not needed.
        promise: is told how many seconds × megapixels the header promises.

    Raises:
        NotAVideo: nothing of the file can be decoded.
        TooLarge: its pictures have more than `max_megapixels`.
    """
    folder.mkdir(parents=True)
    facts = read_facts(video, params.largest)
    promise(_promised(facts, video.stat().st_size))
    if known is None:
        _measure(video, facts, params, folder / MEASURES)
    rows = read_rows(known or folder / MEASURES)
    good = [row for row in rows if judged(row, params)["status"] == "ok"]
    left = [row for row in good if row["clip"] not in kept]
    _side_by_side(partial(_cut, video, facts, params, folder / FRAMES_OF), left, facts)


def read_rows(folder: Path) -> Iterator[Row]:
    """Read the rows of a video's shots as they were measured, not judged."""
    columns = tables.read(folder / ROWS, LEDGER)
    for i in range(len(columns["status"])):
        yield {name: columns[name][i] for name in LEDGER.names}


def _measure(video: Path, facts: VideoFacts, params: ClipsParams, folder: Path) -> None:
    folder.mkdir()
    if facts.audio:
        rows = _shots(video, facts, params, folder)
    else:
        rows = [_row(facts, status="rejected", reason="has no sound that can be decoded")]
    columns = {name: [row[name] for row in rows] for name in LEDGER.names}
    tables.write(folder / ROWS, LEDGER, columns)


def _promised(facts: VideoFacts, size: int) -> float:
    """Seconds × megapixels of a video of `size` bytes, as its header says and its bytes can hold.

    A picture counts as a megapixel at least.
    """
    told = facts.duration if facts.duration > 0 else math.inf
    return min(told, size / _LEAST_RATE) * max(facts.width * facts.height / 1e6, 1.0)


def _shots(video: Path, facts: VideoFacts, params: ClipsParams, folder: Path) -> list[Row]:
    step = 1 / facts.fps if facts.fps > 0 else 1 / params.fps
    source = (
        (time, picture.thumbnail(SMALL), picture.image)
        for time, picture in _pictures(video, facts, params)
    )
    found = shots(
        source,
        FaceFinder(),
        step,
        params.cut_ratio,
        params.cut_change,
        look=FaceJudge(),
        opening=Lips(),
        waiting=2 * _at_once(facts),
    )
    if not found:
        raise NotAVideo(video.name, "not one frame can be decoded")
    measure = partial(_shot, video, facts, params, folder)
    return _side_by_side(measure, enumerate(found, 1), facts)


def _side_by_side(work: Callable[[T], R], shots: Iterable[T], facts: VideoFacts) -> list[R]:
    """Work on as many shots at once as their pictures allow."""
    with ThreadPoolExecutor(_at_once(facts)) as pool:
        return list(pool.map(work, shots))


def _at_once(facts: VideoFacts) -> int:
    """Tell how many shots are worked on at once: of large pictures, which fill memory, one."""
    return 1 if facts.width * facts.height > _LARGE else 2


def _pictures(
    video: Path,
    facts: VideoFacts,
    params: ClipsParams,
    start: float = 0.0,
    end: float = math.inf,
) -> Iterator[tuple[float, Picture]]:
    size = (facts.height, facts.width)
    return prefetch(read_pictures(video, start, end, size=size, max_pixels=params.largest))


def _shot(
    video: Path, facts: VideoFacts, params: ClipsParams, folder: Path, numbered: tuple[int, Shot]
) -> Row:
    """Measure a shot; write its sound if it could become a clip."""
    number, shot = numbered
    name = f"{number:03d}"
    # A tick of tolerance: time stamps are rounded.
    count = int((shot.end - shot.start) * params.fps + 0.05)
    end = shot.start + count / params.fps
    row = _row(facts, status="ok", clip=name, start=shot.start, end=end)
    boxes = follow(shot.samples, shot.lips)
    row["missing"] = sum(box is None for box in boxes) / len(boxes) if boxes else math.nan
    row["others"] = others(shot.samples, boxes) if boxes else math.nan
    row["lips_lead"] = lips_lead(shot.samples, boxes, shot.lips)
    if all(box is None for box in boxes):
        return row
    black = bars(shot.margins, facts.width, facts.height)
    crop = window(boxes, facts.width, facts.height, params.room, black)
    row |= {"face_height": face_height(boxes), "window": (crop.x, crop.y, crop.side)}
    looks = zip(boxes, shot.seen, strict=True)
    row |= asdict(median(seen[box] for box, seen in looks if box is not None and box in seen))
    if count >= SHORTEST * params.fps:
        row["loudness"] = _write_sound(video, folder / name / "audio.wav", row["start"], end)
    return row


def _cut(video: Path, facts: VideoFacts, params: ClipsParams, folder: Path, row: Row) -> None:
    """Write the frames of a shot."""
    path = folder / row["clip"] / "frames.parquet"
    frames = judged(row, params)["frames"]
    crop = Window(*(round(float(value)) for value in row["window"]))
    source = _pictures(video, facts, params, row["start"], row["end"])
    _write_frames(source, path, row["start"], frames, crop, params)


def _write_sound(video: Path, path: Path, start: float, end: float) -> float:
    """Write the sound of a span; return its loudness in dB below full scale."""
    energy, count = 0.0, 0

    def listened() -> Iterator[NDArray[np.int16]]:
        nonlocal energy, count
        for piece in read_sound_span(video, start, end):
            energy += float(np.square(piece.astype(np.float64)).sum())
            count += len(piece)
            yield piece

    write_wav(path, listened())
    return float(10 * np.log10(max(energy / max(count, 1) / 32768**2, 1e-12)))


def _write_frames(
    source: Iterator[tuple[float, Picture]],
    path: Path,
    start: float,
    count: int,
    crop: Window,
    params: ClipsParams,
) -> None:
    second = round(params.fps)
    with tables.writer(path, FRAMES, second) as add:
        previous, jpeg = None, b""
        rows: list[tuple[int, float, bytes]] = []
        shown = resample_frames(source, params.fps, start, count)
        for index, (time, image) in enumerate(prefetch(_windows(shown, crop, params.size))):
            if previous is None or time != previous:
                jpeg = encode_jpeg(image, params.jpeg_quality)
                previous = time
            rows.append((index, time, jpeg))
            if len(rows) == second:
                add(_columns(rows))
                rows = []
        if rows:
            add(_columns(rows))


def _windows(
    shown: Iterator[tuple[float, Picture]], crop: Window, size: int
) -> Iterator[tuple[float, Image]]:
    """Cut the window out of each picture, once where one is held; yield (time in s, window)."""
    previous, part = None, None
    for time, picture in shown:
        if part is None or time != previous:
            previous, part = time, crop.cut(picture.image(), size)
        yield time, part


def _columns(rows: list[tuple[int, float, bytes]]) -> dict[str, Any]:
    index, time, jpeg = zip(*rows, strict=True)
    return {"frame": index, "time": time, "jpeg": jpeg}


def _row(facts: VideoFacts | None, **known: Any) -> Row:
    """Return a ledger row with what is known; numbers that are not are NaN or 0."""
    nan = math.nan
    row: Row = {
        **dict.fromkeys(("video", "sha256", "clip", "status", "reason"), ""),
        **dict.fromkeys(("start", "end", "fps", "face_height"), nan),
        **dict.fromkeys(("missing", "others", "lips_lead", "loudness"), nan),
        **dict.fromkeys(QUALITIES, nan),
        **dict.fromkeys(("frames", "size"), 0),
        "source_width": facts.width if facts else 0,
        "source_height": facts.height if facts else 0,
        "source_fps": facts.fps if facts else nan,
        "window": (nan, nan, nan),
        "train": (0, 0),
        "test": (0, 0),
    }
    return row | known


def failed(reason: str) -> Row:
    """Return the row of a video of which nothing could be read."""
    return _row(None, status="failed", reason=reason)
