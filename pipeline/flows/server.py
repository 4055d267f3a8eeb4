"""A server of Prefect's on loopback that ends with who started it.

python -m pipeline.flows.server PORT
"""

import os
import sys

from pipeline.lifeline import end_with_parent


def main(arguments: list[str]) -> None:
    """Become the server; the kernel's promise to end it with its parent stays."""
    end_with_parent()
    address = ["--host", "127.0.0.1", "--port", arguments[0]]
    command = ["-m", "prefect", "server", "start", *address]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
