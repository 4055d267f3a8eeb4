"""Atomic writes: write a temporary file, flush it to disk, rename it."""

import errno
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_native_id

from pipeline.runtime.user_errors import UserError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` when the block succeeds.

    Raises:
        UserError: `path` is a folder or a device such as /dev/null.
        OSError: names `path`, not the temporary one, as does one of the block on a full disk.
    """
    part = _partial_file(path)
    try:
        with name_in_errors(path, part):
            yield part
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def name_in_errors(path: Path, part: Path) -> Iterator[None]:
    """Let an error that names `part`, or a full disk that names no file, name `path`."""
    try:
        yield
    except OSError as error:
        full = error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        if full or error.filename in (str(part), f"file:{part}"):  # the second is FFmpeg's
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _partial_file(path: Path) -> Path:
    if path.exists() and not path.is_file():
        raise UserError(path, "expected a file to write, found a folder or device", "name another")
    path.parent.mkdir(parents=True, exist_ok=True)
    short = zlib.crc32(path.name.encode(errors="surrogateescape"))  # a name may be 255 bytes long
    writer = f"{get_native_id():x}.{os.getpid()}"  # two threads may write one file
    return path.with_name(f".{short:08x}.{writer}.part{path.suffix}")


def check_writable(path: Path) -> None:
    """Check that a file can be written, before the work that makes its content; write nothing.

    Raises:
        UserError: `path` is a folder or a device, or its folder cannot be made or written.
    """
    try:
        part = _partial_file(path)
        part.touch()
        part.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        found = f"cannot be written: {reason}"
        raise UserError(path, found, "name a file in a folder that you may write to") from None


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a whole file, in UTF-8 if it is text; raise UserError as `atomic_file` does."""
    with atomic_file(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; replace `path` by it when the block succeeds.

    `path` is deleted before the new folder is renamed: a kill between the two leaves neither.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
        shutil.rmtree(path, ignore_errors=True)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
