"""Held-out frames drawn from neutral motion, whose style must come from the ISPs (flag 1).

Neutral motion is the subject's true one, scaled to the population's amplitude. Rows: the truth; the
generator on true landmarks, and on neutral ones without the flag; and restyled frames with the
subject's own ISPs, another's, and none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from stages.base.arrays import AnyFloats, Floats
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import eye_opening, mouth_opening
from stages.base.io.image_io import Image
from stages.evaluation import metrics
from stages.evaluation.held_out_frames import FrameRef, evenly_spaced
from stages.evaluation.reconstruction import Reconstruction
from stages.evaluation.redetection import detect_faces, join_detections
from stages.generator.drawing import Generator
from stages.generator.driving import join
from stages.generator.footage import Footage, read_footage
from stages.generator.isps import read_isps
from stages.generator.source_images import held_out_sources

FRAMES = 40  # a subject at most, evenly spread: every row is drawn and detected again
_RESAMPLES = 1000
_NAN = float("nan")


@dataclass(frozen=True)
class RestyledScores:
    """One row: pictures against the truth, and how far mouth and eyes move.

    Attributes:
        psnr_face: PSNR of the face crop, dB.
        change: mean over frames of its difference to the generator's, dB.
        change_low: lower end of the 95 % interval of `change`, frames resampled.
        change_high: its upper end.
        mouth_amplitude: standard deviation of the detected opening, over that of the truth.
        eyes_amplitude: the same of the eyes.
        moved: the mouth's amplitude over that of `neutral`, −1; 0 where the ISPs add nothing.
        style_reached: change of the mouth's amplitude from that with the own ISPs, over the change
            that the amplitudes of both people ask for; 1 is all of it.
        reached_low: lower end of the 95 % interval of `style_reached`, frames resampled.
        reached_high: its upper end.
        frames: frames with a detected face.
    """

    psnr_face: float
    change: float
    change_low: float
    change_high: float
    mouth_amplitude: float
    eyes_amplitude: float
    moved: float
    style_reached: float
    reached_low: float
    reached_high: float
    frames: int


def score(
    subject: Subject, drawn: Reconstruction, generator: Generator, others: Sequence[str]
) -> dict[str, RestyledScores]:
    """Score restyled frames of a subject beside the truth and the generator.

    Args:
        subject: the subject.
        drawn: its held-out frames.
        generator: the trained generator.
        others: the other seen subjects; the first one's ISPs are lent.

    Returns:
        Scores by row; none where the generator was trained without restyled frames.
    """
    if not generator.restyles:
        return {}
    chosen = evenly_spaced(len(drawn.frames), FRAMES)
    frames = [drawn.frames[i] for i in chosen]
    network = drawn.methods.get("donors_off", drawn.methods["generator"])
    rows = {"truth": drawn.truth[chosen], "generator": network[chosen]}
    rows |= _draw_restyled(subject, frames, generator, others)
    own = generator.amplitudes[subject.name].mouth
    asked = generator.amplitudes[others[0]].mouth / own - 1 if others else 0.0
    return compare_rows(rows, drawn.points[chosen], [f.clip.id for f in frames], asked)


def _draw_restyled(
    subject: Subject, frames: Sequence[FrameRef], generator: Generator, others: Sequence[str]
) -> dict[str, Image]:
    """Draw frames from neutral motion with ISPs of everyone in question, by the row's name."""
    name, size = subject.name, generator.size
    (footage,) = read_footage([subject], size, held_out=True)
    sources = held_out_sources(subject, generator.sources[name], size)
    gains = generator.amplitudes[name].gains(generator.population)
    own = read_isps(name).chosen_images()
    lent = {"own": own, "zeroed": np.zeros_like(own)}
    if others:
        lent["other"] = read_isps(others[0]).chosen_images()
    motion = []
    for clip, of_clip in groupby(frames, lambda frame: frame.clip.id):
        neutral = join([footage.neutral(_row(footage, frame), gains) for frame in of_clip])
        motion.append((sources[clip], neutral.scaled(sources[clip].stored / size)))

    def images(isps: Image, *, restyle: bool) -> Image:
        drawn = (generator.frames(s, driving, isps, restyle=restyle) for s, driving in motion)
        return np.stack([image for clip in drawn for image in clip])

    restyled = {f"restyled_{who}": images(isps, restyle=True) for who, isps in lent.items()}
    return {"neutral": images(own, restyle=False)} | restyled


