"""Retrieve the frames of a person with the motion nearest to each key motion template."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import UserError
from stages.base.arrays import Floats
from stages.references.artifacts import TEMPLATES
from stages.references.params import ReferenceParams
from stages.references.person import PersonCurves, column_weights, curves_at


class NoReference(UserError):
    """No frame of a subject qualifies for a key motion template."""


@dataclass(frozen=True)
class RetrievedFrame:
    """A frame retrieved for a template: row of the person's frames, distance to the template."""

    row: int
    distance: float


def curves_of(person: PersonCurves, window_s: float, steps: int) -> Floats:
    """Sample the curve around every frame of a person, (N, steps, 12); NaN where incomplete."""
    parts = []
    for index, clip in enumerate(person.clips):
        centres = person.frame[person.clip == index].astype(float)
        spans = np.full(len(centres), window_s * clip.fps)
        parts.append(curves_at(person, index, centres, spans, steps))
    return np.concatenate(parts)


def rejections(person: PersonCurves, curves: Floats, blur: float, blink: float) -> NDArray[np.str_]:
    """Return why each frame cannot be a reference, (N,): lost face, blink, blur, or '' if it can.

    Every pose is accepted: pose is part of the style.

    Args:
        person: the person.
        curves: the curve around every frame, (N, T, 12).
        blur: least sharpness as a share of the person's median.
        blink: least opening of the lids as a share of the person's median.
    """
    face = np.asarray(np.isfinite(person.amplitude).all(1))
    reasons = np.full(len(face), "", dtype="<U9")
    if face.any():
        reasons[person.sharpness < blur * np.median(person.sharpness[face])] = "blur"
        reasons[person.lids < blink * np.median(person.lids[face])] = "blink"
    reasons[~np.asarray(np.isfinite(curves).all((1, 2)))] = "lost face"
    return reasons


def nearest(
    curves: Floats, templates: Floats, weights: Floats, count: int
) -> tuple[NDArray[np.int64], Floats]:
    """Search the curves nearest to each template: exact L2 (FAISS IndexFlatL2).

    Args:
        curves: (N, T, 12).
        templates: (4, T, 12).
        weights: of the descriptors, (12,).
        count: results for each template, at most N.

    Returns:
        Indices into `curves` and distances, (4, count), nearest first, equal distances in frame
        order. A distance is the root of the weighted sum over descriptors of the mean square over
        time, under a Hann window: the frame in the middle becomes the image.
    """
    import faiss

    middle = np.hanning(curves.shape[1] + 2)[1:-1]
    scale = np.sqrt(middle[:, None] / middle.sum() * weights)
    base, queries = (
        np.ascontiguousarray((a * scale).reshape(len(a), -1), dtype=np.float32)
        for a in (curves, templates)
    )
    index = faiss.IndexFlatL2(base.shape[1])
    index.add(base)
    squares, rows = index.search(queries, min(count, len(base)))
    order = np.lexsort((rows, squares), axis=1)
    rows, squares = np.take_along_axis(rows, order, 1), np.take_along_axis(squares, order, 1)
    return rows.astype(np.int64), np.sqrt(np.maximum(squares, 0)).astype(float)


def retrieve(
    person: PersonCurves, templates: Floats, params: ReferenceParams, item: object = ""
) -> list[list[RetrievedFrame]]:
    """Retrieve the candidates of each template, nearest first.

    No frame serves two templates, and candidates of one template are apart in time. In each round
    every template takes one candidate, in the order of the distances to their next candidates.

    Args:
        person: the person.
        templates: (4, T, 12), quantiles.
        params: section `references`.
        item: the subject, for messages.

    Raises:
        NoReference: a template gets no candidate.
    """
    curves = curves_of(person, params.window_s, templates.shape[1])
    reasons = rejections(person, curves, params.blur, params.blink)
    usable = np.flatnonzero(reasons == "")
    if not len(usable):
        raise _no_reference(item, reasons, TEMPLATES[0])
    # Deep enough for every frame that other candidates block.
    rate = max(clip.fps for clip in person.clips)
    depth = params.candidates * (2 * int(params.apart_s * rate) + 1 + len(templates))
    weights = column_weights(**params.weights.model_dump())
    order, distances = nearest(curves[usable], templates, weights, depth)
    queues = [
        [RetrievedFrame(int(usable[i]), float(d)) for i, d in zip(row, ds, strict=True)]
        for row, ds in zip(order, distances, strict=True)
    ]
    picked = _take_turns(person, queues, params)
    for name, candidates in zip(TEMPLATES, picked, strict=True):
        if not candidates:
            raise _no_reference(item, reasons, name)
    return picked


def _take_turns(
    person: PersonCurves, queues: list[list[RetrievedFrame]], params: ReferenceParams
) -> list[list[RetrievedFrame]]:
    picked: list[list[RetrievedFrame]] = [[] for _ in queues]
    taken: set[int] = set()
    for _ in range(params.candidates):
        heads: list[tuple[float, int]] = []
        for index, queue in enumerate(queues):
            _skip(person, queue, picked[index], taken, params.apart_s)
            if queue:
                heads.append((queue[0].distance, index))
        for _, index in sorted(heads):
            _skip(person, queues[index], picked[index], taken, params.apart_s)
            if queues[index]:
                candidate = queues[index].pop(0)
                picked[index].append(candidate)
                taken.add(candidate.row)
    return picked


def _skip(
    person: PersonCurves,
    queue: list[RetrievedFrame],
    own: list[RetrievedFrame],
    taken: set[int],
    apart_s: float,
) -> None:
    """Drop candidates from the head of a queue that are taken or too near in time to its own."""
    while queue and (
        queue[0].row in taken or any(_near(person, queue[0].row, c.row, apart_s) for c in own)
    ):
        queue.pop(0)


def _near(person: PersonCurves, a: int, b: int, apart_s: float) -> bool:
    if person.clip[a] != person.clip[b]:
        return False
    between = abs(int(person.frame[a]) - int(person.frame[b]))
    return between < apart_s * person.clips[int(person.clip[a])].fps


def _no_reference(item: object, reasons: NDArray[np.str_], template: str) -> NoReference:
    counts = [f"{int((reasons == why).sum())} {why}" for why in ("lost face", "blink", "blur")]
    found = f"no frame for template {template}: of {len(reasons)} frames {', '.join(counts)}"
    return NoReference(item, found, "add videos with the face in view")
