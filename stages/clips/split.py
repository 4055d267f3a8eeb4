"""What is held out: long clips lose their last fifth, short ones are held out whole, by content.

A clip's fate may not depend on what else a subject has, or one more video would move held-out
frames into training. For clips of `long_seconds` or more, and for the share of short ones whose
content hash is below `held_out`, it does not. But no rule that looks at the present clips alone can
also promise that something is always held out: of any two clips it would have to hold out one, and
so all but one of many. So, where no short clip's hash is below the share, the smallest hash is
held out (a lone short clip loses its last fifth), and HELD_OUT in the subject's folder of videos
keeps such choices when videos are added: `remember` writes it, `assign` obeys it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadFormat
from stages.base.io import tables
from stages.clips.artifacts import LEDGER
from stages.clips.params import ClipsParams

HELD_OUT = "held_out.txt"
_HEADER = (
    "# What is held out of training, whatever is added: a video's name, or a clip; whole or tail\n"
)
Span = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """A clip to be split: its video's hash and name, where it begins, and how long it is."""

    sha256: str
    video: str
    start: float
    frames: int

    @property
    def key(self) -> str:
        """What the clip is known by, whatever else the subject has."""
        return f"{self.sha256} {self.start:.3f}"

    @property
    def draw(self) -> float:
        """Number in [0, 1) that depends on the content alone."""
        return int(hashlib.sha256(self.key.encode()).hexdigest()[:12], 16) / 16**12


@dataclass(frozen=True)
class Split:
    """Training and held-out span of a clip: first frame and end; empty is (0, 0)."""

    train: Span
    test: Span


def assign(
    pieces: Sequence[Piece], params: ClipsParams, role: str, kept: Mapping[str, str]
) -> list[Split]:
    """Split a subject's clips.

    Args:
        pieces: all usable clips of the subject.
        params: long_seconds, held_out, gap_seconds and fps.
        role: an unseen subject is held out whole.
        kept: earlier choices, "whole" or "tail", by clip key or by video file name.
    """
    if role == "unseen":
        return [_whole(piece) for piece in pieces]
    chosen = [_choose(piece, params, kept) for piece in pieces]
    short = [i for i, piece in enumerate(pieces) if _is_short(piece, params)]
    if len(short) > 1 and not any(chosen[i] == "whole" for i in short):
        chosen[min(short, key=lambda i: (pieces[i].draw, pieces[i].key))] = "whole"
    elif len(short) == 1:
        chosen[short[0]] = _kept(pieces[short[0]], kept) or "tail"
    return [_split(p, how, params) for p, how in zip(pieces, chosen, strict=True)]


def _is_short(piece: Piece, params: ClipsParams) -> bool:
    return piece.frames < round(params.long_seconds * params.fps)


def _choose(piece: Piece, params: ClipsParams, kept: Mapping[str, str]) -> str:
    """Choose what is held out of a clip, looking at nothing but the clip: whole, tail or none."""
    earlier = _kept(piece, kept)
    if not _is_short(piece, params):
        return earlier or "tail"
    return "whole" if piece.draw < params.held_out else earlier


def _kept(piece: Piece, kept: Mapping[str, str]) -> str:
    return kept.get(piece.key) or kept.get(piece.video) or ""


def _whole(piece: Piece) -> Split:
    return Split((0, 0), (0, piece.frames))


def _split(piece: Piece, how: str, params: ClipsParams) -> Split:
    if how == "whole":
        return _whole(piece)
    if not how:
        return Split((0, piece.frames), (0, 0))
    test = piece.frames - piece.frames // 5
    train = max(test - round(params.gap_seconds * params.fps), 0)
    return Split((0, train), (test, piece.frames))


def remember(videos: Path, clips: Path, params: ClipsParams) -> None:
    """Keep what a seen subject's last run held out, before videos are added, if there was a run.

    Args:
        videos: the subject's folder of videos, where held_out.txt is written or added to.
        clips: the subject's folder of clips with its ledger.
        params: those of the last run.
    """
    if clips.parent.name != "seen" or not (clips / "clips.parquet").is_file():
        return
    rows = tables.read(clips / "clips.parquet", LEDGER)
    lines = []
    for i in np.flatnonzero((rows["status"] == "ok") & (rows["test"][:, 1] > 0)):
        piece = Piece(rows["sha256"][i], rows["video"][i], rows["start"][i], rows["frames"][i])
        how = "tail" if rows["test"][i][0] else "whole"
        if _choose(piece, params, read_kept(videos)) not in (how, "whole"):
            lines.append(f"{piece.key} {how}  # {rows['clip'][i]}\n")
    if lines:
        path = videos / HELD_OUT
        before = path.read_text() if path.is_file() else _HEADER
        with atomic_file(path) as part:
            part.write_text(before + "".join(lines))


def read_kept(folder: Path) -> dict[str, str]:
    """Read the choices kept beside a subject's videos; raise BadFormat for a line that is none.

    A line is a clip's key or a video's file name, and `whole` or `tail`; # begins a comment.
    """
    path = folder / HELD_OUT
    if not path.is_file():
        return {}
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        raise BadFormat(f"{path}", "expected text, found bytes that are no UTF-8") from None
    kept = {}
    for line in lines:
        text = line.partition("#")[0].strip()
        if not text:
            continue
        what, _, how = text.rpartition(" ")
        if how not in ("whole", "tail") or not what:
            raise BadFormat(f"{path}", f"expected `VIDEO whole` or `VIDEO tail`, found {text!r}")
        kept[what.strip()] = how
    return kept
