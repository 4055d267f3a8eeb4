"""Files that are no good video in every way we know, the same ones for the same seed."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.stages.clips import small_media

Random = np.random.Generator
_UNREADABLE = Path("/proc/self/mem")  # a file whose reading fails, for root too


def malformed(folder: Path, clips: list[Path], count: int, seed: int) -> dict[str, Path]:
    """Write `count` malformed files beside each other.

    Args:
        folder: where they go.
        clips: good ones to spoil, an MP4 among them.
        count: each kind of KINDS comes in turn; no two have the same bytes, but the empty ones.
        seed: of what is random.

    Returns:
        Kind and number to path.
    """
    made = {}
    kinds = list(KINDS.items())
    for number in range(count):
        kind, spoil = kinds[number % len(kinds)]
        random = np.random.default_rng([seed, number])
        fit = [clip for clip in clips if kind not in _OF_MP4 or clip.suffix == ".mp4"]
        clip = fit[int(random.integers(len(fit)))]
        target = folder / f"{number:03d} {kind}{clip.suffix}"
        path = spoil(clip.read_bytes(), target, random) or target
        if number >= len(kinds) and path.is_file() and not path.is_symlink() and kind != "empty":
            with path.open("ab") as file:
                file.write(target.name.encode())
        made[f"{kind} {number}"] = path
    return made


def _written(change: Callable[[bytearray, Random], bytes | None]) -> Callable[..., None]:
    """Make a kind of a change of a good clip's bytes."""

    def spoil(data: bytes, target: Path, random: Random) -> None:
        content = bytearray(data)
        target.write_bytes(change(content, random) or content)

    return spoil


def _named(name: str | bytes) -> Callable[..., Path]:
    """Make a kind of a good clip with an odd name, in which N is replaced by a number."""

    def spoil(data: bytes, target: Path, random: Random) -> Path:
        number = target.name.partition(" ")[0]
        whole = os.fsencode(name).replace(b"N", number.encode())
        path = target.parent / os.fsdecode(whole)
        path.write_bytes(data + number.encode())
        return path

    return spoil


def _cut(data: bytearray, random: Random, first: float, last: float) -> None:
    del data[int(len(data) * random.uniform(first, last)) :]


def _flip(data: bytearray, random: Random, count: int, first: int, last: int) -> None:
    for at in random.integers(first, min(last, len(data)), count):
        data[at] ^= 1 << int(random.integers(8))


