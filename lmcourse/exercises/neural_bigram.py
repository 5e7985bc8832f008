"""Judges of notebook 06, *A neural bigram*."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "06_neural_bigram"


def _tensor(values: Any) -> Any:
    """`values` as the float64 tensor that an answer receives."""
    import torch

    return torch.tensor(np.asarray(values, dtype=float))


def _array(value: Any, shape: tuple[int, ...], asked: str) -> np.ndarray:
    """What an answer returned (tensor, array or lists) as an array of `shape`."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        if isinstance(value, str | bytes | dict):
            raise TypeError
        found = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise Hint(f"{asked} is asked for, and this is {kind(value)}.") from error
    squeezed = tuple(size for size in found.shape if size != 1)
    expect(
        squeezed == tuple(size for size in shape if size != 1),
        f"{asked} is asked for; yours has the shape {found.shape}.",
    )
    return found.reshape(shape)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _one_hot(places: Any, size: int) -> np.ndarray:
    return np.eye(size)[places]


def _shown(values: np.ndarray) -> str:
    return str(np.round(values, 4).tolist())


@exercise("softmax-gradient", title="The gradient p − y", notebook=NOTEBOOK)
def softmax_gradient(answer: Any) -> None:
    cases = [([1.0, 0.0, -1.0, 0.5], 1), ([0.2, 2.0, 0.3], 2)]
    asked = "One derivative for each logit"
    values, rights = [], []
    for logits, target in cases:
        value = call(answer, _tensor(logits), target)
        expect(
            np.ndim(value.detach() if hasattr(value, "detach") else value),
            "That is one number. Every logit moves the loss, not only that of the "
            "target: return one derivative for each.",
        )
        values.append(_array(value, (len(logits),), asked))
        p = _softmax(np.array(logits))
        rights.append((np.array(logits), p, _one_hot(target, len(logits)), target))

    def matches(other: Any) -> bool:
        return all(
            np.allclose(value, other(*case), atol=1e-5)
            for value, case in zip(values, rights, strict=True)
        )

    wrong = {
        "The sign is turned: this is the direction in which the loss *falls*. The "
        "gradient points uphill.": lambda z, p, y, t: y - p,
        "That is what the model predicted. Subtract what happened: 1 for the target, "
        "0 for all others.": lambda z, p, y, t: p,
        "You subtract 1 from every probability; it happened to the target alone.": (
            lambda z, p, y, t: p - 1
        ),
        "You subtract from the logits. The softmax comes first: predicted "
        "*probability* minus what happened.": lambda z, p, y, t: z - y,
        "That is the derivative of the *probability* of the target. The loss is its "
        "negative logarithm.": lambda z, p, y, t: p[t] * (y - p),
        "That is the derivative of minus the probability. With the logarithm, it must "
        "be divided by the probability of the target.": lambda z, p, y, t: (
            p[t] * (p - y)
        ),
        "That is the derivative with respect to the *probabilities*. Go on to the "
        "logits: all of them move the denominator of the softmax.": (
            lambda z, p, y, t: -y / p
        ),
        "You forget the target's own logit: there the derivative is p − 1.": (
            lambda z, p, y, t: p * (1 - y)
        ),
        "Only the target's entry is right. The other logits move the loss as well: "
        "they are part of the softmax's denominator.": lambda z, p, y, t: (p - y) * y,
        "You divide by the number of logits. There is one prediction, so there is "
        "nothing to average.": lambda z, p, y, t: (p - y) / len(z),
        "That is the loss of every possible target, not the gradient.": (
            lambda z, p, y, t: -np.log(p)
        ),
    }
    for hint, other in wrong.items():
        expect(not matches(other), hint)
    for (z, p, y, t), value in zip(rights, values, strict=True):
        expect(
            np.allclose(value, p - y, atol=1e-5),
            f"For the logits {z.tolist()} and target {t} it should be "
            f"{_shown(p - y)}, and yours is {_shown(value)}.",
        )


