"""One video to its clips: shots, faces, crop, constant rate, sound, and a row for each."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import media, tables
from pipeline.formats import FRAMES, LEDGER
from pipeline.pictures import Image, encode_jpeg
from pipeline.wav import write_wav
from stages.clips.detector import FaceFinder
from stages.clips.params import ClipsParams
from stages.clips.probe import VideoFacts, probe
from stages.clips.shots import Shot, shots
from stages.clips.window import Window, face_height, follow, window

Row = dict[str, Any]
ROWS = "shots.parquet"
_LEAST_RATE = 10_000  # bytes a second: a header that promises more seconds of a file lies


def extract(
    video: Path, params: ClipsParams, folder: Path, promise: Callable[[float], None]
) -> None:
    """Write a video's clips and their rows into a new folder.

    A clip is NNN/frames.parquet and NNN/audio.wav, NNN the shot's number from 001; shots.parquet
    is in the ledger's format, its names and spans left for the subject to fill in.

    Args:
        video: any file.
        params: what a clip is made of.
        folder: is made, with its parents.
        promise: is told how many seconds × megapixels the header promises.

    Raises:
        NotAVideo: nothing of the file can be decoded.
        TooLarge: its pictures have more than `max_megapixels`.
    """
    folder.mkdir(parents=True)
    facts = probe(video, params.largest)
    promise(_promised(facts, video.stat().st_size))
    if facts.audio:
        rows = list(_shots(video, facts, params, folder))
    else:
        rows = [_row(facts, status="rejected", reason="has no sound that can be decoded")]
    columns = {name: [row[name] for row in rows] for name in LEDGER.names}
    tables.write(folder / ROWS, LEDGER, columns)


def _promised(facts: VideoFacts, size: int) -> float:
    """Seconds × megapixels of a video of `size` bytes, as its header says and its bytes can hold.

    A picture counts as a megapixel at least.
    """
    told = facts.duration if facts.duration > 0 else float("inf")
    return min(told, size / _LEAST_RATE) * max(facts.width * facts.height / 1e6, 1.0)


def _shots(video: Path, facts: VideoFacts, params: ClipsParams, folder: Path) -> Iterator[Row]:
    step = 1 / facts.fps if facts.fps > 0 else 1 / params.fps
    source = _frames(video, facts, params)
    found = shots(source, FaceFinder(), step, params.cut_ratio, params.cut_change)
    if not found:
        raise media.NotAVideo(video.name, "not one frame can be decoded")
    for number, shot in enumerate(found, 1):
        name = f"{number:03d}"
        yield {**_shot(video, facts, shot, params, folder / name), "clip": name}


def _frames(
    video: Path,
    facts: VideoFacts,
    params: ClipsParams,
    start: float = 0.0,
    end: float = float("inf"),
) -> Iterator[tuple[float, Image]]:
    size = (facts.height, facts.width)
    return media.frames(video, start, end, size=size, largest=params.largest)


def _shot(video: Path, facts: VideoFacts, shot: Shot, params: ClipsParams, folder: Path) -> Row:
    """Judge a shot; write it if it is good."""
    # A tick of tolerance: time stamps are rounded.
    count = int((shot.end - shot.start) * params.fps + 0.05)
    row = _row(facts, start=shot.start, end=shot.start + count / params.fps)
    if count < params.min_seconds * params.fps:
        lasts = f"lasts {shot.end - shot.start:.1f} s (at least {params.min_seconds:g} s)"
        return {**row, "status": "rejected", "reason": lasts}
    boxes = follow(shot.samples)
    lost = sum(box is None for box in boxes)
    row["missing"] = lost / max(len(boxes), 1)
    if not boxes or row["missing"] > params.max_missing:
        limit = f"limit {params.max_missing:.0%}"
        none = f"no face in {lost} of {len(boxes)} sampled frames ({limit})"
        return {**row, "status": "rejected", "reason": none}
    crop = window(boxes, facts.width, facts.height, params.room)
    row |= {"face_height": face_height(boxes), "window": (crop.x, crop.y, crop.side)}
    if row["face_height"] < params.min_face:
        small = f"the face is {row['face_height']:.0f} px high (at least {params.min_face:g} px)"
        return {**row, "status": "rejected", "reason": small}
    loudness = _write_sound(video, folder / "audio.wav", row["start"], row["end"])
    row["loudness"] = loudness
    if loudness < params.min_loudness:
        (folder / "audio.wav").unlink()
        quiet = f"the sound is silent: {loudness:.0f} dB (at least {params.min_loudness:g} dB)"
        return {**row, "status": "rejected", "reason": quiet}
    source = _frames(video, facts, params, shot.start, shot.end)
    _write_frames(source, folder / "frames.parquet", shot.start, count, crop, params)
    return {**row, "status": "ok", "fps": params.fps, "frames": count, "size": params.size}


def _write_sound(video: Path, path: Path, start: float, end: float) -> float:
    """Write the sound of a span; return its loudness in dB below full scale."""
    energy, count = 0.0, 0

    def listened() -> Iterator[NDArray[np.int16]]:
        nonlocal energy, count
        for piece in media.audio(video, start, end):
            energy += float(np.square(piece.astype(np.float64)).sum())
            count += len(piece)
            yield piece

    write_wav(path, listened())
    return float(10 * np.log10(max(energy / max(count, 1) / 32768**2, 1e-12)))


def _write_frames(
    source: Iterator[tuple[float, Image]],
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
        for index, (time, image) in enumerate(media.at_rate(source, params.fps, start, count)):
            if previous is None or time != previous:
                jpeg = encode_jpeg(crop.cut(image, params.size), params.jpeg_quality)
                previous = time
            rows.append((index, time, jpeg))
            if len(rows) == second:
                add(_columns(rows))
                rows = []
        if rows:
            add(_columns(rows))


def _columns(rows: list[tuple[int, float, bytes]]) -> dict[str, Any]:
    index, time, jpeg = zip(*rows, strict=True)
    return {"frame": index, "time": time, "jpeg": jpeg}


def _row(facts: VideoFacts | None, **known: Any) -> Row:
    """Return a ledger row with what is known; numbers that are not are NaN or 0."""
    nan = float("nan")
    row: Row = {
        **dict.fromkeys(("video", "sha256", "clip", "status", "reason"), ""),
        **dict.fromkeys(("start", "end", "fps", "face_height", "missing", "loudness"), nan),
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
