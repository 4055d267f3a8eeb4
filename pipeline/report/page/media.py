"""Files beside the page: images from tables, thumbnails of videos, the script of its charts."""

import shutil
from contextlib import suppress
from pathlib import Path

from pipeline.report.offline_plots import SCRIPT, write_script
from pipeline.report.page.project_state import MEDIA, PAGE
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import UserError
from stages.base.io.image_io import Image, encode_jpeg, resize

_THUMBNAIL = 160  # px


def link(path: Path) -> str:
    """Return a file's address relative to the page, with its time: a browser reloads what changed.

    Queries are no part of a file's name, also for file:// addresses.
    """
    return f"{path.relative_to(PAGE.parent).as_posix()}?{path.stat().st_mtime_ns // 10**9}"


def write_once(name: str, data: bytes) -> str:
    """Write an image beside the page unless it is there; return its address."""
    suffix = ".png" if data.startswith(b"\x89PNG") else ".jpg"
    path = MEDIA / f"{name}{suffix}"
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    return link(path)


def video_frame(video: Path, second: float, name: str) -> str:
    """Return the address of a small frame of a video; empty if none can be read there."""
    import av

    path = MEDIA / f"{name}.jpg"
    if not path.is_file():
        try:
            with av.open(str(video)) as container:
                stream = container.streams.video[0]
                if second > 1:
                    container.seek(int(second * 1e6))
                frame: Image = next(container.decode(stream)).to_ndarray(format="rgb24")
        except (av.FFmpegError, StopIteration, IndexError):
            return ""
        scale = _THUMBNAIL / max(frame.shape[:2])
        size = (max(1, round(frame.shape[0] * scale)), max(1, round(frame.shape[1] * scale)))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, encode_jpeg(resize(frame, size), 85))
    return link(path)


def chart_script() -> str:
    """Copy Vega beside the page; return its address, or "" if Vega is not installed."""
    copy = MEDIA / "vega.js"
    if not SCRIPT.is_file():
        with suppress(UserError):
            write_script()
    if not copy.is_file() and SCRIPT.is_file():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SCRIPT, copy)
    return link(copy) if copy.is_file() else ""
