"""The type of a table's format: named columns with dtype and shape.

Each stage package defines its tables in `artifacts.py`; `stages.base.io.tables` writes, reads and
validates them; pipeline/report/columns.yaml describes every column, with its unit.

Coordinates. Pixels are continuous: 0 is the left (top) edge of the first pixel, `size` the right
(bottom) edge of the last; scaling an image scales its coordinates. Three-dimensional
points follow `x = K (R X + t)` with column vectors: X in the head's own frame (x to the image's
right, y down, z away from the camera; the mean face's distance from nasion, point 27, to chin,
point 8, is 1 "face height"), R and t the pose, K the clip's pin-hole camera with one focal length
and the principal point at the centre of the stored image.
"""

from dataclasses import dataclass, replace

ANY = -1  # in a shape: the table's writer chooses the width, one for all rows


@dataclass(frozen=True)
class Column:
    """One column: its name, arrow type, and the shape of a cell."""

    name: str
    type: str
    shape: tuple[int, ...] = ()


def columns(type_: str, *names: str, shape: tuple[int, ...] = ()) -> tuple[Column, ...]:
    """Make columns of one type and shape."""
    return tuple(Column(name, type_, shape) for name in names)


@dataclass(frozen=True)
class Format:
    """One kind of table: its name, and the columns in order."""

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in file order."""
        return tuple(column.name for column in self.columns)

    def sized(self, **widths: int) -> "Format":
        """Return the format with the widths of columns that may have any."""
        resized = (
            replace(c, shape=(widths[c.name],)) if ANY in c.shape and c.name in widths else c
            for c in self.columns
        )
        return Format(self.name, tuple(resized))


FRAME = Column("frame", "int32")
CLIP = Column("clip", "string")
