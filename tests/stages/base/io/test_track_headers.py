"""Borders that players hide, and Dolby Vision, as the header of a track says it."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.base.io.containers import NotAVideo
from stages.base.io.frame_converter import FrameConverter
from stages.base.io.track_headers import TrackHeader
from stages.base.io.video_frames import read_facts, read_frames, read_pictures
from tests.stages.base.io.odd_media import write_pictures

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"}
_MASTERS = {0x18538067, 0x1654AE6B, 0xAE}


def dolby_record(profile: int, fits: int) -> bytes:
    """Make a configuration of Dolby Vision; `fits` is the standard of its pictures, 0 for none."""
    return bytes([1, 0, profile << 1, 0b101, fits << 4]) + bytes(19)


def bordered() -> np.ndarray[Any, Any]:
    """Gray with a red border of 8 columns left, 4 right, 6 rows on top and 2 below, (64, 96, 3)."""
    picture = np.full((64, 96, 3), (200, 30, 30), np.uint8)
    picture[6:62, 8:92] = 90
    return picture


def with_box(data: bytes, box: bytes) -> bytes:
    """Append a box to the sample description of a MP4 file whose header is at its end."""
    out, at = b"", 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + size]
        if kind in _CONTAINERS:
            head = {b"stsd": 8, b"avc1": 78}.get(kind, 0)
            inside = body[head:] + box if kind == b"avc1" else with_box(body[head:], box)
            body = body[:head] + inside
        out += struct.pack(">I4s", len(body) + 8, kind) + body
        at += size
    return out


def aperture(width: int, height: int, right: int, down: int) -> bytes:
    """Make a clean aperture of whole pixels, its centre moved by halves."""
    return struct.pack(">I4s8i", 40, b"clap", width, 1, height, 1, right, 2, down, 2)


def with_elements(data: bytes, of_video: bytes, of_track: bytes = b"") -> bytes:
    """Add elements to the first video track of a Matroska file."""
    out, at = b"", 0
    while at < len(data):
        kind, length, start = _element(data, at)
        body = data[start : start + length]
        if kind in _MASTERS:
            body = with_elements(body, of_video, of_track) + (of_track if kind == 0xAE else b"")
        elif kind == 0xE0:
            body += of_video
        out += element(kind, body)
        at = start + length
    return out


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    size = 9 - data[at].bit_length()
    kind, at = int.from_bytes(data[at : at + size]), at + size
    size = 9 - data[at].bit_length()
    length = int.from_bytes(data[at : at + size]) & ((1 << 7 * size) - 1)
    return kind, length, at + size


def element(kind: int, body: bytes) -> bytes:
    name = kind.to_bytes((kind.bit_length() + 7) // 8)
    return name + (len(body) | 1 << 56).to_bytes(8) + body


def with_descriptor(data: bytes, descriptor: bytes) -> bytes:
    """Add a descriptor to the only stream in the program maps of a transport stream."""
    out, size = b"", 192 if data[4] == 0x47 else 188
    for at in range(0, len(data), size):
        head, packet = data[at : at + size - 188], data[at + size - 188 : at + size]
        if packet[1] & 0x40 and packet[5] == 2:  # its section begins after a pointer of 0
            length = (packet[6] << 8 | packet[7]) & 0xFFF
            section = bytearray(packet[5 : 8 + length - 4] + descriptor)
            inside = 15 + ((section[10] << 8 | section[11]) & 0xFFF)
            of_stream = (section[inside] << 8 | section[inside + 1]) & 0xFFF
            struct.pack_into(">H", section, inside, 0xF000 | of_stream + len(descriptor))
            struct.pack_into(">H", section, 1, 0xB000 | len(section) + 4 - 3)
            whole = packet[:5] + bytes(section) + checksum(section)
            packet = whole + b"\xff" * (188 - len(whole))
        out += head + packet
    return out


def checksum(data: bytes) -> bytes:
    """Return the CRC-32 of MPEG-2."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 1 << 31 else 0)) & 0xFFFFFFFF
    return value.to_bytes(4)


def crops(left: int, top: int, right: int, bottom: int) -> bytes:
    pairs = ((0x54CC, left), (0x54BB, top), (0x54DD, right), (0x54AA, bottom))
    return b"".join(element(kind, value.to_bytes(2)) for kind, value in pairs)


def write(path: Path, change: Any, turn: int = 0) -> Path:
    write_pictures(path, bordered(), lambda s: s.set_display_rotation(turn) if turn else None)
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize("turn", [0, 90])
@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_borders_that_players_hide_are_hidden(tmp_path: Path, name: str, turn: int) -> None:
    def change(data: bytes) -> bytes:
        if name == "a.mkv":
            return with_elements(data, crops(8, 6, 4, 2))
        return with_box(data, aperture(84, 56, 4, 4))

    path = write(tmp_path / name, change, turn)
    height, width = (84, 56) if turn else (56, 84)
    facts = read_facts(path)
    assert (facts.height, facts.width) == (height, width)
    found = np.array([image for _, image in read_frames(path, size=(height, width))])
    assert found.shape == (5, height, width, 3)
    inside = found[:, 2:-2, 2:-2].astype(int)
    assert np.abs(inside - 90).max() < 40  # red would be 110 off
    small = next(iter(read_pictures(path)))[1].thumbnail(28)
    assert np.abs(small[2:-2, 2:-2].astype(int) - 90).max() < 40


@pytest.mark.parametrize("found", [(200, 56, 0, 0), (84, 56, 400, 0), (0, 0, 0, 0), (-4, 8, 0, 0)])
def test_an_aperture_outside_of_the_picture_hides_nothing(
    tmp_path: Path, found: tuple[int, int, int, int]
) -> None:
    path = write(tmp_path / "a.mp4", lambda data: with_box(data, aperture(*found)))
    assert (read_facts(path).height, read_facts(path).width) == (64, 96)


@pytest.mark.parametrize(("profile", "fits"), [(5, 0), (10, 0), (8, 1), (10, 4)])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.m2ts"])
def test_dolby_vision_without_another_picture_is_named(
    tmp_path: Path, name: str, profile: int, fits: int
) -> None:
    record = dolby_record(profile, fits)
    mapping = element(0x41E7, b"dvcC") + element(0x41ED, record)

    def change(data: bytes) -> bytes:
        if name == "a.mkv":
            return with_elements(data, b"", element(0x41E4, mapping))
        if name == "a.mp4":
            return with_box(data, struct.pack(">I4s", 8 + len(record), b"dvcC") + record)
        return with_descriptor(data, bytes([0xB0, 5]) + record[:5])

    path = write(tmp_path / name, change)
    if fits:
        assert read_facts(path).width == 96
        return
    with pytest.raises(NotAVideo, match="Dolby Vision"):
        read_facts(path)


def test_a_frame_smaller_than_its_borders_is_shown_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", bytes)
    picture = next(iter(read_pictures(path)))[1]
    header = TrackHeader((60, 0, 60, 0))
    assert FrameConverter(path, 1.0, 10**6, None, header)(picture.frame).shape == (64, 96, 3)
