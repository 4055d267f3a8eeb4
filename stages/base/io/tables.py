"""Read, write and validate the tables of `stages.base.io.formats` as Parquet.

Cells with a shape are stored flat, as fixed-size lists, and come back in their shape.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.io.formats import Column, Format

Columns = dict[str, NDArray[Any]]
_TYPES = {
    "int32": pa.int32(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
}


def arrow_schema(fmt: Format) -> pa.Schema:
    """Return the arrow schema of a format, its name in the metadata."""
    fields = [pa.field(c.name, _arrow_type(c), nullable=False) for c in fmt.columns]
    return pa.schema(fields, metadata={"format": fmt.name})


def _arrow_type(column: Column) -> pa.DataType:
    cell = _TYPES[column.type]
    return pa.list_(cell, int(np.prod(column.shape))) if column.shape else cell


def to_arrow(fmt: Format, columns: Mapping[str, Any]) -> pa.Table:
    """Build an arrow table; raise BadFormat where columns or shapes differ from the format."""
    if set(columns) != set(fmt.names):
        odd = sorted(set(columns) ^ set(fmt.names))
        raise BadFormat(fmt.name, f"columns missing or unknown: {', '.join(odd)}")
    arrays = [_to_array(fmt, column, columns[column.name]) for column in fmt.columns]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(fmt))


def _to_array(fmt: Format, column: Column, values: Any) -> pa.Array:
    if column.type in ("string", "binary"):
        return pa.array(list(values), type=_TYPES[column.type])
    array = np.asarray(values, dtype=column.type)
    rows = len(array)
    if array.shape != (rows, *column.shape) and not (rows == 0 and column.shape):
        raise BadFormat(
            f"{fmt.name}.{column.name}", f"expected (N, *{column.shape}), found {array.shape}"
        )
    flat = pa.array(array.reshape(-1), type=_TYPES[column.type])
    if not column.shape:
        return flat
    return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(column.shape)))


def write(path: Path, fmt: Format, columns: Mapping[str, Any], rows_per_group: int = 65536) -> None:
    """Write a table whole or not at all, with the same bytes for the same rows."""
    with writer(path, fmt, rows_per_group) as add:
        add(columns)


class _Writer:
    """Collects rows and writes a row group whenever enough are there."""

    def __init__(self, file: pq.ParquetWriter, fmt: Format, rows_per_group: int) -> None:
        self.file, self.fmt, self.size = file, fmt, rows_per_group
        self.held: pa.Table = arrow_schema(fmt).empty_table()

    def __call__(self, columns: Mapping[str, Any]) -> None:
        """Append rows."""
        self.held = pa.concat_tables([self.held, to_arrow(self.fmt, columns)])
        while self.held.num_rows >= self.size:
            self._group(self.size)

    def close(self) -> None:
        """Write what is held."""
        if self.held.num_rows:
            self._group(self.held.num_rows)

    def _group(self, rows: int) -> None:
        group = self.held.slice(0, rows).combine_chunks()
        self.file.write_table(group, row_group_size=rows)
        self.held = self.held.slice(rows)


@contextmanager
def writer(path: Path, fmt: Format, rows_per_group: int) -> Iterator[_Writer]:
    """Open a table for rows in pieces: memory stays at one row group; the file appears whole."""
    with atomic_file(path) as part:
        schema = arrow_schema(fmt)
        images = [c.name for c in fmt.columns if c.type == "binary"]
        plain = {c.name: "NONE" if c.name in images else "ZSTD" for c in fmt.columns}
        with pq.ParquetWriter(
            part,
            schema,
            compression={_leaf(c): plain[c.name] for c in fmt.columns},
            write_statistics=False,
        ) as file:
            rows = _Writer(file, fmt, rows_per_group)
            yield rows
            rows.close()


def _leaf(column: Column) -> str:
    return f"{column.name}.list.element" if column.shape else column.name


def read(
    path: Path,
    fmt: Format,
    names: Sequence[str] | None = None,
    start: int = 0,
    stop: int | None = None,
) -> Columns:
    """Read columns (all, unless named) and rows (all, unless a range) as NumPy arrays.

    Returns:
        Column name to array: (N, *shape) for numbers, (N,) of objects for text and bytes.

    Raises:
        MissingInput: no such file.
        BadFormat: not a table of this format.
    """
    with _open(path, fmt) as file:
        wanted = list(names if names is not None else fmt.names)
        groups, first = _groups(file, start, stop)
        try:
            table = file.read_row_groups(groups, columns=wanted)
        except (pa.ArrowException, OSError) as error:
            told = " ".join(str(error).split())
            raise BadFormat(path, f"is damaged: {told}", "delete it and run `dvc repro`") from None
    end = None if stop is None else stop - start
    table = table.slice(start - first, end)
    shapes = {column.name: column for column in fmt.columns}
    return {name: _from_array(shapes[name], table.column(name)) for name in wanted}


def _groups(file: pq.ParquetFile, start: int, stop: int | None) -> tuple[list[int], int]:
    """Which row groups hold the rows, and the first row that they hold."""
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    ends = np.cumsum([0, *sizes])
    last = int(ends[-1]) if stop is None else stop
    groups = [i for i in range(len(sizes)) if ends[i + 1] > start and ends[i] < last]
    return groups, int(ends[groups[0]]) if groups else start


def _from_array(column: Column, chunks: pa.ChunkedArray) -> NDArray[Any]:
    array = chunks.combine_chunks()
    if column.type in ("string", "binary"):
        return np.array(array.to_pylist(), dtype=object)
    if column.shape:
        # `flatten` says the same, by a module that takes as long to import as arrow itself.
        size = int(np.prod(column.shape))
        flat = array.values.slice(array.offset * size, len(array) * size)
        found: NDArray[Any] = flat.to_numpy(zero_copy_only=False)
        return found.reshape(-1, *column.shape)
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values


def count(path: Path, fmt: Format) -> int:
    """Count the rows of a table without reading them."""
    with _open(path, fmt) as file:
        return int(file.metadata.num_rows)


def _open(path: Path, fmt: Format) -> pq.ParquetFile:
    if not path.is_file():
        raise MissingInput(path, f"no {fmt.name} table here", "run `dvc repro`")
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise BadFormat(path, f"is not Parquet: {' '.join(str(error).split())}") from None
    if not file.schema_arrow.equals(arrow_schema(fmt)):
        file.close()
        raise BadFormat(
            path, f"columns differ from {fmt.name} in docs/formats.md", "run `dvc repro`"
        )
    return file
