"""The root of the command line: its name, version and the options that commands share."""

import sys
from functools import partial
from importlib.metadata import version as installed
from typing import Annotated

import typer

_ANYWHERE = ("doctor", "verify")  # write nothing, and report what is missing themselves
_SHOWS = ("champion", "compare", "experiments", "metrics")  # do nothing but print
# Change what a run reads: refused while one is active.
_CHANGES = ("add", "remove", "sample", "neutral", "preset", "promote", "rollback", "pull")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Learn how one person talks from video, and apply that style to a portrait and a voice.",
)

# `typer.Option` of a switch, which takes no value: `--help` must show no type.
flag = partial(typer.Option, metavar="")

Inbox = Annotated[str, typer.Option(help="Folder of videos, or an fsspec URL (s3://…).")]
InboxSubject = Annotated[
    str, typer.Option(help="Name of the person in the videos; a new person is added as seen.")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j", "--jobs", min=1, help="Maximum number of parallel stages. Default: all cores."
    ),
]
Dry = Annotated[bool, flag("--dry", help="Show what would be done without doing it.")]


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"idiolect {installed('idiolect')}")
        raise typer.Exit


Version = Annotated[
    bool,
    flag("--version", callback=_print_version, is_eager=True, help="Print the version."),
]


@app.callback()
def _options(
    context: typer.Context,
    *,
    version: Version = False,  # noqa: ARG001 - its callback prints it
) -> None:
    from pipeline.execution import project_files, repair
    from pipeline.execution.project_lock import require_whole_project
    from pipeline.runtime.machine_settings import require_output, use_writable_home

    if "--help" in sys.argv[1:]:
        return
    if context.invoked_subcommand in _SHOWS:
        require_output()
    if context.invoked_subcommand not in _ANYWHERE:
        require_whole_project()
    project_files.check()
    use_writable_home()
    if context.invoked_subcommand in _CHANGES:
        context.with_resource(repair.hold_project())
