"""Judges of notebook 03, *Smoothing: what to do about zero*."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "03_smoothing"

SENTENCES = [
    text.split()
    for text in (
        "prince andrew smiled",
        "prince andrew looked at prince vasili",
        "he looked at himself",
        "she saw himself and prince andrew",
        "prince vasili looked",
    )
]


def _number(value: Any, asked: str) -> float:
    """`value` as a float, or a hint that says what was asked for."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        return float(value)
    except (TypeError, ValueError) as error:
        raise Hint(f"{asked} is asked for, and this is {kind(value)}.") from error


@exercise("add-k-for-new", title="What add-k sets aside", notebook=NOTEBOOK)
def add_k_for_new(answer: Any) -> None:
    cases = [(200, 20, 1000, 0.5), (137, 23, 911, 0.3)]
    values = [_number(call(answer, *case), "A number") for case in cases]

    def matches(share: Callable[..., float]) -> bool:
        return np.allclose(values, [share(*case) for case in cases], rtol=1e-6)

    def right(total: float, types: int, size: int, k: float) -> float:
        return k * (size - types) / (total + k * size)

    wrong = {
        "That is the share of *one* unseen word. How many words were never seen after "
        "the history?": lambda n, t, v, k: k / (n + k * v),
        "You give a share to all `size` types; `types` of them were seen after the "
        "history and are not new.": lambda n, t, v, k: k * v / (n + k * v),
        "That is what the *added* part of seen words is worth; the others are asked "
        "for.": lambda n, t, v, k: k * t / (n + k * v),
        "That is the share of the words that *were* seen.": (
            lambda n, t, v, k: (n + k * t) / (n + k * v)
        ),
        "The denominator must grow by k for *every* type: `total + k * size`.": (
            lambda n, t, v, k: k * (v - t) / (n + k)
        ),
        "You divide by `total` alone. With k added to every count, the counts of this "
        "history sum to `total + k * size`.": lambda n, t, v, k: k * (v - t) / n,
        "That is add-one, whatever `k` is.": lambda n, t, v, k: (v - t) / (n + v),
        "The denominator grows by k for *every* type, those that were seen as well.": (
            lambda n, t, v, k: k * (v - t) / (n + k * (v - t))
        ),
        "Each unseen word gets k, not 1: `k` is missing on top.": (
            lambda n, t, v, k: (v - t) / (n + k * v)
        ),
        "That is a percentage; a share lies between 0 and 1.": (
            lambda *case: 100 * right(*case)
        ),
        "That is a number of words; a share lies between 0 and 1.": (
            lambda n, t, v, k: v - t
        ),
    }
    for hint, other in wrong.items():
        expect(not matches(other), hint)
    for case, value in zip(cases, values, strict=True):
        total, types, size, k = case
        expect(
            math.isclose(value, right(*case), rel_tol=1e-6),
            f"For total = {total}, types = {types}, size = {size} and k = {k} it "
            f"should be {right(*case):.4f}, and yours is {value:.4f}.",
        )


def _converged(weights: np.ndarray, said: np.ndarray) -> np.ndarray:
    """The weights after many steps of EM."""
    for _ in range(1000):
        joint = weights * said
        weights = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights


@exercise("em-step", title="One step of EM", notebook=NOTEBOOK)
def em_step(answer: Any) -> None:
    weights = np.array([0.2, 0.3, 0.5])
    said = np.array([[0.1, 0.2, 0.0], [0.1, 0.05, 0.6], [0.1, 0.3, 0.3], [0.1, 0.1, 0]])
    value = call(answer, weights, said)
    try:
        value = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise Hint(f"Three weights are asked for, not {value!r:.40}.") from error
    joint = weights * said
    share = joint / joint.sum(axis=1, keepdims=True)
    expect(
        value.shape != said.shape,
        "These are the shares of the E step, one row a token. The M step makes one "
        "number a model of them: their mean over the tokens.",
    )
    expect(
        value.shape == weights.shape,
        f"One weight for each of the {len(weights)} models is asked for; yours has "
        f"shape {value.shape}.",
    )
    even = said / said.sum(axis=1, keepdims=True)
    wrong = {
        "That is the *sum* of the shares. Divide by the number of tokens, so that the "
        "weights sum to 1.": share.sum(axis=0),
        "You divide by the number of *models*. The M step averages over the tokens, so "
        "that the weights sum to 1.": share.sum(axis=0) / len(weights),
        "You repeat the step until nothing changes. One step only is asked for.": (
            _converged(weights, said)
        ),
        "The old weights do not matter in your step. The share of model j is "
        "proportional to `weights[j] * said[i, j]`.": even.mean(axis=0),
        "You average the products before sharing them out. Every token must be divided "
        "by its own sum first: it counts as one token, likely or not.": (
            joint.mean(axis=0)
        ),
        "Every *token* should be shared out and count as one: divide each row by its "
        "own sum before you take the mean.": joint.sum(axis=0) / joint.sum(),
        "You divide each *column* by its sum. One token is shared among the models: "
        "divide each *row*, `axis=1`.": (joint / joint.sum(axis=0)).mean(axis=0),
        "These are the old weights: nothing was learned from `said`.": weights,
        "You let the likeliest model take the whole token. EM shares it out in "
        "proportion.": np.eye(3)[joint.argmax(axis=1)].mean(axis=0),
    }
    for hint, other in wrong.items():
        expect(not np.allclose(value, other, atol=1e-3), hint)
    expect(
        np.allclose(value, share.mean(axis=0)),
        f"For weights {weights.tolist()} it should be "
        f"{share.mean(axis=0).round(4).tolist()}, and yours is "
        f"{value.round(4).tolist()}.",
    )


