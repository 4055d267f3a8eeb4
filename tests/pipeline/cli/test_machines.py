"""The command under what shells and containers impose: it works, or one line says what to set."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.execution import project_lock
from pipeline.execution.dvc_files import RWLOCK
from pipeline.runtime.user_errors import UserError
from tests.conftest import REPO

MAIN = "from pipeline.cli.app import main; main()"
COMMANDS = (
    *("champion", "promote", "compare champion", "rollback", "repro", "demo", "sample"),
    *("experiments", "metrics", "ablate", "preset tiny", "remove ann", "neutral --sample"),
    *("render --identity a --audio b.wav --out c.mp4", "add a.mp4 --subject ann"),
    *("retrain --inbox . --subject ann", "serve --inbox . --subject ann"),
    "evaluate --real . --generated .",
)


@pytest.fixture
def project(workdir: Path) -> Path:
    """Give the files that make a folder a project, without results."""
    for name in ("params.yaml", "dvc.yaml", "versions.yaml", ".gitignore", ".dvc/config"):
        (workdir / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPO / name, workdir / name)
    subprocess.run(["git", "init", "-q"], check=True)
    return workdir


def idiolect(
    *arguments: str, shell: str = "", python: str = sys.executable, **env: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own, after `shell` in its shell."""
    return subprocess.run(
        ["bash", "-c", f'{shell}\nexec "$0" -c "{MAIN}" "$@"', python, *arguments],
        env=os.environ | {"PYTHONPATH": str(REPO)} | env,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )


CHANGES = (
    *("add a.mp4 --subject ann", "remove sample_calm", "sample", "neutral --sample", "preset tiny"),
    *("promote", "promote --dry", "rollback", "pull"),
)


