"""Limits of what is uploaded to the studio, and the folders that it writes to."""

import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.user_errors import UserError

MAX_MEGABYTES = 200  # of any upload
MAX_PICTURE_MEGABYTES = 30
MAX_SECONDS = 600.0  # of a voice
KEEP_SECONDS = 3600  # uploads and results; at the end of the studio all are deleted
_KEEP_RESULTS = 8


@dataclass(frozen=True)
class Workspace:
    """A temporary folder: Gradio's uploads, and a folder a render."""

    root: Path

    @property
    def uploads(self) -> Path:
        """Where Gradio keeps uploads."""
        return self.root / "uploads"

    @property
    def renders(self) -> Path:
        """A folder a render, named by chance."""
        return self.root / "renders"

    def new_render(self) -> Path:
        """Make the folder of a render; delete those of old ones."""
        folders = sorted(self.renders.glob("*"), key=lambda path: path.stat().st_mtime)
        for folder in folders:
            expired = time.time() - folder.stat().st_mtime > KEEP_SECONDS
            if expired or folder in folders[: -_KEEP_RESULTS + 1]:
                shutil.rmtree(folder)
        folder = self.renders / secrets.token_hex(8)
        folder.mkdir(parents=True)
        return folder


def check_picture(path: Path) -> None:
    """Raise UserError if an uploaded picture is too large."""
    if path.stat().st_size > MAX_PICTURE_MEGABYTES * 1e6:
        found = f"{path.stat().st_size / 1e6:.0f} MB (at most {MAX_PICTURE_MEGABYTES} MB)"
        raise UserError(path.name, found, "upload a smaller picture")


def voice_seconds(path: Path) -> float | None:
    """Return how long the sound of an uploaded file is, s; None if its container does not say.

    Raises:
        UserError: the file has no sound.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise UserError(path.name, "has no sound", "upload an audio file")
            duration = container.duration
    except (av.FFmpegError, ValueError):
        found = "cannot be decoded as audio"
        raise UserError(path.name, found, "upload an audio file") from None
    return None if duration is None else duration / av.time_base


def check_seconds(name: str, seconds: float) -> None:
    """Raise UserError if a voice is longer than a render in the studio may be."""
    if seconds > MAX_SECONDS:
        found = f"{seconds:.0f} s of sound (at most {MAX_SECONDS:.0f} s in the studio)"
        raise UserError(name, found, "set a duration, or use `idiolect render`")
