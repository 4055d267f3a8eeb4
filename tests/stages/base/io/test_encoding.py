"""Writing MP4."""

from pathlib import Path

import numpy as np
import pytest

from stages.base.io.encoding import encode_video
from tests.stages.base.io.settings import shades


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    sound = np.sin(np.arange(16000) / 20).astype(np.float32) / 2, 16000
    videos = [tmp_path / f"{name}.mp4" for name in range(10)]
    for video in videos:
        encode_video(video, shades(25), 25, sound)
    assert len({video.read_bytes() for video in videos}) == 1


def test_odd_sizes_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="even height and width"):
        encode_video(tmp_path / "a.mp4", shades(3, 63), 25)
    assert list(tmp_path.iterdir()) == []