def _zeros(data: bytearray, random: Random) -> None:
    length = int(random.integers(100, len(data) // 3))
    at = int(random.integers(len(data) - length))
    data[at : at + length] = bytes(length)


def _patch(box: bytes, at: int, form: str, *values: int) -> Callable[..., None]:
    """Make a kind of a lie in MP4 boxes of a name: values, or random ones, behind the name."""

    def change(data: bytearray, random: Random) -> None:
        largest = 256 ** struct.calcsize(form[:2]) - 1
        odd = [int(random.integers(n)) for n in (4, 1000, largest)]
        written = values if random.random() < 0.5 else [odd[int(random.integers(3))]] * len(values)
        found = data.find(box, data.find(b"moov"))
        while found >= 0:
            struct.pack_into(form, data, found + 4 + at, *written)
            found = data.find(box, found + 4)

    return _written(change)


def _moov(data: bytearray, random: Random) -> None:
    at = data.find(b"moov")
    length = int.from_bytes(data[at - 4 : at])
    _flip(data, random, int(random.integers(1, 12)), at, at + length - 4)


def _without_moov(data: bytearray, random: Random) -> None:
    at = data.find(b"moov")
    del data[at - 4 : at - 4 + int.from_bytes(data[at - 4 : at])]


def _splice(data: bytearray, random: Random) -> bytes:
    middle = len(data) // 2
    return bytes(data[:middle] + data[int(middle * 0.8) :])


def _linked(to: str) -> Callable[..., None]:
    def spoil(data: bytes, target: Path, random: Random) -> None:
        target.symlink_to(to)

    return spoil


def _loop(data: bytes, target: Path, random: Random) -> None:
    target.symlink_to(target.name)


def _forbidden(data: bytes, target: Path, random: Random) -> None:
    if os.geteuid() == 0:
        target.symlink_to(_UNREADABLE)
    else:
        target.write_bytes(data)
        target.chmod(0)


def _text(content: str, suffix: str = ".mp4") -> Callable[..., Path]:
    def spoil(data: bytes, target: Path, random: Random) -> Path:
        path = target.with_suffix(suffix)
        path.write_text(content)
        return path

    return spoil


_HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
KINDS: dict[str, Callable[..., Path | None]] = {
    "cut": _written(lambda data, random: _cut(data, random, 0.1, 1)),
    "cut early": _written(lambda data, random: _cut(data, random, 0, 0.05)),
    "few flips": _written(lambda data, random: _flip(data, random, 9, 0, len(data))),
    "many flips": _written(
        lambda data, random: _flip(data, random, len(data) // 500, 0, len(data))
    ),
    "flips at first": _written(lambda data, random: _flip(data, random, 9, 0, 400)),
    "flips in the header": _written(_moov),
    "no header": _written(_without_moov),
    "zeros": _written(_zeros),
    "all zeros": _written(lambda data, _: bytes(len(data))),
    "noise": _written(lambda data, random: random.bytes(len(data))),
    "noise behind": _written(lambda data, random: bytes(data) + random.bytes(5000)),
    "noise before": _written(lambda data, random: random.bytes(50) + bytes(data)),
    "spliced": _written(_splice),
    "empty": _written(lambda data, _: data.clear()),
    "wrong suffix": _named("N wrong.avi"),
    "huge track": _patch(b"tkhd", 76, ">II", 20000 << 16, 20000 << 16),
    "huge pictures": _patch(b"avc1", 24, ">HH", 20000, 20000),
    "huge film": _patch(b"mvhd", 16, ">I", 0xFFFFFFF0),
    "huge duration": _patch(b"mdhd", 16, ">I", 0xFFFFFFF0),
    "slow clock": _patch(b"mdhd", 12, ">I", 1),
    "no clock": _patch(b"mdhd", 12, ">I", 0),
    "slow frames": _patch(b"stts", 12, ">I", 0x7FFFFFF0),
    "no frame times": _patch(b"stts", 12, ">I", 0),
    "endless frames": _patch(b"stts", 8, ">I", 0x7FFFFFF0),
    "no codec": _written(lambda data, _: data.replace(b"avc1", b"zzz1")),
    "no sound codec": _written(lambda data, _: data.replace(b"mp4a", b"zzza")),
    "no sound rate": _patch(b"mp4a", 24, ">I", 0),
    "huge sound rate": _patch(b"mp4a", 24, ">I", 0xFFFFFFFF),
    "large JPEGs": small_media.large_jpegs,
    "large raw": small_media.large_raw,
    "wide pixels": small_media.wide_pixels,
    "thirty years": small_media.endless,
    "changing size": small_media.changing_size,
    "sound alone": small_media.sound_alone,
    "picture": small_media.picture,
    "gif": small_media.gif,
    "text": _text("this is no video\n" * 100),
    "text by name": _text("this is no video\n" * 99, ".txt"),
    "playlist": _text("ffconcat version 1.0\nfile good.mp4\n"),
    "playlist by name": _text(_HLS, ".m3u8"),
    "spaces and quotes": _named('N it\'s "so" $HOME `date` & so; on.mp4'),
    "newline": _named("N two\nlines\tand a tab.mp4"),
    "dash": _named("-N --help.mp4"),
    "no UTF-8": _named(b"N caf\xe9.mp4"),
    "long": _named("N" + "ü" * 123 + ".mp4"),
    "markup": _named("N [red] %03d.mp4"),
    "address": _named("concat:N.mp4"),
    "link to nothing": _linked("nothing.mp4"),
    "link to itself": _loop,
    "endless zeros": _linked("/dev/zero"),
    "forbidden": _forbidden,
    "folder": lambda _, target, __: target.mkdir(),
    "pipe": lambda _, target, __: os.mkfifo(target),
}
_OF_MP4 = {"flips in the header", "no header"} | {
    kind for kind in KINDS if kind.startswith(("huge", "slow", "no ", "endless frames"))
}
