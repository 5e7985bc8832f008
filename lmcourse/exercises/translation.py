"""Judges of notebook 10, *Translation*."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "10_translation"
END = 1  # the number of </s> in all examples


def _numbers(value: Any, asked: str) -> list[float]:
    """`value` as a list of numbers, or a hint that says what was asked for."""
    if callable(getattr(value, "tolist", None)):  # a tensor or an array
        value = value.tolist()
    try:
        if isinstance(value, str | bytes | Mapping):
            raise TypeError
        return [_number(one, asked) for one in value]
    except TypeError as error:
        raise Hint(f"{asked} is asked for, and this is {kind(value)}.") from error


def _number(value: Any, asked: str) -> float:
    """`value` as a float, or a hint that says what was asked for."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        return float(value)
    except (TypeError, ValueError) as error:
        raise Hint(f"{asked} is asked for, and this is {kind(value)}.") from error


# ---------------------------------------------------------------- a dictionary

SENTENCES = [
    ("i drink water .", "我喝水。"),
    ("i drink tea .", "我喝茶。"),
    ("you drink water .", "你喝水。"),
    ("i see you .", "我看你。"),
    ("water , water , cold water .", "水，水，冷水。"),
    ("cold tea is tea .", "冷茶是茶。"),
    # Not word by word, so that places, tokens and other measures lead elsewhere:
    ("tea , tea , tea .", "茶。"),
    ("tea is tea , water is water .", "茶是茶，水是水。"),
    ("you drink , drink , drink .", "你喝。"),
    ("it is cold , very , very cold .", "很冷，很冷。"),
    ("i see .", "看，我看看看。"),
]
TEXT = [(english.split(), list(chinese)) for english, chinese in SENTENCES]
Measure = Callable[[int, int, int], float]  # of both, of the word, of the character


def _dice(both: int, word: int, character: int) -> float:
    return 2 * both / (word + character)


def _partners(measure: Measure, once: bool = True) -> dict[str, set[str]]:
    """Each word's best characters by a measure; `once` counts pairs, not tokens."""

    def count(tokens: list[str]) -> list[str]:
        return list(dict.fromkeys(tokens)) if once else tokens  # in a fixed order

    words, characters, both = Counter(), Counter(), Counter()
    for english, chinese in TEXT:
        words.update(count(english))
        characters.update(count(chinese))
        both.update((w, c) for w in count(english) for c in count(chinese))
    scores: dict[str, dict[str, float]] = {}
    for (word, character), times in both.items():
        score = measure(times, words[word], characters[character])
        scores.setdefault(word, {})[character] = score
    return {
        word: {c for c, score in found.items() if score > max(found.values()) - 1e-9}
        for word, found in scores.items()
    }


def _fits(found: Mapping[Any, Any], best: dict[str, set[str]]) -> bool:
    return all(found.get(word) in characters for word, characters in best.items())


@exercise("best-partners", title="A dictionary from counts", notebook=NOTEBOOK)
def best_partners(answer: Any) -> None:
    found = call(answer, TEXT)
    expect(
        isinstance(found, Mapping),
        "A dictionary from each English word to one Chinese character is asked for, "
        f"and this is {kind(found)}.",
    )
    best = _partners(_dice)
    for word in best:
        expect(word in found, f"*{word}* is not in your dictionary.")
        expect(
            isinstance(found[word], str),
            f"For *{word}* you give {kind(found[word])}: the one character that goes "
            "best with it is asked for.",
        )
    wrong = {
        "That is the character that occurs *most often* beside each word, so marks and "
        "我 win everywhere (to divide by the count of the word alone changes nothing). "
        "Divide by the *sum* of both counts.": (lambda both, word, character: both),
        "You divide by the count of the *character* alone, or by the product of both "
        "counts: a character seen once, by accident beside the word, wins. Divide by "
        "the *sum* of both counts.": lambda both, word, character: both / character,
        "That is the character that goes *worst* with each word: `max`, not `min`.": (
            lambda both, word, character: -_dice(both, word, character)
        ),
    }
    for hint, measure in wrong.items():
        expect(_fits(found, best) or not _fits(found, _partners(measure)), hint)
    expect(
        _fits(found, best) or not _fits(found, _partners(_dice, once=False)),
        "You count tokens: *water* and 水 stand three times each in one pair, and you "
        "count nine meetings. Count each pair of sentences once: `set(english)`.",
    )
    for word, characters in best.items():
        expect(
            found[word] in characters,
            f"For *{word}* the best is {' or '.join(sorted(characters))}, and yours is "
            f"{found[word]}.",
        )


