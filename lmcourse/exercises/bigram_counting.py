"""Judges of notebook 01, *Counting pairs: the bigram model*."""

import copy
import math
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from .. import corpora
from . import Hint, call, exercise, expect, kind

NOTEBOOK = "01_bigram_counting"

Table = dict[str, dict[str, float]]

# Two languages of two letters, to be worked out by hand. Judges hand out copies:
# an answer that changes its table then spoils it for no one else.
TOY: Table = {
    "^": {"a": 0.7, "b": 0.3},
    "a": {"a": 0.2, "b": 0.3, "$": 0.5},
    "b": {"a": 0.4, "$": 0.6},
}
DOUBLED: Table = TOY | {"b": {"a": 0.3, "b": 0.1, "$": 0.6}}


def _steps(name: str, table: Table) -> list[float]:
    return [table[before][after] for before, after in pairwise(f"^{name}$")]


def _number(value: Any) -> float:
    expect(
        isinstance(value, Real),
        f"A number is asked for, and this is {kind(value)}.",
    )
    return float(value)


@exercise("after-k", title="What follows k", notebook=NOTEBOOK)
def after_k(answer: Any) -> None:
    expect(
        isinstance(answer, Mapping),
        f"A Counter is asked for, and `after_k` is {kind(answer)}. "
        "Leave `.most_common(…)` for later.",
    )
    names = list(corpora.load("names"))
    pairs = Counter(pair for name in names for pair in pairwise(f"^{name}$"))
    right = {after: n for (before, after), n in pairs.items() if before == "k"}
    preceding = {before: n for (before, after), n in pairs.items() if after == "k"}
    after_a = {after: n for (before, after), n in pairs.items() if before == "a"}
    given = {after: n for after, n in answer.items() if n}
    expect(given, "It is empty. The names are in lower case: look for `'k'`.")
    expect(given != after_a, "These are the letters after *a*: change the letter.")
    expect(
        given not in (preceding, {k: n for k, n in preceding.items() if k != "^"}),
        "These letters come *before* a k. In a pair, the history is the first letter.",
    )
    expect(
        all(n == int(n) for n in given.values()),
        "These are shares; counts are asked for, so do not divide.",
    )
    expect(
        "$" in given,
        "No name ends after k here, yet *mark* does: walk through `name + '$'`.",
    )
    expect(
        len(given) == len(right),
        f"There are {len(right)} different symbols after k, and you have {len(given)}.",
    )
    expect(
        given == right,
        f"After k the end comes {right['$']} times, and in yours {given['$']} times.",
    )


@exercise("bigram-counts", title="Count every pair", notebook=NOTEBOOK)
def bigram_counts(answer: Any) -> None:
    names = ["anna", "quinn", "barbara"]  # with pairs that come twice in one name
    counts = call(answer, names)
    expect(
        isinstance(counts, Mapping),
        f"A dictionary is asked for, and this is {kind(counts)}.",
    )
    expect(
        all(isinstance(row, Mapping) for row in counts.values()),
        "`counts['q']` should be a Counter of what follows q, so that "
        "`counts['q']['u']` works. A Counter of pairs is flat; this has two levels.",
    )

    def count(before: str, after: str) -> float:
        return counts.get(before, {}).get(after, 0)

    expect(
        not (count("q", "u") == 0 and count("u", "q")),
        "`counts['q']['u']` is 0, but `counts['u']['q']` is not: "
        "which letter comes first?",
    )
    expect(
        not any(counts.get("$", {}).values()),
        "`counts['$']` is not empty: nothing can follow the end. "
        "Walk through each name on its own.",
    )
    expect(
        count("n", "$"),
        "`counts['n']['$']` is 0: does your model know how names end?",
    )
    expect(
        count("^", "q"),
        "`counts['^']['q']` is 0: does your model know how names begin?",
    )
    expect(
        all(n == int(n) for row in counts.values() for n in row.values() if n == n),
        "These are probabilities already; counts are whole numbers.",
    )
    expect(
        count("n", "n") != 1,
        "`counts['n']['n']` is 1, but anna and quinn hold one *nn* each: "
        "add 1 every time that a pair comes.",
    )
    right: dict[str, Counter] = {}
    for name in names:
        for before, after in pairwise(f"^{name}$"):
            right.setdefault(before, Counter())[after] += 1
    expect(
        count("a", "r") >= right["a"]["r"],
        f"`counts['a']['r']` is {count('a', 'r')}, but *barbara* holds *ar* twice: "
        "a pair may come again in the same name.",
    )
    rows = {
        before: {k: n for k, n in row.items() if n} for before, row in counts.items()
    }
    for before in sorted(right.keys() | rows.keys()):
        expect(
            rows.get(before, {}) == dict(right.get(before, {})),
            f"For the names {names}, `counts[{before!r}]` should be "
            f"{dict(right.get(before, {}))}, and yours is {rows.get(before, {})}.",
        )


