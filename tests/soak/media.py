"""Malformed pictures, sounds and videos, each given to a command: one line, little memory, no hang."""

import io
import os
import random
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from ruamel.yaml import YAML

from stages.base.io.image_io import encode_jpeg, encode_png
from stages.base.io.wav_files import write_wav
from tests.soak import faults, toy
from tests.stages.clips.malformed import malformed
from tests.stages.render import project

LIMIT_GB, LIMIT_SECONDS = 2.0, 120.0
_PICTURES = ("png", "jpg", "webp", "bmp", "tiff")
_SOUNDS = ("wav", "mp3", "flac", "m4a")
_BATCH = {"picture": 30, "sound": 30, "video": 30}
Draw = random.Random


@dataclass(frozen=True)
class Case:
    """A malformed file, and the command that gets it."""

    kind: str
    path: Path
    command: list[str]


def make_project(root: Path, inputs: Path) -> None:
    """Make a project in which every command of media runs, and good media in `inputs`."""
    toy.make(root, inputs)
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    with chdir(root):
        project.write_project()
    for section, values in yaml.load(project.PARAMS).items():
        params[section] = {**params[section], **values} if section in params else values
    params["clips"]["min_face"] = 20.0
    yaml.dump(params, root / "params.yaml")
    write_wav(inputs / "voice.wav", np.random.default_rng(0).normal(0, 0.1, 8000))


def pictures(inputs: Path) -> dict[str, bytes]:
    """Encode a face in each format of pictures."""
    import cv2

    image = cv2.imread(str(inputs / "face.png"))
    return {kind: bytes(cv2.imencode(f".{kind}", image)[1]) for kind in _PICTURES}


def sounds(inputs: Path) -> dict[str, bytes]:
    """Encode a voice in each format of sounds."""
    made = {}
    for kind in _SOUNDS:
        buffer = io.BytesIO()
        form = {"m4a": "mp4"}.get(kind, kind)
        codec = {"wav": "pcm_s16le", "m4a": "aac"}.get(kind, kind)
        with av.open(str(inputs / "voice.wav")) as source, av.open(buffer, "w", form) as target:
            stream = target.add_stream(codec, 16000)
            for frame in source.decode(audio=0):
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
        made[kind] = buffer.getvalue()
    return made