# ---------------------------------------------------------------- BLEU by hand

# The one has more of 水, the other more of 喝.
HYPOTHESIS, REFERENCE = "我喝喝水水水水", "我们水喝喝了喝茶水"
SIZES = (1, 2, 3)  # of n-grams
Clip = tuple[int, int]


def _clipped(hypothesis: Sequence[str], reference: Sequence[str], n: int) -> Clip:
    """How many n-grams of the hypothesis are in the reference, and of how many."""
    found, known = _grams(hypothesis, n), _grams(reference, n)
    return (found & known).total(), found.total()


def _grams(text: Sequence[str], n: int) -> Counter:
    """The n-grams of a text, counted."""
    return Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))


def _distorted(name: str, hypothesis: str, reference: str, n: int) -> Clip:
    """The usual mistakes in counting matches."""
    found, known = _grams(hypothesis, n), _grams(reference, n)
    match name:
        case "unclipped":
            return sum(c for g, c in found.items() if g in known), found.total()
        case "types":
            return len(found.keys() & known.keys()), len(found)
        case "recall":
            return (found & known).total(), known.total()
        case "single":
            return _clipped(hypothesis, reference, 1)
        case "length":
            return (found & known).total(), len(hypothesis)
        case "place":
            both = zip(
                [hypothesis[i : i + n] for i in range(len(hypothesis) - n + 1)],
                [reference[i : i + n] for i in range(len(reference) - n + 1)],
                strict=False,
            )
            return sum(one == other for one, other in both), found.total()
        case _:
            return len(found.keys() & known.keys()), found.total()


@exercise("clipped-precision", title="Clipped n-gram precision", notebook=NOTEBOOK)
def clipped_precision(answer: Any) -> None:
    values = {}
    for n in SIZES:
        value = call(answer, list(HYPOTHESIS), list(REFERENCE), n)
        expect(
            not isinstance(value, int | float),
            "Two numbers are asked for, the matches and the total: a corpus adds up "
            "both before it divides.",
        )
        values[n] = tuple(_numbers(value, "A pair (matches, total)"))
        expect(
            len(values[n]) == 2,
            f"Two numbers are asked for, matches and total, not {len(values[n])}.",
        )
    case = f"hypothesis {HYPOTHESIS}, reference {REFERENCE}"
    wrong = {
        "unclipped": "You do not clip: 水 stands four times in the hypothesis and "
        "twice in the reference, so only two of the four may match.",
        "types": "You count *different* n-grams. Every n-gram of the hypothesis "
        "counts, as often as it occurs (but no more than the reference has it).",
        "recall": "Your total is that of the *reference*: that is recall. Precision "
        "divides by the n-grams of the hypothesis.",
        "single": "For n = 2 you count single characters again: `text[i : i + n]`.",
        "length": "Your total is the number of characters. A text of 7 characters has "
        "only 6 pairs: len − n + 1.",
        "place": "You compare n-grams at the same *place*. They may stand anywhere in "
        "the reference.",
        "set": "Your matches count each different n-gram once. An n-gram may match as "
        "often as the reference has it: the smaller of both counts.",
    }
    right = {n: _clipped(HYPOTHESIS, REFERENCE, n) for n in SIZES}
    for name, hint in wrong.items():
        other = {n: _distorted(name, HYPOTHESIS, REFERENCE, n) for n in SIZES}
        expect(values != other, hint)
    expect(
        any(values[n] != right[n][::-1] for n in SIZES),
        "Matches first, then the total.",
    )
    for n, value in values.items():
        expect(
            value == right[n],
            f"For {case} and n = {n} it should be {right[n]}, and yours is "
            f"({value[0]:g}, {value[1]:g}).",
        )
    short = tuple(_numbers(call(answer, ["好"], list("很好"), 3), "A pair"))
    expect(
        short == (0, 0),
        "A text of one character has no three in a row: it should be (0, 0), and "
        f"yours is ({', '.join(f'{one:g}' for one in short)}).",
    )
    words = tuple(_numbers(call(answer, ["ab", "c"], ["a", "bc"], 2), "A pair"))
    expect(
        words == (0, 1),
        "The tokens `ab c` and `a bc` are two different pairs, although their letters "
        "are the same: make each n-gram a tuple of tokens, not one joined string.",
    )


def _bleu(precisions: Sequence[float], hypothesis: int, reference: int) -> float:
    """BLEU from its parts, 0 to 100 (Papineni et al. 2002)."""
    mean = math.exp(sum(map(math.log, precisions)) / len(precisions))
    return 100 * mean * math.exp(min(0.0, 1 - reference / hypothesis))


