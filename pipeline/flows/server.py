"""The server of Prefect's: one that is named, or one on loopback that ends with who started it.

python -m pipeline.flows.server PORT
"""

import os
import sys

from pipeline.lifeline import end_with_parent
from pipeline.problems import Problem


def named() -> str:
    """Return the address of the server that PREFECT_API_URL or a profile names; empty for none.

    Raises:
        Problem: it does not answer.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    address = str(PREFECT_API_URL.value() or "")
    if address:
        with get_client(sync_client=True) as client:
            error = client.api_healthcheck()
        if error:
            found = f"no server of Prefect's answers: {error}"
            raise Problem(address, found, "start it, or unset PREFECT_API_URL")
    return address


def main(arguments: list[str]) -> None:
    """Become the server; the kernel's promise to end it with its parent stays."""
    end_with_parent()
    address = ["--host", "127.0.0.1", "--port", arguments[0]]
    command = ["-m", "prefect", "server", "start", *address]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
