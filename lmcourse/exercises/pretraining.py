"""Judges for the exercises of notebook 13."""

import math
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "13_pretraining"


@exercise("mlm-choose", title="Choose what to hide", notebook=NOTEBOOK)
def choose(answer: Any) -> None:
    tokens = [2, 17, 40, 17, 9, 3, 0, 0]
    specials = {0, 2, 3}
    draws = [0.01, 0.10, 0.50, 0.149, 0.15, 0.02, 0.03, 0.90]

    def ask(*given: Any) -> list[int]:
        value = call(answer, *given)
        try:
            if isinstance(value, str | bytes | dict):
                raise TypeError
            places = [int(place) for place in value]
        except (TypeError, ValueError) as error:
            raise Hint(
                "A list of positions is asked for, each an integer, and this is "
                f"{kind(value)}, or holds something else."
            ) from error
        expect(
            len(places) != len(tokens) or not set(places) <= {0, 1},
            "That is a mask, one yes or no for each token: give the positions of the "
            "yeses.",
        )
        return sorted(places)

    found = ask(tokens, specials, draws)
    expect(
        found != [2, 4],
        "The positions count from 1 here; in Python the first token is at 0.",
    )
    expect(
        found != [17, 17] and not set(found) & {17, 40},
        "These are token numbers. Positions are asked for: the first token is at 0.",
    )
    expect(
        not set(found) & {0, 5, 6},
        "A special token was chosen: `[CLS]`, `[SEP]` and padding are in `specials`.",
    )
    expect(
        2 not in found,
        "A token with a draw of 0.50 was chosen: choose where the draw is *below* "
        "`share`.",
    )
    expect(4 not in found, "A draw of exactly 0.15 is not below the share of 0.15.")
    expect(
        found == [1, 3],
        f"Of {tokens}, the positions 1 and 3 are to be chosen, and not {found}.",
    )
    expect(
        ask(tokens, specials, draws, 0.6) == [1, 2, 3, 4],
        "With a share of 0.6 the positions are others: is `share` used?",
    )


@exercise("mlm-read", title="What is read", notebook=NOTEBOOK)
def what_is_read(answer: Any) -> None:
    def read(fate: float) -> Any:
        token = call(answer, 17, fate, 4, 99)
        return token.tolist() if hasattr(token, "tolist") else token

    names = {4: "`[MASK]`", 17: "the token itself", 99: "the random token"}
    hidden = dict.fromkeys((0.0, 0.05, 0.15, 0.5, 0.79), 4)
    cases = hidden | {0.81: 99, 0.89: 99, 0.91: 17, 0.99: 17}
    found = {fate: read(fate) for fate in cases}
    for fate, token in found.items():
        expect(
            token in list(names),  # a list, since it may not be hashable
            f"For a fate of {fate} this is {token!r}: expected the token, the mask or "
            "the other one.",
        )
    expect(
        set(found.values()) != {4},
        "Everything is hidden. A fifth of the chosen tokens is not: 10 % are replaced, "
        "10 % stay.",
    )
    expect(
        found[0.5] == 4,
        "A fate of 0.5 is within the first 80 %, and these are hidden.",
    )
    expect(
        found[0.05] == 4 or found[0.99] != 4,
        "The interval is shared from the other end: here the *smallest* fates are "
        "hidden, so those below 0.8.",
    )
    expect(
        99 in found.values(),
        "Nothing is ever replaced by the random token: that is one tenth.",
    )
    expect(
        17 in found.values(),
        "No chosen token stays as it is: that is one tenth, too.",
    )
    expect(
        found[0.81] != 17 or found[0.99] != 99,
        "The last two are the other way round here: a fate from 0.8 to 0.9 is "
        "replaced, one above 0.9 stays. (As a rule that would do as well, but the "
        "check compares with this order.)",
    )
    for fate, token in cases.items():
        expect(
            found[fate] == token,
            f"For a fate of {fate} the network reads {names[token]}, and not "
            f"{names[found[fate]]}: the borders are 0.8 and 0.9.",
        )


