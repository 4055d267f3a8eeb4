"""The tables of tables.md about style: distances, re-identification and the gap closed."""

from collections.abc import Mapping
from typing import Any

_DISTANCES = ("sld", "slv", "smd")
TRANSFER_ROWS = ("own", "lent", "transferred", "truth")
_TRANSFER = (*_DISTANCES, "gap_closed", "mouth_correlation")


def style_tables(style: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the rows of each table by its name.

    Args:
        style: the scores of `StyleComparison.score_own_style`, or of an unseen person those of
            `score_lent_styles`, which have no generated motion to compare the lent styles with.

    Returns:
        `style_distances` with rows for the own style and for each lent one; `style_identity`;
        `style_gap` with rows for all descriptors, for SLD and for each descriptor, none for an
        unseen person; and `style_descriptors`.
    """
    own = "gap_closed" in style
    distances = {}
    if own:
        distances = {"generated": _distances(style), "other time": _distances(style["floor"])}
    for name, row in style["lent"].items():
        distances[f"as {name}"] = _distances(row)
        if own:
            distances[f"own style, from {name}"] = _distances(row["from_own_style"])
        distances[f"{name}, other time"] = _distances(row["floor"])
    identified = dict(style["reidentified"])
    chance = {"share": identified.pop("chance")}
    return {
        "style_distances": distances,
        "style_identity": {**identified, "chance": chance},
        "style_gap": _gaps(style) if own and style["lent"] else {},
        "style_descriptors": dict(style["descriptors"]),
    }


def transfer_rows(transfers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the rows of the table of transferred styles, four for each.

    Args:
        transfers: the scores of `score_transfers`.
    """
    return {
        f"{name}: {row}": {measure: own[row].get(measure) for measure in _TRANSFER}
        for name, own in transfers.items()
        for row in TRANSFER_ROWS
    }


def _gaps(style: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {
        "all": {
            "closed": style["gap_closed"],
            "low": style["gap_closed_low"],
            "high": style["gap_closed_high"],
        },
        "SLD": {"closed": style["gap_closed_sld"]},
        **style["gap_closed_by"],
    }


def _distances(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: row[name] for name in _DISTANCES}
