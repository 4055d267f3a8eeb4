"""Draw a subject's page: clips with what was found in them, then what gave no clip."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime.atomic_files import atomic_file
from stages.base.io.plot_text import escape_missing, wrap_text
from stages.parsing.artifacts import REGIONS
from stages.sheet.found import Found, Row
from stages.sheet.pictures import COLOURS, strip
from stages.speech.sync import LONGEST_LAG

DRAWN = 12  # clips with pictures
LISTED = 40  # rows of each table; 8 K of pixels are too many for a viewer
_DPI = 100
_TILE = 150  # px
_WIDTH = 1460  # px
_LINE = 15  # px
_MARGIN = 24
_ROW = _TILE + 3 * _LINE  # a clip's tiles, its title over them, and a gap
_SMALL, _HEAD, _TITLE = 7.5, 9.0, 13.0  # points
_GREY = "#666666"
_VERDICTS = {"ok": "#2a7f3f", "assumed": "#b36b00", "rejected": "#c1121f", "failed": "#7a0f5e"}


def draw(
    target: Path,
    title: str,
    rows: list[Row],
    found: list[Found],
    rest: list[tuple[Row, Row]],
) -> None:
    """Draw a subject's page as PNG.

    Args:
        target: PNG to write, the same bytes for the same content.
        title: the subject.
        rows: its ledger.
        found: the clips that are shown with pictures.
        rest: ledger and sync rows of the other usable clips, listed in a line each.
    """
    bad = [row for row in rows if row["status"] != "ok"]
    reasons = [wrap_text(str(row["reason"]), 130, 4) for row in bad[:LISTED]]
    height = 5 * _LINE + len(found) * _ROW + 2 * _MARGIN
    height += _LINE * (3 + min(len(rest), LISTED)) * bool(rest)
    height += _LINE * (4 + sum(map(len, reasons)))
    page = _Page(height)
    page.write(_MARGIN, escape_missing(title), size=_TITLE, weight="bold")
    page.down(1.5)
    page.write(_MARGIN, _counts(rows))
    page.down()
    page.write(_MARGIN, _shown(len(found), len(found) + len(rest)), color=_GREY)
    page.down(1.5)
    for one in found:
        _clip(page, one)
    if rest:
        _others(page, rest)
    _refused(page, bad, reasons)
    page.save(target)


class _Page:
    """A page that is filled from top to bottom, in pixels."""

    def __init__(self, height: int) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.height, self.y = height, _MARGIN
        self.figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI)
        FigureCanvasAgg(self.figure)

    def write(self, x: float, text: str, size: float = _HEAD, below: float = 0, **how: Any) -> None:
        """Write a line at x, `below` lines under where the page is."""
        y = 1 - (self.y + below * _LINE) / self.height
        how |= {"va": "top", "fontsize": size, "parse_math": False, "family": "DejaVu Sans"}
        self.figure.text(x / _WIDTH, y, text, **how)

    def axes(self, x: float, below: float, width: float, height: float) -> Any:
        """Make axes `below` pixels under where the page is."""
        bottom = self.height - self.y - below - height
        return self.figure.add_axes(
            (x / _WIDTH, bottom / self.height, width / _WIDTH, height / self.height)
        )

    def down(self, lines: float = 1.0) -> None:
        """Go on some lines below."""
        self.y += round(lines * _LINE)

    def save(self, target: Path) -> None:
        """Write the page; without the library's version, since its bytes are compared."""
        with atomic_file(target) as part:
            self.figure.savefig(part, format="png", metadata={"Software": None})


def _counts(rows: list[Row]) -> str:
    status = Counter(str(row["status"]) for row in rows)
    videos = len({str(row["video"]) for row in rows})
    several = "s" * (videos != 1)
    told = ", ".join(f"{status[state]} {state}" for state in ("ok", "rejected", "failed"))
    good = [row for row in rows if row["status"] == "ok"]
    train, test = (
        sum(float(row[span][1] - row[span][0]) / row["fps"] for row in good)
        for span in ("train", "test")
    )
    total = sum(float(row["frames"]) / row["fps"] for row in good)
    return (
        f"{videos} video{several}, {len(rows)} shot{'s' * (len(rows) != 1)}: {told}; "
        f"{total:.1f} s usable: {train:.1f} s to train on, {test:.1f} s held out"
    )


def _shown(drawn: int, usable: int) -> str:
    if not usable:
        return "No clip is usable: the table says why."
    which = "All usable clips are drawn"
    if drawn < usable:
        which = f"{drawn} of {usable} usable clips are drawn: first those whose sound is in doubt"
    return (
        f"{which}. Landmarks, and regions (mouth red, eyes blue, skin yellow); how well (r) the "
        "sound predicts the lips were it so many seconds late; dotted: measured, full: taken."
    )


