"""Judges of notebook 12, *BERT, module by module*."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "12_bert_architecture"


def _plain(value: Any) -> Any:
    """A tensor or an array as nested lists; anything else as it is."""
    return value.tolist() if callable(getattr(value, "tolist", None)) else value


def _number(value: Any) -> float:
    """`value` as a finite number, or a hint."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError) as error:
        raise Hint(f"One number is asked for, and this is {kind(value)}.") from error
    expect(math.isfinite(number), f"Your result is {number}, which is not a number.")
    return number


def _tensor(value: Any, asked: str) -> Any:
    """A tensor, an array or a list of them as one tensor of floats, or a hint."""
    import torch

    if isinstance(value, list | tuple):
        value = [_plain(row) for row in value]
    try:
        return torch.as_tensor(value).float()
    except (TypeError, ValueError, RuntimeError) as error:
        raise Hint(f"{asked} is asked for, and this is {kind(value)}.") from error


# ------------------------------------------------------------ two texts in one input

CLS, SEP = 101, 102
FIRST, SECOND = [2040, 2626, 2009], [8146, 2106]


def _listed(value: Any, what: str) -> list[int]:
    """A list, tuple, array or tensor as a list of whole numbers."""
    value = _plain(value)
    if isinstance(value, str | bytes | dict) or not isinstance(value, Sequence):
        raise Hint(f"A list is asked for as the {what}, and this is {kind(value)}.")
    try:
        return [int(number) for number in value]
    except (TypeError, ValueError) as error:
        raise Hint(f"The {what} should be whole numbers: {value!r:.60}") from error


