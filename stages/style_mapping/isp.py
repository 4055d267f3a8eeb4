"""Make a subject's Intermediate Style Patterns: the neutral face with its references' motion.

    python -m stages isp seen/sample_calm      # seconds

Reads references, data/neutral.png and the trained style mapping; writes data/isp/NAME (format
ISPS), the scores of every ISP, reports/isp_scores/NAME.parquet (format ISP_SCORES), their means,
reports/isp_scores/NAME.json, and the contact sheet reports/isp/NAME.png. Method: section 5,
equations (1) and (2).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_folder, write_atomic
from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config.params import validate_section
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.image_io import Image, decode_jpeg, encode_png, square
from stages.base.training.model_files import load_model, module_tensors
from stages.references.artifacts import REFERENCES, TEMPLATES
from stages.style_mapping.artifacts import ISP_REPORTS, ISP_SCORES, ISPS, MODEL, SCORES
from stages.style_mapping.contact_sheet import grid
from stages.style_mapping.frame_pairs import to_image, to_tensor
from stages.style_mapping.isp_scores import Scores, caption, score_isps, summarise
from stages.style_mapping.networks import StyleMapping
from stages.style_mapping.params import Network
from stages.style_mapping.retargeted_neutral import read_neutral_image


def run(subject: Subject) -> None:
    """Generate and score the ISP of every candidate of a subject; draw the chosen ones."""
    torch.set_num_threads(1)  # pixels depend on the number of threads
    neutral = read_neutral_image()
    path = DATA / "references" / subject.name / "references.parquet"
    rows = tables.read(path, REFERENCES)
    for name in TEMPLATES:
        if not rows["chosen"][rows["template"] == name].any():
            raise MissingInput(path, f"no chosen reference for template {name}")
    references = [decode_jpeg(data) for data in rows["image"]]
    isps = generate_isps(load_mapping(), neutral, references)
    columns: dict[str, Any] = {name: rows[name] for name in ISPS.names if name != "image"}
    columns["image"] = [encode_png(isp) for isp in isps]
    with atomic_folder(DATA / "isp" / subject.name) as folder:
        tables.write(folder / "isps.parquet", ISPS, columns)
    scores = score_isps(neutral, references, isps, list(rows["template"]))
    write_scores(subject.name, rows, scores)
    chosen = {str(rows["template"][i]): int(i) for i in np.flatnonzero(rows["chosen"])}
    page = draw_sheet(neutral, references, isps, chosen, scores)
    write_atomic(ISP_REPORTS / f"{subject.name}.png", encode_png(page))


def load_mapping(path: Path = MODEL) -> StyleMapping:
    """Read a trained style mapping; raise MissingInput or BadFormat."""
    tensors, config = load_model(path)
    if "network" not in config:
        raise BadFormat(path, "is no style mapping: its configuration has no network")
    model = StyleMapping(validate_section("network", config["network"], Network))
    try:
        model.load_state_dict(module_tensors(tensors, "mapping"))
    except RuntimeError as error:
        raise BadFormat(path, f"tensors do not fit its configuration: {error}") from None
    return model.eval()


@torch.no_grad()
def generate_isps(
    model: StyleMapping, neutral: Image, references: Sequence[Image]
) -> list[NDArray[np.uint8]]:
    """Give the neutral face the pose and expression of each style reference image.

    Args:
        model: a trained style mapping.
        neutral: RGB, any size; head and shoulders, framed as in clips.
        references: RGB, any size.

    Returns:
        One ISP per reference, (size, size, 3) RGB.
    """
    size = model.sizes.size
    source = to_tensor(square(neutral, size)[None])
    # One at a time: results of a batch depend on its size.
    return [
        to_image(model(source, to_tensor(square(reference, size)[None]))["image"][0])
        for reference in references
    ]


def write_scores(name: str, rows: tables.Columns, scores: Scores) -> None:
    """Write the scores of every ISP and their means."""
    columns = {key: rows[key] for key in ("template", "rank", "chosen")} | dict(scores)
    tables.write(SCORES / f"{name}.parquet", ISP_SCORES, columns)
    means = summarise(scores, rows["chosen"].astype(bool))
    write_atomic(SCORES / f"{name}.json", json.dumps(means, indent=1, sort_keys=True) + "\n")


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
    run(Subject.parse(subject))
