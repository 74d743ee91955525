"""Charts as SVG, without dependencies; readable in light and in dark mode."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

BAR, GAP, LABEL, WIDTH, HEAD = 16, 4, 130, 720, 30
COLOURS = ("#2563eb", "#60a5fa", "#9ca3af", "#a16207", "#b45309", "#7c3aed")


def chart(title: str, groups: Mapping[str, Sequence[tuple[str, float]]]) -> str:
    """Draw seconds as horizontal bars: group name to (tool, seconds), the shortest bar on top."""
    tools = list(dict.fromkeys(tool for bars in groups.values() for tool, _ in bars))
    colours = {tool: COLOURS[index % len(COLOURS)] for index, tool in enumerate(tools)}
    body: list[str] = []
    top = HEAD
    for name, bars in groups.items():
        longest = max((seconds for _, seconds in bars), default=1) or 1
        top += 14
        body.append(f'<text x="0" y="{top}" class="group">{escape(name)}</text>')
        top += 8
        for tool, seconds in sorted(bars, key=lambda bar: bar[1]):
            length = max((WIDTH - LABEL - 70) * seconds / longest, 1)
            middle = top + BAR - 4
            body.append(f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(tool)}</text>')
            body.append(
                f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colours[tool]}"/>'
            )
            body.append(f'<text x="{LABEL + length + 6:.1f}" y="{middle}">{seconds:.2f} s</text>')
            top += BAR + GAP
        top += GAP
    return "\n".join([*_opening(title, top + 6), *body, "</svg>"]) + "\n"


def lines(title: str, columns: Sequence[str], points: Mapping[str, Sequence[float | None]]) -> str:
    """Draw values as lines over named columns; None leaves a gap."""
    top, height, right = HEAD + 10, 260, 250
    highest = max((value for row in points.values() for value in row if value is not None), default=1.0)
    step = (WIDTH - right) / max(len(columns) - 1, 1)
    body = []
    for index, (name, row) in enumerate(points.items()):
        colour = COLOURS[index % len(COLOURS)]
        seen = [
            (20 + step * at, top + height * (1 - value / highest)) for at, value in enumerate(row) if value is not None
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in seen)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in seen]
        last = next(value for value in reversed(row) if value is not None)
        body.append(
            f'<text x="{WIDTH - right + 40}" y="{top + 16 * index}" fill="{colour}">{escape(name)}: {last:g}</text>'
        )
    body += [
        f'<text x="{20 + step * at:.1f}" y="{top + height + 20}" font-size="9">{escape(column)}</text>'
        for at, column in enumerate(columns)
    ]
    bottom = max(top + height + 30, top + 16 * len(points))
    return "\n".join([*_opening(title, bottom), *body, "</svg>"]) + "\n"


def _opening(title: str, height: float) -> list[str]:
    style = (
        "text{font:12px system-ui,sans-serif;fill:#111827}.group,.title{font-weight:600}.title{font-size:15px}"
        "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}}"
    )
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'aria-label="{escape(title)}">',
        f"<style>{style}</style>",
        f'<text x="0" y="16" class="title">{escape(title)}</text>',
    ]
