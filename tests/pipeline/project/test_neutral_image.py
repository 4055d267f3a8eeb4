"""The neutral image: a portrait is cropped and tracked, or refused."""

import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.project import neutral_image
from pipeline.runtime.user_errors import BadFormat, UserError
from stages.base.config.params import read_params
from stages.base.io.image_io import decode_jpeg, decode_png, encode_jpeg, encode_png, resize
from stages.neutral import neutral


@pytest.fixture
def photograph(empty: Path) -> Path:
    """Put a user's picture outside of data: 512 px, the face off its middle."""
    from skimage.data import astronaut

    (empty / "my pictures").mkdir()
    path = empty / "my pictures" / "me.jpg"
    path.write_bytes(encode_jpeg(astronaut()))
    return path


@pytest.mark.slow
def test_a_portrait_that_dvc_does_not_have_is_not_deleted(empty: Path) -> None:
    neutral_image.PORTRAIT.parent.mkdir(parents=True)
    neutral_image.PORTRAIT.write_bytes(b"by hand")
    with pytest.raises(UserError, match="would be lost"):
        neutral_image.use_sample()
    assert neutral_image.PORTRAIT.read_bytes() == b"by hand"


@pytest.mark.slow
def test_a_portrait_is_cropped_as_clips_are_and_tracked_and_the_original_stays(
    photograph: Path,
) -> None:
    before = photograph.read_bytes()
    cut = neutral_image.set_portrait(photograph)
    picture = decode_png(neutral_image.PORTRAIT.read_bytes())
    assert picture.shape == (cut.side, cut.side, 3)
    assert cut.side == pytest.approx(read_params()["clips"]["room"] * cut.face, abs=2)
    assert Path("data/portrait/neutral.png.dvc").is_file()
    assert photograph.read_bytes() == before
    again = neutral_image.PORTRAIT.read_bytes()
    neutral_image.set_portrait(photograph)
    assert neutral_image.PORTRAIT.read_bytes() == again


@pytest.mark.slow
def test_the_stage_takes_the_portrait_and_going_back_takes_it_away(photograph: Path) -> None:
    neutral_image.set_portrait(photograph)
    out = Path("data/neutral.png")
    neutral.run(out)
    assert out.read_bytes() == neutral_image.PORTRAIT.read_bytes()
    assert neutral_image.use_sample()
    assert not neutral_image.use_sample()
    assert not list(Path("data/portrait").glob("neutral*"))
    neutral.run(out)
    assert decode_png(out.read_bytes()).shape == (512, 512, 3)


def test_a_foreign_file_in_the_portraits_folder_is_reported(empty: Path) -> None:
    Path("data/portrait").mkdir(parents=True)
    Path("data/portrait/me.jpg").touch()
    with pytest.raises(BadFormat, match=r"found me\.jpg.*idiolect neutral"):
        neutral.run(Path("data/neutral.png"))
    Path("data/portrait/me.jpg").unlink()
    neutral_image.PORTRAIT.write_bytes(encode_png(np.zeros((8, 9, 3), np.uint8)))
    with pytest.raises(BadFormat, match="square"):
        neutral.run(Path("data/neutral.png"))
    neutral_image.PORTRAIT.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8))[:-20])
    with pytest.raises(BadFormat, match=r"^data/portrait/neutral\.png: .*whole .*idiolect neutral"):
        neutral.run(Path("data/neutral.png"))
    assert not Path("data/neutral.png").exists()


@pytest.mark.parametrize(
    ("kind", "printed"),
    [
        ("missing", "no such file"),
        ("folder", "found a folder"),
        ("pipe", "found a device or pipe"),
        ("text", "expected a whole JPEG or PNG"),
        ("torn", "expected a whole JPEG or PNG"),
        ("vast", "at most 100 megapixels, found more"),
        ("wall", "found none"),
        ("two", "found 2"),
        ("small", "px high"),
    ],
)
@pytest.mark.slow
def test_an_unusable_picture_is_reported_in_one_line_and_changes_no_file(
    photograph: Path, capfd: pytest.CaptureFixture[str], kind: str, printed: str
) -> None:
    neutral_image.set_portrait(photograph)
    before = neutral_image.PORTRAIT.read_bytes()
    face = decode_jpeg(photograph.read_bytes())[:400, 20:420]
    bad = Path("bad.png")
    if kind == "folder":
        bad.mkdir()
    elif kind == "pipe":
        os.mkfifo(bad)
    elif kind == "text":
        bad.write_text("no picture")
    elif kind == "torn":
        bad.write_bytes(encode_png(face)[:-1000])
    elif kind == "vast":
        header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
        crc = struct.pack(">I", zlib.crc32(header))
        bad.write_bytes(encode_png(face)[:12] + header + crc + encode_png(face)[33:])
    elif kind != "missing":
        pictures = {
            "wall": np.full_like(face, 128),
            "two": np.hstack([face, face]),
            "small": resize(face, 120),
        }
        bad.write_bytes(encode_png(pictures[kind]))
    capfd.readouterr()
    with pytest.raises(UserError, match=printed) as caught:
        neutral_image.set_portrait(bad)
    assert "png error" not in capfd.readouterr().err
    assert str(caught.value).startswith("bad.png: ")
    assert "\n" not in str(caught.value)
    assert neutral_image.PORTRAIT.read_bytes() == before


@pytest.mark.parametrize("arguments", [[], ["me.jpg", "--sample"]])
def test_the_command_requires_a_picture_or_the_sample(empty: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["neutral", *arguments])
    assert isinstance(result.exception, UserError)
    assert "either an image or --sample" in str(result.exception)


@pytest.mark.slow
def test_a_portrait_that_a_killed_run_left_untracked_is_tracked_by_the_next(
    photograph: Path,
) -> None:
    neutral_image.set_portrait(photograph)
    tracked = neutral_image.TRACKED.read_bytes()
    neutral_image.TRACKED.unlink()
    neutral_image.set_portrait(photograph)
    assert neutral_image.TRACKED.read_bytes() == tracked
    shutil.rmtree(".dvc/cache")
    neutral_image.set_portrait(photograph)
    neutral_image.check_portrait_is_saved()


@pytest.mark.slow
def test_no_partial_file_of_dvc_is_left_beside_a_portrait(photograph: Path) -> None:
    neutral_image.set_portrait(photograph)
    partial = neutral_image.PORTRAIT.with_name(".y8mHuooo0hGaVtuQmeKnSQ.tmp")  # of a full disk
    own = neutral_image.PORTRAIT.with_name(".own.tmp")
    for file in (partial, own):
        file.write_bytes(b"a part")
    neutral_image.TRACKED.unlink()
    neutral_image.set_portrait(photograph)
    assert not partial.exists()
    assert own.exists()


@pytest.mark.slow
def test_the_command_prints_what_it_did(photograph: Path) -> None:
    printed = CliRunner().invoke(app, ["neutral", str(photograph)])
    assert printed.exit_code == 0
    assert "me.jpg, a face of" in printed.stdout
    assert "idiolect neutral --sample" in printed.stdout
    assert "reset to" in CliRunner().invoke(app, ["neutral", "--sample"]).stdout
