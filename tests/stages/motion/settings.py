"""Settings of a motion model that trains in seconds."""

from typing import Any

from stages.motion.params import MotionParams

TINY: dict[str, Any] = {
    "steps": 30,
    "batch": 4,
    "window_s": 0.8,
    "style": {"size": 4, "spread": 0.7, "rate": 10.0, "own": 0.5, "synthetic": 0.5, "windows": 0.5},
    "mouth": {
        "network": "tcn",
        "look_ahead_s": 0.3,
        "lips": 3.0,
        "learning_rate": 3e-3,
        "ridge": 1.0,
        "judged": 0.15,
        "tcn": {
            "width": 16,
            "dilations": [1, 2, 4, 1, 1],
            "components": 6,
            "noise": 0.0,
            "velocity": 0.5,
            "decay": 0.0,
            "personal": 4.0,
            "amplitude": 0.9,
        },
        "lstm": {
            "width": 32,
            "hidden": 32,
            "layers": 1,
            "dropout": 0.0,
            "noise": 0.0,
            "velocity": 0.5,
            "decay": 0.0,
        },
    },
    "pose": {
        "look_ahead_s": 0.25,
        "blocks": 2,
        "layers": 3,
        "channels": 16,
        "skip": 16,
        "condition": 16,
        "dropout": 0.5,
        "sigma": 0.03,
        "temperature": 0.3,
        "smooth_s": 0.08,
        "learning_rate": 3e-3,
        "decay": 0.0,
    },
    "manifold": {"rows": 0, "neighbours": 10},
}


def tiny(**changes: Any) -> MotionParams:
    """Return tiny settings, top-level ones changed."""
    return MotionParams.model_validate(TINY | changes)


def with_lstm(**changes: Any) -> MotionParams:
    """Return tiny settings of LSP's mouth network, top-level ones changed."""
    return tiny(mouth=TINY["mouth"] | {"network": "lstm"}, **changes)
