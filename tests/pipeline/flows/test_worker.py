"""A server, a work pool and a worker of one's own, by the commands of docs/how-to.md."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from pipeline.flows import server
from tests.conftest import REPO
from tests.pipeline.promotion import promoted
from tests.stages.clips.small_media import face_clip

pytest.importorskip("prefect", reason="needs the extra `flows`")


def commands(port: int) -> str:
    """Take the commands out of the docs, for this project and a free port."""
    text = (REPO / "docs/how-to.md").read_text()
    block = r"^ +prefect server start.*?^ +prefect worker start[^\n]*\n"
    found = re.search(block, text, re.DOTALL | re.MULTILINE)
    assert found
    script = "\n".join(line.strip() for line in found[0].splitlines())
    answers = f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2> /dev/null; do sleep 0.2; done"
    for old, new in (
        ("--host 127.0.0.1 &\n", f"--host 127.0.0.1 --port {port} &\n{answers}\n"),
        ("127.0.0.1:4200", f"127.0.0.1:{port}"),
        ('"videos/new", "subject": "anna"', '"in", "subject": "ann", "check_project": False'),
        ('name="anna"', 'name="ann"'),
    ):
        assert script.count(old) == 1, old
        script = script.replace(old, new)
    return f"set -e\n{script}\nprefect deployment run retrain/ann --watch\n"


@pytest.mark.slow
def test_a_worker_takes_in_a_good_video_and_promotes_by_the_commands_of_the_docs(
    project: Path,
) -> None:
    Path("pipeline").symlink_to(REPO / "pipeline")
    promoted.git("add", "pipeline")
    promoted.git("commit", "-qm", "the flow's code")
    promoted.edit(quality=1.0)
    good = face_clip(Path("in/good.mp4"), 100, 256)
    Path("in/text.mp4").write_text("this is no video")
    with server.free_port() as port:
        pass
    log = project.parent / f"{project.name}.log"
    with log.open("w") as out:
        shell = subprocess.Popen(
            ["bash", "-c", commands(port)], stdout=out, stderr=out, start_new_session=True
        )
    try:
        assert shell.wait(400) == 0, log.read_text()
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
    output = log.read_text()
    assert "finished successfully in 'Promoted'" in output, output[-6000:]
    assert "text.mp4: not a video" in output
    assert Path("data/raw/ann/good.mp4").read_bytes() == good.read_bytes()
    assert promoted.git("tag") == "champion/1"
    assert "data/raw/ann.dvc" in promoted.git("show", "--name-only", "champion/1")
