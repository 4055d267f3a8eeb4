"""The data half gives the same bytes on one core, on several, and on a Dask cluster."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from pipeline.runtime import process_pool
from stages.base.clipwise import chunk_spans
from stages.base.config.params import read_params
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.encoding import encode_video
from stages.base.io.wav_files import write_wav
from stages.clips.artifacts import LEDGER
from stages.clips.clips import run as cut
from stages.clips.frames import Frames
from stages.clips.params import ClipsParams
from stages.landmarks.artifacts import LANDMARKS
from stages.landmarks.backend import MeshBackend
from stages.landmarks.landmarks import run as find
from stages.parsing.params import ParsingParams
from stages.parsing.parsing import run as parse
from stages.speech.params import SpeechParams
from stages.speech.speech import run as listen
from tests.stages.landmarks.conftest import REPO, SUBJECT, astronaut, write_subject
from tests.stages.landmarks.settings import PARAMS

CLIPS = ClipsParams(**read_params(REPO / "params.yaml")["clips"])
FPS, COUNT = 5, 260  # at 5 frames a second a clip of 52 s has three chunks
OUTS = ("clips", "landmarks", "parsing", "speech")


def shift(i: int) -> tuple[int, int]:
    """How far to the right and down the whole picture has moved, in pixels."""
    return round(6 + 6 * np.sin(i / 9)), round(3 + 3 * np.sin(i / 7))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one long clip, and one raw video of another subject."""
    root = tmp_path_factory.mktemp("project")
    home = Path.cwd()
    os.chdir(root)
    try:
        folder = write_subject({"walk-001": [astronaut(*shift(i)) for i in range(COUNT)]})
        ledger = tables.read(folder / "clips.parquet", LEDGER)
        tables.write(folder / "clips.parquet", LEDGER, ledger | {"fps": [FPS]})
        time = np.arange(16000 * COUNT // FPS) / 16000
        voice = np.sin(900 * time) * (np.sin(12 * time) > 0) * (time < 14) * 0.3
        write_wav(folder / "walk-001" / "audio.wav", voice.astype(np.float32))
        raw = Path("data/raw/other")
        raw.mkdir(parents=True)
        pictures = [astronaut(right=i % 5) for i in range(60)]
        encode_video(raw / "one.mp4", pictures, 25, (voice[:38400].astype(np.float32), 16000))
        encode_video(raw / "two.mp4", pictures[:50], 25)
    finally:
        os.chdir(home)
    return root


def made(project: Path) -> dict[str, str]:
    """Run the four stages without the item store; return every file's sha256."""
    home = Path.cwd()
    os.chdir(project)
    try:
        shutil.rmtree(".idiolect", ignore_errors=True)
        cut(Subject("seen", "other"), CLIPS)
        find(SUBJECT, PARAMS)
        parse(SUBJECT, ParsingParams(backend="mesh"))
        listen(SUBJECT, SpeechParams(features="apc", recogniser="words"))
        files = [p for out in OUTS for p in sorted(Path("data", out).rglob("*")) if p.is_file()]
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    finally:
        os.chdir(home)


@pytest.fixture(scope="module")
def here(project: Path) -> dict[str, str]:
    return made(project)


@pytest.fixture
def cluster() -> Iterator[str]:
    """The address of a Dask cluster of two worker processes on this machine."""
    distributed = pytest.importorskip("distributed", reason="needs dask: pip install -e '.[dask]'")
    kept = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(REPO), *filter(None, [kept])])
    try:
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=None, silence_logs=50
        ) as local:
            yield local.scheduler_address
    finally:
        if kept is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = kept


@pytest.mark.slow
def test_a_dask_cluster_of_two_processes_gives_the_same_bytes(
    project: Path, here: dict[str, str], cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(here) == 12
    monkeypatch.setenv(process_pool.CLUSTER, cluster)
    assert made(project) == here


def _start(folder: Path, *command: str) -> "subprocess.Popen[bytes]":
    """Start a command of Dask in a checkout of its own."""
    folder.mkdir()
    for package in ("pipeline", "stages"):
        shutil.copytree(REPO / package, folder / package)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + command[0], *command[1:]],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},
            stdout=log,
            stderr=log,
        )


@pytest.mark.slow
def test_a_cluster_that_loses_one_of_two_workers_in_the_middle_gives_the_same_bytes(
    project: Path, here: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed", reason="needs dask: pip install -e '.[dask]'")
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{trial.getsockname()[1]}"
    quiet = ("--no-dashboard", "--host", "127.0.0.1")
    port = address.rpartition(":")[2]
    started = [_start(tmp_path / "scheduler", "dask_scheduler", *quiet, "--port", port)]
    try:
        for name in ("one", "two"):
            options = (*quiet, "--no-nanny", "--nthreads", "1", "--name", name)
            started.append(_start(tmp_path / name, "dask_worker", address, *options))
        with distributed.Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            killed: list[str] = []

            def kill_at_work() -> None:
                while not killed:
                    workers = client.scheduler_info(n_workers=-1)["workers"]
                    two = next(key for key, worker in workers.items() if worker["name"] == "two")
                    killed.extend(client.processing().get(two, ()))
                    time.sleep(0.02)
                started[2].kill()

            watch = Thread(target=kill_at_work, daemon=True)
            watch.start()
            monkeypatch.setenv(process_pool.CLUSTER, address)
            assert made(project) == here
            watch.join(10)
            assert killed
            assert len(client.scheduler_info(n_workers=-1)["workers"]) == 1
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_one_core_gives_the_same_bytes_as_several(project: Path, here: dict[str, str]) -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("needs Linux, where a process can be kept to one core")
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        assert made(project) == here
    finally:
        os.sched_setaffinity(0, mine)


@pytest.mark.slow
def test_a_clip_in_chunks_has_the_landmarks_of_one_pass(
    project: Path, here: dict[str, str]
) -> None:
    assert len(chunk_spans(COUNT, FPS)) == 3
    found = tables.read(project / "data/landmarks/seen/somebody/walk-001.parquet", LANDMARKS)
    assert found["valid"].all()
    assert found["frame"].tolist() == list(range(COUNT))
    frames = Frames(project / "data/clips/seen/somebody/walk-001/frames.parquet")
    mesh = MeshBackend()
    whole = np.stack([mesh(frames[i]).points for i in range(COUNT)])
    mesh.close()
    off = np.linalg.norm(found["points"] - whole, axis=-1).mean(1)
    assert off.max() < 0.15  # a face that is followed from elsewhere is found a little elsewhere
    # The body moves by whole pixels: no chunk's shoulders begin elsewhere than the last one's end.
    moved = np.array([shift(i) for i in range(COUNT)])
    still = found["shoulders"] - moved[:, None]
    seams = [first for first, _ in chunk_spans(COUNT, FPS)[1:]]
    steps = np.abs(np.diff(still, axis=0)).max((1, 2))
    assert steps[[seam - 1 for seam in seams]].max() <= max(2.0, np.percentile(steps, 95))
