"""The file of a voice and the name of a video, checked before anything heavy is loaded."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.runtime.atomic_files import check_writable
from pipeline.runtime.user_errors import MissingInput, UserError
from stages.base.io.containers import NotAVideo
from stages.base.io.mono_mix import Samples
from stages.base.io.sound import read_sound
from stages.base.io.timebase import AUDIO_RATE


def check_voice(audio: Path, out: Path, *others: Path) -> None:
    """Check the files that a render reads and writes.

    Args:
        audio: any audio or video file with sound.
        out: the video that will be written.
        others: a picture or video that the render reads too.

    Raises:
        NotAVideo: the voice has no sound that can be decoded.
        UserError: a file is missing or no file, or the video cannot be written.
    """
    if out.suffix.lower() != ".mp4":
        raise UserError(out, "expected a name that ends in .mp4")
    for path in (audio, *others):
        if not path.exists():
            raise MissingInput(path, "no such file")
    if not audio.is_file():
        raise UserError(audio, "expected an audio or video file, found a folder or device")
    for path in others:
        if not path.is_file():
            raise UserError(path, "expected a picture or video, found a folder or device")
    if out.exists() and out.samefile(audio):
        raise UserError(out, "is the voice itself, which must not change", "name another file")
    check_writable(out)
    next(sound_of(audio, AUDIO_RATE), None)


def sound_of(audio: Path, rate: int) -> Iterator[Samples]:
    """Yield the sound of a voice in pieces, as `read_sound` does; raise NotAVideo with its path."""
    try:
        yield from read_sound(audio, rate)
    except NotAVideo as error:
        found = error.found.replace("not a video", "not a sound file").replace("a video", "sound")
        raise NotAVideo(audio, found, "name an audio file, or a video with sound") from None
