from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.runtime import item_store


def test_an_item_is_made_once_and_restored_later(workdir: Path) -> None:
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "a.txt").write_text("made")

    key = item_store.key(input="x", params={"size": 3})
    assert item_store.compute(key, workdir / "out/one", make)
    assert not item_store.compute(key, workdir / "out/two", make)
    assert (workdir / "out/two/a.txt").read_text() == "made"
    assert len(calls) == 1


def test_only_a_stored_item_is_fetched(workdir: Path) -> None:
    assert not item_store.fetch("ab12", workdir / "one")
    assert not (workdir / "one").exists()
    item_store.compute("ab12", workdir / "two", lambda part: (part / "a.txt").touch())
    assert item_store.fetch("ab12", workdir / "one")
    assert (workdir / "one/a.txt").is_file()


def test_a_failed_item_is_not_stored(workdir: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        item_store.compute(item_store.key(a=1), workdir / "out", fail)
    assert not (workdir / "out").exists()
    assert item_store.compute(item_store.key(a=1), workdir / "out", lambda _: None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda item: (item / "deep/a.txt").write_text("MADE"),
        lambda item: (item / "deep/a.txt").write_text(""),
        lambda item: (item / "deep/a.txt").unlink(),
        lambda item: (item / "extra.txt").touch(),
        lambda item: (item / item_store.MANIFEST).write_text("{"),
        lambda item: (item / item_store.MANIFEST).write_bytes(b"\xff"),
        lambda item: (item / item_store.MANIFEST).unlink(),
    ],
)
def test_a_damaged_item_is_reported_and_made_again(
    workdir: Path, damage: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    def make(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep/a.txt").write_text("made")

    key = item_store.key(a=1)
    item_store.compute(key, workdir / "one", make)
    assert capsys.readouterr().err == ""
    damage(item_store.STORE / key[:2] / key)
    assert item_store.compute(key, workdir / "two", make)
    message = capsys.readouterr().err
    assert message.startswith(f"damaged: .idiolect/items/{key[:2]}/{key}: ")
    assert message.count("\n") == 1
    assert not item_store.compute(key, workdir / "three", make)
    assert item_store.files(workdir / "three").keys() == {"deep/a.txt"}
    assert (workdir / "three/deep/a.txt").read_text() == "made"


def test_the_manifest_of_an_item_is_recorded_and_not_copied_out(workdir: Path) -> None:
    key = item_store.key(a=1)
    item_store.compute(key, workdir / "out", lambda folder: (folder / "a").write_text("a") and None)
    sha256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert item_store.recorded(item_store.STORE / key[:2] / key) == {"a": sha256}
    assert [path.name for path in (workdir / "out").iterdir()] == ["a"]


def test_a_key_depends_on_every_part_and_on_no_order() -> None:
    assert item_store.key(a=1, b=[2]) == item_store.key(b=[2], a=1)
    assert (
        len({item_store.key(a=1), item_store.key(a=2), item_store.key(b=1), item_store.key(a="1")})
        == 4
    )
