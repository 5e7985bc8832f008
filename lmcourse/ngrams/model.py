"""One model for all smoothers: n-grams with probabilities, histories with weights.

Whatever its smoothing, an n-gram model is used the same way (Katz 1987; the ARPA file
format): the longest n-gram that was seen answers with its probability, and every
longer history that had to be given up contributes its back-off weight,

    p(w | h) = p*(hw)            if hw is in the table,
    p(w | h) = β(h) · p(w | h′)  if not, where h′ is h without its first word,

and β(h) = 1 for a history that was never seen itself. Interpolated models fit as well:
their table holds the complete, interpolated probability of every seen n-gram.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import sampling
from .counts import Level, matches, word_index
from .encoding import END, START, UNKNOWN, Text

Sentences = Text | Iterable[Sequence[str]]


def log10(p: float | np.ndarray) -> float | np.ndarray:
    """Return log10 p, where the logarithm of 0 is -inf without a warning."""
    with np.errstate(divide="ignore"):
        return np.log10(p)


class UnseenHistory(ValueError):
    """Maximum likelihood has no distribution after a history that was never seen."""


@dataclass(frozen=True)
class Scores:
    """The log-probability of every predicted token, sentence after sentence.

    Attributes:
        logprob: ln p(token | history) of each word and ``</s>``, float64 (tokens,).
        order: the length of the n-gram that answered, int8 (tokens,); lower than the
            model's order where the model had to back off.
        known: whether the token is in the vocabulary, bool (tokens,).
        sentence: the number of each token's sentence, int64 (tokens,).
    """

    logprob: np.ndarray
    order: np.ndarray
    known: np.ndarray
    sentence: np.ndarray

    @property
    def per_sentence(self) -> np.ndarray:
        """ln p of each whole sentence, float64 (sentences,)."""
        return np.bincount(self.sentence, self.logprob)

    @property
    def perplexity(self) -> float:
        """exp(-1/N Σ ln p) over all N tokens; infinite if one has probability 0."""
        return float(np.exp(-self.logprob.mean()))

    @property
    def oov(self) -> int:
        """The number of tokens outside the vocabulary."""
        return int(np.count_nonzero(~self.known))


class BackoffModel:
    """An n-gram model: tables, and everything that can be asked of them.

    The smoothers of `lmcourse.ngrams.smoothing` fill the tables from counts,
    `read_arpa` from a file, and pruning from another model.

    Args:
        words: the vocabulary; a word's place is its number (see `Text`).
        levels: the n-grams of each length, unigrams first, one for every word.
        log_prob: log10 p of each n-gram, one array a level.
        log_backoff: log10 β of each n-gram as a history, one array for each level but
            the last. Logarithms to base 10 are what ARPA files hold.
    """

    words: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    log_prob: tuple[np.ndarray, ...] = ()
    log_backoff: tuple[np.ndarray, ...] = ()
    unseen_history = 1.0  # β of a history that was never seen
    normalised = True  # probabilities sum to 1

    def __init__(
        self,
        words: Sequence[str],
        levels: Sequence[Level],
        log_prob: Sequence[np.ndarray],
        log_backoff: Sequence[np.ndarray],
    ) -> None:
        self.order = len(levels)
        self.words = tuple(words)
        self.levels = tuple(levels)
        self.log_prob = tuple(log_prob)
        self.log_backoff = tuple(log_backoff)

    def __repr__(self) -> str:
        name = f"{type(self).__name__}(order={self.order})"
        sizes = ", ".join(f"{len(level):,}" for level in self.levels)
        return f"{name}; n-grams by length: {sizes or 'not fitted'}"

    def encode(self, sentences: Sentences) -> Text:
        """Return sentences with this model's word numbers.

        Encode a text once to score it with several models of the same counts.

        Raises:
            ValueError: the text is bad, or was encoded with another vocabulary.
        """
        self.check_fitted()
        if not isinstance(sentences, Text):
            return Text.from_sentences(sentences, self.words)
        if sentences.words != self.words:
            raise ValueError("the text was encoded with another model's vocabulary")
        return sentences

    def score(self, sentences: Sentences) -> Scores:
        """Score every word and ``</s>``, and say which order answered.

        Raises:
            ValueError: the text is bad (see `Text.from_sentences`).
        """
        text = self.encode(sentences)
        place = np.flatnonzero(text.position)
        total, order = self.walk(text.ids, text.position)
        return Scores(
            logprob=total[place] * np.log(10),
            order=order[place],
            known=text.ids[place] != UNKNOWN,
            sentence=(np.cumsum(text.ids == START) - 1)[place],
        )

    def walk(
        self, ids: np.ndarray, position: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log10 p and the answering order of every token.

        Args:
            ids: word numbers, (tokens,).
            position: how many tokens of its sentence stand before each, (tokens,).
        """
        total = self.log_prob[0][ids]
        order = np.ones(len(ids), np.int8)
        for level, place, history, row in matches(self.levels, ids, position):
            own = self.log_prob[level.order - 1][row]
            backed_off = total[place] + self._weight(level, history)
            total[place] = np.where(row >= 0, own, backed_off)
            order[place[row >= 0]] = level.order
        return total, order

    def _weight(self, level: Level, history: np.ndarray) -> np.ndarray:
        """Return log10 β of histories, given as rows of the level below `level`."""
        weight = self.log_backoff[level.order - 2][history]
        return np.where(history >= 0, weight, log10(self.unseen_history))

    def logprob(self, sentences: Sentences) -> np.ndarray:
        """Return ln p of each sentence with its ``</s>``, float64 (sentences,)."""
        return self.score(sentences).per_sentence

    def perplexity(self, sentences: Sentences) -> float:
        """Return exp(-1/N Σ ln p), where N counts words and ``</s>``.

        Infinite if some token has probability 0. Perplexities compare only over the
        same vocabulary and the same tokens.
        """
        return self.score(sentences).perplexity

    def distribution(self, history: Sequence[str] = ()) -> np.ndarray:
        """Return p(w | history) for every word number w, float64 (vocabulary,).

        ``words[w]`` is the word; the entry of ``<s>`` is 0, and all sum to 1.

        Args:
            history: the tokens before; ``<s>`` first where they begin a sentence.
                Only the last order - 1 count, and words never seen are allowed.

        Raises:
            ValueError: the history is a string, or ``<s>`` or ``</s>`` stands in it
                elsewhere.
        """
        ids = self.history_ids(history)
        return 10 ** self.log_distribution(self.history_rows(ids), len(ids))

    def history_ids(self, history: Sequence[str]) -> list[int]:
        """Return the numbers of the last order - 1 tokens of a history."""
        self.check_fitted()
        if isinstance(history, str):
            raise ValueError(f"history is the string {history!r}: expected a list")
        ids = [self.index.get(token, UNKNOWN) for token in history]
        if START in ids[1:] or END in ids:
            raise ValueError(f"{history!r}: <s> may only come first, and </s> never")
        return ids[max(len(ids) - self.order + 1, 0) :]

    def history_rows(self, ids: Sequence[int]) -> list[np.ndarray]:
        """Return the row of the last 0, 1, … order - 1 words; -1 means never seen."""
        rows = [np.array(0), *[np.array(-1)] * (self.order - 1)]
        for word in ids:
            rows = self.advance(rows, word)
        return rows

    def advance(self, rows: Sequence[np.ndarray], word: np.ndarray) -> list[np.ndarray]:
        """Return the rows (see `history_rows`) of histories after one more word."""
        longer = zip(self.levels[:-1], rows, strict=False)
        return [rows[0], *(level.find(row, word) for level, row in longer)]

    def log_distribution(self, rows: Sequence[np.ndarray], length: int) -> np.ndarray:
        """Return log10 p of every word after one history of `length` words."""
        total = self.log_prob[0].copy()
        for level, row in zip(self.levels[1:], rows[1 : length + 1], strict=False):
            total += self._weight(level, row)
            seen = slice(*level.span(row))
            words = level.keys[seen] - row * level.vocabulary_size
            total[words] = self.log_prob[level.order - 1][seen]
        return total

    def sample(
        self,
        n: int = 1,
        *,
        start: Sequence[str] = (),
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        max_tokens: int = 200,
        seed: int | np.random.Generator = 0,
    ) -> list[list[str]]:
        """Draw `n` sentences, word by word; see `sampling.sample`."""
        return sampling.sample(
            self, n, start, sampling.Shape(temperature, top_k, top_p), max_tokens, seed
        )

    @cached_property
    def index(self) -> dict[str, int]:
        """Word → number, without the unknown type."""
        return word_index(self.words)

    def check_fitted(self) -> None:
        """Raise ValueError if there are no tables yet."""
        if not self.levels:
            raise ValueError("this model has no counts yet: call fit(sentences) first")
