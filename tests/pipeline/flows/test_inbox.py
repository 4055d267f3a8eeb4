"""Which videos of an inbox are new, by their bytes."""

import os
from pathlib import Path

import pytest

from pipeline.flows import inbox
from pipeline.runtime.user_errors import MissingInput, UserError
from tests.conftest import growing


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


def test_an_entry_that_is_no_complete_file_is_a_line_and_the_others_are_taken(
    workdir: Path,
) -> None:
    Path("in/folder.mp4").mkdir(parents=True)
    Path("in/b.mp4").write_bytes(b"good")
    os.mkfifo("in/a.mp4")
    Path("in/c.mp4").symlink_to("nowhere.mp4")
    Path("in/d.mp4").symlink_to("b.mp4")
    Path("in/e.mp4").write_bytes(b"other")
    fetched = inbox.fetch("in", "ann")
    assert sorted(path.name for path in fetched.new) == ["b.mp4", "e.mp4"]  # d is b once more
    assert fetched.rejected == (
        "skipped: a.mp4: is not a regular file",
        "skipped: c.mp4: cannot be read: No such file or directory",
    )


def test_a_file_that_grows_while_it_is_copied_waits_for_the_next_run(workdir: Path) -> None:
    Path("in").mkdir()
    video = Path("in/a.mp4")
    with growing(video):
        fetched = inbox.fetch("in", "ann")
    assert fetched.new == ()
    assert fetched.rejected == ("skipped: a.mp4: is still being written; the next run takes it",)
    assert list(inbox.FOLDER.iterdir()) == []
    assert [path.name for path in inbox.fetch("in", "ann").new] == ["a.mp4"]


@pytest.mark.parametrize(("name", "found"), [("", "an empty name"), ("file", "is not a folder")])
def test_an_inbox_without_a_name_or_that_is_a_file_is_refused(
    workdir: Path, name: str, found: str
) -> None:
    (workdir / "file").touch()
    with pytest.raises(UserError, match=found):
        inbox.check(name)
