import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from pipeline.runtime.atomic_files import atomic_file, atomic_folder, write_atomic
from pipeline.runtime.user_errors import UserError


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b.txt"
    with atomic_file(target) as part:
        part.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    with pytest.raises(RuntimeError), atomic_file(target) as part:
        part.write_text("half")
        raise RuntimeError
    assert target.read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == ["b.txt"]


def test_a_folder_takes_the_place_of_the_old_one_when_it_is_done(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with atomic_folder(target) as part:
        (part / "old").touch()
    with pytest.raises(RuntimeError), atomic_folder(target) as part:
        (part / "half").touch()
        raise RuntimeError
    with atomic_folder(target) as part:
        (part / "new").touch()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_threads_that_write_one_file_do_not_meet(tmp_path: Path) -> None:
    path, both = tmp_path / "a.txt", Barrier(2)

    def write(text: str) -> None:
        with atomic_file(path) as part:
            both.wait()
            part.write_text(text)
            both.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ("first", "second")))
    assert path.read_text() in {"first", "second"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_or_folder_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    for target in (Path("/dev/full"), tmp_path):
        with pytest.raises(UserError, match="name another"), atomic_file(target):
            pass
    assert Path("/dev/full").is_char_device()


def test_a_name_of_the_longest_length_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 251 + ".mp4")
    with atomic_file(path) as part:
        assert part.suffix == ".mp4"
        part.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    with atomic_file(tmp_path / "one") as one, atomic_file(tmp_path / "two") as two:
        assert one != two
        one.touch()
        two.touch()


@pytest.mark.parametrize("content", ["größer\n", b"\xff\x00"])
def test_text_is_written_as_utf_8_and_bytes_as_they_are(tmp_path, content):
    write_atomic(tmp_path / "folder/file", content)
    expected = content.encode() if isinstance(content, str) else content
    assert (tmp_path / "folder/file").read_bytes() == expected
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]


def test_an_error_names_the_file_and_not_its_temporary_name(tmp_path: Path) -> None:
    target, other = tmp_path / "b.txt", tmp_path / "missing"
    for named in ("{part}", "file:{part}"):
        with pytest.raises(OSError) as raised, atomic_file(target) as part:
            raise OSError(errno.EIO, "Input/output error", named.format(part=part))
        assert raised.value.filename == str(target)
    with pytest.raises(OSError, match="No space left") as full, atomic_file(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert full.value.filename == str(target)
    with pytest.raises(FileNotFoundError) as absent, atomic_file(target):
        other.read_text()
    assert absent.value.filename == str(other)
