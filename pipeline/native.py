"""Native libraries that write to a terminal past Python."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Keep from the user what MediaPipe's libraries say while they start."""
    # MediaPipe 0.10.14 warns of protobuf's future; it is pinned.
    warnings.filterwarnings("ignore", message="SymbolDatabase.GetPrototype")
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
