"""docs/formats.md, written from the tables of the stages and columns.yaml (`make docs`).

python -m pipeline.report.formats_page                         # print the page
python -m pipeline.report.formats_page --check docs/formats.md # fail where the file differs
"""

import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.base.io import formats
from stages.base.io.formats import Format
from stages.parsing.artifacts import LABELS

_PACKAGES = (
    "clips",
    "landmarks",
    "parsing",
    "speech",
    "references",
    "style_mapping",
    "render",
    "evaluation",
)
DESCRIPTIONS = Path(__file__).with_name("columns.yaml")


def tables() -> list[Format]:
    """List the tables of all stages in the order of the DAG."""
    modules = [import_module(f"stages.{package}.artifacts") for package in _PACKAGES]
    return [fmt for module in modules for fmt in vars(module).values() if isinstance(fmt, Format)]


ALL = tables()


@cache
def descriptions() -> dict[str, Any]:
    """Read where each table lies, what a row is, and unit and meaning of its columns."""
    return dict(YAML(typ="safe").load(DESCRIPTIONS.read_text()))


def page() -> str:
    """Return docs/formats.md: the coordinates, and each table column by column."""
    doc = formats.__doc__ or ""
    lines = [
        "# Formats",
        "",
        "Written by `make docs` from `stages/*/artifacts.py` and `pipeline/report/columns.yaml`.",
        "ROLE is `seen` or `unseen`, S a subject, CLIP a clip id. Tables are Parquet; a cell with",
        "a shape is a flat fixed-size list in C order.",
        "",
        *doc[doc.index("Coordinates.") :].rstrip().splitlines(),
        "",
        "Label maps: " + ", ".join(f"{code} {name}" for code, name in enumerate(LABELS)) + ".",
        "",
    ]
    for fmt in ALL:
        about = descriptions()[fmt.name]
        lines += [f"## {fmt.name}", "", f"`{about['where']}`: one row is {about['row']}.", ""]
        lines += ["| column | dtype | shape | unit | meaning |", "|---|---|---|---|---|"]
        for column in fmt.columns:
            shape = " × ".join(str(n) for n in column.shape)
            told = about["columns"][column.name]
            text = told["text"].replace("|", r"\|")
            lines.append(
                f"| {column.name} | {column.type} | {shape} | {told.get('unit', '')} | {text} |"
            )
        lines.append("")
    return "\n".join([*lines, _OTHER_FILES])


_OTHER_FILES = """## Files that are no tables

| file | what it holds |
|---|---|
| data/raw/S/ | a subject's videos as they were added; never changed; held_out.txt: what stays held out |
| data/truth/S/ | the truth of a sample subject, the tests' measuring stick; no stage reads it |
| data/portrait/ | neutral.png, a user's own neutral image, cut as clips are |
| data/clips/ROLE/S/CLIP/audio.wav | the clip's sound, 16 kHz mono, 16-bit PCM |
| data/templates/templates.csv | the four key motion templates: template, step, one column a descriptor |
| data/neutral.png | the neutral image I_s of the style mapping, RGB |
| models/*.safetensors | weights; the metadata's `config` is JSON: sizes of the networks and what else inference needs |
| reports/training/STAGE/ | curves of a training as DVCLive writes them |
| reports/sheets/S.png | a page of what was found: clips with landmarks, regions, sync and quality, and the reasons of what gave none |
| reports/references/S.png, reports/isp/S.png | contact sheets |
| reports/isp/S.json | means of isp scores over all and over the chosen ISPs, how many were measured, judges |
| reports/videos/S.mp4 | held-out voice of S, re-voiced in its own style: H.264 and AAC |
| reports/videos/S/ | beside.mp4 (truth, from true landmarks, from voice), as_OTHER.mp4, motion tables |
| promotion.yaml | by which rules a challenger becomes champion |
| reports/promotion/DATE_WHAT.md | a decision with its table, in git: champion-N, keep, rollback-N or restore-N; only added to |
| reports/compare/A_B/ | index.html of the last `idiolect compare A B`, and copies of the pictures that differ |
| reports/evaluation/ | tables.md, and pictures of held-out frames and mouth curves of each subject |
| reports/sweep/, reports/ablation/ | table.md, table.csv and plot.png of the last `idiolect sweep`, `idiolect ablate` |
| reports/metrics.json | every metric with its split, crop, judge and number of frames |
"""


def main() -> None:
    """Print the page, or with `--check FILE` fail where the file differs from it."""
    if sys.argv[1:2] == ["--check"]:
        path = Path(sys.argv[2])
        if not path.is_file() or path.read_text() != page() + "\n":
            sys.exit(f"{path}: differs from the stages' tables; run `make docs`")
    else:
        print(page())


if __name__ == "__main__":
    main()
