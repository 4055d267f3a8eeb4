"""Pairs of a real and a generated video, from two folders or a CSV, checked before any work."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.user_errors import BadFormat, MissingInput, UserError
from stages.base.io.video_frames import VideoFacts, read_facts

_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".ts"}
)
COLUMNS = ("real", "generated")
SHORTEST_S = 1.0  # shorter videos have no motion to score


@dataclass(frozen=True)
class VideoPair:
    """A real video and one that was generated to be like it.

    Attributes:
        name: of the generated video, without its suffix.
        real: the true video, whose sound both have.
        generated: the video to score.
    """

    name: str
    real: Path
    generated: Path


def find_pairs(real: Path, generated: Path, table: Path | None = None) -> list[VideoPair]:
    """List the pairs of two folders, by file stem or by the rows of a CSV.

    Args:
        real: folder of real videos.
        generated: folder of generated videos.
        table: CSV with the columns real and generated, paths below the two folders; by default
            each generated video belongs to the real one with its stem.

    Raises:
        UserError: a folder, file or partner is missing, or the CSV has other columns.
    """
    for folder in (real, generated):
        if not folder.is_dir():
            raise MissingInput(folder, "no folder here", "name a folder of videos")
    if table is not None:
        return _read_table(table, real, generated)
    partners, own = _by_stem(real), _by_stem(generated)
    if lost := [path for stem, path in own.items() if stem not in partners]:
        more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
        found = f"no video {lost[0].stem}.* in {real}{more}"
        raise MissingInput(lost[0], found, "rename it, or list the pairs: --pairs CSV")
    return [VideoPair(stem, partners[stem], path) for stem, path in own.items()]


def _by_stem(folder: Path) -> dict[str, Path]:
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())
    paths = [path for path in paths if not path.name.startswith(".")]
    if not paths:
        raise MissingInput(folder, "no video here", f"expected {', '.join(sorted(_SUFFIXES))}")
    stem, count = Counter(path.stem for path in paths).most_common(1)[0]
    if count > 1:
        raise UserError(folder, f"{count} videos are named {stem}", "list the pairs: --pairs CSV")
    return {path.stem: path for path in paths}


def _read_table(table: Path, real: Path, generated: Path) -> list[VideoPair]:
    if not table.is_file():
        raise MissingInput(table, "no such file")
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadFormat(table, "is not text in UTF-8") from None
    rows = csv.DictReader(lines)
    if not set(COLUMNS) <= set(rows.fieldnames or ()):
        found = ", ".join(rows.fieldnames or ()) or "none"
        raise BadFormat(table, f"expected the columns {','.join(COLUMNS)}, found {found}")
    pairs = []
    for row in rows:
        paths = [
            folder / (row[c] or "") for c, folder in zip(COLUMNS, (real, generated), strict=True)
        ]
        for path in paths:
            if not path.is_file():
                raise MissingInput(path, f"no such file; line {rows.line_num} of {table} names it")
        pairs.append(VideoPair(Path(row["generated"]).with_suffix("").as_posix(), *paths))
    if not pairs:
        raise BadFormat(table, "lists no pair")
    name, count = Counter(pair.name for pair in pairs).most_common(1)[0]
    if count > 1:
        raise BadFormat(table, f"lists the generated video {name} {count} times")
    return pairs


def check_videos(pairs: Sequence[VideoPair]) -> dict[Path, VideoFacts]:
    """Read the header and first frame of each video.

    Raises:
        UserError: one is no video, is shorter than a second, or real and without sound.
    """
    facts = {}
    for pair in pairs:
        for path in (pair.real, pair.generated):
            if path in facts:
                continue
            try:
                facts[path] = read_facts(path)
            except UserError as error:
                raise UserError(path, error.found) from None
            if 0 < facts[path].duration < SHORTEST_S:
                found = f"lasts {facts[path].duration:.1f} s (at least {SHORTEST_S:g} s)"
                raise UserError(path, found)
        if not facts[pair.real].audio:
            todo = "remove the pair, or add the sound (mouth motion is scored against it)"
            raise UserError(pair.real, "expected a real video with sound, found none", todo)
    return facts
