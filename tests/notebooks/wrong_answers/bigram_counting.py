"""Wrong answers to the exercises of notebook 01, as readers give them."""

import math
from collections import Counter, defaultdict
from itertools import pairwise

from lmcourse import corpora


def after(letter, mark="$"):
    names = corpora.load("names")
    return Counter(a for n in names for b, a in pairwise(n + mark) if b == letter)


def before(letter):
    names = corpora.load("names")
    return Counter(b for n in names for b, a in pairwise(n) if a == letter)


def count_with(first="^", last="$", swap=False):
    def bigram_counts(names):
        counts = defaultdict(Counter)
        for name in names:
            for a, b in pairwise(first + name + last):
                a, b = (b, a) if swap else (a, b)
                counts[a][b] += 1
        return counts

    return bigram_counts


def count_across_names(names):
    counts = defaultdict(Counter)
    for a, b in pairwise("".join(f"^{name}$" for name in names)):
        counts[a][b] += 1
    return counts


def count_flat(names):
    return Counter(pair for name in names for pair in pairwise(f"^{name}$"))


def count_pairs_of_a_name_once(names):
    counts = defaultdict(Counter)
    for name in names:
        for a, b in set(pairwise(f"^{name}$")):
            counts[a][b] += 1
    return counts


def count_once(names):
    counts = defaultdict(dict)
    for name in names:
        for a, b in pairwise(f"^{name}$"):
            counts[a][b] = 1
    return counts


def count_without_return(names):
    defaultdict(Counter)


def divide_already(names):
    counts = count_with()(names)
    return {
        a: {b: n / row.total() for b, n in row.items()} for a, row in counts.items()
    }


def logs(first="^", last="$", log=math.log, sign=1):
    def log_probability(name, probabilities):
        steps = pairwise(first + name + last)
        return sign * sum(log(probabilities[a][b]) for a, b in steps)

    return log_probability


def swapped_lookup(name, probabilities):
    return sum(math.log(probabilities[b][a]) for a, b in pairwise(f"^{name}$"))


def each_pair_once(name, probabilities):
    return sum(math.log(probabilities[a][b]) for a, b in set(pairwise(f"^{name}$")))


def product(name, probabilities):
    return math.prod(probabilities[a][b] for a, b in pairwise(f"^{name}$"))


def steps_of(name, probabilities):
    return [
        math.log(probabilities.get(a, {}).get(b, 0) or math.ulp(0))
        for a, b in pairwise(f"^{name}$")
    ]


def averaged(divide, finish):
    def perplexity(names, probabilities):
        total = sum(x for name in names for x in steps_of(name, probabilities))
        return finish(total / divide(names))

    return perplexity


def predictions(names):
    return sum(len(name) + 1 for name in names)


def mean_of_perplexities(names, probabilities):
    each = [steps_of(name, probabilities) for name in names]
    return sum(math.exp(-sum(x) / len(x)) for x in each) / len(each)


def stops_at_unseen(names, probabilities):
    steps = [
        math.log(probabilities[a][b]) for n in names for a, b in pairwise(f"^{n}$")
    ]
    return math.exp(-sum(steps) / len(steps))


def without_marks(first, last):
    def perplexity(names, probabilities):
        steps = [
            math.log(probabilities[a][b])
            for name in names
            for a, b in pairwise(first + name + last)
        ]
        return math.exp(-sum(steps) / len(steps))

    return perplexity


def arithmetic(names, probabilities):
    steps = [math.exp(-x) for name in names for x in steps_of(name, probabilities)]
    return sum(steps) / len(steps)


def stuck_at_the_first_letter(probabilities, random):
    symbol = first = by_weight(probabilities["^"], random)
    letters = ""
    while symbol != "$":
        letters += symbol
        symbol = by_weight(probabilities[first], random)
    return letters


def shortened(probabilities, random):
    return sampler(by_weight)(probabilities, random)[:2]


def sampler(draw, keep_marks=False, move=True):
    def sample_name(probabilities, random):
        history, letters = "^", ""
        symbol = history
        while symbol != "$":
            letters += symbol
            symbol = draw(probabilities[history], random)
            history = symbol if move else history
        return letters if keep_marks else letters[1:]

    return sample_name


def by_weight(row, random):
    return random.choice(list(row), p=list(row.values()))


def likeliest(row, random):
    return max(row, key=row.get)


def unweighted(row, random):
    return random.choice(list(row))


WRONG = {
    "after-k": [
        ("still the letters after a", after("a"), "change the letter"),
        ("no end mark", after("k", mark=""), "No name ends after k"),
        ("the letters before k", before("k"), "come *before* a k"),
        ("a list", after("k").most_common(5), "A Counter is asked for"),
        ("only five", dict(after("k").most_common(5)), "different symbols after k"),
        ("upper case", after("K"), "in lower case"),
        ("shares", {x: n / 500 for x, n in after("k").items()}, "do not divide"),
    ],
    "bigram-counts": [
        ("the end mark forgotten", count_with(last=""), "how names end"),
        ("the start mark forgotten", count_with(first=""), "how names begin"),
        ("the pair swapped", count_with(swap=True), "which letter comes first"),
        ("pairs across two names", count_across_names, "nothing can follow the end"),
        ("a flat Counter", count_flat, "A Counter of pairs is flat"),
        ("once in each name", count_pairs_of_a_name_once, "again in the same name"),
        ("set to 1, not added", count_once, "every time that a pair comes"),
        ("return forgotten", count_without_return, "is a `return` missing"),
        ("probabilities", divide_already, "counts are whole numbers"),
    ],
    "log-probability": [
        ("the pair swapped", swapped_lookup, "The history comes first"),
        ("each pair once", each_pair_once, "comes twice counts twice"),
        ("a product", product, "probability itself"),
        ("no end", logs(last=""), "also has to end"),
        ("no beginning", logs(first=""), "history of the first letter"),
        ("neither", logs("", ""), "Only the pairs inside"),
        ("base 2", logs(log=math.log2), "another base"),
        ("the sign turned", logs(sign=-1), "are below 0"),
    ],
    "perplexity": [
        ("no minus", averaged(predictions, math.exp), "minus sign"),
        ("no exp", averaged(predictions, lambda x: -x), "cross-entropy"),
        ("base 2", averaged(predictions, lambda x: 2**-x), "mixes two bases"),
        (
            "letters only",
            averaged(lambda names: len("".join(names)), lambda x: math.exp(-x)),
            "the letters",
        ),
        ("per name", averaged(len, lambda x: math.exp(-x)), "the number of names"),
        ("mean of means", mean_of_perplexities, "Sum all logarithms first"),
        ("no ends", without_marks("^", ""), "The ends are not predicted"),
        ("no beginnings", without_marks("", "$"), "first letters are not"),
        ("the ordinary mean", arithmetic, "geometric"),
        (
            "not divided",
            averaged(lambda _: 1, lambda x: math.exp(-x)),
            "divide the sum",
        ),
        ("stops at an unseen pair", stops_at_unseen, "stops with KeyError"),
    ],
    "sample-name": [
        ("the likeliest letter", sampler(likeliest), "It always says"),
        ("weights unused", sampler(unweighted), "*a* follows *^*"),
        ("stuck at the first letter", stuck_at_the_first_letter, "*a* follows *b*"),
        ("cut short", shortened, "*a* follows *a*"),
        ("the mark kept", sampler(by_weight, keep_marks=True), "contains a mark"),
        ("the history stands still", sampler(by_weight, move=False), "never ends"),
    ],
}
