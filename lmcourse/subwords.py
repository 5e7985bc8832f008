"""Sub-words: byte pair encoding, WordPiece, and everything BERT does to a text first.

A sub-word model knows a limited number of strings, its vocabulary, and cuts every word
into some of them. Byte pair encoding (Sennrich, Haddow and Birch 2016) replays merges
in the order in which they were learned; WordPiece (Schuster and Nakajima 2012; Wu et
al. 2016), as BERT cuts with it, takes the longest string that fits, again and again.

>>> bpe = BPE.train({"low_": 5, "lower_": 2, "newest_": 6, "widest_": 3}, merges=10)
>>> bpe.cut("lowest_")
['low', 'est_']
>>> WordPiece(["[UNK]", "un", "##aff", "##able", "##a"]).cut("unaffable")
['un', '##aff', '##able']
"""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

Pair = tuple[str, str]

CONTINUED = "##"  # stands before a piece that does not begin its word
PAD, UNKNOWN, CLS, SEP, MASK = SPECIALS = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"


class Piece(NamedTuple):
    """A token, and which characters it covers: those from `start` to before `end`."""

    token: str
    start: int
    end: int


class _Cutter:
    """What BPE and WordPiece share: a numbered vocabulary, and memory for words.

    Attributes:
        vocabulary: the tokens; the place of each is its number.
        ids: token → number.
        unknown: the token for what the vocabulary cannot spell.
    """

    def __init__(self, vocabulary: Iterable[str], unknown: str) -> None:
        self.vocabulary = tuple(vocabulary)
        self.ids = {token: number for number, token in enumerate(self.vocabulary)}
        self.unknown = unknown
        self.pieces = lru_cache(maxsize=100_000)(self._pieces)
        if len(self.ids) < len(self.vocabulary):
            twice = Counter(self.vocabulary).most_common(1)[0][0]
            raise ValueError(f"{twice!r} is in the vocabulary twice: leave one out")
        if unknown not in self.ids:
            raise ValueError(
                f"{unknown!r} is not in the vocabulary of {len(self):,} tokens, and "
                "words that they cannot spell need it: add it, or name another token "
                "with unknown=…"
            )

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.vocabulary)

    def __repr__(self) -> str:
        return f"{type(self).__name__} with {len(self):,} tokens"

    def __getstate__(self) -> dict:
        """Leave the memory out, so that the model can be copied and pickled."""
        return {key: value for key, value in vars(self).items() if key != "pieces"}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        self.pieces = lru_cache(maxsize=100_000)(self._pieces)

    def cut(self, word: str) -> list[str]:
        """Return the tokens of one word (any string, `unknown` where needed)."""
        return [piece.token for piece in self.pieces(word)]

    def _pieces(self, word: str) -> tuple[Piece, ...]:
        raise NotImplementedError


# ---------------------------------------------------------------- byte pair encoding


def merge(symbols: Sequence[str], pair: Pair, token: str | None = None) -> list[str]:
    """Return the symbols with every occurrence of `pair` made one, from left to right.

    >>> merge(["a", "a", "a", "b"], ("a", "a"))
    ['aa', 'a', 'b']
    """
    left, right = pair
    token = left + right if token is None else token
    merged: list[str] = []
    for symbol in symbols:
        # What has just been made is longer than `left`: it cannot be merged again.
        if symbol == right and merged and merged[-1] == left:
            merged[-1] = token
        else:
            merged.append(symbol)
    return merged


