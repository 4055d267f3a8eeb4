"""Words that a picture can show, whatever is in them, in lines of a length."""

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
    r"""Write what a picture's font lacks as \u4e2d, so that no name becomes a row of boxes."""
    return "".join(c if _shown(c) else c.encode("unicode_escape").decode() for c in text)


def _shown(character: str) -> bool:
    return character.isprintable() and bool(_font().get_char_index(ord(character)))


def wrap_text(text: str, width: int, most: int) -> list[str]:
    """Break text into lines of at most `width` characters; … ends what has more than `most`."""
    lines = textwrap.wrap(escape_missing(text), width) or [""]
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"{lines[most - 1][: width - 1]}…"]
