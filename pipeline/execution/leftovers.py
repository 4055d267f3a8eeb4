"""Delete half-written files of processes that were killed (`pipeline.runtime.atomic_files`).

None is ever taken for finished, and .dvcignore hides them from DVC; they only fill the disk.
"""

import re
import shutil
from pathlib import Path

import psutil

_PATTERNS = (
    "data/*/.*.part*",
    "data/*/*/.*.part*",
    "models/.*.part*",
    "reports/**/.*.part*",
    ".idiolect/items/*/.*.part",
    ".idiolect/checkpoints/*/*/.*.part*",
)
_NAME = re.compile(r"\..+\.(\d+)\.part(\..+)?")


def remove(root: Path = Path()) -> list[Path]:
    """Delete what a process was writing that is there no more; return what that was."""
    found: list[Path] = []
    for path in {path for pattern in _PATTERNS for path in root.glob(pattern)}:
        named = _NAME.fullmatch(path.name)
        if named is None or psutil.pid_exists(int(named[1])):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        found.append(path)
    return sorted(found)
