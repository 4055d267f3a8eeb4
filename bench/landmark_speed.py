"""Frames a second of the two landmark backends, side by side on one clip.

    python bench/landmark_speed.py     # a minute

face-alignment's weights are in no package: where they are not in their place, its network runs on
random ones, which cost the same time and find no face; how well it finds one is then absent. Both
backends are asked for the same frames in turn, so that what else the machine does slows both.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import people
import torch

from pipeline.runtime.user_errors import MissingInput, report_user_errors
from stages.clips.frames import Frames
from stages.landmarks import fan
from stages.landmarks.backend import open_backend

WARM = 3  # frames that are not counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with report_user_errors(), people.own_folder(), tempfile.TemporaryDirectory() as folder:
        (clip, *_), _ = people.sample(people.samples()[0])
        weights = _weights(Path(folder))
        backends = {
            "mediapipe": open_backend("mediapipe"),
            "face-alignment": open_backend("face-alignment"),
        }
        spent: dict[str, list[float]] = {name: [] for name in backends}
        frames = Frames(clip.video)
        for i in range(WARM + args.frames):
            for name, backend in backends.items():
                image = frames[i]
                begun = time.perf_counter()
                backend(image)
                if i >= WARM:
                    spent[name].append(time.perf_counter() - begun)
        for backend in backends.values():
            backend.close()
    print(f"{args.frames} frames of {clip.size} px of {clip.id}, torch on {args.threads} threads")
    print("| backend | weights | ms a frame, median | frames/s | of mediapipe's speed |")
    print("|---|---|---|---|---|")
    usual = float(np.median(spent["mediapipe"]))
    for name, told in (("mediapipe", "its own"), ("face-alignment", weights)):
        one = float(np.median(spent[name]))
        print(f"| {name} | {told} | {1000 * one:.1f} | {1 / one:.2f} | 1/{one / usual:.0f} |")
    if weights == "random":
        print("accuracy of face-alignment: absent, its weights are not here")


def _weights(folder: Path) -> str:
    """Say whose weights FAN has; put random ones into a throw-away place where there are none."""
    try:
        return fan.weights_path().name
    except MissingInput:
        from face_alignment.models import FAN

        os.environ["TORCH_HOME"] = str(folder)
        path = folder / "hub" / "checkpoints" / fan.WEIGHTS
        path.parent.mkdir(parents=True)
        torch.manual_seed(0)
        torch.save(FAN(4).state_dict(), path)
        return "random"


if __name__ == "__main__":
    main()
