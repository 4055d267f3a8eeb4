"""Vega-Lite specifications of the page's charts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Spec = dict[str, Any]
_BLUE = "#2563eb"
_GREY = "#667085"
_COLOURS = ("#101828", _BLUE, "#d97706", "#0f766e", "#9333ea", "#be123c")
_BINS = 20


def lines(
    series: Mapping[str, Sequence[float | None]],
    x: Sequence[float],
    x_title: str,
    y_title: str | None,
    *,
    whole: bool = False,
) -> Spec:
    """Return a line for each series, with a cursor at the signal `t`.

    Args:
        series: values by name; None where there is none.
        x: the place of each value.
        x_title: title of the axis.
        y_title: title of the axis; None for no title.
        whole: whether x has whole numbers alone.
    """
    values = [
        {"x": at, "y": y, "series": name}
        for name, ys in series.items()
        for at, y in zip(x, ys, strict=False)
        if y is not None
    ]
    names = list(series)
    colour = {
        "field": "series", "type": "nominal", "title": None,
        "scale": {"domain": names, "range": list(_COLOURS[: len(names)])},
        "legend": {"orient": "top", "columnPadding": 24, "labelLimit": 0},
    }  # fmt: skip
    curve = {
        "mark": {"type": "line", "tooltip": True, "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": x_title,
                  "axis": {"tickCount": 8} | ({"tickMinStep": 1, "format": "d"} if whole else {})},
            "y": {"field": "y", "type": "quantitative", "title": y_title,
                  "scale": {"zero": False}},
            "color": colour if len(series) > 1 else {"value": _BLUE},
        },
    }  # fmt: skip
    cursor = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": "#dc2626", "strokeWidth": 2},
        "encoding": {"x": {"datum": {"expr": "t"}, "type": "quantitative"}},
        "transform": [{"filter": "t >= 0"}],
    }
    layers = {"layer": [curve, cursor], "params": [{"name": "t", "value": -1}]}
    return _whole(values, layers, height=220 if len(series) > 1 else 120)


def histogram(values: Sequence[float], limit: float | None) -> Spec:
    """Return a histogram with its limit as a red line."""
    ends = [*values, *([limit] if limit is not None else [])]
    counts, edges = np.histogram(values, _BINS, (min(ends), max(ends) + 1e-6))
    binned = [
        {"from": round(float(edges[i]), 4), "to": round(float(edges[i + 1]), 4), "clips": int(n)}
        for i, n in enumerate(counts)
        if n
    ]
    whole = {"format": "d", "values": [0, int(counts.max())]}
    bars = {
        "mark": {"type": "bar", "tooltip": True, "color": _BLUE},
        "encoding": {
            "x": {"field": "from", "type": "quantitative", "title": None,
                  "scale": {"zero": False, "nice": False},
                  "axis": {"tickCount": 4, "grid": False, "labelFlush": False}},
            "x2": {"field": "to"},
            "y": {"field": "clips", "type": "quantitative", "title": "clips", "axis": whole},
            "y2": {"datum": 0},
        },
    }  # fmt: skip
    layers: list[Spec] = [bars]
    if limit is not None:
        rule = {"type": "rule", "color": "#dc2626", "strokeWidth": 2}
        layers.append(
            {
                "data": {"values": [{"limit": limit}]},
                "mark": rule,
                "encoding": {"x": {"field": "limit", "type": "quantitative"}},
            }
        )
    return _whole(binned, {"layer": layers})


def _whole(values: list[dict[str, Any]], rest: Spec, height: int = 120) -> Spec:
    axis = {
        "labelColor": _GREY,
        "titleColor": _GREY,
        "titleFontWeight": "normal",
        "gridColor": "#eef0f4",
        "domain": False,
        "ticks": False,
        "labelPadding": 4,
        "labelOverlap": "greedy",
        "labelSeparation": 8,
    }
    quiet = {
        "view": {"stroke": None},
        "font": "system-ui, sans-serif",
        "axis": axis,
        "axisY": {"minExtent": 44},
    }
    fit = {"type": "fit", "contains": "padding"}
    size = {"width": "container", "height": height, "autosize": fit}
    return {"data": {"values": values}, "config": quiet, **size, **rest}
