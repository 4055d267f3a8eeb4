"""A whole copy of dvc.lock beside it: DVC writes it in place, and a full disk leaves it torn.

The copy is made before a run and after each stage that ended well, while no one writes.
"""

import filecmp
import shutil
from pathlib import Path

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadFormat

LOCK = Path("dvc.lock")
SAVED, TORN = Path(".idiolect/dvc.lock.saved"), Path(".idiolect/dvc.lock.torn")


def keep() -> None:
    """Copy dvc.lock, which must be whole and at rest; do nothing where there is none."""
    if LOCK.is_file():
        with atomic_file(SAVED) as part:
            shutil.copyfile(LOCK, part)


def mend() -> str:
    """Put the copy in the place of a torn dvc.lock; return a line that says so, or "".

    Raises:
        BadFormat: it is torn and there is no copy, or it holds the marks of a git merge.
    """
    if not LOCK.is_file() or _is_the_copy() or _whole(LOCK):
        return ""
    if b"\n<<<<<<< " in b"\n" + LOCK.read_bytes():
        raise BadFormat(LOCK, "holds a git conflict", "settle it, or delete dvc.lock")
    if not (SAVED.is_file() and _whole(SAVED)):
        todo = "take it from git (`git checkout dvc.lock`), or delete it"
        raise BadFormat(LOCK, "is no dvc.lock, as after a full disk, and no copy is here", todo)
    shutil.copyfile(LOCK, TORN)
    with atomic_file(LOCK) as part:
        shutil.copyfile(SAVED, part)
    return f"dvc.lock was torn, as after a full disk: its copy from {SAVED} is back"


def _is_the_copy() -> bool:
    """Tell whether it is as it was when it was last at rest: no need to parse it."""
    return SAVED.is_file() and filecmp.cmp(LOCK, SAVED, shallow=False)


def _whole(path: Path) -> bool:
    """Tell whether a file is what DVC takes for a lock, with at least one stage."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from voluptuous import Invalid

    try:
        text = path.read_text()
        content = YAML(typ="safe").load(text)
        return text.endswith("\n") and bool(content) and bool(COMPILED_LOCKFILE_SCHEMA(content))
    except (YAMLError, UnicodeDecodeError, Invalid):
        return False
