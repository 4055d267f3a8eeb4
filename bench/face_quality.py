"""Measure how `stages.clips.quality` rates faces degraded on purpose, and its cost.

    python bench/face_quality.py [DATA]     # half a minute; DATA: folders of videos

Takes four frames of each video, clean and degraded: blurred, dark, overexposed, a patch as large as
a hand over nose and mouth or over one half of the face, of the skin's own colour and dark, a
microphone before the mouth, and real hands (five moments of DATA/hard/half_body_hevc_portrait.mp4,
in the colour of the face) before the mouth, beside the face and below the chin. Prints one line a
kind: median of each measure (least to most), and the share of faces beyond a limit of params.yaml;
then the time per face.
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
import testbed
from numpy.typing import NDArray

from stages.base.config.params import read_section
from stages.base.io.image_io import Image
from stages.base.io.video_frames import read_facts, read_frames
from stages.clips.acceptance import apply_limits
from stages.clips.detector import Box, FaceFinder
from stages.clips.ledger import LedgerRow
from stages.clips.params import ClipsParams
from stages.clips.quality import Quality, QualityMeter

EVERY, FRAMES = 12, 4
DARK = np.array([35.0, 30.0, 32.0])
HANDS_VIDEO = "hard/half_body_hevc_portrait.mp4"  # pale hands before a dark coat
HANDS_AT = (0.0, 2.5, 4.0, 6.0, 8.5)  # seconds
HANDS_IN = (slice(1150, 1620), slice(430, 730))
PLACES = {"over mouth": (0.0, 0.28), "beside": (0.75, 0.3), "below chin": (0.0, 0.95)}
Hand = tuple[NDArray[np.float32], NDArray[np.float32]]  # RGB (H, W, 3), how much is hand (H, W)


def frames(video: Path) -> Iterator[Image]:
    facts = read_facts(video)
    source = read_frames(video, 0, 2, size=(facts.height, facts.width))
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


def hands(video: Path) -> list[Hand]:
    """Cut hands out by their colour; return none where the video is absent."""
    found = []
    for at in HANDS_AT if video.is_file() else ():
        facts = read_facts(video)
        source = read_frames(video, at, at + 0.1, size=(facts.height, facts.width))
        part = np.asarray(next(iter(source))[1][HANDS_IN], np.float32)
        soft = cv2.GaussianBlur(part, (0, 0), 1.5)
        pale = (soft[..., 0] - soft[..., 2] > 14) & (soft[..., 0] > 85)
        _, labels, sizes, _ = cv2.connectedComponentsWithStats(pale.astype(np.uint8))
        hand = (labels == 1 + np.argmax(sizes[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
        hand = cv2.morphologyEx(hand, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        x, y, width, height = cv2.boundingRect(hand)
        inside = (slice(y, y + height), slice(x, x + width))
        found.append((part[inside], hand[inside].astype(np.float32)))
    return found


def with_hand(image: Image, box: Box, hand: Hand, place: str) -> Image:
    """Paste a hand, 0.9 of the box wide or high, in the brightness and colour of the forehead."""
    picture, mask = hand
    (x, y), (right, down), side = box.centre, PLACES[place], box.side
    scale = 0.9 * side / max(mask.shape)
    place_at = np.array([[scale, 0, 0], [0, scale, 0]])
    middle = scale * np.array(mask.shape[::-1]) / 2
    place_at[:, 2] = np.array([x + right * side, y + down * side]) - middle
    size = image.shape[1::-1]
    there = cv2.warpAffine(picture, place_at, size, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.GaussianBlur(cv2.warpAffine(mask, place_at, size), (0, 0), max(0.5, side / 150))
    rows = slice(max(0, int(y - side / 2)), int(y - 0.3 * side))
    forehead = image[rows, int(x - side / 6) : int(x + side / 6)].reshape(-1, 3)
    there *= np.median(forehead, 0) / np.median(picture[mask > 0], 0)
    mixed = image * (1 - share[..., None]) + np.minimum(there, 255) * share[..., None]
    return np.asarray(mixed, np.uint8)


def degraded(image: Image, box: Box, hand_images: list[Hand]) -> Iterator[tuple[str, Image]]:
    yield "clean", image
    yield "blurred, σ 4 % of the face", cv2.GaussianBlur(image, (0, 0), 0.04 * box.side)
    yield "a tenth of the light", np.asarray(image * 0.1, np.uint8)
    yield "three times the light", np.asarray(np.minimum(image * 3.0, 255), np.uint8)
    for kind in ("skin over mouth", "dark over mouth", "skin half", "dark half", "microphone"):
        yield kind, painted(image, box, kind)
    for place in PLACES:
        for hand in hand_images:
            yield f"hand {place}", with_hand(image, box, hand, place)


def beyond(ratings: Quality, params: ClipsParams) -> bool:
    measures = {"missing": 0.0, "face_height": 999.0, "loudness": -9.0} | asdict(ratings)
    row = LedgerRow(status="ok", start=0.0, end=9.0, **measures)
    return apply_limits(row, params).status == "rejected"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=testbed.SHARED)
    data = parser.parse_args().data
    videos = sorted(p for p in data.glob("*/*.m*") if p.suffix != ".md")
    if not videos:
        raise SystemExit("no videos here")
    params, find, look = read_section("clips", ClipsParams), FaceFinder(), QualityMeter()
    hand_images = hands(data / HANDS_VIDEO)
    found: dict[str, list[Quality]] = defaultdict(list)
    spent: dict[str, list[float]] = defaultdict(list)
    for video in videos:
        for image in frames(video):
            boxes = find(image)
            for kind, picture in degraded(image, boxes[0], hand_images) if boxes else ():
                began = time.process_time()
                found[kind].append(look(picture, boxes[0]))
                spent[kind].append(time.process_time() - began)
    names = list(asdict(found["clean"][0]))
    print(f"{len(videos)} videos, {len(found['clean'])} faces; median (least to most)\n")
    print(f"| face | {' | '.join(names)} | beyond a limit |\n|{'---|' * (len(names) + 2)}")
    for kind, ratings in found.items():
        cells = []
        for name in names:
            values = np.array([getattr(one, name) for one in ratings])
            known = values[np.isfinite(values)]
            if not len(known):
                cells.append("none")
                continue
            low, mid, high = np.quantile(known, (0, 0.5, 1))
            cells.append(f"{mid:.3g} ({low:.3g} to {high:.3g})")
        share = np.mean([beyond(one, params) for one in ratings])
        print(f"| {kind} | {' | '.join(cells)} | {share:.0%} |")
    for kind in ("clean", "hand over mouth"):
        if kind in spent:
            print(f"{kind}: {1000 * np.mean(spent[kind]):.1f} core-ms a look, one every 0.6 s")


if __name__ == "__main__":
    main()