class BPE(_Cutter):
    """Byte pair encoding: a list of merges, replayed on every word.

    The pair learned earliest is merged first, everywhere in the word, until no learned
    pair is left (Sennrich, Haddow and Birch 2016; the compression is Gage's, 1994).

    Args:
        merges: pairs of tokens, in the order in which they were learned.
        alphabet: single characters that are tokens of their own; those that merges use
            are added.
        unknown: the token for any other character.

    Attributes:
        merges: as given.
        vocabulary: `unknown`, the alphabet by code point, what the merges make.

    Raises:
        ValueError: a merge uses a token that no earlier merge has made, or two make the
            same.
    """

    def __init__(
        self, merges: Iterable[Pair], alphabet: Iterable[str] = "", unknown="<unk>"
    ) -> None:
        self.merges = [(left, right) for left, right in merges]
        parts = {part for pair in self.merges for part in pair}
        self.alphabet = sorted({*alphabet, *(part for part in parts if len(part) == 1)})
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        known = {*self.alphabet}
        for pair in self.merges:
            if not known.issuperset(pair) or "".join(pair) in known:
                raise ValueError(
                    f"the merge {pair!r} must join two tokens that exist before it to "
                    "a new one: give all merges, in the order they were learned"
                )
            known.add("".join(pair))
        made = ("".join(pair) for pair in self.merges)
        super().__init__((unknown, *self.alphabet, *made), unknown)

    @classmethod
    def train(
        cls,
        words: Mapping[str, int],
        merges: int,
        min_count: int = 1,
        unknown: str = "<unk>",
    ) -> Self:
        """Learn merges: again and again, make the most frequent pair one token.

        Pairs are counted as neighbours (``aaa`` holds ``a a`` twice). Of equally
        frequent pairs the one with the older tokens wins: first the left ones are
        compared, then the right ones, where single characters are older than merged
        tokens, and by code point among themselves. `tokenizers` does the same.

        Args:
            words: how often each word occurs; merges never cross from one into the
                next. A mark at its end (``low_``) or beginning is a letter like others.
            merges: how many to learn; fewer if no pair is left.
            min_count: stop when no pair occurs this often.
            unknown: see the class.

        Raises:
            ValueError: a count or an argument is out of its range.
        """
        if merges < 0:
            raise ValueError(f"merges is {merges}: expected 0 or more")
        alphabet = sorted({letter for word in words for letter in word})
        learned = _learn(words, alphabet, list, "".join, min_count)
        return cls((pair for pair, _ in islice(learned, merges)), alphabet, unknown)

    def first(self, merges: int) -> Self:
        """Return the model that fewer merges would have given: the first ones.

        Raises:
            ValueError: there are not so many.
        """
        if not 0 <= merges <= len(self.merges):
            raise ValueError(f"merges is {merges}: expected 0 to {len(self.merges)}")
        return type(self)(self.merges[:merges], self.alphabet, self.unknown)

    def _pieces(self, word: str) -> tuple[Piece, ...]:
        symbols = list(word)
        while len(symbols) > 1:
            pair = min(pairwise(symbols), key=self._rank)
            if pair not in self._ranks:
                break
            symbols = merge(symbols, pair)
        found, start = [], 0
        for symbol in symbols:
            token = symbol if symbol in self.ids else self.unknown
            found.append(Piece(token, start, start := start + len(symbol)))
        return tuple(found)

    def _rank(self, pair: Pair) -> int:
        return self._ranks.get(pair, len(self._ranks))


def _learn(
    words: Mapping[str, int],
    alphabet: Sequence[str],
    spell: Callable[[str], list[str]],
    join: Callable[[Pair], str],
    min_count: int,
) -> Iterator[tuple[Pair, str]]:
    """Yield the most frequent pair and the token that it becomes, again and again.

    Counts are kept up to date: a merge looks only at the words that hold its pair.
    A pair that can still be merged never becomes more frequent, because all pairs with
    a new token arise in the merge that makes it. So a heap may hold old counts: what
    comes out on top is put back if it has lost some since.
    """
    _check_counts(words, min_count)
    age = {symbol: place for place, symbol in enumerate(alphabet)}
    texts, times = [spell(word) for word in words], list(words.values())
    counts: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)  # the texts with this pair
    for i, text in enumerate(texts):
        for pair in pairwise(text):
            counts[pair] += times[i]
            where[pair].add(i)

    def entry(pair: Pair) -> tuple[int, int, int, Pair]:
        return -counts[pair], age[pair[0]], age[pair[1]], pair

    heap = [entry(pair) for pair in counts]
    heapify(heap)
    while heap:
        count, _, _, pair = heappop(heap)
        if -count > counts[pair]:
            heappush(heap, entry(pair))
            continue
        if -count < min_count:
            return
        token = join(pair)
        age.setdefault(token, len(age))
        yield pair, token
        fresh = set()
        for i in where.pop(pair):
            for old in pairwise(texts[i]):
                counts[old] -= times[i]
            texts[i] = merge(texts[i], pair, token)
            for new in pairwise(texts[i]):
                counts[new] += times[i]
                if token in new:
                    where[new].add(i)
                    fresh.add(new)
        for new in fresh:
            heappush(heap, entry(new))


def _check_counts(words: Mapping[str, int], min_count: int) -> None:
    if min_count < 1:
        raise ValueError(f"min_count is {min_count}: expected 1 or more")
    if not isinstance(words, Mapping):
        raise ValueError(
            f"words is a {type(words).__name__}: expected how often each word occurs, "
            "such as Counter(words)"
        )
    if negative := [word for word, count in words.items() if count < 0]:
        raise ValueError(f"{negative[0]!r} has the count {words[negative[0]]}")


