"""Wrong answers to the exercises of notebook 09, as readers give them."""

import numpy as np


def normed(
    axes=-1,
    correction=0,
    small=1e-5,
    outside=0.0,
    power=0.5,
    centre=True,
    ending=lambda x, gain, bias: x * gain + bias,
):
    def layer_norm(x, gain, bias):
        mean = x.mean(axes, keepdim=True) if centre else 0
        variance = x.var(axes, keepdim=True, correction=correction)
        if not centre:
            variance = x.square().mean(axes, keepdim=True)
        spread = (variance + small) ** power + outside
        return ending((x - mean) / spread, gain, bias)

    return layer_norm


def not_divided(x, gain, bias):
    return (x - x.mean(-1, keepdim=True)) * gain + bias


def without_keepdim(x, gain, bias):
    return (x - x.mean(-1)) / x.std(-1) * gain + bias


def after(x, attention, network, norm_1, norm_2):
    x = norm_1(x + attention(x))
    return norm_2(x + network(x))


def nothing_added(x, attention, network, norm_1, norm_2):
    return network(norm_2(attention(norm_1(x))))


def first_not_added(x, attention, network, norm_1, norm_2):
    x = attention(norm_1(x))
    return x + network(norm_2(x))


def second_not_added(x, attention, network, norm_1, norm_2):
    x = x + attention(norm_1(x))
    return network(norm_2(x))


def side_by_side(x, attention, network, norm_1, norm_2):
    return x + attention(norm_1(x)) + network(norm_2(x))


def old_x(x, attention, network, norm_1, norm_2):
    return x + network(norm_2(x + attention(norm_1(x))))


def to_the_norm(x, attention, network, norm_1, norm_2):
    x = norm_1(x)
    x = x + attention(x)
    return x + network(norm_2(x))


def to_both_norms(x, attention, network, norm_1, norm_2):
    x = norm_1(x)
    x = x + attention(x)
    x = norm_2(x)
    return x + network(x)


def second_to_the_norm(x, attention, network, norm_1, norm_2):
    x = norm_2(x + attention(norm_1(x)))
    return x + network(x)


def swapped(x, attention, network, norm_1, norm_2):
    x = x + attention(norm_2(x))
    return x + network(norm_1(x))


def one_norm(x, attention, network, norm_1, norm_2):
    x = x + attention(norm_1(x))
    return x + network(norm_1(x))


def no_norms(x, attention, network, norm_1, norm_2):
    x = x + attention(x)
    return x + network(x)


def attention_unnormed(x, attention, network, norm_1, norm_2):
    x = x + attention(x)
    return x + network(norm_2(x))


def network_unnormed(x, attention, network, norm_1, norm_2):
    x = x + attention(norm_1(x))
    return x + network(x)


def network_first(x, attention, network, norm_1, norm_2):
    x = x + network(norm_2(x))
    return x + attention(norm_1(x))


def twice(x, attention, network, norm_1, norm_2):
    x = x + attention(norm_1(x))
    return x + 2 * network(norm_2(x))


def nucleus(probabilities, p, keep=lambda before, one, p: before < p, divide=True):
    order = np.argsort(-probabilities)
    before = np.cumsum(probabilities[order]) - probabilities[order]
    kept = np.zeros_like(probabilities)
    chosen = order[keep(before, probabilities[order], p)]
    kept[chosen] = probabilities[chosen]
    return kept / kept.sum() if divide and kept.any() else kept


def without_crossing(probabilities, p):
    return nucleus(probabilities, p, lambda before, one, p: before + one <= p)


def neither(probabilities, p):
    keep = lambda before, one, p: before + one <= p  # noqa: E731
    return nucleus(probabilities, p, keep, divide=False)


def crossing_unless_alone(probabilities, p):
    if probabilities.max() > p:
        return without_crossing(probabilities, p)
    return nucleus(probabilities, p)


def beyond(probabilities, p):
    return nucleus(probabilities, p, lambda before, one, p: before <= p)


def threshold(probabilities, p):
    return np.where(probabilities >= p, probabilities, 0)


def in_order(probabilities, p):
    before = np.cumsum(probabilities) - probabilities
    kept = np.where(before < p, probabilities, 0)
    return kept / kept.sum()


def least_likely(probabilities, p):
    order = np.argsort(probabilities)
    kept = np.zeros_like(probabilities)
    chosen = order[np.cumsum(probabilities[order]) <= p]
    kept[chosen] = probabilities[chosen]
    return kept / kept.sum()


def three(probabilities, p):
    kept = np.where(probabilities >= np.sort(probabilities)[-3], probabilities, 0)
    return nucleus(probabilities, p) if p == 0.5 else kept / kept.sum()


