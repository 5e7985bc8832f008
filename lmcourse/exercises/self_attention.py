"""Judges of notebook 08, *Self-attention*."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import Hint, call, exercise, expect, kind

if TYPE_CHECKING:
    from torch import Tensor

NOTEBOOK = "08_self_attention"


def _tensor(value: Any, asked: str) -> "Tensor":
    """`value` as a float64 tensor, or a hint that says what was asked for."""
    import numpy as np
    import torch

    try:
        if isinstance(value, str | bytes | Mapping | set):
            raise TypeError
        if isinstance(value, torch.Tensor):
            return value.detach().cpu().double()
        if isinstance(value, list | tuple):
            value = [np.asarray(part, dtype=float) for part in value]
        return torch.from_numpy(np.array(value, dtype=float))
    except (TypeError, ValueError, RuntimeError) as error:
        raise Hint(f"{asked} is asked for, and this is {kind(value)}.") from error


def _random(*shape: int, seed: int = 0) -> "Tensor":
    """The same numbers at every call, float64; the reader's own seed stays as it is."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _shown(shape: Any) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def _close(value: "Tensor", other: "Tensor") -> bool:
    """Whether both are equal, with room for an answer in float32."""
    return value.shape == other.shape and value.allclose(other, rtol=1e-4, atol=1e-5)


def _first_hint(value: "Tensor", wrong: Mapping[str, Callable[[], "Tensor"]]) -> None:
    """Raise the hint of the first wrong result that `value` equals."""
    for hint, result in wrong.items():
        expect(not _close(value, result()), hint)


@exercise("attention-weights", title="The weights of one query", notebook=NOTEBOOK)
def attention_weights(answer: Any) -> None:
    number, size = 5, 9
    query, keys = _random(size, seed=1), _random(number, size, seed=2)
    value = _tensor(call(answer, query, keys), "A tensor of weights")
    scores = keys @ query  # (number,)
    scaled = scores / math.sqrt(size)  # (number,)
    right = scaled.softmax(-1)  # (number,)
    expect(
        value.shape != (size,),
        f"There are {number} keys, and you return {size} numbers, the size of a key. "
        "Weights are asked for, one for each key: compare with `keys @ query`.",
    )
    expect(
        value.shape == (number,),
        f"One weight for each of {number} keys is asked for, shape ({number},), and "
        f"yours has shape {_shown(value.shape)}.",
    )
    _first_hint(
        value,
        {
            "The scores are not divided by √size: with long queries they grow, and the "
            "softmax picks one key.": lambda: scores.softmax(-1),
            "You divide by the size. The scores have variance `size`, so divide by its "
            "*root*.": lambda: (scores / size).softmax(-1),
            "You divide by the root of the *number* of keys. It is the size of the "
            "query that makes scores large: `query.shape[-1]`.": (
                lambda: (scores / math.sqrt(number)).softmax(-1)
            ),
            "You multiply by √size. Divide, to bring the variance back to 1.": (
                lambda: (scores * math.sqrt(size)).softmax(-1)
            ),
            "These are the scores. The softmax is missing, which makes them positive "
            "with the sum 1.": lambda: scaled,
            "These are the plain scores: divide them by √size, and take the softmax.": (
                lambda: scores
            ),
            "You divide after the softmax, so that the weights do not sum to 1. Divide "
            "the *scores*.": lambda: scores.softmax(-1) / math.sqrt(size),
            "All are positive, but the sum is not 1: divide the exponentials by their "
            "sum.": lambda: scaled.exp(),
            "You divide the scores by their sum. They may be negative: take their "
            "exponentials first (softmax).": lambda: scaled / scaled.sum(),
            "You give everything to the best key. The softmax gives all a little.": (
                lambda: (scores == scores.max()).double()
            ),
            "These are the logarithms of the weights.": lambda: scaled.log_softmax(-1),
            "The smallest score gets the largest weight: a sign is wrong.": (
                lambda: (-scaled).softmax(-1)
            ),
        },
    )
    expect(
        abs(float(value.sum()) - 1) < 1e-4,
        f"Weights sum to 1, and yours sum to {float(value.sum()):.3f}.",
    )
    expect(
        _close(value, right),
        f"For a query of size {size} and {number} keys the weights should be "
        f"{right.numpy().round(3).tolist()}, and yours are "
        f"{value.numpy().round(3).tolist()}.",
    )
    query, keys = _random(4, seed=3), _random(3, 4, seed=4)
    value = _tensor(call(answer, query, keys), "A tensor of weights")
    expect(
        value.shape == (3,) and _close(value, (keys @ query / 2).softmax(-1)),
        f"Right for queries of {size} numbers, and not for those of 4: take the root "
        "of *this* query's size, `query.shape[-1]`.",
    )