def byte_letters() -> list[str]:
    """Return a visible letter for each of the 256 bytes, as GPT-2 has them.

    Any text is bytes, so that byte pair encoding over these letters knows every text
    (Radford et al. 2019). Bytes that print stand for themselves; for the others,
    letters follow from code point 256 on: the space becomes Ġ.

    >>> "".join(byte_letters()[byte] for byte in "é 北".encode())
    'Ã©ĠåĮĹ'
    """
    prints = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in prints else next(others)) for byte in range(256)]


# -------------------------------------------------------------------------- WordPiece


class WordPiece(_Cutter):
    """WordPiece, as in BERT: the longest token that fits, from left to right.

    A piece that does not begin its word is written with ``##``. A word with a part
    that no token fits becomes `unknown` as a whole.

    Args:
        vocabulary: the tokens in the order of their numbers.
        unknown: one of them, for words that cannot be cut.
        longest_word: words with more characters are unknown; BERT takes 100.

    Raises:
        ValueError: the vocabulary lacks `unknown`, or has a token twice.
    """

    def __init__(
        self,
        vocabulary: Iterable[str],
        unknown: str = UNKNOWN,
        longest_word: int = 100,
    ) -> None:
        super().__init__(vocabulary, unknown)
        self.longest_word = longest_word
        self._longest = max(map(len, self.vocabulary))

    @classmethod
    def train(
        cls,
        words: Mapping[str, int],
        size: int,
        specials: Sequence[str] = SPECIALS,
        min_count: int = 1,
    ) -> Self:
        """Learn a vocabulary as `tokenizers` does: by merging the most frequent pair.

        That is byte pair encoding on words spelled ``w ##o ##r ##d``, whose merges are
        forgotten in the end. (Schuster and Nakajima choose the pair that raises the
        likelihood of the text most; BERT's program was not published.) Equally
        frequent pairs are tried from the older tokens to the newer, as in `BPE.train`;
        `tokenizers` numbers the ``##`` letters by chance, so that its ties fall
        differently in every run.

        Args:
            words: how often each word occurs.
            size: of the vocabulary, everything included; fewer if no pair is left.
            specials: the first tokens; ``[UNK]`` must be among them.
            min_count: stop when no pair occurs this often.

        Raises:
            ValueError: `size` has no room for specials and letters, or another argument
                is out of its range.
        """
        letters = sorted({letter for word in words for letter in word})
        inner = sorted({CONTINUED + letter for word in words for letter in word[1:]})
        vocabulary = dict.fromkeys([*specials, *letters, *inner])
        if size < len(vocabulary):
            raise ValueError(
                f"size is {size}, but specials and letters are {len(vocabulary)} "
                "tokens: ask for more, or replace rare letters first"
            )
        for _, token in _learn(words, list(vocabulary), _spell, _join, min_count):
            if len(vocabulary) == size:
                break
            vocabulary[token] = None
        return cls(vocabulary)

    def _pieces(self, word: str) -> tuple[Piece, ...]:
        found: list[Piece] = []
        start = 0
        while start < len(word):
            piece = self._longest_match(word, start)
            if piece is None or len(word) > self.longest_word:
                return (Piece(self.unknown, 0, len(word)),)
            found.append(piece)
            start = piece.end
        return tuple(found)

    def _longest_match(self, word: str, start: int) -> Piece | None:
        mark = CONTINUED if start else ""
        for end in range(min(len(word), start + self._longest), start, -1):
            if mark + word[start:end] in self.ids:
                return Piece(mark + word[start:end], start, end)
        return None


def _spell(word: str) -> list[str]:
    return [letter if i == 0 else CONTINUED + letter for i, letter in enumerate(word)]


def _join(pair: Pair) -> str:
    return pair[0] + pair[1].removeprefix(CONTINUED)


# ------------------------------------------------------------ what BERT does to a text

# What Unicode calls white space; `str.isspace` has four control characters more.
_SPACES = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000").union(
    map(chr, range(0x2000, 0x200B))
)
_CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B81F),
    (0x2B920, 0x2CEAF),  # BERT's own code begins at 0x2B820, `tokenizers` here
    (0x2F800, 0x2FA1F),
)


