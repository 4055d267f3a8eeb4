"""The split into training and held-out spans, by content. Ours.

The last fifth of a clip of `long_seconds` or more is held out. Shorter clips are held out whole if
their content hash is below `held_out`. This depends on the clip alone: a video that is added later
never moves held-out frames into training. If no short clip is below the limit, the one with the
smallest hash is held out (of a single short clip its last fifth), so every subject has test data.
As that choice depends on the other clips, `save_held_out` writes it to HELD_OUT in the subject's
folder of videos before videos are added, and `split_clips` follows it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import BadFormat
from stages.base.io.timebase import to_frames
from stages.clips.ledger import LEDGER_FILE, read_rows
from stages.clips.params import ClipsParams

HELD_OUT = "held_out.txt"
_HEADER = "# Held out of training, also after videos are added: a video or a clip; whole or tail\n"
FrameRange = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """A clip to be split: its video's sha256 and name, its start in s, and its length in frames."""

    sha256: str
    video: str
    start: float
    frames: int

    @property
    def key(self) -> str:
        """Name of the clip in HELD_OUT; independent of the subject's other clips."""
        return f"{self.sha256} {self.start:.3f}"

    @property
    def hash_share(self) -> float:
        """A number in [0, 1) that depends on the content alone."""
        return int(hashlib.sha256(self.key.encode()).hexdigest()[:12], 16) / 16**12


@dataclass(frozen=True)
class Split:
    """Training and held-out span of a clip, first frame and end (exclusive); (0, 0) if empty."""

    train: FrameRange
    test: FrameRange


def split_clips(
    pieces: Sequence[Piece], params: ClipsParams, role: str, held_out: Mapping[str, str]
) -> list[Split]:
    """Split a subject's clips.

    Args:
        pieces: all usable clips of the subject.
        params: long_seconds, held_out, gap_seconds and fps.
        role: an unseen subject is held out whole, one of the population not at all.
        held_out: choices of `read_held_out`.
    """
    if role == "unseen":
        return [_whole(piece) for piece in pieces]
    if role == "population":
        return [Split((0, piece.frames), (0, 0)) for piece in pieces]
    chosen = [_choose(piece, params, held_out) for piece in pieces]
    short = [i for i, piece in enumerate(pieces) if _is_short(piece, params)]
    if len(short) > 1 and not any(chosen[i] == "whole" for i in short):
        chosen[min(short, key=lambda i: (pieces[i].hash_share, pieces[i].key))] = "whole"
    elif len(short) == 1:
        chosen[short[0]] = _listed(pieces[short[0]], held_out) or "tail"
    return [_split(p, how, params) for p, how in zip(pieces, chosen, strict=True)]


def _is_short(piece: Piece, params: ClipsParams) -> bool:
    return piece.frames < to_frames(params.long_seconds, params.fps)


def _choose(piece: Piece, params: ClipsParams, held_out: Mapping[str, str]) -> str:
    """Choose the held-out part of a clip by the clip alone: "whole", "tail" or ""."""
    listed = _listed(piece, held_out)
    if not _is_short(piece, params):
        return listed or "tail"
    return "whole" if piece.hash_share < params.held_out else listed


def _listed(piece: Piece, held_out: Mapping[str, str]) -> str:
    return held_out.get(piece.key) or held_out.get(piece.video) or ""


def _whole(piece: Piece) -> Split:
    return Split((0, 0), (0, piece.frames))


def _split(piece: Piece, how: str, params: ClipsParams) -> Split:
    if how == "whole":
        return _whole(piece)
    if not how:
        return Split((0, piece.frames), (0, 0))
    test = piece.frames - piece.frames // 5
    train = max(test - to_frames(params.gap_seconds, params.fps), 0)
    return Split((0, train), (test, piece.frames))


def save_held_out(videos: Path, clips: Path, params: ClipsParams) -> None:
    """Write the held-out clips of a seen subject's last run, if any, to HELD_OUT.

    Args:
        videos: the subject's folder of videos, whose HELD_OUT is created or appended to.
        clips: the subject's folder of clips with its ledger.
        params: of the last run.
    """
    if clips.parent.name != "seen" or not (clips / LEDGER_FILE).is_file():
        return
    listed, lines = read_held_out(videos), []
    for row in read_rows(clips / LEDGER_FILE):
        if row.status != "ok" or row.test[1] == 0:
            continue
        piece = Piece(row.sha256, row.video, row.start, row.frames)
        how = "tail" if row.test[0] else "whole"
        if _choose(piece, params, listed) not in (how, "whole"):
            lines.append(f"{piece.key} {how}  # {row.clip}\n")
    if lines:
        path = videos / HELD_OUT
        before = path.read_text() if path.is_file() else _HEADER
        write_atomic(path, before + "".join(lines))


def read_held_out(folder: Path) -> dict[str, str]:
    """Read HELD_OUT: "whole" or "tail" by a clip's key or a video's file name.

    Raises:
        BadFormat: a line is not KEY whole, or KEY tail, or a # comment.
    """
    path = folder / HELD_OUT
    if not path.is_file():
        return {}
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        raise BadFormat(f"{path}", "expected text, found bytes that are no UTF-8") from None
    choices = {}
    for line in lines:
        text = line.partition("#")[0].strip()
        if not text:
            continue
        key, _, how = text.rpartition(" ")
        if how not in ("whole", "tail") or not key:
            raise BadFormat(f"{path}", f"expected `VIDEO whole` or `VIDEO tail`, found {text!r}")
        choices[key.strip()] = how
    return choices
