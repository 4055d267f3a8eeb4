"""The source images of a person, one a scene, and how they follow landmarks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stages.base.config.subjects import Subject
from stages.generator import drawing, refinement, scenes
from stages.generator.footage import Footage, choose_source, read_footage
from stages.generator.model import Source
from stages.generator.network import sample

_MOST = 500  # frames, evenly spread, that a refinement is fitted to


def sources_of(footage: Footage) -> tuple[Source, ...]:
    """Choose a source image for each scene of a person and fit the refinement of its warp.

    The scene of the longest clip comes first: it is the one drawn unless another is asked for.
    """
    looks = looks_of(footage)
    scene = np.array(scenes.group(looks))
    counts = np.bincount(footage.clip, minlength=len(footage.clips))
    longest = scene[int(np.argmax(counts))]
    order = sorted(set(scene.tolist()), key=lambda s: (s != longest, s))
    found = []
    for number in order:
        rows = np.flatnonzero(scene[footage.clip] == number)
        look = np.mean([looks[i] for i in np.flatnonzero(scene == number)], axis=0)
        plain = replace(portrait(footage, choose_source(footage, rows)), look=look)
        found.append(replace(plain, refinement=_refinement(footage, rows, plain)))
    return tuple(found)


def portrait(footage: Footage, row: int) -> Source:
    """Take a row as a source of which nothing else is known."""
    clip = footage.clips[footage.clip[row]]
    image = footage.picture(row)
    return Source(
        image=image,
        points=footage.driving.points[row],
        shoulders=footage.driving.shoulders[row],
        refinement=refinement.none(),
        look=scenes.look([image]),
        stored=clip.size,
        clip=clip.id,
        frame=int(footage.frame[row]),
    )


def looks_of(footage: Footage) -> list[scenes.Look]:
    """Return the look of each clip's frames of the span."""
    looks = []
    for number, frames in enumerate(footage.pictures):
        own = footage.frame[footage.clip == number]
        looks.append(scenes.look_of(frames, int(own[0]), int(own[-1]) + 1))
    return looks


def of_clips(footage: Footage, sources: Sequence[Source]) -> list[int | None]:
    """Find the source of the scene that each clip shows; None for a scene without one."""
    known = [source.look for source in sources]
    return [scenes.nearest(look, known) for look in looks_of(footage)]


def held_out_sources(
    subject: Subject, trained: Sequence[Source], size: int, data: Path = Path("data")
) -> dict[str, Source]:
    """Find the source of each held-out clip, by its id.

    It is that of the clip's scene. Where training never saw the scene, it is the clip's own first
    held-out frame, as a portrait would be given: then that frame is not to be scored.
    """
    footage = read_footage([subject], size, held_out=True, data=data)[0]
    found = {}
    for number, scene in enumerate(of_clips(footage, trained)):
        first = int(np.argmax(footage.clip == number))
        source = portrait(footage, first) if scene is None else trained[scene]
        found[footage.clips[number].id] = source
    return found


def _refinement(footage: Footage, rows: NDArray[np.intp], source: Source) -> refinement.Refinement:
    spread = rows[np.unique(np.linspace(0, len(rows) - 1, _MOST).astype(int))]
    driving, size = footage.driving, np.float32(footage.size)
    image = drawing.to_tensor([source.image])
    inputs, undone = [], []
    for row in spread:
        points, shoulders = driving.points[row], driving.shoulders[row]
        where = drawing.places(source, points, shoulders)
        warped = drawing.to_images(sample(image, torch.from_numpy(where)[None]))[0]
        undone.append(refinement.missing(footage.picture(int(row)), warped, where))
        inputs.append(refinement.features(points, shoulders) / size)
    with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
        return refinement.fit(np.stack(inputs), np.stack(undone))
