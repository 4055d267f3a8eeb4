"""What is chosen in the studio becomes arguments of `idiolect render`, or one line."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.runtime.user_errors import UserError
from pipeline.studio.choice import PERSON, PORTRAIT, VIDEO, Choice
from pipeline.studio.uploads import KEEP_SECONDS, Workspace
from stages.base.io.wav_files import write_wav


def choice(**changes: Any) -> Choice:
    values = {"face": PERSON, "person": "ann", "portrait": None, "video": None, "style": "bob"}
    return Choice(**values | {"voice": "voice.wav", "controls": {}} | changes)


@pytest.fixture(autouse=True)
def voice(workdir: Path) -> None:
    write_wav(Path("voice.wav"), np.zeros(16000))


def test_controls_that_are_left_alone_are_not_arguments() -> None:
    untouched = {"mouth": 1, "head": 1.0, "blinks": "", "gaze": "style", "start": "0"}
    plain = ["--out=a.mp4", "--identity=ann", "--style=bob", "--audio=voice.wav"]
    assert choice(controls=untouched).arguments(Path("a.mp4")) == plain
    changed = choice(controls=untouched | {"mouth": 1.2, "seed": "7", "fps": "12.5"}).arguments(
        Path("a.mp4")
    )
    assert changed == [*plain, "--mouth=1.2", "--seed=7", "--fps=12.5"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"voice": None}, "voice: none given; upload or record one"),
        ({"style": None}, "style: none chosen; choose a person"),
        ({"person": None}, "face: no person is trained yet; run `idiolect repro`"),
        ({"face": PORTRAIT}, "face: none given; upload a picture"),
        ({"face": VIDEO}, "face: none given; choose a video"),
        ({"voice": "text.wav"}, "text.wav: cannot be decoded as audio; upload an audio file"),
        ({"controls": {"mouth": 3}}, "mouth: expected 0 to 2, found 3"),
        ({"controls": {"fps": "fast"}}, "fps: expected a number, found fast"),
        (
            {"controls": {"seed": "inf"}},
            "seed: expected a whole number from 0 to 4294967295, found inf",
        ),
        ({"controls": {"size": "65"}}, "size: expected an even number, found 65"),
        (
            {"face": PORTRAIT, "portrait": "large.jpg"},
            "large.jpg: 31 MB (at most 30 MB); upload a smaller picture",
        ),
        (
            {"voice": "long.wav"},
            (
                "long.wav: 601 s of sound (at most 600 s in the studio); "
                "set a duration, or use `idiolect render`"
            ),
        ),
    ],
)
def test_what_is_missing_or_too_large_is_one_line(changes: dict[str, Any], message: str) -> None:
    Path("text.wav").write_text("no sound")
    with Path("large.jpg").open("wb") as file:
        file.truncate(31_000_000)
    write_wav(Path("long.wav"), np.zeros(601 * 16000))
    with pytest.raises(UserError) as error:
        choice(**changes).arguments(Path("a.mp4"))
    assert str(error.value) == message


def test_a_part_of_a_long_voice_may_be_rendered() -> None:
    write_wav(Path("long.wav"), np.zeros(601 * 16000))
    part = choice(voice="long.wav", controls={"duration": "5"}).arguments(Path("a.mp4"))
    assert part[-1] == "--duration=5"
    assert choice(voice="long.wav", controls={"start": "100"}).arguments(Path("a.mp4"))


def test_old_results_are_deleted(workdir: Path) -> None:
    workspace = Workspace(workdir)
    folders = []
    for age in range(12, 0, -1):
        folders.append(workspace.new_render())
        os.utime(folders[-1], times=(folders[-1].stat().st_mtime - age,) * 2)
    assert [folder.exists() for folder in folders] == [False] * 4 + [True] * 8
    os.utime(folders[-1], (0, folders[-1].stat().st_mtime - KEEP_SECONDS - 1))
    workspace.new_render()
    assert not folders[-1].exists()
