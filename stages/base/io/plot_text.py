"""Text for plots: any characters, in lines of limited length."""

import textwrap
from functools import cache
from pathlib import Path
from typing import Any


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
    """Break text into at most `most` lines of `width` characters; … marks what is cut."""
    lines = textwrap.wrap(escape_missing(text), width) or [""]
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"{lines[most - 1][: width - 1]}…"]
