"""The item store: finished work of one item, addressed by everything that made it.

A key hashes the input's bytes, the params section, the weights and the stage's code version; the
value is a folder of files. The store is only a cache under .idiolect/items: without it, results
are the same and take longer.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.writing import whole_folder

STORE = Path(".idiolect/items")


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's bytes as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key(**parts: Any) -> str:
    """Hash named parts (text, numbers, lists, mappings) to a key."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def compute(item: str, target: Path, make: Callable[[Path], None], store: Path = STORE) -> bool:
    """Fill the folder `target` with the item's files, from the store or by calling `make`.

    Args:
        item: the key of the item.
        target: folder to fill; its parent is made.
        make: writes the files into the empty folder it is given.
        store: where finished items are kept.

    Returns:
        True if `make` ran, False if the store had the item.
    """
    kept = store / item[:2] / item
    made = not kept.is_dir()
    if made:
        with whole_folder(kept) as part:
            make(part)
    with whole_folder(target) as part:
        shutil.copytree(kept, part, dirs_exist_ok=True)
    return made
