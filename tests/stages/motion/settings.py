"""Settings of a motion model that trains in seconds."""

from typing import Any

from stages.motion.params import MotionParams

TINY: dict[str, Any] = {
    "steps": 30,
    "batch": 4,
    "window_s": 0.8,
    "style": 4,
    "mouth": {
        "look_ahead_s": 0.3,
        "width": 32,
        "hidden": 32,
        "layers": 1,
        "dropout": 0.0,
        "noise": 0.0,
        "lips": 3.0,
        "velocity": 0.5,
        "learning_rate": 3e-3,
        "decay": 0.0,
        "ridge": 1.0,
        "judged": 0.15,
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
    },
    "manifold": {"rows": 0, "neighbours": 10},
}


def tiny(**changes: Any) -> MotionParams:
    """Return tiny settings, top-level ones changed."""
    return MotionParams.model_validate(TINY | changes)
