"""The texts and models of the course: from a name to typed data with its splits.

>>> names = load("names")                                       # doctest: +SKIP
>>> len(names), len(names.train), len(names.dev), len(names.test)  # doctest: +SKIP
(5163, 4131, 516, 516)

The first use of a corpus fetches and verifies its archive (`lmcourse.fetching`); later
uses read the user's cache and need no network. `data/catalog.toml` says where each
comes from, under which licence, and what to know before using it.
"""

import difflib
import functools
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, overload

from . import fetching
from .text import sentences, tokenize

Item = TypeVar("Item")
Other = TypeVar("Other")


class Tagged(NamedTuple):
    """A sentence whose words (or characters) carry a tag each."""

    words: list[str]
    tags: list[str]

    @property
    def characters(self) -> list[str]:
        """The characters of all words, one after another."""
        return list("".join(self.words))


class Rated(NamedTuple):
    """A text and what people think of it."""

    text: str
    rating: float  # from -4 (very negative) to 4; -1 or 1 where only the side is known

    @property
    def label(self) -> int | None:
        """1 for positive, 0 for negative, None for a rating of exactly zero."""
        return None if self.rating == 0 else int(self.rating > 0)


class Pair(NamedTuple):
    """A sentence in two languages."""

    english: str
    chinese: str


@dataclass(frozen=True, eq=False, repr=False)
class Corpus(Sequence[Item]):
    """All items of a corpus in order, and which part each belongs to.

    It is a sequence of all its items; `train`, `dev` and `test` are lists of those in
    one part. Fit on `train`, choose on `dev`, and look at `test` once.
    """

    name: str
    items: list[Item]
    parts: list[str]  # "train", "dev" or "test" for each item

    @property
    def train(self) -> list[Item]:
        """The items to learn from."""
        return self._part("train")

    @property
    def dev(self) -> list[Item]:
        """The items to choose settings with."""
        return self._part("dev")

    @property
    def test(self) -> list[Item]:
        """The items to report a result on."""
        return self._part("test")

    def map(self, function: Callable[[Item], Other]) -> "Corpus[Other]":
        """Return the same corpus with every item changed, the parts kept.

        >>> corpus = Corpus("numbers", [1, 2], ["train", "test"])
        >>> corpus.map(str).test
        ['2']
        """
        return Corpus(self.name, [function(item) for item in self.items], self.parts)

    def _part(self, part: str) -> list[Item]:
        pairs = zip(self.items, self.parts, strict=True)
        return [item for item, its_part in pairs if its_part == part]

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __repr__(self) -> str:
        parts = (f"{part} {self.parts.count(part):,}" for part in _PARTS)
        return f"Corpus {self.name}: {len(self):,} items ({', '.join(parts)})"


@dataclass(frozen=True)
class Source:
    """What the catalogue says about a corpus or model."""

    name: str
    title: str
    holds: str
    citation: str
    know: str  # before using it
    archive: fetching.Archive
    files: tuple[fetching.File, ...]
    split: str | None  # a name in `_SPLITS`

    @property
    def is_here(self) -> bool:
        """Whether all its files are on this machine, complete and undamaged."""
        return all(self.archive.holds(file) for file in self.files)

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)


# ---------------------------------------------------------------- what a reader calls

_Prose = Literal[
    "war_and_peace",
    "sherlock_holmes",
    "us_history",
    "shakespeare",
    "king_james_bible",
    "botchan",
]
_Ratings = Literal[
    "chinese_reviews", "film_reviews", "tweets", "products", "editorials"
]


@overload
def load(name: Literal["names", "surnames"]) -> Corpus[str]: ...
@overload
def load(name: _Prose) -> Corpus[list[str]]: ...
@overload
def load(
    name: Literal["peoples_daily", "peoples_daily_entities", "ner_tweets"],
) -> Corpus[Tagged]: ...
@overload
def load(name: _Ratings) -> Corpus[Rated]: ...
@overload
def load(name: Literal["tatoeba"]) -> Corpus[Pair]: ...
@overload
def load(name: Literal["google_unigrams"]) -> Counter[str]: ...
@overload
def load(name: Literal["google_bigrams"]) -> Counter[tuple[str, str]]: ...
@overload
def load(name: Literal["minilm", "smollm2"]) -> Path: ...
@overload
def load(name: str) -> Any: ...
def load(name: str) -> Any:
    """Return a corpus by its name, fetching it on first use.

    Running text is a `Corpus` of sentences (lists of tokens), names are a `Corpus` of
    strings, tagged, rated and translated text a `Corpus` of `Tagged`, `Rated` and
    `Pair`; the counts of the web are a `Counter`, and a model is the path of its
    folder or file. `describe(name)` tells what it holds and what to know about it.

    Raises:
        ValueError: no corpus has this name; the nearest one is suggested.
        lmcourse.fetching.FetchError: it is not here and cannot be fetched.
    """
    source = find(name)
    data = _READERS[name](paths(name))
    if source.split is None:
        return data
    numbers = _SPLITS[source.split](data)
    return Corpus(name, data, [_PARTS_BY_DIGIT.get(n % 10, "train") for n in numbers])


