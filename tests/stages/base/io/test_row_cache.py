from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stages.base.io import row_cache
from stages.base.io.image_io import Image
from stages.base.io.row_cache import RowCache

SHAPE = (4, 4, 3)


class Maker:
    """Makes rows and counts how often."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, row: int) -> Image:
        self.made.append(row)
        return np.full(SHAPE, row, np.uint8)


@pytest.fixture
def opened(workdir: Path) -> Callable[[], RowCache]:
    """Return what opens the cache of one source, as each process does."""
    source = workdir / "source"
    source.write_bytes(b"one")
    return lambda: RowCache(source, "frames", SHAPE, 5, [])


def files() -> list[Path]:
    return list(row_cache.FOLDER.iterdir())


def test_a_row_is_made_once_for_all_processes(opened: Callable[[], RowCache]) -> None:
    make = Maker()
    first, second = opened(), opened()
    for cache in (first, first, second, opened()):
        np.testing.assert_array_equal(cache.get(3, make), np.full(SHAPE, 3))
        np.testing.assert_array_equal(cache.get(0, make), np.zeros(SHAPE))
    assert make.made == [3, 0]


def test_a_damaged_row_is_made_again(opened: Callable[[], RowCache]) -> None:
    make = Maker()
    opened().get(4, make)
    (path,) = files()
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    assert (opened().get(4, make) == 4).all()
    assert make.made == [4, 4]


def test_a_changed_source_makes_a_new_file_in_place_of_the_old(
    opened: Callable[[], RowCache],
) -> None:
    make = Maker()
    opened().get(1, make)
    before = files()
    Path("source").write_bytes(b"two")
    opened().get(1, make)
    assert make.made == [1, 1]
    assert len(files()) == len(before) == 1
    assert files() != before


@pytest.mark.parametrize("fault", ["a file where the folder is to be", "a part of a file"])
def test_where_nothing_can_be_cached_rows_are_made_each_time(
    fault: str, opened: Callable[[], RowCache]
) -> None:
    make = Maker()
    if fault == "a part of a file":
        opened()
        (path,) = files()
        path.write_bytes(path.read_bytes()[:100])
    else:
        row_cache.FOLDER.parent.mkdir()
        row_cache.FOLDER.touch()
    cache = opened()
    assert (cache.get(2, make) == cache.get(2, make)).all()
    assert make.made == [2, 2]


def test_a_file_that_the_disk_has_no_room_for_is_not_made(workdir: Path) -> None:
    Path("source").touch()
    make = Maker()
    cache = RowCache(Path("source"), "frames", SHAPE, 1 << 50, [])
    assert (cache.get(2, make) == 2).all()
    assert files() == []
