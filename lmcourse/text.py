"""From running text to sentences, tokens and a vocabulary.

The whole course reads English with one rule, so that any two perplexities on the
same text can be compared: lower case, words with at most one apostrophe, and the
marks ``. , ! ? ;``. Everything else (digits, quotes, brackets) is dropped.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .corpora import Corpus

UNKNOWN = "<unk>"
END = "</s>"

_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|[.,!?;]")
_ENDS = frozenset(".!?")


def tokenize(text: str) -> list[str]:
    """Return the words and punctuation marks of an English text, in lower case.

    >>> tokenize("“Well, Prince,” she didn’t say in 1805.")
    ['well', ',', 'prince', ',', 'she', "didn't", 'say', 'in', '.']
    """
    return _TOKEN.findall(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower())


def sentences(text: str) -> list[list[str]]:
    """Return the sentences of an English text, each a list of tokens.

    A sentence ends after a run of ``.``, ``!`` and ``?``; what follows the last
    run is a sentence too. Joined together, they are `tokenize(text)` again.

    >>> sentences("Stop?! He ran. And")
    [['stop', '?', '!'], ['he', 'ran', '.'], ['and']]
    """
    tokens = tokenize(text)
    found, start = [], 0
    for end, (token, after) in enumerate(pairwise([*tokens, ""])):
        if token in _ENDS and after not in _ENDS:
            found.append(tokens[start : end + 1])
            start = end + 1
    return [*found, tokens[start:]] if start < len(tokens) else found


def characters(text: str) -> list[str]:
    """Return the characters of a text without its white space.

    In Chinese every character can serve as a token; no spaces show where words end.

    >>> characters("语言 模型。")
    ['语', '言', '模', '型', '。']
    """
    return list("".join(text.split()))


class Vocabulary:
    """The types that a model knows, numbered; all others are ``<unk>``.

    Special tokens come first, ``<unk>`` as number 0 unless `specials` says
    otherwise; then the types of the training sentences from the most frequent to
    the rarest, those with equal counts in alphabetical order.

    Args:
        sentences: training sentences, each a sequence of tokens (English words,
            Chinese words or characters: any strings).
        min_count: a type must occur this often to be kept.
        specials: tokens with a meaning of their own, ``<unk>`` among them.

    Raises:
        ValueError: `min_count` is below 1, `specials` lack ``<unk>`` or repeat
            themselves, or a sentence is a string instead of a list of tokens.

    >>> vocabulary = Vocabulary([["a", "rose", "is", "a", "rose"]], min_count=2)
    >>> vocabulary.tokens
    ('<unk>', 'a', 'rose')
    >>> vocabulary.encode(["a", "red", "rose"])
    [1, 0, 2]
    """

    def __init__(
        self,
        sentences: Iterable[Sequence[str]],
        min_count: int = 1,
        specials: Sequence[str] = (UNKNOWN,),
    ) -> None:
        if min_count < 1:
            raise ValueError(f"min_count is {min_count}: expected 1 or more")
        if isinstance(specials, str) or UNKNOWN not in specials:
            raise ValueError(f"specials are {specials!r}: {UNKNOWN!r} must be in them")
        if len(set(specials)) < len(specials):
            raise ValueError(f"specials are {specials!r}: each may stand there once")
        counts = Counter(token for s in sentences for token in _checked(s))
        kept = [t for t, n in counts.items() if n >= min_count and t not in specials]
        kept.sort(key=lambda token: (-counts[token], token))
        self.tokens: tuple[str, ...] = (*specials, *kept)
        self.counts = counts
        self._ids = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        """The number of types, special tokens included."""
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self):,} types: {' '.join(self.tokens[:6])} …"

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """Return the number of each token, that of ``<unk>`` for unknown ones.

        `encode(decode(ids)) == ids` for all numbers of this vocabulary.
        """
        unknown = self._ids[UNKNOWN]
        return [self._ids.get(token, unknown) for token in _checked(tokens)]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the token of each number; undoes `encode` except for ``<unk>``.

        Raises:
            ValueError: a number lies outside 0 … len(vocabulary) - 1.
        """
        ids = list(ids)
        for i in ids:
            if not 0 <= i < len(self):
                raise ValueError(f"id {i} is not in 0 … {len(self) - 1}")
        return [self.tokens[i] for i in ids]

    def replace_unknown(self, tokens: Sequence[str]) -> list[str]:
        """Return the tokens with ``<unk>`` in place of every unknown one."""
        return [t if t in self._ids else UNKNOWN for t in _checked(tokens)]


@dataclass(frozen=True)
class Numbered:
    """A running text as numbers, with its three parts: what a network reads.

    Attributes:
        vocabulary: the types, ``<unk>`` and ``</s>``.
        train, dev, test: sentences, each a list of numbers without ``</s>``.
    """

    vocabulary: Vocabulary
    train: list[list[int]]
    dev: list[list[int]]
    test: list[list[int]]

    @property
    def end(self) -> int:
        """The number of ``</s>``, which is read first and predicted last."""
        return self.vocabulary.encode([END])[0]


def number(corpus: "Corpus[list[str]]", min_count: int = 3) -> Numbered:
    """Return a corpus of sentences as numbers, by a vocabulary of its training part.

    Args:
        corpus: sentences, each a list of tokens.
        min_count: a type must occur this often in training to be kept.
    """
    vocabulary = Vocabulary(corpus.train, min_count, specials=(UNKNOWN, END))
    parts = (corpus.train, corpus.dev, corpus.test)
    return Numbered(vocabulary, *([*map(vocabulary.encode, part)] for part in parts))


def _checked(tokens: Sequence[str]) -> Sequence[str]:
    """Refuse a string, which would otherwise be read letter by letter."""
    if isinstance(tokens, str):
        raise ValueError(
            f"got the string {tokens[:40]!r}, expected a list of tokens: "
            "cut it with tokenize(text) or characters(text) first"
        )
    return tokens
