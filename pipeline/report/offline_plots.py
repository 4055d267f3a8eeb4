"""The drawing library of `dvc plots show` and `dvc plots diff`, for a machine without a network.

    python -m pipeline.report.offline_plots    # once; `make install` does it

DVC's pages load Vega from a server. Ours, .dvc/plots/page.html, loads .idiolect/vega.js, which
this module writes by the package vl-convert-python (extra `plots`); where it is missing, the page
loads the server's.
"""

from pathlib import Path

import typer

from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import UserError, report_user_errors

SCRIPT = Path(".idiolect/vega.js")
_VEGA_LITE = "5.21"  # DVC's specifications are of version 5


def write_script(path: Path = SCRIPT) -> None:
    """Write Vega, Vega-Lite and Vega-Embed as one script.

    Raises:
        UserError: vl-convert-python is not installed.
    """
    try:
        import vl_convert
    except ImportError:
        todo = "pip install -c constraints.txt -e '.[plots]'"
        raise UserError("vl-convert-python", "is not installed", todo) from None
    # The package's types ask for a snippet, which may be left out.
    script = vl_convert.javascript_bundle(vl_version=_VEGA_LITE)  # type: ignore[call-arg]
    # In a function: its global names would collide with those of the page.
    write_atomic(path, f"(() => {{{script}}})();\n")


if __name__ == "__main__":
    with report_user_errors():
        write_script()
        typer.echo(SCRIPT)
