"""Load MediaPipe's networks, whose weights are in its wheel (Apache-2.0)."""

from importlib import import_module
from typing import Any

import numpy as np

from pipeline.runtime.native_output import quiet


def load_network(module: str, name: str, **options: Any) -> Any:
    """Load the network `name` of MediaPipe's solutions.MODULE without its messages."""
    with quiet():
        solution = import_module(f"mediapipe.python.solutions.{module}")
        network = getattr(solution, name)(**options)
        network.process(np.zeros((64, 64, 3), np.uint8))  # prints at its first picture
    return network