def _row(footage: Footage, frame: FrameRef) -> int:
    number = [clip.id for clip in footage.clips].index(frame.clip.id)
    (rows,) = np.nonzero((footage.clip == number) & (footage.frame == frame.frame))
    return int(rows[0])


def compare_rows(
    rows: Mapping[str, Image], points: AnyFloats, clips: Sequence[str], asked: float
) -> dict[str, RestyledScores]:
    """Compare rows of pictures with the rows `truth`, `generator` and `neutral`.

    Args:
        rows: pictures by name, (N, H, W, 3) each, clip by clip.
        points: true landmarks, (N, 68, 2), px.
        clips: the clip of each frame.
        asked: relative change of the mouth's amplitude from the own ISPs to the other's.
    """
    size = rows["truth"].shape[1]
    boxes = [metrics.face_box(p, size) for p in points]
    openings = {name: _openings(images, clips) for name, images in rows.items()}
    amplitudes = {name: _amplitudes(opened) for name, opened in openings.items()}
    generator = _psnr(rows["truth"], rows["generator"], boxes)
    scores = {}
    for name, images in rows.items():
        mouth, eyes = (_ratio(*p) for p in zip(amplitudes[name], amplitudes["truth"], strict=True))
        reached = (_NAN, _NAN, _NAN)
        if name == "restyled_other":
            reached = _reached(openings[name][0], openings["restyled_own"][0], asked)
        psnr = _psnr(rows["truth"], images, boxes)
        change = (_NAN, _NAN, _NAN) if name == "truth" else _mean_interval(psnr - generator)
        scores[name] = RestyledScores(
            float(np.mean(psnr)),
            *change,
            mouth,
            eyes,
            _ratio(amplitudes[name][0], amplitudes["neutral"][0]) - 1,
            *reached,
            int(np.isfinite(openings[name]).all(axis=0).sum()),
        )
    return scores


def _openings(images: Image, clips: Sequence[str]) -> Floats:
    """Detect the openings of mouth and eyes, (2, N), px; NaN without a face."""
    parts = []
    for _, part in groupby(zip(images, clips, strict=True), lambda pair: pair[1]):
        parts.append(detect_faces(image for image, _ in part))
    points = join_detections(parts).points
    return np.stack([mouth_opening(points), eye_opening(points).mean(axis=-1)])


def _amplitudes(openings: Floats) -> tuple[float, float]:
    """Return the standard deviations of openings (2, N) over frames with a face."""
    known = openings[:, np.isfinite(openings).all(axis=0)]
    mouth, eyes = known.std(axis=1) if known.size else (_NAN, _NAN)
    return float(mouth), float(eyes)


def _reached(other: Floats, own: Floats, asked: float) -> tuple[float, float, float]:
    """Return the share of `asked` that openings, (N,), reach from `own`, and its 95 % interval."""
    known = np.isfinite(other) & np.isfinite(own)
    if not known.any() or not asked:
        return (_NAN, _NAN, _NAN)
    pairs = np.stack([other[known], own[known]])
    rng = np.random.default_rng(0)
    sampled = pairs[:, rng.integers(pairs.shape[1], size=(_RESAMPLES, pairs.shape[1]))]
    shares = [(a / b - 1) / asked if b > 1e-6 else _NAN for a, b in sampled.std(axis=2).T]
    low, high = np.nanquantile(shares, (0.025, 0.975))
    wide, narrow = pairs.std(axis=1)
    return _ratio(wide / narrow - 1, asked) if narrow else _NAN, float(low), float(high)


def _psnr(truth: Image, images: Image, boxes: Sequence[metrics.Box]) -> Floats:
    pairs = zip(truth, images, boxes, strict=True)
    return np.array([metrics.psnr(metrics.crop(t, b), metrics.crop(i, b)) for t, i, b in pairs])


def _mean_interval(values: Floats) -> tuple[float, float, float]:
    """Return the mean of paired differences, (N,), and its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (_RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(values.mean()), float(low), float(high)


def _ratio(value: float, other: float) -> float:
    return float(value / other) if other else _NAN
