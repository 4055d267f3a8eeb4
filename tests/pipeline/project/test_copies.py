"""Files of a user that cannot be copied whole: a line each, and no part of them stays."""

import os
from pathlib import Path

import pytest

from pipeline.project.copies import copy_videos, read_error
from pipeline.runtime.user_errors import UserError
from tests.conftest import growing


def test_a_file_that_grows_while_it_is_copied_is_not_added(workdir: Path) -> None:
    unfinished, whole = Path("growing.mkv"), Path("whole.mkv")
    whole.write_bytes(b"y")
    with growing(unfinished):
        copied, present, lines = copy_videos([unfinished, whole], Path("raw"))
        with pytest.raises(UserError, match=r"growing\.mkv: is still being written; add it when"):
            copy_videos([unfinished], Path("other"))
    assert (copied, present) == ([Path("raw/whole.mkv")], [])
    assert lines == ["growing.mkv: is still being written; not added"]
    assert [path.name for path in Path("raw").iterdir()] == ["whole.mkv"]
    assert not Path("other").exists()
    assert copy_videos([unfinished], Path("raw"))[0] == [Path("raw/growing.mkv")]


def test_a_file_that_cannot_be_read_is_named_with_the_reason(workdir: Path) -> None:
    Path("bad.mp4").symlink_to("/proc/self/mem")  # its reading fails for root, too
    assert read_error(Path("bad.mp4")) == "bad.mp4: cannot be read: input/output error; not added"
    Path("good.mp4").touch()
    assert read_error(Path("good.mp4")) == ""
    if os.getuid():
        Path("good.mp4").chmod(0)
        assert "permission denied" in read_error(Path("good.mp4"))
