"""Judges for the exercises of notebook 16."""

import math
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind
from .answers import numbers

NOTEBOOK = "16_finetuning_craft"


def _tensor(value: Any, shape: tuple[int, ...]) -> Any:
    """Return a float64 tensor of that shape, or raise a hint."""
    import torch

    try:
        if isinstance(value, str | bytes | dict):
            raise TypeError
        if isinstance(value, list | tuple) and all(map(torch.is_tensor, value)):
            value = torch.stack(tuple(value))
        found = torch.as_tensor(value).detach().double()
    except (TypeError, ValueError, RuntimeError) as error:
        raise Hint(f"A tensor is asked for, and this is {kind(value)}.") from error
    expect(
        tuple(found.shape) == shape,
        f"The shape should be {shape}, and yours is {tuple(found.shape)}.",
    )
    return found


def _mixed(counts: list[tuple[int, int, int]]) -> tuple[list[int], list[int]]:
    """Return two lists of flags in mixed order, from (new, old, how often)."""
    pairs = [(new, old) for new, old, times in counts for _ in range(times)]
    places = np.random.default_rng(1).permutation(len(pairs))
    return [pairs[i][0] for i in places], [pairs[i][1] for i in places]


@exercise("paired-gain", title="A gain and its interval", notebook=NOTEBOOK)
def paired_gain(answer: Any) -> None:
    asked = "Three numbers (the gain and the two ends) are"
    new, old = _mixed([(1, 1, 1216), (1, 0, 96), (0, 1, 64), (0, 0, 224)])
    n, share = len(new), 0.1  # of texts on which the two disagree
    gain = 100 * (96 - 64) / n
    error = 100 * math.sqrt((share - (gain / 100) ** 2) / n)
    apart = 100 * math.sqrt(sum(np.var(flags) for flags in (new, old)) / n)
    found, low, high = numbers(call(answer, new, old), 3, asked)
    half = (high - low) / 2

    def wide(times: float, of: float = error) -> bool:
        return math.isclose(half, times * of, rel_tol=0.08)

    expect(
        not math.isclose(found, gain / 100, rel_tol=1e-6),
        "These are shares; a *point* is a hundredth: multiply by 100.",
    )
    expect(
        not math.isclose(found, -gain, rel_tol=1e-6),
        "The sign is the wrong way round: a gain is `new` minus `old`.",
    )
    expect(
        not math.isclose(found, 100 * sum(new) / n, rel_tol=1e-6),
        "The first number is the accuracy of `new`; its gain over `old` is asked for.",
    )
    expect(
        math.isclose(found, gain, abs_tol=0.02),
        f"`new` has {sum(new)} of {n} right and `old` {sum(old)}: a gain of {gain:g} "
        f"points, and yours is {found:g}.",
    )
    expect(low <= high, "The ends are swapped: the lower one comes first.")
    expect(
        half > 0.01 or math.isclose(low, gain, abs_tol=0.02),
        f"The second and the third number are both {low:.2f}: not half the width is "
        "asked for but the two *ends*, the gain minus that and the gain plus that.",
    )
    expect(
        half > 0.01,
        "The interval has no width: draw *with* replacement, and as many texts as "
        "there are.",
    )
    expect(
        not wide(1.96, apart),
        "That is the interval for two models on *different* texts: draw the same texts "
        "for both, or resample their differences.",
    )
    expect(
        not wide(1.96, error * math.sqrt(n)),
        "That is how much single *texts* vary; the mean of n of them varies less, by "
        "a factor of √n.",
    )
    expect(
        not wide(1.0),
        "That is one standard error to each side; 95 % of a normal distribution lie "
        "within 1.96 of them.",
    )
    expect(
        not wide(1.645),
        "That is the 90 % interval: 2.5 % belong outside at *each* end.",
    )
    expect(
        wide(1.96) and math.isclose((low + high) / 2, gain, abs_tol=0.3 * error),
        f"The interval should go from about {gain - 1.96 * error:.1f} to "
        f"{gain + 1.96 * error:.1f}, and yours goes from {low:.1f} to {high:.1f}.",
    )


