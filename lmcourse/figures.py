"""One style for every figure, and pictures that carry a description."""

import base64
import html
import io
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from IPython.display import display

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito (2008): eight colours that colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, GREY = "#cc79a7", "#56b4e9", "#767676"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY)

SCREEN_DPI = 72  # one matplotlib inch is 72 pixels of a page
SHARPNESS = 2  # pixels stored for each pixel shown, for dense displays
PALETTE = 256  # colours stored: enough for a heat map, at a third of the bytes


def use_style() -> None:
    """Set the defaults of pictures (a white card, safe colours) and of tables."""
    import matplotlib as mpl
    import pandas as pd

    pd.set_option("display.max_colwidth", 120)
    mpl.rcParams.update(
        {
            "figure.figsize": (8.0, 3.6),
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": mpl.cycler(color=COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "axes.titlelocation": "left",
            "font.size": 11.0,
            "legend.frameon": False,
            "image.cmap": "Blues",
        }
    )


def encode(figure: "Figure", sharpness: float = SHARPNESS) -> tuple[str, int]:
    """`figure` as a base64 PNG with a palette, and its width on the page in pixels.

    Closes the figure, so that no front end shows it a second time.
    """
    import matplotlib.pyplot as plt
    from PIL import Image

    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=SCREEN_DPI * sharpness)
    plt.close(figure)
    picture = Image.open(raw).convert("RGB").quantize(PALETTE, dither=0)
    small = io.BytesIO()
    picture.save(small, format="png", optimize=True)
    return base64.b64encode(small.getvalue()).decode(), round(picture.width / sharpness)


def picture_metadata(alt: str, width: int) -> dict:
    """Output metadata with a description, for front ends and for the book."""
    if not alt.strip():
        raise ValueError("a picture needs alt='…': say what a reader should see in it")
    return {"image/png": {"alt": alt, "width": width}, "alt": alt}


def show(figure: "Figure", alt: str) -> None:
    """Display `figure` with `alt`, a description for those who cannot see it.

    Raises ValueError for anything but a matplotlib figure, and for an empty `alt`.
    """
    if not hasattr(figure, "savefig"):
        what = type(figure).__name__
        raise ValueError(f"show needs a matplotlib figure, and this is of type {what}")
    metadata = picture_metadata(alt, width=0)
    png, metadata["image/png"]["width"] = encode(figure)
    bundle = {"image/png": png, "text/plain": f"[figure: {alt}]"}
    display(bundle, metadata=metadata, raw=True)


class Bars:
    """Horizontal bars as an HTML table.

    Unlike a picture it shows Chinese on every machine, fonts or not, and its text can
    be searched and copied.
    """

    def __init__(
        self, values: Iterable[tuple[str, float]], heading: str = "", digits: int = 3
    ) -> None:
        self.values = [(label, float(value)) for label, value in values]
        if not all(math.isfinite(v) and v >= 0 for _, v in self.values):
            raise ValueError("bars need finite values of at least 0")
        self.heading = heading
        self.digits = digits

    def __repr__(self) -> str:
        lines = [f"{label}  {value:.{self.digits}f}" for label, value in self.values]
        return "\n".join([self.heading, *lines] if self.heading else lines)

    def _repr_html_(self) -> str:
        longest = max((value for _, value in self.values), default=0) or 1
        rows = "".join(
            "<tr>"
            f'<th scope="row" style="text-align:right">{html.escape(label)}</th>'
            f'<td style="text-align:right">{value:.{self.digits}f}</td>'
            '<td style="text-align:left;width:20em">'
            f'<div style="background:{SKY};height:.9em;width:{value / longest:.1%}">'
            "</div></td></tr>"
            for label, value in self.values
        )
        caption = (
            f'<caption style="text-align:left;caption-side:top">'
            f"{html.escape(self.heading)}</caption>"
            if self.heading
            else ""
        )
        return f'<table class="lm-bars">{caption}{rows}</table>'


class HeatTable:
    """Who looks where, as an HTML table of percentages: dark where the weight is.

    Like `Bars` it shows Chinese on every machine. Weights that round to 0 stay blank.

    Args:
        weights: a row for each one that looks, numbers from 0 to 1.
        rows: those that look.
        columns: what they look at.
        heading: what the table shows.

    Raises:
        ValueError: a number outside 0 to 1, or a table of another shape.
    """

    def __init__(
        self,
        weights: Iterable[Iterable[float]],
        rows: Iterable[str],
        columns: Iterable[str],
        heading: str = "",
    ) -> None:
        self.weights = [[float(weight) for weight in row] for row in weights]
        self.rows, self.columns, self.heading = list(rows), list(columns), heading
        if not all(-1e-6 <= w <= 1 + 1e-6 for row in self.weights for w in row):
            raise ValueError("a heat table needs weights from 0 to 1")
        shape = [len(row) for row in self.weights]
        if shape != [len(self.columns)] * len(self.rows):
            raise ValueError(
                f"{len(self.rows)} rows and {len(self.columns)} columns are named, but "
                f"the rows of the weights have {shape} columns: name each of them"
            )

    def __repr__(self) -> str:
        wide = max([4, *map(len, self.rows), *map(len, self.columns)])
        lines = [["", *self.columns]]
        for label, row in zip(self.rows, self.weights, strict=True):
            lines.append([label, *(f"{w:.0%}" if w >= 0.005 else "" for w in row)])
        text = [" ".join(f"{cell:>{wide}}" for cell in line) for line in lines]
        return "\n".join([self.heading, *text] if self.heading else text)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(c)}</th>' for c in self.columns)
        body = "".join(
            f'<tr><th scope="row">{html.escape(label)}</th>'
            + "".join(map(self._cell, row))
            + "</tr>"
            for label, row in zip(self.rows, self.weights, strict=True)
        )
        caption = (
            f'<caption style="text-align:left;caption-side:top">'
            f"{html.escape(self.heading)}</caption>"
            if self.heading
            else ""
        )
        return f'<table class="lm-heat">{caption}<tr><td></td>{head}</tr>{body}</table>'

    @staticmethod
    def _cell(weight: float) -> str:
        """One cell; the text is black where the colour is strong, in both themes."""
        red, green, blue = (int(SKY[i : i + 2], 16) for i in (1, 3, 5))
        ink = "color:#000;" if weight > 0.4 else ""
        style = f"{ink}background:rgba({red},{green},{blue},{weight:.2f})"
        text = f"{100 * weight:.0f}" if weight >= 0.005 else ""
        return f'<td style="{style}">{text}</td>'
