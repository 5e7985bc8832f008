"""Judges of notebook 00, *Start here*."""

from numbers import Integral
from typing import Any

from .. import corpora
from . import call, exercise, expect, kind

NOTEBOOK = "00_start_here"


@exercise("starting-with-a", title="Names that begin with a", notebook=NOTEBOOK)
def starting_with_a(answer: Any) -> None:
    names = list(corpora.load("names"))
    expect(
        isinstance(answer, Integral),
        f"A whole number is asked for, and this is {kind(answer)}: "
        "count the names with `sum(…)` or `len(…)`.",
    )
    right = sum(name.startswith("a") for name in names)
    expect(answer != 0, "At least *anna* begins with a. Are the names in lower case?")
    expect(
        answer != sum(name.endswith("a") for name in names),
        "That many names *end* in a.",
    )
    expect(
        answer != sum("a" in name for name in names),
        "That many names contain an a anywhere.",
    )
    expect(answer == right, f"It is {'more' if answer < right else 'less'} than that.")


@exercise("most-letters", title="The longest name", notebook=NOTEBOOK)
def most_letters(answer: Any) -> None:
    names = ["jo", "annabella", "charles", "annabelle"]
    found = call(answer, names)
    expect(found != 9, "9 is its length; the name is asked for: `max` takes a `key`.")
    expect(
        not isinstance(found, list),
        "One name is asked for; of equally long ones, the first.",
    )
    expect(found != "jo", "*jo* is the shortest of the four.")
    expect(
        found != "annabelle",
        "*annabella* is just as long and comes first in the list: prefer the first.",
    )
    expect(
        found != "charles",
        "*charles* comes out, which has more *different* letters: count all of them.",
    )
    expect(found == "annabella", f"Of {names} it is *annabella*, not {found!r}.")
    words = ["zoe", "bartholomew", "jo"]
    expect(
        call(answer, words) != "zoe",
        "*zoe* is the last in the alphabet, not the longest: compare lengths.",
    )
    expect(
        call(answer, words) == "bartholomew",
        f"For {words} something else comes out: is the argument used, "
        "or the notebook's names?",
    )