def cases(folder: Path, inputs: Path, count: int, seed: int) -> Iterator[Case]:
    """Write `count` malformed files: a third each of pictures, sounds and videos."""
    folder.mkdir()
    out = str(folder / "out.mp4")
    voice = str(inputs / "voice.wav")
    talk = ["render", "--out", out, "--audio"]
    for number in range(-(-count // 3)):
        draw = Draw(f"picture {seed} {number}")
        kind, path = _picture(folder / f"picture {number}", pictures(inputs), draw, number)
        command = ["neutral", str(path)]
        if number % 2:
            command = [*talk, voice, "--style", "ann", "--portrait", str(path)]
        yield Case(kind, path, command)
    for number in range(-(-count // 3)):
        draw = Draw(f"sound {seed} {number}")
        kind, path = _sound(folder / f"sound {number}", sounds(inputs), draw, number)
        yield Case(kind, path, [*talk, str(path), "--identity", "ann"])
    videos = folder / "videos"
    videos.mkdir()
    spoiled = malformed(videos, [inputs / "two.mp4"], -(-count // 3), seed)
    for number, (kind, path) in enumerate(spoiled.items()):
        pair = folder / f"pair {number}"
        for side in ("real", "generated"):
            (pair / side).mkdir(parents=True)
        shutil.copy(inputs / "two.mp4", pair / "real/x.mp4")
        (pair / "generated/x.mp4").symlink_to(path)
        command = (
            ["add", "--subject", f"new{number}", "--", str(path)],
            ["evaluate", "--out", str(folder / "scores"), *_sides(pair)],
            [*talk, voice, "--onto", str(path)],
            [*talk, str(path), "--identity", "ann"],
        )[number % 4]
        yield Case(f"video, {kind.rpartition(' ')[0]}", path, command)


def _sides(pair: Path) -> list[str]:
    return ["--real", str(pair / "real"), "--generated", str(pair / "generated")]


def _cut(data: bytes, draw: Draw) -> bytes:
    return data[: draw.randrange(1, len(data))]


def _flips(data: bytes, draw: Draw) -> bytes:
    content = bytearray(data)
    for _ in range(draw.choice((1, 8, 64))):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return bytes(content)


def _flips_in_header(data: bytes, draw: Draw) -> bytes:
    content = bytearray(data)
    for _ in range(4):
        content[draw.randrange(min(64, len(content)))] = draw.randrange(256)
    return bytes(content)


def _sizes(data: bytes, draw: Draw) -> bytes:
    """Write huge numbers where headers have sizes."""
    content = bytearray(data)
    form = draw.choice(("<I", ">I", "<H", ">H"))
    number = draw.choice((0x7FFFFFFF, 0xFFFFFFFF, 0x40000000)) >> (16 if form[1] == "H" else 0)
    struct.pack_into(form, content, draw.randrange(4, 60), number)
    return bytes(content)


def _spliced(data: bytes, draw: Draw) -> bytes:
    at = draw.randrange(8, min(len(data), 2000))
    return data[:at] + data[draw.randrange(len(data)) :]


def _noise(data: bytes, draw: Draw) -> bytes:
    return data[: draw.randrange(64)] + draw.randbytes(4000)


_MUTATIONS: dict[str, Callable[[bytes, Draw], bytes]] = {
    "cut": _cut,
    "flips": _flips,
    "flips in the header": _flips_in_header,
    "huge sizes": _sizes,
    "spliced": _spliced,
    "noise": _noise,
    "empty": lambda _, __: b"",
    "zeros": lambda data, _: bytes(len(data)),
    "text": lambda _, __: b"this is no picture and no sound\n" * 9,
}


def _mutated(stem: Path, good: dict[str, bytes], draw: Draw, number: int) -> tuple[str, Path]:
    kinds = list(_MUTATIONS)
    name, suffix = kinds[number % len(kinds)], draw.choice(sorted(good))
    wrong = draw.random() < 0.15
    path = stem.with_name(f"{stem.name}.{draw.choice(sorted(good)) if wrong else suffix}")
    path.write_bytes(_MUTATIONS[name](good[suffix], draw))
    return name, path


def _picture(stem: Path, good: dict[str, bytes], draw: Draw, number: int) -> tuple[str, Path]:
    bombs = list(BOMBS)
    if number % 3 == 2:
        name = bombs[number // 3 % len(bombs)]
        path = stem.with_name(f"{stem.name}.{name.split()[0]}")
        path.write_bytes(BOMBS[name](draw))
        return f"picture, {name}", path
    name, path = _mutated(stem, good, draw, number)
    return f"picture, {name}", path


def _sound(stem: Path, good: dict[str, bytes], draw: Draw, number: int) -> tuple[str, Path]:
    if number % 4 == 3:
        path = stem.with_suffix(".wav")
        path.write_bytes(_odd_wav(draw))
        return "sound, odd header", path
    name, path = _mutated(stem, good, draw, number)
    return f"sound, {name}", path


def _odd_wav(draw: Draw) -> bytes:
    """Write a WAV file whose header has impossible numbers."""
    channels, bits = draw.choice((0, 1, 2, 255, 65535)), draw.choice((0, 1, 8, 16, 24, 64, 65535))
    rate = draw.choice((0, 1, 16000, 0x7FFFFFFF, 0xFFFFFFFF))
    size = draw.choice((0, 1, 0xFFFFFFFF))
    form = struct.pack("<HHIIHH", draw.choice((1, 3, 7, 0xFFFE, 99)), channels, rate, rate, 2, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + body + bytes(2000)


def _png(width: int, height: int, depth: int = 8, colour: int = 2, rows: int = -1) -> bytes:
    """Encode a black PNG, whose header may promise more rows than there are."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    line = 1 + -(-width * {0: 1, 2: 3, 6: 4}[colour] * depth // 8)
    packer = zlib.compressobj(9)
    packed = [packer.compress(bytes(line)) for _ in range(height if rows < 0 else rows)]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = b"".join(packed) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def _jpeg(width: int, height: int) -> bytes:
    data = encode_jpeg(np.zeros((16, 16, 3), np.uint8))
    at = data.find(b"\xff\xc0")
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


BOMBS: dict[str, Callable[[Draw], bytes]] = {
    "png 30000×30000": lambda _: _png(30000, 30000, 1, 0),
    "png 30000×30000, no rows": lambda _: _png(30000, 30000, rows=0),
    "png 16000×16000 of 16 bits": lambda _: _png(16000, 16000, 16, 6, rows=40),
    "png 2³¹ wide": lambda _: _png(0x7FFFFFFF, 1, 8, 0, rows=0),
    "png 1×60000": lambda _: _png(1, 60000),
    "png 60000×1": lambda _: _png(60000, 1),
    "jpg 65000×65000": lambda _: _jpeg(65000, 65000),
    "jpg 30000×30000": lambda _: _jpeg(30000, 30000),
    "jpg 1×1": lambda _: encode_jpeg(np.zeros((1, 1, 3), np.uint8)),
    "png 1×1": lambda _: encode_png(np.zeros((1, 1, 3), np.uint8)),
    "bmp 30000×30000": lambda _: (
        b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 30000, 30000, 1, 24, 0, 0, 0, 0, 0, 0)
    ),
    "pgm 30000×30000": lambda _: b"P5 30000 30000 255\n" + bytes(99),
    "hdr 30000×30000": lambda _: (
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n" + bytes(99)
    ),
}


def run(case: Case, root: Path, log: Path) -> list[str]:
    """Run a case; return what is wrong with how it ended."""
    try:
        outcome = faults.run(root, case.command, log, seconds=LIMIT_SECONDS)
    except TimeoutError as error:
        return [str(error)]
    wrong, lines = [], outcome.lines()
    if outcome.memory > LIMIT_GB:
        wrong.append(f"took {outcome.memory:.2f} GB")
    if "Traceback" in outcome.output or outcome.code not in (0, 1):
        wrong.append(f"code {outcome.code}: {' | '.join(lines[-3:])[:400]}")
    reasons = [line for line in lines if line.startswith(("error: ", "rejected: "))]
    if outcome.code == 1 and len(reasons) != 1:
        wrong.append(f"{len(reasons)} reasons: {' | '.join(lines)[:400]}")
    if outcome.code == 1 and case.command[0] != "evaluate" and len(lines) != 1:
        wrong.append(f"{len(lines)} lines: {' | '.join(lines)[:400]}")
    if not outcome.code and reasons:
        wrong.append(f"code 0 after {reasons[0][:200]}")
    return wrong


def main() -> None:
    """Try COUNT cases of SEED in FOLDER; print each fault and the counts by kind."""
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ.update(toy.environment())
    faults.preload()
    root, inputs = folder / "project", folder / "inputs"
    make_project(root, inputs)
    wrong = tried = 0
    for case in cases(folder / "media", inputs, count, seed):
        found = run(case, root, folder / "log")
        tried += 1
        for line in found:
            print(f"WRONG {case.kind} {case.path.name!r}, {case.command[0]}: {line}", flush=True)
        wrong += bool(found)
    print(f"{tried} malformed files, {wrong} wrong", flush=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
