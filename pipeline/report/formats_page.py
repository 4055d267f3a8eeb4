"""docs/formats.md, written from the tables of the stages and columns.yaml (`make docs`).

python -m pipeline.report.formats_page                          # print the page
python -m pipeline.report.formats_page --check docs/formats.md  # exit 1 if the file differs
"""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML

import stages
from pipeline.runtime.user_errors import BadFormat, report_user_errors
from stages.base.io import formats
from stages.base.io.formats import Format
from stages.parsing.artifacts import LABELS

_INTRODUCTION = """# Formats

Written by `make docs` from `stages/*/artifacts.py` and `pipeline/report/columns.yaml`.
ROLE is `seen` or `unseen`, S a subject, CLIP a clip id. Tables are Parquet; a cell with
a shape is a flat fixed-size list in C order.
"""


def descriptions() -> dict[str, Any]:
    """Read columns.yaml: where each table lies, what a row is, and what its columns mean."""
    return dict(YAML(typ="safe").load(Path(__file__).with_name("columns.yaml").read_text()))


def find_tables() -> list[Format]:
    """List the tables that the packages of the stages define in their `artifacts` modules."""
    found = Path(stages.__path__[0]).glob("*/artifacts.py")
    modules = [import_module(f"stages.{path.parent.name}.artifacts") for path in sorted(found)]
    return [
        value for module in modules for value in vars(module).values() if isinstance(value, Format)
    ]


def page() -> str:
    """Return docs/formats.md: the coordinates, then each table in the order of columns.yaml."""
    by_name = {table.name: table for table in find_tables()}
    doc = formats.__doc__ or ""
    lines = [
        _INTRODUCTION,
        *doc[doc.index("Coordinates.") :].rstrip().splitlines(),
        "",
        "Label maps: " + ", ".join(f"{code} {name}" for code, name in enumerate(LABELS)) + ".",
        "",
    ]
    for name, about in descriptions().items():
        lines += [f"## {name}", "", f"`{about['where']}`: one row is {about['row']}.", ""]
        lines += ["| column | dtype | shape | unit | meaning |", "|---|---|---|---|---|"]
        for column in by_name[name].columns:
            shape = " × ".join(str(n) for n in column.shape)
            described = about["columns"][column.name]
            text = described["text"].replace("|", r"\|")
            unit = described.get("unit", "")
            lines.append(f"| {column.name} | {column.type} | {shape} | {unit} | {text} |")
        lines.append("")
    return "\n".join([*lines, _OTHER_FILES])


_OTHER_FILES = """## Other files

| file | what it holds |
|---|---|
| data/raw/S/ | a subject's videos as they were added and never changed; held_out.txt: names what stays held out |
| data/truth/S/ | the truth of a sample subject, for tests; no stage reads it |
| data/portrait/ | neutral.png, a user's own neutral image, cut as clips are |
| data/clips/ROLE/S/CLIP/audio.wav | the clip's sound, 16 kHz mono, 16-bit PCM |
| data/templates/templates.csv | the four key motion templates: template, step, one column a descriptor |
| data/neutral.png | the neutral image I_s of the style mapping, RGB |
| models/*.safetensors | weights; the metadata's `config` is JSON: sizes of the networks and what else inference needs |
| reports/training/STAGE/ | curves of a training as DVCLive writes them |
| reports/sheets/S.png | the data sheet of a subject: its clips with landmarks, regions, sync and quality, and why other videos gave none |
| reports/references/S.png, reports/isp/S.png | contact sheets |
| reports/isp/S.json | means of isp scores over all and over the chosen ISPs, how many were measured, judges |
| reports/videos/S.mp4 | held-out voice of S, re-voiced in its own style: H.264 and AAC |
| reports/videos/S/ | beside.mp4 (truth, from true landmarks, from voice), as_OTHER.mp4, motion tables |
| promotion.yaml | the rules by which a challenger becomes champion |
| reports/promotion/DATE_WHAT.md | a decision with its table, in git: champion-N, keep, rollback-N or restore-N; only added to |
| reports/compare/A_B/ | index.html of the last `idiolect compare A B`, and copies of the images that differ |
| reports/evaluation/ | tables.md, and images of held-out frames and mouth curves of each subject |
| reports/sweep/, reports/ablation/ | table.md, table.csv and plot.png of the last `idiolect sweep`, `idiolect ablate` |
| reports/metrics.json | every metric with its split, crop, judge and number of frames |
"""


def main(
    check: Annotated[
        Path | None, typer.Option(help="Compare the page with this file and print nothing.")
    ] = None,
) -> None:
    """Print docs/formats.md, or check that a file is up to date."""
    if check is None:
        typer.echo(page())
    elif not check.is_file() or check.read_text() != f"{page()}\n":
        raise BadFormat(check, "differs from the stages' tables", "run `make docs`")


if __name__ == "__main__":
    with report_user_errors():
        typer.run(main)