@exercise("mlm-loss", title="The loss of what is asked", notebook=NOTEBOOK)
def masked_loss(answer: Any) -> None:
    p = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.7, 0.2, 0.1]])
    log_p, targets = np.log(p), np.array([-100, 1, 0, -100])
    right = -(math.log(0.8) + math.log(0.2)) / 2

    def ask(targets: np.ndarray) -> float:
        value = call(answer, log_p, targets)
        try:
            losses = np.asarray(value, dtype=float)
        except (TypeError, ValueError, RuntimeError) as error:
            raise Hint(f"A number is asked for, and this is {kind(value)}.") from error
        expect(
            losses.size == 1,
            f"One number is asked for, the mean loss, and this is {kind(value)} that "
            f"holds {losses.size}.",
        )
        return losses.item()

    found = ask(targets)

    def near(value: float) -> bool:
        return math.isclose(found, value, rel_tol=1e-6)

    expect(
        not near(-right), "The sign: a loss is the *negative* logarithm, so above 0."
    )
    expect(
        not near(2 * right),
        "That is the sum over what is asked: divide it by how many are asked for.",
    )
    expect(
        not near(right / 2),
        "The sum is right, and divided by all four places: divide it by the two that "
        "are asked for.",
    )
    expect(
        not near(-(log_p[0, -100 % 3] + log_p[3, -100 % 3] + 2 * -right) / 4)
        and not near(-np.mean(log_p[np.arange(4), targets % 3])),
        "The places with −100 are counted, too: leave them out.",
    )
    expect(
        not near(-math.log((0.8 + 0.2) / 2)),
        "That is the logarithm of the mean probability: take the logarithms first.",
    )
    expect(
        not near(-np.mean([log_p[1].max(), log_p[2].max()])),
        "That is the loss of the likeliest tokens: take the ones in `targets`.",
    )
    expect(near(right), f"Expected {right:.4f} for two places, and got {found:.4f}.")
    every = ask(np.array([0, 1, 2, 0]))
    expect(
        math.isclose(every, -np.mean(log_p[[0, 1, 2, 3], [0, 1, 2, 0]]), rel_tol=1e-6),
        "It goes wrong when every place is asked for.",
    )


@exercise("nsp-pairs", title="Does it follow?", notebook=NOTEBOOK)
def pairs(answer: Any) -> None:
    lines, coins, others = ["a", "b", "c", "d"], [0, 1, 0], [3, 3, 0]
    right = [("a", "b", 0), ("b", "d", 1), ("c", "d", 0)]

    def ask(coins: list[int], others: list[int]) -> list[tuple[Any, ...]]:
        found = call(answer, lines, coins, others)
        expect(
            isinstance(found, list | tuple),
            f"A list of pairs is asked for, and this is {kind(found)}.",
        )
        for row in found:
            expect(
                isinstance(row, list | tuple) and len(row) == 3,
                f"Each entry is `(first, second, label)`, and here one is {row!r}.",
            )
        return [tuple(row) for row in found]

    found = ask(coins, others)
    expect(
        len(found) == 3,
        f"{len(found)} pairs from four lines: the last line has none that follows it, "
        "so there are three.",
    )
    expect(
        found != [(a, b, 1 - label) for a, b, label in right],
        "The labels are the other way round: 0 means that the second one follows.",
    )
    expect(
        found != [("a", "d", 0), ("b", "c", 1), ("c", "a", 0)],
        "The coins are the other way round: 0 takes the next line.",
    )
    expect(
        found != [(lines[i], lines[i + 1], coins[i]) for i in range(3)],
        "The second is always the next line: where the coin is 1, take "
        "`lines[others[i]]`.",
    )
    expect(
        found != [(a, b, 0) for a, b, _ in right],
        "All labels are 0: the label is the coin.",
    )
    expect(found == right, f"Expected {right}, and got {found}.")
    coins, others = [1, 0, 1], [1, 2, 0]
    right = [("a", "b", 1), ("b", "c", 0), ("c", "a", 1)]
    found = ask(coins, others)
    expect(
        found[:1] != [("a", "b", 0)],
        "By chance the other line is the next one here, and its label is 1 all the "
        "same: the label is the coin, and does not compare the lines.",
    )
    expect(
        found[2:] != [("c", "c", 1)],
        "Each line has a number of its own in `others`, also where the coin is 0: take "
        "`lines[others[i]]`.",
    )
    expect(
        found == right,
        f"For coins {coins} and others {others}, {right} is expected, and yours is "
        f"{found}.",
    )
