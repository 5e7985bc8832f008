"""Text drawn from a model, word by word."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .encoding import END, MARKS, START

if TYPE_CHECKING:
    from .model import BackoffModel


@dataclass(frozen=True)
class Shape:
    """How to bend a distribution before drawing from it.

    Attributes:
        temperature: p becomes p^(1/temperature), normalised: below 1 likely words
            gain, above 1 they lose.
        top_k: keep only the k likeliest words (Fan et al. 2018).
        top_p: keep only the likeliest words that together reach this probability
            (nucleus sampling, Holtzman et al. 2020).

    Raises:
        ValueError: a temperature of 0 or less, top_k below 1, top_p outside (0, 1].
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.temperature < np.inf:
            raise ValueError(
                f"temperature is {self.temperature}: expected a number above 0; "
                "top_k=1 always takes the likeliest word"
            )
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k is {self.top_k}: expected 1 or more")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}: expected more than 0, at most 1")

    def __call__(self, log_p: np.ndarray) -> np.ndarray:
        """Return the bent distribution of log10 probabilities, float64, sum 1."""
        log_p = (log_p - log_p.max()) / self.temperature
        p = 10**log_p
        if self.top_k is not None and self.top_k < len(p):
            p[np.argsort(-p, kind="stable")[self.top_k :]] = 0
        p /= p.sum()
        if self.top_p is not None:
            likeliest = np.argsort(-p, kind="stable")
            before = np.cumsum(p[likeliest]) - p[likeliest]
            p[likeliest[before >= self.top_p]] = 0
        return p / p.sum()


def sample(
    model: "BackoffModel",
    n: int,
    start: Sequence[str],
    shape: Shape,
    max_tokens: int,
    seed: int | np.random.Generator,
) -> list[list[str]]:
    """Draw sentences, all of them side by side, one word of each at a time.

    An unchanged distribution is drawn from the tables alone (`_Drawer`), hundreds of
    thousands of words a second; a bent one needs every word's probability.

    Args:
        model: a fitted model.
        n: how many sentences.
        start: words that every sentence begins with.
        shape: temperature, top-k, top-p.
        max_tokens: the length at which an unfinished sentence is cut.
        seed: a number or a NumPy generator; the same number gives the same text.

    Returns:
        Each sentence as a list of words with `start` and without marks. A sentence
        may be empty if the model gives ``</s>`` after ``<s>`` any probability.

    Raises:
        ValueError: `n` or `max_tokens` is below 1, `seed` below 0, or `start` is bad.
        UnseenHistory: maximum likelihood has nothing to draw from after `start`.
    """
    if n < 1 or max_tokens < 1:
        raise ValueError(f"n is {n}, max_tokens is {max_tokens}: expected 1 or more")
    if isinstance(seed, int) and seed < 0:
        raise ValueError(f"seed is {seed}: expected 0 or more")
    if not {MARKS[START], MARKS[END]}.isdisjoint(start):
        raise ValueError(
            f"start is {start}: leave out <s>, which comes first anyway, and </s>, "
            "which would end the sentence"
        )
    model.history_ids(start)  # complains about a string
    history = [MARKS[START], *start]
    model.distribution(history)  # complains about histories it cannot follow
    ids = model.history_ids(history)
    rows = [np.repeat(row, n) for row in model.history_rows(ids)]
    rng = np.random.default_rng(seed)
    plain = shape == Shape() and model.normalised
    draw = _Drawer(model, rng) if plain else _shaped(model, shape, rng)
    sentences = [list(start) for _ in range(n)]
    alive = np.arange(n)
    words = np.array(model.words, dtype=object)
    for length in range(len(history), len(history) + max_tokens - len(start)):
        drawn = draw(rows, length)
        going = drawn != END
        alive, drawn = alive[going], drawn[going]
        for sentence, word in zip(alive.tolist(), words[drawn], strict=True):
            sentences[sentence].append(word)
        if not len(alive):
            break
        rows = model.advance([row[going] for row in rows], drawn)
    return sentences


def _shaped(
    model: "BackoffModel", shape: Shape, rng: np.random.Generator
) -> Callable[[Sequence[np.ndarray], int], np.ndarray]:
    """Return a function that draws one word after each history from all its words."""

    def draw(rows: Sequence[np.ndarray], length: int) -> np.ndarray:
        length = min(length, model.order - 1)
        each = zip(*rows, strict=True)
        p = (shape(model.log_distribution(row, length)) for row in each)
        return np.array([rng.choice(len(model.words), p=q) for q in p])

    return draw


class _Drawer:
    """Draws one word after each history without listing the words not seen there.

    The words seen after a history share some probability, and a uniform number below
    that picks one of them from cumulative sums. Above it the word is one of the
    others, in the proportions of the shorter history: draw from that until the word
    is one of the others.
    """

    def __init__(self, model: "BackoffModel", rng: np.random.Generator) -> None:
        self.levels, self.rng = model.levels, rng
        sums = (np.cumsum(10**log_prob) for log_prob in model.log_prob)
        self.cumulative = [np.concatenate([[0.0], each]) for each in sums]

    def __call__(self, rows: Sequence[np.ndarray], length: int) -> np.ndarray:
        return self._draw(rows)

    def _draw(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        level, cumulative = self.levels[len(rows) - 1], self.cumulative[len(rows) - 1]
        history = rows[-1]
        first, after = level.span(history)
        seen = cumulative[after] - cumulative[first]
        seen[seen > 1 - 1e-9] = 1  # rounding leaves nothing to the other words
        number = self.rng.random(len(history))
        row = np.searchsorted(cumulative, cumulative[first] + number, side="right") - 1
        word = level.keys[np.clip(row, first, np.maximum(after - 1, 0))]
        word = word % level.vocabulary_size
        again = np.flatnonzero(number >= seen)
        while len(again):
            word[again] = self._draw([row[again] for row in rows[:-1]])
            again = again[level.find(history[again], word[again]) >= 0]
        return word
