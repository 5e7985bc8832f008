"""Judges of notebook 05, *Counting at scale*."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "05_counting_at_scale"


def _numbers(value: Any, what: str) -> list[float]:
    """`value` as a list of numbers; a hint when it is none."""
    expect(
        isinstance(value, tuple | list | np.ndarray) and np.ndim(value) > 0,
        f"{what} asked for, and this is {kind(value)}.",
    )
    for number in value:
        expect(
            isinstance(number, Real),
            f"{what} asked for, and here {kind(number)} is among them.",
        )
    return [float(number) for number in value]


@exercise("decode-key", title="Read a key", notebook=NOTEBOOK)
def decode_key(answer: Any) -> None:
    cases = [(3, 5, 7), (0, 6, 7), (6, 0, 7), (40, 8, 1000)]  # first, second, size

    def asked(rule: Callable[[int, int], tuple]) -> list[list[float]]:
        return [list(rule(a * size + b, size)) for a, b, size in cases]

    values = []
    for a, b, size in cases:
        value = call(answer, a * size + b, size)
        values.append(_numbers(value, "Two word numbers are"))
    expect(
        all(len(value) == 2 for value in values),
        f"Two numbers are asked for, the first word and the second; yours gives "
        f"{len(values[0])}.",
    )
    wrong = {
        "The right two numbers, last word first: `first` was multiplied by `size`, so "
        "it is what the division gives.": lambda key, size: (key % size, key // size),
        "`/` gives fractions, and a word has a whole number: use `//`.": (
            lambda key, size: (key / size, key % size)
        ),
        "You took the key to be `first + size · second`; here the *first* word is "
        "multiplied, and what remains, `key % size`, is the second.": (
            lambda key, size: (key // size, key - key // size)
        ),
        "You divide by one less than `size`. The words are numbered from 0 to "
        "size − 1, but a key counts in steps of `size`.": (
            lambda key, size: (key // (size - 1), key % (size - 1))
        ),
        "The second number is right. The first is still multiplied by `size`.": (
            lambda key, size: (key - key % size, key % size)
        ),
    }
    for hint, rule in wrong.items():
        expect(values != asked(rule), hint)
    for (a, b, size), value in zip(cases, values, strict=True):
        expect(
            value == [a, b],
            f"{a} · {size} + {b} = {a * size + b}, so `decode_key({a * size + b}, "
            f"{size})` should be ({a}, {b}), and yours is "
            f"({', '.join(f'{number:g}' for number in value)}).",
        )


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    slope, intercept = np.polyfit(x, y, 1)
    return slope, intercept


def _through_logarithms(sizes, costs, size) -> float:
    slope, intercept = _fit(np.log(sizes), np.log(costs))
    return np.exp(intercept + slope * np.log(size))


def _straight(sizes, costs, size) -> float:
    slope, intercept = _fit(sizes, costs)
    return intercept + slope * size


def _in_proportion(sizes, costs, size) -> float:
    return costs[-1] * size / sizes[-1]


def _logarithm_itself(sizes, costs, size) -> float:
    return np.log(_through_logarithms(sizes, costs, size))


def _size_not_logged(sizes, costs, size) -> float:
    slope, intercept = _fit(np.log(sizes), np.log(costs))
    return np.exp(intercept + slope * size)


def _slope_alone(sizes, costs, size) -> float:
    return _fit(np.log(sizes), np.log(costs))[0]


def _no_intercept(sizes, costs, size) -> float:
    return size ** _slope_alone(sizes, costs, size)


def _constants_swapped(sizes, costs, size) -> float:
    slope, intercept = _fit(np.log(sizes), np.log(costs))
    return np.exp(slope + intercept * np.log(size))


def _logarithm_of_constant(sizes, costs, size) -> float:
    slope, intercept = _fit(np.log(sizes), np.log(costs))
    return intercept * size**slope


def _axes_swapped(sizes, costs, size) -> float:
    slope, intercept = _fit(np.log(costs), np.log(sizes))
    return np.exp(intercept + slope * np.log(size))


def _two_bases(sizes, costs, size) -> float:
    slope, intercept = _fit(np.log10(sizes), np.log10(costs))
    return np.exp(intercept + slope * np.log10(size))


def _two_points(sizes, costs, size) -> float:
    slope = np.log(costs[-1] / costs[0]) / np.log(sizes[-1] / sizes[0])
    return costs[-1] * (size / sizes[-1]) ** slope


@exercise("extrapolate", title="Read the line", notebook=NOTEBOOK)
def extrapolate(answer: Any) -> None:
    sizes = np.array([10.0, 20, 40, 80])
    costs = 3 * sizes**0.5 * np.array([1, 1.05, 0.96, 1.01])  # measured, so not exact
    case = (sizes, costs, 800)
    right = _through_logarithms(*case)
    with np.errstate(all="ignore"):
        value = _number(call(answer, *case))
        if np.isclose(value, right, rtol=1e-3):
            return
        wrong = {
            "You fit a straight line through the costs themselves. A power law is a "
            "straight line through their *logarithms*.": _straight,
            "You scale in proportion, as if the slope were 1. Measure the slope.": (
                _in_proportion
            ),
            "That is the logarithm of the cost: take `np.exp` of it at the end.": (
                _logarithm_itself
            ),
            "The line was fitted over logarithms of sizes, so it has to be asked for "
            "`np.log(size)`, not for `size`.": _size_not_logged,
            "That is the slope. The cost follows from the whole line: intercept + "
            "slope · log(size).": _slope_alone,
            "The constant a is missing: size^slope has to be multiplied by "
            "`np.exp(intercept)`.": _no_intercept,
            "`np.polyfit` gives the slope first and the intercept second; you took "
            "them the other way round.": _constants_swapped,
            "The intercept is log a, not a: multiply size^slope by "
            "`np.exp(intercept)`, not by the intercept.": _logarithm_of_constant,
            "`np.polyfit(x, y, 1)` wants the sizes first and the costs second; you "
            "predict a size from a cost.": _axes_swapped,
            "Logarithms to base 10 on the way in, `np.exp` on the way out: use one "
            "base for both.": _two_bases,
            "Your line runs through the first and the last point alone. Measurements "
            "wobble: `np.polyfit` uses all of them.": _two_points,
        }
        for hint, rule in wrong.items():
            expect(not np.isclose(value, rule(*case), rtol=1e-3), hint)
    raise Hint(
        f"For costs {costs.round(2).tolist()} at sizes {sizes.tolist()}, a text of 800 "
        f"should cost {right:.2f}, and yours is {value:.6g}."
    )


def _number(value: Any) -> float:
    single = isinstance(value, np.ndarray) and value.size == 1
    number = value.item() if single else value
    expect(
        isinstance(number, Real), f"One number is asked for, and this is {kind(value)}."
    )
    return float(number)


Trial = tuple[float, int, float]  # threshold, n-grams, perplexity


def _smallest(of: int) -> Callable[[Sequence[Trial], int], Trial]:
    return lambda trials, budget: min(trials, key=lambda trial: trial[of])


def _largest_that_fits(trials: Sequence[Trial], budget: int) -> Trial:
    return max((t for t in trials if t[1] <= budget), key=lambda trial: trial[1])


def _best(trials: Sequence[Trial], budget: int) -> Trial:
    return min((t for t in trials if t[1] <= budget), key=lambda trial: trial[2])


def _never_full(trials: Sequence[Trial], budget: int) -> Trial:
    return _best(trials, budget - 1)


def _first_that_fits(trials: Sequence[Trial], budget: int) -> Trial:
    return next(trial for trial in trials if trial[1] <= budget)


@exercise("best-threshold", title="A budget", notebook=NOTEBOOK)
def best_threshold(answer: Any) -> None:
    # The largest model that fits is not the best one, and one fits exactly.
    trials = [
        (3e-6, 60, 112.0),
        (1e-8, 400, 99.0),
        (1e-5, 100, 104.0),
        (2e-6, 90, 108.0),
        (1e-7, 250, 101.0),
        (1e-3, 10, 300.0),
    ]
    full = [(1e-6, 95, 106.0), (5e-7, 100, 107.0), (1e-4, 20, 250.0)]
    value = call(answer, trials, 100)
    if isinstance(value, tuple | list):
        expect(
            value not in trials,
            f"That is a whole trial, {value!r}. Return its threshold, `trial[0]`.",
        )
        raise Hint(f"Return the threshold itself, a number; this is {kind(value)}.")
    value, other = _number(value), _number(call(answer, full, 100))
    sizes, perplexities = ({trial[of] for trial in trials} for of in (1, 2))
    expect(
        value not in sizes,
        f"{value:g} is a number of n-grams. Return the threshold that leads to it.",
    )
    expect(
        value not in perplexities,
        f"{value:g} is a perplexity. Return the threshold that leads to it.",
    )
    wrong = {
        "That model has the lowest perplexity of all, but 400 n-grams do not fit into "
        "100.": _smallest(of=2),
        "That model is the smallest of all. A budget is there to be used: of the "
        "models that fit, take the one with the lowest perplexity.": _smallest(of=1),
        "The smallest threshold keeps the most n-grams, whether they fit or not.": (
            _smallest(of=0)
        ),
        "Exactly full is fine: 100 n-grams fit into a budget of 100, so `<=`.": (
            _never_full
        ),
        "You take the first trial that fits; they come in any order, so compare all "
        "that fit.": _first_that_fits,
        "You take the largest model that fits. Here a smaller one is better: compare "
        "perplexities, not sizes.": _largest_that_fits,
    }
    for hint, rule in wrong.items():
        chosen = rule(trials, 100)[0], rule(full, 100)[0]
        expect((value, other) != chosen, hint)
    expect(
        (value, other) == (1e-5, 1e-6),
        f"With a budget of 100, {trials} should give 1e-05 and {full} 1e-06; yours "
        f"gives {value:g} and {other:g}.",
    )


@exercise("merge-counts", title="Build the merge", notebook=NOTEBOOK)
def merge_counts(answer: Any) -> None:
    _compare_merge(answer, [2, 3, 5, 9], [1, 4, 2, 7], [1, 3, 9, 12], [6, 5, 5, 1])
    _compare_merge(answer, [], [], [4, 8], [2, 2])
    random = np.random.default_rng(3)
    for _ in range(3):
        a, b = (np.sort(random.choice(90, 60, replace=False)) for _ in range(2))
        counts = random.integers(1, 9, (2, 60))
        _compare_merge(answer, a, counts[0], b, counts[1])


def _compare_merge(answer: Any, *tables: Sequence[int]) -> None:
    keys_a, counts_a, keys_b, counts_b = (np.array(t, dtype=np.int64) for t in tables)
    found = call(answer, keys_a, counts_a, keys_b, counts_b)
    expect(
        isinstance(found, tuple | list) and len(found) == 2,
        "Two arrays are asked for: `return keys, counts`.",
    )
    keys, counts = (_numbers(part, "Two arrays of numbers are") for part in found)
    total: dict[int, int] = {}
    for key, count in zip([*keys_a, *keys_b], [*counts_a, *counts_b], strict=True):
        total[int(key)] = total.get(int(key), 0) + int(count)
    both = sorted({*keys_a.tolist()} & {*keys_b.tolist()})
    expect(
        len(keys) == len(counts),
        f"{len(keys)} keys and {len(counts)} counts: each key has one count.",
    )
    expect(
        len(keys) != len(both) or not both or len(both) == len(total),
        "Only the keys that stand in both tables are left. A pair that one of the "
        "texts never saw still occurs in the two together.",
    )
    expect(
        keys == sorted(keys),
        "The keys are not in order. Sort them, and take the counts along: "
        "`order = np.argsort(keys)` gives one order for both.",
    )
    expect(
        len(set(keys)) == len(keys),
        f"The key {next((k for k in both), 0)} stands there twice: equal keys are side "
        "by side now, so add up their counts.",
    )
    expect(
        set(keys) == set(total),
        f"Together the tables hold the keys {sorted(total)[:8]} …, and yours are "
        f"{[round(key) for key in keys[:8]]} …",
    )
    right = [float(total[key]) for key in sorted(total)]
    two = [
        dict(zip(keys.tolist(), counts.tolist(), strict=True))
        for keys, counts in ((keys_a, counts_a), (keys_b, counts_b))
    ]
    of_either = [[table.get(key, 0) for table in two] for key in sorted(total)]
    expect(
        counts == right or counts != [float(max(pair)) for pair in of_either],
        "A key of both tables has only the larger of its two counts. Add both.",
    )
    expect(
        counts == right or counts != [float(b or a) for a, b in of_either],
        "A key of both tables has only its count from the second. Add both.",
    )
    expect(
        counts == right or counts != [float(a or b) for a, b in of_either],
        "A key of both tables has only its count from the first. Add both.",
    )
    rows = [*keys_a.tolist(), *keys_b.tolist()]
    expect(
        counts == right or counts != [float(rows.count(key)) for key in sorted(total)],
        "You count in how many tables a key stands. Add up the counts that it has "
        "there.",
    )
    unsorted = [*counts_a.tolist(), *counts_b.tolist()]
    expect(
        counts == right or sorted(counts) != sorted(right),
        "The right counts at the wrong keys: when the keys are sorted, the counts "
        "have to move with them.",
    )
    expect(
        counts == right or sum(counts) != sum(unsorted),
        "The sum of all counts is right, but they stand at the wrong keys: when the "
        "keys are sorted, the counts have to move with them.",
    )
    expect(
        counts == right,
        f"For the keys {keys_a.tolist()[:6]} … and {keys_b.tolist()[:6]} … the counts "
        f"should be {[round(n) for n in right[:6]]} …, and yours are "
        f"{[round(n) for n in counts[:6]]} …",
    )