@exercise("causal-weights", title="Hide the future", notebook=NOTEBOOK)
def causal_weights(answer: Any) -> None:
    import torch

    time = 5
    scores = _random(time, time, seed=3)
    value = _tensor(call(answer, scores), "A square tensor of weights")
    expect(
        value.shape == (time, time),
        f"Scores of shape ({time}, {time}) become weights of the same shape; yours "
        f"have shape {_shown(value.shape)}.",
    )
    allowed = torch.ones(time, time, dtype=torch.bool).tril()

    def masked(allowed: "Tensor", filler: float = -math.inf) -> "Tensor":
        return scores.masked_fill(~allowed, filler)

    late = scores.softmax(-1) * allowed
    strict = masked(allowed.tril(-1)).softmax(-1)  # (time, time), first row NaN
    expect(
        not (value[0].isnan().any() and _close(value[1:], strict[1:])),
        "The first row is empty: nobody is left to look at, and the softmax gives NaN. "
        "A word may look at itself, so the diagonal stays.",
    )
    expect(
        not value.isnan().any(),
        "Some weights are NaN. Where −∞ is multiplied by 0, or a whole row is −∞, no "
        "number is left: put −∞ where j > i, and only there.",
    )
    _first_hint(
        value,
        {
            "Nothing is hidden: the first word looks at the last.": (
                lambda: scores.softmax(-1)
            ),
            "You set the scores of the future to 0, and e⁰ = 1: it is still seen. Set "
            "them to −∞.": lambda: masked(allowed, 0.0).softmax(-1),
            f"The future is hidden, but row 1 sums to {float(late[0].sum()):.2f}: you "
            "mask after the softmax. Mask the scores before it.": lambda: late,
            "You hide the *past*: each word looks at itself and ahead. Keep the lower "
            "triangle, `tril`.": lambda: masked(allowed.T).softmax(-1),
            "Your *columns* sum to 1. Each row is one word's look around: softmax over "
            "the last axis.": lambda: masked(allowed).softmax(0),
            "These are the masked scores: the softmax is missing.": (
                lambda: masked(allowed)
            ),
            "You hide the diagonal from all but the first word. Each may look at "
            "itself.": lambda: torch.cat([torch.eye(time)[:1], strict[1:]]),
            "These are the logarithms of the weights: return the weights themselves.": (
                lambda: masked(allowed).log_softmax(-1)
            ),
        },
    )
    ahead = float(value[~allowed].abs().max())
    expect(
        ahead < 1e-6,
        f"Somebody looks ahead: above the diagonal there is a weight of {ahead:.2g}.",
    )
    worst = float((value.sum(-1) - 1).abs().max())
    expect(worst < 1e-4, f"Each row sums to 1; one of yours is {worst:.3f} away.")
    right = masked(allowed).softmax(-1)
    expect(
        _close(value, right),
        "Nobody looks ahead and the rows sum to 1, but the weights are not the softmax "
        f"of the scores that are left: row 2 should be "
        f"{right[1].numpy().round(3).tolist()}, and yours is "
        f"{value[1].numpy().round(3).tolist()}. (The scores are divided already.)",
    )
    few = _tensor(call(answer, scores[:3, :3].clone()), "A square tensor of weights")
    expect(
        _close(few, right[:3, :3]),
        f"Right for {time} words, and not for 3: is a number fixed?",
    )


