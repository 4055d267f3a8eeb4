"""Measure how steady label maps are from frame to frame, and how many bytes they take.

    python bench/masks.py                                     # seen subjects of data, a minute
    python bench/masks.py DATA... --only ada --overlays FOLDER

Each DATA is the data folder of a project after `dvc repro parsing`.

Steadiness of a region: the intersection over union of neighbouring frames, which motion lowers; and
flicker, which motion does not raise: pixels that differ from the frame before and are back in the
next, as a share of the region. Area: the column `areas`, as a share of the frame, with the mean
change between neighbouring frames as a share of itself. Person: all that is not background, against
a matte of each frame's own, by intersection over union, beside that of neighbouring own mattes.

Bytes: label maps (PNG) of frames spread over the clips against the frames themselves (JPEG of
clips.jpeg_quality), both made from the video at each size, by the stages' own code and the backend
`mesh`. Overlays: frames with their regions' edges, four a clip.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import MissingInput, report_user_errors
from stages.base.config.params import read_section
from stages.base.io import tables
from stages.base.io.image_io import Image, decode_png, encode_jpeg, encode_png
from stages.base.io.video_frames import read_frames
from stages.clips.artifacts import FRAMES, LEDGER
from stages.clips.frames import Frames
from stages.clips.ledger import Clip, read_ledger
from stages.clips.params import ClipsParams
from stages.clips.window import Window
from stages.landmarks.artifacts import LANDMARKS
from stages.landmarks.matte import Matte
from stages.parsing.artifacts import LABELS, PARSING, REGIONS
from stages.parsing.mesh import draw
from stages.parsing.regions import region_of_label
from stages.style_mapping.contact_sheet import grid

Labels = NDArray[np.uint8]  # (H, W) codes of face parsing
SIZES = (128, 256, 512)
COLOURS = {"mouth": (255, 60, 60), "eyes": (60, 160, 255), "skin": (80, 230, 80)}


@dataclass
class Person:
    """What is measured of one person, frame by frame."""

    shared: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    flicker: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    areas: list[NDArray[np.float64]] = field(default_factory=list)
    person: list[float] = field(default_factory=list)
    neighbours: list[float] = field(default_factory=list)
    masks: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    pictures: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    overlays: list[list[tuple[str, Image]]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", nargs="*", type=Path, default=[Path("data")])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of these subjects")
    parser.add_argument("--frames", type=int, default=24, help="encoded anew, of each clip")
    parser.add_argument("--overlays", type=Path, metavar="FOLDER", help="write NAME.png there")
    args = parser.parse_args()
    with report_user_errors():
        measured = {}
        for data in args.data:
            for folder in sorted((data / "parsing" / "seen").glob("*")):
                if folder.is_dir() and (not args.only or folder.name in args.only):
                    measured[folder.name] = _person(data, folder.name, args.frames)
        if not measured:
            raise MissingInput(args.data[0] / "parsing" / "seen", "no subject", "run `dvc repro`")
        _report(measured)
        for name, one in measured.items():
            if args.overlays:
                args.overlays.mkdir(parents=True, exist_ok=True)
                (args.overlays / f"{name}.png").write_bytes(encode_png(grid(one.overlays, 256)))


def _person(data: Path, name: str, count: int) -> Person:
    measured = Person()
    for clip in read_ledger(data / "clips" / "seen" / name):
        rows = tables.read(data / "parsing" / "seen" / name / f"{clip.id}.parquet", PARSING)
        labels = [decode_png(png) for png in rows["labels"]]
        maps = [region_of_label()[one] for one in labels]
        _steadiness(maps, measured)
        frames = Frames(clip.video)
        _own_mattes(frames, labels, measured)
        measured.areas.append(np.asarray(rows["areas"], float))
        for size, picture, mask in _encoded(data, name, clip, count):
            measured.masks[size].append(mask)
            measured.pictures[size].append(picture)
        chosen = np.linspace(0, len(maps) - 1, 4).astype(int)
        measured.overlays.append([(f"{clip.id} {i}", edges(frames[i], maps[i])) for i in chosen])
    return measured


def _steadiness(maps: list[Labels], measured: Person) -> None:
    for index, region in enumerate(REGIONS[:3]):
        masks = [regions == index for regions in maps]
        for i in range(1, len(masks)):
            union = (masks[i - 1] | masks[i]).sum()
            if union:
                measured.shared[region].append(float((masks[i - 1] & masks[i]).sum() / union))
        for before, now, after in zip(masks, masks[1:], masks[2:], strict=False):
            if now.any():
                back = (now != before) & (now != after)
                measured.flicker[region].append(float(back.sum() / now.sum()))


def _own_mattes(frames: Frames, labels: list[Labels], measured: Person) -> None:
    matte, before = Matte(), None
    for i, one in enumerate(labels):
        own = matte(frames[i])
        measured.person.append(_shared(own, one != LABELS.index("background")))
        if before is not None:
            measured.neighbours.append(_shared(own, before))
        before = own
    matte.close()


def _shared(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def _encoded(data: Path, name: str, clip: Clip, count: int) -> Iterator[tuple[int, int, int]]:
    """Give size and bytes of picture and label map, of frames evenly spread over a clip."""
    ledger = tables.read(clip.path.parent / "clips.parquet", LEDGER, ["clip", "video", "window"])
    row = list(ledger["clip"]).index(clip.id)
    crop = Window(*(round(float(value)) for value in ledger["window"][row]))
    found = tables.read(
        data / "landmarks" / "seen" / name / f"{clip.id}.parquet",
        LANDMARKS,
        ["valid", "points", "oval"],
    )
    times = tables.read(clip.video, FRAMES, ["time"])["time"]
    valid = np.flatnonzero(found["valid"])
    chosen = {float(times[i]): i for i in valid[np.linspace(0, len(valid) - 1, count).astype(int)]}
    quality = read_section("clips", ClipsParams).jpeg_quality
    matte = Matte()
    video = data / "raw" / name / str(ledger["video"][row])
    for time, image in read_frames(video, float(times[0]), float(times[-1]) + 1e-3):
        at = next((i for known, i in chosen.items() if abs(known - time) < 1e-4), None)
        if at is None:
            continue
        for size in SIZES:
            picture = crop.cut(image, size)
            scale = size / clip.size
            face = found["points"][at] * scale, found["oval"][at] * scale
            labels = draw(matte(picture), *face)
            yield size, len(encode_jpeg(picture, quality)), len(encode_png(labels))
    matte.close()


def edges(image: Image, regions: Labels) -> Image:
    """Draw the edges of mouth, eyes and skin over an RGB picture, (H, W, 3)."""
    import cv2

    drawn = image.copy()
    for region in ("skin", "eyes", "mouth"):
        mask = (regions == REGIONS.index(region)).astype(np.uint8)
        lines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, lines, -1, COLOURS[region], 1)
    return drawn


def _report(measured: dict[str, Person]) -> None:
    print(
        "| person, frames | region | shared with the next, mean | 5 % | flicker | area | change |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, one in measured.items():
        frames = sum(map(len, one.areas))
        areas = np.concatenate(one.areas).mean(0)
        steps = np.concatenate([np.abs(np.diff(a, axis=0)) for a in one.areas]).mean(0)
        for index, region in enumerate(REGIONS[:3]):
            shared, flicker = one.shared[region], one.flicker[region]
            print(
                f"| {name}, {frames} | {region} | {np.mean(shared):.3f} |"
                f" {np.quantile(shared, 0.05):.3f} | {np.mean(flicker):.2%} |"
                f" {areas[index]:.2%} | {steps[index] / areas[index]:.2%} |"
            )
    print("\n| person | as by its own matte, mean | 5 % | own mattes of neighbours, mean | 5 % |")
    print("|---|---|---|---|---|")
    for name, one in measured.items():
        print(f"| {name} | {_mean_and_low(one.person)} | {_mean_and_low(one.neighbours)} |")
    print("\n| person, frames encoded | size | frame, bytes | label map, bytes | share |")
    print("|---|---|---|---|---|")
    for name, one in measured.items():
        for size in SIZES:
            picture, labels = np.mean(one.pictures[size]), np.mean(one.masks[size])
            print(
                f"| {name}, {len(one.masks[size])} | {size} | {picture:.0f} | {labels:.0f} |"
                f" {labels / picture:.1%} |"
            )


def _mean_and_low(values: list[float]) -> str:
    return f"{np.mean(values):.3f} | {np.quantile(values, 0.05):.3f}"


if __name__ == "__main__":
    main()
