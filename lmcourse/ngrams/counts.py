"""N-gram counts as sorted integer arrays.

All distinct k-grams form a *level*: a table with one row for each, sorted. A k-gram is
named by its history's row in the level below and its last word,

    key = row of history · vocabulary size + word,

so that one int64 names an n-gram of any order, a sort groups equal ones, the words
that follow a history lie side by side, and a binary search finds any of them. No
dictionary is built, and nothing is counted twice: the row of a k-gram, found while
counting it, is the history of the (k+1)-grams.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np

from .encoding import END, START, UNKNOWN, Text

MAX_ORDER = 7


@dataclass(frozen=True)
class Level:
    """All k-grams of one length, a row each, sorted by history and word.

    Attributes:
        order: their length k.
        keys: int64 (rows,), sorted.
        histories: the number of rows of the level below; 1 for the empty history.
        vocabulary_size: the number of word numbers, ``<s>`` included.
    """

    order: int
    keys: np.ndarray
    histories: int
    vocabulary_size: int

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def history(self) -> np.ndarray:
        """Each k-gram's history, as a row of the level below, int64 (rows,)."""
        return self.keys // self.vocabulary_size

    @property
    def word(self) -> np.ndarray:
        """Each k-gram's last word, int64 (rows,)."""
        return self.keys % self.vocabulary_size

    def find(self, history: np.ndarray, word: np.ndarray) -> np.ndarray:
        """Return the row of each ``(history, word)``, or -1 where there is none.

        A history of -1, itself not found, is followed by nothing.
        """
        key = make_key(history, word, self.vocabulary_size)
        ordered = np.argsort(key, axis=None)  # keeps the search in the cache
        wanted = key.ravel()[ordered]
        row = np.searchsorted(self.keys, wanted)
        row[self.keys.take(row, mode="clip") != wanted] = -1
        found = np.empty_like(row)
        found[ordered] = row
        return found.reshape(key.shape)

    def span(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first row of each history, and the row after its last."""
        first = make_key(history, 0, self.vocabulary_size)
        after = first + self.vocabulary_size
        return np.searchsorted(self.keys, first), np.searchsorted(self.keys, after)

    def per_history(self, values: np.ndarray) -> np.ndarray:
        """Sum `values` (rows,) over the words that follow each history."""
        return np.bincount(self.history, values, minlength=self.histories)


@dataclass(frozen=True)
class CountedLevel(Level):
    """A level with its counts.

    Attributes:
        count: how often each k-gram occurs, int64 (rows,); 0 for ``<s>``, which is
            never predicted, and for the unknown type.
        suffix: the row, in the level below, of the k-gram without its first word.
        begins: how many k-grams start with ``<s>``; they are the first rows.
    """

    count: np.ndarray
    suffix: np.ndarray
    begins: int

    @cached_property
    def total(self) -> np.ndarray:
        """C(h) = Σ C(hw) over words w, for each history, float64 (histories,)."""
        return self.per_history(self.count)

    @cached_property
    def types(self) -> np.ndarray:
        """N1+(h·): how many distinct words follow each history, float64."""
        return self.per_history(self.count > 0)

    def counts_of_counts(self, up_to: int) -> np.ndarray:
        """n_r: how many k-grams occur exactly r times, for r = 0 … `up_to`."""
        return np.bincount(np.minimum(self.count, up_to + 1), minlength=up_to + 2)[:-1]


@dataclass(frozen=True)
class Counts:
    """How often every n-gram of up to some length occurs in a training text.

    One `Counts` serves any number of models, of its own order or a lower one.

    Attributes:
        words: the vocabulary; a word's place is its number (see `Text`).
        levels: unigrams first. The unigrams have a row for every word number.
    """

    words: tuple[str, ...]
    levels: tuple[CountedLevel, ...]

    @classmethod
    def of(cls, text: Text | Iterable[Sequence[str]], order: int) -> Self:
        """Count the n-grams of length 1 to `order`.

        An n-gram never crosses from one sentence to the next, and ``<s>`` stands only
        in its first place.

        Args:
            text: sentences, each a list of tokens, or an encoded `Text`.
            order: the longest n-gram, 1 to 7.

        Raises:
            ValueError: the order is not 1 to 7 or longer than the longest sentence
                with its two marks, or the text is bad (see `Text.from_sentences`).
        """
        check_order(order)
        if not isinstance(text, Text):
            text = Text.from_sentences(text)
        return cls(text.words, count_levels(text, order)).complete()

    def complete(self) -> Self:
        """Return these counts if there are n-grams of every length.

        Raises:
            ValueError: the order is longer than any sentence with its two marks.
        """
        longest = sum(len(level) > 0 for level in self.levels)
        if longest == self.order:
            return self
        raise ValueError(
            f"order {self.order} is longer than any sentence: the longest has "
            f"{longest} tokens with <s> and </s>; choose an order up to {longest}"
        )

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self.levels)

    def __len__(self) -> int:
        """The number of tokens counted: words and ``</s>``."""
        return int(self.levels[0].count.sum())

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(level):,}" for level in self.levels)
        return f"Counts of {len(self):,} tokens; n-grams by length: {sizes}"

    def count(self, ngram: Sequence[str]) -> int:
        """How often an n-gram occurs; ``<s>`` may be its first token.

        Raises:
            ValueError: the n-gram is empty or longer than `order`.
        """
        level, row = self._row(ngram)
        return int(level.count[row]) if row >= 0 else 0

    def left_neighbours(self, ngram: Sequence[str]) -> int:
        """N1+(·ngram): how many distinct tokens come before it, ``<s>`` for one.

        Raises:
            ValueError: the n-gram is empty or not shorter than `order`.
        """
        if len(ngram) >= self.order:
            raise ValueError(
                f"{len(ngram)} words and a neighbour make {len(ngram) + 1}, and these "
                f"counts reach {self.order}: count with a higher order"
            )
        _, row = self._row(ngram)
        return int((self.levels[len(ngram)].suffix == row).sum()) if row >= 0 else 0

    def _row(self, ngram: Sequence[str]) -> tuple[CountedLevel, int]:
        if not 0 < len(ngram) <= self.order or isinstance(ngram, str):
            raise ValueError(f"{ngram!r}: expected a list of 1 to {self.order} words")
        row = 0
        for word, level in zip(ngram, self.levels, strict=False):
            row = int(level.find(row, self.index.get(word, UNKNOWN)))
        return level, row

    @cached_property
    def index(self) -> dict[str, int]:
        """Word → number, without the unknown type."""
        return word_index(self.words)

    def adjusted(self, order: int) -> CountedLevel:
        """Return a level with the counts of Kneser and Ney (1995) instead of its own.

        An n-gram counts once for each distinct left neighbour. One that starts with
        ``<s>`` has none and keeps its count.

        Raises:
            ValueError: `order` is not below the order of these counts.
        """
        if not 1 <= order < self.order:
            raise ValueError(f"order {order}: expected 1 to {self.order - 1}")
        level, above = self.levels[order - 1], self.levels[order]
        neighbours = np.bincount(above.suffix, minlength=len(level))
        neighbours[: level.begins] = level.count[: level.begins]
        return replace(level, count=neighbours)


def count_levels(text: Text, order: int) -> tuple[CountedLevel, ...]:
    """Count the n-grams of length 1 to `order`; the last levels may be empty."""
    levels = [_unigrams(text)]
    word = row = text.ids
    for _ in range(order - 1):
        # Where a k-gram does not end its sentence, the next place makes it longer.
        longer = word[:-1] != END
        history, suffix, word = row[:-1][longer], row[1:][longer], word[1:][longer]
        below = levels[-1]
        key = make_key(history, word, below.vocabulary_size)
        top = below.order == order - 1  # no longer n-grams will ask for its rows
        keys, first, count, row = distinct(key, rows=not top)
        levels.append(_above(below, keys, count, suffix[first]))
    return tuple(levels)


def make_key(history: np.ndarray, word: np.ndarray, size: int) -> np.ndarray:
    """Return the int64 key of n-grams: history row · vocabulary size + word."""
    return np.multiply(history, size, dtype=np.int64) + word


def check_order(order: int) -> None:
    """Raise ValueError unless the order is a whole number from 1 to 7."""
    if not isinstance(order, int | np.integer) or not 1 <= order <= MAX_ORDER:
        raise ValueError(f"order is {order!r}: expected a number from 1 to {MAX_ORDER}")


def word_index(words: Sequence[str]) -> dict[str, int]:
    """Word → number. The unknown type has no name: a ``<unk>`` is a trained one."""
    return {word: i for i, word in enumerate(words) if i != UNKNOWN}


def distinct(
    key: np.ndarray, rows: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Sort and group keys.

    Sorting ``key · 2^bits + place`` gives order and places in one plain sort, several
    times faster than an argsort; only keys too long for that need the argsort. On large
    texts fresh memory costs as much as the sort, so arrays are overwritten.

    Args:
        key: non-negative int64 (tokens,); its content is lost.
        rows: whether the last result is needed.

    Returns:
        The distinct keys in order, one place of each in `key`, how often each occurs,
        and for every token the row of its key, int32 (tokens,), or None.
    """
    bits = len(key).bit_length()
    if int(key.max(initial=0)).bit_length() + bits < 64:
        key <<= bits
        key |= np.arange(len(key), dtype=np.int32)
        key.sort()
        place = key & ((1 << bits) - 1)
        key >>= bits
    else:
        place = np.argsort(key)
        key = key[place]
    new = np.ones(len(key), bool)
    new[1:] = key[1:] != key[:-1]
    first = np.flatnonzero(new)
    row = None
    if rows:
        row = np.empty(len(key), np.int32)
        row[place] = np.cumsum(new, dtype=np.int32)
        row -= 1
    return key[first], place[first], np.diff(first, append=len(key)), row


def merge(parts: Sequence[Counts]) -> Counts:
    """Add up counts of several texts that were encoded with one vocabulary.

    The result is that of counting all texts together, to the last bit. Level by
    level, every part's histories are renumbered as the merged level below has them,
    then equal keys are brought together by a sort.

    Raises:
        ValueError: there are no parts, or vocabularies or orders differ.
    """
    if not parts:
        raise ValueError("there is nothing to merge: expected one or more Counts")
    head = parts[0]
    if any(p.words != head.words or p.order != head.order for p in parts):
        raise ValueError("counts to merge must share their vocabulary and their order")
    size = head.levels[0].vocabulary_size
    total = np.sum([part.levels[0].count for part in parts], axis=0)
    levels = [replace(head.levels[0], count=total)]
    # Below, for each part: its row → the merged row.
    below = [np.arange(size, dtype=np.int32)] * len(parts)
    for k in range(1, head.order):
        old = [part.levels[k] for part in parts]
        renumbered = list(zip(below, old, strict=True))
        key = [make_key(rows[x.history], x.word, size) for rows, x in renumbered]
        suffix = np.concatenate([rows[level.suffix] for rows, level in renumbered])
        keys, first, _, row = distinct(np.concatenate(key))
        count = np.bincount(row, np.concatenate([level.count for level in old]))
        levels.append(_above(levels[-1], keys, count.astype(np.int64), suffix[first]))
        ends = np.cumsum([0, *map(len, old)])
        below = [row[start:end] for start, end in pairwise(ends)]
    return Counts(head.words, tuple(levels))


def matches(
    levels: Sequence[Level], ids: np.ndarray, position: np.ndarray
) -> Iterator[tuple[Level, np.ndarray, np.ndarray, np.ndarray]]:
    """Look tokens up with all their histories, level by level, all places at once.

    Args:
        levels: unigrams first.
        ids: word numbers, (tokens,).
        position: how many tokens of its sentence stand before each, (tokens,).

    Yields:
        From bigrams on, each level, the places in `ids` that have a history of
        order - 1 tokens, and for these places the row of the history in the level
        below and their own row in this level; -1 means never seen.
    """
    row = ids
    for level in levels[1:]:
        place = np.flatnonzero(position >= level.order - 1)
        history = row[place - 1]
        found = level.find(history, ids[place])
        yield level, place, history, found
        row = np.full(len(ids), -1)
        row[place] = found


def ngrams(levels: Sequence[Level]) -> Iterator[np.ndarray]:
    """Yield the word numbers of the n-grams of each level, int64 (rows, order)."""
    words = levels[0].word[:, None]
    yield words
    for level in levels[1:]:
        words = np.column_stack([words[level.history], level.word])
        yield words


def suffixes(levels: Sequence[Level]) -> Iterator[np.ndarray]:
    """Yield, for each level, the row of h′w in the level below for every n-gram hw.

    -1 means that h′w is not in the table, as in some pruned ARPA files.
    """
    suffix = np.zeros(len(levels[0]), np.int64)
    yield suffix
    for below, level in pairwise(levels):
        suffix = below.find(suffix[level.history], level.word)
        yield suffix


def _unigrams(text: Text) -> CountedLevel:
    size = len(text.words)
    count = np.bincount(text.ids, minlength=size)
    count[START] = 0
    suffix = np.zeros(size, np.int32)
    return CountedLevel(1, np.arange(size), 1, size, count, suffix, 1)


def _above(
    below: CountedLevel, keys: np.ndarray, count: np.ndarray, suffix: np.ndarray
) -> CountedLevel:
    """Return the level on top of another one."""
    size = below.vocabulary_size
    begins = int(np.searchsorted(keys, below.begins * size))
    return CountedLevel(below.order + 1, keys, len(below), size, count, suffix, begins)