@exercise("descent-step", title="One step of gradient descent", notebook=NOTEBOOK)
def descent_step(answer: Any) -> None:
    import torch

    table = np.array([[0.5, -0.5, 0.0], [1.0, 0.0, -1.0], [0.0, 0.3, 0.0]])
    before, after = [0, 1, 0, 1, 1, 2], [1, 0, 1, 2, 0, 2]
    rate, size = 1.6, len(before)  # not 1.5: 1.5 / 9 entries is 1 / 6 pairs
    given = _tensor(table), torch.tensor(before), torch.tensor(after), rate
    value = _array(call(answer, *given), table.shape, "The new table, 3 × 3,")

    def each(table: np.ndarray) -> np.ndarray:
        return _softmax(table[before]) - _one_hot(after, 3)  # (pairs, 3)

    gradient, last, followed = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 1))
    for row, part in zip(before, each(table), strict=True):
        gradient[row] += part
        last[row] = part
        followed[row] += 1
    right = table - rate * gradient / size
    one_by_one, small_steps = table.copy(), table.copy()
    for place, row in enumerate(before):
        one_by_one[row] -= rate * each(one_by_one)[place]
        small_steps[row] -= rate * each(small_steps)[place] / size
    again = right.copy()
    for row, part in zip(before, each(right), strict=True):
        again[row] -= rate * part / size
    wrong = {
        "You walk uphill: the loss grows. Subtract the gradient.": 2 * table - right,
        "That is the sum over the pairs. The loss is their *mean*: divide by the "
        "number of pairs.": table - rate * gradient,
        "You divide each row by how often its history occurs. The loss is the mean "
        f"over all {size} pairs, so divide by {size} everywhere.": (
            table - rate * gradient / followed
        ),
        "Some histories come more than once, and only the last of their pairs counted: "
        "`gradient[before] += …` does not add twice to one row. Use `index_add_`, a "
        "loop, or autograd.": table - rate * last / size,
        "You change the table after every pair. One step reads *all* pairs with the "
        "old table.": (one_by_one, small_steps),
        "That is the gradient. Take the step: `table - rate * gradient`.": (
            gradient / size
        ),
        "That is right for a rate of 1: use the argument `rate`.": (
            table - gradient / size
        ),
        "These are two steps, and one is asked for.": again,
        "The table is as it was: nothing was learned.": table,
        "These are probabilities. The table holds logits: return those.": (
            _softmax(right)
        ),
        "You subtract the probabilities, but not what happened: p − y.": (
            right
            - rate
            * np.array([[0, 2, 0], [2, 0, 1], [0, 0, 1]])  # what followed each history
            / size
        ),
    }
    for hint, others in wrong.items():
        for other in others if isinstance(others, tuple) else (others,):
            expect(not np.allclose(value, other, atol=1e-5), hint)
    row = int(np.abs(value - right).max(-1).argmax())
    expect(
        np.allclose(value, right, atol=1e-5),
        f"For the table {table.tolist()}, before {before}, after {after} and the rate "
        f"{rate}, `table[{row}]` should become {_shown(right[row])}, and yours is "
        f"{_shown(value[row])}.",
    )


Window = tuple[tuple[str, ...], str]


def _windows(tokens: list[str], length: int, first: int, last: bool) -> list[Window]:
    """Histories and what follows, with `first` marks before and perhaps one after."""
    text = ["</s>"] * first + tokens + ["</s>"] * last
    return [
        (tuple(text[i - length : i]), text[i])
        for i in range(max(length, first), len(text))
    ]


def _as_windows(value: Any) -> list[Window]:
    """What an answer returned, or a hint that says what it should look like."""
    asked = "A list of pairs `(history, next)` is asked for"
    expect(
        isinstance(value, Iterable) and not isinstance(value, str | bytes | dict),
        f"{asked}, and this is {kind(value)}.",
    )
    found: list[Window] = []
    for item in value:
        shape = isinstance(item, list | tuple) and len(item) == 2
        expect(shape, f"{asked}; one of your items is {item!r:.60}.")
        history, after = item
        expect(
            isinstance(history, list | tuple) and isinstance(after, str),
            f"{asked}, the history a tuple or a list of words and the next a word; one "
            f"of your items is {item!r:.60}.",
        )
        found.append((tuple(history), after))
    return found


