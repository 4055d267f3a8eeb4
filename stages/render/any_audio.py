"""Render a trained identity speaking any audio, in its own or anyone's style.

    render_audio("sample_calm", "sample_lively", Path("voice.wav"), Path("talk.mp4"))

Sound, features, motion and frames are processed in pieces: memory does not grow with the audio.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import check_writable
from pipeline.runtime.progress import each
from pipeline.runtime.user_errors import BadFormat, MissingInput, UserError
from stages.base.config.params import Training, read_section
from stages.base.io.containers import NotAVideo
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import Image
from stages.base.io.sound import read_sound
from stages.base.io.timebase import AUDIO_RATE, frames_of_samples
from stages.base.io.wav_files import read_wav, write_wav
from stages.donors.library import read_donors
from stages.donors.painter import DonorPainter
from stages.generator.driving import Driving
from stages.generator.isps import read_isps
from stages.motion.features import silent_frames, sound_levels
from stages.motion.predict import Motion, MotionStream, retarget
from stages.render.neutral_motion import NeutralMotion
from stages.render.params import RenderParams
from stages.render.render import enlarge
from stages.render.trained_models import Models, load_models
from stages.speech import mel
from stages.speech.apc import gain
from stages.speech.artifacts import AUDIO_MODEL
from stages.speech.params import SpeechParams
from stages.speech.phone_track import PhoneTrack
from stages.speech.phones import recognise_phones
from stages.speech.representation import Sound, load_representation

Draw = Callable[[Iterator[Motion]], Iterator[Image]]
_SOUND_RATE = 48000  # of the video's sound
WAV_HEADER = 44  # bytes before the samples of a file that `write_wav` writes


def render_audio(
    identity: str, style: str, audio: Path, out: Path, *, restyle: bool = False
) -> int:
    """Render an identity speaking audio in a style; return the number of frames.

    Args:
        identity: the face, a trained subject.
        style: who lends the style: a trained subject, or an unseen one.
        audio: any audio or video file with sound.
        out: the video to write, H.264 and AAC, ending in .mp4.
        restyle: draw from neutral motion, whose amplitude the ISPs of the style restore.

    Raises:
        NotTrained: the identity is not among the trained subjects, or the style neither among
            them nor unseen.
        NotAVideo: the file has no sound that can be decoded.
        UserError: another input is missing or wrong.
    """
    with decoded(audio, out) as voice:
        params = read_section("render", RenderParams)
        models = load_models((identity,), params.drawn_size, style)
        neutral = NeutralMotion.of(models, identity, style) if restyle else None
        isps = read_isps(style).chosen_images()

        def draw(motions: Iterator[Motion]) -> Iterator[Image]:
            return _draw(models, identity, style, motions, isps, params, neutral)

        return encode_talk(models, style, voice, out, draw)


@dataclass(frozen=True)
class Voice:
    """The sound of a file, decoded to WAV files.

    Attributes:
        speech: of `AUDIO_RATE`, for the models.
        played: of `_SOUND_RATE`, for the video.
    """

    speech: Path
    played: Path


@contextmanager
def decoded(audio: Path, out: Path) -> Iterator[Voice]:
    """Decode a voice to a temporary folder, before any model is loaded.

    Args:
        audio: any audio or video file with sound.
        out: the video that will be written.

    Raises:
        NotAVideo: the file has no sound that can be decoded.
        BadFormat: its sound is empty.
        UserError: the file is missing, or the video or the temporary folder cannot be written.
    """
    if out.suffix.lower() != ".mp4":
        raise UserError(out, "expected a name that ends in .mp4")
    if not audio.exists():
        raise MissingInput(audio, "no such file")
    if not audio.is_file():
        raise UserError(audio, "expected an audio or video file, found a folder or device")
    if out.exists() and out.samefile(audio):
        raise UserError(out, "is the voice itself, which must not change", "name another file")
    check_writable(out)
    with tempfile.TemporaryDirectory() as folder:
        voice = Voice(Path(folder) / "16k.wav", Path(folder) / "48k.wav")
        _decode(audio, voice.speech, AUDIO_RATE)
        _decode(audio, voice.played, _SOUND_RATE)
        yield voice


def _decode(audio: Path, wav: Path, rate: int) -> None:
    try:
        write_wav(wav, read_sound(audio, rate), rate)
    except NotAVideo as error:
        found = error.found.replace("not a video", "is no sound").replace("a video", "sound")
        raise NotAVideo(audio, found, "name an audio file, or a video with sound") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        found = f"the temporary folder cannot hold the sound of {audio.name}: {reason}"
        raise UserError(wav.parent, found, "make room, or set TMPDIR to another folder") from None
    if not _count_samples(wav):
        raise BadFormat(audio, "its sound is empty")


def encode_talk(models: Models, style: str, voice: Voice, out: Path, draw: Draw) -> int:
    """Write the video of a style speaking; return the number of frames.

    Args:
        models: the motion model is used.
        style: whose motion it is.
        voice: the sound.
        out: the video.
        draw: frames of motion in pieces.
    """
    fps, crf = models.motion.fps, read_section("render", RenderParams).crf
    seed = read_section("training", Training).seed
    frames = frames_of_samples(_count_samples(voice.speech), fps)
    drawn = draw(predict_motion(models, style, voice.speech, frames, seed))
    images = each(drawn, f"render {out.name}", frames)
    sound = np.memmap(voice.played, np.int16, "r", offset=WAV_HEADER)
    encode_video(out, images, fps, (sound, _SOUND_RATE), crf)
    return frames


def _count_samples(wav: Path) -> int:
    return (wav.stat().st_size - WAV_HEADER) // 2


def _draw(
    models: Models,
    identity: str,
    style: str,
    motions: Iterator[Motion],
    isps: Image,
    params: RenderParams,
    neutral: NeutralMotion | None,
) -> Iterator[Image]:
    face, mover, first = models.motion.person(identity), models.motion.person(style), 0
    source = models.generator.default_source(identity)
    # Donors would paint the neutral mouth over the restyled one.
    lend = params.donors and neutral is None
    painter = DonorPainter(read_donors(identity) if lend else {}, source)
    for motion in motions:
        columns = retarget(motion, mover, face, first=first)
        first += len(motion)
        driving = neutral.driving(columns) if neutral else Driving.from_columns(columns)
        restyle = neutral is not None
        drawn = models.generator.frames(source, driving, isps, params.batch, restyle=restyle)
        yield from enlarge(painter.paint(drawn, driving), params.panel)


def predict_motion(
    models: Models, style: str, wav: Path, frames: int, seed: int
) -> Iterator[Motion]:
    """Yield the motion of a style speaking a 16 kHz WAV file, in pieces."""
    fps = models.motion.fps
    quiet = silent_frames(sound_levels(wav, fps, 0, frames), fps)
    stream, first = MotionStream(models.motion, style, seed), 0
    for features in compute_features(wav, frames, fps):
        count = len(features) // 2
        yield stream.push(features, quiet[first : first + count])
        first += count
    yield stream.finish()


def compute_features(wav: Path, frames: int, fps: float) -> Iterator[NDArray[np.float32]]:
    """Yield the audio features of a 16 kHz WAV file, (2n, D), in pieces.

    The file is read twice: the first pass measures its loudness.
    """
    representation = load_representation()
    if abs(representation.fps - fps) > 1e-6:
        trained = f"trained at {representation.fps:g} fps, the motion at {fps:g}"
        raise BadFormat(AUDIO_MODEL, trained)

    def read(first: int, last: int) -> NDArray[np.float32]:
        return read_wav(wav, first, last)[0]

    energy = np.concatenate([e for _, e in mel.in_blocks(read, fps, frames)])
    blocks = (m for m, _ in mel.in_blocks(read, fps, frames))
    words = read_section("speech", SpeechParams).recogniser == "words"
    phones = recognise_phones(read, _count_samples(wav), words=words)
    track = PhoneTrack([p.name for p in phones], [p.start for p in phones], [p.end for p in phones])
    activations = representation.activations(read, _count_samples(wav))
    sound, step = Sound(blocks, gain(energy, representation.level), activations), 0
    for features in representation.features(sound):
        sounding = track.at(step, step + len(features), fps)
        yield np.concatenate([features, sounding], axis=1)
        step += len(features)
