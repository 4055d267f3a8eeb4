"""Which videos of an inbox are new, by their bytes."""

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
    fetched = inbox.fetch(str(workdir / "in"), "ann")
    assert [path.read_text() for path in fetched.new] == ["another"]
    assert fetched.new[0].name.startswith("one-")  # data/raw/ann has another one.mp4
    assert sorted(path.name for path in Path("in").iterdir()) == [
        ".hidden", "one.mp4", "renamed.mp4", "twice.mp4",
    ]  # fmt: skip


def test_an_inbox_may_be_anything_that_fsspec_reads(workdir: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/inbox/a.mp4", b"a video")
    try:
        fetched = inbox.fetch("memory://inbox", "ann")
    finally:
        memory.rm("/inbox", recursive=True)
    assert [path.read_bytes() for path in fetched.new] == [b"a video"]


def test_a_file_that_was_not_added_is_new_again(workdir: Path) -> None:
    put(Path("in/a.mp4"), "a video")
    first = inbox.fetch("in", "ann")
    inbox.clear()
    second = inbox.fetch("in", "ann")
    assert first == second
    assert second.new[0].is_file()


@pytest.mark.parametrize("records", ["", "{", "[]", '{"x": 1}', '{"x": {}}'])
def test_torn_records_only_cost_a_second_fetch(workdir: Path, records: str) -> None:
    put(Path("in/a.mp4"), "a video")
    put(inbox.RECORDS, records)
    assert len(inbox.fetch("in", "ann").new) == 1


def test_an_inbox_that_cannot_be_read_is_named_in_one_line(workdir: Path) -> None:
    with pytest.raises(MissingInput, match="nowhere: no such folder"):
        inbox.fetch("nowhere", "ann")
    with pytest.raises(UserError, match="no-such-kind"):
        inbox.fetch("no-such-kind://x", "ann")
