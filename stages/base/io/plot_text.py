"""Text of plots, wrapped and with any characters, and their PNG files."""

import textwrap
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.runtime.atomic_files import atomic_file


@cache
def _font() -> Any:
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    return FT2Font(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"))


def escape_missing(text: str) -> str:
    r"""Write characters that matplotlib's font lacks as \u4e2d: it would draw boxes."""
    return "".join(c if _has_glyph(c) else c.encode("unicode_escape").decode() for c in text)


def _has_glyph(character: str) -> bool:
    return character.isprintable() and bool(_font().get_char_index(ord(character)))


def wrap_text(text: str, width: int, most: int) -> list[str]:
    """Break text into at most `most` lines of `width` characters; … marks cut text."""
    lines = textwrap.wrap(escape_missing(text), width) or [""]
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"{lines[most - 1][: width - 1]}…"]


def save_figure(target: Path, figure: Any, dpi: float | str = "figure") -> None:
    """Write a matplotlib figure as PNG, with the same bytes for every version of the library."""
    with atomic_file(target) as part:
        figure.savefig(part, format="png", dpi=dpi, metadata={"Software": None})
