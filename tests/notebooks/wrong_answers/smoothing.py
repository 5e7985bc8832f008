"""Wrong answers to the exercises of notebook 03, as readers give them."""

from collections import Counter
from itertools import pairwise

import numpy as np


def shares(weights, said):
    share = weights * said
    return share / share.sum(axis=1, keepdims=True)


def to_the_end(weights, said):
    for _ in range(100):
        weights = shares(weights, said).mean(axis=0)
    return weights


def products_averaged_late(weights, said):
    joint = weights * said
    return joint.sum(axis=0) / joint.sum()


def columns_divided(weights, said):
    joint = weights * said
    return (joint / joint.sum(axis=0)).mean(axis=0)


def winner_takes_all(weights, said):
    return np.eye(len(weights))[(weights * said).argmax(axis=1)].mean(axis=0)


def old_weights_forgotten(weights, said):
    return (said / said.sum(axis=1, keepdims=True)).mean(axis=0)


def count_pairs(sentences, first=("<s>",), last=("</s>",)):
    return Counter(p for s in sentences for p in pairwise([*first, *s, *last]))


def neighbours(side=1, **marks):
    def left_neighbours(sentences):
        return Counter(pair[side] for pair in count_pairs(sentences, **marks))

    return left_neighbours


def occurrences(sentences):
    return Counter(after for _, after in count_pairs(sentences).elements())


def across_sentences(sentences):
    flat = ["<s>", *[t for s in sentences for t in (*s, "</s>")]]
    return Counter(after for _, after in set(pairwise(flat)))


def one_text(sentences):
    flat = [t for s in sentences for t in s]
    return Counter(after for _, after in set(pairwise(flat)))


def shares_of_pairs(sentences):
    left = neighbours()(sentences)
    return {word: count / left.total() for word, count in left.items()}


def sets(sentences):
    found = {}
    for before, after in count_pairs(sentences):
        found.setdefault(after, set()).add(before)
    return found


def continuation(pairs):
    left = Counter(after for _, after in pairs)
    return lambda after: left[after] / len(pairs)


def frequency(pairs):
    words = Counter(after for _, after in pairs.elements())
    return lambda after: words[after] / pairs.total()


def evenly(pairs):
    words = {after for _, after in pairs}
    return lambda after: 1 / len(words)


def nothing(pairs):
    return lambda after: 0.0


def by_sentence_count(pairs):
    left = Counter(after for _, after in pairs)
    return lambda after: left[after] / pairs.total()


def by_types(pairs):
    left = Counter(after for _, after in pairs)
    return lambda after: left[after] / len(left)


def back_off(sentences, D):
    pairs = count_pairs(sentences)
    below = continuation(pairs)
    seen = {}
    for (before, after), times in pairs.items():
        seen.setdefault(before, {})[after] = times

    def p(before, after):
        if before not in seen:
            return below(after)
        total = sum(seen[before].values())
        if after in seen[before]:
            return (seen[before][after] - D) / total
        rest = 1 - sum(below(word) for word in seen[before])
        return D * len(seen[before]) / total * below(after) / rest

    return p


def model(
    lower=continuation,
    weight=lambda D, types, total: D * types / total,
    least=0.0,
    unseen=lambda below: below,
    given=lambda D: D,
    first=("<s>",),
    last=("</s>",),
):
    def kneser_ney_model(sentences, D):
        D = given(D)
        pairs = count_pairs(sentences, first=first, last=last)
        below = lower(pairs)
        follows, types = Counter(), Counter()
        for (before, _), times in pairs.items():
            follows[before] += times
            types[before] += 1

        def p(before, after):
            if before not in follows:
                return unseen(below(after))
            own = max(pairs[before, after] - D, least) / follows[before]
            share = weight(D, types[before], follows[before])
            return own + share * below(after)

        return p

    return kneser_ney_model


def divides_by_zero(below):
    return 1 / 0


def table_instead(sentences, D):
    pairs = count_pairs(sentences)
    p = model()(sentences, D)
    return {pair: p(*pair) for pair in pairs}