@exercise("context-windows", title="Context windows", notebook=NOTEBOOK)
def context_windows(answer: Any) -> None:
    tokens, length = ["he", "saw", "the", "old", "prince"], 3
    value = _as_windows(call(answer, list(tokens), length))
    right = _windows(tokens, length, first=length, last=True)
    expect(value, "It is empty: every word and the end are to be predicted.")
    padded = _windows(tokens, length, first=length, last=False)
    unpadded = _windows(tokens, length, first=0, last=True)
    one_mark = _windows(tokens, length, first=1, last=True)
    short = [
        (history[max(0, length - place - 1) :], after)
        for place, (history, after) in enumerate(right)
    ]
    wrong = {
        "The end is not predicted: the last pair has `</s>` as its next.": padded,
        "The first words are not predicted: fill their histories up with `</s>` on the "
        "left.": (unpadded, _windows(tokens, length, 0, False), one_mark),
        "Your first histories are shorter than the others. A network wants the same "
        "length everywhere: fill up with `</s>` on the left.": (
            short,
            [(tuple(w for w in h if w != "</s>"), a) for h, a in right],
        ),
        "Your histories are turned round: the word just before the next one comes "
        "last.": [(history[::-1], after) for history, after in right],
        "Your histories hold the word to be predicted: a model that sees the answer "
        "learns nothing.": (
            [((*history, after)[1:], after) for history, after in right],
            [((*history, after), after) for history, after in right],
        ),
        "There is a pair too many: nothing comes after the first `</s>`.": (
            [*right, ((*tokens[-2:], "</s>"), "</s>")]
        ),
        "Your model predicts the first `</s>`; that one is given, never predicted.": (
            [(("</s>",) * length, "</s>"), *right]
        ),
        "The pairs are right, and in another order: go through the sentence from left "
        "to right.": right[::-1],
        "Your histories hold one word each: that is a bigram. Take `length` words.": (
            [((h[-1],), after) for h, after in right]
        ),
    }
    for hint, others in wrong.items():
        for other in others if isinstance(others, tuple) else (others,):
            expect(value != other, hint)
    lengths = {len(history) for history, _ in value}
    expect(
        lengths == {length},
        f"Every history should hold {length} words; yours hold {sorted(lengths)}.",
    )
    expect(
        len(value) == len(right),
        f"{len(tokens)} words and the end make {len(right)} pairs, and you have "
        f"{len(value)}.",
    )
    for mine, theirs in zip(value, right, strict=True):
        expect(mine == theirs, f"A pair should be {theirs}, and yours is {mine}.")
    longer = _as_windows(call(answer, ["no"], 2))
    expect(
        longer == _windows(["no"], 2, first=2, last=True),
        f"Right for {tokens} and a length of 3; for ['no'] and 2 it gives {longer}.",
    )


@exercise("bengio-logits", title="Bengio's network", notebook=NOTEBOOK)
def bengio_logits(answer: Any) -> None:
    rng = np.random.default_rng(3)
    size, width, hidden, history = 5, 2, 3, [4, 0, 2]
    E, U, b = (rng.normal(size=s) for s in ((size, width), (size, hidden), size))
    H, d = (rng.normal(size=s) for s in ((hidden, len(history) * width), hidden))
    given = [_tensor(part) for part in (E, H, d, U, b)]
    try:
        value = call(answer, list(history), *given)
    except Hint as hint:
        expect(
            not isinstance(hint.__cause__, RuntimeError),
            f"{hint} The shapes are: x {(len(history) * width,)}, H {H.shape}, d "
            f"{d.shape}, U {U.shape}, b {b.shape}.",
        )
        raise
    value = _array(value, (size,), "One logit for each of the 5 words")

    side_by_side = E[history].reshape(-1)

    def network(
        x: np.ndarray = side_by_side, inner: Any = np.tanh, d: Any = d, b: Any = b
    ) -> np.ndarray:
        return U @ inner(H @ x + d) + b

    right = network()
    centred = right - right.max()
    wrong = {
        "These are probabilities. Logits are asked for: leave the softmax to the "
        "cross-entropy.": _softmax(right),
        "These are log-probabilities. Logits are asked for: leave the softmax to the "
        "cross-entropy.": centred - math.log(np.exp(centred).sum()),
        "The tanh is missing: without it, two layers are no more than one.": (
            network(inner=lambda z: z)
        ),
        "The bias `d` of the hidden layer is missing.": network(d=0),
        "The bias `b` of the output is missing.": network(b=0),
        "Both biases are missing.": network(d=0, b=0),
        "The vectors stand in the wrong order: the first word of the history comes "
        "first in x.": network(E[history[::-1]].reshape(-1)),
        "Your x is built column by column. Put whole word vectors one after the other: "
        "`E[history].flatten()`.": network(E[history].T.reshape(-1)),
        "That is the layer with a ReLU; here it is tanh.": (
            network(inner=lambda z: np.maximum(z, 0))
        ),
        "That is the layer with a sigmoid; here it is tanh.": (
            network(inner=lambda z: 1 / (1 + np.exp(-z)))
        ),
        "The tanh belongs to the hidden layer alone: it must not squeeze the logits.": (
            np.tanh(network(inner=lambda z: z))
        ),
        "The logits go through a second tanh: they must be free to grow.": (
            np.tanh(right)
        ),
        "`d` is added after the tanh; it belongs inside.": (
            U @ (np.tanh(H @ side_by_side) + d) + b
        ),
    }
    for hint, other in wrong.items():
        expect(not np.allclose(value, other, atol=1e-5), hint)
    expect(
        np.allclose(value, right, atol=1e-5),
        f"For an example of five words it should be {_shown(right)}, and yours is "
        f"{_shown(value)}.",
    )
