from collections.abc import Callable
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


def test_an_item_is_fetched_only_where_it_is_kept(workdir: Path) -> None:
    assert not items.fetch("ab12", workdir / "one")
    assert not (workdir / "one").exists()
    items.compute("ab12", workdir / "two", lambda part: (part / "a.txt").touch())
    assert items.fetch("ab12", workdir / "one")
    assert (workdir / "one/a.txt").is_file()


def test_an_item_that_fails_is_not_taken_for_done(workdir: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        items.compute(items.key(a=1), workdir / "out", fail)
    assert not (workdir / "out").exists()
    assert items.compute(items.key(a=1), workdir / "out", lambda _: None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda item: (item / "deep/a.txt").write_text("MADE"),
        lambda item: (item / "deep/a.txt").write_text(""),
        lambda item: (item / "deep/a.txt").unlink(),
        lambda item: (item / "extra.txt").touch(),
        lambda item: (item / items.MANIFEST).write_text("{"),
        lambda item: (item / items.MANIFEST).write_bytes(b"\xff"),
        lambda item: (item / items.MANIFEST).unlink(),
    ],
)
def test_a_damaged_item_is_told_and_made_again(
    workdir: Path, damage: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    def make(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep/a.txt").write_text("made")

    key = items.key(a=1)
    items.compute(key, workdir / "one", make)
    assert capsys.readouterr().err == ""
    damage(items.STORE / key[:2] / key)
    assert items.compute(key, workdir / "two", make)
    told = capsys.readouterr().err
    assert told.startswith(f"damaged: .idiolect/items/{key[:2]}/{key}: ")
    assert told.count("\n") == 1
    assert not items.compute(key, workdir / "three", make)
    assert items.files(workdir / "three").keys() == {"deep/a.txt"}
    assert (workdir / "three/deep/a.txt").read_text() == "made"


def test_what_an_item_was_made_with_is_recorded_and_not_given_out(workdir: Path) -> None:
    key = items.key(a=1)
    items.compute(key, workdir / "out", lambda folder: (folder / "a").write_text("a") and None)
    sha256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert items.recorded(items.STORE / key[:2] / key) == {"a": sha256}
    assert [path.name for path in (workdir / "out").iterdir()] == ["a"]


def test_a_key_depends_on_every_part_and_on_no_order() -> None:
    assert items.key(a=1, b=[2]) == items.key(b=[2], a=1)
    assert len({items.key(a=1), items.key(a=2), items.key(b=1), items.key(a="1")}) == 4
