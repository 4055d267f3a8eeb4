"""File names of any kind become one line of text and a folder's name that is safe."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime import progress
from stages.clips.videos import clip_names, hash_video, printable

file_names = (
    st.binary(min_size=1, max_size=255)
    .map(lambda raw: os.fsdecode(raw.replace(b"/", b"_").replace(b"\0", b"_")))
    .filter(lambda name: not name.startswith("."))  # hidden files are no videos
)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("my talk [2] – é.mp4", "my talk [2] – é.mp4"),
        ("a\nb\t\x1b.mp4", "a\\nb\\t\\x1b.mp4"),
        (os.fsdecode(b"caf\xe9.mp4"), "caf\\xe9.mp4"),
        ("caf\\xe9.mp4", "caf\\\\xe9.mp4"),
        ("\x85\u202e\U000e0001.mp4", "\\u0085\\u202e\\U000e0001.mp4"),
    ],
)
def test_a_file_name_is_written_on_one_line(name: str, line: str) -> None:
    assert printable(name) == line


@given(st.lists(file_names, min_size=2, max_size=6, unique=True))
def test_different_names_give_different_lines_and_different_safe_folders(names: list[str]) -> None:
    lines = [printable(name) for name in names]
    assert len(set(lines)) == len(names)
    assert all(line.isprintable() and line.encode() for line in lines)
    clips = list(clip_names(names).values())
    assert len(set(clips)) == len(names)
    for clip in clips:
        assert clip.isprintable()
        assert 0 < len(clip.encode()) < 140
        assert not set(clip) & set('/\\$`"')
        assert not clip.startswith(("-", "~", " "))


def test_common_names_are_kept() -> None:
    names = ["good one.mp4", "b.mp4", "b.mov", "It's [dQw4w9WgXcQ] (1).mp4", "日本語.mp4"]
    assert list(clip_names(names).values()) == [
        "good one",
        "b.mp4",
        "b.mov",
        "It's [dQw4w9WgXcQ] (1)",
        "日本語",
    ]


def test_an_unreadable_file_is_reported_with_the_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "long").symlink_to("x" * 300)
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "unreadable").symlink_to("/proc/self/mem")
    found = {path.name: hash_video(path) for path in [*tmp_path.iterdir(), tmp_path]}
    assert found == {
        "pipe": ("", "not a file but a pipe or device"),
        "zeros": ("", "not a file but a pipe or device"),
        "link": ("", "a link to a missing file"),
        "loop": ("", "a link to a missing file"),
        "long": ("", "cannot be read: file name too long"),
        "unreadable": ("", "cannot be read: input/output error"),
        tmp_path.name: ("", "not a file: put videos into the subject's folder itself"),
    }


def test_a_file_name_with_brackets_does_not_break_the_progress_bar() -> None:
    terminal = progress._Terminal("clips", 2)
    terminal.advance(note="a [/red] [b].mp4")
    terminal.progress.console.print(terminal.progress.get_renderable())