def paths(name: str) -> list[Path]:
    """Return the verified files of a corpus as they came, fetching them on first use.

    Raises:
        ValueError: no corpus has this name.
        lmcourse.fetching.FetchError: it is not here and cannot be fetched.
    """
    source = find(name)
    folder = fetching.fetch(source.archive, source.files)
    return [folder / file.name for file in source.files]


def path(name: str) -> Path:
    """Return the file of a corpus, or the folder if it has several (see `paths`)."""
    return _place(paths(name))


def describe(name: str) -> str:
    """Return what the catalogue says about a corpus, to be printed.

    Raises:
        ValueError: no corpus has this name.
    """
    source = find(name)
    archive = source.archive
    split = source.split and f"Split: {source.split}. {_SPLITS[source.split].__doc__}"
    lines = [
        f"{source.title} ({name})",
        source.holds,
        split,
        f"Before using it: {source.know}",
        f"Source: {source.citation}",
        f"Licence: {archive.licence}",
        f"Not covered by it: {archive.not_covered}",
        f"Archive: {archive.filename}, {fetching.megabytes(archive.size)} to fetch, "
        f"{fetching.megabytes(source.size)} kept",
    ]
    return "\n".join(line for line in lines if line)


def find(name: str) -> Source:
    """Return the catalogue's entry of this name.

    Raises:
        ValueError: there is none; the message suggests the nearest name.
    """
    if isinstance(name, str) and name in catalogue():
        return catalogue()[name]
    close = difflib.get_close_matches(str(name).lower(), catalogue(), n=1, cutoff=0.5)
    hint = f": did you mean {close[0]!r}?" if close else "."
    raise ValueError(
        f"no corpus is called {name!r}{hint} There are {', '.join(catalogue())}."
    )


