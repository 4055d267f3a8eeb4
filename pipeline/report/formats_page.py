"""docs/formats.md, written from the stages' tables, columns.yaml and other_files.md (`make docs`).

python -m pipeline.report.formats_page                          # print the page
python -m pipeline.report.formats_page --check docs/formats.md  # exit 1 if the file differs
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import stages
from pipeline.report.generated_page import print_page
from stages.base.io import formats
from stages.base.io.formats import Format
from stages.parsing.artifacts import LABELS

_INTRODUCTION = """# Formats

Written by `make docs` from `stages/*/artifacts.py` and `pipeline/report/columns.yaml`.
ROLE is `seen`, `unseen` or `population`, S a subject, CLIP a clip id. Tables are Parquet; a cell
with a shape is a flat fixed-size list in C order.
"""


def descriptions() -> dict[str, Any]:
    """Read columns.yaml: the path, the rows and the columns of each table."""
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
            shape = " × ".join("any" if n == formats.ANY else str(n) for n in column.shape)
            described = about["columns"][column.name]
            text = described["text"].replace("|", r"\|")
            unit = described.get("unit", "")
            lines.append(f"| {column.name} | {column.type} | {shape} | {unit} | {text} |")
        lines.append("")
    return "\n".join([*lines, Path(__file__).with_name("other_files.md").read_text()])


if __name__ == "__main__":
    print_page(page(), "the stages' tables")
