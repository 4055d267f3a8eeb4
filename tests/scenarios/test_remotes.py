"""A project shared through a real SSH and a real S3 server; each clone is a machine of its own."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios import remote_servers
from tests.scenarios.machines import Machine, first_machine, second_machine, share
from tests.scenarios.remote_servers import S3, Server, Ssh

pytestmark = pytest.mark.slow
RUN_ENTRIES = 6  # of the run cache, which DVC sends each time
SECONDS = 150  # s3fs tries a lost server five times before it gives up


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return first_machine(tmp_path_factory.mktemp("first"))


@pytest.fixture(params=[Ssh, S3])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    started: Server = request.param(tmp_path / "server")
    started.start()
    yield started
    started.kill()


@pytest.fixture
def first(made: Machine, server: Server, tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "first")
    shutil.copytree(made.root, machine.root, symlinks=True)
    share(machine, server)
    return machine


def one_line(printed: str) -> str:
    lines = [line for line in printed.splitlines() if line.strip()]
    assert len(lines) == 1, printed
    assert lines[0].startswith("error: remote store: "), printed
    return lines[0]


def ends(process: "subprocess.Popen[str]") -> str:
    printed, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1, printed
    return one_line(printed)


def test_a_second_machine_restores_everything_and_can_judge_and_roll_back(
    first: Machine, server: Server, tmp_path: Path
) -> None:
    assert re.fullmatch(r"\d+ files sent\n", first.run("idiolect", "push"))
    second = second_machine(tmp_path / "second", first, server)
    assert re.fullmatch(r"\d+ files fetched\n", second.run("idiolect", "pull"))
    assert second.files() == first.files()
    assert "nothing to do" in second.run("idiolect", "repro")
    assert "Running stage" not in second.run("dvc", "repro")

    shutil.rmtree(second.project / "models")  # and again without its outs, by the run cache
    (second.project / "dvc.lock").unlink()
    printed = second.run("dvc", "repro")
    assert printed.count("is cached - skipping run") == 3
    assert "Running stage" not in printed
    assert second.files() == first.files()

    assert "champion 2, since 20" in second.run("idiolect", "champion")
    assert "quality: 0.0 → 1.0" in second.run("idiolect", "compare", "champion/1", "champion")
    assert "workspace: champion 1" in second.run("idiolect", "rollback")
    assert second.files()["models/generator.safetensors"] == b"weights 0.0"


def test_a_remote_that_dies_in_the_middle_of_a_push_costs_one_line_and_the_next_completes(
    first: Machine, server: Server, tmp_path: Path
) -> None:
    before = first.files()
    push = first.start("idiolect", "push")
    while not sum(path.stat().st_size for path in server.store.rglob("*") if path.is_file()) > 3e6:
        assert push.poll() is None, push.communicate()
        time.sleep(0.002)
    server.kill()
    assert "not sent" in ends(push)
    assert first.files() == before

    server.start()
    first.run("idiolect", "push")
    assert first.run("idiolect", "push") == f"{RUN_ENTRIES} files sent\n"
    second = second_machine(tmp_path / "second", first, server)
    second.run("idiolect", "pull")
    assert second.files() == before
    assert "nothing differs" in second.run("idiolect", "verify")


def test_a_remote_that_dies_in_the_middle_of_a_pull_costs_one_line_and_the_next_completes(
    first: Machine, server: Server, tmp_path: Path
) -> None:
    first.run("idiolect", "push")
    second = second_machine(tmp_path / "second", first, server)
    cache = second.project / ".dvc/cache/files"
    pull = second.start("idiolect", "pull")
    while not sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) > 3e6:
        assert pull.poll() is None, pull.communicate()
        time.sleep(0.002)
    server.kill()
    assert "not fetched" in ends(pull)

    server.start()
    second.run("idiolect", "pull")
    assert second.files() == first.files()
    assert "Running stage" not in second.run("dvc", "repro")
    assert "nothing differs" in second.run("idiolect", "verify")


def test_a_remote_that_denies_writing_costs_one_line_and_can_still_be_read(
    first: Machine, server: Server, tmp_path: Path
) -> None:
    first.run("idiolect", "push")
    (first.project / "data/raw/ann/new.mp4").write_bytes(b"new")
    first.run("dvc", "add", "-q", "data/raw/ann")
    server.kill()
    server.start(read_only=True)
    assert re.search(r"files? not sent: ", one_line(first.run("idiolect", "push", code=1)))
    second = second_machine(tmp_path / "second", first, server)
    second.run("idiolect", "pull")
    assert "Running stage" not in second.run("dvc", "repro")

    server.kill()
    server.start()
    assert first.run("idiolect", "push") == f"{RUN_ENTRIES + 2} files sent\n"


def test_a_remote_that_accepts_connections_and_never_answers_costs_a_minute_and_one_line(
    first: Machine, server: Server
) -> None:
    server.kill()
    with remote_servers.silent(server):
        assert "files not sent: no answer within 45 s" in ends(first.start("idiolect", "push"))


def test_a_remote_that_refuses_the_key_costs_one_line(first: Machine, server: Server) -> None:
    server.refuse()
    assert "files not sent" in one_line(first.run("idiolect", "push", code=1))
    assert "files not fetched" in one_line(first.run("idiolect", "pull", code=1))


def test_a_full_remote_costs_one_line_and_the_next_push_completes_when_there_is_room(
    first: Machine, server: Server, tmp_path: Path
) -> None:
    with remote_servers.small_disk(server, megabytes=10):
        line = one_line(first.run("idiolect", "push", code=1))
        assert re.search(r"\d+ files? not sent: ", line)
    first.run("idiolect", "push")
    second = second_machine(tmp_path / "second", first, server)
    second.run("idiolect", "pull")
    assert second.files() == first.files()


def test_without_a_default_remote_one_line_says_how_to_add_one(made: Machine) -> None:
    printed = made.run("idiolect", "push", code=1)
    assert printed == "error: dvc: has no default remote; `dvc remote add -d store URL`\n"
