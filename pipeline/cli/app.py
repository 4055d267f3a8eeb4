"""The command line: each command is a thin layer over one function of the other packages.

idiolect --help
"""

# `--help` lists commands in the order of these imports.
from pipeline.cli import people, render, runs

# isort: split
from pipeline.cli import champions, machine
from pipeline.cli.root import app
from pipeline.runtime.machine_settings import prepare
from pipeline.runtime.user_errors import report_user_errors

__all__ = ["app", "champions", "machine", "main", "people", "render", "runs"]


def main() -> None:
    """Run the command line; report a user error as one line with exit code 1."""
    prepare()
    with report_user_errors():
        app()


if __name__ == "__main__":
    main()
