from pathlib import Path

import numpy as np
import pytest

from stages.base.io import tables
from stages.base.io.image_io import encode_jpeg
from stages.clips.artifacts import FRAMES
from stages.clips.decoded_frames import DecodedFrames
from stages.clips.frames import Frames


def test_decoded_frames_are_those_of_the_table_and_are_not_read_again(workdir: Path) -> None:
    path, rng = Path("clip/frames.parquet"), np.random.default_rng(0)
    images = [encode_jpeg(rng.integers(0, 255, (32, 32, 3), np.uint8)) for _ in range(6)]
    columns = {"frame": np.arange(6), "time": np.arange(6) / 25, "jpeg": images}
    tables.write(path, FRAMES, columns, 2)
    stored, decoded = Frames(path, 16), DecodedFrames(path, 16, 0)
    expected = stored.batch(range(6))
    np.testing.assert_array_equal(decoded.batch(range(6)), expected)
    np.testing.assert_array_equal(decoded[-1], expected[5])
    with pytest.raises(IndexError, match="frame 6 of 6"):
        decoded[6]
    again = DecodedFrames(path, 16, 0)
    path.unlink()
    np.testing.assert_array_equal(again.batch([4, 0]), expected[[4, 0]])
