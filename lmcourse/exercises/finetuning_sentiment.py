"""Judges for the exercises of notebook 14."""

import math
from collections import Counter
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind
from .answers import numbers

NOTEBOOK = "14_finetuning_sentiment"


@exercise("confusion-scores", title="Scores from a confusion matrix", notebook=NOTEBOOK)
def confusion_scores(answer: Any) -> None:
    table = np.array([[50, 10], [20, 40]])
    asked = "A tuple of precision, recall and F1 is"
    found = numbers(call(answer, table), 3, asked)
    precision, recall, f1 = 40 / 50, 40 / 60, 8 / 11

    def near(*values: float) -> bool:
        return np.allclose(found[: len(values)], values, rtol=1e-6)

    expect(
        not near(recall, precision),
        "Precision and recall are swapped: rows are the truth, columns what was said. "
        "Precision divides by what was *said* to be positive.",
    )
    expect(
        not near(50 / 70, 50 / 60) and not near(50 / 60, 50 / 70),
        "These are the scores of class 0: the positive class is 1, in the last row "
        "and the last column.",
    )
    expect(
        not near(90 / 120),
        "That is the accuracy, the share of *all* that is right: precision looks only "
        "at what was said to be positive.",
    )
    expect(
        not near(100 * precision, 100 * recall),
        "These are percentages; shares between 0 and 1 are asked for.",
    )
    expect(
        not near(precision, recall, (precision + recall) / 2),
        "F1 is not the ordinary mean but the harmonic one, 2PR / (P + R), which stays "
        "close to the lower of the two.",
    )
    expect(
        not near(precision, recall, precision * recall / (precision + recall)),
        "A factor of 2 is missing in F1: with P = R it should be the same as both.",
    )
    expect(
        near(precision, recall, f1)
        or not any(near(*np.round((precision, recall, f1), n)) for n in range(1, 6)),
        "These are rounded: return all three as they are.",
    )
    expect(
        near(precision, recall, f1),
        f"For {table.tolist()} it should be ({precision:.3f}, {recall:.3f}, "
        f"{f1:.3f}), and yours is ({', '.join(f'{x:.3f}' for x in found)}).",
    )
    nothing = np.array([[9, 0], [3, 0]])
    try:
        with np.errstate(all="ignore"):
            found = numbers(call(answer, nothing), 3, asked)
    except Hint as hint:
        raise Hint(
            "A model that never says “positive” has nothing to divide by: give 0 "
            "there, as scikit-learn does."
        ) from hint
    expect(
        found == [0, 0, 0],
        "For a model that never says “positive” all three are 0 by convention.",
    )


