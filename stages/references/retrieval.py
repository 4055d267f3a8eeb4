"""Find the frames of a person whose motion lies nearest to each key motion template."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import UserError
from stages.base.face.arrays import Floats
from stages.references.artifacts import TEMPLATES
from stages.references.descriptors import column_weights
from stages.references.params import ReferenceParams
from stages.references.person import Person, curves_at


class NoReference(UserError):
    """No frame of a subject can show a key motion."""


@dataclass(frozen=True)
class Candidate:
    """A frame that shows a template: row in the person's frames and distance to the template."""

    row: int
    distance: float


def curves_of(person: Person, window_s: float, steps: int) -> Floats:
    """Read the curve around every frame of a person, (N, steps, 12); NaN where it is not whole."""
    parts = []
    for index, clip in enumerate(person.clips):
        centres = person.frame[person.clip == index].astype(float)
        spans = np.full(len(centres), window_s * clip.fps)
        parts.append(curves_at(person, index, centres, spans, steps))
    return np.concatenate(parts)


def refusals(person: Person, curves: Floats, blur: float, blink: float) -> NDArray[np.str_]:
    """Say of each frame why it cannot be a reference: lost face, blink, blur, or '' where it can.

    A frame's pose is no reason: pose is style.

    Args:
        person: the person.
        curves: the curve around every frame, (N, T, 12).
        blur: least sharpness as a share of the person's median.
        blink: least opening of the lids as a share of the person's median.
    """
    seen = np.asarray(np.isfinite(person.amplitude).all(1))
    reasons = np.full(len(seen), "", dtype="<U9")
    if seen.any():
        reasons[person.sharpness < blur * np.median(person.sharpness[seen])] = "blur"
        reasons[person.lids < blink * np.median(person.lids[seen])] = "blink"
    reasons[~np.asarray(np.isfinite(curves).all((1, 2)))] = "lost face"
    return reasons


def nearest(
    curves: Floats, templates: Floats, weights: Floats, count: int
) -> tuple[NDArray[np.int64], Floats]:
    """Find the curves nearest to each template: exact L2 (FAISS IndexFlatL2).

    Args:
        curves: (N, T, 12).
        templates: (4, T, 12).
        weights: of the descriptors, (12,).
        count: how many for each template, at most N.

    Returns:
        Indices into `curves` and distances, (4, count), nearest first, equals in frame order; a
        distance is the root of the weighted sum over descriptors of the mean square over time,
        where the middle counts most: the frame there is the picture.
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
    squares, found = index.search(queries, min(count, len(base)))
    order = np.lexsort((found, squares), axis=1)
    found, squares = np.take_along_axis(found, order, 1), np.take_along_axis(squares, order, 1)
    return found.astype(np.int64), np.sqrt(np.maximum(squares, 0)).astype(float)


def retrieve(
    person: Person, templates: Floats, params: ReferenceParams, item: object = ""
) -> list[list[Candidate]]:
    """Find the candidates of each template, nearest first.

    No frame serves two templates, and candidates of one template lie apart in time. Templates
    choose in turn, one candidate a round, the one whose next is nearest first.

    Args:
        person: whose frames.
        templates: (4, T, 12), quantiles.
        params: section `references`.
        item: the subject, for messages.

    Raises:
        NoReference: nothing is left for a template.
    """
    curves = curves_of(person, params.window_s, templates.shape[1])
    reasons = refusals(person, curves, params.blur, params.blink)
    usable = np.flatnonzero(reasons == "")
    if not len(usable):
        raise NoReference(item, _counted(reasons, TEMPLATES[0]), "add videos with the face in view")
    # Deep enough that blocked neighbours can never exhaust a list while usable frames remain.
    rate = max(clip.fps for clip in person.clips)
    depth = params.candidates * (2 * int(params.apart_s * rate) + 1 + len(templates))
    weights = column_weights(**params.weights.model_dump())
    found, distances = nearest(curves[usable], templates, weights, depth)
    queues = [
        [Candidate(int(usable[i]), float(d)) for i, d in zip(row, ds, strict=True)]
        for row, ds in zip(found, distances, strict=True)
    ]
    picked = _take_turns(person, queues, params)
    for name, candidates in zip(TEMPLATES, picked, strict=True):
        if not candidates:
            raise NoReference(item, _counted(reasons, name), "add videos with the face in view")
    return picked


def _take_turns(
    person: Person, queues: list[list[Candidate]], params: ReferenceParams
) -> list[list[Candidate]]:
    picked: list[list[Candidate]] = [[] for _ in queues]
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
    person: Person,
    queue: list[Candidate],
    own: list[Candidate],
    taken: set[int],
    apart_s: float,
) -> None:
    """Drop from the head of a queue what is taken or too near in time to the template's own."""
    while queue and (
        queue[0].row in taken or any(_near(person, queue[0].row, c.row, apart_s) for c in own)
    ):
        queue.pop(0)


def _near(person: Person, a: int, b: int, apart_s: float) -> bool:
    if person.clip[a] != person.clip[b]:
        return False
    between = abs(int(person.frame[a]) - int(person.frame[b]))
    return between < apart_s * person.clips[int(person.clip[a])].fps


def _counted(reasons: NDArray[np.str_], template: str) -> str:
    counts = [f"{int((reasons == why).sum())} {why}" for why in ("lost face", "blink", "blur")]
    return f"no frame for template {template}: of {len(reasons)} frames {', '.join(counts)}"
