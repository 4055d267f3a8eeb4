"""Measure how much lips move in videos of speakers, and appear to in a still picture.

    python bench/lips_movement.py VIDEO…       # default: the clips in ../shared/data; a minute

Gives the thresholds of `stages/clips/people.py`, by its own measure: the mean change of the mouth's
opening from one sample (0.2 s) to the next, face heights, over the first 12 s. `still` repeats one
frame of the video forty times, with noise of 4 grey levels, its box moved and scaled by 2 % at
random.
"""

import argparse
from pathlib import Path

import numpy as np

from stages.base.io.video_frames import read_frames
from stages.clips.detector import Box, FaceFinder
from stages.clips.people import LipMeter, lip_motion
from stages.clips.shots import SAMPLE_SECONDS

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
DEFAULT = (
    *("newscaster/71s.mp4", "german/20s.mp4", "obama/weekly_720_a.mp4", "obama/weekly_720_d.mp4"),
    *("may/5s.mp4", "senator/8s.mp4", "grid/bbaf2n.mpg", "selfie/61s.mp4"),
    *("studio_w015/neutral.mp4", "obama/weekly_256_late_audio.mov"),
)
SECONDS, STILL = 12.0, 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path, default=[SHARED / name for name in DEFAULT])
    finder, lips = FaceFinder(), LipMeter()
    print("| video | samples | face, px | moves | still |\n|---|---|---|---|---|")
    for video in parser.parse_args().videos:
        seen, due = [], 0.0
        for time, image in read_frames(video, 0, SECONDS):
            if time >= due and (boxes := finder(image)):
                seen.append((image, boxes[0], lips(image, boxes[0])))
                due = time + SAMPLE_SECONDS
        image, box, _ = seen[len(seen) // 2]
        moves = lip_motion([opening for _, _, opening in seen])
        name, calm = f"{video.parent.name}/{video.name}", still(lips, image, box)
        print(f"| {name} | {len(seen)} | {box.side:.0f} | {moves:.4f} | {calm:.4f} |", flush=True)


def still(lips: LipMeter, image: np.ndarray, box: Box) -> float:
    rng = np.random.default_rng(0)
    openings = []
    for _ in range(STILL):
        noisy = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
        x, y, larger = rng.normal(0, 0.02, 3)
        moved = Box(box.x + x * box.side, box.y + y * box.side, box.side * (1 + larger))
        openings.append(lips(noisy, moved))
    return lip_motion(openings)


if __name__ == "__main__":
    main()
