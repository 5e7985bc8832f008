"""Judges of notebook 09, *The Transformer*."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "09_transformer"


def _array(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`value` as numbers of a shape, or a hint that says what was asked for."""
    if callable(getattr(value, "detach", None)):  # a tensor
        value = value.detach().cpu()
    try:
        if isinstance(value, str | bytes | dict):
            raise TypeError
        found = np.asarray(value, dtype=float)
    except (TypeError, ValueError, RuntimeError) as error:
        raise Hint(f"Numbers are asked for, and this is {kind(value)}.") from error
    expect(
        found.shape == shape,
        f"The result should have the shape {shape}, and yours has {found.shape}.",
    )
    return found


# ---------------------------------------------------------------- layer norm


@exercise("layer-norm", title="Layer norm by hand", notebook=NOTEBOOK)
def layer_norm(answer: Any) -> None:
    import torch
    from torch.nn.functional import layer_norm as pytorch

    generator = torch.Generator().manual_seed(3)
    x = 2 * torch.randn(4, 3, 6, generator=generator) + 1  # (batch, time, width)
    x[0, 1] = 0.25 + 0.002 * x[0, 1]  # almost constant: here the small number counts
    gain, bias = torch.rand(2, 6, generator=generator) + 0.5
    value = _array(call(answer, x, gain, bias), tuple(x.shape))

    def matches(other: torch.Tensor, inside: Any = ...) -> bool:
        return np.allclose(value[inside], other.numpy()[inside], rtol=1e-3, atol=1e-3)

    def spread(axes: Any, **how: Any) -> torch.Tensor:
        return (x.var(axes, keepdim=True, correction=0, **how) + 1e-5).sqrt()

    def centred(axes: Any) -> torch.Tensor:
        return x - x.mean(axes, keepdim=True)

    plain, usual = pytorch(x, (6,)), slice(1, None)
    deviation = x.std(-1, keepdim=True, correction=0)
    wrong = {
        "The vectors have mean 0 and variance 1 now; last comes the *gain*, which "
        "multiplies, and the *bias*, which is added.": plain,
        "The `gain` is missing: each entry is multiplied by its own.": plain + bias,
        "The `bias` is missing: each entry has its own added in the end.": plain * gain,
        "`gain` multiplies and `bias` is added; yours are swapped.": plain * bias
        + gain,
        "First the gain, then the bias: yours multiplies the bias as well.": (
            (plain + bias) * gain
        ),
        "You normalise over *time*: each vector stands for itself, over its own "
        "`width` entries. That is the last axis, -1.": (
            centred(1) / spread(1) * gain + bias
        ),
        "You normalise over the *batch* (that would be batch norm): each vector stands "
        "for itself. Use the last axis, -1.": centred(0) / spread(0) * gain + bias,
        "One mean for the whole tensor is too few: each vector has its own. Use the "
        "last axis, and `keepdim=True`.": (
            centred((0, 1, 2)) / spread((0, 1, 2)) * gain + bias
        ),
        "The mean is not taken away. (That is a method too, RMS norm, but not this "
        "one.)": x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * gain + bias,
        "You take the mean away, but never divide by the spread.": (
            centred(-1) * gain + bias
        ),
        "You divide by the *variance*; its square root brings the variance to 1.": (
            centred(-1) / spread(-1) ** 2 * gain + bias
        ),
    }
    for hint, other in wrong.items():
        expect(not matches(other, usual), hint)
    right = pytorch(x, (6,), gain, bias)
    expect(
        not matches(centred(-1) / x.std(-1, keepdim=True) * gain + bias, usual),
        "Your spread divides by width − 1, as `std` does unless told otherwise. Here "
        "the variance is the plain mean of the squares: `correction=0`.",
    )
    expect(
        not matches(centred(-1) / deviation * gain + bias),
        "Right, except where a vector is almost constant: add 0.00001 to the variance, "
        "so that nothing is ever divided by 0.",
    )
    expect(
        not matches(centred(-1) / (deviation + 1e-5) * gain + bias),
        "Almost: the small number belongs *under* the root, with the variance.",
    )
    place = np.unravel_index(np.abs(value - right.numpy()).argmax(), value.shape)
    where = ", ".join(str(int(number)) for number in place)
    expect(
        matches(right),
        f"At [{where}] the result should be {right[place]:.3f}, and yours is "
        f"{value[place]:.3f}.",
    )


# ---------------------------------------------------------------- a block


