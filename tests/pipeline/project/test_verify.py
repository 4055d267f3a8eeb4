"""Real damage in a small DVC project: the repair that each line names works."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.cli import main
from dvc.repo import Repo
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.project import verify
from pipeline.runtime import item_store
from pipeline.runtime.user_errors import MissingInput, UserError

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own

DVC_YAML = """
stages:
  copy:
    cmd: mkdir -p out/deep && cp raw/v out/deep/v && echo b > out/b && echo c > c.txt
    deps: [raw]
    outs: [out, c.txt]
  join:
    cmd: cat out/b c.txt > d.txt
    deps: [out, c.txt]
    outs: [d.txt]
"""


def dvc(*arguments: str) -> None:
    assert main(arguments) == 0, arguments


def up_to_date() -> bool:
    with Repo() as repo:
        return not repo.status()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        subprocess.run(["git", "init", "-q"], check=True)
        dvc("init", "-q")
        (root / ".dvcignore").write_text("**/.gitignore\n")
        (root / "dvc.yaml").write_text(DVC_YAML)
        (root / "raw").mkdir()
        (root / "raw/v").write_text("a video")
        dvc("add", "raw")
        dvc("repro")
        for number in (1, 2):
            item_store.compute(item_store.key(n=number), root / f"made/{number}", make)
    return root


def make(folder: Path) -> None:
    (folder / "001").mkdir()
    (folder / "001/frames").write_text("frames")
    (folder / "rows").write_text("rows")


@pytest.fixture
def project(finished: Path, workdir: Path) -> Path:
    shutil.copytree(finished, workdir, symlinks=True, dirs_exist_ok=True)
    return workdir


def flip(path: Path) -> None:
    """Change a byte as a failing disk does: size, time and mode stay."""
    before = path.stat()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cached(path: str) -> Path:
    """Find the object of a file, or a folder's listing, in DVC's cache."""
    lock = Path("dvc.lock").read_text() + Path("raw.dvc").read_text()
    if Path(path).is_dir():
        name = next(re.finditer(rf"path: {path}\n +hash: md5\n +md5: (\S+)", lock))[1]
    else:
        name = verify.digest(Path(path), "md5")
    return Path(".dvc/cache/files/md5", name[:2], name[2:])


def verify_lines(code: int) -> list[str]:
    """Run the command; return its lines."""
    result = CliRunner().invoke(app, ["verify"])
    assert result.exit_code == code, (result.stdout, result.exception)
    return result.stdout.splitlines()


def do(line: str) -> None:
    """Run the repair that a line names."""
    path, _, todo = line.removeprefix("differs: ").partition(": ")
    if "delete it" in todo:
        Path(path).unlink()
    elif deleted := re.search(r"delete (\S+):", todo):
        shutil.rmtree(deleted[1])
    for command in re.findall("`dvc ([^`]+)`", todo):
        dvc(*command.split())


@pytest.mark.parametrize(("path", "out"), [("out/deep/v", "out"), ("c.txt",) * 2, ("raw/v", "raw")])
@pytest.mark.slow
def test_a_flipped_byte_that_dvc_does_not_detect_is_reported_and_repaired(
    project: Path, path: str, out: str
) -> None:
    (last,) = verify_lines(0)
    assert last.startswith("2 items, 4 outs, 8 objects of DVC's cache, 0 MB: nothing differs")
    assert up_to_date()
    flip(Path(path))
    assert up_to_date()
    line, last = verify_lines(1)
    assert line.startswith(f"differs: {path}: expected ")
    assert f"delete it, then `dvc checkout {out}`" in line
    assert last.endswith("1 differs")
    do(line)
    verify_lines(0)


@pytest.mark.parametrize("path", ["out/b", "c.txt", "raw/v", "out", "raw"])
@pytest.mark.slow
def test_a_flipped_byte_in_dvcs_cache_is_reported_and_repaired(project: Path, path: str) -> None:
    damaged = cached(path)
    name = damaged.parent.name + damaged.name[:10]
    flip(damaged)
    line, _ = verify_lines(1)
    assert line.startswith(f"differs: {damaged}: expected {name}, found ")
    assert "`dvc commit " in line
    do(line)
    assert damaged.is_file()
    verify_lines(0)


@pytest.mark.slow
def test_a_file_that_neither_workspace_nor_cache_has_is_made_again(project: Path) -> None:
    flip(cached("out/b"))
    flip(Path("out/b"))
    of_cache, of_out, _ = verify_lines(1)
    assert of_cache.endswith("; delete it")
    assert of_out.endswith("delete it, then `dvc repro copy`")
    do(of_cache)
    do(of_out)
    assert Path("out/b").read_text() == "b\n"
    verify_lines(0)


def test_a_source_missing_in_both_must_be_copied_by_the_user(project: Path) -> None:
    flip(cached("raw/v"))
    flip(Path("raw/v"))
    lines = verify_lines(1)
    assert any(line.startswith("differs: raw/v") and "copy it again" in line for line in lines)


@pytest.mark.slow
def test_a_damaged_dvc_file_is_named_and_its_data_are_kept(project: Path) -> None:
    hash_ = next(re.finditer(r"md5: (\w{31})", Path("raw.dvc").read_text()))[1]
    damaged = f"{hash_[:20]}{'f' if hash_[20] != 'f' else 'e'}{hash_[21:]}"
    Path("raw.dvc").write_text(Path("raw.dvc").read_text().replace(hash_, damaged))
    line, _ = verify_lines(1)
    assert f"expected {damaged}" in line
    assert "keep it; restore raw.dvc from git" in line
    dvc("commit", "-f", "raw.dvc")
    verify_lines(0)


@pytest.mark.parametrize("path", ["c.txt", "out", "out/deep/v", "raw"])
@pytest.mark.slow
def test_a_missing_file_is_reported_in_one_line_and_repaired(project: Path, path: str) -> None:
    shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()
    line, _ = verify_lines(1)
    assert line.startswith(f"differs: {path}: expected ")
    assert "found nothing; `dvc checkout" in line
    do(line)
    verify_lines(0)


def test_an_extra_file_is_reported_unless_dvc_ignores_it(project: Path) -> None:
    Path("out/.gitignore").touch()
    verify_lines(0)
    Path("out/deep/extra file").write_text("extra")
    line, _ = verify_lines(1)
    assert line.startswith("differs: out/deep/extra file: expected nothing, found ")
    do(line)
    verify_lines(0)


def test_a_folder_in_the_place_of_a_file_is_named(project: Path) -> None:
    Path("c.txt").unlink()
    Path("c.txt").mkdir()
    line, _ = verify_lines(1)
    assert "found unreadable: Is a directory" in line


def test_a_folder_whose_listing_is_lost_is_verified_as_a_whole(project: Path) -> None:
    cached("out").unlink()
    verify_lines(0)
    flip(Path("out/b"))
    line, _ = verify_lines(1)
    assert line.startswith("differs: out: expected ")
    assert "which file is not known" in line
    assert line.endswith("delete it, then `dvc repro copy`")


def test_a_flipped_byte_in_the_run_cache_is_named(project: Path) -> None:
    entry = next(path for path in Path(".dvc/cache/runs").rglob("*") if path.is_file())
    entry.write_text(entry.read_text().replace("md5: ", "md5: f", 1))
    line, _ = verify_lines(1)
    assert line.startswith(f"differs: {entry}: ")
    entry.write_bytes(b"\xff\x00[")
    line, _ = verify_lines(1)
    assert "not what DVC wrote" in line
    do(line)
    verify_lines(0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda item: flip(item / "001/frames"),
        lambda item: (item / "rows").unlink(),
        lambda item: (item / "extra").touch(),
        lambda item: flip(item / item_store.MANIFEST),
    ],
)
@pytest.mark.slow
def test_a_damaged_item_of_the_store_is_reported_and_repaired(
    project: Path, damage: Callable[[Path], None]
) -> None:
    key = item_store.key(n=1)
    item = item_store.STORE / key[:2] / key
    damage(item)
    line, _ = verify_lines(1)
    assert line.startswith(f"differs: {item}/")
    do(line)
    verify_lines(0)
    assert item_store.compute(key, project / "again", make)
    verify_lines(0)


def test_an_item_of_an_older_version_is_reported_and_is_no_damage(project: Path) -> None:
    (item_store.STORE / "ab/abc").mkdir(parents=True)
    (item_store.STORE / "ab/.abd.77.part").mkdir()
    line, last = verify_lines(0)
    assert line.startswith("not recorded: items of an older version: 1; ")
    assert last.startswith("2 items, ")


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
@pytest.mark.slow
def test_links_to_the_cache_are_followed(project: Path, kind: str) -> None:
    dvc("config", "cache.type", kind)
    dvc("checkout", "--relink")
    verify_lines(0)
    flip(cached("c.txt"))
    cached_line, out_line, _ = verify_lines(1)
    assert cached_line.endswith("; delete it")
    assert out_line.startswith("differs: c.txt: ")


@pytest.mark.slow
def test_a_cache_elsewhere_is_read(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "cache"
    Path(".dvc/cache").rename(elsewhere)
    dvc("cache", "dir", str(elsewhere))
    verify_lines(0)
    flip(elsewhere / cached("c.txt").relative_to(".dvc/cache"))
    line, _ = verify_lines(1)
    assert str(elsewhere.name) in line


def test_a_project_without_a_run_is_reported_in_one_line(project: Path) -> None:
    Path("dvc.lock").unlink()
    line, last = verify_lines(0)
    assert line == "not recorded: dvc.lock does not exist; run `idiolect repro`"
    assert last.startswith("2 items, 1 outs, ")


def test_an_unreadable_lock_is_reported_in_one_line(project: Path) -> None:
    for text in ("", "stages: ["):
        Path("dvc.lock").write_text(text)
        with pytest.raises(UserError, match=r"dvc\.lock") as caught:
            verify.run()
        assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_project_is_refused(workdir: Path) -> None:
    with pytest.raises(MissingInput, match="project's folder"):
        verify.run()
