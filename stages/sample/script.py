"""What the sample subjects say and sing: texts and melodies, one script an identity."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line of a script; spoken where it has no notes.

    Args:
        text: English words.
        notes: one (MIDI pitch, seconds) per vowel of a sung line, in order.
    """

    text: str
    notes: tuple[tuple[int, float], ...] = ()


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
