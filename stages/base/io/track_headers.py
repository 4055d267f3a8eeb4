"""What the header of a video track says that PyAV does not pass on: its borders and Dolby Vision.

MP4 and QuickTime files have it in the boxes `clap` and `dvcC` (ISO/IEC 14496-12), Matroska files in
elements of the track (RFC 9559), transport streams in a descriptor.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from stages.base.io.program_map import find_descriptor

_CLEAN_APERTURE = struct.Struct(">8i")
_SAMPLE_ENTRY = 78  # bytes of a visual sample entry before its boxes
_MOST = 100_000  # boxes or elements beside each other
_LARGEST = 1 << 20  # bytes of a sample description, or of a track's header in Matroska
_SEGMENT, _TRACKS, _TRACK, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_CROPS = (0x54CC, 0x54BB, 0x54DD, 0x54AA)  # PixelCropLeft, Top, Right, Bottom
_MAPPING, _MAPPING_DATA = 0x41E4, 0x41ED  # BlockAdditionMapping, BlockAddIDExtraData
_MAPPING_TYPE = 0x41E7  # BlockAddIDType
_DOLBY_DESCRIPTOR = 0xB0
_HEVC_ALONE, _AV1 = 5, 10  # profiles of Dolby Vision whose pictures may need its own decoder


@dataclass(frozen=True)
class TrackHeader:
    """Further facts of a video track.

    Attributes:
        borders: stored pixels that players hide: left, top, right, bottom.
        needs_dolby_vision: whether no other decoder shows the colors of its pictures.
    """

    borders: tuple[int, int, int, int] = (0, 0, 0, 0)
    needs_dolby_vision: bool = False


def read_track_header(path: Path, container: Any, stream: Any) -> TrackHeader:
    """Read a stream's header from the file; without further facts where it has none or is damaged.

    Args:
        path: the file.
        container: of PyAV, opened from it.
        stream: one of its video streams.
    """
    context = stream.codec_context
    try:
        with path.open("rb") as file:
            if "mp4" in container.format.name.split(","):
                return _of_mp4(file, stream.id, context.width, context.height)
            if "matroska" in container.format.name.split(","):
                return _of_matroska(file, stream.index, context.width, context.height)
            if container.format.name == "mpegts":
                record = find_descriptor(file, stream.id, _DOLBY_DESCRIPTOR)
                return TrackHeader(needs_dolby_vision=_needs_dolby_vision(record))
    except (struct.error, ArithmeticError, LookupError, OSError, StopIteration):
        pass  # FFmpeg could read what is needed
    return TrackHeader()


def _borders(found: Sequence[int], width: int, height: int) -> tuple[int, int, int, int]:
    """Return borders that leave a picture; none else."""
    left, top, right, bottom = found
    valid = min(found) >= 0 and left + right < width and top + bottom < height
    return (left, top, right, bottom) if valid else (0, 0, 0, 0)


def _of_mp4(file: BinaryIO, track_id: int, width: int, height: int) -> TrackHeader:
    size = file.seek(0, 2)
    for track in _boxes(file, 0, size, "moov", "trak"):
        header = next(_boxes(file, *track, "tkhd"))
        file.seek(header[0])
        version = file.read(1)[0]
        file.seek(header[0] + (20 if version else 12))
        if int.from_bytes(file.read(4)) == track_id:
            break
    else:
        return TrackHeader()
    first, end = next(_boxes(file, *track, "mdia", "minf", "stbl", "stsd"))
    entry = first + 8 + 8 + _SAMPLE_ENTRY  # version and count; the first entry's header
    borders, needs_dolby_vision = (0, 0, 0, 0), False
    for start, _ in _boxes(file, entry, min(end, first + _LARGEST), "clap"):
        file.seek(start)
        numbers = _CLEAN_APERTURE.unpack(file.read(_CLEAN_APERTURE.size))
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        shown_x, shown_y, right, down = (above / below for above, below in pairs)
        left, top = (width - shown_x) / 2 + right, (height - shown_y) / 2 + down
        found = (left, top, width - shown_x - left, height - shown_y - top)
        borders = _borders([round(value) for value in found], width, height)
    for kind in ("dvcC", "dvvC"):
        for start, _ in _boxes(file, entry, min(end, first + _LARGEST), kind):
            file.seek(start)
            needs_dolby_vision = _needs_dolby_vision(file.read(5))
    return TrackHeader(borders, needs_dolby_vision)


def _boxes(file: BinaryIO, start: int, end: int, *names: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of the content of each box of a path of names."""
    for _ in range(_MOST):
        if start + 8 > end:
            return
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        content = start + 8
        if size == 1:
            size, content = int.from_bytes(file.read(8)), start + 16
        size = size or end - start
        if size < content - start:
            return
        if kind == names[0].encode():
            inside = (content, min(start + size, end))
            yield from _boxes(file, *inside, *names[1:]) if names[1:] else [inside]
        start += size


def _needs_dolby_vision(record: bytes) -> bool:
    """Return whether a configuration record, empty for none, is of pictures of no standard."""
    if len(record) < 5:
        return False
    profile, fits = record[2] >> 1, record[4] >> 4  # the standard that they fit: 1 is HDR10
    return profile == _HEVC_ALONE or (profile == _AV1 and not fits)


def _of_matroska(file: BinaryIO, index: int, width: int, height: int) -> TrackHeader:
    size = file.seek(0, 2)
    segment = next(_elements(file, 0, size, _SEGMENT))
    tracks = next(_elements(file, *segment, _TRACKS))
    track = list(_elements(file, *tracks, _TRACK))[index]
    needs_dolby_vision = False
    for mapping in _elements(file, *track, _MAPPING):
        if _bytes(file, mapping, _MAPPING_TYPE) in (b"dvcC", b"dvvC"):
            needs_dolby_vision = _needs_dolby_vision(_bytes(file, mapping, _MAPPING_DATA))
    video = next(_elements(file, *track, _VIDEO), (0, 0))
    found = [int.from_bytes(_bytes(file, video, kind)) for kind in _CROPS]
    return TrackHeader(_borders(found, width, height), needs_dolby_vision)


def _bytes(file: BinaryIO, span: tuple[int, int], kind: int) -> bytes:
    """Return the content of the first element of a kind; empty where there is none."""
    for start, end in _elements(file, *span, kind):
        file.seek(start)
        return file.read(min(end - start, _LARGEST))
    return b""


def _elements(file: BinaryIO, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the content of each element of a kind."""
    for _ in range(_MOST):
        if start >= end:
            return
        file.seek(start)
        kind, length = _number(file, keep_marker=True), _number(file, keep_marker=False)
        content = file.tell()
        inside = (content, end if length < 0 else min(content + length, end))
        if kind == wanted:
            yield inside
        start = inside[1]


def _number(file: BinaryIO, *, keep_marker: bool) -> int:
    """Read a number of variable length; -1 for an unknown length."""
    first = file.read(1)[0]
    count = 9 - first.bit_length()
    rest = file.read(count - 1)
    value = int.from_bytes(bytes([first if keep_marker else first & (0xFF >> count)]) + rest)
    is_unknown = not keep_marker and value == (1 << 7 * count) - 1
    return -1 if is_unknown else value
