"""Sampling, against the distributions that it should follow."""

import numpy as np
import pytest

from lmcourse.ngrams import (
    SMOOTHERS,
    AddK,
    JelinekMercer,
    MaximumLikelihood,
    StupidBackoff,
    UnseenHistory,
    WittenBell,
)
from lmcourse.ngrams.sampling import Shape

pytestmark = pytest.mark.filterwarnings(
    "ignore::lmcourse.ngrams.smoothing.DiscountWarning"
)

SENTENCES = [["a", "b", "a"], ["b"], ["a", "a", "c"], ["c", "a", "b", "b"]] * 2
SENTENCES += [["b", "c"], ["a"], ["d", "b"]]
DRAWN = 20_000
FIVE_SIGMA = 5 * 0.5 / DRAWN**0.5


def fitted(smoother):
    if smoother is JelinekMercer:
        return smoother(3, (0.1, 0.2, 0.3, 0.4)).fit(SENTENCES)
    return smoother(3).fit(SENTENCES)


def next_words(model, start, **options):
    """How often each word number came right after `start`."""
    cut = len(start) + 1
    drawn = model.sample(DRAWN, start=start, max_tokens=cut, **options)
    words = [(*sentence, "</s>")[len(start)] for sentence in drawn]
    numbers = [2 if word == "<unk>" else model.index[word] for word in words]
    return np.bincount(numbers, minlength=len(model.words)) / DRAWN


@pytest.mark.parametrize("start", [[], ["a"], ["b", "a"], ["never", "seen"]])
@pytest.mark.parametrize("smoother", SMOOTHERS.values())
def test_words_are_drawn_as_often_as_the_model_says(smoother, start):
    model = fitted(smoother)
    if smoother is MaximumLikelihood and "never" in start:
        with pytest.raises(UnseenHistory):
            model.sample(start=start)
        return
    p = model.distribution(["<s>", *start])
    assert next_words(model, start) == pytest.approx(p / p.sum(), abs=FIVE_SIGMA)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_raises_probabilities_to_a_power(temperature):
    model = fitted(WittenBell)
    p = model.distribution(["<s>", "a"]) ** (1 / temperature)
    drawn = next_words(model, ["a"], temperature=temperature)
    assert drawn == pytest.approx(p / p.sum(), abs=FIVE_SIGMA)


def test_top_k_keeps_the_likeliest_words():
    p = Shape(top_k=2)(np.log10([0.1, 0.4, 0.2, 0.3]))
    assert p == pytest.approx([0, 4 / 7, 0, 3 / 7])
    assert Shape(top_k=9)(np.log10([0.25, 0.75])) == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.3, [1]), (0.4, [1]), (0.41, [1, 3]), (0.75, [1, 2, 3]), (1.0, [0, 1, 2, 3])],
)
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p, kept):
    p = Shape(top_p=top_p)(np.log10([0.1, 0.4, 0.2, 0.3]))
    assert np.flatnonzero(p).tolist() == kept
    assert p.sum() == pytest.approx(1)


def test_top_1_is_the_likeliest_path():
    model = fitted(WittenBell)
    (sentence,) = model.sample(top_k=1, max_tokens=5)
    history = ["<s>"]
    for word in sentence:
        assert word == model.words[np.argmax(model.distribution(history))]
        history.append(word)


def test_one_seed_gives_one_text_and_another_another():
    model = fitted(WittenBell)
    assert model.sample(20, seed=3) == model.sample(20, seed=3)
    assert model.sample(20, seed=3) != model.sample(20, seed=4)
    generator = np.random.default_rng(3)
    assert model.sample(20, seed=generator) == model.sample(20, seed=3)


def test_sentences_start_as_told_and_are_cut_at_the_limit():
    model = fitted(AddK)
    sampled = model.sample(50, start=["a", "new"], max_tokens=4)
    assert all(sentence[:2] == ["a", "new"] for sentence in sampled)
    assert max(map(len, sampled)) == 4


def test_sampled_text_has_the_entropy_that_the_model_gives_it():
    """On its own samples a model's perplexity is exp(entropy), whatever it is."""
    model = fitted(WittenBell)
    first, second = ([s for s in model.sample(3000, seed=seed) if s] for seed in (1, 2))
    assert model.perplexity(first) == pytest.approx(model.perplexity(second), rel=0.03)
    other = fitted(AddK)
    assert other.perplexity(first) > model.perplexity(first)


def test_the_score_of_stupid_backoff_can_be_sampled():
    sentences = StupidBackoff(2).fit(SENTENCES).sample(10)
    assert {word for s in sentences for word in s} <= {"a", "b", "c", "d", "<unk>"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "top_k=1 always takes the likeliest"),
        ({"temperature": float("nan")}, "above 0"),
        ({"top_k": 0}, "1 or more"),
        ({"top_p": 0}, "more than 0"),
        ({"top_p": 1.5}, "at most 1"),
        ({"n": 0}, "1 or more"),
        ({"max_tokens": 0}, "1 or more"),
        ({"start": ["a", "</s>"]}, r"start is \['a', '</s>'\]: leave out <s>"),
        ({"start": ["<s>"]}, r"start is \['<s>'\]: leave out <s>"),
        ({"seed": -1}, "seed is -1"),
        ({"start": "ab"}, "expected a list"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        fitted(WittenBell).sample(**options)
