"""Start a stage: `python -m stages NAME [SUBJECT]`; `python -m stages --help` lists them.

A stage is a module with a function `main`, which takes the subject's name if the stage runs
once per subject. This dispatcher imports the module by name and is part of no code version.
"""

import ast
import os
from collections.abc import Callable
from importlib import import_module
from typing import Annotated

import typer

from pipeline.runtime.machine_settings import prepare, use_writable_home
from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import report_user_errors
from stages.base.config.code_version import ENTRIES, ROOT

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run one stage of dvc.yaml in this project. `idiolect repro` runs the stale ones.",
)
Name = Annotated[str, typer.Argument(metavar="SUBJECT", help="ROLE/NAME, or NAME in params.yaml.")]


def _source(module: str) -> ast.Module:
    return ast.parse(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text())


def _takes_subject(tree: ast.Module) -> bool:
    mains = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main"]
    return bool(mains[0].args.args)


def _command(module: str, *, subject: bool) -> Callable[..., None]:
    """Return the command of a stage, which imports the stage only when it runs."""

    def run_for(subject: Name) -> None:
        import_module(module).main(subject)

    def run() -> None:
        import_module(module).main()

    return run_for if subject else run


def _add_stages() -> None:
    for name, module in ENTRIES.items():
        tree = _source(module)
        text = ast.get_docstring(tree) or ""
        command = _command(module, subject=_takes_subject(tree))
        app.command(name, help=text, short_help=text.partition("\n")[0])(command)


def main(arguments: list[str] | None = None) -> None:
    """Run one stage; report a user error as one line with exit code 1.

    Args:
        arguments: of the command line, without the program's name; default: sys.argv.
    """
    prepare()
    use_writable_home()
    if "DVC_STAGE" in os.environ:
        end_with_parent()  # DVC killed must not leave its stage running
    with report_user_errors():
        _add_stages()
        app(arguments)


if __name__ == "__main__":
    main()
