"""The source image of a person, taken from the training frames, and how it follows landmarks."""

from dataclasses import replace

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from stages.generator import drawing, refinement
from stages.generator.footage import Footage, choose_source
from stages.generator.model import Source
from stages.generator.network import sample

_MOST = 500  # frames, evenly spread, that the refinement is fitted to


def source_of(footage: Footage) -> Source:
    """Choose a person's source image and fit the refinement of its warp."""
    row = choose_source(footage)
    clip = footage.clips[footage.clip[row]]
    plain = Source(
        image=footage.picture(row),
        points=footage.driving.points[row],
        shoulders=footage.driving.shoulders[row],
        refinement=refinement.none(),
        stored=clip.size,
        clip=clip.id,
        frame=int(footage.frame[row]),
    )
    return replace(plain, refinement=_refinement(footage, plain))


def _refinement(footage: Footage, source: Source) -> refinement.Refinement:
    rows = np.unique(np.linspace(0, len(footage) - 1, _MOST).astype(int))
    driving, size = footage.driving, np.float32(footage.size)
    image = drawing.to_tensor([source.image])
    inputs, undone = [], []
    for row in rows:
        points, shoulders = driving.points[row], driving.shoulders[row]
        where = drawing.places(source, points, shoulders)
        warped = drawing.to_images(sample(image, torch.from_numpy(where)[None]))[0]
        undone.append(refinement.missing(footage.picture(int(row)), warped, where))
        inputs.append(refinement.features(points, shoulders) / size)
    with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
        return refinement.fit(np.stack(inputs), np.stack(undone))
