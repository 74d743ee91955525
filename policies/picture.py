"""A picture of sources by services: who reaches what, as SVG that browsers show directly."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from rules.analysis.exposure import Exposed
from rules.analysis.reachability import Analysis

_ROW, _COLUMN, _LEFT, _TOP = 28, 34, 300, 170
_MOST = 400
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1f24 } .title { font-weight: 600 } .more { fill: #59636e }
.sure { fill: #c93c37 } .doubt { fill: url(#doubt); stroke: #b08800 } .none { fill: #f0f2f4 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .more { fill: #9198a1 } .none { fill: #21262d } svg { background: #0d1117 } }
"""
_PATTERN = (
    '<pattern id="doubt" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="#fff8c5"/><rect width="3" height="6" fill="#d4a72c"/></pattern>'
)


def picture(analyses: Sequence[Analysis]) -> str:
    """An SVG document with a grid for each family: a row for each source, a column for each service."""
    parts: list[str] = []
    width, height = _LEFT, 0
    for analysis in analyses:
        grid, wide, high = _grid(analysis, height)
        parts += grid
        width, height = max(width, wide), height + high
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">'
    )
    title = "<title>Who reaches what from outside</title>"
    return "\n".join([head, title, f"<style>{_STYLE}</style><defs>{_PATTERN}</defs>", *parts, "</svg>", ""])


def _grid(analysis: Analysis, top: int) -> tuple[list[str], int, int]:
    """The shapes of one family from ``top`` down, and their width and height."""
    found = analysis.reachable()[:_MOST]
    left_out = len(analysis.reachable()) - len(found)
    services = list(dict.fromkeys(one.service for one in sorted(found, key=lambda one: one.order)))
    sources = list(dict.fromkeys(f"{one.source.text}{one.where}" for one in sorted(found, key=lambda one: one.source)))
    reached: dict[tuple[str, str], list[Exposed]] = {}
    for one in found:
        reached.setdefault((f"{one.source.text}{one.where}", one.service), []).append(one)
    parts = [f'<text class="title" x="12" y="{top + 24}">{analysis.family.label}: {_caption(services)}</text>']
    if left_out:
        parts.append(f'<text class="more" x="12" y="{top + 44}">{left_out} more are left out</text>')
    for column, service in enumerate(services):
        x, y = _LEFT + column * _COLUMN + 18, top + _TOP - 8
        parts.append(f'<text x="{x}" y="{y}" transform="rotate(-50 {x} {y})">{escape(service)}</text>')
    for row, source in enumerate(sources):
        y = top + _TOP + row * _ROW
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 18}" text-anchor="end">{escape(_short(source))}</text>')
        parts += [
            _cell(_LEFT + column * _COLUMN, y, source, service, reached.get((source, service), []))
            for column, service in enumerate(services)
        ]
    height = _TOP + len(sources) * _ROW + 24 if services else 60
    return parts, _LEFT + len(services) * _COLUMN + 140, height


def _caption(services: Sequence[str]) -> str:
    return "sources by services" if services else "nothing can be reached from outside"


def _short(text: str) -> str:
    return text if len(text) <= 42 else f"{text[:41]}…"


def _cell(x: int, y: int, source: str, service: str, found: Sequence[Exposed]) -> str:
    kind, said = "none", f"{service} from {source}: refused"
    if found:
        kind = "doubt" if all(one.doubts for one in found) else "sure"
        said = "; ".join(map(str, found))
    place = f'x="{x + 2}" y="{y + 2}" width="{_COLUMN - 4}" height="{_ROW - 4}" rx="3"'
    return f'<rect class="{kind}" {place}><title>{escape(said)}</title></rect>'
