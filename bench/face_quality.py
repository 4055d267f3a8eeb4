"""Faces made bad on purpose: what the measures of `stages.clips.quality` say, and what they cost.

    python bench/face_quality.py [DATA]     # half a minute; DATA: folders of videos

Four frames of each video, clean and spoilt: blurred, dark, burnt out, a patch as large as a hand
over nose and mouth or over one half of the face, of the skin's own colour and dark, and a
microphone before the mouth. One line a kind: median of each measure (least to most), and how many
faces are beyond the limit of params.yaml. Then the time that a look takes.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import people

from pipeline import media
from pipeline.params import section
from pipeline.pictures import Image
from stages.clips.detector import Box, FaceFinder
from stages.clips.extract import _row
from stages.clips.judge import judged
from stages.clips.params import ClipsParams
from stages.clips.quality import FaceJudge, Quality

EVERY, FRAMES = 12, 4
DARK = np.array([35.0, 30.0, 32.0])


def frames(video: Path) -> Iterator[Image]:
    facts = media.facts(video)
    source = media.frames(video, 0, 2, size=(facts.height, facts.width))
    return (image for _, image in islice(source, 0, EVERY * FRAMES, EVERY))


def painted(image: Image, box: Box, kind: str) -> Image:
    """Cover part of a face; the detector's box reaches from the brows to the chin."""
    x, y, side = (int(value) for value in (*box.centre, box.side))
    mask = np.zeros(image.shape[:2], np.float32)
    if kind == "microphone":
        cv2.circle(mask, (x, y + side // 3), side // 6, 1.0, -1)
        down = (x + side // 3, y + side)
        cv2.line(mask, (x, y + side // 3), down, 1.0, max(1, side // 9))
    elif kind.endswith("half"):
        cv2.ellipse(mask, (x + side // 4, y), (side // 4, int(0.55 * side)), 0, 0, 360, 1.0, -1)
    else:
        axes = (int(0.4 * side), int(0.3 * side))
        cv2.ellipse(mask, (x, y + int(0.22 * side)), axes, 20, 0, 360, 1.0, -1)
    cheeks = image[y - side // 20 : y + side // 10, x - side // 4 : x + side // 4].reshape(-1, 3)
    colour = np.median(cheeks, axis=0) * 0.92 if kind.startswith("skin") else DARK
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.5, side / 100))[..., None]
    return np.asarray(image * (1 - soft) + colour * soft, np.uint8)


def spoilt(image: Image, box: Box) -> Iterator[tuple[str, Image]]:
    yield "clean", image
    yield "blurred, σ 4 % of the face", cv2.GaussianBlur(image, (0, 0), 0.04 * box.side)
    yield "a tenth of the light", np.asarray(image * 0.1, np.uint8)
    yield "three times the light", np.asarray(np.minimum(image * 3.0, 255), np.uint8)
    for kind in ("skin over mouth", "dark over mouth", "skin half", "dark half", "microphone"):
        yield kind, painted(image, box, kind)


def beyond(seen: Quality, params: ClipsParams) -> bool:
    row = _row(None, status="ok", start=0.0, end=9.0, missing=0.0, face_height=999.0, loudness=-9.0)
    return judged(row | asdict(seen), params)["status"] == "rejected"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=people.SHARED)
    videos = sorted(p for p in parser.parse_args().data.glob("*/*.m*") if p.suffix != ".md")
    if not videos:
        raise SystemExit("no videos here: absent")
    params, find, look = section("clips", ClipsParams), FaceFinder(), FaceJudge()
    found: dict[str, list[Quality]] = defaultdict(list)
    spent, looks = 0.0, 0
    for video in videos:
        for image in frames(video):
            boxes = find(image)
            for kind, picture in spoilt(image, boxes[0]) if boxes else ():
                began = time.process_time()
                found[kind].append(look(picture, boxes[0]))
                spent, looks = spent + time.process_time() - began, looks + 1
    names = list(asdict(found["clean"][0]))
    print(f"{len(videos)} videos, {len(found['clean'])} faces; median (least to most)\n")
    print(f"| face | {' | '.join(names)} | beyond a limit |\n|{'---|' * (len(names) + 2)}")
    for kind, seen in found.items():
        cells = []
        for name in names:
            values = np.array([getattr(one, name) for one in seen])
            known = values[np.isfinite(values)]
            if not len(known):
                cells.append("none")
                continue
            low, mid, high = np.quantile(known, (0, 0.5, 1))
            cells.append(f"{mid:.3g} ({low:.3g} to {high:.3g})")
        share = np.mean([beyond(one, params) for one in seen])
        print(f"| {kind} | {' | '.join(cells)} | {share:.0%} |")
    print(f"\n{spent / looks * 1000:.1f} core-ms a look, one look every 0.6 s of video")


if __name__ == "__main__":
    main()
