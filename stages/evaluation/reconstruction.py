"""Held-out frames drawn from their true landmarks, beside the trivial answers."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.progress import each
from pipeline.runtime.user_errors import UserError
from stages.base.face import similarity
from stages.base.io import tables
from stages.base.io.image_io import decode_jpeg, resize
from stages.base.io.pixels import opencv_transform
from stages.evaluation import metrics
from stages.evaluation.heldout import Heldout, Row, thinned
from stages.evaluation.trivial import TrainingFrames, moved
from stages.generator.inference import Generator, read_isps
from stages.generator.model import Source
from stages.generator.sources import held_out_sources
from stages.parsing.artifacts import REGIONS
from stages.parsing.regions import region_masks
from stages.references.artifacts import REFERENCES, TEMPLATES

Floats = NDArray[np.floating[Any]]
Image = NDArray[np.uint8]
Scores = dict[str, float]
TRIVIAL = ("mean_frame", "nearest_frame", "nearest_frame_aligned", "source", "source_aligned")
_TRAINING_FRAMES = 2000


@dataclass
class Drawn:
    """Held-out frames with every answer to them.

    Attributes:
        rows: which frames.
        new_scene: of these, how many are of a scene that training never saw.
        points: their landmarks at the pictures' size, (N, 68, 2).
        truth: (N, H, W, 3).
        answers: name of the answer to its pictures, (N, H, W, 3).
        regions: masks in the order of REGIONS, (N, 4, H, W).
        matched: the aligned match I_m, (N, H, W, 3), and where it is, (N, H, W).

    """

    rows: list[Row]
    new_scene: int
    points: Floats
    truth: Image
    answers: dict[str, Image]
    regions: NDArray[np.bool_]
    matched: Image
    matched_where: NDArray[np.bool_]


def draw(held: Heldout, generator: Generator, others: list[str], most: int) -> Drawn:
    """Draw a subject's held-out frames in every way.

    Args:
        held: the subject.
        generator: the trained generator.
        others: names of the other seen subjects; the first lends its ISPs to the row `swapped`.
        most: frames at most, evenly spread.

    """
    size, name = generator.size, held.subject.name
    trained = generator.sources[name]
    sources = held_out_sources(held.subject, trained, size)
    given = {(source.clip, source.frame) for source in sources.values()}
    rows = thinned([r for r in held.rows("test") if (r.clip.id, r.frame) not in given], most)
    if not rows:
        found = "no held-out frame with a face is left to be judged by"
        raise UserError(held.subject, found, "add a longer video")
    own = [sources[row.clip.id] for row in rows]
    points = held.scaled(rows, "points", size)
    training = _training(held, size)
    nearest = [training.nearest(p) for p in points]
    isps = read_isps(Path("data/isp") / name / "isps.parquet")
    answers = {
        "generator": _drawn(held, generator, rows, own, isps, "drawn from true landmarks"),
        "isps_zeroed": _drawn(held, generator, rows, own, np.zeros_like(isps), "with ISPs zeroed"),
        "mean_frame": np.repeat(training.mean[None], len(rows), axis=0),
        "nearest_frame": training.images[nearest],
        "nearest_frame_aligned": np.stack(
            [training.aligned(i, p) for i, p in zip(nearest, points, strict=True)]
        ),
        "source": np.stack([source.image for source in own]),
        "source_aligned": np.stack(
            [
                moved(source.image, similarity.fit_similarity(source.points, p), size)
                for source, p in zip(own, points, strict=True)
            ]
        ),
    }
    if others:
        swapped = read_isps(Path("data/isp") / others[0] / "isps.parquet")
        answers["isps_swapped"] = _drawn(held, generator, rows, own, swapped, "with others' ISPs")
    matched, where = _matched(held, rows, size)
    return Drawn(
        rows,
        sum(not any(source is one for one in trained) for source in own),
        points,
        held.images(rows, size),
        answers,
        np.stack([region_masks(labels) for labels in held.labels(rows, size)]),
        matched,
        where,
    )


def _training(held: Heldout, size: int) -> TrainingFrames:
    rows = thinned(held.rows("train"), _TRAINING_FRAMES)
    return TrainingFrames(held.images(rows, size), held.scaled(rows, "points", size))


def _drawn(
    held: Heldout,
    generator: Generator,
    rows: list[Row],
    sources: list[Source],
    isps: Image,
    title: str,
) -> Image:
    name = held.subject.name

    def frames() -> Iterator[Image]:
        for _, clip in groupby(zip(rows, sources, strict=True), lambda pair: pair[0].clip.id):
            part = list(clip)
            known = [row for row, _ in part]
            points, irises, shoulders = (
                held.column(known, column) for column in ("points", "irises", "shoulders")
            )
            yield from generator.frames(name, points, irises, shoulders, isps, source=part[0][1])

    return np.stack(list(each(frames(), f"{name} {title}", len(rows))))


def _matched(held: Heldout, rows: list[Row], size: int) -> tuple[Image, NDArray[np.bool_]]:
    """Align each frame's best reference to it; where the transform leaves nothing is False."""
    index, transform = held.match(rows)
    path = Path("data/references") / held.subject.name / "references.parquet"
    table = tables.read(path, REFERENCES, ["template", "chosen", "image"])
    images = [
        decode_jpeg(table["image"][(table["template"] == template) & table["chosen"]][0])
        for template in TEMPLATES
    ]
    out = np.zeros((len(rows), size, size, 3), np.uint8)
    where = np.zeros((len(rows), size, size), bool)
    for i, row in enumerate(rows):
        if index[i] < 0:
            continue
        scale = size / row.clip.size
        to_frame = transform[i] * np.array([1.0, 1.0, scale])
        reference = resize(images[index[i]], size)
        out[i] = moved(reference, to_frame, size)
        where[i] = _covered(to_frame, size)
    return out, where


