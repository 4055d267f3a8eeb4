"""The sample subjects' script, spoken and sung, and the sound of a whole video."""

from dataclasses import dataclass, replace

import numpy as np

from stages.sample.voice import RATE, SILENCE, Notes, Phone, Utterance, sing, synthesize

PITCH = {"a": 1.2, "b": 1.0}
PACE = {"calm": 1.1, "lively": 1.0}
_LEAD = 0.35  # seconds before the first line
_GAP = 0.3  # least pause, seconds
_FLOOR = 4e-4  # RMS of the noise under all


@dataclass(frozen=True)
class Line:
    """One line of a script: English words, and the notes of a sung line, one per vowel."""

    text: str
    notes: Notes = ()


SCRIPTS: dict[str, tuple[Line, ...]] = {
    "a": (
        Line("My name is Mabel, and I live above a small bakery by the harbor."),
        Line("Every morning, before the buses come, I open both windows."),
        Line("The whole room smells of warm bread and apples."),
        Line(
            "Oh moon, above the sea, so far away from me.",
            (
                (57, 0.9), (60, 0.95), (62, 0.4), (64, 0.6), (62, 0.35), (60, 1.0),
                (57, 0.55), (64, 0.75), (62, 0.4), (60, 0.7), (59, 0.4), (57, 1.1),
            ),
        ),
        Line("People ask me why I never moved to a bigger place."),
        Line("I tell them I would miss the boats, the bells, and the old piano."),
        Line("On Fridays we play music until the lamps go out."),
        Line("Maybe you could come by, and bring a few of your friends."),
        Line("So far away from me.",
             ((57, 0.5), (64, 0.7), (62, 0.35), (60, 0.6), (59, 0.35), (57, 0.9))),
    ),
    "b": (
        Line("Believe me, nobody expected the program to work on the first day."),
        Line("We built a huge blue machine, and it moved about an inch!"),
        Line("Then my boss came up and pushed the wrong button."),
        Line(
            "Row me home, over the foam, we all go home to you.",
            (
                (45, 0.8), (48, 0.4), (50, 1.0), (52, 0.5), (50, 0.35), (48, 0.35), (47, 0.9),
                (45, 0.45), (52, 0.6), (53, 0.6), (52, 0.8), (48, 0.4), (45, 1.1),
            ),
        ),
        Line("The whole shop began to shake, and papers flew above our heads."),
        Line("Oh boy, what a marvelous mess we made of that room!"),
        Line("But look, the lamp by the map still works, so why worry?"),
        Line("Every problem has a funny part, if you wait for it."),
        Line("We all go home to you.",
             ((45, 0.45), (52, 0.55), (53, 0.55), (52, 0.7), (48, 0.35), (45, 0.95))),
    ),
}  # fmt: skip


def speak(identity: str, style: str, seconds: float, start: int = 0) -> Utterance:
    """Speak and sing an identity's script in a style.

    Args:
        identity: `a` or `b`; whose script and voice.
        style: `calm` or `lively`; calm speaks slower.
        seconds: length of the result, exact to a sample.
        start: the line to begin with; lines before it come last.

    A line that does not fit is left out; where none fits, the first is cut. The remaining time is
    distributed over the pauses.
    """
    script = SCRIPTS[identity][start:] + SCRIPTS[identity][:start]
    lines: list[Utterance] = []
    used = _LEAD
    for number, line in enumerate(script):
        uttered = synthesize(line.text, PACE[style], PITCH[identity])
        if line.notes:
            uttered = sing(uttered, line.notes, seed=number)
        if used + uttered.seconds + _GAP <= seconds or not lines:
            lines.append(uttered)
            used += uttered.seconds + _GAP
        if used > seconds - 1.5:
            break
    return _join(lines, seconds, max(seconds - used, 0.0))


def _join(lines: list[Utterance], seconds: float, spare: float) -> Utterance:
    """Concatenate lines; pauses of unequal length share the spare seconds."""
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
        phones += [phone.shifted(first / RATE) for phone in line.phones]
        clock += line.seconds + float(gap)
    fade = min(round(0.03 * RATE), total)
    sound[-fade:] *= np.linspace(1, 0, fade)
    return Utterance(np.clip(sound, -1, 1), tuple(_fill_silence(phones, total / RATE)))


def _fill_silence(phones: list[Phone], seconds: float) -> list[Phone]:
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
            joined.append(replace(phone, end=end))
    return joined
