"""The sound of a whole sample video and the phones in it, fitted to its length."""

import numpy as np

from stages.sample.script import SCRIPTS, Line
from stages.sample.singing import sing
from stages.sample.voice import RATE, SILENCE, Phone, Utterance, say

PITCH = {"a": 1.2, "b": 1.0}
PACE = {"calm": 1.1, "lively": 1.0}
_LEAD = 0.35
_GAP = 0.3
_FLOOR = 4e-4


def speak(identity: str, style: str, seconds: float, start: int = 0) -> Utterance:
    """Speak and sing an identity's script in a style, `seconds` long.

    Args:
        identity: `a` or `b`; whose script and voice.
        style: `calm` or `lively`; calm speaks slower.
        seconds: length of the result, exact to a sample.
        start: the line to begin with; lines before it come last.

    A line that does not fit is left out; where none fits, the first is cut. Pauses share what
    time is left.
    """
    script = SCRIPTS[identity][start:] + SCRIPTS[identity][:start]
    lines: list[Utterance] = []
    used = _LEAD
    for number, line in enumerate(script):
        uttered = _utter(line, identity, style, seed=number)
        if used + uttered.seconds + _GAP <= seconds or not lines:
            lines.append(uttered)
            used += uttered.seconds + _GAP
        if used > seconds - 1.5:
            break
    return _joined(lines, seconds, max(seconds - used, 0.0))


def _utter(line: Line, identity: str, style: str, seed: int) -> Utterance:
    spoken = say(line.text, PACE[style], PITCH[identity])
    return sing(spoken, line.notes, seed) if line.notes else spoken


def _joined(lines: list[Utterance], seconds: float, spare: float) -> Utterance:
    """Lay lines one after the other; pauses of unequal length share the spare seconds."""
    rng = np.random.default_rng(len(lines))
    shares = rng.uniform(0.6, 1.4, len(lines))
    gaps = _GAP + spare * shares / shares.sum()
    total = round(seconds * RATE)
    sound = rng.standard_normal(total) * _FLOOR
    phones: list[Phone] = []
    clock = _LEAD
    for line, gap in zip(lines, gaps, strict=True):
        first = round(clock * RATE)
        part = line.sound[: total - first]
        sound[first : first + len(part)] += part
        phones += [phone.moved(first / RATE) for phone in line.phones]
        clock += line.seconds + float(gap)
    fade = min(round(0.03 * RATE), total)
    sound[-fade:] *= np.linspace(1, 0, fade)
    return Utterance(np.clip(sound, -1, 1), tuple(_covering(phones, total / RATE)))


def _covering(phones: list[Phone], seconds: float) -> list[Phone]:
    """Fill gaps with silence, join neighbouring silences and cut at the end."""
    result: list[Phone] = []
    clock = 0.0
    for phone in [*phones, Phone(SILENCE, seconds, seconds)]:
        if phone.start > clock + 1e-9:
            result.append(Phone(SILENCE, clock, phone.start))
        result.append(phone)
        clock = max(clock, phone.end)
    joined: list[Phone] = []
    for phone in result:
        end = min(phone.end, seconds)
        if end <= phone.start:
            continue
        if joined and joined[-1].name == phone.name == SILENCE:
            joined[-1] = Phone(SILENCE, joined[-1].start, end)
        else:
            joined.append(Phone(phone.name, phone.start, end, phone.stressed, phone.sung))
    return joined
