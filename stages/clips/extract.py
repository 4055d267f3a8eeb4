"""One video to its clips: shots, faces, crop, constant rate, sound, and a ledger row for each."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.prefetch import prefetch
from stages.base.io import tables
from stages.base.io.containers import NotAVideo
from stages.base.io.image_io import Image, encode_jpeg
from stages.base.io.sound import read_sound_span
from stages.base.io.timebase import to_frames
from stages.base.io.video_frames import (
    Picture,
    VideoFacts,
    read_facts,
    read_pictures,
    resample_frames,
)
from stages.base.io.wav_files import write_wav
from stages.clips.acceptance import apply_limits
from stages.clips.artifacts import FRAMES
from stages.clips.detector import FaceFinder
from stages.clips.ledger import LedgerRow, read_rows, write_rows
from stages.clips.params import SHORTEST, ClipsParams
from stages.clips.people import LipMeter, choose_person, lips_lead, share_with_others
from stages.clips.quality import QualityMeter, median_quality
from stages.clips.shots import GAP_SECONDS, THUMBNAIL_WIDTH, Shot, find_shots
from stages.clips.window import Window, black_bars, crop_window, face_height

SHOTS_FILE = "shots.parquet"
MEASURES_FOLDER, FRAMES_FOLDER = "measures", "frames"
_LARGE = 2_100_000  # pixels; 1080p has 2.07 million
_LEAST_RATE = 10_000  # bytes a second of video; limits the seconds that a header may claim
_MISSING = 1.0  # seconds without a picture that are reported; shorter ones are rounding
T = TypeVar("T")
R = TypeVar("R")


def extract(
    video: Path,
    params: ClipsParams,
    folder: Path,
    measures: Path | None,
    stored: set[str],
    report_work: Callable[[float], None],
) -> None:
    """Measure a video's shots and cut those that are good.

    Args:
        video: any file.
        params: section `clips`.
        folder: output folder, created here. MEASURES_FOLDER in it gets SHOTS_FILE, a table of the
            format LEDGER without video names and splits, and each shot's sound, NNN/audio.wav, NNN
            the shot's number from 001; FRAMES_FOLDER gets NNN/frames.parquet of the good ones.
        measures: MEASURES_FOLDER of an earlier run; None to measure.
        stored: numbers of the shots whose frames are in the item store.
        report_work: called with the seconds × megapixels to decode, for the time limit.

    Raises:
        NotAVideo: no frame of the file can be decoded.
        TooLarge: its pictures have more than `max_megapixels`.
    """
    folder.mkdir(parents=True)
    facts = read_facts(video, params.max_pixels)
    report_work(estimate_work(facts, video.stat().st_size))
    if measures is None:
        measures = folder / MEASURES_FOLDER
        measures.mkdir()
        write_rows(measures / SHOTS_FILE, _measure(video, facts, params, measures))
    rows = [apply_limits(row, params) for row in read_rows(measures / SHOTS_FILE)]
    missing = [row for row in rows if row.status == "ok" and row.clip not in stored]
    map_shots(partial(_cut, video, facts, params, folder / FRAMES_FOLDER), missing, facts)


def estimate_work(facts: VideoFacts, size: int) -> float:
    """Return the seconds × megapixels of a video by its header, at most what its bytes can hold.

    Args:
        facts: of the header; a picture counts as a megapixel at least.
        size: of the file, bytes.
    """
    duration = facts.duration if facts.duration > 0 else math.inf
    return min(duration, size / _LEAST_RATE) * max(facts.width * facts.height / 1e6, 1.0)


def map_shots(work: Callable[[T], R], shots: Iterable[T], facts: VideoFacts) -> list[R]:
    """Call `work` on each shot, on as many in parallel as their pictures allow."""
    with ThreadPoolExecutor(_parallel_shots(facts)) as pool:
        return list(pool.map(work, shots))


def _parallel_shots(facts: VideoFacts) -> int:
    return 1 if facts.width * facts.height > _LARGE else 2  # large pictures fill the memory


def _measure(video: Path, facts: VideoFacts, params: ClipsParams, folder: Path) -> list[LedgerRow]:
    """Measure all shots; write their sound."""
    unmeasured = LedgerRow(
        status="ok",
        source_width=facts.width,
        source_height=facts.height,
        source_fps=facts.fps,
    )
    if not facts.audio:
        reason = "has no sound that can be decoded"
        return [replace(unmeasured, status="rejected", reason=reason)]
    skipped: list[float] = []
    shots = find_shots(
        (
            (time, picture.thumbnail(THUMBNAIL_WIDTH), picture.image)
            for time, picture in _pictures(video, facts, params, skipped=skipped)
        ),
        FaceFinder(),
        1 / facts.fps if facts.fps > 0 else 1 / params.fps,
        params.cut_ratio,
        params.cut_change,
        quality=QualityMeter(),
        lip_opening=LipMeter(),
        waiting=2 * _parallel_shots(facts),
    )
    if not shots:
        raise NotAVideo(video.name, "no frame can be decoded")
    if is_slideshow(shots):
        reason = f"its {len(shots)} pictures are each more than {GAP_SECONDS} s apart: no lips move"
        return [replace(unmeasured, status="rejected", reason=reason)]
    measure = partial(_measure_shot, video, params, folder, unmeasured)
    measured = map_shots(measure, enumerate(shots, 1), facts)
    return measured + left_out(unmeasured, facts, shots, skipped)


def is_slideshow(shots: Sequence[Shot]) -> bool:
    """Return whether every picture of a video is a shot of its own, apart from the next."""
    alone = all(shot.end - shot.start <= GAP_SECONDS for shot in shots)
    return (
        len(shots) > 1
        and alone
        and all(b.start - a.start > GAP_SECONDS for a, b in pairwise(shots))
    )


def _pictures(
    video: Path,
    facts: VideoFacts,
    params: ClipsParams,
    start: float = 0.0,
    end: float = math.inf,
    skipped: list[float] | None = None,
) -> Iterator[tuple[float, Picture]]:
    size, most = (facts.height, facts.width), params.max_pixels
    return prefetch(read_pictures(video, start, end, size=size, max_pixels=most, skipped=skipped))


def _measure_shot(
    video: Path,
    params: ClipsParams,
    folder: Path,
    unmeasured: LedgerRow,
    numbered: tuple[int, Shot],
) -> LedgerRow:
    """Measure a shot; write its sound if it could become a clip."""
    number, shot = numbered
    name = f"{number:03d}"
    # A tick of tolerance: time stamps are rounded.
    count = int((shot.end - shot.start) * params.fps + 0.05)
    end = shot.start + count / params.fps
    faces, lips = [s.faces for s in shot.samples], [s.lips for s in shot.samples]
    boxes = choose_person(faces, lips)
    row = replace(
        unmeasured,
        clip=name,
        start=shot.start,
        end=end,
        missing=sum(box is None for box in boxes) / len(boxes) if boxes else math.nan,
        others=share_with_others(faces, boxes) if boxes else math.nan,
        lips_lead=lips_lead(faces, boxes, lips),
    )
    if all(box is None for box in boxes):
        return row
    width, height = row.source_width, row.source_height
    bars = black_bars([s.margins for s in shot.samples], width, height)
    crop = crop_window(boxes, width, height, params.room, bars)
    measured = zip(boxes, (s.quality for s in shot.samples), strict=True)
    quality = median_quality(q[box] for box, q in measured if box is not None and box in q)
    loudness = math.nan
    if count >= SHORTEST * params.fps:
        loudness = _write_sound(video, folder / name / "audio.wav", shot.start, end)
    return replace(
        row,
        face_height=face_height(boxes),
        window=(crop.x, crop.y, crop.side),
        loudness=loudness,
        **asdict(quality),
    )


def _write_sound(video: Path, path: Path, start: float, end: float) -> float:
    """Write the sound of a span; return its loudness in dB below full scale."""
    energy, count = 0.0, 0

    def measured() -> Iterator[NDArray[np.int16]]:
        nonlocal energy, count
        for piece in read_sound_span(video, start, end):
            energy += float(np.square(piece.astype(np.float64)).sum())
            count += len(piece)
            yield piece

    write_wav(path, measured())
    return float(10 * np.log10(max(energy / max(count, 1) / 32768**2, 1e-12)))


def _cut(video: Path, facts: VideoFacts, params: ClipsParams, folder: Path, row: LedgerRow) -> None:
    """Write the frames of a good shot."""
    crop = Window(*(round(float(value)) for value in row.window))
    pictures = _pictures(video, facts, params, row.start, row.end)
    at_rate = resample_frames(pictures, params.fps, row.start, row.frames)
    second = to_frames(1.0, params.fps)
    with tables.writer(folder / row.clip / "frames.parquet", FRAMES, second) as add:
        previous, jpeg = None, b""
        rows: list[tuple[int, float, bytes]] = []
        for index, (time, image) in enumerate(prefetch(_crop(at_rate, crop, params.size))):
            if previous is None or time != previous:
                jpeg = encode_jpeg(image, params.jpeg_quality)
                previous = time
            rows.append((index, time, jpeg))
            if len(rows) == second:
                add(_columns(rows))
                rows = []
        if rows:
            add(_columns(rows))


def _crop(
    pictures: Iterator[tuple[float, Picture]], crop: Window, size: int
) -> Iterator[tuple[float, Image]]:
    """Yield (time in s, cropped image); a picture that repeats is cropped once."""
    previous, image = None, None
    for time, picture in pictures:
        if image is None or time != previous:
            previous, image = time, crop.cut(picture.image(), size)
        yield time, image


def _columns(rows: list[tuple[int, float, bytes]]) -> dict[str, Any]:
    return dict(zip(FRAMES.names, zip(*rows, strict=True), strict=True))


def left_out(
    unmeasured: LedgerRow, facts: VideoFacts, shots: Sequence[Shot], skipped: Sequence[float]
) -> list[LedgerRow]:
    """Return a row for each kind of content that no shot has.

    Args:
        unmeasured: the row of the video, to be completed.
        facts: of its header.
        shots: all of them, in order.
        skipped: the times after which pictures with earlier time stamps were left out.
    """
    reasons = _reasons(facts, shots, skipped)
    return [replace(unmeasured, status="rejected", reason=reason) for reason in reasons]


def _reasons(facts: VideoFacts, shots: Sequence[Shot], skipped: Sequence[float]) -> Iterator[str]:
    if facts.unread:
        yield f"more streams: {facts.unread}; players show one at a time, the default one"
    if facts.opaque:
        yield (
            "its transparency is not read: transparent pixels have the colors that are stored "
            "below; convert it to ProRes 4444"
        )
    if skipped:
        yield (
            f"time stamps go back after {skipped[0]:.1f} s, as in joined recordings: "
            f"{len(skipped)} pictures are left out; split it there, or convert it"
        )
    if facts.sound[0] < -_MISSING:
        yield f"no picture for the first {-facts.sound[0]:.1f} s of its sound, which is left out"
    if shots[0].start > _MISSING:
        yield f"no picture before {shots[0].start:.1f} s: its beginning is cut off or damaged"
    if gaps := [(a.end, b.start) for a, b in pairwise(shots) if b.start - a.end > _MISSING]:
        seconds = sum(end - start for start, end in gaps)
        yield f"no picture for {seconds:.1f} s after {gaps[0][0]:.1f} s: damaged, or a still one"
    if (end := max(facts.duration, facts.sound[1])) - shots[-1].end > _MISSING:
        yield (
            f"no picture after {shots[-1].end:.1f} s, but its header says {end:.1f} s: "
            "it is damaged, or its sound is longer"
        )