@exercise("bleu-from-parts", title="BLEU from its parts", notebook=NOTEBOOK)
def bleu_from_parts(answer: Any) -> None:
    cases = [
        ([0.8, 0.5, 0.4, 0.2], 9, 12),
        ([0.7, 0.5, 0.3, 0.1], 14, 11),
        ([0.6, 0.3, 0.2, 0.1], 10, 10),
    ]
    values = [_number(call(answer, *case), "A number") for case in cases]

    def matches(other: Callable[[Sequence[float], int, int], float]) -> bool:
        expected = [other(*case) for case in cases]
        return all(map(_close, values, expected))

    def mean(precisions: Sequence[float]) -> float:
        return _bleu(precisions, 1, 1)

    wrong = {
        "That is BLEU between 0 and 1. It is reported between 0 and 100.": (
            lambda p, h, r: _bleu(p, h, r) / 100
        ),
        "You average the precisions. BLEU takes their *geometric* mean: exp of the "
        "mean of the logarithms.": lambda p, h, r: (
            100 * sum(p) / len(p) * math.exp(min(0.0, 1 - r / h))
        ),
        "The brevity penalty is missing: a text that is shorter than the reference is "
        "multiplied by exp(1 − reference / hypothesis).": lambda p, h, r: mean(p),
        "Your penalty hits texts that are *longer* than the reference. Precision "
        "punishes those already; brevity is what it overlooks.": (
            lambda p, h, r: mean(p) * math.exp(min(0.0, 1 - h / r))
        ),
        "Your penalty rewards long texts: it may not exceed 1. Use "
        "`min(1, exp(1 − reference / hypothesis))`.": (
            lambda p, h, r: mean(p) * math.exp(1 - r / h)
        ),
        "Your penalty is the ratio of the lengths itself. BLEU's is "
        "exp(1 − reference / hypothesis).": lambda p, h, r: mean(p) * min(1, h / r),
        "You multiply the precisions and leave out the root: with four of them, the "
        "fourth root (or the *mean* of the logarithms).": lambda p, h, r: (
            100 * math.prod(p) * math.exp(min(0.0, 1 - r / h))
        ),
    }
    for hint, other in wrong.items():
        expect(not matches(other), hint)
    for case, value in zip(cases, values, strict=True):
        precisions, hypothesis, reference = case
        expect(
            _close(value, _bleu(*case)),
            f"For precisions {precisions} and lengths {hypothesis} and {reference} it "
            f"should be {_bleu(*case):.2f}, and yours is {value:.2f}.",
        )


def _close(one: float, other: float) -> bool:
    return abs(one - other) < 0.006  # a reader may have rounded


# ---------------------------------------------------------------- what a decoder reads


@exercise("shifted-target", title="Shift the target", notebook=NOTEBOOK)
def shifted_target(answer: Any) -> None:
    target = [7, 5, 9]
    value = call(answer, list(target), END)
    expect(
        isinstance(value, tuple | list) or hasattr(value, "tolist"),
        "Two lists are asked for, what is read and what is predicted; this is "
        f"{kind(value)}.",
    )
    expect(
        len(value) == 2,
        f"Two lists are asked for, what is read and what is predicted; these are "
        f"{len(value)}.",
    )
    read, predict = (_numbers(part, "A list of numbers") for part in value)
    right = ([END, *target], [*target, END])
    wrong = {
        "You predict what you read: at every place the answer is already there, and "
        "the model learns to copy. Shift the one against the other.": (
            [END, *target],
            [END, *target],
        ),
        "You predict what you read, `</s>` included. What is read starts with `</s>`, "
        "what is predicted ends with it.": ([*target, END], [*target, END]),
        "You predict what you read, and no `</s>` at all: the model learns to copy, "
        "and never learns to stop.": (target, target),
        "The two lists are swapped: what is read comes first.": right[::-1],
        "Nothing tells the model to stop: `</s>` must be predicted last.": (
            [END, *target[:-1]],
            target,
        ),
        "The first token is never predicted: read `</s>` first, when nothing has been "
        "written yet.": (target, [*target[1:], END]),
        "You shift, but without `</s>`: nothing is read before the first token, and "
        "the end is never predicted.": (target[:-1], target[1:]),
        "You shift the other way: the model is to predict what came *before*.": (
            [*target, END],
            [END, *target],
        ),
    }
    for hint, other in wrong.items():
        expect((read, predict) != other, hint)
    expect(
        len(read) == len(predict),
        f"You read {len(read)} tokens and predict {len(predict)}: there must be one "
        "prediction for each token read.",
    )
    expect(
        (read, predict) == right,
        f"For {target} and end = {END} it should be {right}, and yours is "
        f"({read}, {predict}).",
    )
    read, predict = (
        _numbers(part, "A list of numbers") for part in call(answer, [4], 8)
    )
    expect(
        (read, predict) == ([8, 4], [4, 8]),
        f"For [4] and end = 8 it should be ([8, 4], [4, 8]), and yours is ({read}, "
        f"{predict}): the number of `</s>` is given as `end`.",
    )


