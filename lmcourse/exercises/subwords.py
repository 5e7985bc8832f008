"""Judges of notebook 11, *Sub-words*."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "11_subwords"


def _listed(value: Any, asked: str) -> list:
    """`value` as a list, or a hint that says what was asked for."""
    if isinstance(value, str | bytes | Mapping | Set) or not isinstance(
        value, Iterable
    ):
        raise Hint(f"{asked} is asked for, and this is {kind(value)}.")
    return list(value)


@exercise("first-two-merges", title="The first two merges", notebook=NOTEBOOK)
def first_two_merges(answer: Any) -> None:
    asked = 'A list of two pairs, such as `[("a", "b"), ("c", "d")]`,'
    found = _listed(answer, asked)
    if len(found) == 2 and all(isinstance(item, str) for item in found):
        raise Hint(
            "Each merge is a pair of two tokens, left and right, such as "
            '`("a", "b")`; you give one string for each.'
        )
    pairs = [tuple(map(str, _listed(item, asked))) for item in found]
    expect(
        len(pairs) == 2 and all(len(pair) == 2 for pair in pairs),
        f"Two pairs are asked for; yours is `{found!r:.60}`.",
    )
    first, second = pairs
    expect(
        (second, first) != (("p", "e"), ("t", "_")),
        "The right pairs in the wrong order: which of them is more frequent?",
    )
    expect(
        first not in {("t", "_"), ("e", "t")},
        "`t _` and `e t` occur 3 + 7 = 10 times each. Is there a pair with more?",
    )
    expect(
        first not in {("e", "n"), ("n", "_")},
        "`e n` and `n _` occur in *pen* and *open*, 5 + 4 = 9 times. Is there a pair "
        "with more?",
    )
    expect(
        first == ("p", "e"),
        f"`{' '.join(first)}` is not the most frequent pair. Multiply each pair by how "
        "often its word occurs, and add up.",
    )
    expect(
        second != ("e", "t"),
        "`e t` had 10, but the first merge took the *e* of *pet*: count again after "
        "each merge.",
    )
    expect(
        second not in {("e", "n"), ("pe", "n"), ("n", "_")},
        f"`{' '.join(second)}` occurs 9 times at most. Is there a pair with more?",
    )
    expect(
        second != ("o", "pe") and second != ("o", "p"),
        "*open* occurs four times only. Is there a pair with more?",
    )
    expect(
        second == ("t", "_"),
        f"`{' '.join(second)}` is not the most frequent pair after the first merge. "
        "The mark `_` is a letter like any other.",
    )


def _merged(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


@exercise("merge-pair", title="Merge a pair", notebook=NOTEBOOK)
def merge_pair(answer: Any) -> None:
    def given(symbols: list[str], pair: tuple[str, str]) -> list:
        value = call(answer, symbols, pair)
        if isinstance(value, str):
            raise Hint(
                "A *list* of tokens is asked for. You give one string, in which the "
                "borders between the other tokens are lost."
            )
        return _listed(value, "A list of tokens")

    easy = given(list("water"), ("a", "t"))
    expect(
        easy != list("water") or given(list("tat"), ("a", "t")) != ["ta", "t"],
        "You look for the pair the other way round: `pair[0]` is the left one.",
    )
    expect(
        easy != list("water"),
        "Nothing has been merged: `w a t e r` with the pair `a t` should give "
        "`w at e r`.",
    )
    expect(
        easy[:2] != ["w", ("a", "t")],
        "The pair should become one *string*: `'at'`, not the tuple.",
    )
    expect(
        easy[1:2] == ["at"] and easy[:1] == ["w"],
        f"`w a t e r` with the pair `a t` gives `{' '.join(map(str, easy))}`, and "
        "should give `w at e r`.",
    )
    expect(
        easy != ["w", "at", "t", "e", "r"],
        "The right token of the pair is still there after the merge: skip both.",
    )
    expect(easy != ["w", "at", "e"], "The last token is missing.")
    _compare(easy, "water", ("a", "t"))
    last = given(list("cat"), ("a", "t"))
    expect(
        last == ["c", "at"],
        f"`c a t` gives `{' '.join(map(str, last))}`: look at the end of the list.",
    )
    expect(
        given(list("tatat"), ("a", "t")) != ["t", "at", "a", "t"],
        "`t a t a t` holds the pair twice; you merge the first one only.",
    )
    _compare(given(list("tatat"), ("a", "t")), "tatat", ("a", "t"))
    triple = given(list("aaab"), ("a", "a"))
    expect(
        triple != ["aa", "aa", "b"],
        "`a a a b` has three letters *a*, and yours has four: the two pairs overlap, "
        "and a token can be merged once only. Go on *behind* the pair.",
    )
    expect(
        triple != ["a", "aa", "b"],
        "Of two overlapping pairs the left one comes first: `a a a b` gives `aa a b`.",
    )
    expect(
        triple not in (["aaa", "b"], ["aaab"]),
        "`a a a b` with the pair `a a` gives `aa a b`: what has just been made is "
        "`aa`, and no longer `a`.",
    )
    _compare(triple, "aaab", ("a", "a"))
    apart = given(["the", "sea"], ("e", "s"))
    expect(
        apart == ["the", "sea"],
        "`the sea` has no token `e` and none `s`, so that nothing merges: compare "
        "whole tokens, not letters of a joined string.",
    )
    longer = [
        (["lo", "w", "lo", "w", "_"], ("lo", "w")),
        (["a"], ("a", "b")),
        (["s", "e", "a"], ("a", "e")),
        ([], "ab"),
    ]
    for symbols, pair in longer:
        value = given(symbols, tuple(pair))
        expect(
            value == _merged(symbols, tuple(pair)),
            f"`{symbols}` with `{tuple(pair)}` gives `{value}`, and should give "
            f"`{_merged(symbols, tuple(pair))}`.",
        )


def _compare(value: list, word: str, pair: tuple[str, str]) -> None:
    right = _merged(list(word), pair)
    expect(
        value == right,
        f"`{' '.join(word)}` with the pair `{' '.join(pair)}` gives "
        f"`{' '.join(map(str, value))}`, and should give `{' '.join(right)}`.",
    )


BEGINNINGS = ["[UNK]", "p", "play", "un", "unaff", "unaffa", "a", "able", "in"]
INSIDE = ["##in", "##ing", "##g", "##able", "##aff", "##l", "##e", "##s"]
VOCABULARY = frozenset([*BEGINNINGS, *INSIDE])


def _wordpieces(word: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    while start < len(word):
        mark = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if mark + word[start:end] in VOCABULARY), None)
        if end is None:
            return ["[UNK]"]
        pieces.append(mark + word[start:end])
        start = end
    return pieces


@exercise("longest-match", title="The longest match", notebook=NOTEBOOK)
def longest_match(answer: Any) -> None:
    def given(word: str) -> list:
        value = call(answer, word, set(VOCABULARY))
        expect(value != "[UNK]", "Give a *list* with one token: `['[UNK]']`.")
        return _listed(value, "A list of tokens")

    playing = given("playing")
    expect(
        playing != ["play", "ing"],
        "Inside a word a piece is written with its mark: `##ing`, not `ing`.",
    )
    expect(
        playing != ["##play", "##ing"],
        "`play` begins the word: its piece has no `##`.",
    )
    shortest_first = given("unaff") == ["un", "##aff"]
    expect(
        playing != ["[UNK]"] or shortest_first,
        "`playing` can be cut into pieces of the vocabulary, and yours is `[UNK]`. Try "
        "every end of a piece, and look for what comes after the first with its `##`.",
    )
    expect(
        playing[:1] not in (["p"], ["[UNK]"]),
        "`playing` begins with `p`, but also with `play`, which is longer: try the "
        "longest first.",
    )
    expect(
        playing != ["play", "##in", "##g"],
        "`##ing` is longer than `##in`: try the longest first inside the word as well.",
    )
    expect(
        playing != ["play"],
        "That is the first piece of `playing`. Go on with the rest of the word.",
    )
    _same(playing, "playing")
    for word in ("play", "p", "plays"):
        _same(given(word), word)
    unable = given("unable")
    expect(
        unable not in (["un", "able"], ["[UNK]"]),
        "`unable` is `un ##able`: what comes after `un` is inside the word, so look "
        "for `##able`, not for `able`.",
    )
    _same(unable, "unable")
    expect(
        given("inplay") != ["in", "##play"],
        "There is no `##play` in the vocabulary, and `play` can only begin a word: "
        "`inplay` is `[UNK]`.",
    )
    partly = given("playz")
    expect(
        partly[:1] != ["play"] or partly == ["play"],
        "Where no token fits, the *whole* word is `[UNK]`, also the part that did fit.",
    )
    expect(
        partly != ["play"],
        "No token fits the `z` of `playz`, and you leave it out: the word is `[UNK]`.",
    )
    _same(partly, "playz")
    stuck = given("unaffable")
    expect(
        stuck not in (["un", "##aff", "##able"], ["unaff", "##able"]),
        "The longest token that `unaffable` begins with is `unaffa`. Then nothing fits "
        "`ble`, and WordPiece does not go back to try a shorter one: `[UNK]`.",
    )
    for word in ("unaffable", "zplay", "playin", "inplay", "inin", "unaffs"):
        _same(given(word), word)


def _same(value: list, word: str) -> None:
    expect(
        value == _wordpieces(word),
        f"`{word}` gives `{value}`, and should give `{_wordpieces(word)}`; the "
        f"vocabulary is `{' '.join(sorted(VOCABULARY))}`.",
    )


def _offsets(text: str, tokens: list[str]) -> list[tuple[int, int]]:
    found, position = [], 0
    for token in tokens:
        piece = token.removeprefix("##")
        start = text.lower().index(piece, position)
        position = start + len(piece)
        found.append((start, position))
    return found


@exercise("token-offsets", title="Offsets of the tokens", notebook=NOTEBOOK)
def token_offsets(answer: Any) -> None:
    def given(text: str, tokens: list[str]) -> list[tuple[int, int]]:
        value = _listed(call(answer, text, tokens), "A list of pairs")
        pairs = [_listed(pair, "A list of `(start, end)`") for pair in value]
        expect(
            all(len(pair) == 2 for pair in pairs),
            "Each token needs two numbers, `(start, end)`.",
        )
        expect(
            len(pairs) == len(tokens),
            f"{len(tokens)} tokens need as many pairs, and you give {len(pairs)}.",
        )
        try:
            return [(int(start), int(end)) for start, end in pairs]
        except (TypeError, ValueError) as error:
            raise Hint(
                f"Two *numbers* a token are asked for, not {pairs[0]}."
            ) from error

    text, tokens = "reading well", ["reading", "well"]
    plain = given(text, tokens)
    expect(
        plain != [(0, 6), (8, 11)],
        "`end` is the place *behind* the last character, so that `text[start:end]` is "
        "the whole piece: 7 for `reading`.",
    )
    expect(
        plain != [(0, 7), (7, 11)],
        "You count the letters of the tokens, and not the space between them: the text "
        "must be looked at.",
    )
    expect(
        plain != [(0, 7), (8, 4)],
        "The second number is where the piece ends, not how long it is.",
    )
    _spans(plain, text, tokens)
    text, tokens = "unreadable signs", ["un", "##read", "##able", "signs"]
    inside = given(text, tokens)
    expect(
        inside != [(0, 2), (0, 10), (0, 10), (11, 16)]
        and inside != [(0, 10), (0, 10), (0, 10), (11, 16)],
        "That is where the *word* stands. A piece stands for a part of it.",
    )
    expect(
        inside[1] != (2, 8),
        "The marks `##` are not in the text: take them off before you count letters.",
    )
    _spans(inside, text, tokens)
    try:
        capital = given("Sofa", ["so", "##fa"])
    except Hint as error:
        capital = str(error)
    expect(
        capital == [(0, 2), (2, 4)],
        f"`Sofa` with `so ##fa`: {capital}. The text has a capital, the tokens have "
        "none: compare in lower case.",
    )
    text, tokens = "No!  no", ["no", "!", "no"]
    twice = given(text, tokens)
    expect(
        twice != [(0, 2), (2, 3), (0, 2)],
        "The second `no` is not the first one: search behind the token before.",
    )
    _spans(twice, text, tokens)
    text, tokens = "a banana", ["a", "ban", "##ana"]
    expect(
        given(text, tokens) != [(0, 1), (2, 5), (3, 6)],
        "`##ana` of *banana* begins where `ban` ends. You found an earlier `ana`: "
        "search behind the whole token before, not behind its first letter.",
    )
    spaces = ("   aa a", ["aa", "a"])
    expect(
        given(*spaces) != [(3, 5), (3, 4)],
        "`aa` ends at 5 in `   aa a`, although it is two letters long: search behind "
        "the place where the token before *ends*, not behind its number of letters.",
    )
    longer = [
        spaces,
        ("", []),
        ("  C# or\tF#?\n", ["c", "#", "or", "f", "#", "?"]),
        ("Mama, MAMA", ["ma", "##ma", ",", "mam", "##a"]),
        ("don't", ["don", "'", "t"]),
        ("aaaa a", ["aa", "##a", "##a", "a"]),
    ]
    for text, tokens in [("a banana", ["a", "ban", "##ana"]), *longer]:
        value = (
            given(text, tokens) if tokens else _listed(call(answer, text, tokens), "")
        )
        _spans(value, text, tokens)


def _spans(value: list, text: str, tokens: list[str]) -> None:
    right = _offsets(text, tokens)
    expect(
        value == right,
        f"`{text!r}` with `{' '.join(tokens)}` gives `{value}`, and should give "
        f"`{right}`.",
    )