@exercise("global-batch", title="How many steps?", notebook=NOTEBOOK)
def global_batch(answer: Any) -> None:
    def ask(*given: int) -> tuple[float, float]:
        batch, steps = numbers(
            call(answer, *given), 2, "Two integers (batch, steps) are"
        )
        return batch, steps

    batch, steps = ask(1000, 16, 2, 4)
    expect(
        batch != 32,
        "Batches that are accumulated count as well: a step comes after all of them.",
    )
    expect(batch != 64, "Each of the devices reads a batch of its own: multiply.")
    expect(batch != 16, "16 is what *one* device reads at once.")
    expect(batch != 22, "The numbers multiply: each device reads each batch.")
    expect(
        (batch, steps) != (8, 128),
        "The two are swapped: first the texts in a step, then the steps.",
    )
    expect(
        batch == 128,
        f"16 texts on 2 devices, 4 batches a step, make 128, and yours is {batch:g}.",
    )
    expect(
        steps != 7,
        "A part of the texts is never read: the last step may be smaller, but it is "
        "a step.",
    )
    expect(
        steps == int(steps),
        f"{steps:g} steps cannot be taken: round up to a whole number.",
    )
    expect(
        steps not in (16, 32, 63),
        f"{steps:g} counts batches, and not steps: a step reads {batch:g} texts.",
    )
    expect(
        steps == 8, f"1,000 texts in steps of 128 are 8 steps, and yours is {steps:g}."
    )
    expect(
        ask(256, 8, 4, 2) == (64, 4),
        "256 texts are exactly 4 steps of 64: nothing is left over for a fifth.",
    )
    expect(
        ask(230, 4, 4, 4) == (64, 4),
        "230 texts are 3 steps of 64, and 38 are left: they fill fewer than 4 batches, "
        "and are a step all the same. Divide once, by the texts in a step, and round "
        "up.",
    )
    expect(
        ask(260, 8, 4, 2) == (64, 5),
        "260 texts are 4 steps of 64, and the 4 texts that are left are a fifth: round "
        "*up*, however few they are.",
    )


@exercise("lora-forward", title="LoRA", notebook=NOTEBOOK)
def lora_forward(answer: Any) -> None:
    import torch

    draws = torch.Generator().manual_seed(1)
    x, weight, down, up = (
        torch.randn(*shape, generator=draws)
        for shape in ((3, 4), (5, 4), (2, 4), (5, 2))
    )
    alpha, rank = 6.0, 2
    plain = (x @ weight.T).double()
    change = (x @ down.T @ up.T).double()
    returned = call(answer, x, weight, down, up, alpha)
    if getattr(returned, "shape", None) == (5, 3):
        raise Hint(
            "It is the right way up for columns; here a *row* is a text: (3, 5)."
        )
    found = _tensor(returned, (3, 5))

    def near(expected: Any) -> bool:
        return torch.allclose(found, expected, atol=1e-4)

    expect(not near(plain), "That is W x alone: the learned change is missing.")
    expect(
        not near(alpha / rank * change),
        "That is the change alone: the frozen W x belongs to it.",
    )
    expect(
        not near(plain + alpha * change),
        "α is divided by the rank, so that another rank asks for no other α.",
    )
    expect(not near(plain + change), "The factor α / r is missing.")
    expect(
        not near(plain + alpha / 5 * change) and not near(plain + alpha / 4 * change),
        "The rank is the *short* side of A and B: the number of rows of `down`.",
    )
    expect(
        not near(alpha / rank * (plain + change)),
        "α / r belongs to the change alone, and not to W x.",
    )
    factor = float(((found - plain) * change).sum() / (change * change).sum())
    expect(
        near(plain + alpha / rank * change) or not near(plain + factor * change),
        f"B A x is right, and its factor is not: with α = {alpha:g} and r = {rank}, "
        f"α / r is {alpha / rank:g}, and yours is {factor:.3g}.",
    )
    expect(
        near(plain + alpha / rank * change),
        "The result is not W x + α / r · B A x: first A (`down`), then B (`up`).",
    )
    thin = _tensor(call(answer, x, weight, down[:1], up[:, :1], alpha), (3, 5))
    expect(
        torch.allclose(thin, plain + alpha * (x @ down[:1].T @ up[:, :1].T), atol=1e-4),
        f"Right for rank {rank}, and not for rank 1: take the rank from `down`.",
    )


