"""Descriptors of a stream in the program map of a MPEG transport stream (ISO/IEC 13818-1)."""

from collections.abc import Iterator
from typing import BinaryIO

_SYNC, _PACKET = 0x47, 188
_SIZES = (_PACKET, _PACKET + 4, _PACKET + 16)  # plain; with a time before it; with parity after it
_SEARCHED = 1 << 20  # bytes; the map is repeated at least twice a second
_PROGRAM_MAP = 2


def find_descriptor(file: BinaryIO, stream: int, tag: int) -> bytes:
    """Return the content of the first descriptor of a kind of the stream; empty for none.

    Raises:
        LookupError: the map is damaged.
    """
    for section in _program_maps(file):
        at = 12 + _length(section, 10)
        while at + 5 <= len(section) - 4:  # its checksum follows
            end = at + 5 + _length(section, at + 3)
            found = _length(section, at + 1, 0x1FFF) == stream
            at += 5
            while found and at + 2 <= end:
                if section[at] == tag:
                    return section[at + 2 : at + 2 + section[at + 1]]
                at += 2 + section[at + 1]
            at = end
    return b""


def _length(data: bytes, at: int, mask: int = 0x0FFF) -> int:
    return (data[at] << 8 | data[at + 1]) & mask


def _program_maps(file: BinaryIO) -> Iterator[bytes]:
    """Yield the sections of the table, which may continue in later packets."""
    unfinished: dict[int, bytes] = {}
    for packet in _packets(file):
        start = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
        pid, payload = _length(packet, 1, 0x1FFF), packet[start:]
        if not packet[3] & 0x10 or not payload:
            continue
        if packet[1] & 0x40:
            section = payload[1 + payload[0] :]
            unfinished[pid] = section if section[:1] == bytes([_PROGRAM_MAP]) else b""
        elif unfinished.get(pid):
            unfinished[pid] += payload
        section = unfinished.get(pid, b"")
        if len(section) > 2 and len(section) >= 3 + _length(section, 1):
            yield section[: 3 + _length(section, 1)]
            unfinished[pid] = b""


def _packets(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    data = file.read(_SEARCHED)
    for first in range(min(len(data), _SIZES[-1])):
        for size in _SIZES:
            if set(data[first : first + 5 * size : size]) == {_SYNC}:
                yield from (data[at : at + _PACKET] for at in range(first, len(data) - 187, size))
                return
