"""What judges ask of an answer's shape before they look at its values."""

import math
from typing import Any

from . import Hint, expect, kind


def numbers(value: Any, count: int, asked: str) -> list[float]:
    """Return `count` finite numbers, or raise a hint that says what was asked for.

    Args:
        value: what the reader's code returned.
        count: how many numbers it should hold.
        asked: the hint's beginning, with its verb: "Two numbers are".
    """
    try:
        if isinstance(value, str | bytes | dict):
            raise TypeError
        found = [float(number) for number in value]
    except (TypeError, ValueError) as error:
        raise Hint(f"{asked} asked for, and this is {kind(value)}.") from error
    expect(len(found) == count, f"{asked} asked for, and these are {len(found)}.")
    expect(all(map(math.isfinite, found)), f"One of {found} is not a number.")
    return found
