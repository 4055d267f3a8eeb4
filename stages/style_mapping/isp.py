"""Intermediate Style Patterns of one subject: the neutral face moved as its references are.

    python -m stages isp seen/sample_calm      # seconds

Reads references, data/neutral.png and the trained style mapping; writes data/isp/NAME (format
ISPS), what `measure` finds of each, reports/isp_scores/NAME.parquet (format ISP_SCORES), its means,
reports/isp/NAME.json, and the contact sheet reports/isp/NAME.png. Method: section 5, equations (1)
and (2).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime.atomic_files import atomic_file, atomic_folder
from pipeline.runtime.user_errors import MissingInput
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.image_io import Image, decode_jpeg, encode_png, read_image
from stages.references.artifacts import REFERENCES, TEMPLATES
from stages.style_mapping.artifacts import ISP_SCORES, ISPS
from stages.style_mapping.contact_sheet import grid

NEUTRAL = Path("data/neutral.png")
MODEL = Path("models/style_mapping.safetensors")
REPORTS, SCORES = Path("reports/isp"), Path("reports/isp_scores")


def run(subject: Subject) -> None:
    """Make and measure the ISP of every candidate of a subject; draw the chosen ones."""
    import torch

    from stages.style_mapping.inference import load
    from stages.style_mapping.isp_scores import measure

    torch.set_num_threads(1)  # pixels depend on the number of threads
    neutral = read_neutral(NEUTRAL)
    path = Path("data/references") / subject.name / "references.parquet"
    rows = tables.read(path, REFERENCES)
    for name in TEMPLATES:
        if not rows["chosen"][rows["template"] == name].any():
            raise MissingInput(path, f"no chosen reference for template {name}")
    mapping = load(MODEL)
    references = [decode_jpeg(data) for data in rows["image"]]
    isps = mapping.isps(neutral, references)
    with atomic_folder(Path("data/isp") / subject.name) as folder:
        kept = ("template", "rank", "chosen", "clip", "frame")
        columns: dict[str, Any] = {name: rows[name] for name in kept}
        columns["image"] = [encode_png(isp) for isp in isps]
        tables.write(folder / "isps.parquet", ISPS, columns)
    scores = measure(neutral, references, list(isps), list(rows["template"]))
    report(subject.name, rows, scores)
    chosen = {str(rows["template"][i]): int(i) for i in np.flatnonzero(rows["chosen"])}
    page = sheet(neutral, references, list(isps), chosen, scores)
    with atomic_file(REPORTS / f"{subject.name}.png") as part:
        part.write_bytes(encode_png(page))


def report(name: str, rows: tables.Columns, scores: Mapping[str, Any]) -> None:
    """Write the scores of every ISP and their means."""
    from stages.style_mapping.isp_scores import summary

    columns = {key: rows[key] for key in ("template", "rank", "chosen")} | dict(scores)
    tables.write(SCORES / f"{name}.parquet", ISP_SCORES, columns)
    means = summary(scores, rows["chosen"].astype(bool))
    with atomic_file(REPORTS / f"{name}.json") as part:
        part.write_text(json.dumps(means, indent=1, sort_keys=True) + "\n")


def read_neutral(path: Path) -> Image:
    """Read the neutral image, RGB; raise MissingInput or BadFormat."""
    if not path.is_file():
        raise MissingInput(path, "no neutral image here", "run `dvc repro neutral`, or put one")
    image = read_image(path, todo="run `dvc repro neutral`")
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def sheet(
    neutral: Image,
    references: Sequence[Image],
    isps: Sequence[Image],
    chosen: Mapping[str, int],
    scores: Mapping[str, Any],
) -> Image:
    """Draw neutral | four style reference images over neutral | four ISPs with their scores."""
    from stages.style_mapping.inference import square
    from stages.style_mapping.isp_scores import caption

    names = [name for name in TEMPLATES if name in chosen]
    face = square(neutral, isps[0].shape[0])
    above = [(f"{name}: reference", references[chosen[name]]) for name in names]
    below = [(f"{name}: ISP", isps[chosen[name]]) for name in names]
    notes = [[], [[], *(caption(scores, chosen[name]) for name in names)]]
    return grid([[("neutral", face), *above], [("neutral", face), *below]], notes=notes)


def main(subject: str) -> None:
    """Make the ISPs of the subject that the command line names."""
    run(Subject.parse(subject))