WRONG = {
    "add-k-for-new": [
        ("one word", lambda n, t, v, k: k / (n + k * v), "*one* unseen word"),
        ("all types", lambda n, t, v, k: k * v / (n + k * v), "are not new"),
        ("seen types", lambda n, t, v, k: k * t / (n + k * v), "others are asked"),
        (
            "the other share",
            lambda n, t, v, k: (n + k * t) / (n + k * v),
            "words that *were* seen",
        ),
        ("k once", lambda n, t, v, k: k * (v - t) / (n + k), "for *every* type: `"),
        ("total alone", lambda n, t, v, k: k * (v - t) / n, "`total` alone"),
        ("add-one", lambda n, t, v, k: (v - t) / (n + v), "add-one, whatever"),
        (
            "k for new types alone",
            lambda n, t, v, k: k * (v - t) / (n + k * (v - t)),
            "those that were seen as well",
        ),
        ("not divided", lambda n, t, v, k: v - t, "a number of words"),
        (
            "percentage",
            lambda n, t, v, k: 100 * k * (v - t) / (n + k * v),
            "percentage",
        ),
        ("no k on top", lambda n, t, v, k: (v - t) / (n + k * v), "missing on top"),
        ("one case only", lambda *_: 0.7, "it should be"),
        ("a string", lambda *_: "0.7", "this is a str"),
    ],
    "em-step": [
        ("the shares", shares, "shares of the E step"),
        ("a sum", lambda w, said: shares(w, said).sum(axis=0), "That is the *sum*"),
        ("no weights", old_weights_forgotten, "The old weights do not matter"),
        ("no sharing", lambda w, said: (w * said).mean(axis=0), "before sharing them"),
        ("rows not divided", products_averaged_late, "should be shared out"),
        ("columns divided", columns_divided, "divide each *row*"),
        ("nothing learned", lambda w, said: w, "These are the old weights"),
        ("hard choice", winner_takes_all, "take the whole token"),
        ("divided by models", lambda w, s: shares(w, s).sum(axis=0) / 3, "*models*"),
        ("many steps", to_the_end, "One step only"),
        ("one row a token", lambda w, said: shares(w, said).mean(axis=1), "has shape"),
    ],
    "left-neighbours": [
        ("occurrences", occurrences, "how often a word occurs"),
        ("right neighbours", neighbours(side=0), "come before it"),
        ("pairs", count_pairs, "That counts pairs"),
        ("no start mark", neighbours(first=()), "`<s>` counts"),
        ("no end mark", neighbours(last=()), "`</s>` is missing"),
        ("no marks", neighbours(first=(), last=()), "Both marks"),
        ("one long text", across_sentences, "into the next"),
        ("the neighbours", sets, "only how many"),
        ("shares", shares_of_pairs, "not shares"),
        ("a list", lambda sentences: [1, 2], "this is a list"),
        ("one long text without marks", one_text, "one long text"),
    ],
    "kneser-ney-model": [
        ("not handed on", model(nothing), "never handed on"),
        ("frequency", model(frequency), "how *often*"),
        ("even shares", model(evenly), "treats all words alike"),
        ("negative", model(least=-9), "below 0"),
        (
            "a whole count handed on",
            model(weight=lambda D, types, total: types / total),
            "one whole count",
        ),
        ("the same everywhere", model(weight=lambda D, *_: D), "after every history."),
        ("its own discount", model(given=lambda D: 0.75), "use the argument"),
        ("neighbours over tokens", model(by_sentence_count), "sums to 0.7"),
        ("neighbours over types", model(by_types), "sums to 1."),
        ("back-off", back_off, "That is back-off"),
        ("no start", model(first=()), "`<s>` is missing"),
        ("unseen: uniform", model(unseen=lambda below: 1 / 12), "equally likely"),
        ("no end", model(last=()), "never ends a sentence"),
        ("unseen: zero", model(unseen=lambda below: 0.0), "sums to 0.0000"),
        ("unseen: error", model(unseen=divides_by_zero), "ZeroDivisionError"),
        ("a table", table_instead, "A *function*"),
    ],
}
