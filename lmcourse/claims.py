"""Numbers in prose that a test ties to the run.

In code, `claim(perplexity=value)` records a number; in prose,
`**11.8**<!--=perplexity-->` prints it, and the comment, which readers never see, says
where it came from. `<!--=accuracy±0.02-->` allows for what training or hardware
changes, `<!--=seconds±50%-->` in proportion.
"""

import math
import re
from dataclasses import dataclass
from numbers import Real

from IPython.display import display

CLAIMS_MIME = "application/vnd.lmcourse.claims+json"

_MARK = re.compile(
    r"(?P<printed>[^\s*]+(?:[ \u00a0\u202f]%)?)\**<!--=(?P<name>\w+)"
    r"(?:±(?P<tolerance>[\d.]+)(?P<relative>%?))?-->"
)
_ANY_MARK = re.compile(r"<!--\s*=")


def claim(**values: float | str) -> None:
    """Record numbers (or words) that the prose around this cell prints.

    Shows the reader nothing. Raises ValueError for what cannot be compared: a NaN, an
    infinity, or something that is neither a number nor a string.
    """
    recorded: dict[str, float | int | str] = {}
    for name, value in values.items():
        if isinstance(value, str):
            recorded[name] = value
        elif isinstance(value, Real) or hasattr(value, "item"):
            number = value.item() if hasattr(value, "item") else value
            if not math.isfinite(number):
                raise ValueError(f"claim {name}={number} is not a finite number")
            recorded[name] = number
        else:
            raise ValueError(
                f"claim {name} is a {type(value).__name__}, not a number or a word"
            )
    display({CLAIMS_MIME: recorded, "text/plain": ""}, raw=True)


@dataclass(frozen=True)
class Mark:
    """A marked number in prose, as printed: `text` is what the reader sees."""

    text: str
    name: str
    tolerance: float | None = None
    relative: bool = False

    def problem(self, value: float | str) -> str | None:
        """Why the printed text does not say `value`, or None when it does."""
        if isinstance(value, str):
            return (
                None if self.text == value else f"prints {self.text}, the run {value}"
            )
        try:
            number, digits, scale = _parse(self.text)
        except ValueError:
            return f"{self.text!r} is not a number"
        value *= scale
        # Half a unit of the last printed digit, and a hair for binary fractions.
        allowed = 0.5 * 10**-digits * (1 + 1e-9)
        if self.tolerance is not None:
            # An absolute tolerance is in the unit of the value, not of its percentage.
            by = (
                self.tolerance / 100 * abs(value)
                if self.relative
                else self.tolerance * scale
            )
            allowed = max(allowed, by)
        if abs(number - value) <= allowed:
            return None
        return f"prints {self.text}, the run gives {value:.{digits + 2}f}"


def _parse(text: str) -> tuple[float, int, int]:
    """Printed number → (value, digits after the point, 100 for a percentage else 1)."""
    plain = text.strip().replace("−", "-").rstrip("×")
    scale = 100 if plain.endswith("%") else 1
    plain = plain.rstrip("%").replace(",", "").strip(" \u00a0\u202f")
    plain = plain.lstrip("$~≈(")
    _, point, decimals = plain.partition(".")
    return float(plain), len(decimals) if point else 0, scale


def marks(prose: str) -> list[Mark]:
    """Every mark in a Markdown text. Raises ValueError for a mark that is malformed."""
    found = [
        Mark(
            m["printed"].replace("**", ""),
            m["name"],
            float(m["tolerance"]) if m["tolerance"] else None,
            m["relative"] == "%",
        )
        for m in _MARK.finditer(prose)
    ]
    if len(found) != len(_ANY_MARK.findall(prose)):
        raise ValueError(f"a claim mark cannot be read in: {prose[:200]!r}")
    return found
