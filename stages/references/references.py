"""Select a subject's style reference images: the frames that best show its four key motions.

    python -m stages references seen/NAME       # a second or two

Reads clips, landmarks and templates; writes data/references/ROLE/NAME/references.parquet (see
docs/formats.md, "references") and the sheet reports/references/NAME.png.
Method: section "Style reference images" of docs/method.md.
"""

from pathlib import Path
from typing import Any

import numpy as np

from stages.base.config.params import read_section
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.plot_text import save_figure
from stages.clips.frames import Frames
from stages.references import person, retrieval, sheet, templates
from stages.references.artifacts import REFERENCES, TEMPLATES
from stages.references.params import ReferenceParams
from stages.references.person import PersonCurves
from stages.references.retrieval import RetrievedFrame


def run(subject: Subject, params: ReferenceParams, data: Path = DATA) -> None:
    """Retrieve, write and draw the references of one subject; raise NoReference."""
    curves = templates.load(data / "templates")
    motion = person.load(subject, params.mean_s, data)
    picked = retrieval.retrieve(motion, curves, params, subject)
    table = rows(motion, picked)
    tables.write(data / "references" / str(subject) / "references.parquet", REFERENCES, table)
    own = retrieval.curves_of(motion, params.window_s, curves.shape[1])
    target = data.parent / "reports" / "references" / f"{subject.name}.png"
    figure = sheet.draw_references(subject.name, curves, own, motion, picked, table["image"])
    save_figure(target, figure)
    for name, candidates in zip(TEMPLATES, picked, strict=True):
        best = candidates[0]
        clip = motion.clips[int(motion.clip[best.row])].id
        where = f"{clip} frame {motion.frame[best.row]}"
        print(f"{subject} {name}: {where}, distance {best.distance:.3f}, of {len(candidates)}")


def rows(motion: PersonCurves, picked: list[list[RetrievedFrame]]) -> dict[str, Any]:
    """Return the columns of the references table; the first candidate of a template is chosen.

    Args:
        motion: the subject's curves.
        picked: per template, its candidates, nearest first.
    """
    flat = [(t, rank, c) for t, cs in enumerate(picked) for rank, c in enumerate(cs)]
    index = np.array([c.row for _, _, c in flat])
    clips = [motion.clips[i] for i in motion.clip[index]]
    images = [
        Frames(clip.video).jpeg(int(frame))
        for clip, frame in zip(clips, motion.frame[index], strict=True)
    ]
    return {
        "template": [TEMPLATES[t] for t, _, _ in flat],
        "rank": [rank for _, rank, _ in flat],
        "chosen": [rank == 0 for _, rank, _ in flat],
        "clip": [clip.id for clip in clips],
        "frame": motion.frame[index],
        "distance": [c.distance for _, _, c in flat],
        "amplitude": motion.amplitude[index],
        "image": images,
    }


def main(subject: str) -> None:
    """Retrieve the references of one subject."""
    run(Subject.parse(subject), read_section("references", ReferenceParams))
