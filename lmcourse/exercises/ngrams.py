"""Judges of notebook 02, *N-grams: more memory, and what it costs*."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "02_ngrams"
START, END = 1, 2  # the numbers of <s> and </s> in the notebook's vocabulary

Sentences = list[list[str]]


def _as_list(value: Any) -> list | None:
    """`value` as a list, or None: readers also give arrays, Series and generators."""
    if isinstance(value, str | bytes | Mapping | Set) or not isinstance(
        value, Iterable
    ):
        return None
    return list(value)


@exercise("visible-history", title="What a 4-gram sees", notebook=NOTEBOOK)
def visible_history(answer: Any) -> None:
    words = _as_list(answer)
    expect(
        words is not None,
        f"A list of words is asked for, such as `['a', 'b']`; this is {kind(answer)}.",
    )
    words = list(map(str, words))
    right = ["out", "of", "the"]
    expect(
        words != ["went", *right],
        "That is a history of four. The 4 of a 4-gram counts the predicted word too.",
    )
    expect(
        words[: len(right)] != right or len(words) == len(right),
        "The word that comes next is what the model predicts: it cannot see it.",
    )
    expect(
        words not in (["the"], ["of", "the"]),
        f"That is the history of a {len(words) + 1}-gram. A 4-gram has longer memory.",
    )
    expect(
        words != ["she", "smiled", "and"],
        "Those are the first words. The model remembers the nearest ones, at the end.",
    )
    expect(
        words != right[::-1],
        "The right words, last one first. A history is read in the order of the text.",
    )
    expect(
        len(words) < 5,
        f"You give {len(words)} words, but a 4-gram forgets all except the last few.",
    )
    expect(words == right, "Take the last n − 1 words of the sentence, in order.")


def _grams(sentence: list[str], n: int, before: int = 1, after: int = 1) -> list[tuple]:
    """n-grams of a sentence; `before` and `after` switch its marks on and off."""
    padded = ["<s>"] * (n - 1) * before + sentence + ["</s>"] * after
    return [tuple(padded[i : i + n]) for i in range(len(padded) - n + 1)]


def _seen(train: Sentences, n: int, **marks: int) -> set[tuple]:
    return {gram for sentence in train for gram in _grams(sentence, n, **marks)}


def _share(
    judge: Callable[[Sequence[bool]], bool], before: int = 1, after: int = 1
) -> Callable[[Sentences, Sentences, int], float]:
    """The share of test sentences whose list of unseen n-grams satisfies `judge`."""

    def share(train: Sentences, test: Sentences, n: int) -> float:
        seen = _seen(train, n, before=before, after=after)
        unseen = [[g not in seen for g in _grams(s, n, before, after)] for s in test]
        return sum(map(judge, unseen)) / len(test)

    return share


def _share_of_ngrams(train: Sentences, test: Sentences, n: int) -> float:
    seen = _seen(train, n)
    unseen = [gram not in seen for s in test for gram in _grams(s, n)]
    return sum(unseen) / len(unseen)


def _share_of_known_words(train: Sentences, test: Sentences, n: int) -> float:
    words = {word for sentence in train for word in sentence}
    return sum(not words.issuperset(s) for s in test) / len(test)


def _share_of_different(train: Sentences, test: Sentences, n: int) -> float:
    different = list(dict.fromkeys(map(tuple, test)))
    return _share(any)(train, list(map(list, different)), n)


def _share_with_one_start(train: Sentences, test: Sentences, n: int) -> float:
    def grams(s: list[str]) -> list[tuple]:
        padded = ["<s>", *s, "</s>"]
        return [tuple(padded[i : i + n]) for i in range(len(padded) - n + 1)]

    seen = {gram for sentence in train for gram in grams(sentence)}
    return sum(any(g not in seen for g in grams(s)) for s in test) / len(test)


def _share_given(value: Any) -> float:
    items = _as_list(value)
    expect(
        items is None or np.ndim(value) == 0,
        "One number is asked for, and this is a list. If it says of each sentence "
        "whether it is impossible, divide its sum by its length.",
    )
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise Hint(f"A number is asked for, and this is {kind(value)}.") from error


def _matches(values: Sequence[float], others: Sequence[float]) -> bool:
    return bool(np.allclose(values, others))


@exercise("impossible-share", title="Impossible sentences", notebook=NOTEBOOK)
def impossible_share(answer: Any) -> None:
    train = [text.split() for text in ("a b c", "c b", "b a b d", "e a")]
    tests = ["a b d", "c b c", "c b", "b a", "a b", "e d c b a", "f", "a b g", "c b"]
    test = [text.split() for text in tests]
    cases = [(train, test, n) for n in (2, 3, 4)]
    values = [_share_given(call(answer, *case)) for case in cases]
    right = _share(any)
    wrong = {
        "That is the share of *n-grams* never seen. Count sentences: one that holds an "
        "unseen n-gram counts once, however many it holds.": _share_of_ngrams,
        "A sentence is impossible as soon as *one* of its factors is zero; you count "
        "those without a single seen n-gram: `any`, not `all`.": _share(all),
        "That is the share of *possible* sentences, the other way round.": (
            lambda *case: 1 - right(*case)
        ),
        "You look at words alone. Two known words can still be an unknown pair: "
        "compare n-grams.": _share_of_known_words,
        "Your n-grams never reach `</s>`, and a sentence can be impossible because it "
        "stops where none stopped before.": _share(any, after=0),
        "Your n-grams never start with `<s>`, and a sentence can be impossible because "
        "of the way it begins.": _share(any, before=0),
        "Your n-grams have neither `<s>` nor `</s>`: beginning and ending are "
        "predictions, too.": _share(any, before=0, after=0),
        "You look at every *different* test sentence once. One that comes twice counts "
        "twice: no `set` of sentences.": _share_of_different,
        "You put one `<s>` before each sentence; a history of n − 1 words needs n − 1 "
        "of them, as in `ngrams`.": _share_with_one_start,
        "That is a number of sentences. Divide it by how many there are.": (
            lambda *case: right(*case) * len(case[1])
        ),
        "That is a percentage. A share lies between 0 and 1.": (
            lambda *case: right(*case) * 100
        ),
    }
    for hint, mistake in wrong.items():
        expect(not _matches(values, [mistake(*case) for case in cases]), hint)
    for case, value in zip(cases, values, strict=True):
        expect(
            _matches([value], [right(*case)]),
            f"After reading {[' '.join(s) for s in train]}, {right(*case):.3f} of "
            f"{tests} are impossible at n = {case[2]}; you say {value:.3f}.",
        )


def _replaced(
    keep: Callable[[int, int], bool] = lambda count, least: count >= least,
    count: Callable[[Sentences, Sentences], Counter] | None = None,
) -> Callable[[Sentences, Sentences, int], Sentences]:
    """`replace_rare` with another rule of what to keep, or of what to count."""

    def replace(train: Sentences, test: Sentences, least: int) -> Sentences:
        counts = (count or _word_counts)(train, test)
        return [[w if keep(counts[w], least) else "<unk>" for w in s] for s in test]

    return replace


def _word_counts(train: Sentences, test: Sentences) -> Counter:
    return Counter(word for sentence in train for word in sentence)


def _sentence_counts(train: Sentences, test: Sentences) -> Counter:
    return Counter(word for sentence in train for word in set(sentence))


def _letters_counted(train: Sentences, test: Sentences) -> Counter:
    text = " ".join(word for sentence in train for word in sentence)
    return Counter({word: text.count(word) for sentence in test for word in sentence})


def _sentences(value: Any) -> Sentences:
    """The reader's sentences as lists of strings, or a hint."""
    asked = "A list of sentences is asked for, each a list of words, as in `test`."
    sentences = _as_list(value)
    expect(sentences is not None, asked)
    sentences = [_as_list(sentence) for sentence in sentences]
    expect(None not in sentences, asked)
    return [[str(word) for word in sentence] for sentence in sentences]


