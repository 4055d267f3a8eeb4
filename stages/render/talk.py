"""Let a trained identity say any sound, in its own or another's style.

    render_talk("sample_calm", "sample_lively", Path("voice.wav"), Path("talk.mp4"))

Sound, features, motion and pictures pass through in pieces: memory does not grow with the sound.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime import progress
from pipeline.runtime.user_errors import BadFormat, MissingInput, UserError
from stages.base.config.params import Training, read_section
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import Image
from stages.base.io.sound import read_sound
from stages.base.io.timebase import frames_of_samples
from stages.base.io.wav_files import read_wav, write_wav
from stages.motion.features import silent_frames, sound_levels
from stages.motion.predict import Motion, MotionStream, retarget
from stages.render.actor import Models, enlarged, load_models, pictures, style_patterns
from stages.render.params import RenderParams

_SOUND_RATE = 48000  # of the video's sound
_WAV_HEADER = 44  # bytes before the samples of what `write_wav` writes


def render_talk(identity: str, style: str, audio: Path, out: Path) -> int:
    """Render an identity that says a sound in a style; return how many frames.

    Args:
        identity: whose face, a trained subject.
        style: whose way, a trained subject.
        audio: any audio or video file with sound.
        out: the video to write, H.264 and AAC, ending in .mp4.

    Raises:
        NotTrained: identity or style is not among the trained subjects.
        NotAVideo: the file has no sound that can be decoded.
        UserError: another input is missing or wrong.
    """
    if out.suffix.lower() != ".mp4":
        raise UserError(out, "expected a name that ends in .mp4")
    if not audio.is_file():
        raise MissingInput(audio, "no such file")
    if out.exists() and out.samefile(audio):
        raise UserError(out, "is the voice itself, which stays as it is", "name another file")
    params = read_section("render", RenderParams)
    seed = read_section("training", Training).seed
    models = load_models(identity, style)
    isps = style_patterns(style)
    with tempfile.TemporaryDirectory() as folder:
        heard, played = Path(folder) / "16k.wav", Path(folder) / "48k.wav"
        write_wav(heard, read_sound(audio))
        write_wav(played, read_sound(audio, _SOUND_RATE), _SOUND_RATE)
        frames = _frames_of(heard, audio, models.motion.fps)
        samples = np.memmap(played, np.int16, "r", offset=_WAV_HEADER)
        with progress.bar(f"render {out.name}", frames) as bar:
            drawn = _drawn(models, identity, style, heard, frames, isps, seed, params)
            encode_video(
                out,
                _counted(drawn, bar),
                models.motion.fps,
                (samples, _SOUND_RATE),
                params.crf,
            )
    return frames


def _frames_of(wav: Path, audio: Path, fps: float) -> int:
    samples = _samples(wav)
    if not samples:
        raise BadFormat(audio, "its sound is empty")
    return frames_of_samples(samples, fps)


def _samples(wav: Path) -> int:
    return (wav.stat().st_size - _WAV_HEADER) // 2


def _counted(pieces: Iterator[Image], bar: progress.Bar) -> Iterator[Image]:
    for picture in pieces:
        yield picture
        bar.advance()


def _drawn(
    models: Models,
    identity: str,
    style: str,
    wav: Path,
    frames: int,
    isps: Image,
    seed: int,
    params: RenderParams,
) -> Iterator[Image]:
    """Yield the pictures of a sound."""
    face, way, at = models.motion.person(identity), models.motion.person(style), 0
    for motion in motion_of(models, style, wav, frames, seed):
        columns = retarget(motion, way, face, first=at)
        at += len(motion)
        drawn = pictures(models.generator, identity, columns, isps, params.batch)
        yield from enlarged(drawn, params.panel)


def motion_of(models: Models, style: str, wav: Path, frames: int, seed: int) -> Iterator[Motion]:
    """Yield the motion of a style saying a sound of 16 kHz, in pieces."""
    fps = models.motion.fps
    quiet = silent_frames(sound_levels(wav, fps, 0, frames), fps)
    stream, at = MotionStream(models.motion, style, seed), 0
    for features in features_of(wav, frames, fps):
        count = len(features) // 2
        yield stream.push(features, quiet[at : at + count])
        at += count
    yield stream.finish()


def features_of(wav: Path, frames: int, fps: float) -> Iterator[NDArray[np.float32]]:
    """Yield the audio features of a sound of 16 kHz, (2n, 551), in pieces.

    The sound is read twice: how loud it is has to be known first.
    """
    from stages.speech import mel
    from stages.speech.apc import gain
    from stages.speech.artifacts import AUDIO_MODEL
    from stages.speech.features import Representer
    from stages.speech.params import SpeechParams
    from stages.speech.phone_track import PhoneTrack
    from stages.speech.phones import recognise_phones

    representer = Representer()
    if abs(representer.fps - fps) > 1e-6:
        raise BadFormat(AUDIO_MODEL, f"trained at {representer.fps:g} fps, the motion at {fps:g}")

    def read(first: int, last: int) -> NDArray[np.float32]:
        return read_wav(wav, first, last)[0]

    energy = np.concatenate([e for _, e in mel.in_blocks(read, fps, frames)])
    blocks = (m for m, _ in mel.in_blocks(read, fps, frames))
    words = read_section("speech", SpeechParams).recogniser == "words"
    phones = recognise_phones(read, _samples(wav), words=words)
    track = PhoneTrack([p.name for p in phones], [p.start for p in phones], [p.end for p in phones])
    step = 0
    for found in representer.features(blocks, gain(energy, representer.level)):
        heard = track.at(step, step + len(found), fps)
        yield np.concatenate([found, heard], axis=1)
        step += len(found)
