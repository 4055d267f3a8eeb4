"""Copy a user's videos into the project; each that cannot be copied whole is a line."""

import shutil
from contextlib import suppress
from pathlib import Path

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.item_store import file_hash
from pipeline.runtime.user_errors import UserError


def read_error(file: Path) -> str:
    """Return why a file's bytes cannot be read; empty if they can."""
    try:
        with file.open("rb") as content:
            content.read(1)
    except OSError as error:
        return f"{file}: cannot be read: {str(error.strerror).lower()}; not added"
    return ""


def copy_videos(files: list[Path], folder: Path) -> tuple[list[Path], list[Path], list[str]]:
    """Copy files into a folder.

    Returns:
        The new files; those that were there before; a line for each that has changed meanwhile,
        which is not there.

    Raises:
        UserError: the folder has other bytes under a file's name, or all files have changed.
    """
    new = [file for file in files if not (folder / file.name).exists()]
    present = [folder / file.name for file in files if file not in new]
    for file in files:
        target = folder / file.name
        if target in present and file_hash(target) != file_hash(file):
            raise UserError(file, f"another video is at {target} already", "rename the new one")
    growing = [file for file in new if not _copy_whole(file, folder / file.name)]
    if growing and growing == files:
        with suppress(OSError):
            folder.rmdir()
        todo = "add it when it is complete; nothing was changed"
        raise UserError(growing[0], "is still being written", todo)
    lines = [f"{file}: is still being written; not added" for file in growing]
    return [folder / file.name for file in new if file not in growing], present, lines


def _copy_whole(file: Path, target: Path) -> bool:
    """Copy a file; return False, and leave no copy, if it has changed meanwhile."""
    before = file.stat()
    with atomic_file(target) as part:
        shutil.copyfile(file, part)
    after = file.stat()
    if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
        return True
    target.unlink()
    return False
