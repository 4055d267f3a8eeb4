"""The page of `idiolect compare`: one file of HTML beside the pictures, no script, no network."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.promotion.decision import HEAD, Decision, cells
from pipeline.runtime.atomic_files import atomic_file

if TYPE_CHECKING:
    from pipeline.promotion.comparing import Compared

_STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1500px; padding: 0 1rem;
  color: #222; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem; text-align: left;
  border-bottom: 1px solid #ddd; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.d td { background: #fff6d6; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin-bottom: 1.5rem; }
figure { margin: 0; } figcaption { color: #666; }
img { width: 100%; border: 1px solid #ddd; } video { width: 24rem; max-width: 100%; }
"""
_NUMBERS = {HEAD.index(name) for name in ("champion", "challenger", "gain, 95 %", "needed", "s")}
Shown = Iterable[tuple[str, list[str]]]


def write(path: Path, found: "Compared", pictures: Shown) -> None:
    """Write the page of a comparison; `pictures` are names with the copies of both sides."""
    first, second = map(escape, found.names)
    parts = [
        f"<h1>{first} → {second}</h1>",
        _pairs("Params", found.params, found.names),
        _pairs("Videos a subject", found.videos, found.names),
        f"<p>Code of stages: {escape(', '.join(found.code) or 'the same')}.</p>",
    ]
    if found.decision:
        parts.append(_decision(found.decision))
    parts += [_picture(name, copies, found.names) for name, copies in pictures]
    parts.append(_pairs("Metrics", found.metrics, found.names))
    if found.same:
        parts.append(f"<p>The same in both: {escape(', '.join(found.same))}.</p>")
    parts += [f"<p>Not shown: {escape(problem)}</p>" for problem in found.lost]
    head = f'<meta charset="utf-8"><title>{first} → {second}</title><style>{_STYLE}</style>'
    page = f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n'
    with atomic_file(path) as part:
        part.write_text(page + "\n".join(parts) + "\n</body></html>\n")


def _pairs(title: str, pairs: Mapping[str, tuple[str, str]], names: tuple[str, str]) -> str:
    if not pairs:
        return f"<h2>{title}</h2><p>The same.</p>"
    rows = [
        _row([name, *sides], marked=sides[0] != sides[1], numbers={1, 2})
        for name, sides in pairs.items()
    ]
    return f"<h2>{title}</h2>{_table(['', *names], rows)}"


def _decision(decision: Decision) -> str:
    rows = [_row(cells(row), marked=not row.met, numbers=_NUMBERS) for row in decision.rows]
    table = _table(HEAD, rows) if rows else ""
    notes = [*decision.notes] if rows else [*decision.reasons[1:], *decision.notes]
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    headline = escape(decision.headline())
    return f"<h2>By promotion.yaml</h2><p>{headline}.</p>{table}<ul>{listed}</ul>"


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><tr>{heads}</tr>{''.join(rows)}</table>"


def _row(texts: Sequence[str], *, marked: bool, numbers: Collection[int]) -> str:
    """Write a row; columns of numbers are set flush right."""
    kinds = (' class="n"' if i in numbers else "" for i in range(len(texts)))
    tds = (f"<td{kind}>{escape(text)}</td>" for kind, text in zip(kinds, texts, strict=True))
    kind = ' class="d"' if marked else ""
    return f"<tr{kind}>{''.join(tds)}</tr>"


def _picture(name: str, copies: list[str], names: tuple[str, str]) -> str:
    figures = []
    for copy, side in zip(copies, names, strict=True):
        where = escape(copy, quote=True)
        shown = f'<img src="{where}" alt="" loading="lazy">'
        if copy.endswith(".mp4"):
            shown = f'<video src="{where}" controls preload="metadata"></video>'
        caption = f"<figcaption>{escape(side)}</figcaption>"
        figures.append(f"<figure>{caption}{shown if copy else '<p>not here</p>'}</figure>")
    return f'<h2>{escape(name)}</h2><div class="pair">{"".join(figures)}</div>'
