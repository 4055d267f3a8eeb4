"""Motion of a subject: mouth by phones; head, brows, lids, gaze and breath by speech."""

from dataclasses import dataclass

import numpy as np

from stages.sample.canvas import FloatArray, smoothstep
from stages.sample.voice import Phone, Utterance

MOUTH_GAIN = {"calm": 1.0, "lively": 1.6}
HEAD_GAIN = {"calm": 0.6, "lively": 1.0}
BROW_GAIN = {"calm": 0.5, "lively": 1.3}


@dataclass(frozen=True)
class Mouth:
    """The mouth over time, each (N,).

    Args:
        jaw: opening of the jaw; 1 is an open vowel of calm speech.
        spread: lip corners outward, in [0, 1] before the style's gain.
        pucker: lips rounded and brought forward.
        press: lips pressed together; 1 closes them at any opening of the jaw.
        tuck: lower lip under the upper teeth (F, V).
        tongue: tip of the tongue raised (L, TH, N).
    """

    jaw: FloatArray
    spread: FloatArray
    pucker: FloatArray
    press: FloatArray
    tuck: FloatArray
    tongue: FloatArray


# jaw, spread, pucker, tuck, tongue
_TARGETS: dict[str, tuple[float, float, float, float, float]] = {
    "SIL": (0.00, 0.00, 0.00, 0.0, 0.0),
    "AA": (1.00, 0.05, 0.00, 0.0, 0.0), "AE": (0.90, 0.45, 0.00, 0.0, 0.0),
    "AH": (0.60, 0.10, 0.00, 0.0, 0.0), "AO": (0.80, 0.00, 0.55, 0.0, 0.0),
    "EH": (0.65, 0.45, 0.00, 0.0, 0.0), "ER": (0.42, 0.00, 0.45, 0.0, 0.2),
    "IH": (0.40, 0.50, 0.00, 0.0, 0.0), "IY": (0.32, 0.90, 0.00, 0.0, 0.0),
    "UH": (0.38, 0.00, 0.60, 0.0, 0.0), "UW": (0.26, 0.00, 1.00, 0.0, 0.0),
    "OW": (0.62, 0.00, 0.80, 0.0, 0.0),
    "W": (0.16, 0.00, 1.00, 0.0, 0.0), "R": (0.26, 0.00, 0.55, 0.0, 0.2),
    "Y": (0.24, 0.65, 0.00, 0.0, 0.0), "L": (0.38, 0.15, 0.00, 0.0, 1.0),
    "M": (0.10, 0.05, 0.10, 0.0, 0.0), "B": (0.10, 0.05, 0.10, 0.0, 0.0),
    "P": (0.10, 0.05, 0.10, 0.0, 0.0), "F": (0.18, 0.15, 0.00, 1.0, 0.0),
    "V": (0.18, 0.15, 0.00, 1.0, 0.0), "TH": (0.26, 0.15, 0.00, 0.0, 1.0),
    "DH": (0.26, 0.15, 0.00, 0.0, 1.0), "T": (0.22, 0.25, 0.00, 0.0, 0.7),
    "D": (0.24, 0.25, 0.00, 0.0, 0.7), "N": (0.24, 0.25, 0.00, 0.0, 0.8),
    "S": (0.14, 0.45, 0.00, 0.0, 0.0), "Z": (0.14, 0.45, 0.00, 0.0, 0.0),
    "SH": (0.18, 0.00, 0.65, 0.0, 0.0), "ZH": (0.18, 0.00, 0.65, 0.0, 0.0),
    "CH": (0.18, 0.00, 0.60, 0.0, 0.0), "JH": (0.18, 0.00, 0.60, 0.0, 0.0),
    "K": (0.32, 0.20, 0.00, 0.0, 0.0), "G": (0.32, 0.20, 0.00, 0.0, 0.0),
    "NG": (0.32, 0.20, 0.00, 0.0, 0.0), "HH": (0.40, 0.15, 0.00, 0.0, 0.0),
}  # fmt: skip
_GLIDES = {"AY": ("AA", "IH"), "AW": ("AA", "UH"), "EY": ("EH", "IY"), "OW": ("OW", "UW"),
           "OY": ("AO", "IY")}  # fmt: skip
BILABIALS = frozenset("MBP")
_RATE = 200  # instants per second at which curves are computed
_REACH = 0.07  # seconds by which a phone's target influences its neighbours
_SUNG = 1.25
_STRONG = {"F", "V", "W", "S", "Z", "SH", "ZH", "CH", "JH"}  # consonants that dominate vowels


