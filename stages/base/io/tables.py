"""Read, write and validate the tables of `stages.base.io.formats` as Parquet.

Cells with a shape are stored flat, as fixed-size lists, and read back in their shape.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.io.formats import ANY, Column, Format

Columns = dict[str, NDArray[Any]]
_MOST_VALUES = 1 << 30  # of a table: landmarks of 80 hours; a few bytes can promise more
_TYPES = {
    "int32": pa.int32(),
    "float16": pa.float16(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
}


def arrow_schema(fmt: Format) -> pa.Schema:
    """Return the arrow schema of a format whose widths are all set, its name in the metadata."""
    fields = [pa.field(c.name, _arrow_type(c), nullable=False) for c in fmt.columns]
    return pa.schema(fields, metadata={"format": fmt.name})


def _arrow_type(column: Column) -> pa.DataType:
    cell = _TYPES[column.type]
    return pa.list_(cell, int(np.prod(column.shape))) if column.shape else cell


def to_arrow(fmt: Format, columns: Mapping[str, Any]) -> pa.Table:
    """Build an arrow table; raise BadFormat if columns or shapes differ from the format."""
    if set(columns) != set(fmt.names):
        odd = sorted(set(columns) ^ set(fmt.names))
        raise BadFormat(fmt.name, f"columns missing or unknown: {', '.join(odd)}")
    arrays = [_to_array(fmt, column, columns[column.name]) for column in fmt.columns]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(fmt))


def _to_array(fmt: Format, column: Column, values: Any) -> pa.Array:
    if column.type in ("string", "binary"):
        return pa.array(list(values), type=_TYPES[column.type])
    array = np.asarray(values, dtype=column.type)
    if len(array) and array.shape[1:] != column.shape:
        shape = ", ".join(map(str, ("N", *column.shape)))
        expected = f"expected ({shape}), found {array.shape}"
        raise BadFormat(f"{fmt.name}.{column.name}", expected)
    flat = pa.array(array.reshape(-1), type=_TYPES[column.type])
    if not column.shape:
        return flat
    return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(column.shape)))


def write(path: Path, fmt: Format, columns: Mapping[str, Any], rows_per_group: int = 65536) -> None:
    """Write a table whole or not at all: the same rows give the same bytes.

    Columns of any width get the width of their values.
    """
    fmt = fmt.sized(
        **{c.name: np.shape(columns[c.name])[-1] for c in fmt.columns if ANY in c.shape}
    )
    with writer(path, fmt, rows_per_group) as add:
        add(columns)


@contextmanager
def writer(
    path: Path, fmt: Format, rows_per_group: int
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Open a table and yield a function that appends rows; the file appears whole or not at all.

    At most one row group and the rows of one call are in memory. Set columns of any width before:
    `FORMAT.sized(column=width)`.
    """
    schema = arrow_schema(fmt)
    compression = {_leaf(c): "NONE" if c.type == "binary" else "ZSTD" for c in fmt.columns}
    with (
        atomic_file(path) as part,
        pq.ParquetWriter(part, schema, compression=compression, write_statistics=False) as file,
    ):
        pending: pa.Table = schema.empty_table()

        def write_group(rows: int) -> None:
            nonlocal pending
            file.write_table(pending.slice(0, rows).combine_chunks(), row_group_size=rows)
            pending = pending.slice(rows)

        def add(columns: Mapping[str, Any]) -> None:
            nonlocal pending
            pending = pa.concat_tables([pending, to_arrow(fmt, columns)])
            while pending.num_rows >= rows_per_group:
                write_group(rows_per_group)

        yield add
        if pending.num_rows:
            write_group(pending.num_rows)


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
        stored = _as_stored(fmt, file.schema_arrow)
        columns = {c.name: c for c in stored.columns if names is None or c.name in names}
        groups, first = _groups(file, start, stop)
        try:
            table = file.read_row_groups(groups, columns=list(columns))
        except (pa.ArrowException, OSError) as error:
            damage = f"is damaged: {' '.join(str(error).split())}"
            raise BadFormat(path, damage, "delete it and run `idiolect repro`") from None
    table = table.slice(start - first, None if stop is None else stop - start)
    return {name: _from_array(columns[name], table.column(name)) for name in names or fmt.names}


def _groups(file: pq.ParquetFile, start: int, stop: int | None) -> tuple[list[int], int]:
    """Return the row groups that hold rows [start, stop), and the first row in them."""
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    ends = np.cumsum([0, *sizes])
    last = int(ends[-1]) if stop is None else stop
    groups = [i for i in range(len(sizes)) if ends[i + 1] > start and ends[i] < last]
    return groups, int(ends[groups[0]]) if groups else start


def _from_array(column: Column, chunks: pa.ChunkedArray) -> NDArray[Any]:
    array = chunks.combine_chunks()
    if column.type in ("string", "binary"):
        return np.array(array.to_pylist(), dtype=object)
    values = array.flatten() if column.shape else array
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(-1, *column.shape)


def count(path: Path, fmt: Format) -> int:
    """Count the rows of a table without reading them."""
    with _open(path, fmt) as file:
        return int(file.metadata.num_rows)


def width(path: Path, fmt: Format, name: str) -> int:
    """Return the width of a column that may have any."""
    with _open(path, fmt) as file:
        return int(file.schema_arrow.field(name).type.list_size)


def _as_stored(fmt: Format, schema: pa.Schema) -> Format:
    """Give columns of any width the width that they have in a file."""
    lists = {field.name: field.type for field in schema if pa.types.is_fixed_size_list(field.type)}
    return fmt.sized(**{name: kind.list_size for name, kind in lists.items()})


def _open(path: Path, fmt: Format) -> pq.ParquetFile:
    if not path.is_file():
        raise MissingInput(path, f"no {fmt.name} table here", "run `idiolect repro`")
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise BadFormat(path, f"is not Parquet: {' '.join(str(error).split())}") from None
    if not file.schema_arrow.equals(arrow_schema(_as_stored(fmt, file.schema_arrow))):
        file.close()
        raise BadFormat(
            path, f"columns differ from {fmt.name} in docs/formats.md", "run `idiolect repro`"
        )
    check_size(path, file)
    return file


def check_size(path: Path, file: pq.ParquetFile) -> None:
    """Raise BadFormat if a table promises more values than any of this project has."""
    groups = (file.metadata.row_group(i).num_rows for i in range(file.num_row_groups))
    kinds = [field.type for field in file.schema_arrow]
    width = sum(kind.list_size if pa.types.is_fixed_size_list(kind) else 1 for kind in kinds)
    if (values := width * max(file.metadata.num_rows, sum(groups))) > _MOST_VALUES:
        file.close()
        raise BadFormat(path, f"expected at most {_MOST_VALUES} values, found {values}")