@exercise("split-heads", title="Split the heads", notebook=NOTEBOOK)
def split_heads(answer: Any) -> None:
    import torch

    batch, time, num_heads, size = 2, 6, 3, 4
    x = torch.arange(batch * time * num_heads * size, dtype=torch.float64)
    x = x.view(batch, time, num_heads * size)
    value = _tensor(call(answer, x, num_heads), "A tensor")
    by_word = x.view(batch, time, num_heads, size)  # (batch, time, heads, size)
    right = by_word.transpose(1, 2)  # (batch, heads, time, size)
    expect(
        value.numel() == x.numel(),
        f"{x.numel()} numbers come in, and {value.numel()} go out: cut, and lose none.",
    )
    _first_hint(
        value,
        {
            "Heads and time are the wrong way round: you return (batch, time, heads, "
            "head_size). Transpose the two axes in the middle.": lambda: by_word,
            "The shape is right, and the numbers stand in the wrong places: the first "
            "head got the first words, not the first part of every word. First cut the "
            "last axis, (batch, time, heads, head_size), then transpose.": (
                lambda: x.reshape(right.shape)
            ),
            "Your heads take every third entry of a vector. They should be contiguous: "
            "the first head gets the first entries.": (
                lambda: x.view(batch, time, size, num_heads).permute(0, 3, 1, 2)
            ),
            "You put the heads before the batch: (batch, heads, time, head_size) is "
            "asked for.": lambda: by_word.permute(2, 0, 1, 3),
            "Batch and heads are mixed in one axis. Keep them apart: (batch, heads, "
            "time, head_size).": lambda: right.flatten(0, 1),
            "The last two axes are the wrong way round: (…, time, head_size).": (
                lambda: right.mT
            ),
            "That is `x` as it came.": lambda: x,
        },
    )
    expect(
        value.shape == right.shape,
        f"{_shown(x.shape)} with {num_heads} heads should become "
        f"{_shown(right.shape)}, and yours is {_shown(value.shape)}.",
    )
    expect(
        _close(value, right),
        "The shape is right, and the numbers stand in the wrong places. Number the "
        "entries of `x` with `torch.arange`: `result[0, 1, 0]` should be "
        f"{right[0, 1, 0].tolist()}, and yours is {value[0, 1, 0].tolist()}.",
    )
    more = _tensor(call(answer, x, num_heads + 1), "A tensor")
    expect(
        _close(more, x.view(batch, time, num_heads + 1, -1).transpose(1, 2)),
        f"Right for {num_heads} heads, and not for {num_heads + 1}: is a number fixed?",
    )


def _multi_head(
    x: "Tensor",
    maps: "list[Tensor]",
    num_heads: int,
    mask: bool = True,
    divisor: float | None = None,
    cut: str = "right",
    joined: str = "right",
    output: bool = True,
    axis: int = -1,
    swapped: bool = False,
) -> "Tensor":
    """Causal self-attention of (time, width), or one of its usual distortions."""
    import torch

    time, width = x.shape
    size = width // num_heads

    def split(x: "Tensor") -> "Tensor":
        if cut == "view":
            return x.reshape(num_heads, time, size)
        if cut == "interleaved":
            return x.view(time, size, num_heads).permute(2, 0, 1)
        return x.view(time, num_heads, size).transpose(0, 1)

    query, key, value = (split(x @ matrix) for matrix in maps[:3])
    if swapped:
        query, key = key, query
    scores = query @ key.mT / (divisor or math.sqrt(size))  # (heads, time, time)
    if mask:
        future = torch.ones(time, time, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, -math.inf)
    mixed = scores.softmax(axis) @ value  # (heads, time, size)
    if joined == "view":
        mixed = mixed.reshape(time, width)
    elif joined == "sum":
        mixed = mixed.sum(0).repeat(1, num_heads)
    elif cut == "interleaved":
        mixed = mixed.permute(1, 2, 0).reshape(time, width)
    else:
        mixed = mixed.transpose(0, 1).reshape(time, width)
    return mixed @ maps[3] if output else mixed


