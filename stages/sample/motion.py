"""How a subject moves: head, brows, lids, gaze and breath, tied to what is said."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.sample.visemes import Mouth, mouth
from stages.sample.voice import Phone, Utterance

FloatArray = NDArray[np.float64]

MOUTH_GAIN = {"calm": 1.0, "lively": 1.6}
HEAD_GAIN = {"calm": 0.6, "lively": 1.0}
BROW_GAIN = {"calm": 0.5, "lively": 1.3}


@dataclass(frozen=True)
class Motion:
    """Everything that moves, one row a frame.

    Args:
        mouth: jaw and lips.
        angles: pitch, yaw, roll in radians, (N, 3); x to the right, y down, z away.
        shift: the head's translation in face heights, (N, 3).
        brow: raise of each brow (image left, image right), about [0, 1.5], (N, 2).
        blink: 0 open, 1 shut, (N,).
        gaze: iris shift in eye widths, (N, 2).
        breath: rise of the shoulders in face heights, (N,).
    """

    mouth: Mouth
    angles: FloatArray
    shift: FloatArray
    brow: FloatArray
    blink: FloatArray
    gaze: FloatArray
    breath: FloatArray


def move(speech: Utterance, style: str, frames: int, fps: float, seed: int) -> Motion:
    """Let a style's motion follow an utterance.

    Args:
        speech: sound and phones.
        style: `calm` or `lively`.
        frames: how many.
        fps: frames a second; frame i shows the instant (i + 0.5) / fps.
        seed: of the part that speech does not determine.
    """
    times: FloatArray = np.asarray((np.arange(frames) + 0.5) / fps, np.float64)
    rng = np.random.default_rng(seed)
    energy = _energy(speech, times)
    stress = _beats(speech.phones, times, 0.16)
    phrase = _phrases(speech.phones, times, rng)
    sway = _sway(speech.phones, times)
    head = HEAD_GAIN[style]
    drift = np.stack([_drift(times, rng) for _ in range(6)], axis=1)
    alive = 0.45 + 0.55 * energy[:, None]
    degrees = np.stack(
        [
            2.6 * drift[:, 0] + 5.0 * stress - 3.0 * phrase[:, 1] + 1.8 * sway,
            4.5 * drift[:, 1] + 9.0 * phrase[:, 0] + 3.0 * sway,
            2.2 * drift[:, 2] + 3.0 * phrase[:, 2] + 3.2 * sway,
        ],
        axis=1,
    )
    limits = np.array([7.0, 10.0, 5.0])
    angles = np.deg2rad(head * limits * np.tanh(degrees * alive / limits))
    shift = 0.025 * head * drift[:, 3:] * alive
    shift[:, 1] += 0.02 * head * stress
    shift[:, 0] += 0.03 * head * phrase[:, 0] * alive[:, 0]
    raised = 0.55 * stress + 0.5 * np.clip(phrase[:, 1], 0, 1) + 0.25 * drift[:, 5] ** 2
    brow = BROW_GAIN[style] * np.clip(raised, 0, 1.2)[:, None] * [1.0, 0.92]
    return Motion(
        mouth=mouth(speech.phones, times, MOUTH_GAIN[style]),
        angles=angles,
        shift=shift,
        brow=brow,
        blink=_blinks(speech.phones, times, rng),
        gaze=_gaze(times, rng, angles),
        breath=0.008 * np.sin(2 * np.pi * times / 3.7),
    )


def _energy(speech: Utterance, times: FloatArray) -> FloatArray:
    """Return how much is being said, (N,) in [0, 1], smooth over half a second."""
    said = np.array([[p.start, p.end] for p in speech.phones if p.name != "SIL"])
    if not len(said):
        return np.zeros(len(times))
    clock = np.arange(0, times[-1] + 1, 0.02)
    index = np.searchsorted(said[:, 0], clock, side="right") - 1
    active = (index >= 0) & (clock < said[index.clip(0), 1])
    kernel = np.hanning(35)
    smooth = np.convolve(np.pad(active.astype(float), 17, "edge"), kernel / kernel.sum(), "valid")
    return np.interp(times, clock, smooth)


def _beats(phones: tuple[Phone, ...], times: FloatArray, width: float) -> FloatArray:
    """Return a bump at each stressed vowel, (N,) in [0, 1]: the head nods with it."""
    beats = np.zeros(len(times))
    for phone in phones:
        if phone.stressed:
            strength = min(1.0, 0.5 + 3.0 * (phone.end - phone.start - 0.08))
            away = (times - phone.start - 0.06) / width
            beats = np.maximum(beats, strength * np.exp(-(away**2)))
    kernel = np.hanning(7)
    return np.convolve(np.pad(beats, 3, "edge"), kernel / kernel.sum(), "valid")


def _phrases(phones: tuple[Phone, ...], times: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Turn to a new pose with each phrase: yaw, lift and roll, (N, 3), about [-1, 1]."""
    starts = [p.end for p in phones if p.name == "SIL" and p.end - p.start > 0.12]
    side, values = 1.0, [[0.0, 0.0, 0.0]]
    knots = [0.0]
    for start in starts:
        if start - knots[-1] < 0.8:
            continue
        side = -side
        yaw = side * rng.uniform(0.35, 1.0)
        values.append([yaw, rng.uniform(-0.3, 1.0), -0.7 * yaw + rng.uniform(-0.4, 0.4)])
        knots.append(start)
    steps = np.clip((times[:, None] - np.array(knots) + 0.25) / 0.6, 0, 1)
    eased: FloatArray = steps * steps * (3 - 2 * steps)
    changes = np.diff(np.array(values), axis=0, prepend=np.zeros((1, 3)))
    return np.asarray(eased @ changes, np.float64)


