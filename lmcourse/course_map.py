"""The map of the course as an SVG picture, drawn from the syllabus."""

import html
import textwrap
from itertools import groupby

from IPython.display import display

from .figures import BLUE, GREEN, GREY, ORANGE, PURPLE
from .syllabus import Notebook, notebooks

BOX_WIDTH, BOX_HEIGHT, GAP, MARGIN = 136, 104, 10, 14
INK, PALE_INK = "#1a1a1a", "#595959"
ROW_HEIGHT = BOX_HEIGHT + 38
PART_COLOURS = (GREY, BLUE, GREEN, ORANGE, PURPLE)


def show_map() -> None:
    """Display the map of the course, with a description for those who cannot see it."""
    alt = describe_map()
    bundle = {"image/svg+xml": draw_map(), "text/plain": alt}
    display(bundle, metadata={"image/svg+xml": {"alt": alt}, "alt": alt}, raw=True)


def _parts() -> list[tuple[str, list[Notebook]]]:
    grouped = groupby(notebooks().values(), key=lambda entry: entry.part)
    return [(part, list(entries)) for part, entries in grouped]


def describe_map() -> str:
    """The map in words."""
    parts = [
        f"{part}: "
        + " ".join(f"{n.number} {n.title}{_coming(n)}: {n.question}" for n in entries)
        for part, entries in _parts()
    ]
    return "Map of the course. " + " ".join(parts)


def _coming(entry: Notebook) -> str:
    return "" if entry.written else " (coming)"


def draw_map() -> str:
    """The map as SVG: one row a part, one box a notebook, pale where still to come."""
    rows = [
        _draw_row(part, entries, MARGIN + place * ROW_HEIGHT, colour)
        for place, ((part, entries), colour) in enumerate(
            zip(_parts(), PART_COLOURS, strict=True)
        )
    ]
    longest = max(len(entries) for _, entries in _parts())
    width = 2 * MARGIN + longest * (BOX_WIDTH + GAP) - GAP
    height = 2 * MARGIN + len(rows) * ROW_HEIGHT - GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" font-family="system-ui, sans-serif">'
        f'<rect width="{width}" height="{height}" rx="8" fill="white"/>'
        + "".join(rows)
        + "</svg>"
    )


def _draw_row(part: str, entries: list[Notebook], top: int, colour: str) -> str:
    label = _text(MARGIN, top + 14, part, size=14, fill=INK, weight="bold")
    boxes = (
        _draw_box(entry, MARGIN + place * (BOX_WIDTH + GAP), top + 22, colour)
        for place, entry in enumerate(entries)
    )
    return label + "".join(boxes)


def _draw_box(entry: Notebook, left: int, top: int, colour: str) -> str:
    style = f'fill="{colour}" fill-opacity="0.16" stroke="{colour}" stroke-width="1.6"'
    if not entry.written:
        style = (
            f'fill="none" stroke="{colour}" stroke-opacity="0.5" stroke-dasharray="4"'
        )
    box = (
        f'<rect x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" '
        f'rx="7" {style}/>'
    )
    title = textwrap.wrap(f"{entry.number} · {entry.title}", 18)
    question = textwrap.wrap(entry.question, 20)
    ink = INK if entry.written else PALE_INK
    lines = [(line, 11, ink, "bold") for line in title]
    lines += [(line, 11, PALE_INK, "normal") for line in question]
    texts = (
        _text(
            left + 8, top + 18 + 15 * place, line, size=size, fill=fill, weight=weight
        )
        for place, (line, size, fill, weight) in enumerate(lines)
    )
    return box + "".join(texts)


def _text(
    x: int, y: int, text: str, *, size: int, fill: str, weight: str = "normal"
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" '
        f'fill="{fill}">{html.escape(text)}</text>'
    )
