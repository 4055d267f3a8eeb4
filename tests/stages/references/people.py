"""Synthetic people with known curves and therefore known references."""

from pathlib import Path

import numpy as np

from stages.base.arrays import Floats
from stages.clips.ledger import Clip
from stages.references.params import GroupWeights, ReferenceParams
from stages.references.person import PersonCurves, quantile_normalise

FPS = 25.0


def person_of(amplitude: Floats, *lengths: int) -> PersonCurves:
    """Build a person from raw descriptors, (N, 12), cut into clips of the given lengths."""
    lengths = lengths or (len(amplitude),)
    clips = tuple(
        Clip(f"{i}-001", n, FPS, 256, (0, n), (0, 0), Path()) for i, n in enumerate(lengths)
    )
    return PersonCurves(
        clips=clips,
        clip=np.repeat(np.arange(len(lengths)), lengths),
        frame=np.concatenate([np.arange(n) for n in lengths]),
        amplitude=amplitude,
        normal=quantile_normalise(amplitude),
        lids=np.full(len(amplitude), 0.3),
        sharpness=np.full(len(amplitude), 100.0),
        box=np.tile([60.0, 60.0, 100.0, 120.0], (len(amplitude), 1)),
    )


def smooth_motion(frames: int, seed: int) -> Floats:
    """Draw raw descriptors that move as slowly as a face does, (frames, 12)."""
    noise = np.random.default_rng(seed).normal(size=(frames + 8, 12))
    kernel = np.hanning(9) / np.hanning(9).sum()
    return np.stack([np.convolve(column, kernel, "valid") for column in noise.T], axis=1)


PARAMS = ReferenceParams(
    candidates=4,
    window_s=0.24,
    mean_s=4.0,
    apart_s=0.4,
    weights=GroupWeights(mouth=1.0, eyes=0.15, head=0.15),
    blur=0.5,
    blink=0.7,
)
