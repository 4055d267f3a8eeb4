"""Make a subject's Intermediate Style Patterns: the neutral face with its references' motion.

    python -m stages isp seen/sample_calm      # seconds

Reads references, landmarks, the neutral face and the trained style mapping; writes
data/isp/ROLE/NAME
(format ISPS), the scores of every ISP, reports/isp_scores/NAME.parquet (format ISP_SCORES), their
means, reports/isp/NAME.json, and the contact sheet reports/isp/NAME.png. Method: equations (1)
and (2), section "Style mapping" of docs/method.md.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_folder, write_atomic
from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.arrays import Floats
from stages.base.config.params import read_section, validate_section
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.image_io import Image, decode_jpeg, encode_png, resize, square
from stages.base.training.model_files import load_model, load_weights, module_tensors
from stages.references.artifacts import REFERENCES, TEMPLATES
from stages.style_mapping.artifacts import ISP_REPORTS, ISP_SCORES, ISPS, MODEL, SCORES
from stages.style_mapping.contact_sheet import grid
from stages.style_mapping.frame_pairs import closed_face, read_clips, to_image, to_tensor
from stages.style_mapping.isp_scores import Scores, caption, score_isps, summarise
from stages.style_mapping.mesh import Camera, MeshPair, build_mesh, pair, retarget
from stages.style_mapping.networks import StyleMapping, draw_large
from stages.style_mapping.params import IspParams, LearnedKeypointParams, Network
from stages.style_mapping.retargeted_neutral import Neutral, read_neutral


def run(subject: Subject, params: IspParams) -> None:
    """Generate and score the ISP of every candidate of a subject; draw the chosen ones."""
    torch.set_num_threads(1)  # pixels depend on the number of threads
    path = DATA / "references" / str(subject) / "references.parquet"
    rows = tables.read(path, REFERENCES)
    for name in TEMPLATES:
        if not rows["chosen"][rows["template"] == name].any():
            raise MissingInput(
                path, f"no chosen reference for template {name}", "run `idiolect repro`"
            )
    neutral = read_neutral(params.size)
    references = [square(decode_jpeg(data), params.size) for data in rows["image"]]
    motions = read_motions(subject, params.size, rows)
    isps = generate_isps(load_mapping(), neutral, references, motions)
    columns: dict[str, Any] = {name: rows[name] for name in ISPS.names if name != "image"}
    columns["image"] = [encode_png(isp) for isp in isps]
    with atomic_folder(DATA / "isp" / str(subject)) as folder:
        tables.write(folder / "isps.parquet", ISPS, columns)
    warped = [neutral.retarget(motion.displacement, motion.camera)[0] for motion in motions]
    scores = score_isps(neutral.image, references, isps, warped, list(rows["template"]))
    write_scores(subject.name, rows, scores)
    chosen = {str(rows["template"][i]): int(i) for i in np.flatnonzero(rows["chosen"])}
    page = draw_sheet(neutral.image, references, isps, chosen, scores)
    write_atomic(ISP_REPORTS / f"{subject.name}.png", encode_png(page))


@dataclass(frozen=True)
class ReferenceMotion:
    """What an ISP takes from its reference.

    Attributes:
        displacement: of the landmarks from the owner's closed mouth, (68, 3), face heights.
        camera: pose of the head.
        points: landmarks in the reference image, (68, 2) in [-1, 1].
    """

    displacement: Floats
    camera: Camera
    points: Floats


def read_motions(subject: Subject, size: int, rows: tables.Columns) -> list[ReferenceMotion]:
    """Read the motion of each row's frame; raise BadFormat where its clip is gone."""
    clips = {clip.id: clip for clip in read_clips([subject], size)}
    rest = closed_face(list(clips.values()))
    motions = []
    for name, frame in zip(rows["clip"], rows["frame"], strict=True):
        if str(name) not in clips:
            raise BadFormat(subject, f"no landmarks of clip {name}", "run `idiolect repro`")
        clip = clips[str(name)]
        displacement = clip.head[frame].astype(float) - rest
        points = clip.points[frame].astype(float)
        motions.append(ReferenceMotion(displacement, clip.camera(frame), points))
    return motions


def load_mapping(path: Path = MODEL) -> StyleMapping:
    """Read a trained style mapping; raise MissingInput or BadFormat."""
    tensors, config = load_model(path)
    if "network" not in config:
        raise BadFormat(path, "is not a style mapping: its configuration has no network")
    learned = config.get("learned")
    network = validate_section("network", config["network"], Network)
    own = None if learned is None else validate_section("learned", learned, LearnedKeypointParams)
    weights = module_tensors(tensors, "mapping")
    model = load_weights(path, lambda: StyleMapping(network, own), weights)
    return model.eval()


@torch.no_grad()
def generate_isps(
    model: StyleMapping,
    neutral: Neutral,
    references: Sequence[Image],
    motions: Sequence[ReferenceMotion],
) -> list[NDArray[np.uint8]]:
    """Give the neutral face the pose and expression of each style reference image.

    Args:
        model: a trained style mapping.
        neutral: at the size of the ISPs.
        references: RGB, (size, size, 3) each.
        motions: one per reference; their images' size is that of `references`.

    Returns:
        One ISP per reference, (size, size, 3) RGB.
    """
    large = to_tensor(neutral.image[None])
    small = resize(neutral.image, model.sizes.size)
    isps = []
    # One at a time: results of a batch depend on its size.
    for reference, motion in zip(references, motions, strict=True):
        scaled = resize(reference, model.sizes.size)
        if model.learned:
            mesh = None
            out = model(to_tensor(small[None]), to_tensor(scaled[None]))
        else:
            pairs = [_mesh_pair(neutral, motion)]
            mesh = build_mesh(pairs, [neutral.image], [reference])
            out = model(to_tensor(small[None]), mesh=build_mesh(pairs, [small], [scaled]))
        isps.append(to_image(draw_large(out, large, mesh)[0]))
    return isps


def _mesh_pair(neutral: Neutral, motion: ReferenceMotion) -> MeshPair:
    return pair(
        neutral.head,
        neutral.keypoints(),
        neutral.camera,
        retarget(neutral.head, motion.displacement, motion.camera),
        motion.camera,
        motion.points,
    )


def write_scores(name: str, rows: tables.Columns, scores: Scores) -> None:
    """Write the scores of every ISP and their means."""
    columns = {key: rows[key] for key in ("template", "rank", "chosen")} | dict(scores)
    tables.write(SCORES / f"{name}.parquet", ISP_SCORES, columns)
    means = summarise(scores, rows["chosen"].astype(bool))
    write_atomic(ISP_REPORTS / f"{name}.json", json.dumps(means, indent=1, sort_keys=True) + "\n")


def draw_sheet(
    neutral: Image,
    references: Sequence[Image],
    isps: Sequence[Image],
    chosen: dict[str, int],
    scores: Scores,
) -> Image:
    """Draw the neutral image with the four references above and their ISPs and scores below."""
    names = [name for name in TEMPLATES if name in chosen]
    face = square(neutral, isps[0].shape[0])
    above = [(f"{name}: reference", references[chosen[name]]) for name in names]
    below = [(f"{name}: ISP", isps[chosen[name]]) for name in names]
    notes = [[], [[], *(caption(scores, chosen[name]) for name in names)]]
    return grid([[("neutral", face), *above], [("neutral", face), *below]], notes=notes)


def main(subject: str) -> None:
    """Generate the ISPs of one subject."""
    run(Subject.parse(subject), read_section("isp", IspParams))
