"""Hide the messages of native libraries on standard error."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Discard this process's standard error in the block, including output of C libraries."""
    # MediaPipe 0.10.14 warns of a function that a later protobuf will not have; both are pinned.
    warnings.filterwarnings("ignore", message="SymbolDatabase.GetPrototype")
    sys.stderr.flush()
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