@exercise("early-stopping", title="When to stop", notebook=NOTEBOOK)
def early_stopping(answer: Any) -> None:
    def ask(errors: list[float], patience: int) -> tuple[float, float]:
        found = call(answer, errors, patience)
        best, last = numbers(found, 2, "A tuple of two positions, best and last, is")
        return best, last

    errors = [0.30, 0.25, 0.27, 0.24, 0.26, 0.28, 0.23]
    found = ask(errors, 2)
    expect(
        found != (6, 6) or ask([*errors[:-1], 0.29, 0.31], 2)[1] == 7,
        "It stops one evaluation too late: position 5 is the second in a row that "
        "brings nothing better, and with a patience of 2 it is the last.",
    )
    expect(
        found != (6, 6) and found != (6, 5),
        "The best of all evaluations is at 6, but the training stops before it gets "
        "there: it cannot know what comes.",
    )
    expect(
        found != (4, 6),
        "Positions start at 0, as everywhere in Python.",
    )
    expect(
        found != (0.24, 0.28),
        "These are errors; their *positions* are asked for.",
    )
    expect(
        found != (3, 4) or ask([0.5, 0.6, 0.7, 0.8, 0.9], 3)[1] == 2,
        "It stopped at 4, after two bad evaluations that were not in a row: a new "
        "best one sets the count back to 0.",
    )
    expect(
        found != (3, 4) and found != (1, 2),
        "It stops too early: with a patience of 2, two evaluations in a row may bring "
        "nothing better, and the second of them is the last.",
    )
    expect(
        found != (3, 6),
        "It stops too late, or never: after positions 4 and 5 the patience of 2 is "
        "used up.",
    )
    expect(
        found != (5, 5),
        "The weights to keep are the best ones, and not the last.",
    )
    expect(found != (5, 3), "The two are swapped: `best`, then `last`.")
    expect(
        found[0] != 0,
        "These are errors, so the best is the *lowest*.",
    )
    expect(
        found == (3, 5),
        f"For errors {errors} and a patience of 2 it should be (3, 5), and yours is "
        f"({found[0]:g}, {found[1]:g}).",
    )
    errors = [0.30, 0.20, 0.25, 0.24, 0.23, 0.10]
    found = ask(errors, 3)
    expect(
        found != (1, 3),
        "It stops after two evaluations that bring nothing better, also with a "
        "patience of 3: is `patience` used?",
    )
    expect(
        found != (5, 5),
        "After 0.30, 0.20, 0.25, the error 0.24 is better than the one before, and "
        "yet no progress: compare with the *best so far*.",
    )
    expect(
        found == (1, 4),
        f"For errors {errors} and a patience of 3 it should be (1, 4), and yours is "
        f"({found[0]:g}, {found[1]:g}).",
    )
    expect(
        ask([0.2, 0.2, 0.2, 0.1], 2) == (0, 2),
        "An equal error is not a better one: [0.2, 0.2, 0.2, …] stops at 2, and the "
        "first is kept.",
    )
    expect(
        ask([0.3, 0.2, 0.1], 2) == (2, 2),
        "If it gets better to the end, the last evaluation is the best one.",
    )


@exercise("stratified-split", title="A stratified split", notebook=NOTEBOOK)
def stratified_split(answer: Any) -> None:
    def ask(labels: list[int], size: int) -> list[int]:
        found = call(answer, labels, size)
        try:
            if isinstance(found, str | bytes | dict):
                raise TypeError
            found = list(found)
        except TypeError as error:
            raise Hint(
                f"A list of positions is asked for, and this is {kind(found)}."
            ) from error
        expect(
            not (
                len(found) == len(labels)
                and all(isinstance(x, bool | np.bool_) for x in found)
            ),
            "That is a mask, one yes or no for each label: give the positions of the "
            "yeses.",
        )
        try:
            places = [int(place) for place in found]
        except (TypeError, ValueError) as error:
            raise Hint("Positions are asked for: each an integer.") from error
        expect(
            not (len(places) == size and set(places) <= set(labels)),
            "These are labels; the *positions* of the texts are asked for.",
        )
        expect(
            len(places) != len(labels) - size or 2 * size == len(labels),
            f"These are the {len(labels) - size} texts that stay for training; the "
            f"{size} held out are asked for.",
        )
        expect(
            len(set(places)) == len(places),
            "A position occurs twice: draw *without* replacement.",
        )
        expect(
            len(places) == size,
            f"{size} texts are to be held out, and these are {len(places)}.",
        )
        expect(
            all(0 <= place < len(labels) for place in places),
            f"Positions go from 0 to {len(labels) - 1}, and one of yours does not.",
        )
        return places

    labels = [0] * 80 + [1] * 20
    chosen = ask(labels, 10)
    ones = sum(labels[place] for place in chosen)
    expect(
        chosen != list(range(10)) and chosen != list(range(90, 100)),
        "That cuts a piece off one end, and this list has all of class 0 first: one "
        "class is missing.",
    )
    expect(
        ones != 5,
        "Half of each class is not the proportion of the data: a fifth of the labels "
        "is 1.",
    )
    expect(
        ones == 2,
        f"Of 100 labels 20 are 1, so of 10 held out 2 should be; here it is {ones}.",
    )
    mixed = [0, 1, 0, 0, 2, 0, 1, 0, 1, 0] * 10
    places = sorted(range(100), key=lambda i: (7 * i * i + 3 * i) % 101)
    mixed = [mixed[i] for i in places]  # no pattern that a fixed step would meet
    drawn = Counter(mixed[place] for place in ask(mixed, 20))
    expect(
        drawn == Counter({0: 12, 1: 6, 2: 2}),
        "With three classes of 60, 30 and 10 texts, 20 held out should have 12, 6 and "
        f"2 of them, and here they are {drawn[0]}, {drawn[1]} and {drawn[2]}.",
    )


