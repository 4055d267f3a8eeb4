"""Give a person's own video a new voice: its mouth and jaw speak, all else stays the video's.

    render_onto(Path("anna.mp4"), Path("voice.wav"), Path("talk.mp4"))

Pose, eyes and body are the video's own landmarks; the voice moves lips and jaw in the head's frame.
The drawn square is pasted back through the clip's crop window at the video's size and rate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.runtime.prefetch import prefetch
from pipeline.runtime.progress import with_progress
from pipeline.runtime.user_errors import MissingInput, UserError
from stages.base.arrays import AnyFloats, Floats
from stages.base.config.params import read_section
from stages.base.io.image_io import Image
from stages.base.io.timebase import AUDIO_RATE, frames_of_samples, to_frames
from stages.base.io.video_frames import VideoFacts, read_facts, read_frames, resample_frames
from stages.base.io.video_stream import WavSound, stream_video
from stages.donors.library import read_donors
from stages.donors.painter import DonorPainter
from stages.generator.drawing import Generator
from stages.generator.driving import Driving
from stages.generator.isps import read_isps
from stages.generator.source_images import Source, colour_histogram, nearest_scene
from stages.motion.predict import retarget
from stages.render.any_audio import count_samples, decode_voice, predict_motion
from stages.render.controls import UNCHANGED, Controls, apply_controls
from stages.render.parallel_drawing import one_thread_each
from stages.render.params import RenderParams
from stages.render.paste import paste
from stages.render.trained_models import Models, load_models
from stages.render.video_shots import UsableClip, read_usable_clips

_CONTROLS = {"mouth", "seed", "start", "duration"}


def render_onto(
    video: Path,
    audio: Path,
    out: Path,
    style: str | None = None,
    *,
    controls: Controls = UNCHANGED,
) -> int:
    """Render a video of a trained person speaking another voice; return the number of frames.

    Args:
        video: a video of the project, recognised by its bytes; it is not changed.
        audio: any audio or video file with sound.
        out: the video to write, as large and fast as the video, as long as the shorter of both.
        style: who lends the mouth's style; default: the person.
        controls: mouth, seed, and the voice's start and duration.

    Raises:
        UserError: a control is not of the mouth or the voice, the video is of nobody of the
            project, or another input is missing or wrong.
        NotTrained: the person is unseen, or the style is not of this project.
    """
    if others := sorted(set(controls.changed()) - _CONTROLS):
        found = "does not fit a video of one's own, which keeps its head, eyes, size and rate"
        raise UserError(others[0], found, f"leave it out: {', '.join(sorted(_CONTROLS))} fit")
    with decode_voice(audio, out, controls) as voice:
        if not video.is_file():
            raise MissingInput(video, "no such file")
        if out.exists() and out.samefile(video):
            raise UserError(out, "is the video itself, which must not change", "name another file")
        facts = read_facts(video)
        if facts.width % 2 or facts.height % 2:
            raise UserError(video, f"H.264 needs even sizes, found {facts.width}×{facts.height}")
        identity, shots = read_usable_clips(video)
        params = read_section("render", RenderParams)
        models = load_models((identity,), params.drawn_size, style)
        lasts = facts.duration or float(shots[-1].row.end)  # browsers record without a duration
        seconds = min(count_samples(voice.speech) / AUDIO_RATE, lasts)
        count = to_frames(seconds, facts.fps, least=1)
        drawer = ShotDrawer(models, identity, style or identity, params)
        with one_thread_each():
            heads = speaking_heads(models, identity, style or identity, voice.speech, controls)
            images = prefetch(revoice(video, facts, count, shots, heads, drawer))
            counted = with_progress(images, f"render {out.name}", count)
            return stream_video(out, counted, facts.fps, WavSound(voice.played), params.crf)


def speaking_heads(
    models: Models, identity: str, style: str, speech: Path, controls: Controls = UNCHANGED
) -> Floats:
    """Return the identity's head while it speaks, (N, 68, 3), at the motion's frame rate.

    Args:
        models: the motion model is used.
        identity: whose head it is.
        style: whose motion it is.
        speech: a 16 kHz WAV file.
        controls: mouth and seed are used.
    """
    mover, face = models.motion.person(style), models.motion.person(identity)
    seed, fps = controls.own_seed(), models.motion.fps
    frames = frames_of_samples(count_samples(speech), fps)
    motions = predict_motion(models, style, speech, frames, seed)
    pieces = apply_controls(motions, controls, mover, face, fps, seed)
    return np.concatenate([retarget(m, mover, face)["head"] for m in pieces if len(m)])


@dataclass(frozen=True)
class ShotDrawer:
    """Draws the square windows of shots.

    Args:
        models: trained on the identity.
        identity: whose video it is.
        style: whose ISPs are drawn with.
        params: section `render`.
    """

    models: Models
    identity: str
    style: str
    params: RenderParams

    @property
    def fps(self) -> float:
        """Frames per second of the motion."""
        return self.models.motion.fps

    def source(self, first: Image, shot: UsableClip) -> Source:
        """Choose the source image of the scene that a shot shows in its first picture."""
        generator: Generator = self.models.generator
        colours = colour_histogram([shot.window.cut(first, int(shot.row.size))])
        sources = generator.sources[self.identity]
        scene = nearest_scene(colours, [source.colours for source in sources])
        return sources[scene or 0]

    def painter(self, source: Source) -> DonorPainter:
        """Return a painter that fills the mouths of a shot from donor frames."""
        return DonorPainter(read_donors(self.identity) if self.params.donors else {}, source)

    def draw(self, source: Source, painter: DonorPainter, driving: Driving) -> Iterator[Image]:
        """Yield the frames of driving rows, px of the source."""
        isps = read_isps(self.style).chosen_images()
        drawn = self.models.generator.frames(source, driving, isps, self.params.batch)
        return painter.paint(drawn, driving)


def revoice(
    video: Path,
    facts: VideoFacts,
    count: int,
    shots: Sequence[UsableClip],
    heads: AnyFloats,
    drawer: ShotDrawer,
    start: float = 0.0,
) -> Iterator[Image]:
    """Yield the video's pictures, (H, W, 3), with mouths that speak, from `start` on, in seconds.

    A picture outside of all shots, or without a face, is returned as it is.
    """
    pictures = read_frames(video, start, size=(facts.height, facts.width))
    resampled = (image for _, image in resample_frames(pictures, facts.fps, start, count))
    current: _Voiced | None = None
    waiting: list[tuple[Image, float]] = []
    for index, picture in enumerate(resampled):
        time = start + index / facts.fps
        shot = next((s for s in shots if s.row.start <= time + 1e-6 < s.row.end), None)
        if current is not None and (shot is not current.shot or len(waiting) >= current.batch):
            yield from current.pictures(waiting)
            waiting = []
        if shot is None:
            current = None
            yield picture
            continue
        if current is None or current.shot is not shot:
            current = _Voiced(shot, heads, drawer, picture, start)
        waiting.append((picture, time))
    if current is not None:
        yield from current.pictures(waiting)


class _Voiced:
    """A shot whose pictures are drawn in batches."""

    def __init__(
        self, shot: UsableClip, heads: AnyFloats, drawer: ShotDrawer, first: Image, start: float
    ) -> None:
        self.shot, self.drawer, self.batch = shot, drawer, drawer.params.batch
        self.source = drawer.source(first, shot)
        self.painter = drawer.painter(self.source)
        spoken = _at(heads, (shot.times - start) * drawer.fps)
        self.before, self.after = shot.own(), shot.voiced(spoken)
        self.strength = shot.strength()

    def pictures(self, waiting: Sequence[tuple[Image, float]]) -> Iterator[Image]:
        """Yield (picture, time) pairs of the shot with the drawn mouths."""
        if not waiting:
            return
        row, size = self.shot.row, float(self.shot.row.size)
        places = np.array([(time - row.start) * row.fps for _, time in waiting])
        strength = _at(self.strength[:, None], places)[:, 0]
        before, after = (_driving_at(d, places) for d in (self.before, self.after))
        there = np.isfinite(after.points).all((1, 2)) & (strength > 0)
        rows = Driving(after.points[there], after.irises[there], after.shoulders[there])
        scaled = rows.scaled(self.source.stored / size)
        drawn = self.drawer.draw(self.source, self.painter, scaled)
        for i, (picture, _) in enumerate(waiting):
            if not there[i]:
                yield picture
                continue
            old, new = before.points[i] / size, after.points[i] / size
            yield paste(picture, next(drawn), self.shot.window, old, new, float(strength[i]))


def _at(rows: AnyFloats, places: Floats) -> Floats:
    """Interpolate rows, (N, …), at fractional indices, (K,); the ends are repeated."""
    places = np.clip(places, 0, len(rows) - 1)
    low = np.floor(places + 1e-6).astype(int)
    high, share = np.minimum(low + 1, len(rows) - 1), np.maximum(places - low, 0)
    share[share < 1e-4] = 0
    share = share.reshape(-1, *[1] * (rows.ndim - 1))
    between = rows[low] + share * (rows[high] - rows[low])
    return np.asarray(np.where(share == 0, rows[low], between))


def _driving_at(driving: Driving, places: Floats) -> Driving:
    parts = (driving.points, driving.irises, driving.shoulders)
    return Driving(*(_at(part, places).astype(np.float32) for part in parts))