@functools.cache
def catalogue() -> dict[str, Source]:
    """Return all sources of the course by name, in the catalogue's order."""
    text = package_files("lmcourse.data").joinpath("catalog.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    archives = {key: _archive(table) for key, table in tables["archives"].items()}
    return {
        name: _source(name, table, archives)
        for name, table in tables["corpora"].items()
    }


def _archive(table: dict[str, Any]) -> fetching.Archive:
    files = tuple(fetching.File(**file) for file in table["files"])
    return fetching.Archive(**{**_unwrapped(table), "files": files})


def _source(
    name: str, table: dict[str, Any], archives: dict[str, fetching.Archive]
) -> Source:
    archive = archives[table["archive"]]
    by_name = {file.name: file for file in archive.files}
    files = tuple(by_name[name] for name in table.get("files", by_name))
    rest = {"split": None, **_unwrapped(table), "archive": archive, "files": files}
    return Source(name=name, **rest)


def _unwrapped(table: dict[str, Any]) -> dict[str, Any]:
    """Join the lines of long texts, which the catalogue wraps."""
    return {
        k: " ".join(v.split()) if isinstance(v, str) else v for k, v in table.items()
    }


# ------------------------------------------------- how a file becomes items, one by one


def _name_list(paths: list[Path]) -> list[str]:
    """``MARY 2.629 2.629 1``: the name stands first."""
    return sorted({line.split()[0].lower() for path in paths for line in _lines(path)})


def _book(first: int, last: int) -> Callable[[list[Path]], list[list[str]]]:
    """Sentences of the lines `first` to `last`, counted from 1."""
    return lambda paths: sentences("\n".join(_lines(paths[0])[first - 1 : last]))


def _works(paths: list[Path]) -> list[list[str]]:
    """Sentences of several works; none runs from one into the next."""
    return [sentence for path in paths for sentence in sentences(_text(path))]


def _verses(paths: list[Path]) -> list[list[str]]:
    """The first long string of a Python file, where ``12. `` opens a verse."""
    bible = _text(paths[0]).split('"""', 2)[1]
    verses = map(tokenize, re.split(r"(?:^|(?<=\s))\d+\. ", bible)[1:])
    return [verse for verse in verses if verse]


def _gutenberg(paths: list[Path]) -> list[list[str]]:
    """Sentences between the header and the licence of Project Gutenberg."""
    opening = r"\*\*\* START OF THIS PROJECT GUTENBERG EBOOK.*\n"
    ending = r"\*\*\* ?END OF THIS PROJECT GUTENBERG|End of (?:the )?Project Gutenberg"
    return sentences(re.split(ending, re.split(opening, _text(paths[0]))[1])[0])


def _word_counts(paths: list[Path]) -> Counter[str]:
    """``word<TAB>count``."""
    rows = (line.split("\t") for line in _lines(paths[0]))
    return Counter({word: int(count) for word, count in rows})


def _pair_counts(paths: list[Path]) -> Counter[tuple[str, str]]:
    """``word word<TAB>count``; the counts of a repeated pair are added up."""
    counts: Counter[tuple[str, str]] = Counter()
    for line in _lines(paths[0]):
        before, after, count = re.split("[ \t]", line)
        counts[before, after] += int(count)
    return counts


def _tagged_lines(paths: list[Path]) -> list[Tagged]:
    """``word/tag`` between spaces, a word may hold a slash itself; repeats dropped."""
    rows = (
        [w.rpartition("/") for w in line.split()] for line in _once(_lines(paths[0]))
    )
    return [Tagged([w for w, _, _ in row], [t for _, _, t in row]) for row in rows]


_ENTITIES = {"nr": "PER", "ns": "LOC", "nt": "ORG"}


def _entities(paths: list[Path]) -> list[Tagged]:
    """Characters with BIO tags, from the parts of speech of proper nouns."""
    lines = (_characters_with_entities(line) for line in _tagged_lines(paths))
    return _once(lines, key=lambda line: "".join(line.words))


def _characters_with_entities(line: Tagged) -> Tagged:
    """Tag each character; neighbouring nr words (surname, given name) are one PER."""
    tags: list[str] = []
    before = ["", *line.tags[:-1]]
    for word, tag, previous in zip(*line, before, strict=True):
        kind = _ENTITIES.get(tag)
        if kind is None:
            tags += ["O"] * len(word)
        else:
            first = "I" if tag == previous == "nr" else "B"
            tags += [f"{first}-{kind}"] + [f"I-{kind}"] * (len(word) - 1)
    return Tagged(line.characters, tags)


def _two_sided(paths: list[Path]) -> list[Rated]:
    """One review a line, good ones in the first file; those in both are left out."""
    good, bad = (_once(line.strip() for line in _lines(path)) for path in paths)
    left_out = {"", *good} & {"", *bad}
    rated = [Rated(text, 1.0) for text in good] + [Rated(text, -1.0) for text in bad]
    return [review for review in rated if review.text not in left_out]


def _ratings(paths: list[Path]) -> list[Rated]:
    """``id<TAB>mean rating<TAB>text``; of repeated texts the first stays."""
    rows = (line.split("\t") for line in _lines(paths[0]))
    rated = (Rated(text.strip(), float(rating)) for _, rating, text in rows)
    return _once(rated, key=lambda review: review.text)


def _tagged_blocks(paths: list[Path]) -> list[Tagged]:
    """``token<TAB>tag`` a line, a lone TAB between tweets; repeats dropped."""
    blocks = _text(paths[0]).removesuffix("\t\n").split("\n\t\n")
    rows = ([line.split("\t") for line in block.splitlines()] for block in blocks)
    tagged = (Tagged([w for w, _ in row], [t for _, t in row]) for row in rows)
    return _once(tagged, key=lambda tweet: " ".join(tweet.words))


def _pairs(paths: list[Path]) -> list[Pair]:
    """``zh_id<TAB>zh<TAB>en_id<TAB>en``, Chinese converted to simplified characters."""
    try:
        from opencc import OpenCC
    except ImportError as error:
        raise ModuleNotFoundError(
            "tatoeba mixes traditional and simplified characters, and the package that "
            "converts them is missing. Next step: pip install "
            "opencc-python-reimplemented"
        ) from error
    rows = [line.split("\t") for line in _lines(paths[0])]
    simplified = OpenCC("t2s").convert("\n".join(row[1] for row in rows)).split("\n")
    return _once(
        Pair(row[3], chinese) for row, chinese in zip(rows, simplified, strict=True)
    )


def _place(paths: list[Path]) -> Path:
    """The only file, or the folder of several: all that is read of a model here."""
    return paths[0] if len(paths) == 1 else paths[0].parent


_READERS: dict[str, Callable[[list[Path]], Any]] = {
    "names": _name_list,
    "surnames": _name_list,
    "war_and_peace": _book(54307, 121390),
    "sherlock_holmes": _book(41, 5183),
    "us_history": _book(5523, 29559),
    "shakespeare": _works,
    "king_james_bible": _verses,
    "botchan": _gutenberg,
    "google_unigrams": _word_counts,
    "google_bigrams": _pair_counts,
    "peoples_daily": _tagged_lines,
    "peoples_daily_entities": _entities,
    "chinese_reviews": _two_sided,
    "film_reviews": _ratings,
    "tweets": _ratings,
    "products": _ratings,
    "editorials": _ratings,
    "ner_tweets": _tagged_blocks,
    "tatoeba": _pairs,
    "minilm": _place,
    "smollm2": _place,
}


def _text(path: Path) -> str:
    return path.read_text("utf-8-sig")


def _lines(path: Path) -> list[str]:
    """The lines of a file; only a line feed ends one, and the last may lack it."""
    return _text(path).removesuffix("\n").split("\n")


def _once(
    items: Iterable[Item], key: Callable[[Item], Any] = lambda item: item
) -> list[Item]:
    """The first item of each key, in order: a repeat would leak into the test."""
    first: dict[Any, Item] = {}
    for item in items:
        first.setdefault(key(item), item)
    return list(first.values())


# ------------------------------------------------------ how items are numbered to split

_PARTS = ("train", "dev", "test")
_PARTS_BY_DIGIT = {8: "dev", 9: "test"}  # the last digit of an item's number


def _blocks(items: list[Any]) -> list[int]:
    """A hundred contiguous blocks, so that neighbours do not leak into the test."""
    return [100 * i // len(items) for i in range(len(items))]


def _blocks_of_each_class(reviews: list[Rated]) -> list[int]:
    """A hundred contiguous blocks in each class, so that both keep their share."""
    good = [review for review in reviews if review.label]
    return _blocks(good) + _blocks(reviews[len(good) :])


def _stratified(reviews: list[Rated]) -> list[int]:
    """Spread over the file: 1,000 for dev and 1,500 for test, each class in proportion.

    Reviews without a label are left to training.
    """
    numbers = [0] * len(reviews)
    labelled = sum(review.label is not None for review in reviews)
    for label in (0, 1):
        places = [i for i, review in enumerate(reviews) if review.label == label]
        held_out = round(2500 * len(places) / labelled)
        for nth in range(held_out):  # of five in a row, two are dev and three test
            numbers[places[nth * len(places) // held_out]] = (
                8 if nth % 5 in (1, 3) else 9
            )
    return numbers


def _interleaved(items: list[Any]) -> list[int]:
    """Every tenth item: right for lists whose neighbours tell nothing of each other."""
    return list(range(len(items)))


def _tenths(items: list[Any]) -> list[int]:
    """In order: the ninth tenth is dev, the last tenth test."""
    return [10 * i // len(items) for i in range(len(items))]


def _groups(pairs: list[Pair]) -> list[int]:
    """Pairs that share a sentence, however indirectly, stay together."""
    parent: dict[str, str] = {}

    def root(sentence: str) -> str:
        while (above := parent.setdefault(sentence, sentence)) != sentence:
            parent[sentence] = parent[above]  # halve the path for the next search
            sentence = above
        return sentence

    for pair in pairs:
        parent[root(pair.english)] = root(pair.chinese)
    numbers: dict[str, int] = {}
    return [numbers.setdefault(root(pair.chinese), len(numbers)) for pair in pairs]


_SPLITS: dict[str, Callable[[list[Any]], list[int]]] = {
    "blocks": _blocks,
    "blocks of each class": _blocks_of_each_class,
    "stratified": _stratified,
    "interleaved": _interleaved,
    "tenths": _tenths,
    "groups": _groups,
}
