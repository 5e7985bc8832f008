"""Judges of notebook 01, *Counting pairs: the bigram model*."""

import math
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from .. import corpora
from . import Hint, call, exercise, expect

NOTEBOOK = "01_bigram_counting"

# A language of two letters, small enough to work out by hand.
TOY = {
    "^": {"a": 0.7, "b": 0.3},
    "a": {"a": 0.2, "b": 0.3, "$": 0.5},
    "b": {"a": 0.4, "$": 0.6},
}


def _steps(name: str) -> list[float]:
    return [TOY[before][after] for before, after in pairwise(f"^{name}$")]


@exercise("after-k", title="What follows k", notebook=NOTEBOOK)
def after_k(answer: Any) -> None:
    expect(
        isinstance(answer, Mapping),
        f"A Counter is asked for, and `after_k` is a {type(answer).__name__}. "
        "Leave `.most_common(…)` for later.",
    )
    names = list(corpora.load("names"))
    pairs = Counter(pair for name in names for pair in pairwise(f"{name}$"))
    right = {after: n for (before, after), n in pairs.items() if before == "k"}
    preceding = {before: n for (before, after), n in pairs.items() if after == "k"}
    after_a = {after: n for (before, after), n in pairs.items() if before == "a"}
    answer = dict(answer)
    expect(answer != after_a, "These are the letters after *a*: change the letter.")
    expect(
        answer != preceding,
        "These letters come *before* a k. In a pair, the history is the first letter.",
    )
    expect(
        "$" in answer,
        "No name ends after k here, yet *Mark* does: walk through `name + '$'`.",
    )
    expect(
        answer == right,
        f"After k the most frequent symbol comes {max(right.values())} times; "
        f"yours comes {max(answer.values(), default=0)} times.",
    )


@exercise("bigram-counts", title="Count every pair", notebook=NOTEBOOK)
def bigram_counts(answer: Any) -> None:
    names = ["anna", "quinn", "bob"]
    counts = call(answer, names)
    expect(
        isinstance(counts, Mapping),
        f"A dictionary is asked for, and this is a {type(counts).__name__}.",
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
        count("$", "^") == 0 and not counts.get("$"),
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
        all(float(n).is_integer() for row in counts.values() for n in row.values()),
        "These are probabilities already; counts are whole numbers.",
    )
    expect(
        count("n", "n"),
        "`counts['n']['n']` is 0, and there are two *nn* in anna and quinn.",
    )
    expect(
        count("n", "n") != 1 or count("^", "a") != 1,
        "`counts['n']['n']` is 1, but anna and quinn hold one *nn* each: "
        "add 1 every time that a pair comes.",
    )
    right: dict[str, Counter] = {}
    for name in names:
        for before, after in pairwise(f"^{name}$"):
            right.setdefault(before, Counter())[after] += 1
    for before, row in right.items():
        expect(
            {k: v for k, v in counts.get(before, {}).items() if v} == dict(row),
            f"For the names {names}, `counts[{before!r}]` should be {dict(row)}, "
            f"and yours is {dict(counts.get(before, {}))}.",
        )


@exercise("log-probability", title="Log-probability of a name", notebook=NOTEBOOK)
def log_probability(answer: Any) -> None:
    name = "abba"
    with np.errstate(all="ignore"):
        value = float(call(answer, name, TOY | {"b": TOY["b"] | {"b": 0.25}}))
    steps = [0.7, 0.3, 0.25, 0.4, 0.5]
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
        f"For *{name}* with steps of probability {steps} it should be {right:.4f}, "
        f"and yours is {value:.4f}.",
    )


@exercise("perplexity", title="Perplexity", notebook=NOTEBOOK)
def perplexity(answer: Any) -> None:
    names = ["ab", "aba", "a"]
    value = float(call(answer, names, TOY))
    steps = [_steps(name) for name in names]
    total = sum(math.log(p) for name in steps for p in name)
    predictions = sum(map(len, steps))
    right = math.exp(-total / predictions)

    def close(other: float) -> bool:
        return math.isclose(value, other, rel_tol=1e-6)

    expect(
        not close(math.exp(total / predictions)),
        "Below 1: the minus sign is missing. Perplexity is the mean of 1/P, not of P.",
    )
    expect(
        not close(-total / predictions),
        "That is the mean of −log P, the cross-entropy. Take `math.exp` of it.",
    )
    expect(
        not close(2 ** (-total / predictions)),
        "2 to the power of natural logarithms mixes two bases: use `math.exp`.",
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
    each = [math.exp(-sum(map(math.log, name)) / len(name)) for name in steps]
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
        unseen = answer(["abb"], TOY)
    except (ValueError, KeyError, ZeroDivisionError) as error:
        raise Hint(
            "Right for pairs of the table. For *abb*, the pair *bb* is not in it, and "
            f"your function stops with {type(error).__name__}: return `math.inf`."
        ) from error
    expect(
        unseen == math.inf,
        "Right for pairs that are in the table. For *abb* the pair *bb* is not, so the "
        "perplexity is `math.inf`.",
    )


@exercise("sample-name", title="Build the sampler", notebook=NOTEBOOK)
def sample_name(answer: Any) -> None:
    random = np.random.default_rng(7)
    names = [call(answer, TOY, random)]
    expect(isinstance(names[0], str), "A string is asked for: `''.join(letters)`.")
    names += [answer(TOY, random) for _ in range(1500)]
    text = "".join(names)
    expect(
        "^" not in text and "$" not in text,
        f"`{names[0]}` contains a mark: `^` and `$` frame a name, "
        "they do not belong to it.",
    )
    expect(
        len(set(names)) > 1,
        f"It always says `{names[0]}`: draw the next letter at random, "
        "do not take the likeliest.",
    )
    expect(all(names), "Some names are empty, but `$` never follows `^` in the table.")
    starts = sum(name[0] == "a" for name in names) / len(names)
    expect(
        abs(starts - 0.7) < 0.08,
        f"`a` begins {starts:.0%} of your names, and its probability after `^` is "
        "70 %: are the weights used?",
    )
    ends = [len(name) == 1 for name in names if name[0] == "a"]
    stops = sum(ends) / len(ends)
    expect(
        abs(stops - TOY["a"]["$"]) < 0.08,
        f"After a first `a` your names end {stops:.0%} of the time, and "
        "`probabilities['a']['$']` is 50 %: is the last letter the history?",
    )