@exercise("finetuning-loop", title="The loop", notebook=NOTEBOOK)
def loop(answer: Any) -> None:
    import torch
    from torch import nn
    from torch.nn import functional

    class Watched(nn.Linear):
        """A layer that notes in which mode it read, and that survives `call`."""

        def __init__(self) -> None:
            super().__init__(3, 2)
            self.modes: list[bool] = []
            self.eval()

        def forward(self, read: torch.Tensor) -> torch.Tensor:
            self.modes.append(self.training)
            return super().forward(read)

        def __deepcopy__(self, memo: dict) -> "Watched":
            return self

    class Steps(torch.optim.SGD):
        """An optimizer that counts its steps, and survives `call` with its model."""

        taken = 0

        def step(self, closure: Any = None) -> Any:
            self.taken += 1
            return super().step(closure)

        def __deepcopy__(self, memo: dict) -> "Steps":
            return self

    draws = torch.Generator().manual_seed(1)
    batches = [
        (torch.randn(4, 3, generator=draws), torch.tensor(targets))
        for targets in ([0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1])
    ]

    def new() -> tuple[Watched, Steps]:
        model = Watched()
        with torch.no_grad():
            model.weight.copy_(torch.tensor([[0.1, -0.2, 0.3], [0.2, 0.1, -0.1]]))
            model.bias.zero_()
        return model, Steps(model.parameters(), lr=0.5)

    def expected(clear: bool = True) -> tuple[list[float], torch.Tensor]:
        model, optimizer = new()
        losses = []
        for read, targets in batches:
            loss = functional.cross_entropy(model(read), targets)
            if clear:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses, model.weight.detach()

    model, optimizer = new()
    start = model.weight.detach().clone()
    found = call(answer, model, batches, optimizer)
    weight = model.weight.detach()
    losses, right = expected()
    _, piled = expected(clear=False)
    expect(
        len(model.modes) > 0,
        "The model has read nothing: call `model(tokens)` for each batch.",
    )
    same = torch.equal(weight, start)
    expect(
        not same or optimizer.taken > 0,
        "The weights are the same as before: after `loss.backward()`, which fills in "
        "the gradients, `optimizer.step()` has to use them.",
    )
    expect(
        not same,
        "`step()` had nothing to work with: either `loss.backward()` is missing, or "
        "`zero_grad()` comes between the two.",
    )
    expect(
        not torch.allclose(weight, piled, atol=1e-6),
        "The gradients of earlier batches are still there and are added up: "
        "`optimizer.zero_grad()` once for each batch.",
    )
    expect(
        len(model.modes) == len(batches),
        f"There are {len(batches)} batches, and the model was called "
        f"{len(model.modes)} times: one step for each batch.",
    )
    expect(
        all(model.modes),
        "The model is in evaluation mode, where dropout does nothing: begin with "
        "`model.train()`.",
    )
    expect(
        torch.allclose(weight, right, atol=1e-6),
        "The weights come out differently from `cross_entropy(logits, labels)`, its "
        "mean over the batch, `backward` and `step`.",
    )
    if isinstance(found, torch.Tensor):
        found = found.detach().tolist()
    given = numbers(
        [found] if isinstance(found, float) else found,
        len(batches),
        f"A list of {len(batches)} losses, one for each batch, is",
    )
    expect(
        all(
            math.isclose(x, y, rel_tol=1e-4) for x, y in zip(given, losses, strict=True)
        ),
        f"The losses should be {[round(x, 3) for x in losses]}, and yours are "
        f"{[round(x, 3) for x in given]}.",
    )