def move_mouth(phones: tuple[Phone, ...], times: FloatArray, gain: float) -> Mouth:
    """Move the mouth by the phones, sampled at `times`.

    Args:
        phones: covering all of `times`.
        times: seconds, (N,).
        gain: the style's amplitude; closures stay complete at any gain.

    Coarticulation: a raised-cosine window of 140 ms over the targets, weighted by each phone's
    dominance (after Cohen and Massaro's dominance functions). Each bilabial closes the lips for a
    plateau of at least 56 ms, so that a frame at 25 a second shows it.
    """
    clock = np.arange(round(phones[-1].end * _RATE) + 1) / _RATE
    targets, weights = _targets(phones, clock)
    kernel = np.hanning(2 * round(_REACH * _RATE) + 1)
    top = np.stack([_convolve(t * weights, kernel) for t in targets])
    jaw, spread, pucker, tuck, tongue = top / _convolve(weights, kernel)
    quiet = _smooth(_rests(phones, clock), 25)
    full = Mouth(
        jaw=gain * jaw * (1 - quiet),
        spread=spread * (0.6 + 0.4 * gain),
        pucker=pucker * (0.7 + 0.3 * gain),
        press=np.maximum(_closures(phones, clock), quiet),
        tuck=tuck,
        tongue=tongue,
    )
    return Mouth(**{name: np.interp(times, clock, curve) for name, curve in vars(full).items()})


