"""One chart a scenario, as SVG that is legible on light and on dark pages alike."""

import sys
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import pygal
from pygal.style import Style

from bench.figures import MILLISECONDS

# The library leaves a finder of modules behind, for plugins with maps, of a kind that nobody asks any more; pytest
# stumbles at it when it imports tests.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

# Greys and a blue of middling lightness: four times as light or as dark as white, black and what is in between.
_INK: Final = "#7a7a7a"
_BAR: Final = "#3b82c4"
_WIDTH: Final = 900
_ROW_HEIGHT: Final = 26
_FRAME_HEIGHT: Final = 90

_STYLE: Final = Style(
    background="transparent",
    plot_background="transparent",
    foreground=_INK,
    foreground_strong=_INK,
    foreground_subtle=_INK,
    guide_stroke_color=_INK,
    major_guide_stroke_color=_INK,
    colors=(_BAR,),
    opacity="1",
    opacity_hover="1",
    font_family="sans-serif",
    label_font_size=12,
    major_label_font_size=12,
    value_font_size=12,
    title_font_size=15,
    value_colors=(_INK,),
    ci_colors=(_INK,),
)
_LINES_HEIGHT: Final = 420
_LINES: Final = Style(
    background="transparent",
    plot_background="transparent",
    foreground=_INK,
    foreground_strong=_INK,
    foreground_subtle=_INK,
    guide_stroke_color=_INK,
    major_guide_stroke_color=_INK,
    colors=("#3b82c4", "#c4623b", "#3b9c5a", "#9c5ac4", "#b0902a", "#c43b78", "#2aa3a3", "#7a7a7a", "#8a5a3b"),
    font_family="sans-serif",
    label_font_size=12,
    major_label_font_size=12,
    legend_font_size=12,
    title_font_size=15,
)


def draw(title: str, figures: list[dict[str, Any]]) -> bytes | None:
    """Bars of the medians, with the least and the greatest value as whiskers; None when no figure is to be shown."""
    shown = [figure for figure in figures if figure["median"] is not None]
    if not shown:
        return None
    in_milliseconds = shown[0]["measure"] == MILLISECONDS
    # Of a scenario with figures of both kinds, the first kind is drawn.
    shown = [figure for figure in shown if (figure["measure"] == MILLISECONDS) == in_milliseconds]
    chart = pygal.HorizontalBar(
        style=_STYLE,
        width=_WIDTH,
        height=_FRAME_HEIGHT + _ROW_HEIGHT * len(shown),
        title=f"{title} ({'milliseconds, less is better' if in_milliseconds else 'a second, more is better'})",
        show_legend=False,
        value_formatter=_formatted,
        truncate_label=-1,
        js=[],
        show_minor_x_labels=False,
        spacing=4,
    )
    # A name of its own in place of a random one: the same results are the same file.
    chart.uuid = shown[0]["scenario"]
    # Bars are drawn from the bottom, and a page is read from the top.
    shown.reverse()
    chart.x_labels = [f"{figure['name']}, {figure['variant']}: {_formatted(figure['median'])}" for figure in shown]
    chart.add("", [_bar(figure) for figure in shown])
    return _without_date_and_script(chart.render_tree())


def draw_growth(dimension: str, title: str, figures: list[dict[str, Any]]) -> bytes | None:
    """A line an operation: what it costs beside what it costs once, as one dimension grows; None without any ratio."""
    shown = [figure for figure in figures if figure["ratio"] is not None]
    grown = [figure for figure in shown if figure["repetitions"][0]["dimension"] == dimension]
    factors = sorted({figure["repetitions"][0]["factor"] for figure in grown})
    if not factors:
        return None
    chart = pygal.Line(
        style=_LINES, width=_WIDTH, height=_LINES_HEIGHT,
        title=f"{title}: times the milliseconds of the smallest house",
        value_formatter=_formatted, js=[], legend_at_bottom=True, legend_at_bottom_columns=4, truncate_legend=-1,
        range=(0, max(2.0, *(figure["ratio"] for figure in grown))),
    )  # fmt: skip
    chart.uuid = f"growth-{dimension}"
    chart.x_labels = ["1 time", *(f"{factor} times" for factor in factors)]
    for name in dict.fromkeys(figure["name"] for figure in grown):
        ratios = {figure["repetitions"][0]["factor"]: figure["ratio"] for figure in grown if figure["name"] == name}
        chart.add(name, [1.0, *(ratios.get(factor) for factor in factors)])
    return _without_date_and_script(chart.render_tree())


def write_charts(folder: Path, charts: dict[str, bytes]) -> None:
    """Have these charts there, by scenario, and no others."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.svg"):
        path.unlink()
    for name, drawn in charts.items():
        (folder / f"{name}.svg").write_bytes(drawn)


def _without_date_and_script(drawing: ElementTree.Element) -> bytes:
    """The library writes the day of drawing into a comment, which is a node whose tag is a function, and settings of a
    script that is not there."""
    for parent in list(drawing.iter()):
        for child in list(parent):
            if callable(child.tag) or str(child.tag).rpartition("}")[2] == "script":
                parent.remove(child)
    text: bytes = ElementTree.tostring(drawing, encoding="utf-8")
    return text + b"\n"


def _bar(figure: dict[str, Any]) -> dict[str, Any]:
    return {"value": figure["median"], "ci": {"low": figure["min"], "high": figure["max"]}}


def _formatted(value: float | None) -> str:
    if not value:
        return "" if value is None else "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"
