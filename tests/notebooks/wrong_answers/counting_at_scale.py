"""Wrong answers to the exercises of notebook 05, as readers give them."""

import numpy as np


def line(x, y, back=lambda value: value, asked=lambda size: size, swap=False):
    """A straight line through x(sizes), y(costs), read at asked(size)."""

    def extrapolate(sizes, costs, size):
        points = (y(costs), x(sizes)) if swap else (x(sizes), y(costs))
        slope, intercept = np.polyfit(*points, 1)
        return back(intercept + slope * asked(size))

    return extrapolate


def same(values):
    return values


def slope_alone(sizes, costs, size):
    return np.polyfit(np.log(sizes), np.log(costs), 1)[0]


def no_intercept(sizes, costs, size):
    return size ** slope_alone(sizes, costs, size)


def in_proportion(sizes, costs, size):
    return costs[-1] / sizes[-1] * size


def constants_swapped(sizes, costs, size):
    intercept, slope = np.polyfit(np.log(sizes), np.log(costs), 1)
    return np.exp(intercept + slope * np.log(size))


def constant_not_raised(sizes, costs, size):
    slope, intercept = np.polyfit(np.log(sizes), np.log(costs), 1)
    return intercept * size**slope


def first_and_last(sizes, costs, size):
    slope = np.log(costs[-1] / costs[0]) / np.log(sizes[-1] / sizes[0])
    return costs[-1] * (size / sizes[-1]) ** slope


def choose(best, fits=lambda size, budget: size <= budget, what=0):
    def best_threshold(trials, budget):
        fitting = [trial for trial in trials if fits(trial[1], budget)]
        found = best(fitting)
        return found if what is None else found[what]

    return best_threshold


def lowest(place):
    return lambda trials: min(trials, key=lambda trial: trial[place])


def largest(trials):
    return max(trials, key=lambda trial: trial[1])


def anything(size, budget):
    return True


def joined(keys_a, counts_a, keys_b, counts_b):
    return np.append(keys_a, keys_b), np.append(counts_a, counts_b)


def sorted_not_added(*tables):
    keys, counts = joined(*tables)
    order = np.argsort(keys)
    return keys[order], counts[order]


def keys_sorted_alone(*tables):
    keys, counts = joined(*tables)
    keys = np.sort(keys)
    start = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[start], np.add.reduceat(counts, start)


def count_tables(keys_a, counts_a, keys_b, counts_b):
    return np.unique(np.append(keys_a, keys_b), return_counts=True)


def first_count(*tables):
    keys, counts = joined(*tables)
    keys, place = np.unique(keys, return_index=True)
    return keys, counts[place]


def second_count(keys_a, counts_a, keys_b, counts_b):
    return first_count(keys_b, counts_b, keys_a, counts_a)


def larger_count(*tables):
    keys, counts = joined(*tables)
    order = np.lexsort((-counts, keys))
    return first_count(keys[order], counts[order], keys[:0], counts[:0])


def in_both(keys_a, counts_a, keys_b, counts_b):
    keys, a, b = np.intersect1d(keys_a, keys_b, return_indices=True)
    return keys, counts_a[a] + counts_b[b]


def keys_alone(keys_a, counts_a, keys_b, counts_b):
    return np.union1d(keys_a, keys_b)


def place_by_place(keys_a, counts_a, keys_b, counts_b):
    return keys_a, counts_a + counts_b


WRONG = {
    "decode-key": [
        ("swapped", lambda key, size: (key % size, key // size), "last word first"),
        ("a fraction", lambda key, size: (key / size, key % size), "use `//`"),
        (
            "the quotient taken off",
            lambda key, size: (key // size, key - key // size),
            "first + size",
        ),
        (
            "size − 1",
            lambda key, size: (key // (size - 1), key % (size - 1)),
            "one less than",
        ),
        (
            "the remainder taken off",
            lambda key, size: (key - key % size, key % size),
            "still multiplied",
        ),
        ("one number", lambda key, size: key // size, "Two word numbers are"),
        (
            "texts",
            lambda key, size: (str(key // size), str(key % size)),
            "a str is among them",
        ),
        (
            "a dictionary",
            lambda key, size: {key // size: 0, key % size: 0},
            "this is a dict",
        ),
        ("the key in front", lambda key, size: (key, key // size, key % size), "3"),
    ],
    "extrapolate": [
        ("no logarithms", line(same, same), "*logarithms*"),
        ("in proportion", in_proportion, "slope were 1"),
        ("no exp", line(np.log, np.log, same, np.log), "`np.exp` of it"),
        ("size without log", line(np.log, np.log, np.exp), "`np.log(size)`"),
        ("the slope", slope_alone, "That is the slope"),
        ("no constant", no_intercept, "constant a is missing"),
        ("swapped", line(np.log, np.log, np.exp, np.log, True), "sizes first"),
        ("constants swapped", constants_swapped, "slope first"),
        ("log a for a", constant_not_raised, "not by the intercept"),
        ("two bases", line(np.log10, np.log10, np.exp, np.log10), "one base"),
        ("two points", first_and_last, "first and the last"),
        ("costs without log", line(np.log, same, same, np.log), "should cost"),
    ],
    "best-threshold": [
        ("no budget", choose(lowest(2), anything), "do not fit"),
        ("the smallest model", choose(lowest(1)), "is there to be used"),
        ("the smallest threshold", choose(lowest(0), anything), "keeps the most"),
        ("less than", choose(lowest(2), lambda a, b: a < b), "Exactly full"),
        ("the largest that fits", choose(largest), "the largest model that fits"),
        ("the first that fits", choose(lambda trials: trials[0]), "in any order"),
        ("the whole trial", choose(lowest(2), what=None), "a whole trial"),
        (
            "in a list",
            choose(lambda t: [[lowest(2)(t)[0]]]),
            "a number; this is a list",
        ),
        ("the size", choose(lowest(2), what=1), "a number of n-grams"),
        ("the perplexity", choose(lowest(2), what=2), "is a perplexity"),
    ],
    "merge-counts": [
        ("joined end to end", joined, "not in order"),
        ("sorted but not added", sorted_not_added, "stands there twice"),
        ("counts left behind", keys_sorted_alone, "have to move with them"),
        ("tables counted", count_tables, "in how many tables"),
        ("the first count", first_count, "only its count from the first"),
        ("the second count", second_count, "only its count from the second"),
        ("the larger count", larger_count, "the larger of its two"),
        ("only keys of both", in_both, "Only the keys that stand in both"),
        ("keys alone", keys_alone, "Two arrays"),
        ("place by place", place_by_place, "Together the tables hold"),
    ],
}