def _targets(phones: tuple[Phone, ...], clock: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return targets (5, N) and dominance (N,) of the phone at each instant."""
    targets = np.zeros((5, len(clock)))
    weights = np.ones(len(clock))
    for phone in phones:
        here = (clock >= phone.start) & (clock < phone.end)
        since = (clock[here] - phone.start) / (phone.end - phone.start)
        first, last = (_TARGETS[name] for name in _GLIDES.get(phone.name, (phone.name,) * 2))
        late = np.clip((since - 0.55) / 0.35, 0, 1)
        value = np.outer(first, 1 - late) + np.outer(last, late)
        value[0] *= _SUNG if phone.sung and phone.vowel else 1.15 if phone.stressed else 0.92
        targets[:, here] = value
        weights[here] = 1.0 if phone.vowel else 0.8
        if phone.name in _STRONG:
            weights[here] = 1.6
    return targets, weights


def _closures(phones: tuple[Phone, ...], clock: FloatArray) -> FloatArray:
    """Return the lips' closure, (N,) in [0, 1]: plateaus over the bilabials, ramps of 45 ms."""
    closed = np.zeros(len(clock))
    for phone in phones:
        if phone.name in BILABIALS:
            middle, half = (phone.start + phone.end) / 2, (phone.end - phone.start) / 2
            away = np.abs(clock - middle) - max(half - 0.008, 0.028)
            closed = np.maximum(closed, 0.5 + 0.5 * np.cos(np.pi * np.clip(away / 0.05, 0, 1)))
    return closed


def _rests(phones: tuple[Phone, ...], clock: FloatArray) -> FloatArray:
    """Mark pauses long enough to close the mouth, less 80 ms at each side, (N,) of 0 or 1."""
    rest = np.zeros(len(clock))
    for phone in phones:
        if phone.name == "SIL" and phone.end - phone.start > 0.25:
            rest[(clock >= phone.start + 0.08) & (clock < phone.end - 0.08)] = 1.0
    return rest


def _convolve(values: FloatArray, kernel: FloatArray) -> FloatArray:
    return np.convolve(np.pad(values, len(kernel) // 2, "edge"), kernel, "valid")


def _smooth(values: FloatArray, width: int) -> FloatArray:
    """Average by a Hann window of `width` samples."""
    kernel = np.hanning(width)
    return _convolve(values, kernel / kernel.sum())


@dataclass(frozen=True)
class Motion:
    """All motion of a subject, one row per frame.

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
    """Derive a style's motion from an utterance.

    Args:
        speech: sound and phones.
        style: `calm` or `lively`.
        frames: number of frames.
        fps: frames per second; frame i shows the instant (i + 0.5) / fps.
        seed: of the part that speech does not determine.
    """
    times = np.asarray((np.arange(frames) + 0.5) / fps, np.float64)
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
        mouth=move_mouth(speech.phones, times, MOUTH_GAIN[style]),
        angles=angles,
        shift=shift,
        brow=brow,
        blink=_blinks(speech.phones, times, rng),
        gaze=_gaze(times, rng, angles),
        breath=0.008 * np.sin(2 * np.pi * times / 3.7),
    )


def _energy(speech: Utterance, times: FloatArray) -> FloatArray:
    """Return the share of time with speech, (N,) in [0, 1], smooth over half a second."""
    spoken = np.array([[p.start, p.end] for p in speech.phones if p.name != "SIL"])
    if not len(spoken):
        return np.zeros(len(times))
    clock = np.arange(0, times[-1] + 1, 0.02)
    index = np.searchsorted(spoken[:, 0], clock, side="right") - 1
    active = (index >= 0) & (clock < spoken[index.clip(0), 1])
    return np.interp(times, clock, _smooth(active.astype(float), 35))


def _beats(phones: tuple[Phone, ...], times: FloatArray, width: float) -> FloatArray:
    """Return a bump at each stressed vowel, (N,) in [0, 1]: the head nods with it."""
    beats = np.zeros(len(times))
    for phone in phones:
        if phone.stressed:
            strength = min(1.0, 0.5 + 3.0 * (phone.end - phone.start - 0.08))
            away = (times - phone.start - 0.06) / width
            beats = np.maximum(beats, strength * np.exp(-(away**2)))
    return _smooth(beats, 7)


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
    eased = smoothstep((times[:, None] - np.array(knots) + 0.25) / 0.6)
    changes = np.diff(np.array(values), axis=0, prepend=np.zeros((1, 3)))
    return np.asarray(eased @ changes, np.float64)


def _sway(phones: tuple[Phone, ...], times: FloatArray) -> FloatArray:
    """Sway slowly while singing, (N,) in [-1, 1]."""
    sung = np.array([any(p.sung and p.start <= t < p.end for p in phones) for t in times], float)
    return _smooth(sung, 27) * np.sin(2 * np.pi * times / 2.6)


def _drift(times: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Drift smoothly with deviation about 0.7: five slow waves of random phase, (N,)."""
    rates = np.array([0.07, 0.13, 0.22, 0.34, 0.51]) * rng.uniform(0.85, 1.15, 5)
    sizes = np.array([0.5, 0.6, 0.5, 0.3, 0.18])
    phases = rng.uniform(0, 2 * np.pi, 5)
    return np.asarray(np.sin(2 * np.pi * times[:, None] * rates + phases) @ sizes)


def _blinks(phones: tuple[Phone, ...], times: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Blink about every three seconds, mostly in pauses, (N,): 90 ms down, 40 shut, 140 up."""
    pauses = np.array([p.start + 0.1 for p in phones if p.name == "SIL"] or [0.5])
    shut = np.zeros(len(times))
    at = rng.uniform(0.6, 1.6)
    while at < times[-1]:
        near = pauses[np.abs(pauses - at).argmin()]
        moment = near if abs(near - at) < 0.7 else at
        away = times - moment
        down, up = np.clip((away + 0.11) / 0.09, 0, 1), np.clip((0.16 - away) / 0.14, 0, 1)
        shut = np.maximum(shut, smoothstep(np.minimum(down, up)))
        at = max(at, moment) + rng.uniform(1.9, 4.3)
    return shut


def _gaze(times: FloatArray, rng: np.random.Generator, angles: FloatArray) -> FloatArray:
    """Keep the eyes on the camera while the head turns, with small saccades, (N, 2)."""
    gaze = np.zeros((len(times), 2))
    at, offset = 0.0, np.zeros(2)
    for i, now in enumerate(times):
        if now >= at:
            offset = rng.normal(0, [0.035, 0.015])
            at = now + rng.uniform(0.5, 2.2)
        gaze[i] = offset
    gaze = np.stack([_convolve(g, np.array([0.25, 0.5, 0.25])) for g in gaze.T], axis=1)
    gaze[:, 0] += 0.35 * angles[:, 1]
    gaze[:, 1] -= 0.2 * angles[:, 0]
    return np.clip(gaze, -0.12, 0.12)


def at_rest(frames: int) -> Motion:
    """Return a motion at rest, with touching lips."""
    still = np.zeros(frames)
    pair, triple = np.zeros((frames, 2)), np.zeros((frames, 3))
    lips = Mouth(still, still, still, still, still, still)
    return Motion(lips, triple, triple, pair, still, pair, still)