@exercise("smoothed-loss", title="The smoothed loss", notebook=NOTEBOOK)
def smoothed_loss(answer: Any) -> None:
    import torch
    from torch.nn import functional

    rows = [[2.0, 0.5, -1.0], [0.1, 0.2, 1.4], [-0.3, 1.1, 0.4], [0.6, -0.8, 0.3]]
    logits, labels, epsilon = torch.tensor(rows), torch.tensor([0, 2, 0, 2]), 0.3
    log_p = logits.log_softmax(-1).double()
    own = log_p[torch.arange(4), labels]
    returned = call(answer, logits, labels, epsilon)
    if getattr(returned, "shape", None) == (4,):
        raise Hint("These are the losses of the texts: their mean is asked for.")
    found = float(_tensor(returned, ()))

    def near(expected: Any) -> bool:
        return math.isclose(found, float(expected), rel_tol=1e-4)

    right = functional.cross_entropy(logits, labels, label_smoothing=epsilon)
    others = (log_p.sum(-1) - own) / 2
    expect(not near(-right), "A loss is positive: a minus sign is missing.")
    expect(not near(-own.mean()), "That is the plain cross-entropy, without smoothing.")
    expect(
        not near(-((1 - epsilon) * own).mean()),
        "The share ε went nowhere: it is spread over the classes.",
    )
    expect(
        not near(4 * right), "That is the sum; the mean over the texts is asked for."
    )
    expect(
        not near(-((1 - epsilon) * own + epsilon * others).mean()),
        "You spread ε over the *other* classes; here all K classes get ε / K, the "
        "right one too.",
    )
    expect(
        not near(-((1 - epsilon) * own + epsilon * log_p.sum(-1)).mean()),
        "Each class gets ε / K, and not ε: the targets must add up to 1.",
    )
    expect(
        not near(-((1 - epsilon) * own + epsilon / 4 * log_p.sum(-1)).mean()),
        "ε is divided by the number of texts here; each class gets ε / K, and K is the "
        "number of *classes*.",
    )
    expect(
        not near(-(epsilon * own + (1 - epsilon) * log_p.mean(-1)).mean()),
        "1 − ε and ε are swapped: most of the target stays on the label.",
    )
    smooth = (1 - epsilon) * own.exp() + epsilon / 3
    expect(
        not near(-smooth.log().mean()),
        "You smoothed what the model says; the *target* is to be smoothed.",
    )
    expect(near(right), f"It should be {float(right):.4f}, and yours is {found:.4f}.")


@exercise("fgm-step", title="The FGM step", notebook=NOTEBOOK)
def fgm_step(answer: Any) -> None:
    import torch

    gradient = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1))
    gradient[0] *= 0.01
    gradient[2] = 0
    epsilon = 0.5
    returned = call(answer, gradient, epsilon)
    found = _tensor(returned, (3, 4, 5))
    expect(
        not found[2].isnan().any(),
        "A text without a gradient becomes 0 / 0: keep the length above zero.",
    )
    expect(found.isfinite().all(), "Not all of it are finite numbers.")
    wanted = gradient.double()
    length = wanted.flatten(1).norm(dim=1).clamp(min=1e-30)[:, None, None]
    unit = wanted / length

    def near(expected: Any) -> bool:
        return torch.allclose(found, expected.double(), atol=1e-5)

    expect(
        not near(-epsilon * unit),
        "That goes *down* the slope; the worst direction is up, along the gradient.",
    )
    expect(
        not near(epsilon * wanted / wanted.norm()),
        "The length is that of the whole batch: each *text* moves by ε for itself.",
    )
    words = wanted.norm(dim=2, keepdim=True).clamp(min=1e-30)
    expect(
        not near(epsilon * wanted / words),
        "Each *word* moves by ε here; ε is the length of all words of a text together.",
    )
    expect(
        not near(epsilon * wanted.sign()),
        "That is the sign of the gradient, which is longest in all directions; divide "
        "the gradient by its length.",
    )
    expect(not near(epsilon * wanted), "The gradient is not divided by its length.")
    expect(not near(unit), "The length is 1 now: ε is missing.")
    expect(
        not near(epsilon * wanted / length**2),
        "You divide by the *square* of the length: a root is missing.",
    )
    expect(
        near(epsilon * unit),
        f"Each text's change should have length {epsilon} along its gradient; yours "
        f"have {found.flatten(1).norm(dim=1).round(decimals=3).tolist()}.",
    )


def _flags(gain: int, noise: int) -> tuple[np.ndarray, np.ndarray]:
    """Return flags (3, 600) and (2, 600): all new seeds have `gain` texts more.

    Besides, each seed errs on texts of its own, some seeds on more than others.
    """
    random = np.random.default_rng(2)
    old = np.tile((np.arange(600) >= 150).astype(int), (2, 1))
    new = np.tile(old[0], (3, 1))
    new[:, :gain] = 1
    places = iter(random.permutation(np.arange(150, 600)))
    for seed, share in zip([*new, *old], (1, 4, 2, 3, 2), strict=True):
        seed[[next(places) for _ in range(share * noise)]] = 0
    shuffled = random.permutation(600)
    return new[:, shuffled], old[:, shuffled]


