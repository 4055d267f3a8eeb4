"""The studio, in a real browser, with real uploads."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml

from stages.base.io.wav_files import write_wav
from tests.conftest import REPO
from tests.pipeline.report.browser import open_browser
from tests.pipeline.studio.running import COMMAND, Studio, choose, click, running
from tests.stages.portrait.pictures import SECTIONS, astronaut_picture, write
from tests.stages.render.project import write_project

pytest.importorskip("gradio", reason="needs the extra studio")
pytestmark = pytest.mark.slow
CUT = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a face, and voices of one second and of a minute."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("project"))
    write_project()
    params = yaml.safe_load(Path("params.yaml").read_text()) | SECTIONS
    Path("params.yaml").write_text(yaml.safe_dump(params))
    write(astronaut_picture(), Path("face.jpg"))
    write(np.full((300, 300, 3), 90, np.uint8), Path("wall.jpg"))
    noise = np.random.default_rng(0).normal(0, 0.1, 960000)
    write_wav(Path("voice.wav"), noise[:16000])
    write_wav(Path("minute.wav"), noise)
    yield Path.cwd()
    os.chdir(before)


@pytest.fixture
def studio(project: Path) -> Iterator[Studio]:
    with running() as started:
        yield started


def test_an_uploaded_portrait_speaks_an_uploaded_voice_with_the_network_cut(project: Path) -> None:
    permitted = shutil.which("unshare") and not subprocess.call([*CUT, "true"])
    cut = CUT if permitted else []  # where it is not, the requests of the browser say it alone
    command = [*cut, sys.executable, "-m", "tests.pipeline.studio.running"]
    env = os.environ | {"PYTHONPATH": str(REPO)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    seconds, width, error = found["played"]
    assert width >= 64, found
    assert "Settings (YAML)" in found["text"]
    assert error is None, found
    assert seconds == pytest.approx(1, abs=0.1)
    assert (found["foreign"], found["console"]) == ([], [])
    assert (found["code"], found["errors"], found["left"]) == (130, "", [])  # Ctrl-C


def renders(studio: Studio) -> list[psutil.Process]:
    return [
        p for p in psutil.Process(studio.process.pid).children(recursive=True) if p.is_running()
    ]


def wait_for(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.1)


def test_cancel_and_a_closed_page_kill_the_render(studio: Studio) -> None:
    with open_browser() as browser:
        choose(browser, studio, Path("face.jpg"), Path("minute.wav"))
        click(browser, "render")
        browser.wait("document.querySelector('#stage progress')?.value > 0", 120)
        assert renders(studio)
        click(browser, "cancel")
        browser.wait("document.querySelector('.failed')?.innerText == 'cancelled'")
        assert not renders(studio)
        click(browser, "render")
        wait_for(lambda: renders(studio))
    wait_for(lambda: not renders(studio))


def test_a_picture_without_a_face_is_one_line_on_the_page(studio: Studio) -> None:
    with open_browser() as browser:
        choose(browser, studio, Path("wall.jpg"), Path("voice.wav"))
        click(browser, "render")
        browser.wait("!!document.querySelector('.failed')", 120)
        line = browser.value("document.querySelector('.failed').innerText")
        assert line.startswith("wall.jpg: expected one face, found none"), line
        assert not browser.value("!!document.querySelector('#result')")


def test_a_terminated_studio_leaves_no_render_and_no_file(studio: Studio) -> None:
    with open_browser() as browser:
        choose(browser, studio, Path("face.jpg"), Path("minute.wav"))
        click(browser, "render")
        wait_for(lambda: renders(studio))
        started = renders(studio)
        code, errors = studio.stop(signal.SIGTERM)
    assert (code, errors) == (128 + signal.SIGTERM, "")
    assert not [p for p in started if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not list(studio.temporary.glob("idiolect-studio-*"))


def ask(studio: Studio, path: str, host: str = "") -> int:
    """Return the HTTP status of an address."""
    port = int(studio.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {host or f'127.0.0.1:{port}'}",
            "Connection: close",
        )
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.recv(100).split()[1])


def test_only_this_machine_and_only_the_pages_files_are_answered(studio: Studio) -> None:
    assert ask(studio, "/") == 200
    assert ask(studio, "/", host="a.example") == 400
    assert ask(studio, f"/gradio_api/file={Path.cwd()}/params.yaml") == 403
    assert ask(studio, "/raw/../../params.yaml") == 404
    listening = psutil.Process(studio.process.pid).net_connections("tcp")
    assert {c.laddr.ip for c in listening if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def run(*command: str) -> tuple[int, str]:
    env = os.environ | {"PYTHONPATH": str(REPO)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_a_port_in_use_is_one_line(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        expected = (
            f"error: port {port}: address already in use; name another: --port 0 takes a free one\n"
        )
        assert run(*COMMAND, f"--port={port}") == (1, expected)


def test_without_gradio_one_line_says_how_to_install_it(project: Path) -> None:
    code = (
        "import sys; sys.modules['gradio'] = None; sys.argv = ['idiolect', 'studio']\n"
        "from pipeline.cli.app import main; main()"
    )
    todo = "pip install -c constraints.txt -e '.[studio]'"
    assert run(sys.executable, "-c", code) == (1, f"error: gradio: is not installed; {todo}\n")
