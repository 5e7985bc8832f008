"""Judges of notebook 04, *Evaluation: how good is a model, really?*."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from numbers import Real
from typing import Any

import numpy as np

from . import Hint, call, exercise, expect, kind

NOTEBOOK = "04_evaluation"


def _number(value: Any, what: str) -> float:
    """A finite number, or a hint."""
    is_number = isinstance(value, Real) or np.ndim(value) == 0
    try:
        number = float(value) if is_number else math.nan
    except (TypeError, ValueError):
        number = math.nan
    expect(
        math.isfinite(number),
        f"{what} should be a number; this is {kind(value)}.",
    )
    return number


@exercise("bits-per-character", title="Bits per character", notebook=NOTEBOOK)
def bits_per_character(answer: Any) -> None:
    value = _number(answer, "`bpc`")
    wrong = {
        7: "7 is the number of bits per *prediction*. A prediction covers several "
        "characters.",
        7 * 3000 / 600: "You divide by the number of predictions and multiply by the "
        "characters: it is the other way round.",
        math.log(128) / 5: "Those are nats per character: use the logarithm to base 2.",
        128 / 5: "That divides the perplexity. Only its logarithm may be added up and "
        "divided: take log2(128) first.",
        7 * 600: "4,200 bits is what the whole text costs. Share them out among its "
        "characters.",
        2**1.4: "That is the perplexity per character. Its logarithm to base 2 is "
        "asked for.",
    }
    for number, hint in wrong.items():
        expect(not math.isclose(value, number, rel_tol=1e-3), hint)
    expect(
        math.isclose(value, 1.4, rel_tol=1e-3),
        "How many bits does one prediction cost? And the whole text? Then divide by "
        f"its characters. {value:g} is not it.",
    )


# A language of two words for the evaluation to mend. `</s>` is nearly certain to
# follow `</s>`, as it would be for a model that was trained with two of them.
_TOY = {
    "<s>": {"a": 0.6, "b": 0.3, "</s>": 0.1},
    "a": {"a": 0.1, "b": 0.4, "</s>": 0.5},
    "b": {"a": 0.75, "b": 0.05, "</s>": 0.2},
    "</s>": {"</s>": 0.98, "a": 0.01, "b": 0.01},
}
_SENTENCES = [["a", "b"], ["b"], ["a", "b", "a", "a", "b"]]


def _toy(token: str, before: Sequence[str]) -> float:
    """A bigram mixed with chance, the more so the longer the history is."""
    if not before:
        return 1.0 if token == "<s>" else 0.2
    chance = 0.03 * min(len(before), 9) if before[0] == "<s>" else 0.6
    return (1 - chance) * _TOY[before[-1]][token] + chance / 3


def _nats(
    sentence: list[str], first: int = 1, ends: int = 1, start: int = 0
) -> list[float]:
    """-ln p of each token of a sentence, from the token number `first` on.

    Each prediction sees of the tokens before it those from `start` on.
    """
    padded = ["<s>", *sentence, *["</s>"] * ends]
    places = range(first, len(padded))
    return [-math.log(_toy(padded[i], padded[:i][start:])) for i in places]


def _per_token(nats: list[list[float]]) -> float:
    return math.exp(np.mean(np.concatenate(nats)))


def _per_sentence(nats: list[list[float]]) -> float:
    return float(np.mean([math.exp(np.mean(sentence)) for sentence in nats]))


def _log_per_sentence(nats: list[list[float]]) -> float:
    return math.exp(np.mean([np.mean(sentence) for sentence in nats]))


_AVERAGES: dict[Callable, str] = {
    _per_token: "",
    _per_sentence: "you average the perplexities of the sentences: collect the "
    "probabilities of all tokens first, and average once",
    _log_per_sentence: "you average a mean for each sentence, so that short sentences "
    "weigh as much as long ones: average over tokens",
}
_FIRST = {0: "you predict `<s>`, which is given: begin with the first word", 1: ""}
_ENDS = {
    0: "the end of the sentence is not predicted at all: add one `</s>`",
    1: "",
    2: "there are two `</s>`, and the second one is a free point",
}


_SEEN = {
    -1: "`before` holds only the last token. Pass *all* tokens before "
    "the predicted one, from `<s>` on: a model may look at them.",
    1: "`before` should begin with `<s>`: without it a model does not "
    "know where the sentence starts.",
}


@exercise("honest-perplexity", title="Mend an evaluation", notebook=NOTEBOOK)
def honest_perplexity(answer: Any) -> None:
    value = _number(call(answer, _toy, _SENTENCES), "The perplexity")
    expect(value > 0, f"A perplexity is positive; this is {value:g}.")
    right = _per_token([_nats(sentence) for sentence in _SENTENCES])
    expect(
        not math.isclose(value, math.log(right), rel_tol=1e-6),
        "That is the cross-entropy in nats: take its exponential.",
    )
    expect(
        not math.isclose(value, math.exp(math.log2(right)), rel_tol=1e-6),
        "You take logarithms to base 2 and the exponential to base e: use one base.",
    )
    expect(
        not math.isclose(value, 1 / right, rel_tol=1e-6),
        "That is below 1, the mean probability: a sign is missing. Take the "
        "exponential of *minus* the mean logarithm.",
    )
    words = sum(map(len, _SENTENCES))
    predictions = words + len(_SENTENCES)
    expect(
        not math.isclose(value, right ** (predictions / words), rel_tol=1e-6),
        "You divide by the number of words. Each `</s>` is a prediction, too: divide "
        "by the number of probabilities that you added up.",
    )
    for start, hint in _SEEN.items():
        variant = _per_token([_nats(s, start=start) for s in _SENTENCES])
        expect(not math.isclose(value, variant, rel_tol=1e-6), hint)
    for average, first, ends in product(_AVERAGES, _FIRST, _ENDS):
        variant = average([_nats(sentence, first, ends) for sentence in _SENTENCES])
        mistakes = [_AVERAGES[average], _FIRST[first], _ENDS[ends]]
        found = "; and ".join(mistake for mistake in mistakes if mistake)
        if found and math.isclose(value, variant, rel_tol=1e-6):
            raise Hint(f"{found[0].upper()}{found[1:]}.")
    expect(
        math.isclose(value, right, rel_tol=1e-6),
        f"For a small language of two words the perplexity should be {right:.4f}, and "
        f"yours is {value:.4f}. Does `before` hold `<s>` and all words so far?",
    )


def _blocks() -> tuple[np.ndarray, np.ndarray]:
    """Forty blocks of unlike length and difficulty."""
    random = np.random.default_rng(4)
    tokens = random.integers(30, 400, size=40)
    nats = random.normal(5.0, 0.4, size=40) - 0.003 * tokens
    tokens[0], nats[0] = 400, 7.5  # who never draws it should notice
    return -nats * tokens, tokens


Resample = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _ratio(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.exp(-a[places].sum(axis=1) / b[places].sum(axis=1))


def _apart(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.exp(-a[places].sum(axis=1) / b[places[::-1]].sum(axis=1))


def _mean_of_blocks(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.exp(-a[places] / b[places]).mean(axis=1)


def _one_block(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.exp(-a[places[:, 0]] / b[places[:, 0]])


def _half(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    return _ratio(a, b, places[:, : places.shape[1] // 2])


def _double(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    return _ratio(a, b, np.hstack([places, places[::-1]]))


def _never_first(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    return _ratio(a, b, np.random.default_rng(3).integers(1, len(a), places.shape))


def _half_once(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    order = np.random.default_rng(3).random(places.shape).argsort(axis=1)
    return _ratio(a, b, order[:, : len(a) // 2])


def _in_nats(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.log(_ratio(a, b, places))


_RIGHT = (_ratio, (2.5, 97.5))
_BOOTSTRAPS: list[tuple[Resample, tuple[float, float], str]] = [
    (
        _ratio,
        (5, 95),
        "That is the 90 % interval. For 95 %, cut off 2.5 % at either end.",
    ),
    (
        _ratio,
        (0.5, 99.5),
        "That is the 99 % interval. For 95 %, cut off 2.5 % at either end.",
    ),
    (
        _ratio,
        (0, 100),
        "Those are the smallest and the largest resample: take the percentiles 2.5 and "
        "97.5.",
    ),
    (
        _ratio,
        (16, 84),
        "That is one standard deviation to either side, about 68 %; 95 % is wanted.",
    ),
    (
        _apart,
        (2.5, 97.5),
        "Far too wide: the log-probabilities and the tokens of a block must be drawn "
        "together, with the same places.",
    ),
    (
        _mean_of_blocks,
        (2.5, 97.5),
        "You average the blocks' perplexities. Sum the log-probabilities and the "
        "tokens of a resample, divide once, and exponentiate last.",
    ),
    (
        _one_block,
        (2.5, 97.5),
        "Your resamples have one block each; they need as many blocks as there are.",
    ),
    (
        _half,
        (2.5, 97.5),
        "Your resamples are half as large as the test. Draw as many blocks as there "
        "are.",
    ),
    (
        _double,
        (2.5, 97.5),
        "Your resamples are twice as large as the test, and the interval is too "
        "narrow. Draw as many blocks as there are.",
    ),
    (
        _never_first,
        (2.5, 97.5),
        "Your places never include 0, so the first block is never drawn: "
        "`random.integers(0, len(tokens), …)`.",
    ),
    (
        _half_once,
        (2.5, 97.5),
        "No block comes twice in a resample of yours: draw with replacement, as many "
        "blocks as there are.",
    ),
    (
        _in_nats,
        (2.5, 97.5),
        "That interval is in nats a token: take the exponential.",
    ),
]


@exercise("bootstrap-interval", title="A bootstrap interval", notebook=NOTEBOOK)
def bootstrap_interval(answer: Any) -> None:
    log_probs, tokens = _blocks()
    value = call(answer, log_probs, tokens, np.random.default_rng(1))
    expect(
        isinstance(value, tuple | list | np.ndarray) and len(value) == 2,
        f"Two numbers are asked for, `return low, high`; this is {kind(value)}.",
    )
    low, high = _number(value[0], "`low`"), _number(value[1], "`high`")
    expect(low <= high, f"`low` is {low:.1f} and `high` {high:.1f}: exchange them.")
    expect(
        high - low > 1e-6 * abs(high),
        "Both ends are equal: every resample holds the same blocks. Draw them *with* "
        "replacement.",
    )
    whole = math.exp(-log_probs.sum() / tokens.sum())
    expect(
        not whole / 2 < high < whole,
        f"Both ends lie below the perplexity of the whole test, {whole:.1f}. "
        "`np.percentile` wants per cent: 2.5 and 97.5, not 0.025 and 0.975.",
    )
    places = np.random.default_rng(2).integers(0, 40, size=(20_000, 40))

    def miss(resample: Resample, percent: tuple[float, float]) -> float:
        """How far the answer is from this rule, in widths of its interval."""
        ends = np.percentile(resample(log_probs, tokens, places), percent)
        return np.abs(ends - [low, high]).max() / (ends[1] - ends[0])

    right = miss(*_RIGHT)
    nearest, hint = min((miss(*rule), hint) for *rule, hint in _BOOTSTRAPS)
    # Two thousand resamples place each end to about 2 % of the width; the ends of
    # single blocks jump from one block to the next.
    expect(right < nearest or nearest > 0.3, hint)
    ends = np.percentile(_ratio(log_probs, tokens, places), _RIGHT[1])
    expect(
        right < 0.1,
        f"For forty blocks the interval should be about {ends[0]:.0f} to "
        f"{ends[1]:.0f}, and yours is {low:.1f} to {high:.1f}.",
    )


# (log prior, log channel) of what was meant by *fase*, *dor* and *frm*. No wrong rule
# below chooses the right word in all three; the last one tells weights apart.
_CASES = [
    (
        {
            "fate": -3.5,
            "face": -2.0,
            "vase": -30.0,
            "case": -1.9,
            "false": -4.0,
            "ease": -8.0,
            "faze": -60.0,
        },
        {
            "face": -1.6,
            "fate": -0.95,
            "vase": -0.9,
            "case": -6.0,
            "false": -9.0,
            "ease": -7.0,
            "faze": -1.2,
        },
    ),
    (
        {"odor": -12.0, "dog": -0.9, "door": -8.0},
        {"odor": -1.0, "dog": -16.0, "door": -2.0},
    ),
    (
        {"for": -2.5, "from": -4.0, "fro": -5.2},
        {"for": -3.0, "from": -1.0, "fro": -0.3},
    ),
]
_RULES: dict[str, Callable[[float, float], float]] = {
    "You ask the language model alone. How likely is it that the word was mistyped in "
    "this way? Add the log-probability of the channel.": lambda prior, channel: prior,
    "You ask the channel alone, so that the rarest words come back. Add the "
    "log-probability of the prior.": lambda prior, channel: channel,
    "The product of two logarithms means nothing: probabilities are multiplied, so "
    "logarithms are *added*.": lambda prior, channel: prior * channel,
    "That is the worst candidate: log-probabilities are negative, and the largest sum "
    "is nearest to 0.": lambda prior, channel: -(prior + channel),
    "You add the probabilities. Both things must happen, so they are multiplied: add "
    "the *logarithms*.": lambda prior, channel: math.exp(prior) + math.exp(channel),
    "You divide by the channel. Bayes' rule multiplies: add the two "
    "logarithms.": lambda prior, channel: prior - channel,
    "You divide one logarithm by the other. Probabilities are multiplied, so their "
    "logarithms are added.": lambda prior, channel: prior / channel,
    "You take the larger of the two logarithms. Both things must happen: add "
    "them.": max,
    "You give the language model more weight than the channel. Bayes' rule counts "
    "both once: `log_prior + log_channel`.": lambda prior, channel: 2 * prior + channel,
    "You give the channel more weight than the language model. Bayes' rule counts "
    "both once: `log_prior + log_channel`.": lambda prior, channel: prior + 2 * channel,
}


@exercise("noisy-channel", title="The noisy channel's choice", notebook=NOTEBOOK)
def noisy_channel(answer: Any) -> None:
    chosen = [call(answer, *case) for case in _CASES]
    for word in chosen:
        expect(
            isinstance(word, str),
            f"Return the chosen word itself, a string; this is {kind(word)}.",
        )
    for word, (prior, _) in zip(chosen, _CASES, strict=True):
        expect(word in prior, f"{word!r} is none of the candidates {', '.join(prior)}.")
    expect(
        chosen != [max(prior) for prior, _ in _CASES],
        "`max` of a dictionary compares its words by the alphabet. Tell it with `key=` "
        "what to compare.",
    )
    expect(
        chosen != [next(iter(prior)) for prior, _ in _CASES],
        "That is the first candidate, whatever its probabilities are: compare all.",
    )
    for hint, rule in _RULES.items():
        expect(chosen != _best(rule), hint)
    right = _best(lambda prior, channel: prior + channel)
    for word, best, (prior, channel) in zip(chosen, right, _CASES, strict=True):
        expect(
            word == best,
            f"For the priors {prior} and the channel {channel} the choice is {best!r}, "
            f"and yours is {word!r}; look at the sum of the logarithms.",
        )


def _best(rule: Callable[[float, float], float]) -> list[str]:
    return [
        max(prior, key=lambda word: rule(prior[word], channel[word]))
        for prior, channel in _CASES
    ]
