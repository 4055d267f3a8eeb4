"""Render an identity speaking a WAV file while another program still writes it.

    render_followed("sample_calm", "sample_calm", Path("growing.wav"), Path("talk.mp4"))

The video grows as the sound does: a fragmented MP4, a fragment a frame, which can be played while
it is written. A frame follows its sound by the look-ahead of the networks, 0.37 s, and 0.3 s of
hops and drawing.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.runtime.prefetch import prefetch
from pipeline.runtime.user_errors import UserError
from stages.base.arrays import Floats
from stages.base.config.params import read_section
from stages.base.io.image_io import Image
from stages.base.io.video_stream import stream_video
from stages.generator.isps import read_isps
from stages.motion.predict import Motion, MotionStream
from stages.motion.streaming import Smoother
from stages.render.any_audio import draw_identity
from stages.render.controls import Controls, apply_controls
from stages.render.growing_wav import GrowingWav
from stages.render.live_features import HOP, LiveFeatures, follow
from stages.render.parallel_drawing import draw_piecewise, one_thread_each
from stages.render.params import RenderParams
from stages.render.sound_stream import trained_representation
from stages.render.trained_models import Models, load_models
from stages.render.voice_file import check_voice

_BATCH = 2  # frames that a thread draws together, so that a hop is drawn by two
_REACH = 3  # frames before and after one that smooth its pose: 6 when the whole sound is there
_CONTROLS = {"mouth", "head", "blinks", "gaze", "seed"}


def render_followed(identity: str, style: str, audio: Path, out: Path, controls: Controls) -> int:
    """Render a sound as it grows, until it has not grown for a second; return the frames.

    Args:
        identity: the face, a trained subject.
        style: who lends the style.
        audio: a WAV file of 16-bit PCM; it may be empty at first.
        out: the video to write, ending in .mp4; it is not written elsewhere first.
        controls: mouth, head, blinks, gaze and seed are used.

    Raises:
        NotTrained: the identity or the style is not of this project.
        UserError: another input is missing or wrong.
    """
    if unused := sorted(set(controls.changed()) - _CONTROLS):
        raise UserError("render", f"expected no --{unused[0]} with --follow")
    check_voice(audio, out)
    wav = GrowingWav(audio)
    params = read_section("render", RenderParams).model_copy(update={"batch": _BATCH})
    models = load_models((identity,), params.drawn_size, style)
    fps, seed = models.motion.fps, controls.own_seed()
    mover, face = models.motion.person(style), models.motion.person(identity)
    isps = read_isps(style).chosen_images()

    def drawn(motions: Iterator[Motion]) -> Iterator[Image]:
        changed = apply_controls(motions, controls, mover, face, fps, seed)
        return draw_identity(
            models, identity, style, changed, isps, params, None, None, draw_piecewise
        )

    with one_thread_each():
        for _ in drawn(_warm_up(models, style, seed)):
            pass
        print(f"ready: follows {audio}", file=sys.stderr, flush=True)
        wav.open()
        motions = prefetch(live_motion(models, style, wav, seed), depth=1)
        pictures = (image for image in drawn(motions))
        return stream_video(out, pictures, fps, wav, params.crf, live=True)


def live_motion(models: Models, style: str, wav: GrowingWav, seed: int) -> Iterator[Motion]:
    """Yield the motion of a style speaking a growing sound, hop by hop."""
    stream = _live_stream(models, style, seed)
    features = LiveFeatures(trained_representation(models.motion.fps), models.motion.fps)
    for hop in follow(wav, features):
        yield stream.push(*hop)
    yield stream.finish()


def _live_stream(models: Models, style: str, seed: int) -> MotionStream:
    """Return a stream whose poses wait for fewer frames."""
    stream = MotionStream(models.motion, style, seed)
    _shorten(stream.pose.smoother, _REACH)
    stream.nods.slow = _Past(stream.nods.slow)
    stream.loudness.smoother = _Past(stream.loudness.smoother)
    return stream


class _Past(Smoother):
    """A smoother that returns as many rows as it gets: the past half of another one's kernel."""

    def __init__(self, whole: Smoother) -> None:
        super().__init__(0.0)
        self.reach, kernel = whole.reach, whole.kernel[: whole.reach + 1]
        self.kernel = kernel / kernel.sum()

    def finish(self) -> Floats:
        """Return no rows: none wait."""
        return np.zeros((0, self.pending.shape[1]))


def _shorten(smoother: Smoother, reach: int) -> None:
    cut = max(0, smoother.reach - reach)
    kernel = smoother.kernel[cut : len(smoother.kernel) - cut]
    smoother.reach, smoother.kernel = smoother.reach - cut, kernel / kernel.sum()


def _warm_up(models: Models, style: str, seed: int) -> Iterator[Motion]:
    """Yield motion of silence: what the first use of a library costs is spent before the sound."""
    stream, fps = _live_stream(models, style, seed), models.motion.fps
    features = LiveFeatures(trained_representation(fps), fps)
    features.push(np.zeros(features.needed(HOP), np.int16))
    hop = features.hop(0, HOP)
    for _ in range(8):
        yield stream.push(*hop)
    yield stream.finish()