def _clip(page: _Page, one: Found) -> None:
    row, sync = one.row, one.sync
    name = wrap_text(one.clip.id, 80, 1)[0]
    page.write(_MARGIN, name, weight="bold")
    length = f"{one.clip.frames / one.clip.fps:.1f} s from {row['start']:.1f} s of its video"
    frames = ", ".join(str(moment.frame) for moment in one.moments)
    page.write(_MARGIN + 620, f"{length}; frames {frames}", _SMALL, color=_GREY)
    picture = strip(one.moments, _TILE)
    axis = page.axes(_MARGIN, 1.2 * _LINE, picture.shape[1], _TILE)
    axis.imshow(picture, aspect="auto", interpolation="nearest")
    axis.set_axis_off()
    x = _MARGIN + picture.shape[1] + 44
    _sync(page, one, x)
    x += 210
    verdict = str(sync["status"])
    late = "" if verdict == "rejected" else f": {float(sync['late']):+.3f} s late"
    page.write(x, f"sound {verdict}{late}", _SMALL, 0.0, color=_VERDICTS[verdict], weight="bold")
    lines = wrap_text(str(sync["reason"]), 42, 4) if sync["reason"] else []
    for i, line in enumerate([*lines, *_numbers(one)]):
        page.write(
            x, line, 7.0, 1.0 + 0.84 * i, color=_VERDICTS[verdict] if i < len(lines) else "k"
        )
    page.y += _ROW


def _numbers(one: Found) -> list[str]:
    row = one.row
    areas = ", ".join(
        f"{name} {share:.1%}"
        for name, share in zip(REGIONS, one.areas, strict=True)
        if name in COLOURS
    )
    kinds = ", ".join(f"{kind} {count}" for kind, count in one.kinds.items())
    return [
        f"face {row['face_height']:.0f} px, sharpness {row['sharpness']:.0f}",
        f"luminance {row['exposure']:.0f} of 255, clipped {row['clipped']:.1%}",
        f"head {row['head_angle']:.0f}° from camera, missing {row['missing']:.0%}",
        f"occlusion {row['occlusion']:.1%}, detector {row['confidence']:.2f}",
        f"lips under hands {row['hand']:.0%}, loudness {row['loudness']:.0f} dB",
        f"landmarks in {one.valid:.1%} of frames, {one.reprojection:.1f} px off",
        areas,
        f"syllables: {kinds}",
    ]


def _sync(page: _Page, one: Found, x: float) -> None:
    axis = page.axes(x, 1.2 * _LINE, 180, _TILE - 12)
    axis.set(xlim=(-LONGEST_LAG, LONGEST_LAG), ylim=(-0.25, 1), xticks=[-0.4, -0.2, 0, 0.2, 0.4])
    axis.tick_params(labelsize=6, length=2, pad=1)
    axis.grid(alpha=0.25, lw=0.5)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_ylabel("r", fontsize=6.5, labelpad=0)
    colour = _VERDICTS[str(one.sync["status"])]
    if len(one.late):
        axis.plot(one.late, one.correlation, color="#33658a", lw=1.2)
    else:
        axis.text(0, 0.4, "too few moving lips", ha="center", fontsize=_SMALL, color=_GREY)
    if np.isfinite(one.sync["offset"]):
        axis.axvline(float(one.sync["offset"]), color=_GREY, lw=0.8, ls=":")
    if np.isfinite(one.sync["late"]):
        axis.axvline(float(one.sync["late"]), color=colour, lw=1.4)


def _others(page: _Page, rest: list[tuple[Row, Row]]) -> None:
    page.write(_MARGIN, f"{len(rest)} more usable clips", weight="bold")
    page.down(1.3)
    for row, sync in rest[:LISTED]:
        verdict = str(sync["status"])
        page.write(_MARGIN, wrap_text(str(row["clip"]), 60, 1)[0], _SMALL)
        late = "" if verdict == "rejected" else f", {float(sync['late']):+.3f} s late"
        page.write(_MARGIN + 430, f"sound {verdict}{late}", _SMALL, color=_VERDICTS[verdict])
        told = ", ".join(
            (
                f"{row['frames'] / row['fps']:.1f} s",
                f"face {row['face_height']:.0f} px",
                f"sharpness {row['sharpness']:.0f}",
                f"luminance {row['exposure']:.0f}",
                f"clipped {row['clipped']:.1%}",
                f"head {row['head_angle']:.0f}°",
                f"occlusion {row['occlusion']:.1%}",
                f"detector {row['confidence']:.2f}",
                f"hand {row['hand']:.0%}",
                f"missing {row['missing']:.0%}",
                f"{row['loudness']:.0f} dB",
            )
        )
        page.write(_MARGIN + 620, told, _SMALL)
        page.down()
    if len(rest) > LISTED:
        told = f"… and {len(rest) - LISTED} more: see the ledger, clips.parquet"
        page.write(_MARGIN, told, _SMALL, color=_GREY)
    page.down(1.5)


def _refused(page: _Page, bad: list[Row], reasons: list[list[str]]) -> None:
    if not bad:
        page.write(_MARGIN, "Nothing was rejected, nothing failed.", color=_GREY)
        return
    page.write(_MARGIN, f"{len(bad)} rejected or failed", weight="bold")
    page.down(1.3)
    for row, lines in zip(bad, reasons, strict=False):
        status = str(row["status"])
        page.write(_MARGIN, status, _SMALL, color=_VERDICTS[status])
        page.write(_MARGIN + 70, wrap_text(str(row["video"]), 52, 1)[0], _SMALL)
        where = f"at {row['start']:.1f} s" if np.isfinite(row["start"]) else ""
        page.write(_MARGIN + 420, where, _SMALL, color=_GREY)
        for line in lines:
            page.write(_MARGIN + 500, line, _SMALL)
            page.down()
    if len(bad) > LISTED:
        told = f"… and {len(bad) - LISTED} more: see the ledger, clips.parquet"
        page.write(_MARGIN, told, _SMALL, color=_GREY)