@exercise("bert-pair-input", title="Two texts in one input", notebook=NOTEBOOK)
def pair_input(answer: Any) -> None:
    def given(*texts_and_marks: Any) -> tuple[list[int], list[int]]:
        value = _plain(call(answer, *texts_and_marks))
        expect(
            isinstance(value, tuple | list) and len(value) == 2,
            "Two lists are asked for: `return tokens, types`.",
        )
        return _listed(value[0], "tokens"), _listed(value[1], "types")

    tokens, types = given(FIRST, SECOND, CLS, SEP)
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
    longer, types = given([7], [8] * 9, 2, 3)
    expect(
        {2, 3} <= set(longer),
        f"With 2 for `[CLS]` and 3 for `[SEP]` your tokens are {longer}: take the "
        "numbers from `cls` and `sep`, since other models have others.",
    )
    expect(
        longer == [2, 7, 3, *[8] * 9, 3],
        f"For [7] and {[8] * 9}, with 2 for `[CLS]` and 3 for `[SEP]`, your tokens are "
        f"{longer}: texts may have any length.",
    )
    expect(
        types == [0] * 3 + [1] * 10,
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
    factor = torch.linspace(0.5, 2, 6)  # so that a norm of a norm is something else

    def attend(x: Any) -> Any:
        return x.mean(0, keepdim=True) @ mix + 0.3 * x

    def think(x: Any) -> Any:
        return torch.relu(x @ inner)

    def norm_1(x: Any) -> Any:
        return factor * torch.nn.functional.layer_norm(x, (6,)) + 0.5

    def norm_2(x: Any) -> Any:
        return torch.nn.functional.layer_norm(x, (6,)) / factor

    value = call(answer, x, attend, think, norm_1, norm_2)
    value = _tensor(value, "A tensor of the shape of x")
    expect(
        value.shape == x.shape,
        f"The result has the shape of x, {tuple(x.shape)}; yours has "
        f"{tuple(value.shape)}.",
    )
    middle = norm_1(x + attend(x))
    right = norm_2(middle + think(middle))
    pre = x + attend(norm_1(x))
    twice = norm_1(middle)
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
        "You normalise the result once more: each half has one norm.": norm_2(right),
        "You normalise twice before the network: each half has one norm.": (
            norm_2(twice + think(twice))
        ),
    }
    for hint, other in wrong.items():
        expect(not torch.allclose(value, other, atol=1e-4), hint)
    expect(
        torch.allclose(value, right, atol=1e-4),
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
    shapes = [  # the last one's inner width is not four times the width
        (30_522, 384, 6, 1536),
        (28_996, 768, 12, 3072),
        (1000, 96, 2, 100),
    ]
    values = [_number(call(answer, *shape)) for shape in shapes]

    def matches(count: Callable[..., float]) -> bool:
        return all(
            round(value) == round(count(*shape))
            for value, shape in zip(values, shapes, strict=True)
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
        "You take `inner` to be four times the width, as in BERT. It is given.": (
            lambda v, d, n, m: _count(v, d, n, 4 * d)
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
    for shape, value in zip(shapes, values, strict=True):
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
    value = _tensor(call(answer, hidden, mask), "A tensor (batch, width)")
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
    found = torch.nan_to_num(value)
    for hint, other in wrong.items():
        expect(not torch.allclose(found, other, atol=1e-5), hint)
    expect(
        torch.allclose(found, right, atol=1e-5),
        "For a sentence of five tokens, two of them text, the result should be the "
        "mean of those two vectors.",
    )


# ------------------------------------------------------------ the nearest sense


def _sentences(seed: int) -> tuple[Any, list[str]]:
    """Ten vectors of different lengths, not all near those of their own sense."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    which = torch.randint(3, (10,), generator=generator)
    centres = torch.randn(3, 5, generator=generator)
    noise = 0.8 * torch.randn(10, 5, generator=generator)
    lengths = torch.exp(torch.randn(10, 1, generator=generator))
    senses = [("season", "water", "metal")[i] for i in which.tolist()]
    return lengths * (centres[which] + noise), senses  # (10, 5)


@exercise("bert-nearest-sense", title="The nearest sense", notebook=NOTEBOOK)
def nearest_sense(answer: Any) -> None:
    import torch

    sets = [_sentences(seed) for seed in range(6)]
    values = [_number(call(answer, *given)) for given in sets]

    def shares(near: Callable[[Any, Any], Any]) -> list[float]:
        """The shares that agree with the one that is nearest by some matrix.

        `near` gets the vectors and their cosines, both with one row a sentence.
        """
        found = []
        for vectors, senses in sets:
            unit = torch.nn.functional.normalize(vectors, dim=1)  # (10, 5)
            chosen = near(vectors, unit @ unit.T).argmax(1).tolist()
            pairs = zip(senses, chosen, strict=True)
            found.append(sum(sense == senses[i] for sense, i in pairs) / len(senses))
        return found

    def but_itself(near: Any) -> Any:
        return near.fill_diagonal_(-torch.inf)

    right = shares(lambda _, cosines: but_itself(cosines))
    wrong = {
        "Every vector is nearest to itself: leave it out, or all are right.": (
            shares(lambda _, cosines: cosines)
        ),
        "That is the number of hits: divide it by the number of vectors.": [
            10 * share for share in right
        ],
        "That is a percentage; a share lies between 0 and 1.": [
            100 * share for share in right
        ],
        "You take the *largest product*, and long vectors win: divide each vector by "
        "its length first, the neighbours too.": shares(
            lambda x, _: but_itself(x @ x.T)
        ),
        "That is the smallest distance. The cosine looks at directions alone.": (
            shares(lambda x, _: but_itself(-torch.cdist(x, x)))
        ),
        "You take cosines without their sign: −0.9 is far away, and not near.": (
            shares(lambda _, cosines: but_itself(cosines.abs()))
        ),
        "That is the share of *misses*.": [1 - share for share in right],
        "You take the vector that is *farthest* away.": (
            shares(lambda _, cosines: -cosines)
        ),
    }
    for hint, others in wrong.items():
        expect(not _same(values, others), hint)
    for value, share in zip(values, right, strict=True):
        expect(
            _same([value], [share]),
            f"For ten vectors of ours, of three senses, the share should be "
            f"{share:.1f}, and yours is {value:.3g}.",
        )


def _same(values: list[float], others: list[float]) -> bool:
    pairs = zip(values, others, strict=True)
    return all(abs(one - other) < 1e-6 for one, other in pairs)
