from pathlib import Path

import pytest

from pipeline import items


def test_an_item_is_made_once_and_restored_after(workdir: Path) -> None:
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "a.txt").write_text("made")

    key = items.key(input="x", params={"size": 3})
    assert items.compute(key, workdir / "out/one", make)
    assert not items.compute(key, workdir / "out/two", make)
    assert (workdir / "out/two/a.txt").read_text() == "made"
    assert len(calls) == 1


def test_an_item_that_fails_is_not_taken_for_done(workdir: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        items.compute(items.key(a=1), workdir / "out", fail)
    assert not (workdir / "out").exists()
    assert items.compute(items.key(a=1), workdir / "out", lambda _: None)


def test_a_key_depends_on_every_part_and_on_no_order() -> None:
    assert items.key(a=1, b=[2]) == items.key(b=[2], a=1)
    assert len({items.key(a=1), items.key(a=2), items.key(b=1), items.key(a="1")}) == 4