@exercise("sample-name", title="Build the sampler", notebook=NOTEBOOK)
def sample_name(answer: Any) -> None:
    rng = np.random.default_rng(7)
    table = copy.deepcopy(TOY)
    names = [call(answer, TOY, rng)]
    expect(
        isinstance(names[0], str),
        f"A string is asked for, and this is {kind(names[0])}: use `''.join(letters)`.",
    )
    names += [answer(table, rng) for _ in range(1500)]
    marked = next((name for name in names if set(name) & {"^", "$"}), None)
    expect(
        marked is None,
        f"`{marked}` contains a mark: `^` and `$` frame a name, "
        "they do not belong to it.",
    )
    expect(all(names), "Some names are empty, but `$` never follows `^` in the table.")
    expect(
        len(set(names)) > 1,
        f"It always says *{names[0]}*: draw the next letter at random, "
        "do not take the likeliest.",
    )
    drawn = Counter(pair for name in names for pair in pairwise(f"^{name}$"))
    for before, row in TOY.items():
        total = sum(n for (first, _), n in drawn.items() if first == before)
        for after in "ab$":
            share, p = drawn[before, after] / total, row.get(after, 0)
            expect(
                abs(share - p) < 0.06,
                f"In your names, *{after}* follows *{before}* {share:.0%} of the time, "
                f"and `probabilities[{before!r}][{after!r}]` is {p:.0%}: are the "
                "weights used, and is the last letter the history?",
            )


@exercise("log-probability", title="Log-probability of a name", notebook=NOTEBOOK)
def log_probability(answer: Any) -> None:
    name = "abbab"
    try:
        value = _number(call(answer, name, DOUBLED))
    except Hint as hint:
        error = hint.__cause__
        expect(
            not (isinstance(error, KeyError) and error.args == ("^",)),
            "`^` is looked up as what comes next. The history comes first: "
            "`probabilities[before][after]`.",
        )
        raise
    steps = _steps(name, DOUBLED)
    right = sum(map(math.log, steps))

    def close(other: float) -> bool:
        return math.isclose(value, other, rel_tol=1e-6)

    expect(
        not close(math.prod(steps)),
        "That is the probability itself. Add logarithms instead of multiplying.",
    )
    expect(
        not close(sum(map(math.log, steps[:-1]))),
        "The last factor is missing: the name also has to end, with `$`.",
    )
    expect(
        not close(sum(map(math.log, steps[1:]))),
        "The first factor is missing: the history of the first letter is `^`.",
    )
    expect(
        not close(sum(map(math.log, steps[1:-1]))),
        "Only the pairs inside the name are counted: put `^` before it and `$` after.",
    )
    expect(not close(-right), "The sign is turned: log-probabilities are below 0.")
    expect(
        not close(right / math.log(2)) and not close(right / math.log(10)),
        "The number is right for another base; the course uses `math.log`, "
        "the natural logarithm.",
    )
    expect(
        close(right),
        f"For *{name}* the steps have the probabilities {steps}, so the sum of their "
        f"logarithms is {right:.4f}, and yours is {value:.4f}. "
        "A pair that comes twice counts twice.",
    )


@exercise("perplexity", title="Perplexity", notebook=NOTEBOOK)
def perplexity(answer: Any) -> None:
    names = ["ab", "aba", "a"]
    value = _number(call(answer, names, TOY))
    steps = [_steps(name, TOY) for name in names]
    flat = [p for name in steps for p in name]
    total, predictions = sum(map(math.log, flat)), len(flat)
    right = math.exp(-total / predictions)

    def close(other: float) -> bool:
        return math.isclose(value, other, rel_tol=1e-6)

    def mean_of(parts: list[list[float]]) -> float:
        logs = [math.log(p) for part in parts for p in part]
        return math.exp(-sum(logs) / len(logs))

    expect(
        not close(math.exp(total / predictions)),
        "Below 1: the minus sign is missing. Perplexity is the mean of 1/P, not of P.",
    )
    expect(
        not close(-total / predictions),
        "That is the mean of −log P, the cross-entropy. Take `math.exp` of it.",
    )
    expect(
        not close(math.exp(-total)),
        "That is 1/P of all names together: divide the sum by the number of "
        "predictions before `math.exp`.",
    )
    expect(
        not close(2 ** (-total / predictions)),
        "2 to the power of natural logarithms mixes two bases: use `math.exp`.",
    )
    expect(
        not close(sum(1 / p for p in flat) / predictions),
        "That is the ordinary mean of 1/P; perplexity is the geometric one: average "
        "the logarithms.",
    )
    expect(
        not close(mean_of([part[:-1] for part in steps])),
        "The ends are not predicted: put `$` after every name.",
    )
    expect(
        not close(mean_of([part[1:] for part in steps])),
        "The first letters are not predicted: put `^` before every name.",
    )
    letters = sum(map(len, names))
    expect(
        not close(math.exp(-total / letters)),
        f"You divide by {letters}, the letters. Each `$` is predicted as well: "
        f"{predictions} predictions.",
    )
    marks = predictions + len(names)
    expect(
        not close(math.exp(-total / marks)),
        f"You divide by {marks}. `^` is given, never predicted: {predictions} "
        "predictions.",
    )
    expect(
        not close(math.exp(-total / len(names))),
        "You divide by the number of names; perplexity is per prediction.",
    )
    each = [mean_of([part]) for part in steps]
    expect(
        not close(sum(each) / len(each)),
        "That is the mean of the names' perplexities. Sum all logarithms first, and "
        "divide and exponentiate once.",
    )
    expect(
        close(right),
        f"For {names} it should be {right:.4f}, and yours is {value:.4f}.",
    )
    try:
        unseen = answer(["abb"], copy.deepcopy(TOY))
    except Exception as error:
        raise Hint(
            "Right for pairs of the table. For *abb*, the pair *bb* is not in it, and "
            f"your function stops with {type(error).__name__}: return `math.inf`."
        ) from error
    expect(
        unseen == math.inf,
        "Right for pairs that are in the table. For *abb* the pair *bb* is not, so the "
        "perplexity is `math.inf`.",
    )
