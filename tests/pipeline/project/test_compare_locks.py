import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.project import compare_locks
from pipeline.runtime.user_errors import MissingInput, UserError

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own

LOCK = """schema: '2.0'
stages:
  first:
    cmd: a
    params:
      params.yaml: {rate: 1}
    outs:
    - {path: a.txt, md5: aa}
  second:
    cmd: b
    deps:
    - {path: a.txt, md5: aa}
    outs:
    - {path: out/b, md5: bb}
    - {path: longer/name, md5: cc.dir}
"""


@pytest.fixture
def lock(workdir: Path) -> Path:
    Path("dvc.lock").write_text(LOCK)
    return Path("dvc.lock")


def compared(capsys: pytest.CaptureFixture[str], old: str, new: str) -> tuple[int, str]:
    assert old in LOCK
    Path("other.lock").write_text(LOCK.replace(old, new))
    code = compare_locks.compare(Path("other.lock"))
    return code, capsys.readouterr().out


def test_equal_locks_reproduce_in_an_aligned_table(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = compared(capsys, "cmd: a", "cmd: a")
    assert code == 0
    assert "second  longer/name  same\n" in out
    assert "first   a.txt        same\n" in out
    assert out.endswith("2 of 2 stages reproduce to the byte\n")


def test_a_stage_that_differs_first_is_distinguished_from_those_after_it(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = compared(capsys, "md5: aa", "md5: a1")
    assert code == 1
    assert re.search(r"first +a\.txt +differs, from the same inputs\n", out)
    assert out.endswith("1 of 2 stages reproduce to the byte\n")
    code, out = compared(capsys, "md5: bb", "md5: b1")
    assert (code, out.count("differs")) == (1, 1)
    both = LOCK.replace("md5: aa", "md5: a1").replace("md5: bb", "md5: b1")
    Path("other.lock").write_text(both)
    compare_locks.compare(Path("other.lock"))
    out = capsys.readouterr().out
    assert re.search(r"second +out/b +differs, as do its inputs\n", out)
    code, out = compared(capsys, "rate: 1", "rate: 2")
    assert (code, out.count("same\n")) == (0, 3)
    Path("other.lock").write_text(LOCK.replace("rate: 1", "rate: 2").replace("md5: aa", "md5: a1"))
    compare_locks.compare(Path("other.lock"))
    assert re.search(r"first +a\.txt +differs, as do its inputs\n", capsys.readouterr().out)


def test_an_out_of_only_one_lock_is_no_failure(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = compared(capsys, "  second:", "  third:")
    assert code == 0
    assert re.search(r"second +out/b +only here\n", out)
    assert re.search(r"third +out/b +only there\n", out)
    assert out.endswith("1 of 1 stages reproduce to the byte\n")


@pytest.mark.parametrize(
    "content", [b"", b"a: [", b"a: 1", b"\xff\x00", b"stages: [1]", b"stages: {a: {outs: [{}]}}"]
)
def test_a_file_that_is_no_lock_is_reported_in_one_line(lock: Path, content: bytes) -> None:
    Path("other.lock").write_bytes(content)
    with pytest.raises(UserError, match=r"^other\.lock: ") as caught:
        compare_locks.compare(Path("other.lock"))
    assert "\n" not in str(caught.value)


def test_a_missing_lock_is_reported_in_one_line(lock: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.lock"):
        compare_locks.compare(Path("none.lock"))
    lock.rename("other.lock")
    with pytest.raises(MissingInput, match=r"dvc\.lock.*idiolect repro"):
        compare_locks.compare(Path("other.lock"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished")
    (root / "dvc.yaml").write_text("stages:\n  one: {cmd: echo a > a.txt, outs: [a.txt]}\n")
    dvc = [sys.executable, "-m", "dvc"]
    for command in (["git", "init", "-q"], [*dvc, "init", "-q"], [*dvc, "repro", "-q"]):
        subprocess.run(command, check=True, cwd=root)
    return root


@pytest.fixture
def project(finished: Path, workdir: Path) -> Path:
    shutil.copytree(finished, workdir, symlinks=True, dirs_exist_ok=True)
    return workdir


def verify(*arguments: str) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(app, ["verify", *arguments])
    return result.exit_code, result.stdout, result.exception


@pytest.mark.slow
def test_a_written_lock_has_the_cpu_and_is_compared_with(project: Path) -> None:
    code, out, _ = verify("--write-lock", "docs/sample.lock")
    assert (code, out.splitlines()[-1]) == (0, "written: docs/sample.lock")
    text = Path("docs/sample.lock").read_text()
    assert "# CPU: " in text
    assert text.endswith(Path("dvc.lock").read_text())
    code, out, _ = verify("--against", "docs/sample.lock")
    assert code == 0
    here, there = re.findall(r"CPU .*?: +(.*)", out)
    assert there.startswith(here)
    assert "1 of 1 stages" in out
    shutil.copy("docs/sample.lock", "dvc.lock")  # it is a lock that DVC reads
    assert verify()[0] == 0


@pytest.mark.slow
def test_no_lock_is_written_without_recorded_outs(project: Path) -> None:
    Path("a.txt").write_text("b")
    code, out, _ = verify("--write-lock", "sample.lock")
    assert code == 1
    assert "differs: a.txt" in out
    Path("a.txt").write_text("a\n")
    with Path("dvc.yaml").open("a") as file:
        file.write("  two: {cmd: touch b, outs: [b]}\n")
    _, _, problem = verify("--write-lock", "sample.lock")
    assert "not recorded" in str(problem)
    assert not Path("sample.lock").exists()


@pytest.mark.slow
def test_the_two_options_of_verify_exclude_each_other(project: Path) -> None:
    _, _, problem = verify("--write-lock", "a", "--against", "b")
    assert isinstance(problem, UserError)
