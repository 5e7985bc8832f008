"""Judges of notebook 07, *Recurrent networks*."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "07_recurrent"


def _numbers(value: Any, asked: str) -> np.ndarray:
    """`value` as numbers, or a hint that says what was asked for."""
    if isinstance(value, list | tuple):
        value = [_plain(part) for part in value]
    try:
        if isinstance(value, str | bytes | Mapping):
            raise TypeError
        return np.asarray(_plain(value), dtype=float)
    except (TypeError, ValueError, RuntimeError) as error:
        raise Hint(f"{asked} is asked for, and this is {kind(value)}.") from error


def _plain(value: Any) -> Any:
    """A tensor without its gradient; anything else as it is."""
    tensor = callable(getattr(value, "detach", None))
    return value.detach().cpu().numpy() if tensor else value


def _pair(value: Any, asked: str) -> tuple[np.ndarray, np.ndarray]:
    """Two results, in a tuple, a list or a tensor, as numbers."""
    try:
        if isinstance(value, str | bytes | Mapping):
            raise TypeError
        parts = list(value)
    except TypeError as error:
        raise Hint(
            f"A pair, {asked}, is asked for, and this is {kind(value)}."
        ) from error
    expect(
        len(parts) == 2,
        f"A pair, {asked}, is asked for, and yours has {len(parts)} parts.",
    )
    first, second = (_numbers(part, "A number or a tensor") for part in parts)
    return first, second


def _expect_close(name: str, value: np.ndarray, right: Any) -> None:
    """Raise a hint that shows the entry in which `value` is farthest from `right`."""
    right = np.asarray(right)
    place = int(np.abs(value - right).argmax())
    expect(
        np.allclose(value, right, atol=1e-5),
        f"`{name}[{place}]` should be {right[place]:.5f}, and yours is "
        f"{value[place]:.5f}.",
    )


# ---------------------------------------------------------------- one step


@exercise("rnn-step", title="One step of an RNN", notebook=NOTEBOOK)
def rnn_step(answer: Any) -> None:
    import torch

    generator = torch.Generator().manual_seed(5)
    size = 3  # the same for x and h, so that mistakes give a result and not an error
    x, h, b = torch.randn(3, size, generator=generator, dtype=torch.float64) * 0.7
    W, U = torch.randn(2, size, size, generator=generator, dtype=torch.float64) * 0.6
    value = _numbers(call(answer, x, h, W, U, b), "A tensor")
    expect(
        value.shape == (size,),
        f"The new h should have the shape {(size,)} of the old one, and yours has "
        f"{value.shape}.",
    )
    inside = W @ x + U @ h + b
    wrong = {
        "The sum is right; the last thing a step does is to squeeze it: `tanh`.": (
            inside
        ),
        "The bias `b` is missing.": torch.tanh(W @ x + U @ h),
        "The old state `h` has no part in yours: a network that forgets everything "
        "at every step. Add `U @ h`.": torch.tanh(W @ x + b),
        "Your step does not read `x`: add `W @ x`.": torch.tanh(U @ h + b),
        "`W` reads the input and `U` the old state; yours are swapped.": (
            torch.tanh(U @ x + W @ h + b)
        ),
        "`x @ W` multiplies by the columns of `W`: put the matrix first, `W @ x`, and "
        "`U @ h`.": torch.tanh(x @ W + h @ U + b),
        "You squeeze with a sigmoid, into 0 … 1; the equation has tanh, −1 … 1.": (
            torch.sigmoid(inside)
        ),
        "`tanh` goes around the whole sum: yours adds to the old state, so that h "
        "can grow without end.": h + torch.tanh(W @ x + b),
        "The bias goes inside `tanh`, with everything else.": (
            torch.tanh(W @ x + U @ h) + b
        ),
        "You squeeze the two parts one by one: add them first.": (
            torch.tanh(W @ x) + torch.tanh(U @ h + b)
        ),
    }
    for hint, other in wrong.items():
        expect(not np.allclose(value, other, atol=1e-5), hint)
    _expect_close("h", value, torch.tanh(inside))
    wide = torch.ones(5, dtype=torch.float64)
    matrix = torch.full((size, 5), 0.1, dtype=torch.float64)
    other = _numbers(call(answer, wide, h, matrix, U, b), "A tensor")
    expect(
        np.allclose(other, torch.tanh(matrix @ wide + U @ h + b), atol=1e-5),
        "Right where x and h have the same size. Here x has 5 entries and h has 3.",
    )


# ---------------------------------------------------------------- back through time


def _gradients(
    w: float,
    u: float,
    x: list[float],
    y: list[float],
    h: float,
    *,
    losses: str = "all",
    carry: str = "add",
    slope: bool = True,
    back: str = "u",
    read: str = "before",
) -> tuple[float, float]:
    """The gradient of ½ Σ (h_t − y_t)², or one of its usual distortions."""
    shown = [h]
    for now in x:
        shown.append(math.tanh(w * now + u * shown[-1]))
    total = dw = du = 0.0
    for t in range(len(x), 0, -1):
        error = shown[t] - y[t - 1]
        if losses == "last" and t < len(x):
            error = 0.0
        total = error if carry == "none" else total + error
        inner = total * (1 - shown[t] ** 2 if slope else 1)
        dw += inner * x[t - 1]
        du += inner * shown[t - 1 if read == "before" else t]
        total = inner * {"u": u, "w": w, "1": 1.0}[back]
    return dw, du


@exercise("scalar-bptt", title="Back through time", notebook=NOTEBOOK)
def scalar_bptt(answer: Any) -> None:
    cases = [
        (0.9, 0.7, [1.0, -0.6, 0.4, 0.8], [0.2, 0.5, -0.3, 0.9], 0.4),
        (-0.5, 1.3, [0.3, 0.7], [0.6, -0.2], -0.25),
    ]
    found = [_pair(call(answer, *case), "(dw, du)") for case in cases]
    for pair in found:
        expect(
            all(part.size == 1 for part in pair),
            "Each of the two is one number: w and u are numbers.",
        )
    values = np.array([[part.item() for part in pair] for pair in found])

    def matches(other: Any) -> bool:
        return np.allclose(values, other, rtol=1e-5, atol=1e-6)

    def distorted(**how: Any) -> np.ndarray:
        return np.array([_gradients(*case, **how) for case in cases])

    right = distorted()
    lengths = np.array([[len(case[2])] for case in cases])
    wrong = {
        "They are swapped: first the gradient for w, then the one for u.": (
            right[:, ::-1]
        ),
        "The signs are turned: the gradient points uphill, and h − y is positive where "
        "h is too large.": -right,
        "Twice too large: the loss has a factor ½, so the derivative of a square is "
        "h − y.": 2 * right,
        "Divide by nothing: the loss is a *sum* over the steps, not a mean.": (
            right / lengths
        ),
        "Only the last step's error is in yours. Every step has a loss: on the way "
        "back, *add* h_t − y_t where you pass.": distorted(losses="last"),
        "Each step's error stays in its own step. Pass it on to the step before, "
        "through `slope * u`.": distorted(carry="none"),
        "The slope of tanh, `1 - h * h`, is missing in every step.": (
            distorted(slope=False)
        ),
        "On the way back you forget the factor `u`: h_t depends on h_(t−1) through "
        "u.": distorted(back="1"),
        "On the way back you multiply by `w`. From h_t to h_(t−1) leads `u`; w leads "
        "to x.": distorted(back="w"),
        "u multiplies the state *before* the step: h_(t−1), not h_t.": (
            distorted(read="after")
        ),
    }
    for hint, other in wrong.items():
        expect(not matches(other), hint)
    for case, value, wanted in zip(cases, values, right, strict=True):
        expect(
            np.allclose(value, wanted, rtol=1e-5, atol=1e-6),
            f"For w, u, x, y, h = {', '.join(map(str, case))} it should be "
            f"({wanted[0]:.6f}, {wanted[1]:.6f}), and yours is "
            f"({value[0]:.6f}, {value[1]:.6f}).",
        )


# ---------------------------------------------------------------- an LSTM step


@exercise("lstm-step", title="One step of an LSTM", notebook=NOTEBOOK)
def lstm_step(answer: Any) -> None:
    import torch

    generator = torch.Generator().manual_seed(6)
    gates = 1.5 * torch.randn(4, 5, generator=generator, dtype=torch.float64)
    c = torch.randn(5, generator=generator, dtype=torch.float64)
    write, keep, new, show = gates
    value = _pair(call(answer, write, keep, new, show, c), "(h, c)")
    for name, part in zip("hc", value, strict=True):
        expect(
            part.shape == (5,),
            f"The new {name} should have the shape (5,) of the old c, and yours has "
            f"{part.shape}.",
        )

    content = new.tanh()

    def memory(write: Any = write, keep: Any = keep, new: Any = content) -> Any:
        return keep.sigmoid() * c + write.sigmoid() * new

    def matches(c: Any, h: Any = None) -> bool:
        shown = show.sigmoid() * c.tanh() if h is None else h
        pairs = zip(value, (shown, c), strict=True)
        return all(np.allclose(a, b.numpy(), atol=1e-5) for a, b in pairs)

    right = memory()
    opened = show.sigmoid()
    wrong = {
        "They are swapped: first h, which the cell shows, then c, which it keeps.": (
            opened * right.tanh(),
            right,
        ),
        "`keep` and `write` are swapped: `keep` multiplies the old c, `write` what is "
        "new.": (memory(keep, write), None),
        "`new` is content, not a gate: it may be negative. Squeeze it with tanh.": (
            memory(new=new.sigmoid()),
            None,
        ),
        "`new` goes through tanh before it is written.": (memory(new=new), None),
        "A gate is a share between 0 and 1: `write`, `keep` and `show` go through the "
        "sigmoid first.": (
            keep * c + write * content,
            show * (keep * c + write * content).tanh(),
        ),
        "A gate is a share between 0 and 1; tanh reaches −1. Use the sigmoid for "
        "`write`, `keep` and `show`.": (
            keep.tanh() * c + write.tanh() * content,
            show.tanh() * (keep.tanh() * c + write.tanh() * content).tanh(),
        ),
        "The memory is right. What is shown of it goes through tanh first: "
        "`show * tanh(c)`.": (right, opened * right),
        "The memory is right, but you show the *old* one: compute the new c first.": (
            right,
            opened * c.tanh(),
        ),
        "The memory is right, but all of it is shown: the gate `show` is missing.": (
            right,
            right.tanh(),
        ),
        "The old c is overwritten: what was kept of it has to be *added*.": (
            write.sigmoid() * content,
            None,
        ),
        "You let one gate do both jobs, as a GRU does. Here `keep` and `write` are two "
        "gates, and both can be open.": (
            keep.sigmoid() * c + (1 - keep.sigmoid()) * content,
            None,
        ),
        "The old c is kept whole: the gate `keep` is missing.": (
            c + write.sigmoid() * content,
            None,
        ),
    }
    for hint, (other, shown) in wrong.items():
        expect(not matches(other, shown), hint)
    both = (opened * right.tanh(), right)
    for name, part, wanted in zip("hc", value, both, strict=True):
        _expect_close(name, part, wanted)


# ---------------------------------------------------------------- batches of a text


@exercise("text-batch", title="The next batch of a text", notebook=NOTEBOOK)
def text_batch(answer: Any) -> None:
    import torch

    text = 100 + torch.arange(48)  # every token another, so that each shows its place
    rows, time, last = 3, 4, 3
    length = (len(text) - 1) // rows  # 15: the last batch has 3 columns

    def cut(number: int, start: int = 0, length: int = length) -> np.ndarray:
        places = np.arange(rows)[:, None] * length + np.arange(time) + number * time
        return 100 + start + places[:, : length - number * time]

    asked = "(inputs, targets)"
    got = [_pair(call(answer, text, rows, time, number), asked) for number in (0, 1)]
    (first, first_targets), (second, second_targets) = got

    def reads(inputs: list[np.ndarray]) -> bool:
        return np.array_equal(first, inputs[0]) and np.array_equal(second, inputs[1])

    expect(
        not reads([cut(0).T, cut(1).T]),
        "Your rows stand as columns: turn the table, so that each line is a part of "
        "the text.",
    )
    for pair in got:
        expect(
            pair[0].ndim == 2,
            f"A table with a line for each of the {rows} rows is asked for; your "
            f"inputs have the shape {pair[0].shape}.",
        )
        expect(
            pair[0].shape != (time + 1, rows) and pair[0].shape != (rows, time + 1),
            "Your inputs hold one token too many: the last token of a window is only "
            "predicted.",
        )
        expect(
            pair[0].shape == (rows, time),
            f"Inputs should have the shape {(rows, time)}, and yours have "
            f"{pair[0].shape}.",
        )
        expect(
            pair[1].shape == pair[0].shape,
            f"There is a target for every input: inputs {pair[0].shape}, targets "
            f"{pair[1].shape}.",
        )
    windows = [100 + n * rows * time + np.arange(rows * time) for n in (0, 1)]
    expect(
        not reads([window.reshape(rows, time) for window in windows]),
        "Your rows are neighbours within one batch: line 1 of the next batch does not "
        "go on where line 1 of this one stopped, so the carried state is wrong. Cut "
        "the *whole* text into rows first.",
    )
    expect(
        not np.array_equal(first, second),
        "Batches 0 and 1 are the same: use `number`.",
    )
    expect(
        not reads([cut(0), cut(0, start=1)]),
        "Batch 1 starts one token after batch 0. It should start `time` tokens later, "
        "where batch 0 stopped.",
    )
    turned = [100 + (n * time + np.arange(time)) * rows for n in (0, 1)]
    expect(
        not reads([column + np.arange(rows)[:, None] for column in turned]),
        "Read along a line: the tokens should be neighbours in the text. Yours are "
        f"{rows} apart.",
    )
    expect(
        not reads([cut(n, length=len(text) // rows) for n in (0, 1)]),
        f"Your last row ends with the text's last token, which has no target. "
        f"{len(text)} tokens have {len(text) - 1} targets: each row gets "
        f"({len(text)} − 1) // {rows} of them.",
    )
    number = int(np.array_equal(first, cut(0)))  # of the first batch that is wrong
    inputs, right = got[number][0].astype(int), cut(number)
    expect(
        reads([cut(0), cut(1)]),
        f"For a text of 100, 101, …, {99 + len(text)} and {rows} rows, batch {number} "
        f"begins with {right[0].tolist()} and line 2 with {right[1].tolist()}; yours "
        f"with {inputs[0].tolist()} and {inputs[1].tolist()}.",
    )
    expect(
        not np.array_equal(first_targets, first),
        "The targets are the inputs. A network that predicts what it has just read "
        "needs no memory: shift them by one.",
    )
    expect(
        not np.array_equal(first_targets[:, 1:], first[:, 1:] - 1),
        "Your targets are the tokens *before* the inputs: the future is what counts.",
    )
    expect(
        np.array_equal(first_targets, first + 1)
        and np.array_equal(second_targets, second + 1),
        "The inputs are right. The target of every input is the token after it, at the "
        "end of a line, too.",
    )
    inputs, targets = _pair(call(answer, text, rows, time, last), asked)
    expect(
        np.array_equal(inputs, cut(last)),
        f"Right, except at the end: a row holds {length} tokens, so batch {last} has "
        f"{length - last * time} columns; yours has the shape {inputs.shape}. It must "
        "not run into the next row.",
    )
    expect(
        targets.shape == inputs.shape,
        f"The inputs are right, but in the last batch, number {last}, a row's last "
        "token has no target: take the token that follows it in the text.",
    )
    expect(
        np.array_equal(targets, inputs + 1),
        f"Right, except for the targets of the last batch, number {last}: the target "
        "of every input is the token after it in the text, at the end of a row, too.",
    )