@exercise("replace-rare", title="Replace rare words", notebook=NOTEBOOK)
def replace_rare(answer: Any) -> None:
    texts = "a rose is a rose is a rose", "the rose is red red", "a red day"
    train = [text.split() for text in texts]
    test = [
        ["the", "day", "is", "a", "red", "rose"],
        ["night", "night", "night", "the", "the"],
    ]
    case = (train, test, 3)
    value = _sentences(call(answer, *case))
    right = _replaced()
    wrong = {
        "This is the training text. Its words make the vocabulary; the words to "
        "replace are those of `test`.": lambda train, test, least: right(
            train, train, least
        ),
        "*night* comes three times in the test, but never in training, and you keep "
        "it: a vocabulary must not look at the test.": _replaced(
            count=lambda train, test: _word_counts(train + test, [])
        ),
        "You count the words of the test itself; the vocabulary comes from the "
        "training text.": _replaced(count=lambda train, test: _word_counts(test, [])),
        "*is* comes exactly three times in training and `min_count` is 3: three times "
        "is enough, so `>=`.": _replaced(lambda count, least: count > least),
        "You keep the rare words and replace the frequent ones.": _replaced(
            lambda count, least: count < least
        ),
        "You keep every word of the training text: `min_count` changes nothing.": (
            _replaced(lambda count, least: count > 0)
        ),
        "You count the *sentences* that a word occurs in; count its occurrences.": (
            _replaced(count=_sentence_counts)
        ),
        "Rare words are gone from your sentences. Put `<unk>` in their place, so that "
        "the words around them keep their distance.": lambda *case: [
            [word for word in s if word != "<unk>"] for s in right(*case)
        ],
        "Nothing is replaced: these are the test sentences as they were.": (
            lambda train, test, least: test
        ),
    }
    for hint, mistake in wrong.items():
        expect(value != mistake(*case), hint)
    expect(
        value == right(*case),
        f"With min_count = 3, {' '.join(test[0])!r} should become "
        f"{' '.join(right(*case)[0])!r}; yours begins {' '.join(map(str, value[:1]))}.",
    )
    texts = "rose roses roses", "rosewood is red", "is a b"
    train = [text.split() for text in texts]
    test = [["roses", "is", "red"], ["rose", "wood"], ["roses", "is", "red"]]
    case = (train, test, 2)
    value, wanted = _sentences(call(answer, *case)), right(*case)
    expect(
        value != right(train, test, 3),
        "Right for min_count = 3, which you use whatever `min_count` is.",
    )
    expect(
        value != _replaced(count=_letters_counted)(*case),
        "You find *rose* inside *roses* and *rosewood*, too. Count whole words, not "
        "pieces of text.",
    )
    expect(
        len(value) == len(test),
        f"{len(test)} test sentences go in and {len(value)} come out. One that comes "
        "twice is returned twice.",
    )
    expect(
        value == wanted,
        f"With {train} as the training text and min_count = 2, {test} should become "
        f"{wanted}; yours is {value}.",
    )


