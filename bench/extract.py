"""Measure frames a second of the data half, from a video to clips, landmarks, parsing and speech.

    python bench/extract.py                        # ../shared/data/newscaster/71s.mp4, minutes
    python bench/extract.py VIDEO --fan-frames 8
    python bench/extract.py VIDEO --only ours

Runs on the same video, one after the other:

    ours          the four stages, `python -m stages NAME`, with an empty item store
    one process   the same on one core
    mediapipe     a plain loop: decode with OpenCV, face mesh with attention; writes nothing
    fan           face-alignment's own per-frame path on the first frames, with random weights
                  (which cost the same time) and given boxes (its face detector costs nothing)

Prints for each: frames a second of wall time, processor seconds of all its processes (which depend
less on other load), and the largest sum of their resident memory.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from testbed import STAGES, VIDEO, one_core, project, watched


@dataclass
class Spent:
    """Cost of a run: wall and processor seconds, peak of the tree's resident memory in GB."""

    wall: float
    cpu: float
    peak: float
    frames: int

    @property
    def rate(self) -> float:
        """Frames a second of wall time."""
        return self.frames / self.wall


def stages(video: Path, frames: int, prefix: list[str]) -> Spent:
    """Run the data half in an empty project."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("IDIOLECT_BENCH")) as name:
        folder = Path(name)
        project(video, folder)
        total = Spent(0.0, 0.0, 0.0, frames)
        for stage in STAGES:
            command = [*prefix, sys.executable, "-m", "stages", stage, "seen/person"]
            wall, cpu, peak, _ = watched(command, folder)
            print(f"  {stage}: {wall:.1f} s, {cpu:.1f} processor s, {peak:.2f} GB", flush=True)
            total.wall, total.cpu = total.wall + wall, total.cpu + cpu
            total.peak = max(total.peak, peak)
    return total


def loop(name: str, video: Path, frames: int) -> Spent:
    """Run a peer in a process of its own."""
    command = [sys.executable, __file__, str(video), "--peer", name, "--fan-frames", str(frames)]
    wall, cpu, peak, _ = watched(command, Path.cwd())
    return Spent(wall, cpu, peak, frames)


def mediapipe_loop(video: Path, frames: int) -> None:
    """Find the face mesh in every frame, as MediaPipe's own examples do."""
    import cv2
    from mediapipe.python.solutions.face_mesh import FaceMesh

    mesh = FaceMesh(static_image_mode=False, max_num_faces=1, refine_landmarks=True)
    capture = cv2.VideoCapture(str(video))
    for _ in range(frames):
        read, image = capture.read()
        if not read:
            break
        mesh.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    capture.release()
    mesh.close()


def fan_loop(video: Path, frames: int) -> None:
    """Find 68 points frame by frame by face-alignment's own call, with random weights."""
    import cv2
    import face_alignment
    import torch

    with tempfile.TemporaryDirectory() as home:
        os.environ["TORCH_HOME"] = home
        weights = Path(home) / "hub" / "checkpoints" / "2DFAN4-11f355bf06.pth.tar"
        weights.parent.mkdir(parents=True)
        torch.manual_seed(0)
        torch.save(face_alignment.models.FAN(4).state_dict(), weights)
        network = face_alignment.FaceAlignment(
            face_alignment.LandmarksType.TWO_D, device="cpu", face_detector="folder", compile=False
        )
    capture = cv2.VideoCapture(str(video))
    began = time.monotonic()
    for _ in range(frames):
        _, image = capture.read()
        high, wide = image.shape[:2]
        box = [wide * 0.25, high * 0.2, wide * 0.75, high * 0.7]
        network.get_landmarks_from_image(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), [box])
    print(f"  fan: {frames / (time.monotonic() - began):.2f} frames/s without its start")


PEERS: dict[str, Callable[[Path, int], None]] = {"mediapipe": mediapipe_loop, "fan": fan_loop}


def frames_of(video: Path) -> int:
    """Return the frame count in a video's header."""
    import av

    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        return int(stream.frames or float(stream.duration * stream.time_base) * stream.average_rate)


def main() -> None:
    """Print a line a stage, and the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("video", type=Path, nargs="?", default=VIDEO)
    parser.add_argument("--fan-frames", type=int, default=16)
    parser.add_argument("--only", nargs="+", choices=["ours", "one", *PEERS], help="not all four")
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.video.is_file():
        print(f"bench/extract.py: no video {args.video}")
        return
    if args.peer:
        PEERS[args.peer](args.video, args.fan_frames)
        return
    frames = frames_of(args.video)
    wanted = args.only or ["ours", "one", *PEERS]
    runs: dict[str, Callable[[], Spent]] = {
        "ours": lambda: stages(args.video, frames, []),
        "one": lambda: stages(args.video, frames, one_core()),
        "mediapipe": lambda: loop("mediapipe", args.video, frames),
        "fan": lambda: loop("fan", args.video, args.fan_frames),
    }
    names = {"ours": "ours", "one": "one process", "fan": "fan (random weights)"}
    spent = {}
    for name in wanted:
        print(f"{names.get(name, name)}:", flush=True)
        spent[name] = runs[name]()
    cores = len(os.sched_getaffinity(0))
    print(f"\n{args.video.name}: {frames} frames, {cores} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| run | frames | s | frames/s | of ours | processor s | ms a frame | GB |")
    print("|---|---|---|---|---|---|---|---|")
    first = spent[wanted[0]].rate
    for name, one in spent.items():
        each = f"{one.cpu:.1f} | {1000 * one.cpu / one.frames:.1f} | {one.peak:.2f}"
        rate = f"{one.rate:.1f} | {one.rate / first:.2f}"
        print(f"| {names.get(name, name)} | {one.frames} | {one.wall:.1f} | {rate} | {each} |")


if __name__ == "__main__":
    main()
