"""The picture of a subject's references, as people read it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from stages.base.config import params
from stages.base.config.subjects import Subject
from stages.base.io.plot_text import save_figure
from stages.references import person, retrieval, sheet
from stages.references.params import ReferenceParams
from stages.references.references import rows
from tests.conftest import REPO

from .scene import write_subject

NAME = (
    "An-interview in the big$_$ studio, second take, as it was sent out that night (final cut)-001"
)


@pytest.mark.slow
def test_names_are_whole_and_no_text_overlaps_a_curve_a_face_or_another_text(tmp_path: Path):
    subject = Subject("seen", "ann")
    write_subject(tmp_path, subject, lengths=(150,))
    section = params.read_section("references", ReferenceParams, REPO / "params.yaml")
    motion = person.load(subject, section.mean_s, tmp_path)
    templates = np.random.default_rng(0).uniform(0.2, 0.8, (4, 7, 12))
    picked = retrieval.retrieve(motion, templates, section)
    images = rows(motion, picked)["image"]
    own = retrieval.curves_of(motion, section.window_s, 7)
    motion = dataclasses.replace(motion, clips=(dataclasses.replace(motion.clips[0], id=NAME),))
    figure = sheet.draw_references("ann", templates, own, motion, picked, images)
    figure.draw_without_rendering()
    faces = [axis for axis in figure.axes if axis.images]
    frame = motion.frame[picked[0][0].row]
    caption = faces[0].get_title().split("\n")
    assert " ".join(caption[:-1]) == NAME
    assert caption[-1].startswith(f"frame {frame} ")
    legend = figure.legends[0].get_window_extent()
    assert not any(legend.overlaps(axis.get_tightbbox()) for axis in figure.axes)
    texts = [text.get_window_extent() for axis in faces for text in (axis.title, axis.xaxis.label)]
    boxes = [axis.get_window_extent() for axis in faces]
    assert min(box.width for box in boxes) > 100
    for index, text in enumerate(texts):
        assert not any(text.overlaps(other) for other in texts[:index])
        assert not any(text.overlaps(box) for box in boxes)
    assert legend.x0 >= 0
    assert min(text.y0 for text in texts) >= 0
    save_figure(tmp_path / "ann.png", figure)
    assert (tmp_path / "ann.png").read_bytes().startswith(b"\x89PNG")
