"""docs/formats.md describes every table of the stages, column by column."""

import subprocess
import sys
from pathlib import Path

from pipeline.report.formats_page import descriptions, find_tables
from tests.conftest import REPO

_KEYS = {"text", "unit"}


def test_columns_yaml_describes_exactly_the_tables_and_columns_of_the_stages() -> None:
    tables = find_tables()
    described = {name: list(about["columns"]) for name, about in descriptions().items()}
    assert described == {table.name: list(table.names) for table in tables}
    assert len(described) == len(tables), "two tables have one name"


def test_every_description_gives_the_path_the_row_and_the_meaning_of_each_column() -> None:
    for name, about in descriptions().items():
        assert set(about) == {"where", "row", "columns"}, name
        for column, described in about["columns"].items():
            assert described["text"].strip(), (name, column)
            assert set(described) <= _KEYS, (name, column)


def test_a_page_that_is_out_of_date_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    old = tmp_path / "formats.md"
    old.write_text("# Formats\n")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.report.formats_page", "--check", str(old)],
        cwd=REPO, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"error: {old}: differs from the stages' tables; run `make docs`\n"