@exercise("pre-norm-block", title="A block from its parts", notebook=NOTEBOOK)
def pre_norm_block(answer: Any) -> None:
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(4)
    x = torch.randn(5, 6, generator=generator)  # (time, width)
    mix, inner = torch.randn(2, 6, 6, generator=generator)

    def attention(x: Any) -> Any:
        return x.cumsum(0) @ mix + 0.2

    def network(x: Any) -> Any:
        return torch.relu(x @ inner) - 0.1

    def norm_1(x: Any) -> Any:
        return functional.layer_norm(x, (6,)) + 0.5

    def norm_2(x: Any) -> Any:
        return 1.5 * functional.layer_norm(x, (6,))

    parts = (attention, network, norm_1, norm_2)
    value = _array(call(answer, x, *parts), tuple(x.shape))

    def matches(other: Any) -> bool:
        return np.allclose(value, other.numpy(), rtol=1e-3, atol=1e-3)

    first = x + attention(norm_1(x))
    right = first + network(norm_2(first))
    bare = attention(norm_1(x))
    after = norm_1(x + attention(x))
    inside = norm_1(x)
    wrong = {
        "Only half of it: after attention comes the network, on the new x.": first,
        "Nothing is added to what was there: both changes are added to x.": (
            network(norm_2(bare))
        ),
        "The first change is not added to x: `x = x + …`.": (
            bare + network(norm_2(bare))
        ),
        "The second change is not added: the network's answer is returned alone.": (
            network(norm_2(first))
        ),
        "That is *post-norm*, as in 2017: it normalises after adding. Here each part "
        "reads a normalised x, and the sum stays as it is.": (
            norm_2(after + network(after))
        ),
        "Nothing is normalised: each part should read its own norm of x.": (
            x + attention(x) + network(x + attention(x))
        ),
        "Attention reads x as it is: give it `attention_norm(x)`.": (
            x + attention(x) + network(norm_2(x + attention(x)))
        ),
        "The network reads x as it is: give it `network_norm(x)`.": (
            first + network(first)
        ),
        "Both parts read the *same* x side by side. The network should read what "
        "attention has made of it.": first + network(norm_2(x)),
        "The network's answer is added to the *old* x, and attention's is lost.": (
            x + network(norm_2(first))
        ),
        "The change is added to the *normalised* x. The path from bottom to top stays "
        "free of norms: add to x itself.": (
            inside + attention(inside)
            + network(norm_2(inside + attention(inside)))
        ),
        "So is the change of the network: add it to x, not to its norm.": (
            norm_2(first) + network(norm_2(first))
        ),
        "The norms are swapped: `attention_norm` belongs to attention.": (
            x + attention(norm_2(x)) + network(norm_1(x + attention(norm_2(x))))
        ),
        "`attention_norm` is used twice: the network has a norm of its own.": (
            first + network(norm_1(first))
        ),
        "Attention comes first, then the network.": (
            x + network(norm_2(x)) + attention(norm_1(x + network(norm_2(x))))
        ),
    }  # fmt: skip
    for hint, other in wrong.items():
        expect(not matches(other), hint)
    expect(
        matches(right),
        "The shape is right and the numbers are not. Two lines: x plus attention of "
        "its norm; then that plus the network of its norm.",
    )


# ---------------------------------------------------------------- parameters


@exercise("block-parameters", title="The parameters of a block", notebook=NOTEBOOK)
def block_parameters(answer: Any) -> None:
    widths = (8, 64, 100)
    values = [float(_array(call(answer, width), ())) for width in widths]

    def matches(count: Callable[[int], float]) -> bool:
        return all(
            math.isclose(value, count(width), rel_tol=1e-9)
            for value, width in zip(values, widths, strict=True)
        )

    wrong = {
        "The matrices are right. Each of the six linear maps has a bias, too, and each "
        "norm a gain and a bias.": lambda d: 12 * d * d,
        "4 · width are missing. Two norms have a gain and a bias each, and the four "
        "maps of attention a bias each: which of them did you leave out?": (
            lambda d: 12 * d * d + 9 * d
        ),
        "A norm has a gain *and* a bias, and a block has two norms.": (
            lambda d: 12 * d * d + 11 * d
        ),
        "Attention has four maps: queries, keys, values, and the output that joins the "
        "heads.": lambda d: 11 * d * d + 12 * d,
        "The network is four times as wide inside: width → 4 · width → width.": (
            lambda d: 6 * d * d + 10 * d
        ),
        "The network has two maps: up to 4 · width, and down again.": (
            lambda d: 8 * d * d + 12 * d
        ),
        "A bias is as long as what comes *out* of its map: the first of the network's "
        "is 4 · width.": lambda d: 12 * d * d + 10 * d,
        "A bias is as long as what comes *out* of its map: the last is width, not "
        "4 · width.": lambda d: 12 * d * d + 16 * d,
        "That is attention alone.": lambda d: 4 * d * d + 4 * d,
        "That is the network alone.": lambda d: 8 * d * d + 5 * d,
    }
    for hint, other in wrong.items():
        expect(not matches(other), hint)
    for width, value in zip(widths, values, strict=True):
        right = 12 * width * width + 13 * width
        expect(
            math.isclose(value, right, rel_tol=1e-9),
            f"A block {width} wide has {right:,} parameters, and yours has {value:,.0f}"
            ". Add up attention (four maps), network (two maps) and two norms.",
        )