@pytest.mark.parametrize("command", CHANGES)
def test_no_command_changes_the_project_beside_a_run(
    command: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.cli.app import main

    monkeypatch.setattr(sys, "argv", ["idiolect", *command.split()])
    with project_lock.hold():
        before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
        with pytest.raises(SystemExit) as end:
            main()
        after = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    assert end.value.code == 1
    assert before == after
    assert capsys.readouterr().err.startswith("error: this project: is run by `idiolect")


def test_a_run_whose_arguments_are_no_text_is_named_too(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["idiolect", "add", "caf\udce9.mp4"])
    named = r"is run by `idiolect add 'caf\\udce9\.mp4'`"
    with project_lock.hold(), pytest.raises(UserError, match=named), project_lock.hold():
        pass


@pytest.mark.parametrize("command", CHANGES)
def test_no_command_changes_the_project_beside_dvc_repro(
    command: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.cli.app import main

    monkeypatch.setattr(sys, "argv", ["idiolect", *command.split()])
    code = "import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, "dvc", "repro"]) as running:
        RWLOCK.parent.mkdir(parents=True)
        entry = {"pid": running.pid, "cmd": "dvc repro"}
        RWLOCK.write_text(json.dumps({"write": {"models": entry}}))
        with pytest.raises(SystemExit) as end:
            main()
        running.kill()
    assert end.value.code == 1
    assert f"process {running.pid}, since " in capsys.readouterr().err


def test_nothing_is_written_in_a_folder_that_is_no_project(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.cli.app import main

    for folder, missing in (("docs", ".dvc"), ("other", "versions.yaml")):
        Path(folder).mkdir()
        monkeypatch.chdir(project / folder)
        if folder == "other":  # a project of DVC that is not ours
            Path(".dvc").mkdir()
            Path("dvc.yaml").write_text("stages: {}\n")
            Path("params.yaml").write_text("a: 1\n")
        before = sorted(Path().rglob("*"))
        for command in COMMANDS:
            monkeypatch.setattr("sys.argv", ["idiolect", *command.split()])
            with pytest.raises(SystemExit) as ended:
                main()
            error = capsys.readouterr().err
            assert ended.value.code == 1
            assert error.startswith(f"error: {missing}: not found in "), command
            assert str(project) in error
            assert error.count("\n") == 1
        assert sorted(Path().rglob("*")) == before
        monkeypatch.chdir(project)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "env"),
    [
        ("exec 0<&- 2>&-", {}),
        ("exec 1>&-", {}),
        ("ulimit -n 64; umask 077", {"LANG": "C", "LC_ALL": "C"}),
        ("", {"PYTHONWARNINGS": "error"}),
        ("", {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}),
        ("", {"PYTHONIOENCODING": "ascii"}),
        ("unset USER LOGNAME HOME", {}),
        ("", {"HOME": "/proc", "XDG_CACHE_HOME": ""}),
        ("export HOME=/nonexistent TMPDIR=/nonexistent", {}),
    ],
)
def test_a_command_works_under_settings_of_the_shell(
    project: Path, shell: str, env: dict[str, str]
) -> None:
    text = Path("params.yaml").read_text().replace("# Every", "# Ä → Every")
    Path("params.yaml").write_text(text)
    done = idiolect("preset", "tiny", shell=shell, **env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert Path("params.yaml").read_text().startswith("# Ä → Every")


@pytest.mark.slow
@pytest.mark.parametrize(
    "env", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_a_command_that_only_prints_fails_where_nobody_can_read_it(
    project: Path, env: dict[str, str]
) -> None:
    done = idiolect("metrics", shell="exec 1>&-", **env)  # noqa: S604 - it is bash's
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output: is closed; ")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("columns", ["0", "1", "19"])
def test_help_is_readable_in_a_terminal_of_any_width(project: Path, columns: str) -> None:
    assert "champion" in idiolect("--help", COLUMNS=columns).stdout


@pytest.mark.slow
def test_a_full_disk_and_a_limit_of_file_size_are_one_line(project: Path) -> None:
    for name, shell, message in (
        ("tiny", "exec >/dev/full", "no space left on device; make room"),
        (
            "paper",
            "ulimit -f 1",
            "file too large; raise the limit of file size: `ulimit -f unlimited`",
        ),
    ):
        done = idiolect("preset", name, shell=shell)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert Path("params.yaml").read_text().startswith("# Every")


@pytest.mark.slow
def test_too_few_open_files_name_the_limit(project: Path) -> None:
    done = idiolect("repro", "--dry", shell="ulimit -n 10")  # noqa: S604 - bash
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "too many open files; raise the limit of open files: `ulimit -n 4096`" in done.stderr


@pytest.mark.slow
def test_a_user_id_without_a_name_and_a_home_uses_the_projects(project: Path) -> None:
    from pipeline.runtime.machine_settings import HOME

    code = (
        "import getpass, os, pwd; from pathlib import Path\n"
        "from pipeline.runtime.machine_settings import use_writable_home as use\n"
        "use(); assert getpass.getuser() == pwd.getpwuid(os.getuid()).pw_name\n"
        "pwd.getpwuid = {}.__getitem__  # as where no user id has an entry\n"
        "use(); from stages.base.training.pretrained import folder\n"
        "print(getpass.getuser(), folder(), os.environ['PREFECT_HOME'])"
    )
    env = {k: v for k, v in os.environ.items() if k not in ("USER", "LOGNAME", "PREFECT_HOME")}
    for name in ("LNAME", "USERNAME", "XDG_CACHE_HOME"):
        env.pop(name, None)
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=env | {"HOME": "/proc", "PYTHONPATH": str(REPO)},
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    home = project.resolve() / HOME
    assert printed == [
        f"user{os.getuid()}",
        str(home / ".cache/idiolect/weights"),
        str(home / ".prefect"),
    ]
    assert not home.exists()


def test_local_servers_are_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    from urllib.request import proxy_bypass

    from pipeline.runtime.machine_settings import reach_this_machine_directly

    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    reach_this_machine_directly()
    for host in ("127.0.0.1:4200", "localhost"):
        assert proxy_bypass(host)
    assert os.environ["NO_PROXY"].startswith("example.org,")
    assert not proxy_bypass("bucket.example.com")