def _covered(transform: Floats, size: int) -> NDArray[np.bool_]:
    """Tell which pixels of the frame the moved picture reaches."""
    import cv2

    full = np.full((size, size), 255, np.uint8)
    matrix = opencv_transform(transform)
    covered: NDArray[np.bool_] = cv2.warpAffine(full, matrix, (size, size)) == 255
    return covered


def per_frame(drawn: Drawn) -> dict[str, list[Scores]]:
    """Score every answer in every frame.

    PSNR and SSIM of whole and face crop, mean L1 a region to the truth and to I_m; NaN where a
    region or a match is missing. The truth's own row tells its distance to I_m alone.
    """
    size = drawn.truth.shape[1]
    boxes = [metrics.face_box(points, size) for points in drawn.points]
    frames = range(len(drawn.rows))
    with ThreadPoolExecutor(cpu_count()) as pool:  # most of it runs outside of Python
        found = {
            name: list(pool.map(partial(_one, drawn), images, boxes, frames))
            for name, images in drawn.answers.items()
        }
    itself = dict.fromkeys(found["generator"][0], float("nan"))
    found["truth"] = [itself | _to_match(drawn, drawn.truth[i], i) for i in frames]
    return found


def _one(drawn: Drawn, image: Image, box: metrics.Box, i: int) -> Scores:
    truth = drawn.truth[i]
    face, true_face = metrics.crop(image, box), metrics.crop(truth, box)
    found = {
        "psnr": metrics.psnr(truth, image),
        "psnr_face": metrics.psnr(true_face, face),
        "ssim": metrics.ssim(truth, image),
        "ssim_face": metrics.ssim(true_face, face),
    }
    for region, mask in zip(REGIONS, drawn.regions[i], strict=True):
        found[f"l1_{region}"] = metrics.region_l1(truth, image, mask)
    return found | _to_match(drawn, image, i)


def _to_match(drawn: Drawn, image: Image, i: int) -> Scores:
    where = drawn.matched_where[i]
    return {
        f"l1_match_{region}": metrics.region_l1(drawn.matched[i], image, mask & where)
        for region, mask in zip(REGIONS, drawn.regions[i], strict=True)
        if region != "other"
    }


def columns(subject: str, drawn: Drawn, found: Mapping[str, list[Scores]]) -> dict[str, Any]:
    """Lay the scores of one subject's frames out as columns of the format SCORES."""
    rows = [(name, i) for name in found for i in range(len(drawn.rows))]
    table: dict[str, Any] = {
        "subject": [subject] * len(rows),
        "clip": [drawn.rows[i].clip.id for _, i in rows],
        "frame": [drawn.rows[i].frame for _, i in rows],
        "answer": [name for name, _ in rows],
    }
    measures = found["generator"][0]
    return table | {m: np.array([found[name][i][m] for name, i in rows]) for m in measures}


def means(found: Mapping[str, list[Scores]]) -> dict[str, Scores]:
    """Average every answer's scores over frames."""
    return {name: _mean(rows) for name, rows in found.items()}


def _mean(rows: list[Scores]) -> Scores:
    """Average over frames; a frame without the region does not count, nor a measure without any."""
    averages: Scores = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        finite = values[np.isfinite(values)]
        if len(finite):
            averages[name] = round(float(finite.mean()), 4)
    return averages


def gain(found: Mapping[str, Scores], measure: str = "psnr_face") -> float:
    """Return what the generator gains over the best trivial row, in the measure's unit."""
    best = max(found[name][measure] for name in TRIVIAL)
    return round(found["generator"][measure] - best, 4)


def movement(drawn: Drawn, name: str) -> Scores:
    """Return how far an answer's pictures are from the generator's, mean L1 a region."""
    rows = [
        {
            region: metrics.region_l1(drawn.answers["generator"][i], drawn.answers[name][i], mask)
            for region, mask in zip(REGIONS, drawn.regions[i], strict=True)
        }
        for i in range(len(drawn.rows))
    ]
    return _mean(rows)
