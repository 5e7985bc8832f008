"""Judges of notebook 12, *BERT, module by module*."""

from collections.abc import Callable, Sequence
from typing import Any

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "12_bert_architecture"


# ------------------------------------------------------------ two texts in one input

CLS, SEP = 101, 102
FIRST, SECOND = [2040, 2626, 2009], [8146, 2106]


def _listed(value: Any, what: str) -> list[int]:
    """A list, tuple, array or tensor as a list of whole numbers."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str | bytes | dict) or not isinstance(value, Sequence):
        raise Hint(f"A list is asked for as the {what}, and this is {kind(value)}.")
    try:
        return [int(number) for number in value]
    except (TypeError, ValueError) as error:
        raise Hint(f"The {what} should be whole numbers: {value!r:.60}") from error


@exercise("bert-pair-input", title="Two texts in one input", notebook=NOTEBOOK)
def pair_input(answer: Any) -> None:
    value = call(answer, FIRST, SECOND, CLS, SEP)
    expect(
        isinstance(value, tuple | list) and len(value) == 2,
        "Two lists are asked for: `return tokens, types`.",
    )
    tokens, types = _listed(value[0], "tokens"), _listed(value[1], "types")
    right = [CLS, *FIRST, SEP, *SECOND, SEP]
    wrong = {
        "There is a second `[CLS]`: the input has one, at its very beginning.": [
            CLS, *FIRST, SEP, CLS, *SECOND, SEP
        ],
        "The first place belongs to `[CLS]`, and it is missing.": right[1:],
        "A `[SEP]` ends the second text as well, and it is missing.": right[:-1],
        "Between the texts stands a `[SEP]`, and it is missing.": [
            CLS, *FIRST, *SECOND, SEP
        ],
        "No `[SEP]` ends the texts: there should be two.": [CLS, *FIRST, *SECOND],
        "There is a `[SEP]` right after `[CLS]`: it ends a text, it does not begin "
        "one.": [CLS, SEP, *FIRST, SEP, *SECOND, SEP],
    }  # fmt: skip
    for hint, other in wrong.items():
        expect(tokens != other, hint)
    expect(
        tokens == right,
        f"For {FIRST} and {SECOND} the tokens should be {right}, and yours are "
        f"{tokens}.",
    )
    expect(
        len(types) == len(tokens),
        f"Every token has a type, the special ones too: there are {len(tokens)} tokens "
        f"and {len(types)} types.",
    )
    before = len(FIRST) + 2
    expected = [0] * before + [1] * (len(tokens) - before)
    expect(
        types != [kind + 1 for kind in expected],
        "The types of BERT are 0 and 1, not 1 and 2.",
    )
    expect(any(types), "The second text has type 1, and all of yours are 0.")
    expect(
        types != [1 - kind for kind in expected],
        "The first text has type 0 and the second type 1: yours are swapped.",
    )
    expect(
        types != [0] * (before - 1) + [1] * (len(tokens) - before + 1),
        "The `[SEP]` between the texts ends the *first* one: it has type 0.",
    )
    expect(
        types != [*expected[:-1], 0],
        "The last `[SEP]` ends the second text: it has type 1.",
    )
    expect(types == expected, f"The types should be {expected}, and yours are {types}.")
    longer = call(answer, [7], [8] * 9, CLS, SEP)
    expect(
        _listed(longer[1], "types") == [0] * 3 + [1] * 10,
        "With a short first text and a long second one the types are wrong: do their "
        "numbers depend on the lengths?",
    )


# ------------------------------------------------------------ one layer


@exercise("bert-layer", title="One layer", notebook=NOTEBOOK)
def layer(answer: Any) -> None:
    import torch

    generator = torch.Generator().manual_seed(2)
    x = torch.randn(4, 6, generator=generator)  # (time, width)
    mix, inner = torch.randn(2, 6, 6, generator=generator)

    def attend(x: Any) -> Any:
        return x.mean(0, keepdim=True) @ mix + 0.3 * x

    def think(x: Any) -> Any:
        return torch.relu(x @ inner)

    def norm_1(x: Any) -> Any:
        return torch.nn.functional.layer_norm(x, (6,)) + 0.5

    def norm_2(x: Any) -> Any:
        return 2 * torch.nn.functional.layer_norm(x, (6,))

    value = call(answer, x, attend, think, norm_1, norm_2)
    expect(
        torch.is_tensor(value),
        f"A tensor is asked for, of the shape of x, and this is {kind(value)}.",
    )
    expect(
        value.shape == x.shape,
        f"The result has the shape of x, {tuple(x.shape)}; yours has "
        f"{tuple(value.shape)}.",
    )
    middle = norm_1(x + attend(x))
    pre = x + attend(norm_1(x))
    wrong = {
        "That is pre-norm, the order of notebook 9: BERT adds first, and normalises "
        "the sum.": pre + think(norm_2(pre)),
        "What attention found is not added to `x`: without it, a token forgets "
        "itself.": norm_2(norm_1(attend(x)) + think(norm_1(attend(x)))),
        "The network's output replaces its input: add it instead.": (
            norm_2(think(middle))
        ),
        "Nothing is added to anything: each half is added to its own input.": (
            norm_2(think(norm_1(attend(x))))
        ),
        "Both halves read the same `x`. The network reads what attention has made of "
        "it.": norm_2(norm_1(x + attend(x)) + think(x)),
        "Here attention and network stand side by side; in BERT they follow one "
        "another.": norm_2(norm_1(x + attend(x) + think(x))),
        "The network's output is added to the *old* `x`: add it to what came out of "
        "the first norm.": norm_2(x + think(middle)),
        "The first norm is missing.": norm_2(x + attend(x) + think(x + attend(x))),
        "The second norm is missing.": middle + think(middle),
        "The norms are swapped: `norm_1` follows attention.": (
            norm_1(norm_2(x + attend(x)) + think(norm_2(x + attend(x))))
        ),
        "You normalise what is added, and not the sum.": (
            x + norm_1(attend(x)) + norm_2(think(x + norm_1(attend(x))))
        ),
        "That is attention's half alone. The network follows.": middle,
    }
    for hint, other in wrong.items():
        expect(not torch.allclose(value.float(), other, atol=1e-4), hint)
    right = norm_2(middle + think(middle))
    expect(
        torch.allclose(value.float(), right, atol=1e-4),
        "Two steps of the same kind: what comes in, plus what attention (then the "
        "network) makes of it, normalised.",
    )


# ------------------------------------------------------------ how many parameters


def _count(
    vocabulary: int,
    width: int,
    layers: int,
    inner: int,
    *,
    positions: int = 512,
    types: int = 2,
    attention: int = 4,
    biases: bool = True,
    norms: bool = True,
    first_norm: bool = True,
    pooler: bool = True,
) -> int:
    """The number of parameters, with some of them forgotten."""
    embeddings = (vocabulary + positions + types) * width
    embeddings += 2 * width if norms and first_norm else 0
    of_attention = attention * (width * width + biases * width)
    network = 2 * width * inner + biases * (inner + width)
    layer = of_attention + network + (4 * width if norms else 0)
    last = width * width + biases * width if pooler else 0
    return embeddings + layers * layer + last


@exercise("bert-parameters", title="Count them all", notebook=NOTEBOOK)
def parameters(answer: Any) -> None:
    mini, base = (30_522, 384, 6, 1536), (28_996, 768, 12, 3072)
    values = [call(answer, *shape) for shape in (mini, base)]
    for value in values:
        expect(
            isinstance(value, int | float) and not isinstance(value, bool),
            f"A number is asked for, and this is {kind(value)}.",
        )

    def matches(count: Callable[..., float]) -> bool:
        return all(
            round(value) == round(count(*shape))
            for value, shape in zip(values, (mini, base), strict=True)
        )

    def without(**forgotten: Any) -> Callable[..., int]:
        return lambda *shape: _count(*shape, **forgotten)

    def with_heads(v: int, d: int, n: int, m: int) -> int:
        return _count(v, d, n, m) + 11 * n * 4 * (d * d + d)

    wrong = {
        "The biases are missing: every linear map adds one number to each entry that "
        "comes out.": without(biases=False),
        "The norms are missing: each has a factor and a shift for every entry.": (
            without(norms=False)
        ),
        "Two vectors of the width are missing: the norm behind the embeddings has a "
        "factor and a shift, and there are two types.": without(first_norm=False),
        "The pooler is missing: one more linear map.": without(pooler=False),
        "Positions and types have tables, too.": without(positions=0, types=0),
        "The table of positions is missing.": without(positions=0),
        "Attention has *four* linear maps: the output is missing.": (
            without(attention=3)
        ),
        "You count every head as wide as the model. The 12 heads *share* the width, so "
        "that their number does not matter.": with_heads,
        "You count one layer, whatever `layers` is.": (
            lambda v, d, n, m: _count(v, d, 1, m)
        ),
        "That leaves out biases and norms, which are a few percent.": (
            without(biases=False, norms=False)
        ),
        "That is in millions: give the exact number.": (
            lambda *shape: _count(*shape) / 1e6
        ),
    }
    for hint, other in wrong.items():
        expect(not matches(other), hint)
    for shape, value in zip((mini, base), values, strict=True):
        right = _count(*shape)
        expect(
            round(value) == right,
            f"For {shape} there are {right:,}, and you count {round(value):,}: "
            f"{abs(round(value) - right):,} too "
            f"{'many' if value > right else 'few'}.",
        )


# ------------------------------------------------------------ the mean of the text


@exercise("bert-mean-pool", title="The mean of the text", notebook=NOTEBOOK)
def mean_pool(answer: Any) -> None:
    import torch

    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn(3, 5, 4, generator=generator)  # (batch, time, width)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]).bool()
    value = call(answer, hidden, mask)
    expect(
        torch.is_tensor(value),
        f"A tensor (batch, width) is asked for, and this is {kind(value)}.",
    )
    text = hidden * mask[..., None]  # (batch, time, width)
    right = text.sum(1) / mask.sum(1, keepdim=True)  # (batch, width)
    expect(
        value.shape == right.shape,
        f"One vector for each sentence is asked for, {tuple(right.shape)}; yours have "
        f"the shape {tuple(value.shape)}.",
    )
    wrong = {
        "That is the mean over *all* places, padding included.": hidden.mean(1),
        "You set padding to 0 and still divide by all places: divide by the number of "
        "tokens that are text.": text.mean(1),
        "That is the sum of the text's vectors: divide it by their number.": (
            text.sum(1)
        ),
        "You add up the padding as well, and divide by the tokens of the text.": (
            hidden.sum(1) / mask.sum(1, keepdim=True)
        ),
        "That is the vector of `[CLS]`. The mean over the text is asked for.": (
            hidden[:, 0]
        ),
        "That is the largest number of each column, max pooling.": (
            hidden.masked_fill(~mask[..., None], -torch.inf).amax(1)
        ),
        "That is the mean of the *padding*: the mask is True where there is text.": (
            torch.nan_to_num((hidden * ~mask[..., None]).sum(1))
            / (~mask).sum(1, keepdim=True).clamp(min=1)
        ),
        "Every sentence is divided by the number of tokens in the whole batch.": (
            text.sum(1) / mask.sum()
        ),
    }
    found = torch.nan_to_num(value.float())
    for hint, other in wrong.items():
        expect(not torch.allclose(found, other, atol=1e-5), hint)
    expect(
        torch.allclose(found, right, atol=1e-5),
        "For a sentence of five tokens, two of them text, the result should be the "
        "mean of those two vectors.",
    )


# ------------------------------------------------------------ the nearest sense


VECTORS = [  # of different lengths, and not all near those of their own sense
    [1.9, 1.4, 0.4, 2.7, 1.6],
    [4.8, 17.2, 7.1, 20.4, 17.9],
    [-0.2, -0.5, 0.0, -0.7, 0.2],
    [-1.3, 1.1, 5.5, 3.5, 8.1],
    [0.3, -0.2, -0.5, -0.5, 1.7],
    [12.3, 4.9, -0.4, 3.4, 3.4],
    [-0.8, -4.1, -1.3, -1.6, 5.6],
    [15.4, -7.5, -30.3, 4.5, -12.0],
]


@exercise("bert-nearest-sense", title="The nearest sense", notebook=NOTEBOOK)
def nearest_sense(answer: Any) -> None:
    import torch

    senses = ["money"] * 4 + ["river"] * 4
    vectors = torch.tensor(VECTORS)  # (8, 5)

    def share(near: Any) -> float:
        """The share that agrees with the one that is nearest by some matrix."""
        chosen = near.argmax(1).tolist()
        pairs = zip(senses, chosen, strict=True)
        return sum(sense == senses[i] for sense, i in pairs) / len(senses)

    unit = torch.nn.functional.normalize(vectors, dim=1)  # (8, 5)
    cosines = unit @ unit.T  # (8, 8)
    others = cosines.clone().fill_diagonal_(-2)
    products = (vectors @ vectors.T).fill_diagonal_(-torch.inf)
    distances = -torch.cdist(vectors, vectors).fill_diagonal_(torch.inf)
    right = share(others)
    value = call(answer, vectors, senses)
    try:
        value = float(value)
    except (TypeError, ValueError) as error:
        raise Hint(f"One number is asked for, and this is {kind(value)}.") from error
    wrong = {
        "Every vector is nearest to itself: leave it out, or all are right.": (
            share(cosines)
        ),
        "That is the number of hits: divide it by the number of vectors.": 8 * right,
        "That is a percentage; a share lies between 0 and 1.": 100 * right,
        "You take the *largest product*, and long vectors win: divide each vector by "
        "its length first.": share(products),
        "That is the smallest distance. The cosine looks at directions alone.": (
            share(distances)
        ),
        "That is the share of *misses*.": 1 - right,
        "You take the vector that is *farthest* away.": share(-cosines),
    }
    for hint, found in wrong.items():
        expect(abs(value - found) > 1e-6, hint)
    expect(
        abs(value - right) < 1e-6,
        f"For eight vectors of ours the share should be {right:.3f}, and yours is "
        f"{value:.3f}.",
    )
