"""What lies in a subject's folder: files of any kind and name, which are read and never changed."""

import hashlib
import os
from collections import Counter
from pathlib import Path

from pipeline.runtime.item_store import file_hash
from pipeline.runtime.user_errors import MissingInput
from stages.clips.split import HELD_OUT

_UNSAFE = set('\\/:*?"<>|$`')  # in a folder's name, for a shell or another system
_LONGEST = 120  # bytes of a clip's name: stages add to it, and a file's name has at most 255
_BYTES = range(0xDC80, 0xDD00)  # how Python holds bytes of a name that are no UTF-8


def videos(folder: Path) -> list[Path]:
    """List what a subject's folder holds, hidden files and held_out.txt aside, by name."""
    if not folder.is_dir():
        raise MissingInput(folder, "no folder of videos here", "run `idiolect add VIDEO…`")
    found = [p for p in folder.iterdir() if not p.name.startswith(".") and p.name != HELD_OUT]
    if not found:
        raise MissingInput(folder, "no video here", "run `idiolect add VIDEO…`")
    return sorted(found, key=lambda path: path.name)


def identify(path: Path) -> tuple[str, str]:
    """Return the sha256 of a file's bytes, or "" and why it cannot be read."""
    try:
        if path.is_file():
            return file_hash(path), ""
        if path.is_dir():
            return "", "not a file: videos lie in the subject's folder itself"
        if path.is_symlink() and not path.exists():
            return "", "a link to a file that is not there"
    except OSError as error:
        return "", f"cannot be read: {(error.strerror or str(error)).lower()}"
    return "", "not a file but a pipe or device"


def shown(name: str) -> str:
    r"""Write a file's name as one line of text: \n, \\, and \xe9 for a byte that is no UTF-8."""
    return "".join(c if c.isprintable() and c != "\\" else _escaped(c) for c in name)


def _escaped(character: str) -> str:
    code = ord(character)
    if code in _BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return character.encode("unicode_escape").decode()
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clip_names(names: list[str]) -> dict[str, str]:
    """Name each video's clips: by its stem, or its whole name where another has that stem.

    A name that is unsafe as a folder's has what is unsafe replaced, and a hash to tell it apart.
    """
    stems = Counter(Path(name).stem for name in names)
    chosen = {}
    for name in names:
        stem = Path(name).stem
        chosen[name] = _safe(stem if stems[stem] == 1 and stem not in names else name, name)
    return chosen


def _safe(text: str, name: str) -> str:
    clean = "".join("_" if c in _UNSAFE or not c.isprintable() else c for c in text)
    if clean.startswith(("-", "~", " ")):
        clean = f"_{clean[1:]}"
    short = clean.encode()[:_LONGEST].decode(errors="ignore")
    if short == text:
        return text
    return f"{short}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
