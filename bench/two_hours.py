"""Measure the peak memory of the data half against a video's length: it must not grow.

    python bench/two_hours.py                      # 5, 20 and 120 minutes: hours on 2 cores
    python bench/two_hours.py --minutes 5 20       # prints a row as each stage ends
    python bench/two_hours.py --minutes 5 120 --stages clips

Repeats a video (../shared/data/newscaster/71s.mp4) to each length, by copying its packets, in a
temporary folder, and runs the stages on it. Prints, for every stage and length, the peak resident
memory of all its processes, in total and in each quarter of its time.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from testbed import STAGES, VIDEO, one_core, project, watched

LIMIT = 1.5  # GB


def looped(video: Path, minutes: float, target: Path) -> None:
    """Repeat a video in one file by copying its packets."""
    import av

    with av.open(str(target), "w") as out:
        with av.open(str(video)) as first:
            streams = [s for s in first.streams if s.type in ("video", "audio")]
            copies = {s.index: out.add_stream_from_template(s) for s in streams}
            length = max(float(s.duration * s.time_base) for s in streams)
        done = 0.0
        while done < minutes * 60:
            with av.open(str(video)) as again:
                for packet in again.demux([again.streams[index] for index in copies]):
                    if packet.dts is None:
                        continue
                    shift = round(done / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = copies[packet.stream.index]
                    out.mux(packet)
            done += length


def main() -> None:
    """Print a row for each length and stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--video", type=Path, default=VIDEO)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5, 20, 120])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--one-core", action="store_true")
    args = parser.parse_args()
    if not args.video.is_file():
        print(f"bench/two_hours.py: no video {args.video}")
        return
    prefix = one_core() if args.one_core else []
    print("| stage | minutes | s | processor s | peak GB | in each quarter of its time |")
    print("|---|---|---|---|---|---|", flush=True)
    over = False
    for minutes in args.minutes:
        with tempfile.TemporaryDirectory(dir=os.environ.get("IDIOLECT_BENCH")) as name:
            folder, long = Path(name), Path(name) / "long.mp4"
            looped(args.video, minutes, long)
            project(long, folder)
            for stage in args.stages:
                command = [*prefix, sys.executable, "-m", "stages", stage, "seen/person"]
                wall, cpu, peak, samples = watched(command, folder)
                quarters = [[0.0], [0.0], [0.0], [0.0]]
                for when, memory in samples:
                    quarters[min(3, int(4 * when / max(wall, 1e-9)))].append(memory)
                shares = ", ".join(f"{max(quarter):.2f}" for quarter in quarters)
                row = f"{wall:.0f} | {cpu:.0f} | {peak:.2f} | {shares}"
                print(f"| {stage} | {minutes:g} | {row} |", flush=True)
                over = over or peak > LIMIT
    print(f"limit {LIMIT} GB: {'exceeded' if over else 'kept'}")


if __name__ == "__main__":
    main()
