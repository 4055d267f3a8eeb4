"""Render a trained identity speaking any audio, in its own or anyone's style.

    render_audio("sample_calm", "sample_lively", Path("voice.wav"), Path("talk.mp4"))

Sound, features, motion and frames are processed in pieces: memory does not grow with the audio.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.prefetch import prefetch
from pipeline.runtime.progress import with_progress
from pipeline.runtime.user_errors import BadFormat, UserError
from stages.base.config.params import read_section
from stages.base.io.image_io import Image
from stages.base.io.timebase import AUDIO_RATE, frames_of_samples
from stages.base.io.video_stream import WavSound, stream_video
from stages.base.io.wav_files import write_wav
from stages.donors.library import read_donors
from stages.donors.painter import DonorPainter, PartPlan
from stages.generator.driving import Driving
from stages.generator.isps import read_isps
from stages.motion.features import loudness, silent_frames, sound_levels
from stages.motion.person import MotionPerson
from stages.motion.predict import Motion, MotionStream, retarget
from stages.render.controls import UNCHANGED, Controls, apply_controls, resample_video, trim_audio
from stages.render.full_frame import (
    Background,
    Frame,
    check_frame,
    paste_into_background,
    person_background,
)
from stages.render.neutral_motion import NeutralMotion
from stages.render.parallel_drawing import Batch, draw_ahead, make_batches, one_thread_each
from stages.render.params import RenderParams
from stages.render.sound_stream import compute_features
from stages.render.trained_models import Models, load_models
from stages.render.voice_file import check_voice, sound_of

Draw = Callable[[Iterator[Motion]], Iterator[Image]]
_SOUND_RATE = 48000  # of the video's sound
_WAV_HEADER = 44  # bytes before the samples of a file that `write_wav` writes


def render_audio(
    identity: str,
    style: str,
    audio: Path,
    out: Path,
    *,
    restyle: bool = False,
    controls: Controls = UNCHANGED,
    frame: Frame = "square",
) -> int:
    """Render an identity speaking audio in a style; return the number of frames.

    Args:
        identity: the face, a trained subject.
        style: who lends the style: a trained subject, or an unseen one.
        audio: any audio or video file with sound.
        out: the video to write, H.264 and AAC, ending in .mp4.
        restyle: draw from neutral motion, whose amplitude the ISPs of the style restore.
        controls: changes to motion, size and rate, and the part of the voice.
        frame: "full" pastes the square into the person's own picture, where its background is
            still; where it is not, the reason is printed.

    Raises:
        NotTrained: the identity is not among the trained subjects, or the style neither among
            them nor unseen.
        NotAVideo: the file has no sound that can be decoded.
        UserError: another input is missing or wrong.
    """
    check_frame(frame, controls)
    with decode_voice(audio, out, controls) as voice:
        params = read_section("render", RenderParams)
        models = load_models((identity,), params.drawn_size, style)
        neutral = NeutralMotion.of(models, identity, style) if restyle else None
        isps = read_isps(style).chosen_images()
        source = models.generator.default_source(identity)
        background = person_background(identity, source) if frame == "full" else None

        def draw(motions: Iterator[Motion]) -> Iterator[Image]:
            return draw_identity(
                models, identity, style, motions, isps, params, neutral, background
            )

        face = models.motion.person(identity)
        return encode_talk(models, style, face, voice, out, draw, controls)


@dataclass(frozen=True)
class DecodedAudio:
    """The sound of a file, decoded to WAV files.

    Attributes:
        speech: of `AUDIO_RATE`, for the models.
        played: of `_SOUND_RATE`, for the video.
    """

    speech: Path
    played: Path


@contextmanager
def decode_voice(audio: Path, out: Path, controls: Controls = UNCHANGED) -> Iterator[DecodedAudio]:
    """Decode a voice to a temporary folder, before any model is loaded.

    Args:
        audio: any audio or video file with sound.
        out: the video that will be written.
        controls: the voice's start and duration are used.

    Raises:
        NotAVideo: the file has no sound that can be decoded.
        BadFormat: its sound is empty.
        UserError: the file is missing or ends before the start, or the video or the temporary
            folder cannot be written.
    """
    check_voice(audio, out)
    with tempfile.TemporaryDirectory() as folder:
        voice = DecodedAudio(Path(folder) / "16k.wav", Path(folder) / "48k.wav")
        _decode(audio, voice.speech, AUDIO_RATE, controls)
        _decode(audio, voice.played, _SOUND_RATE, controls)
        yield voice


def _decode(audio: Path, wav: Path, rate: int, controls: Controls) -> None:
    try:
        write_wav(wav, trim_audio(sound_of(audio, rate), controls, rate), rate)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        found = f"the temporary folder cannot hold the sound of {audio.name}: {reason}"
        raise UserError(wav.parent, found, "make room, or set TMPDIR to another folder") from None
    if not count_samples(wav):
        if controls.start:
            raise UserError("start", f"{audio.name} ends before {controls.start:g} s")
        raise BadFormat(audio, "expected sound, found 0 samples", "name another file")


def encode_talk(
    models: Models,
    style: str,
    face: MotionPerson,
    voice: DecodedAudio,
    out: Path,
    draw: Draw,
    controls: Controls = UNCHANGED,
) -> int:
    """Write the video of a style speaking; return the number of frames.

    Args:
        models: the motion model is used.
        style: whose motion it is.
        face: whose face it moves.
        voice: the sound.
        out: the video.
        draw: frames of motion in pieces.
        controls: changes to motion, size and rate.
    """
    fps, crf = models.motion.fps, read_section("render", RenderParams).crf
    seed, samples = controls.own_seed(), count_samples(voice.speech)
    frames, rate = frames_of_samples(samples, fps), controls.fps or fps
    count = frames_of_samples(samples, rate)
    with one_thread_each():
        motions = prefetch(predict_motion(models, style, voice.speech, frames, seed), depth=1)
        drawn = draw(
            apply_controls(motions, controls, models.motion.person(style), face, fps, seed)
        )
        images = with_progress(
            resample_video(drawn, controls, fps, count), f"render {out.name}", count
        )
        return stream_video(out, images, rate, WavSound(voice.played), crf)


def count_samples(wav: Path) -> int:
    """Return the number of samples of a file that `write_wav` wrote."""
    return (wav.stat().st_size - _WAV_HEADER) // 2


def draw_identity(
    models: Models,
    identity: str,
    style: str,
    motions: Iterator[Motion],
    isps: Image,
    params: RenderParams,
    neutral: NeutralMotion | None,
    background: Background | None,
    together: Callable[[Iterator[Iterator[Batch]]], Iterator[Image]] = draw_ahead,
) -> Iterator[Image]:
    """Draw an identity that moves as a style does.

    Args:
        models: motion model and generator.
        identity: the face.
        style: whose motion it is.
        motions: pieces in order of time.
        isps: the four ISPs of the style.
        params: section `render`.
        neutral: scales the motion, which the ISPs restyle; None for the motion as it is.
        background: of a head that is pasted into it; None for the square.
        together: draws the batches of pieces.
    """
    generator, restyle = models.generator, neutral is not None
    face, mover = models.motion.person(identity), models.motion.person(style)
    source = generator.default_source(identity)
    # Donors would paint the neutral mouth over the restyled one.
    lend = params.donors and not restyle
    painter = DonorPainter(read_donors(identity) if lend else {}, source)
    scene = generator.scene(source, isps)

    def draw(rows: Driving, plans: Sequence[PartPlan]) -> list[Image]:
        drawn = generator.draw(scene, rows, restyle=restyle)
        return list(
            paste_into_background(
                painter.paint_planned(drawn, rows, plans), background, params.panel
            )
        )

    def pieces() -> Iterator[Iterator[Batch]]:
        for motion in motions:
            if len(motion):
                columns = retarget(motion, mover, face)
                driving = neutral.driving(columns) if neutral else Driving.from_columns(columns)
                yield make_batches(draw, driving, painter.plan(driving), params.batch)

    return together(pieces())


def predict_motion(
    models: Models, style: str, wav: Path, frames: int, seed: int
) -> Iterator[Motion]:
    """Yield the motion of a style speaking a 16 kHz WAV file, in pieces."""
    fps = models.motion.fps
    levels = sound_levels(wav, fps, 0, frames)
    quiet, loud = silent_frames(levels, fps), loudness(levels)
    stream, first = MotionStream(models.motion, style, seed), 0
    for features in compute_features(wav, count_samples(wav), frames, fps):
        count = len(features) // 2
        rows = slice(first, first + count)
        yield stream.push(features, quiet[rows], loud[rows])
        first += count
    yield stream.finish()