# ---------------------------------------------------------------- top-p


@exercise("top-p-filter", title="The nucleus", notebook=NOTEBOOK)
def top_p_filter(answer: Any) -> None:
    spread = np.array([0.09, 0.42, 0.04, 0.26, 0.19])
    peaked = np.array([0.05, 0.02, 0.9, 0.03])

    def bent(keep: Callable[[np.ndarray, np.ndarray], Any], renormalise: bool = True):
        """The filter on `spread` with p = 0.7, keeping by rank and sum before it."""
        order = np.argsort(-spread)
        before = np.cumsum(spread[order]) - spread[order]
        kept = np.zeros_like(spread)
        chosen = order[np.asarray(keep(before, spread[order]), dtype=bool)]
        kept[chosen] = spread[chosen]
        return kept / kept.sum() if renormalise and kept.any() else kept

    right = bent(lambda before, p: before < 0.7)
    value = _array(call(answer, spread, 0.7), spread.shape)

    expect(
        np.isfinite(value).all() and value.any(),
        "Nothing is kept. p is not a threshold for one word's probability: add the "
        "likeliest up until they reach it.",
    )

    def matches(other: np.ndarray) -> bool:
        return np.allclose(value, other, rtol=1e-3, atol=1e-6)

    lowest = np.cumsum(np.sort(spread))
    tail = np.where(np.isin(spread, np.sort(spread)[lowest <= 0.7]), spread, 0)
    wrong = {
        "Nothing is left out: p is the share that the likeliest words must reach.": (
            spread
        ),
        "The right words are kept, and their probabilities sum to 0.87: divide by "
        "their sum, so that they are a distribution again.": (
            bent(lambda before, p: before < 0.7, renormalise=False)
        ),
        "The words that you keep sum to 0.68, which is less than p = 0.7: the word "
        "that crosses the line belongs to the nucleus.": (
            bent(lambda before, p: before + p <= 0.7)
        ),
        "They sum to 0.68: the word that crosses the line is missing. And divide by "
        "their sum in the end.": (
            bent(lambda before, p: before + p <= 0.7, renormalise=False)
        ),
        "The right numbers in the wrong places: they are sorted. Word i must keep its "
        "place i.": np.sort(right)[::-1],
        "You keep the *least* likely words; begin with the likeliest.": (
            tail / tail.sum()
        ),
        "You add up in the order of the vocabulary: sort first, the likeliest word in "
        "front.": np.where(np.cumsum(spread) - spread < 0.7, spread, 0)
        / spread[np.cumsum(spread) - spread < 0.7].sum(),
        "That is greedy choice: one word is not enough to reach p = 0.7.": (
            bent(lambda before, p: before == 0)
        ),
        "All words have the same probability now; keep the proportions of those that "
        "stay.": (right > 0) / (right > 0).sum(),
    }
    for hint, other in wrong.items():
        expect(not matches(other), hint)
    expect(
        matches(right),
        f"For {spread.tolist()} and p = 0.7 it should be {right.round(3).tolist()}, "
        f"and yours is {value.round(3).tolist()}.",
    )
    try:
        alone = _array(call(answer, peaked, 0.5), peaked.shape)
    except Hint as hint:
        raise Hint(
            f"Right as long as no word has more than p by itself. For "
            f"{peaked.tolist()} and p = 0.5: {hint}"
        ) from hint
    expect(
        np.allclose(alone, [0, 0, 1, 0]),
        f"For {peaked.tolist()} and p = 0.5 the likeliest word is enough: at least one "
        "word must stay, and it alone.",
    )
    several = np.linspace(1, 40, 40)[::-1] / 820
    kept = int((_array(call(answer, several, 0.9), several.shape) > 0).sum())
    due = int((np.cumsum(several) - several < 0.9).sum())
    expect(
        kept == due,
        f"Right for five words and p = 0.7. With forty words and p = 0.9 there should "
        f"be {due} left, and yours leaves {kept}: is a number fixed?",
    )
    halves = np.array([0.5, 0.25, 0.125, 0.125])
    two = _array(call(answer, halves, 0.75), halves.shape)
    expect(
        np.allclose(two, [2 / 3, 1 / 3, 0, 0], rtol=1e-3),
        f"For {halves.tolist()} and p = 0.75 two words are enough: together they reach "
        "p exactly, and a third is not needed.",
    )
