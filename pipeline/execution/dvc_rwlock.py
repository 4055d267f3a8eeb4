"""DVC's table of the files in use, after processes that were killed.

DVC writes `.dvc/tmp/rwlock` in place and frees what a killed process held by its number alone: a
torn table stops every command, and so does a number that another program has by now.
"""

import json
from pathlib import Path
from typing import Any

import psutil

from pipeline.runtime.atomic_files import atomic_file

TABLE = Path(".dvc/tmp/rwlock")


def mend(path: Path = TABLE) -> None:
    """Drop the table where it is torn, and the entries of processes that are gone or not DVC's."""
    try:
        table = json.loads(path.read_text())
    except FileNotFoundError:
        return
    except ValueError:
        path.unlink()
        return
    write = {name: one for name, one in table.get("write", {}).items() if _lives(one)}
    read = {
        name: [one for one in ones if _lives(one)] for name, ones in table.get("read", {}).items()
    }
    kept = {"write": write, "read": {name: ones for name, ones in read.items() if ones}}
    if kept != table:
        with atomic_file(path) as part:
            part.write_text(json.dumps(kept))


def _lives(entry: dict[str, Any]) -> bool:
    try:
        command = psutil.Process(entry["pid"]).cmdline()
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
    return any(Path(word).name in {"dvc", "idiolect"} for word in command)