def _pairs(first: str | None = "<s>", last: str | None = "</s>") -> Counter:
    """Pairs of the toy sentences, with or without their marks."""
    return Counter(
        pair
        for sentence in SENTENCES
        for pair in pairwise([*filter(None, [first]), *sentence, *filter(None, [last])])
    )


def _neighbours(pairs: Mapping[tuple[str, str], int], side: int) -> dict[str, int]:
    """How many different words stand on the other side of each word."""
    return dict(Counter(pair[side] for pair in pairs))


@exercise("left-neighbours", title="Left neighbours", notebook=NOTEBOOK)
def left_neighbours(answer: Any) -> None:
    value = call(answer, SENTENCES)
    if not isinstance(value, Mapping) and callable(getattr(value, "to_dict", None)):
        value = value.to_dict()  # a pandas Series
    expect(
        isinstance(value, Mapping),
        f"A Counter is asked for, and this is {kind(value)}.",
    )
    expect(
        not any(isinstance(count, set | list | dict) for count in value.values()),
        "The neighbours themselves are not asked for, only how many there are: `len`.",
    )
    numbers = {word: _number(count, "A count") for word, count in value.items()}
    expect(
        all(number == int(number) for number in numbers.values()),
        "Counts are asked for, not shares: do not divide.",
    )
    found = {word: int(number) for word, number in numbers.items() if number}
    pairs = _pairs()
    right = _neighbours(pairs, 1)
    often = Counter(word for _, word in pairs.elements())
    unmarked = Counter(word for sentence in SENTENCES for word in sentence)
    expect(
        found not in (often, unmarked),
        f"That is how often a word occurs. *andrew* occurs {often['andrew']} times, "
        "always after *prince*: 1 left neighbour.",
    )
    expect(
        found not in (_neighbours(pairs, 0), _neighbours(_pairs(None), 0)),
        "You count what comes *after* a word. Its left neighbours come before it.",
    )
    expect(
        found != dict(pairs),
        "That counts pairs. Ask of each word in how many different pairs it is second.",
    )
    expect(
        found != _neighbours(_pairs(None), 1),
        "`<s>` counts as a left neighbour, too: put it before every sentence.",
    )
    expect(
        found != _neighbours(_pairs(last=None), 1),
        "`</s>` is missing: a model predicts it, so it needs a count like any word.",
    )
    expect(
        found != _neighbours(_pairs(None, None), 1),
        "Both marks are missing: `<s>` before each sentence, and `</s>` after it.",
    )
    flat = ["<s>", *[t for s in SENTENCES for t in (*s, "</s>")]]
    bare = [t for s in SENTENCES for t in s]
    marked, bared = (
        dict(Counter(after for _, after in set(pairwise(text))))
        for text in (flat, bare)
    )
    expect(
        found != bared,
        "You read all sentences as one long text: the last word of one is not the left "
        "neighbour of the next one's first word. `<s>` is, and `</s>` comes last.",
    )
    expect(
        found != marked,
        "Some of your pairs run from one sentence into the next: nothing comes after "
        "`</s>`. Take each sentence on its own.",
    )
    for word in sorted(right.keys() | found.keys()):
        expect(
            found.get(word, 0) == right.get(word, 0),
            f"*{word}* has {right.get(word, 0)} left neighbours in {SENTENCES}, and "
            f"yours has {found.get(word, 0)}.",
        )


Model = Callable[[str, str], float]


def _kneser_ney(
    D: float, lower: str = "left", weight: str = "D types", first: str | None = "<s>"
) -> Model:
    """Kneser-Ney on the toy sentences, or one of its usual distortions."""
    pairs = _pairs(first)
    follows, types, words = Counter(), Counter(), Counter()
    for (before, after), times in pairs.items():
        follows[before] += times
        types[before] += 1
        words[after] += times
    left = Counter(after for _, after in pairs)
    lowers = {
        "left": {w: n / len(pairs) for w, n in left.items()},
        "words": {w: n / words.total() for w, n in words.items()},
        "even": {w: 1 / len(words) for w in words},
        "none": {},
        "left/tokens": {w: n / pairs.total() for w, n in left.items()},
        "left/types": {w: n / len(left) for w, n in left.items()},
    }
    weights = {"D types": D, "types": 1.0, "D": None}

    def p(before: str, after: str) -> float:
        below = lowers[lower].get(after, 0)
        if before not in follows:
            return below
        own = max(pairs[before, after] - D, 0) / follows[before]
        if weight == "back-off":
            kept = sum(lowers[lower][a] for b, a in pairs if b == before)
            free = D * types[before] / follows[before]
            return own if own else free * below / (1 - kept)
        factor = weights[weight]
        left_over = D if factor is None else factor * types[before] / follows[before]
        return own + left_over * below

    return p