@exercise("defended-statement", title="A statement that holds", notebook=NOTEBOOK)
def defended_statement(answer: Any) -> None:
    def ask(new: np.ndarray, old: np.ndarray, tried: int) -> tuple[list[float], str]:
        returned = call(answer, new, old, tried)
        try:
            *values, word = returned
        except (TypeError, ValueError) as error:
            raise Hint(
                "A tuple of gain, low, high and verdict is asked for, and this is "
                f"{kind(returned)}."
            ) from error
        expect(
            isinstance(word, str),
            "The last of the four is a word: “better”, “worse” or “cannot tell”.",
        )
        return numbers(values, 3, "Three numbers and a word are"), word.strip().lower()

    def of_means(new: np.ndarray, old: np.ndarray) -> tuple[float, float]:
        """Return the gain in points and its standard error."""
        difference = 100 * (new.mean(0) - old.mean(0))
        return difference.mean(), difference.std() / math.sqrt(len(difference))

    new, old = _flags(gain=10, noise=6)
    gain, error = of_means(new, old)
    (found, low, high), word = ask(new, old, 10)
    best = 100 * (new.mean(1).max() - old.mean(1).max())
    expect(
        not math.isclose(found, gain / 100, rel_tol=1e-6),
        "These are shares; points are asked for.",
    )
    expect(
        not math.isclose(found, -gain, rel_tol=1e-6),
        "That is `old` minus `new`: the sign is the wrong way round.",
    )
    expect(
        not math.isclose(found, best, rel_tol=1e-6),
        "You took the best seed of each: the *mean* of the seeds is what the next "
        "training may expect.",
    )
    expect(
        not math.isclose(found, 100 * (new[0].mean() - old[0].mean()), rel_tol=1e-6),
        "Only the first seed of each counts here: average over all of them first.",
    )
    expect(
        not math.isclose(found, 100 * (new[:2].mean() - old.mean()), abs_tol=0.02),
        "The seeds are no pairs, and here `new` has one more than `old`: average each "
        "over *all* of its own seeds.",
    )
    expect(
        math.isclose(found, gain, abs_tol=0.06),  # it may be rounded to one digit
        f"The gain of the means is {gain:.2f} points, and yours is {found:.2f}.",
    )
    half = (high - low) / 2 / error
    expect(
        not 1.75 < half < 2.2,
        "That is the 95 % interval of a single comparison: with `tried` = 10, each "
        "needs the level 1 − 0.05 / 10.",
    )
    expect(
        half > 1.75,
        "The interval is too narrow: more seeds are not more texts. Average over the "
        "seeds first, then resample the *texts*.",
    )
    expect(
        half < 3.6,
        "The interval is too wide: both models read the same texts. Average over the "
        "seeds, take the difference text by text, and resample these.",
    )
    expect(
        2.3 < half < 3.4 and abs((low + high) / 2 - gain) < 0.5 * error,
        f"The interval should go from about {gain - 2.81 * error:.1f} to "
        f"{gain + 2.81 * error:.1f}, and yours goes from {low:.1f} to {high:.1f}.",
    )
    expect(
        word in ("better", "worse", "cannot tell"),
        f"{word!r} is none of “better”, “worse” and “cannot tell”.",
    )
    expect(
        word == "cannot tell" or low > 0,  # by a hair, with some seeds of a bootstrap
        f"The interval from {low:.1f} to {high:.1f} contains 0, so the honest verdict "
        "is “cannot tell”.",
    )
    clear = _flags(gain=60, noise=3)
    gain, error = of_means(*clear)
    (_, low, high), word = ask(*clear, 2)
    half = (high - low) / 2 / error
    expect(
        half < 2.46,
        "With `tried` = 2 the interval should be narrower, as the level is then "
        "1 − 0.05 / 2: is `tried` used?",
    )
    expect(
        half > 2.06,
        f"With `tried` = 2 it should go from about {gain - 2.24 * error:.1f} to "
        f"{gain + 2.24 * error:.1f}, and yours goes from {low:.1f} to {high:.1f}: of "
        "the 0.05 / `tried` one half lies outside at *each* end.",
    )
    expect(
        word == "better",
        "With an interval wholly above 0 the verdict is “better”.",
    )
    expect(
        ask(clear[1], clear[0], 10)[1] == "worse",
        "With an interval wholly below 0 the verdict is “worse”.",
    )
