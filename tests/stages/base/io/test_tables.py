from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.report.formats_page import find_tables
from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.io import tables
from stages.base.io.formats import ANY, Column, Format
from stages.clips.artifacts import FRAMES
from stages.references.artifacts import MATCH
from stages.speech.artifacts import FEATURES

ANY_WIDTH = 6  # of random rows in columns that may have any


def shape_of(column: Column) -> tuple[int, ...]:
    return tuple(ANY_WIDTH if n == ANY else n for n in column.shape)


def random_rows(fmt: Format, rows: int, seed: int = 0) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {}
    for column in fmt.columns:
        if column.type == "string":
            columns[column.name] = [f"é{i}" for i in range(rows)]
        elif column.type == "binary":
            columns[column.name] = [rng.bytes(i % 7) for i in range(rows)]
        else:
            values = rng.integers(0, 2, (rows, *shape_of(column)))
            columns[column.name] = values.astype(column.type)
    return columns


@pytest.mark.parametrize("fmt", find_tables(), ids=lambda fmt: fmt.name)
def test_every_format_is_read_back_as_it_was_written(fmt: Format, tmp_path: Path) -> None:
    rows = random_rows(fmt, 7)
    tables.write(tmp_path / "a.parquet", fmt, rows, rows_per_group=3)
    back = tables.read(tmp_path / "a.parquet", fmt)
    for column in fmt.columns:
        np.testing.assert_array_equal(
            back[column.name],
            np.asarray(rows[column.name], object)
            if column.type in ("string", "binary")
            else rows[column.name],
        )
        assert back[column.name].shape == (7, *shape_of(column))


def test_the_same_rows_give_the_same_bytes_however_they_are_added(tmp_path: Path) -> None:
    rows = random_rows(FEATURES, 50)
    tables.write(tmp_path / "whole.parquet", FEATURES, rows, rows_per_group=8)
    with tables.writer(tmp_path / "pieces.parquet", FEATURES.sized(feature=ANY_WIDTH), 8) as add:
        for start in range(0, 50, 3):
            add({name: values[start : start + 3] for name, values in rows.items()})
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "pieces.parquet").read_bytes()


@given(start=st.integers(0, 30), length=st.integers(0, 40), group=st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_a_range_of_rows_is_read_across_row_groups(
    start: int, length: int, group: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("t") / "f.parquet"
    count = 30
    tables.write(
        path,
        FRAMES,
        {"frame": np.arange(count), "time": np.arange(count) / 25, "jpeg": [b"x"] * count},
        group,
    )
    read = tables.read(path, FRAMES, ["frame"], start, start + length)["frame"]
    assert read.tolist() == list(range(count))[start : start + length]


def test_an_unfinished_table_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), tables.writer(tmp_path / "a.parquet", MATCH, 4) as add:
        add(random_rows(MATCH, 9))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_shape_is_named(tmp_path: Path) -> None:
    rows = random_rows(MATCH, 4) | {"transform": np.zeros((4, 3, 3))}
    with pytest.raises(BadFormat, match=r"match.transform: expected"):
        tables.write(tmp_path / "a.parquet", MATCH, rows)


def test_a_column_of_any_width_keeps_the_width_of_its_first_writer(tmp_path: Path) -> None:
    wide, path = random_rows(FEATURES, 3), tmp_path / "a.parquet"
    with (
        pytest.raises(BadFormat, match=r"features.feature: expected \(N, 6\), found \(3, 7\)"),
        tables.writer(path, FEATURES.sized(feature=ANY_WIDTH), 8) as add,
    ):
        add(wide)
        add(wide | {"feature": np.zeros((3, ANY_WIDTH + 1))})
    assert not path.exists()
    tables.write(path, FEATURES, wide)
    assert tables.width(path, FEATURES, "feature") == ANY_WIDTH
    assert tables.width(path, FEATURES, "phones") == 39


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    rows = random_rows(MATCH, 4)
    del rows["distance"]
    with pytest.raises(BadFormat, match="distance"):
        tables.write(tmp_path / "a.parquet", MATCH, rows)


def test_another_format_a_torn_file_and_no_file_have_errors_of_their_own(tmp_path: Path) -> None:
    tables.write(tmp_path / "a.parquet", MATCH, random_rows(MATCH, 4))
    with pytest.raises(BadFormat, match="columns differ"):
        tables.read(tmp_path / "a.parquet", FEATURES)
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "torn.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadFormat, match="not Parquet"):
        tables.read(tmp_path / "torn.parquet", MATCH)
    with pytest.raises(MissingInput):
        tables.read(tmp_path / "none.parquet", MATCH)
    (tmp_path / "blank.parquet").write_bytes(data[:4] + bytes(100) + data[104:])
    with pytest.raises(BadFormat, match="damaged"):
        tables.read(tmp_path / "blank.parquet", MATCH)


def test_images_are_not_compressed_twice(tmp_path: Path) -> None:
    tables.write(tmp_path / "a.parquet", FRAMES, random_rows(FRAMES, 4))
    group = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0)
    kinds = {group.column(i).path_in_schema: group.column(i).compression for i in range(3)}
    assert kinds == {"frame": "ZSTD", "time": "ZSTD", "jpeg": "UNCOMPRESSED"}


def promise(path: Path, rows: int) -> None:
    """Write another number of rows over the three of a file's footer, wherever it counts them."""
    content, varint, left = path.read_bytes(), b"", 2 * rows
    while left > 127:
        varint, left = varint + bytes([left & 127 | 128]), left >> 7
    length = int.from_bytes(content[-8:-4], "little")
    footer = content[-8 - length : -8].replace(b"\x16\x06", b"\x16" + varint + bytes([left]))
    path.write_bytes(content[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1")


@pytest.mark.parametrize("rows", [10**9, 2**62])
def test_a_table_that_promises_a_billion_rows_is_refused_before_it_is_read(
    tmp_path: Path, rows: int
) -> None:
    path = tmp_path / "t.parquet"
    columns = {"frame": [0, 1, 2], "time": [0.0, 0.1, 0.2], "jpeg": [b"a", b"b", b"c"]}
    tables.write(path, FRAMES, columns)
    promise(path, rows)
    for read in (tables.read, tables.count):
        with pytest.raises(BadFormat, match="expected at most 1073741824 values, found"):
            read(path, FRAMES)
