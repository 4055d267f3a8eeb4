"""Edits of a YAML file that leave every line as it was that the edit does not change."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from io import StringIO
from typing import Any

Hunk = tuple[int, int, list[str]]  # rows of the base, first to last, and the lines in their place


def round_trip() -> Any:
    """Return a reader and writer of YAML that keeps comments, quotes and the form of numbers."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 100
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def dump(content: Any) -> str:
    """Return the text of content that `round_trip` has read."""
    text = StringIO()
    round_trip().dump(content, text)
    return text.getvalue()


def close_empty(content: Any) -> None:
    """Write each empty mapping and list as {} or [] beside its key, in place.

    Where a comment follows the key, the writer would put them on a line of their own, which is no
    YAML.
    """
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if not isinstance(content, CommentedMap):
        return
    for key, value in content.items():
        if isinstance(value, CommentedMap | CommentedSeq) and not value:
            content[key] = type(value)()
            content[key].fa.set_flow_style()
            if key in content.ca.items:
                content.ca.items[key][3] = None  # comments between the key and what was removed
        close_empty(value)


def safe_load(text: str) -> Any:
    """Return the plain values of a YAML text; None where it is no YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(text)
    except YAMLError:
        return None


def keep_lines(written: str, before: str, after: str) -> str:
    """Return a file's text with an edit, and nothing else changed.

    Args:
        written: the file's text, as its user wrote it.
        before: the same content, as the writer of YAML writes it.
        after: the edited content, as the writer of YAML writes it.

    A line that the edit changes is that of `after`; every other line is that of `written`.
    """
    end = "\r\n" if "\r\n" in written else "\n"
    unedited, edited = (end.join([*text.splitlines(), ""]) for text in (before, after))
    base = unedited.splitlines(keepends=True)
    own = _hunks(base, written)
    edits = [_indented(edit, base, own) for edit in _hunks(base, edited)]
    own = [hunk for hunk in own if not any(_meet(hunk, edit) for edit in edits)]
    lines, row = [], 0
    for first, last, new in sorted([*edits, *own], key=lambda hunk: hunk[:2]):
        lines += [*base[row:first], *new]
        row = last
    return "".join([*lines, *base[row:]])


def _hunks(base: Sequence[str], text: str) -> list[Hunk]:
    """List where a text differs from the base, line by line where lines correspond."""
    lines, hunks = text.splitlines(keepends=True), list[Hunk]()
    matcher = SequenceMatcher(None, [*map(_bare, base)], [*map(_bare, lines)], autojunk=False)
    for _, first, last, start, end in matcher.get_opcodes():
        if last - first == end - start:
            pairs = zip(range(first, last), lines[start:end], strict=True)
            hunks += [(row, row + 1, [line]) for row, line in pairs if base[row] != line]
        else:
            hunks.append((first, last, lines[start:end]))
    return hunks


def _indented(edit: Hunk, base: Sequence[str], own: Sequence[Hunk]) -> Hunk:
    """Return an edit with the indentation that the user gives to the lines around it."""
    first, last, new = edit
    users = {hunk[0]: _indent(hunk[2][0]) for hunk in own if hunk[2]}
    near = sorted(range(len(base)), key=lambda row: abs(row - first))

    def indented(line: str) -> str:
        depth = _indent(line)
        row = next((row for row in near if base[row].strip() and _indent(base[row]) == depth), None)
        return line if row is None else users.get(row, depth) + line[len(depth) :]

    lines: list[str] = []
    for line in new:
        text = indented(line) if line.strip() else line
        parents = [i for i in range(len(lines)) if len(_indent(new[i])) < len(_indent(line))]
        if parents and not line.lstrip().startswith("- "):  # a list may stand below its key
            above = _indent(lines[parents[-1]])
            if len(_indent(text)) <= len(above):
                text = above + _indent(line)[len(_indent(new[parents[-1]])) :] + line.lstrip()
        lines.append(text)
    return first, last, lines


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _bare(line: str) -> str:
    """Return a line without spaces and quotes, by which lines correspond."""
    return "".join(line.split()).replace('"', "").replace("'", "")


def _meet(one: Hunk, other: Hunk) -> bool:
    """Return whether two hunks have a row in common, or insert at the same row."""
    return one[:2] == other[:2] or (one[0] < other[1] and other[0] < one[1])
