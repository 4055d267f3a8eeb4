"""Draw a subject's page: usable clips with their measurements, then rejected and failed shots."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from stages.base.io.plot_text import escape_missing, save_figure, wrap_text
from stages.clips.ledger import LedgerRow
from stages.parsing.artifacts import REGIONS
from stages.sheet.clip_summary import ClipSummary, SyncRow
from stages.sheet.tiles import COLOURS, draw_tiles
from stages.speech.sync import LONGEST_LAG

LARGEST_DRAWN = 12  # clips with images
_LARGEST_LISTED = 40  # rows of each table; viewers fail at 8 K pixels
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
    rows: list[LedgerRow],
    clips: list[ClipSummary],
    others: list[tuple[LedgerRow, SyncRow]],
) -> None:
    """Draw a subject's page as PNG.

    Args:
        target: PNG to write, the same bytes for the same content.
        title: the subject.
        rows: its ledger.
        clips: the clips that are drawn with images.
        others: ledger and sync rows of the other usable clips, listed in a line each.
    """
    bad = [row for row in rows if row.status != "ok"]
    reasons = [wrap_text(row.reason, 130, 4) for row in bad[:_LARGEST_LISTED]]
    height = 5 * _LINE + len(clips) * _ROW + 2 * _MARGIN
    height += _LINE * (3 + min(len(others), _LARGEST_LISTED)) * bool(others)
    height += _LINE * (4 + sum(map(len, reasons)))
    page = _Page(height)
    page.write(_MARGIN, escape_missing(title), size=_TITLE, weight="bold")
    page.down(1.5)
    page.write(_MARGIN, _count_text(rows))
    page.down()
    page.write(_MARGIN, _legend(len(clips), len(clips) + len(others)), color=_GREY)
    page.down(1.5)
    for clip in clips:
        _draw_clip(page, clip)
    if others:
        _list_others(page, others)
    _list_bad(page, bad, reasons)
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
        """Write a line at x, `below` lines under the current position."""
        y = 1 - (self.y + below * _LINE) / self.height
        how |= {"va": "top", "fontsize": size, "parse_math": False, "family": "DejaVu Sans"}
        self.figure.text(x / _WIDTH, y, text, **how)

    def axes(self, x: float, below: float, width: float, height: float) -> Any:
        """Add axes `below` pixels under the current position."""
        bottom = self.height - self.y - below - height
        return self.figure.add_axes(
            (x / _WIDTH, bottom / self.height, width / _WIDTH, height / self.height)
        )

    def down(self, lines: float = 1.0) -> None:
        """Move down by some lines."""
        self.y += round(lines * _LINE)

    def save(self, target: Path) -> None:
        """Write the page."""
        save_figure(target, self.figure)


def _seconds(row: LedgerRow) -> float:
    return row.frames / row.fps


def _count_text(rows: list[LedgerRow]) -> str:
    status = Counter(row.status for row in rows)
    videos = len({row.video for row in rows})
    several = "s" * (videos != 1)
    counts = ", ".join(f"{status[state]} {state}" for state in ("ok", "rejected", "failed"))
    usable = [row for row in rows if row.status == "ok"]
    train = sum(float(row.train[1] - row.train[0]) / row.fps for row in usable)
    test = sum(float(row.test[1] - row.test[0]) / row.fps for row in usable)
    total = sum(_seconds(row) for row in usable)
    return (
        f"{videos} video{several}, {len(rows)} shot{'s' * (len(rows) != 1)}: {counts}; "
        f"{total:.1f} s usable: {train:.1f} s to train on, {test:.1f} s held out"
    )


def _legend(drawn: int, usable: int) -> str:
    if not usable:
        return "No clip is usable; see the reasons in the table."
    which = "All usable clips are drawn"
    if drawn < usable:
        which = f"{drawn} of {usable} usable clips are drawn: first those whose sound is in doubt"
    return (
        f"{which}. Landmarks, and regions (mouth red, eyes blue, skin yellow); how well (r) the "
        "sound predicts the lips were it so many seconds late; dotted: measured, full: taken."
    )


def _draw_clip(page: _Page, clip: ClipSummary) -> None:
    row, sync = clip.row, clip.sync
    name = wrap_text(row.clip, 80, 1)[0]
    page.write(_MARGIN, name, weight="bold")
    length = f"{_seconds(row):.1f} s from {row.start:.1f} s of its video"
    frames = ", ".join(str(shown.frame) for shown in clip.shown)
    page.write(_MARGIN + 620, f"{length}; frames {frames}", _SMALL, color=_GREY)
    tiles = draw_tiles(clip.shown, _TILE)
    axis = page.axes(_MARGIN, 1.2 * _LINE, tiles.shape[1], _TILE)
    axis.imshow(tiles, aspect="auto", interpolation="nearest")
    axis.set_axis_off()
    x = _MARGIN + tiles.shape[1] + 44
    _plot_sync(page, clip, x)
    x += 210
    colour = _VERDICTS[sync.status]
    page.write(x, _sync_text(sync, ": "), _SMALL, 0.0, color=colour, weight="bold")
    lines = wrap_text(sync.reason, 42, 4) if sync.reason else []
    for i, line in enumerate([*lines, *_numbers(clip)]):
        page.write(x, line, 7.0, 1.0 + 0.84 * i, color=colour if i < len(lines) else "k")
    page.y += _ROW


def _sync_text(sync: SyncRow, separator: str) -> str:
    late = "" if sync.status == "rejected" else f"{separator}{float(sync.late):+.3f} s late"
    return f"sound {sync.status}{late}"


def _numbers(clip: ClipSummary) -> list[str]:
    row = clip.row
    areas = ", ".join(
        f"{name} {share:.1%}"
        for name, share in zip(REGIONS, clip.areas, strict=True)
        if name in COLOURS
    )
    kinds = ", ".join(f"{kind} {count}" for kind, count in clip.kinds.items())
    return [
        f"face {row.face_height:.0f} px, sharpness {row.sharpness:.0f}",
        f"luminance {row.exposure:.0f} of 255, clipped {row.clipped:.1%}",
        f"head {row.head_angle:.0f}° from camera, missing {row.missing:.0%}",
        f"occlusion {row.occlusion:.1%}, detector {row.confidence:.2f}",
        f"lips under hands {row.hand:.0%}, loudness {row.loudness:.0f} dB",
        f"landmarks in {clip.valid:.1%} of frames, {clip.reprojection:.1f} px off",
        areas,
        f"syllables: {kinds}",
    ]


def _plot_sync(page: _Page, clip: ClipSummary, x: float) -> None:
    axis = page.axes(x, 1.2 * _LINE, 180, _TILE - 12)
    axis.set(xlim=(-LONGEST_LAG, LONGEST_LAG), ylim=(-0.25, 1), xticks=[-0.4, -0.2, 0, 0.2, 0.4])
    axis.tick_params(labelsize=6, length=2, pad=1)
    axis.grid(alpha=0.25, lw=0.5)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_ylabel("r", fontsize=6.5, labelpad=0)
    colour = _VERDICTS[clip.sync.status]
    if len(clip.lags):
        axis.plot(clip.lags, clip.correlation, color="#33658a", lw=1.2)
    else:
        axis.text(0, 0.4, "too few moving lips", ha="center", fontsize=_SMALL, color=_GREY)
    if np.isfinite(clip.sync.offset):
        axis.axvline(float(clip.sync.offset), color=_GREY, lw=0.8, ls=":")
    if np.isfinite(clip.sync.late):
        axis.axvline(float(clip.sync.late), color=colour, lw=1.4)


def _list_others(page: _Page, others: list[tuple[LedgerRow, SyncRow]]) -> None:
    page.write(_MARGIN, f"{len(others)} more usable clips", weight="bold")
    page.down(1.3)
    for row, sync in others[:_LARGEST_LISTED]:
        page.write(_MARGIN, wrap_text(row.clip, 60, 1)[0], _SMALL)
        page.write(_MARGIN + 430, _sync_text(sync, ", "), _SMALL, color=_VERDICTS[sync.status])
        quality = (
            f"{_seconds(row):.1f} s, face {row.face_height:.0f} px, sharpness {row.sharpness:.0f}, "
            f"luminance {row.exposure:.0f}, clipped {row.clipped:.1%}, "
            f"head {row.head_angle:.0f}°, occlusion {row.occlusion:.1%}, "
            f"detector {row.confidence:.2f}, hand {row.hand:.0%}, missing {row.missing:.0%}, "
            f"{row.loudness:.0f} dB"
        )
        page.write(_MARGIN + 620, quality, _SMALL)
        page.down()
    _write_remainder(page, len(others))
    page.down(1.5)


def _list_bad(page: _Page, bad: list[LedgerRow], reasons: list[list[str]]) -> None:
    if not bad:
        page.write(_MARGIN, "Nothing was rejected, nothing failed.", color=_GREY)
        return
    page.write(_MARGIN, f"{len(bad)} rejected or failed", weight="bold")
    page.down(1.3)
    for row, lines in zip(bad, reasons, strict=False):
        page.write(_MARGIN, row.status, _SMALL, color=_VERDICTS[row.status])
        page.write(_MARGIN + 70, wrap_text(row.video, 52, 1)[0], _SMALL)
        where = f"at {row.start:.1f} s" if np.isfinite(row.start) else ""
        page.write(_MARGIN + 420, where, _SMALL, color=_GREY)
        for line in lines:
            page.write(_MARGIN + 500, line, _SMALL)
            page.down()
    _write_remainder(page, len(bad))


def _write_remainder(page: _Page, rows: int) -> None:
    if rows > _LARGEST_LISTED:
        text = f"… and {rows - _LARGEST_LISTED} more: see the ledger, clips.parquet"
        page.write(_MARGIN, text, _SMALL, color=_GREY)