def normalize(
    text: str, lowercase: bool = True, strip_accents: bool | None = None
) -> tuple[str, list[int]]:
    """Return a text as BERT reads it, and where each of its characters comes from.

    Control characters go, white space becomes a space, Chinese characters get a space
    on both sides, accents go, and letters become small (Devlin et al. 2019).
    `tokenizers` does the same, but its tables are of an older Unicode: newer characters
    may differ.

    Args:
        text: any string.
        lowercase: whether the model is *uncased*.
        strip_accents: whether accents go; None does as `lowercase`.

    Returns:
        The text, and for each of its characters the place in `text` of its origin.

    >>> normalize("Café 北京")
    ('cafe  北  京 ', [0, 1, 2, 3, 4, 5, 5, 5, 6, 6, 6])
    """
    strip = lowercase if strip_accents is None else strip_accents
    if text.isascii() and text.isprintable():
        return (text.lower() if lowercase else text), list(range(len(text)))
    becomes = [_normal(letter, lowercase, strip) for letter in text]
    places = [place for place, new in enumerate(becomes) for _ in new]
    return "".join(becomes), places


@lru_cache(maxsize=20_000)
def _normal(letter: str, lowercase: bool, strip: bool) -> str:
    """What one character becomes: nothing, one, or several."""
    if letter in "\t\n\r":
        return " "
    if letter == "\ufffd" or unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cs"}:
        return ""
    if letter in _SPACES:
        return " "
    new = letter
    if strip:
        parts = unicodedata.normalize("NFD", letter)
        new = "".join(part for part in parts if unicodedata.category(part) != "Mn")
    if lowercase:
        new = "".join(part.lower() for part in new)
    if any(first <= ord(letter) <= last for first, last in _CHINESE):
        return f" {new} "
    return new


def split_words(text: str) -> list[tuple[int, int]]:
    """Return start and end of each word: between spaces, and punctuation by itself.

    >>> text = "don't stop!"
    >>> [text[start:end] for start, end in split_words(text)]
    ['don', "'", 't', 'stop', '!']
    """
    spans, start = [], 0
    for place, letter in enumerate(text):
        kind = _kind(letter)
        if kind != "letter":
            if start < place:
                spans.append((start, place))
            if kind == "punctuation":
                spans.append((place, place + 1))
            start = place + 1
    return [*spans, (start, len(text))] if start < len(text) else spans


@lru_cache(maxsize=20_000)
def _kind(letter: str) -> str:
    if letter in _SPACES:
        return "space"
    # All of ASCII's signs count, also those that Unicode calls symbols: $ + < = > ^ ` |
    sign = letter.isascii() and letter.isprintable() and not letter.isalnum()
    if sign or unicodedata.category(letter).startswith("P"):
        return "punctuation"
    return "letter"


# -------------------------------------------------------------- from a text to numbers


@dataclass(frozen=True)
class Encoding:
    """A text, or a pair of texts, as BERT gets it; the names are those of `tokenizers`.

    Attributes:
        ids: the number of each token.
        tokens: the tokens, special ones included.
        offsets: which characters of the text each stands for, (0, 0) for ``[CLS]`` and
            ``[SEP]``; in a pair each text is counted from 0. If words were given,
            characters of the word.
        word_ids: the word that each belongs to, None for ``[CLS]`` and ``[SEP]``.
        type_ids: 0 for the first text with its ``[CLS]`` and ``[SEP]``, 1 for the
            second.
        sequence_ids: the same, but None for ``[CLS]`` and ``[SEP]``.
    """

    ids: list[int]
    tokens: list[str]
    offsets: list[tuple[int, int]]
    word_ids: list[int | None]
    type_ids: list[int]
    sequence_ids: list[int | None]

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.ids)


class _Found(NamedTuple):
    """A token of a text, before special tokens and truncation."""

    token: str
    offset: tuple[int, int]
    word: int


Words = str | Sequence[str]


