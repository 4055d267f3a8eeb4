"""What is new in an inbox, by its bytes."""

from pathlib import Path

import pytest

from pipeline.flows import inbox
from pipeline.runtime.user_errors import MissingInput, UserError


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_video_is_new_by_its_bytes_and_not_by_its_name(workdir: Path) -> None:
    put(Path("data/raw/ann/one.mp4"), "one")
    put(Path("in/renamed.mp4"), "one")
    put(Path("in/one.mp4"), "another")
    put(Path("in/twice.mp4"), "another")
    put(Path("in/.hidden"), "hidden")
    taken = inbox.take(str(workdir / "in"), "ann")
    assert [path.read_text() for path in taken.new] == ["another"]
    assert taken.new[0].name.startswith("one-")  # data/raw/ann has another one.mp4
    assert sorted(path.name for path in Path("in").iterdir()) == [
        ".hidden", "one.mp4", "renamed.mp4", "twice.mp4",
    ]  # fmt: skip


def test_an_inbox_may_be_anything_that_fsspec_reads(workdir: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/inbox/a.mp4", b"a video")
    try:
        taken = inbox.take("memory://inbox", "ann")
    finally:
        memory.rm("/inbox", recursive=True)
    assert [path.read_bytes() for path in taken.new] == [b"a video"]


def test_a_file_that_was_not_added_is_new_again(workdir: Path) -> None:
    put(Path("in/a.mp4"), "a video")
    first = inbox.take("in", "ann")
    inbox.clear()
    second = inbox.take("in", "ann")
    assert first == second
    assert second.new[0].is_file()


@pytest.mark.parametrize("seen", ["", "{", "[]", '{"x": 1}', '{"x": {}}'])
def test_a_torn_memory_costs_a_second_look_and_nothing_else(workdir: Path, seen: str) -> None:
    put(Path("in/a.mp4"), "a video")
    put(inbox.SEEN, seen)
    assert len(inbox.take("in", "ann").new) == 1


def test_an_inbox_that_cannot_be_read_is_named_in_one_line(workdir: Path) -> None:
    with pytest.raises(MissingInput, match="nowhere: no such folder"):
        inbox.take("nowhere", "ann")
    with pytest.raises(UserError, match="no-such-kind"):
        inbox.take("no-such-kind://x", "ann")
