"""Flame graphs of sampled stacks, as small SVG without a script, legible on light and on dark pages alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

# The house, what it stands on, and neither.
_OWN, _OTHERS, _ROOT = "#3b82c4", "#8a8a8a", "#5f5f5f"
_WIDTH: Final = 1200
_ROW: Final = 16
_LETTER: Final = 6.3
# What is narrower than this share of everything is left out.
_SHARE_LEAST: Final = 0.004
_PACKAGE: Final = "overbookr/"

# Frames from the outermost to the innermost, and how often they were seen.
Stacks = Mapping[tuple[str, ...], int]


@dataclass
class _Box:
    count: int = 0
    inside: dict[str, "_Box"] = field(default_factory=dict)


def draw_flames(title: str, stacks: Stacks) -> bytes:
    """The outermost frames at the top. Widths are shares of the samples, sides by name."""
    root = _Box(sum(stacks.values()))
    for frames, count in stacks.items():
        box = root
        for frame in frames:
            box = box.inside.setdefault(frame, _Box())
            box.count += count
    parts: list[str] = []
    depth = _draw(parts, root, f"{title}: {root.count:,} samples", 0.0, 0, root.count)
    height = (depth + 1) * _ROW
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="monospace" font-size="10.5">'
    )
    return "\n".join([head, *parts, "</svg>", ""]).encode()


def prune(stacks: Stacks) -> dict[tuple[str, ...], int]:
    """The same stacks without the tips that are too narrow to be drawn; their samples stay with what called them."""
    least = sum(stacks.values()) * _SHARE_LEAST
    inclusive: dict[tuple[str, ...], int] = {}
    for frames, count in stacks.items():
        for depth in range(len(frames) + 1):
            inclusive[frames[:depth]] = inclusive.get(frames[:depth], 0) + count
    kept: dict[tuple[str, ...], int] = {}
    for frames, count in stacks.items():
        depth = len(frames)
        while depth and inclusive[frames[:depth]] < least:
            depth -= 1
        kept[frames[:depth]] = kept.get(frames[:depth], 0) + count
    return kept


def innermost(stacks: Stacks, count: int) -> list[tuple[str, float]]:
    """The functions in which most of the time was spent, what they called not counted, with their shares."""
    spent: dict[str, int] = {}
    for frames, seen in stacks.items():
        if frames:
            spent[frames[-1]] = spent.get(frames[-1], 0) + seen
    total = sum(stacks.values())
    return [(name, seen / total) for name, seen in sorted(spent.items(), key=lambda each: -each[1])[:count]]


def _draw(parts: list[str], box: _Box, name: str, left: float, depth: int, total: int) -> int:
    """Draws a box and all inside of it; returns the depth of the deepest."""
    width = _WIDTH * box.count / total if total else 0.0
    colour = _ROOT if depth == 0 else _OWN if _PACKAGE in name else _OTHERS
    letters = int((width - 4) / _LETTER)
    shown = name if len(name) <= letters else name[: letters - 1] + "…" if letters > 3 else ""
    share = f"{box.count / total:.1%}" if total else ""
    parts.append(
        f'<g><title>{escape(name)}, {share}</title><rect x="{left:.1f}" y="{depth * _ROW}" width="{width:.1f}" '
        f'height="{_ROW - 1}" fill="{colour}"/>'
        + (f'<text x="{left + 2:.1f}" y="{depth * _ROW + 11}" fill="#fff">{escape(shown)}</text>' if shown else "")
        + "</g>"
    )
    deepest = depth
    for inner, inside in sorted(box.inside.items()):
        if inside.count >= total * _SHARE_LEAST:
            deepest = max(deepest, _draw(parts, inside, inner, left, depth + 1, total))
            left += _WIDTH * inside.count / total
    return deepest
