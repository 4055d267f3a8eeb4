"""What a user has chosen in the studio, as the arguments of `idiolect render`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.runtime.user_errors import UserError
from pipeline.studio.uploads import MAX_SECONDS, check_picture, check_seconds, voice_seconds
from stages.render.controls import UNCHANGED, Controls

PERSON, PORTRAIT, VIDEO = FACES = ("Trained person", "Portrait", "Own video")


@dataclass(frozen=True)
class Choice:
    """A face, a style, a voice, and controls.

    Attributes:
        face: one of `FACES`, by which one of the next three counts.
        person: a trained subject.
        portrait: an uploaded picture.
        video: a video of a trained subject.
        style: any subject.
        voice: an uploaded or recorded file.
        controls: by name of a field of `Controls`: a number, or its text; "" is the default.
    """

    face: str
    person: str | None
    portrait: str | None
    video: str | None
    style: str | None
    voice: str | None
    controls: Mapping[str, Any]

    def arguments(self, out: Path) -> list[str]:
        """Return the arguments of `idiolect render` that write the video `out`.

        Raises:
            UserError: something is missing, too large, too long or out of range.
        """
        arguments = [f"--out={out}", *self._face()]
        if not self.style:
            raise UserError("style", "none chosen", "choose a person")
        arguments.append(f"--style={self.style}")
        if not self.voice:
            raise UserError("voice", "none given", "upload or record one")
        controls = Controls(**self._given())
        voice, changed = Path(self.voice), controls.changed()
        seconds = voice_seconds(voice)
        if seconds is not None:
            seconds = max(seconds - controls.start, 0)
        if controls.duration is None and seconds is None:
            changed["duration"] = MAX_SECONDS
        else:
            check_seconds(voice.name, min(filter(None, (seconds, controls.duration)), default=0))
        return [*arguments, f"--audio={voice}", *(f"--{k}={v}" for k, v in changed.items())]

    def source(self) -> Path | None:
        """Return the file that shows the face; None for a trained person."""
        chosen = {PORTRAIT: self.portrait, VIDEO: self.video}.get(self.face)
        return Path(chosen) if chosen else None

    def _face(self) -> list[str]:
        if self.face == PERSON:
            if not self.person:
                raise UserError("face", "no person is trained yet", "run `idiolect repro`")
            return [f"--identity={self.person}"]
        source = self.source()
        if source is None:
            todo = "upload a picture" if self.face == PORTRAIT else "choose a video"
            raise UserError("face", "none given", todo)
        if self.face == PORTRAIT:
            check_picture(source)
            return [f"--portrait={source}"]
        return [f"--onto={source}"]

    def _given(self) -> dict[str, Any]:
        """Return the controls that have a value, as the types of `Controls`."""
        given = {n: _number(n, v) for n, v in self.controls.items() if v not in {None, ""}}
        return {n: v for n, v in given.items() if v != getattr(UNCHANGED, n)}


def _number(name: str, value: Any) -> Any:
    """Return what a slider or a text field holds; a whole number as int. Gaze is no number."""
    if name == "gaze":
        return value
    try:
        number = float(value)
    except ValueError:
        raise UserError(name, f"expected a number, found {value}") from None
    return int(number) if number.is_integer() else number