def _windows(stream: np.ndarray, n: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(stream, n)


def _rows(windows: np.ndarray) -> Counter:
    return Counter(map(tuple, windows.tolist()))


def _stream(sentences: list[list[int]], n: int) -> np.ndarray:
    padded = [[START] * (n - 1) + sentence + [END] for sentence in sentences]
    return np.array([number for sentence in padded for number in sentence])


@exercise("count-table", title="Count n-grams without a dictionary", notebook=NOTEBOOK)
def count_table(answer: Any) -> None:
    for n in (2, 3, 1):
        stream = _stream(
            [[3, 4, 3, 4], [4], [3, 4, 5], [5, 5, 5, 5], [3, 5], [4, 0], [0, 3, 0]], n
        )
        found = _counted(answer, stream, n)
        _compare(found, stream, n)
    # 65,536 = 2¹⁶ words: with four of them before it, a word is multiplied by 2⁶⁴.
    top = 2**16 - 1
    stream = _stream([[top, 3, 4, 5, 6, 7], [9, 3, 4, 5, 6, 7]], 6)
    found, right = _counted(answer, stream, 6), _rows(_kept(stream, 6))
    expect(
        len(found) >= len(right),
        f"Right up to n = 3. At n = 6, with {top + 1:,} words, different n-grams get "
        "the same key: one int64 cannot hold that product. Replace the keys by small "
        "numbers (`return_inverse`) before you multiply again.",
    )
    expect(
        found == right,
        "Right up to n = 3, but at n = 6 some n-grams come back with other words or "
        "counts.",
    )


def _kept(stream: np.ndarray, n: int) -> np.ndarray:
    windows = _windows(stream, n)
    return windows[windows[:, -1] != START]


def _counted(answer: Any, stream: np.ndarray, n: int) -> Counter:
    """The reader's two arrays as a Counter."""
    value = call(answer, stream, n)
    expect(
        isinstance(value, tuple | list) and len(value) == 2,
        f"Two arrays are asked for, `return grams, counts`; this is {kind(value)}.",
    )
    grams, counts = np.asarray(value[0]), np.asarray(value[1])
    expect(
        grams.ndim == 2 and grams.shape[1] == n,
        f"`grams` should have one row for each n-gram, shape (distinct, {n}); yours "
        f"has shape {grams.shape}.",
    )
    expect(
        counts.shape == (len(grams),),
        f"`counts` should hold one number for each of the {len(grams)} rows of "
        f"`grams`; its shape is {counts.shape}.",
    )
    rows = [tuple(row) for row in grams.tolist()]
    repeated = [row for row, times in Counter(rows).items() if times > 1]
    expect(
        not repeated,
        f"The n-gram {repeated[:1]} has more than one row: group equal n-grams, and "
        "count them.",
    )
    return Counter(dict(zip(rows, counts.tolist(), strict=True)))


def _compare(found: Counter, stream: np.ndarray, n: int) -> None:
    right = _rows(_kept(stream, n))
    turned = Counter({gram[::-1]: times for gram, times in right.items()})
    expect(
        found != turned or turned == right,
        "Your n-grams read backwards: the first column should hold the first word.",
    )
    whole = Counter({g: times for g, times in right.items() if START not in g})
    expect(
        found != whole or whole == right,
        "You drop every window that holds `<s>`. As a history it is needed; only "
        "windows that *end* in `<s>` are left out.",
    )
    crossing = [gram for gram in found if gram[-1] == START]
    expect(
        not crossing,
        f"`{crossing[0] if crossing else ()}` ends in the number of `<s>`, which is "
        "given and never predicted: leave those windows out.",
    )
    expect(
        not any(END in gram[:-1] for gram in found),
        "Some n-grams go on after `</s>`, from one sentence into the next.",
    )
    expect(
        found != _rows(_kept(stream[:-1], n)),
        "The very last n-gram is missing: a stream of m numbers has m − n + 1 windows.",
    )
    expect(
        found.keys() != right.keys() or found.total() != len(right),
        "Every count is 1: count how often each n-gram occurs "
        "(`np.unique(…, return_counts=True)`).",
    )
    lost = right.keys() - found.keys()
    expect(
        not lost or found.total() != right.total(),
        f"`{min(lost, default=())}` was counted as another n-gram: two n-grams share a "
        "key. Multiply by a number larger than every word number, "
        "`stream.max() + 1`, and keep the order of the words.",
    )
    expect(
        found == right,
        f"For the stream {stream.tolist()} and n = {n} the counts should be "
        f"{dict(right.most_common(3))} …, and yours are {dict(found.most_common(3))} …",
    )