# ---------------------------------------------------------------- greedy decoding

STORY = {5: [4, 6, 6, 3], 8: [2, 7], 9: []}  # source token → what is to be written
STUBBORN = 3  # this source is never finished


class _Storyteller:
    """A translator that knows a few texts by heart, with a state or without."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __deepcopy__(self, memo: Any) -> "_Storyteller":
        return self  # so that the judge sees what a copy was asked

    def train(self, mode: bool = True) -> "_Storyteller":
        return self

    eval = train

    def parameters(self) -> Iterator[Any]:
        import torch

        yield torch.zeros(1)

    def __call__(self, source: Any, tokens: Any, state: Any = None) -> tuple[Any, Any]:
        import torch

        rows = torch.as_tensor(tokens).tolist()
        first = torch.as_tensor(source).tolist()
        if not (isinstance(rows, list) and rows and isinstance(rows[0], list)):
            raise ValueError("the target has to have shape (batch, time): [[…]]")
        if not (isinstance(first, list) and first and isinstance(first[0], list)):
            raise ValueError("the source has to have shape (batch, time): [[…]]")
        read = [*(state or []), *rows[0]]
        self.asked.append(read)
        start = len(read) - len(rows[0])
        said = [self.next(first[0][0], read[: i + 1]) for i in range(start, len(read))]
        logits = torch.nn.functional.one_hot(torch.tensor([said]), 10)
        return logits.float(), read  # (1, time, 10), so flat that drawing goes astray

    def next(self, story: int, read: list[int]) -> int:
        """What comes after the tokens that were read."""
        if story == STUBBORN:
            return 4 + len(read) % 3
        text = [*STORY[story], END]
        written = read[1:] if read[0] == END else read
        if written != text[: len(written)]:
            return 0  # confused
        return text[len(written)] if len(written) < len(text) else 2


@exercise("greedy-loop", title="Greedy decoding", notebook=NOTEBOOK)
def greedy_loop(answer: Any) -> None:
    import torch

    for story, text in STORY.items():
        model = _Storyteller()
        value = call(answer, model, torch.tensor([[story, 2]]), END, 12)
        found = _numbers(value, "A list of tokens")
        _follow(found, text, model.asked)
    model = _Storyteller()
    value = call(answer, model, torch.tensor([[STUBBORN]]), END, 6)
    found = _numbers(value, "A list of tokens")
    expect(
        len(found) <= 6,
        f"A model that never says `</s>` makes you write {len(found)} tokens, although "
        "`limit` is 6.",
    )
    expect(
        len(found) == 6,
        f"A model that never says `</s>` should be stopped after `limit` = 6 tokens, "
        f"and you stop after {len(found)}.",
    )


def _follow(found: list[float], text: list[int], asked: list[list[int]]) -> None:
    """Compare a text with what the model wanted to write."""
    expect(asked, "You never ask the model.")
    expect(
        found != [*text, END],
        "`</s>` is part of your text: it says that the text is complete, and is not "
        "written.",
    )
    expect(
        found != [END, *text] and found != [END, *text, END],
        "The `</s>` that is read first is part of your text: return what comes after.",
    )
    expect(
        asked[0][:1] == [END],
        f"The first token that the model reads must be `</s>` ({END}): nothing has "
        f"been written yet. Yours reads {asked[0]}.",
    )
    expect(
        all(new[:-1] == old for old, new in pairwise(asked)),
        "The model must read all that was written so far, one token more each time (or "
        f"get its state back). Yours reads {asked[0]}, then {asked[1:2]}.",
    )
    expect(
        text == [] or found != [],
        "Your text is empty. Did you look at the logits of the *last* place, "
        "`logits[0, -1]`?",
    )
    expect(
        found == text,
        f"The model wants to write {text}, and yours is "
        f"{[int(token) for token in found]}: take the likeliest token each time.",
    )