class Tokenizer:
    """BERT's tokenizer: normalise, split into words, cut by WordPiece, add specials.

    Equal to `transformers.BertTokenizer` with the same vocabulary, token by token and
    offset by offset.

    Args:
        vocabulary: WordPiece tokens in the order of their numbers, `SPECIALS` included.
        lowercase: whether the model is *uncased*.
        strip_accents: whether accents go; None does as `lowercase`.

    Raises:
        ValueError: the vocabulary lacks a special token, or has a token twice.

    >>> tokenizer = Tokenizer([*SPECIALS, "un", "##believ", "##able", "!"])
    >>> encoding = tokenizer.encode("Unbelievable!")
    >>> encoding.tokens
    ['[CLS]', 'un', '##believ', '##able', '!', '[SEP]']
    >>> encoding.offsets
    [(0, 0), (0, 2), (2, 8), (8, 12), (12, 13), (0, 0)]
    >>> encoding.word_ids
    [None, 0, 0, 0, 1, None]
    """

    def __init__(
        self,
        vocabulary: Iterable[str],
        lowercase: bool = True,
        strip_accents: bool | None = None,
    ) -> None:
        self.model = WordPiece(vocabulary)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        if missing := [token for token in SPECIALS if token not in self.model.ids]:
            raise ValueError(f"the vocabulary lacks {', '.join(missing)}: add them")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read the tokenizer of a BERT model's folder.

        That is ``vocab.txt`` with ``tokenizer_config.json``, or ``tokenizer.json``.

        Raises:
            FileNotFoundError: there is neither ``vocab.txt`` nor ``tokenizer.json``.
            ValueError: the tokens are not numbered 0, 1, 2 …, or the tokenizer is that
                of another model.
        """
        lines, whole, config = (
            Path(folder) / name
            for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json")
        )
        if lines.exists():
            said = json.loads(config.read_text("utf-8")) if config.exists() else {}
            vocabulary = lines.read_text("utf-8").removesuffix("\n").split("\n")
            lowercase = said.get("do_lower_case", True)
        elif whole.exists():
            everything = json.loads(whole.read_text("utf-8"))
            said = everything["normalizer"] or {}
            if said.get("type") != "BertNormalizer":
                raise ValueError(f"{whole} is the tokenizer of another model than BERT")
            ids = everything["model"]["vocab"]
            vocabulary, lowercase = sorted(ids, key=ids.get), said["lowercase"]
            if [ids[token] for token in vocabulary] != [*range(len(ids))]:
                raise ValueError(f"{whole} does not number its tokens 0, 1, 2 …")
        else:
            raise FileNotFoundError(
                f"{folder} holds neither vocab.txt nor tokenizer.json: give the folder "
                'of a BERT model, such as corpora.load("minilm")'
            )
        return cls(vocabulary, lowercase, said.get("strip_accents"))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the files that `from_pretrained` and `transformers` read."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": self.lowercase,
            "strip_accents": self.strip_accents,
            "tokenize_chinese_chars": True,
        }
        contents = {
            "vocab.txt": "\n".join(self.vocabulary) + "\n",
            "tokenizer_config.json": json.dumps(config, indent=1) + "\n",
        }
        for name, content in contents.items():
            part = folder / f"{name}.part"
            part.write_text(content, "utf-8")
            part.replace(folder / name)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The tokens; the place of each is its number."""
        return self.model.vocabulary

    @property
    def ids(self) -> dict[str, int]:
        """Token → number."""
        return self.model.ids

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.model)

    def __repr__(self) -> str:
        case = "uncased" if self.lowercase else "cased"
        return f"Tokenizer with {len(self):,} tokens, {case}"

    def encode(
        self, text: Words, pair: Words | None = None, max_length: int | None = None
    ) -> Encoding:
        """Return ``[CLS] text [SEP]``, or ``[CLS] text [SEP] pair [SEP]``.

        Special tokens that are written in a text, such as ``[MASK]``, count as such.

        Args:
            text: a string; or a list of words, whose places `word_ids` then gives.
            pair: a second text.
            max_length: longer texts lose tokens at their ends; of two texts, the
                longer one first.

        Raises:
            ValueError: `max_length` has no room for the special tokens, or a text is
                neither a string nor a list of strings.
        """
        both = (text,) if pair is None else (text, pair)
        parts = [self._find(part) for part in both]
        if max_length is not None:
            room = max_length - 1 - len(parts)
            if room < 0:
                raise ValueError(
                    f"max_length is {max_length}: {1 + len(parts)} special tokens must "
                    "have room"
                )
            lengths = _fit([len(part) for part in parts], room)
            parts = [part[:n] for part, n in zip(parts, lengths, strict=True)]
        rows = [(CLS, (0, 0), None, 0, None)]
        for number, part in enumerate(parts):
            rows += [(*found, number, number) for found in part]
            rows.append((SEP, (0, 0), None, number, None))
        tokens, offsets, words, types, sequences = map(list, zip(*rows, strict=True))
        ids = [self.ids[token] for token in tokens]
        return Encoding(ids, tokens, offsets, words, types, sequences)

    def __call__(
        self,
        texts: Sequence[Words],
        pairs: Sequence[Words] | None = None,
        max_length: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Return many texts as arrays that a BERT takes, filled up with ``[PAD]``.

        Returns:
            ``input_ids``, ``token_type_ids`` and ``attention_mask`` (1 for tokens, 0
            for padding), each int64 (texts, longest).

        Raises:
            ValueError: no texts, or not as many pairs; see also `encode`.
        """
        if isinstance(texts, str) or not len(texts):
            raise ValueError(f"texts is {texts!r:.60}: expected a list of texts")
        pairs = [None] * len(texts) if pairs is None else pairs
        if isinstance(pairs, str) or len(pairs) != len(texts):
            raise ValueError(f"{len(texts)} texts need as many pairs: got {len(pairs)}")
        both = zip(texts, pairs, strict=True)
        return self.pad([self.encode(text, pair, max_length) for text, pair in both])

    def pad(self, encodings: Sequence[Encoding]) -> dict[str, np.ndarray]:
        """Return encodings as arrays, the shorter ones filled up with ``[PAD]``.

        Returns:
            See `__call__`.

        Raises:
            ValueError: there is no encoding.
        """
        if not encodings:
            raise ValueError("there is nothing to pad: give at least one encoding")
        shape = len(encodings), max(map(len, encodings))
        batch = {
            "input_ids": np.full(shape, self.ids[PAD]),
            "token_type_ids": np.zeros(shape, np.int64),
            "attention_mask": np.zeros(shape, np.int64),
        }
        for row, encoding in enumerate(encodings):
            batch["input_ids"][row, : len(encoding)] = encoding.ids
            batch["token_type_ids"][row, : len(encoding)] = encoding.type_ids
            batch["attention_mask"][row, : len(encoding)] = 1
        return batch

    def decode(self, ids: Iterable[int], skip_special: bool = True) -> str:
        """Return the text of token numbers: pieces joined, a space between words.

        What normalisation took away does not come back, nor do the original spaces.

        Raises:
            ValueError: a number is not of this vocabulary.
        """
        text = ""
        for number in map(int, ids):
            if not 0 <= number < len(self):
                raise ValueError(f"id {number} is not in 0 … {len(self) - 1}")
            token = self.vocabulary[number]
            if skip_special and token in SPECIALS:
                continue
            inside = token.startswith(CONTINUED) and text
            text += token.removeprefix(CONTINUED) if inside else f" {token}"
        return text.removeprefix(" ")

    def _find(self, text: Words) -> list[_Found]:
        """Return the tokens of a text, or of a list of words."""
        if isinstance(text, str):
            return [_Found(*found) for found in self._cut(text)]
        words = isinstance(text, Iterable) and all(isinstance(w, str) for w in text)
        if not words:
            raise ValueError(f"got {text!r:.60}: expected a text or a list of words")
        return [
            _Found(token, offset, place)
            for place, word in enumerate(text)
            for token, offset, _ in self._cut(word)
        ]

    def _cut(self, text: str) -> Iterator[tuple[str, tuple[int, int], int]]:
        """Yield token, offset and word number, from left to right."""
        number = 0
        for begin, part in _around_specials(text):
            if part in SPECIALS:
                yield part, (begin, begin + len(part)), number
                number += 1
                continue
            normal, places = normalize(part, self.lowercase, self.strip_accents)
            for start, end in split_words(normal):
                for piece in self.model.pieces(normal[start:end]):
                    first = places[start + piece.start]
                    last = places[start + piece.end - 1]
                    yield piece.token, (begin + first, begin + last + 1), number
                number += 1


_SPECIAL = re.compile("(" + "|".join(map(re.escape, SPECIALS)) + ")")


def _around_specials(text: str) -> Iterator[tuple[int, str]]:
    """Yield the special tokens of a text and what lies between, with their places."""
    begin = 0
    for part in _SPECIAL.split(text):
        if part:
            yield begin, part
        begin += len(part)


def _fit(lengths: Sequence[int], room: int) -> list[int]:
    """Return how many tokens of each text stay: of two, the longer gives first."""
    if sum(lengths) <= room or len(lengths) == 1:
        return [min(length, room) for length in lengths]
    kept = min(*lengths, room // 2)  # of the shorter one
    first_is_shorter = lengths[0] <= lengths[1]
    return [kept, room - kept] if first_is_shorter else [room - kept, kept]
