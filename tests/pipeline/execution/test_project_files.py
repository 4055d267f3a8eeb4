"""YAML files that no user writes are refused in one line, before a parser reads them."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.execution import project_files
from pipeline.runtime.user_errors import BadFormat, BadParams
from tests.conftest import REPO

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
MERGES = "m0: &m0 {a: 1, b: 2}\n" + "".join(
    f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 9)}]}}\n" for i in range(1, 9)
)
HOSTILE = {
    "a billion laughs": (LAUGHS, "more than 100000 values when its aliases"),
    "merged laughs": (MERGES, "more than 100000 values when its aliases"),
    "an alias of itself": ("a: &a [*a]\n", "more than 100000 values when its aliases"),
    "a million keys": ("".join(f"k{i}: 1\n" for i in range(10**6)), "expected at most 256 KB"),
    "deep lists": ("a: " + "[" * 5000 + "]" * 5000 + "\n", "nested more than 100 levels"),
    "deep dashes": ("a:\n  " + "- " * 5000 + "1\n", "nested more than 100 levels"),
    "deep mappings": ("{a: " * 5000 + "1" + "}" * 5000 + "\n", "nested more than 100 levels"),
}


@pytest.fixture
def project(workdir: Path) -> Path:
    for name in ("params.yaml", "dvc.yaml", "versions.yaml", "promotion.yaml"):
        shutil.copy(REPO / name, name)
    (workdir / ".dvc").mkdir()
    return workdir


def test_the_files_of_this_project_pass(project: Path) -> None:
    project_files.check()


def test_a_user_may_write_a_value_once_and_refer_to_it(project: Path) -> None:
    with Path("params.yaml").open("a") as file:
        file.write("kinds: &kinds {a: [1, 2], b: 2}\nmore: [*kinds, *kinds]  # [[[[ no bracket\n")
    project_files.check()


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml"])
def test_a_hostile_file_is_refused_at_once(project: Path, kind: str, name: str) -> None:
    text, found = HOSTILE[kind]
    Path(name).write_text(text)
    begin = time.process_time()
    with pytest.raises(BadParams, match=found) as caught:
        project_files.check()
    assert time.process_time() - begin < 2.0
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("command", ["verify", "doctor", "repro"])
@pytest.mark.slow
def test_every_command_refuses_it_in_one_line(project: Path, command: str) -> None:
    Path("params.yaml").write_text(LAUGHS)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli.app", command],
        env={"PYTHONPATH": str(REPO), "PATH": "/usr/bin:/bin", "HOME": str(project)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: has more than 100000 values")
    assert (done.stderr.count("\n"), done.stdout) == (1, "")


def dvc_file() -> Path:
    """Return where a person's .dvc file stands, in a folder that exists."""
    path = Path("data/raw/ann.dvc")
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("path", ["../../../outside.mp4", "/etc/hostname", "s3://bucket/video"])
def test_a_dvc_file_that_names_a_path_outside_is_refused(project: Path, path: str) -> None:
    tracked = dvc_file()
    tracked.write_text(f"outs:\n- md5: 0123456789abcdef0123456789abcdef\n  path: {path}\n")
    with pytest.raises(BadFormat, match=r"ann\.dvc: tracks '.*', outside of its own folder"):
        project_files.check()
    tracked.write_text("wdir: ../../..\nouts:\n- md5: 0123\n  path: ann\n")
    with pytest.raises(BadFormat, match=r"tracks '\.\./\.\./\.\.', outside"):
        project_files.check()
    tracked.write_text("outs:\n- md5: 0123456789abcdef0123456789abcdef\n  path: ann\n")
    project_files.check()


@pytest.mark.parametrize("outs", ["[{md5: 0123}]", "[path]", "null", "[]", "{path: 1}", "3"])
def test_a_dvc_file_without_a_path_is_named(project: Path, outs: str) -> None:
    tracked = dvc_file()
    tracked.write_text(f"outs: {outs}\n")
    with pytest.raises(BadFormat, match=r"ann\.dvc: expected `outs` with a path each, found "):
        project_files.check()