@exercise("causal-self-attention", title="Build it all", notebook=NOTEBOOK)
def causal_self_attention(answer: Any) -> None:
    time, width, num_heads = 6, 12, 3
    x = _random(time, width, seed=4)
    maps = [_random(width, width, seed=5 + i) / math.sqrt(width) for i in range(4)]
    value = _tensor(call(answer, x, *maps, num_heads), "A tensor")
    expect(
        value.shape != (num_heads, time, width // num_heads),
        "The heads are still apart: join them to (time, width), and multiply by "
        "`to_output`.",
    )
    expect(
        value.shape == (time, width),
        f"{_shown(x.shape)} comes in and goes out; yours is {_shown(value.shape)}.",
    )

    def like(**wrong: Any) -> Callable[[], "Tensor"]:
        return lambda: _multi_head(x, maps, num_heads, **wrong)

    size = width // num_heads
    _first_hint(
        value,
        {
            "The future is not hidden: the first word sees the last.": like(mask=False),
            "`to_output` is missing: it mixes what the heads found.": (
                like(output=False)
            ),
            "You divide by √width. Each head's queries have `width / num_heads` "
            "entries: divide by the root of that.": like(divisor=math.sqrt(width)),
            "You divide by the size of a head, not by its root.": like(divisor=size),
            "The scores are not divided by √head_size.": like(divisor=1.0),
            "You divide by √time. Long queries make scores large, not many words: "
            "divide by the root of a head's size.": like(divisor=math.sqrt(time)),
            "You divide by √num_heads: divide by the root of a head's size, `width / "
            "num_heads`.": like(divisor=math.sqrt(num_heads)),
            "There is one head only: `num_heads` is not used.": (
                lambda: _multi_head(x, maps, 1)
            ),
            "Your heads are cut and joined wrongly: the first got the first words, not "
            "the first part of every vector. Cut the last axis, then transpose.": (
                like(cut="view", joined="view")
            ),
            "Your heads are joined rightly, and cut wrongly: the first got the first "
            "words, not the first part of every vector.": like(cut="view"),
            "Your heads are cut rightly, and joined wrongly: transpose to (time, "
            "heads, head_size) before you flatten.": like(joined="view"),
            "Your heads take every third entry. They should be contiguous: the first "
            "head gets the first entries.": like(cut="interleaved"),
            "Your *columns* of weights sum to 1. Softmax over the last axis: each row "
            "is one word's look around.": like(axis=-2),
            "Queries and keys are exchanged: row i holds the scores of *query* i.": (
                like(swapped=True)
            ),
            "The heads are added. Join them side by side.": like(joined="sum"),
            "The matrices multiply from the right, `x @ to_query`, as they are: you "
            "have transposed them.": (
                lambda: _multi_head(x, [matrix.T for matrix in maps], num_heads)
            ),
        },
    )
    right = _multi_head(x, maps, num_heads)
    expect(
        value.isfinite().all(),
        "Some entries are not numbers: is a whole row of scores −∞?",
    )
    shorter = _tensor(call(answer, x[:3], *maps, num_heads), "A tensor")
    expect(
        _close(shorter, value[:3]) or _close(value, right),
        "When the last words are cut off, the first results change: somebody looks "
        "ahead.",
    )
    expect(
        _close(value, right) or not _close(value[:1], right[:1]),
        "The first word, which can look at itself alone, is right, and a later one is "
        "not: the *weights* are wrong. They are the softmax of `query @ key.mT / "
        "√head_size`, with −∞ for the future.",
    )
    expect(
        _close(value, right),
        "No word looks ahead, and the shape is right, but the numbers are not. The "
        "first word can look at itself alone, so the first row should be `x[0] @ "
        "to_value @ to_output`: compare it with yours.",
    )
