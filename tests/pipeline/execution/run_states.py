"""The states of stages, as a run prints them."""

import re

_STATE = re.compile(r"^\[\d+/\d+\] (\S+): (\w+)(?:, [\d.]+ s|: .*)?$", re.MULTILINE)


def states(output: str) -> dict[str, str]:
    """Return the last state of each stage by its name."""
    return dict(_STATE.findall(output))
