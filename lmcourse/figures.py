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
