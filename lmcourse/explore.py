"""`sweep`: a slider in Jupyter and Colab whose frames also play in the static book."""

import html
import sys
from collections.abc import Callable, Iterable
from typing import Any

from IPython.display import display

from .figures import encode, picture_metadata

FRAMES_MIME = "application/vnd.lmcourse.frames+json"
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


def sweep(
    function: Callable[[Any], Any], values: Iterable[Any], *, label: str, alt: str
) -> None:
    """Show `function(value)` for every value, with a slider to choose between them.

    `function` returns a matplotlib figure, or anything with an HTML or a text form
    (a DataFrame, `figures.Bars`, a string). Every frame is computed now: an error at
    any value fails the cell, moving the slider costs nothing, and the book plays the
    same frames without a kernel. `alt` describes them to those who cannot see them.
    Raises ValueError when there is nothing to show.
    """
    values = list(values)
    if not values:
        raise ValueError("sweep needs at least one value")
    if not alt.strip():
        raise ValueError("sweep needs alt='…': say what a reader should see in it")
    frames = [render(function(value), alt) for value in values]
    payload = {
        "label": label,
        "alt": alt,
        "values": [str(value) for value in values],
        "frames": [frame["content"] for frame in frames],
    }
    first = frames[0]
    bundle = {
        **first["bundle"],
        FRAMES_MIME: payload,
        WIDGET_MIME: {
            "version_major": 2,
            "version_minor": 0,
            "model_id": _slider(payload).model_id,
        },
    }
    if "google.colab" in sys.modules:
        # Colab might prefer the still picture to the slider: offer it the slider alone.
        bundle.pop("image/png", None)
        bundle.pop("text/html", None)
    display(bundle, metadata=first["metadata"], raw=True)


def render(result: Any, alt: str) -> dict[str, Any]:
    """One frame: its content for the slider, and its bundle for a page without one."""
    if hasattr(result, "savefig"):
        png, width = encode(result, sharpness=1.5)
        return {
            "content": {"png": png, "width": width},
            "bundle": {"image/png": png, "text/plain": f"[figure: {alt}]"},
            "metadata": picture_metadata(alt, width),
        }
    if result is None:
        raise ValueError("the function of a sweep gives None: is a `return` missing?")
    text = result if isinstance(result, str) else repr(result)
    if hasattr(result, "_repr_html_"):
        markup = result._repr_html_()
        content, extra = {"html": markup}, {"text/html": markup}
    else:
        content, extra = {"text": text}, {}
    return {"content": content, "bundle": {"text/plain": text, **extra}, "metadata": {}}


def _slider(payload: dict) -> Any:
    """The live widget: a slider above the frame that it chooses."""
    import ipywidgets as widgets

    slider = widgets.SelectionSlider(
        # Pairs of text and position, so that two equal texts stay two positions.
        options=[(text, place) for place, text in enumerate(payload["values"])],
        description=payload["label"],
        style={"description_width": "initial"},
        layout={"width": "min(100%, 36em)"},
    )
    stage = widgets.HTML()

    def turn(change: dict) -> None:
        place = change["new"]
        stage.value = frame_html(payload, place)

    slider.observe(turn, "value")
    turn({"new": 0})
    return widgets.VBox([slider, stage])


def frame_html(payload: dict, place: int) -> str:
    """Frame number `place` as HTML, for the live slider."""
    frame = payload["frames"][place]
    if "png" in frame:
        alt = f"{payload['alt']}; {payload['label']} {payload['values'][place]}"
        return (
            f'<img alt="{html.escape(alt)}" width="{frame["width"]}" '
            f'style="max-width:100%" src="data:image/png;base64,{frame["png"]}">'
        )
    if "html" in frame:
        return f'<div class="jp-RenderedHTMLCommon">{frame["html"]}</div>'
    text = html.escape(frame["text"])
    return f'<pre style="white-space:pre-wrap;line-height:1.4">{text}</pre>'
