"""Count encodings of the same pictures that give other bytes, by x264's instruction set.

    python bench/encoding.py     # two minutes

Several concurrent processes encode the same 25 pictures repeatedly, first with the CPU's newest
instructions, then with those of `stages.base.io.encoding`. Prints for both how many encodings
differ from the most frequent one, and the seconds.
"""

import argparse
import hashlib
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from stages.base.io import encoding


def several(times: int, options: dict[str, str]) -> list[str]:
    """Return the sha256 of so many videos of the same 25 grey pictures and one tone."""
    encoding.X264 = options
    tone = np.sin(np.arange(16000) / 20).astype(np.float32) / 2, 16000
    grey = [np.full((64, 96, 3), 20 + 4 * index, np.uint8) for index in range(25)]
    digests = []
    with tempfile.TemporaryDirectory() as folder:
        for index in range(times):
            video = Path(folder) / f"{index}.mp4"
            encoding.encode_video(video, grey, 25, tone)
            digests.append(hashlib.sha256(video.read_bytes()).hexdigest())
    return digests


def main() -> None:
    """Print both rows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=1000, help="encodings of each process")
    parser.add_argument("--processes", type=int, default=6)
    args = parser.parse_args()
    for name, options in (("newest instructions", {"preset": "medium"}), ("ours", encoding.X264)):
        start = time.monotonic()
        parts = Parallel(args.processes)(
            delayed(several)(args.times, options) for _ in range(args.processes)
        )
        counts = Counter(digest for part in parts for digest in part)
        odd = counts.total() - counts.most_common(1)[0][1]
        seconds = time.monotonic() - start
        print(f"{name}: {odd} of {counts.total()} with other bytes, {seconds:.0f} s")


if __name__ == "__main__":
    main()