def _sway(phones: tuple[Phone, ...], times: FloatArray) -> FloatArray:
    """Sway slowly while singing, (N,) in [-1, 1]."""
    sung = np.array([any(p.sung and p.start <= t < p.end for p in phones) for t in times], float)
    kernel = np.hanning(27)
    amount = np.convolve(np.pad(sung, 13, "edge"), kernel / kernel.sum(), "valid")
    return amount * np.sin(2 * np.pi * times / 2.6)


def _drift(times: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Wander smoothly with deviation about 0.7: five slow waves of random phase, (N,)."""
    rates = np.array([0.07, 0.13, 0.22, 0.34, 0.51]) * rng.uniform(0.85, 1.15, 5)
    sizes = np.array([0.5, 0.6, 0.5, 0.3, 0.18])
    phases = rng.uniform(0, 2 * np.pi, 5)
    waves: FloatArray = np.sin(2 * np.pi * times[:, None] * rates + phases) @ sizes
    return waves


def _blinks(phones: tuple[Phone, ...], times: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Blink about every three seconds, drawn to pauses, (N,): 90 ms down, 40 shut, 140 up."""
    pauses = np.array([p.start + 0.1 for p in phones if p.name == "SIL"] or [0.5])
    shut = np.zeros(len(times))
    at = rng.uniform(0.6, 1.6)
    while at < times[-1]:
        near = pauses[np.abs(pauses - at).argmin()]
        moment = near if abs(near - at) < 0.7 else at
        away = times - moment
        down, up = np.clip((away + 0.11) / 0.09, 0, 1), np.clip((0.16 - away) / 0.14, 0, 1)
        curve = np.minimum(down, up)
        shut = np.maximum(shut, curve * curve * (3 - 2 * curve))
        at = max(at, moment) + rng.uniform(1.9, 4.3)
    return shut


def _gaze(times: FloatArray, rng: np.random.Generator, angles: FloatArray) -> FloatArray:
    """Hold the camera in view while the head turns, with small saccades, (N, 2)."""
    gaze = np.zeros((len(times), 2))
    at, offset = 0.0, np.zeros(2)
    for i, now in enumerate(times):
        if now >= at:
            offset = rng.normal(0, [0.035, 0.015])
            at = now + rng.uniform(0.5, 2.2)
        gaze[i] = offset
    kernel = np.array([0.25, 0.5, 0.25])
    gaze = np.stack([np.convolve(np.pad(g, 1, "edge"), kernel, "valid") for g in gaze.T], axis=1)
    gaze[:, 0] += 0.35 * angles[:, 1]
    gaze[:, 1] -= 0.2 * angles[:, 0]
    return np.clip(gaze, -0.12, 0.12)


def at_rest(frames: int) -> Motion:
    """Return a motion in which nothing moves and the lips touch."""
    still = np.zeros(frames)
    names = ("jaw", "spread", "pucker", "press", "tuck", "tongue")
    pair, triple = np.zeros((frames, 2)), np.zeros((frames, 3))
    lips = Mouth(**dict.fromkeys(names, still))
    return Motion(lips, triple, triple, pair, still, pair, still)
