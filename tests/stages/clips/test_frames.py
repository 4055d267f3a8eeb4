"""Random access to the frames of a clip."""

from pathlib import Path

import pytest

from pipeline.runtime.user_errors import MissingInput
from stages.base.io import image_io, tables
from stages.clips import frames
from stages.clips.artifacts import FRAMES
from tests.stages.base.io.settings import number, shades


def write_frames(path: Path, count: int) -> None:
    with tables.writer(path, FRAMES, 25) as add:
        for i, picture in enumerate(shades(count, 64, 64)):
            jpeg = image_io.encode_jpeg(picture)
            add({"frame": [i], "time": [i / 25], "jpeg": [jpeg]})


def test_frames_are_read_at_random_within_bounded_memory(tmp_path: Path) -> None:
    write_frames(tmp_path / "frames.parquet", 55)
    reader = frames.Frames(tmp_path / "frames.parquet", size=32, cache_bytes=1)
    assert len(reader) == 55
    for i in (54, 0, 30, 3, 54, 24, 25):
        assert reader[i].shape == (32, 32, 3)
        assert number(reader[i]) == i
        assert len(reader._cache) == 1
    assert number(reader[-1]) == 54
    assert [number(image) for image in reader.batch([3, 40, 3])] == [3, 40, 3]
    with pytest.raises(IndexError, match="frame 55 of 55"):
        reader[55]


def test_a_pickled_reader_starts_with_an_empty_cache(tmp_path: Path) -> None:
    import pickle

    write_frames(tmp_path / "frames.parquet", 5)
    reader = frames.Frames(tmp_path / "frames.parquet", size=32)
    assert number(reader[4]) == 4
    copy = pickle.loads(pickle.dumps(reader))
    assert not copy._cache
    assert number(copy[4]) == 4


def test_a_missing_frames_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no frames table"):
        frames.Frames(tmp_path / "frames.parquet")
