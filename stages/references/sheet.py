"""Plots of the key motion templates and of a subject's references."""

from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stages.base.arrays import Floats
from stages.base.io.image_io import decode_jpeg
from stages.base.io.plot_text import escape_missing, save_figure
from stages.references.artifacts import TEMPLATES
from stages.references.person import NAMES, PersonCurves
from stages.references.retrieval import RetrievedFrame

_PLOTTED = (0, 1, 2, 3)  # the mouth descriptors
_COLOURS = ("#c1121f", "#0077b6", "#588157", "#8338ec")
_LINE = 24  # characters of a title
_MEANING = {
    "None": "closed syllable",
    "M": "closed, lips meet",
    "R": "open, spread vowel",
    "O": "open, rounded vowel",
}


def draw_references(
    title: str,
    templates: Floats,
    own: Floats,
    person: PersonCurves,
    picked: list[list[RetrievedFrame]],
    images: list[bytes],
) -> Any:
    """Draw one row per template: its curve, the candidates' curves and their faces.

    Args:
        title: name of the subject.
        templates: (4, T, 12), quantiles.
        own: the curve around each of the person's frames, (N, T, 12).
        person: curves and clips of the person.
        picked: candidates of each template; the first is the style reference image.
        images: the candidates' frames as JPEG, template by template.

    Returns:
        The figure.
    """
    faces = max(len(candidates) for candidates in picked)
    lines = max(len(_title(clip.id)) for clip in person.clips)
    size = (3.6 + 1.45 * faces, 9.0 + 0.4 * lines)  # four rows, a tenth for each line in each
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    grid = figure.add_gridspec(len(TEMPLATES), faces + 1, width_ratios=[2.2, *[1.0] * faces])
    figure.suptitle(
        f"{title}: style reference images (framed) and candidates, nearest first", fontsize=11
    )
    start = 0
    for row, (name, candidates) in enumerate(zip(TEMPLATES, picked, strict=True)):
        axis = figure.add_subplot(grid[row, 0])
        _curves(axis, name, templates[row], own[[c.row for c in candidates]])
        for column, candidate in enumerate(candidates):
            axis = figure.add_subplot(grid[row, column + 1])
            _face(axis, person, candidate, images[start + column], chosen=column == 0)
        start += len(candidates)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        title="left: quantiles of one's own range; thick: the template, thin: its candidates",
        title_fontsize=7,
        fontsize=7,
        frameon=False,
        ncols=len(handles),
        loc="outside lower left",
    )
    figure.draw_without_rendering()  # the constrained layout of square axes needs a second pass
    return figure


def draw_templates(target: Path, templates: Floats, low: Floats, high: Floats) -> None:
    """Draw the four templates, one panel per descriptor, with the quartiles of their syllables.

    Args:
        target: PNG to write.
        templates: (4, T, 12), quantiles.
        low: first quartile of the syllables of each class, (4, T, 12).
        high: third quartile, (4, T, 12).
    """
    figure = Figure(figsize=(12, 8), dpi=100, layout="constrained")
    steps = np.linspace(-0.5, 0.5, templates.shape[1])
    for index, (axis, name) in enumerate(zip(figure.subplots(3, 4).flat, NAMES, strict=True)):
        for k, template in enumerate(TEMPLATES):
            axis.plot(steps, templates[k, :, index], color=_COLOURS[k], lw=2, label=template)
            axis.fill_between(
                steps, low[k, :, index], high[k, :, index], color=_COLOURS[k], alpha=0.08, lw=0
            )
        axis.set(title=name.replace("_", " "), ylim=(0, 1))
        axis.title.set_fontsize(9)
        axis.grid(alpha=0.2)
    figure.axes[0].legend(fontsize=8, frameon=False)
    figure.suptitle(
        "Key motion templates: quantile of a person's own range over one syllable", fontsize=11
    )
    save_figure(target, figure)


def _curves(axis: Any, name: str, template: Floats, candidates: Floats) -> None:
    steps = np.linspace(-0.5, 0.5, len(template))
    for index, colour in zip(_PLOTTED, _COLOURS, strict=True):
        axis.plot(steps, candidates[:, :, index].T, color=colour, lw=0.6, alpha=0.35)
        label = NAMES[index].replace("_", " ")
        axis.plot(steps, template[:, index], color=colour, lw=2.2, label=label)
    axis.set(ylim=(0, 1), xlim=(-0.5, 0.5), xticks=[], yticks=[0, 0.5, 1])
    axis.tick_params(labelsize=7)
    axis.set_title(f"{name}: {_MEANING[name]}", fontsize=9, loc="left")
    axis.spines[["top", "right"]].set_visible(False)


def _face(
    axis: Any, person: PersonCurves, candidate: RetrievedFrame, image: bytes, *, chosen: bool
) -> None:
    picture = decode_jpeg(image)
    x, y, width, height = person.box[candidate.row]
    half = 0.62 * max(width, height)
    middle = (x + width / 2, y + height / 2)
    axis.imshow(picture, extent=(0, picture.shape[1], picture.shape[0], 0))
    axis.set(
        xlim=(middle[0] - half, middle[0] + half),
        ylim=(middle[1] + half, middle[1] - half),
        xticks=[],
        yticks=[],
    )
    raw = person.amplitude[candidate.row]
    clip = person.clips[int(person.clip[candidate.row])].id
    where = [*_title(clip), f"frame {person.frame[candidate.row]}  d {candidate.distance:.2f}"]
    axis.set_title("\n".join(where), fontsize=6, parse_math=False)
    axis.set_xlabel(f"open {raw[0]:.3f}  wide {raw[1]:.3f}\npress {raw[3]:.3f}", fontsize=6)
    for spine in axis.spines.values():
        spine.set(color="#c1121f" if chosen else "#bbbbbb", linewidth=3 if chosen else 0.5)


def _title(clip: str) -> list[str]:
    return wrap(escape_missing(clip), _LINE)
