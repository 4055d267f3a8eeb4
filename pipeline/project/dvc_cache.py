"""DVC's cache: add files to it, and find files that it does not have."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from pipeline.project.revision import dvc_errors


def dvc_add(path: Path) -> None:
    """Track a file or folder with DVC, as `dvc add` does.

    Raises:
        UserError: DVC fails.
    """
    from dvc.repo import Repo

    with dvc_errors("add"), Repo() as repo:
        repo.add([str(path)])


def first_uncached(paths: Iterable[Path]) -> Path | None:
    """Return the first file at or below paths whose bytes DVC's cache does not have."""
    from dvc.repo import Repo

    with dvc_errors("cache"), Repo() as repo:
        objects = Path(repo.cache.local.path)
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                with file.open("rb") as content:
                    md5 = hashlib.file_digest(content, "md5").hexdigest()
                if not (objects / md5[:2] / md5[2:]).is_file():
                    return file
    return None
