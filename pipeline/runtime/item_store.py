"""The item store: finished work of one item, addressed by everything that made it.

A key hashes the input's bytes, the params section, the weights and the stage's code version; the
value is a folder of files, with their sha256 in `MANIFEST`. The store is only a cache under
.idiolect/items: without it, results are the same and take longer.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.user_errors import BadFormat

STORE = Path(".idiolect/items")
MANIFEST = ".sha256.json"


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's bytes as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key(**parts: Any) -> str:
    """Hash named parts (text, numbers, lists, mappings) to a key."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def files(folder: Path) -> dict[str, Path]:
    """List the files of an item by their names within it; its manifest is none of them."""
    found = sorted(path for path in folder.rglob("*") if not path.is_dir())
    names = {path.relative_to(folder).as_posix(): path for path in found}
    names.pop(MANIFEST, None)
    return names


def recorded(folder: Path) -> dict[str, str] | None:
    """Read the sha256 by name of the files that an item was made with; None without a manifest.

    Raises:
        BadFormat: the manifest cannot be read.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        todo = f"delete {folder}: it is made again when needed"
        raise BadFormat(path, "expected sha256 by file name, found something else", todo)
    return content


def compute(item: str, target: Path, make: Callable[[Path], None], store: Path = STORE) -> bool:
    """Fill the folder `target` with the item's files, from the store or by calling `make`.

    Args:
        item: the key of the item.
        target: folder to fill; its parent is made.
        make: writes the files into the empty folder it is given.
        store: where finished items are kept.

    Returns:
        True if `make` ran, False if the store had the item.

    What the store has is hashed before it is used: a damaged item is told and made again.
    """
    kept = _place(item, store)
    made = not fetch(item, target, store)
    if made:
        if kept.exists():
            print(f"damaged: {kept}: not the bytes it was made with; made again", file=sys.stderr)
        with atomic_folder(kept) as part:
            make(part)
            hashes = {name: file_hash(path) for name, path in files(part).items()}
            (part / MANIFEST).write_text(json.dumps(hashes, indent=1))
        _copy(kept, target)
    return made


def fetch(item: str, target: Path, store: Path = STORE) -> bool:
    """Fill the folder `target` with the item's files if the store has them whole; tell whether."""
    kept = _place(item, store)
    if not _whole(kept):
        return False
    _copy(kept, target)
    return True


def _place(item: str, store: Path) -> Path:
    return store / item[:2] / item


def _copy(kept: Path, target: Path) -> None:
    with atomic_folder(target) as part:
        shutil.copytree(kept, part, ignore=shutil.ignore_patterns(MANIFEST), dirs_exist_ok=True)


def _whole(folder: Path) -> bool:
    """Tell whether an item is there with exactly the bytes that it was made with."""
    try:
        return recorded(folder) == {name: file_hash(path) for name, path in files(folder).items()}
    except (BadFormat, OSError):
        return False
