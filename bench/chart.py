"""A bar chart as SVG, without dependencies; readable in light and in dark mode."""

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
    style = (
        "text{font:12px system-ui,sans-serif;fill:#111827}.group,.title{font-weight:600}.title{font-size:15px}"
        "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}}"
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 6}" role="img" '
        f'aria-label="{escape(title)}">',
        f"<style>{style}</style>",
        f'<text x="0" y="16" class="title">{escape(title)}</text>',
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
