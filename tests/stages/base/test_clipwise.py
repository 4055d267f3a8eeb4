"""The loop of all stages that work clip by clip."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pipeline.runtime.user_errors import BadFormat
from stages.base import clipwise
from stages.base.clipwise import ClipStage, Span, clip_items

OUT = Path("data/words/seen/somebody")


@dataclass(frozen=True)
class Clip:
    id: str
    frames: int = 1000
    fps: float = 25.0


@dataclass(frozen=True)
class Spans(ClipStage[Clip]):
    """Writes down which spans a clip has; refuses clips whose names begin with bad."""

    name: ClassVar[str] = "spans"

    def key(self, clip: Clip) -> dict[str, Any]:
        return {"clip": clip.id}

    def compute(self, clip: Clip, span: Span, piece: Path) -> None:
        if clip.id.startswith("bad") and span[0] > 0:
            raise BadFormat(clip.id, "expected a good one")
        time.sleep(0.01 * (span[0] == 0))
        piece.write_text(f"{span}")

    def assemble(self, clip: Clip, pieces: Sequence[Path], folder: Path) -> None:
        (folder / clipwise.TABLE).write_text(" ".join(piece.read_text() for piece in pieces))
        (folder / "count").write_text(str(len(pieces)))


@pytest.fixture(autouse=True)
def project(workdir, monkeypatch):
    monkeypatch.setattr(clipwise, "version", lambda stage: f"of {stage}")


def test_each_clip_gets_its_table_from_its_chunks_in_order():
    with clip_items(Spans(), [Clip("one"), Clip("two", 300)], OUT) as items:
        counts = [(folder / "count").read_text() for folder in items.folders]
        (items.out / "counts").write_text(" ".join(counts))
    assert items.computed == 2
    assert sorted(path.name for path in OUT.iterdir()) == ["counts", "one.parquet", "two.parquet"]
    assert (OUT / "one.parquet").read_text() == "(0, 500) (500, 1000)"
    assert (OUT / "counts").read_text() == "2 1"


def test_a_second_run_takes_every_clip_from_the_item_store():
    for computed in (1, 0):
        with clip_items(Spans(), [Clip("one")], OUT) as items:
            pass
        assert items.computed == computed
    assert (OUT / "one.parquet").read_text() == "(0, 500) (500, 1000)"


def test_a_clip_that_fails_stops_no_other_and_leaves_no_output():
    clips = [Clip("bad"), Clip("one"), Clip("two")]
    with (
        pytest.raises(BadFormat, match="bad: expected a good one"),
        clip_items(Spans(), clips, OUT),
    ):
        pass
    assert not OUT.exists()
    with clip_items(Spans(), clips[1:], OUT) as items:
        pass
    assert items.computed == 0


def test_a_subject_without_clips_has_an_empty_output():
    with clip_items(Spans(), [], OUT) as items:
        assert items.folders == []
    assert list(OUT.iterdir()) == []


@dataclass(frozen=True)
class LosesOthers(Spans):
    """Deletes, while it assembles the clip `two`, the finished item of the clip `one`."""

    def assemble(self, clip: Clip, pieces: Sequence[Path], folder: Path) -> None:
        super().assemble(clip, pieces, folder)
        if clip.id == "two":
            for lost in OUT.parent.glob(".*.part/.items/one"):
                shutil.rmtree(lost)


def test_a_clip_that_is_neither_ok_nor_failed_ends_the_stage_without_output(monkeypatch):
    monkeypatch.setenv("IDIOLECT_CORES", "1")
    with (
        pytest.raises(RuntimeError, match="clips in are not clips ok and failed"),
        clip_items(LosesOthers(), [Clip("one"), Clip("two", 300)], OUT),
    ):
        pass
    assert not OUT.exists()
