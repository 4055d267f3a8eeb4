"""Lay out a graph from top to bottom, by grandalf's Sugiyama layout."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import networkx as nx
from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout, VertexViewer

WIDTH, HEIGHT = 148, 26  # px of a box
_BETWEEN, _LEVEL, _MARGIN = 16, 26, 3  # px


@dataclass(frozen=True)
class Layout:
    """Where boxes and edges are, in px.

    Attributes:
        corners: the upper left corner of each box.
        paths: of each edge, from a box to one that needs it, as data of an SVG path.
        width: of all.
        height: of all.
    """

    corners: dict[str, tuple[int, int]]
    paths: dict[tuple[str, str], str]
    width: int
    height: int


def lay_out(needs: Mapping[str, Collection[str]]) -> Layout:
    """Place the boxes of a graph without cycles; edges that others imply are left out."""
    graph = nx.DiGraph()
    graph.add_nodes_from(needs)
    graph.add_edges_from((n, name) for name in needs for n in sorted(needs[name]) if n != name)
    reduced = nx.transitive_reduction(graph)
    vertices = {name: Vertex(name) for name in needs}
    for vertex in vertices.values():
        vertex.view = VertexViewer(WIDTH, HEIGHT)
    edges = {pair: Edge(*map(vertices.get, pair)) for pair in graph.edges if pair in reduced.edges}
    for edge in edges.values():
        edge.view = SimpleNamespace(points=[])
        edge.view.setpath = edge.view.points.extend
    left = float(_MARGIN)
    corners: dict[str, tuple[int, int]] = {}
    paths: dict[tuple[str, str], str] = {}
    for part in Graph(list(vertices.values()), list(edges.values())).C:
        layout = SugiyamaLayout(part)
        layout.xspace, layout.yspace = _BETWEEN, _LEVEL
        layout.init_all()
        layout.draw()
        own = {vertex.data: vertex.view.xy for vertex in part.sV}
        routes = {pair: edge.view.points for pair, edge in edges.items() if pair[0] in own}
        xs = [x for points in routes.values() for x, _ in points] + [x for x, _ in own.values()]
        shift = left - min(xs) + WIDTH / 2
        for name, (x, y) in own.items():
            corners[name] = round(x + shift - WIDTH / 2), round(y - HEIGHT / 2) + _MARGIN
        for pair, points in routes.items():
            paths[pair] = _path([(x + shift, y + _MARGIN) for x, y in points])
        left += max(xs) - min(xs) + WIDTH + _BETWEEN
    height = max((y for _, y in corners.values()), default=0) + HEIGHT + _MARGIN
    width = max(round(left) - _BETWEEN + _MARGIN, 0)
    return Layout(corners, paths, width, height)


def _path(points: list[tuple[float, float]]) -> str:
    """Return a smooth path from the lower edge of the first box to the upper edge of the last."""
    (x, y), (to_x, to_y) = points[0], points[-1]
    ends = [(x, y + HEIGHT / 2), *points[1:-1], (to_x, to_y - HEIGHT / 2)]
    path = f"M{ends[0][0]:.0f} {ends[0][1]:.0f}"
    for (x, y), (to_x, to_y) in pairwise(ends):
        middle = (y + to_y) / 2
        path += f"C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}"
    return path
