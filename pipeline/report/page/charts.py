"""Vega-Lite specifications of the page's charts."""

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]


def lines(
    series: Mapping[str, Sequence[float | None]], x: Sequence[float], x_title: str, y_title: str
) -> Spec:
    """Return a line for each series, with a cursor at the signal `t`."""
    values = [
        {"x": at, "y": y, "series": name}
        for name, ys in series.items()
        for at, y in zip(x, ys, strict=False)
        if y is not None
    ]
    colour = {"field": "series", "type": "nominal", "title": None, "legend": {"orient": "top"}}
    curve = {
        "mark": {"type": "line", "tooltip": True, "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": x_title},
            "y": {"field": "y", "type": "quantitative", "title": y_title,
                  "scale": {"zero": False}},
            "color": colour if len(series) > 1 else {"value": "#2563eb"},
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


def histogram(values: Sequence[float], limit: float | None, title: str) -> Spec:
    """Return a histogram with its limit as a red line."""
    ends = [*values, *([limit] if limit is not None else [])]
    bars = {
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": title,
                  "bin": {"maxbins": 20, "extent": [min(ends), max(ends) + 1e-6]},
                  "axis": {"labelOverlap": True, "tickCount": 5}},
            "y": {"aggregate": "count", "type": "quantitative", "title": "clips",
                  "axis": {"tickMinStep": 1}},
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
    return _whole([{"x": value} for value in values], {"layer": layers})


def _whole(values: list[dict[str, Any]], rest: Spec, height: int = 120) -> Spec:
    quiet = {"view": {"stroke": None}, "font": "system-ui, sans-serif"}
    fit = {"type": "fit", "contains": "padding"}
    size = {"width": "container", "height": height, "autosize": fit}
    return {"data": {"values": values}, "config": quiet, **size, **rest}