def evenly(probabilities, p):
    kept = nucleus(probabilities, p) > 0
    return kept / kept.sum()


def greedy(probabilities, p):
    return (probabilities == probabilities.max()).astype(float)


WRONG = {
    "layer-norm": [
        ("no gain and bias", normed(ending=lambda x, g, b: x), "multiplies, and"),
        ("no gain", normed(ending=lambda x, g, b: x + b), "`gain` is missing"),
        ("no bias", normed(ending=lambda x, g, b: x * g), "`bias` is missing"),
        ("swapped", normed(ending=lambda x, g, b: x * b + g), "yours are swapped"),
        ("bias first", normed(ending=lambda x, g, b: (x + b) * g), "First the gain"),
        ("over time", normed(axes=1), "over *time*"),
        ("over the batch", normed(axes=0), "batch norm"),
        ("over everything", normed(axes=(0, 1, 2)), "whole tensor"),
        ("width − 1", normed(correction=1, small=0), "width − 1"),
        ("no small number", normed(small=0), "almost constant"),
        ("outside the root", normed(small=0, outside=1e-5), "*under* the root"),
        ("variance", normed(power=1), "by the *variance*"),
        ("RMS", normed(centre=False), "RMS norm"),
        ("not divided", not_divided, "never divide"),
        ("no keepdim", without_keepdim, "stops with RuntimeError"),
        ("one vector", lambda x, g, b: x[0], "should have the shape"),
    ],
    "pre-norm-block": [
        ("post-norm", after, "That is *post-norm*"),
        ("no residuals", nothing_added, "Nothing is added"),
        ("first not added", first_not_added, "first change is not added"),
        ("second not added", second_not_added, "returned alone"),
        ("side by side", side_by_side, "side by side"),
        ("the old x", old_x, "attention's is lost"),
        ("added to the norm", to_the_norm, "added to the *normalised* x"),
        ("second added to its norm", second_to_the_norm, "So is the change"),
        ("swapped norms", swapped, "norms are swapped"),
        ("one norm twice", one_norm, "used twice"),
        ("no norms", no_norms, "Nothing is normalised"),
        ("attention without", attention_unnormed, "give it `attention_norm(x)`"),
        ("network without", network_unnormed, "give it `network_norm(x)`"),
        ("network first", network_first, "Attention comes first"),
        ("half", lambda x, a, n, f, s: x + a(f(x)), "Only half"),
        ("something else", twice, "Two lines"),
        ("one vector", lambda x, *_: x[0], "should have the shape"),
    ],
    "block-parameters": [
        ("matrices", lambda d: 12 * d * d, "The matrices are right"),
        ("no norms", lambda d: 12 * d * d + 9 * d, "4 · width are missing"),
        ("one norm", lambda d: 12 * d * d + 11 * d, "a block has two norms"),
        ("no output", lambda d: 11 * d * d + 12 * d, "four maps: queries"),
        ("narrow network", lambda d: 6 * d * d + 10 * d, "four times as wide"),
        ("one map", lambda d: 8 * d * d + 12 * d, "up to 4 · width, and"),
        ("short bias", lambda d: 12 * d * d + 10 * d, "first of the network's"),
        ("long bias", lambda d: 12 * d * d + 16 * d, "the last is width"),
        ("attention", lambda d: 4 * d * d + 4 * d, "attention alone"),
        ("network", lambda d: 8 * d * d + 5 * d, "network alone"),
        ("one width", lambda d: 12 * 64 * 64 + 13 * 64, "8 wide has 872"),
        ("a string", lambda d: "many", "this is a str"),
        ("a list", lambda d: [d, d], "should have the shape ()"),
    ],
    "top-p-filter": [
        ("nothing left out", lambda probabilities, p: probabilities, "left out"),
        (
            "not divided",
            lambda probabilities, p: nucleus(probabilities, p, divide=False),
            "sum to 0.87",
        ),
        ("without the crossing one", without_crossing, "belongs to the nucleus"),
        ("neither", neither, "And divide by"),
        ("a threshold", threshold, "Nothing is kept"),
        ("sorted", lambda q, p: np.sort(nucleus(q, p))[::-1], "they are sorted"),
        ("in order", in_order, "order of the vocabulary"),
        ("least likely", least_likely, "*least* likely"),
        ("evenly", evenly, "same probability"),
        ("greedy", greedy, "greedy choice"),
        ("fixed number", three, "a number fixed"),
        ("a word too many", beyond, "a third is not needed"),
        ("a peak", crossing_unless_alone, "For [0.05, 0.02, 0.9, 0.03]"),
        ("numbers of words", lambda probabilities, p: [1, 3], "the shape (5,)"),
        ("half", lambda probabilities, p: probabilities / 2, "it should be"),
    ],
}
