"""A cache of finished items under .idiolect/items, addressed by all their inputs.

A key hashes the input's bytes, the params section, the weights and the stage's code version. The
value is a folder of files, with their sha256 in `MANIFEST`. Results do not depend on the cache.
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
    """Return the sha256 of a file's bytes as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key(**parts: Any) -> str:
    """Hash named parts (text, numbers, lists, mappings) to a key."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def files(folder: Path) -> dict[str, Path]:
    """Return the files of an item by their names within it, without its manifest."""
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    names.pop(MANIFEST, None)
    return names


def recorded(folder: Path) -> dict[str, str] | None:
    """Read an item's manifest: sha256 by file name; None without a manifest.

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
        target: the folder to fill; its parent is made.
        make: writes the files into an empty folder.
        store: the folder of all items.

    Returns:
        True if `make` was called, False if the store had the item.

    A damaged item in the store is reported and made again.
    """
    if fetch(item, target, store):
        return False
    stored = _folder(item, store)
    if stored.exists():
        print(f"damaged: {stored}: its bytes have changed; computed again", file=sys.stderr)
    with atomic_folder(stored) as part:
        make(part)
        hashes = {name: file_hash(path) for name, path in files(part).items()}
        (part / MANIFEST).write_text(json.dumps(hashes, indent=1))
    _copy(stored, target)
    return True


def fetch(item: str, target: Path, store: Path = STORE) -> bool:
    """Fill the folder `target` from the store; return False if the store has no intact item."""
    stored = _folder(item, store)
    try:
        hashes = {name: file_hash(path) for name, path in files(stored).items()}
        intact = recorded(stored) == hashes
    except (BadFormat, OSError):
        intact = False
    if intact:
        _copy(stored, target)
    return intact


def _folder(item: str, store: Path) -> Path:
    return store / item[:2] / item


def _copy(stored: Path, target: Path) -> None:
    with atomic_folder(target) as part:
        shutil.copytree(stored, part, ignore=shutil.ignore_patterns(MANIFEST), dirs_exist_ok=True)
