"""Native libraries that write to a terminal past Python."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType


@contextmanager
def quiet() -> Iterator[None]:
    """Keep from the user what MediaPipe's libraries say, and the time they take, as they start."""
    # MediaPipe 0.10.14 warns of protobuf's future; it is pinned.
    warnings.filterwarnings("ignore", message="SymbolDatabase.GetPrototype")
    with silent(), ExitStack() as stack:
        if "mediapipe" not in sys.modules:
            stack.enter_context(_left_out("matplotlib", "matplotlib.pyplot"))
            stack.enter_context(_left_out("mediapipe.tasks", "mediapipe.tasks.python"))
        yield


@contextmanager
def silent() -> Iterator[None]:
    """Drop what this process writes to standard error."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _left_out(*names: str) -> Iterator[None]:
    """Import placeholders for modules that MediaPipe imports at its start and that go unused here.

    With them, its plots and its `tasks`, it takes three times as long to start (2 s a process).
    Whoever imports them later gets the real ones.
    """
    absent = [] if names[0] in sys.modules else list(names)
    sys.modules.update({name: ModuleType(name) for name in absent})
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