@exercise("kneser-ney-model", title="Build Kneser-Ney", notebook=NOTEBOOK)
def kneser_ney_model(answer: Any) -> None:
    D = 0.6
    p = call(answer, SENTENCES, D)
    expect(
        callable(p),
        f"A *function* `p(before, after)` is to be returned, and this is {kind(p)}.",
    )
    words = sorted({word for s in SENTENCES for word in s} | {"</s>"})
    seen = ["<s>", "prince", "at", "andrew", "vasili"]

    def asked(before: str, after: str) -> float:
        return _number(call(p, before, after), "A probability")

    values = {(h, w): asked(h, w) for h in seen for w in words}

    def matches(model: Model) -> bool:
        return all(
            math.isclose(value, model(*pair), rel_tol=1e-6, abs_tol=1e-12)
            for pair, value in values.items()
        )

    expect(
        any(values[h, "</s>"] for h in seen),
        "Your model never ends a sentence: `</s>` is predicted like a word.",
    )
    expect(
        min(values.values()) >= 0,
        "Some probabilities are below 0: a pair that was never seen has no D to give. "
        "`max(count − D, 0)`.",
    )
    expect(
        not matches(_kneser_ney(D, lower="none")),
        "What the discount takes is never handed on: the sum is below 1, and new pairs "
        "have probability 0. Add the part of the lower order.",
    )
    expect(
        not matches(_kneser_ney(D, lower="words")),
        "It sums to 1, but it is absolute discounting: the lower order asks how "
        "*often* a word occurs. Kneser-Ney asks after how many different words.",
    )
    expect(
        not matches(_kneser_ney(D, lower="even")),
        "It sums to 1, but your lower order treats all words alike. Divide a word's "
        "left neighbours by the number of different pairs.",
    )
    pairs = _pairs()
    left = _neighbours(pairs, 1)
    for lower, number in (("left/tokens", pairs.total()), ("left/types", len(left))):
        expect(
            not matches(_kneser_ney(D, lower=lower)),
            f"Your lower order sums to {len(pairs) / number:.3f}: divide by the number "
            "of different pairs.",
        )
    expect(
        not matches(_kneser_ney(D, weight="back-off")),
        "That is back-off, and it sums to 1. Here the lower order speaks about seen "
        "words, too: add it for every word.",
    )
    expect(
        not matches(_kneser_ney(D, first=None)),
        "`<s>` is missing: it is the history of every first word, and a left "
        "neighbour.",
    )
    expect(
        not matches(_kneser_ney(D, weight="types")),
        "You hand on one whole count for each different word, and take only D: the "
        "weight of the lower order is D · types / total.",
    )
    expect(
        not matches(_kneser_ney(D, weight="D")),
        "The weight of the lower order is D after every history. It is D times the "
        "number of different words after it, divided by how often it was followed.",
    )
    expect(
        not matches(_kneser_ney(0.75)),
        "That is right for a discount of 0.75: use the argument `D`.",
    )
    sums = {h: sum(values[h, w] for w in words) for h in seen}
    worst = max(sums, key=lambda h: abs(sums[h] - 1))
    expect(
        math.isclose(sums[worst], 1, rel_tol=1e-6),
        f"After `{worst}` your probabilities sum to {sums[worst]:.4f}. What is taken "
        "(D from every seen pair) and what is handed on must be equal; and all words "
        "and `</s>` can come next.",
    )
    right = _kneser_ney(D)
    pair = max(values, key=lambda pair: abs(values[pair] - right(*pair)))
    expect(
        matches(right),
        f"`p{pair}` should be {right(*pair):.4f} for the sentences {SENTENCES} and "
        f"D = {D}, and yours is {values[pair]:.4f}.",
    )
    try:
        unseen = {w: float(p("zoological", w)) for w in words}
    except Exception as error:
        raise Hint(
            "Right after every history of the text. After *zoological*, never seen, it "
            f"stops with {type(error).__name__}: return the continuation distribution."
        ) from error
    expect(
        not (min(unseen.values()) > 0 and np.ptp(list(unseen.values())) < 1e-9),
        "Right after every history of the text. After *zoological*, never seen, all "
        "words are equally likely: return the continuation distribution instead.",
    )
    expect(
        all(math.isclose(unseen[w], right("zoological", w)) for w in words),
        "Right after every history of the text. After *zoological*, never seen, it "
        f"sums to {sum(unseen.values()):.4f} and should be the continuation "
        "distribution.",
    )
