"""Perplexities that other tools gave on two real texts, and laws on a third."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcourse import corpora
from lmcourse.ngrams import (
    SMOOTHERS,
    AddK,
    Counts,
    JelinekMercer,
    KneserNey,
    ModifiedKneserNey,
    UnseenHistory,
)
from lmcourse.text import Vocabulary

KENLM = json.loads((Path(__file__).parent / "kenlm.json").read_text("utf-8"))["corpora"]
pytestmark = pytest.mark.filterwarnings(
    "ignore::lmcourse.ngrams.smoothing.DiscountWarning"
)


@pytest.fixture(scope="module", params=KENLM)
def reference(request):
    """What KenLM found on a corpus, our counts of it, and its test text.

    Every tenth line is the test; types seen once in training are ``<unk>``.
    """
    expected = KENLM[request.param]
    sentences = corpora.load(request.param).items
    parts = {
        "training": [s for i, s in enumerate(sentences) if i % 10 != 9],
        "test": [s for i, s in enumerate(sentences) if i % 10 == 9],
    }
    vocabulary = Vocabulary(parts["training"], min_count=2)
    for name, part in parts.items():
        parts[name] = [vocabulary.replace_unknown(sentence) for sentence in part]
        text = "".join(" ".join(sentence) + "\n" for sentence in parts[name])
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert digest.startswith(expected[name]["sha256"])  # the very text KenLM read
        assert len(parts[name]) == expected[name]["lines"]
    return expected, Counts.of(parts["training"], 5), parts["test"]


@pytest.mark.parametrize("order", [2, 3, 5])
def test_modified_kneser_ney_equals_kenlm_to_four_decimals(reference, order):
    expected, counts, test = reference
    model = ModifiedKneserNey(order).fit(counts)
    assert round(model.perplexity(test), 4) == expected["perplexity"][str(order)]


@pytest.mark.parametrize("reference", ["king_james_bible"], indirect=True)
def test_discounts_equal_those_of_kenlm_to_three_digits(reference):
    """KenLM counts the last unigram in another way, which shows in the fourth digit."""
    expected, counts, _ = reference
    ours = np.array(ModifiedKneserNey(3).fit(counts).discounts)
    theirs = np.array(expected["discounts"])
    assert ours[0] == pytest.approx(theirs[0], rel=2e-3)
    assert ours[1:] == pytest.approx(theirs[1:], rel=5e-6)


def test_other_methods_come_near_those_of_nltk(reference):
    """nltk lets ``<s>`` take some probability, so its perplexities are a bit higher."""
    expected, counts, test = reference
    models = {
        "Laplace": AddK(3, k=1),
        "Lidstone 0.1": AddK(3, k=0.1),
        "Kneser-Ney 0.75": KneserNey(3, discount=0.75),
    }
    for name, model in models.items():
        ours = model.fit(counts).perplexity(test)
        assert ours == pytest.approx(expected["nltk"][name], rel=2e-3), name


@pytest.fixture(scope="module")
def novel():
    """A trigram model of each kind, trained on War and Peace, rare words ``<unk>``."""
    corpus = corpora.load("war_and_peace")
    vocabulary = Vocabulary(corpus.train, min_count=3)
    corpus = corpus.map(vocabulary.replace_unknown)
    counts = Counts.of(corpus.train, 3)
    return counts.words, [
        smoother(3).fit(counts, corpus.dev)
        if smoother is JelinekMercer
        else smoother(3).fit(counts)
        for smoother in SMOOTHERS.values()
        if smoother.normalised
    ]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_model_of_a_novel_sums_to_one_after_any_history(novel, data):
    words, models = novel
    word = st.one_of(
        st.sampled_from(["the", "of", "<unk>", ",", "never seen"]),  # frequent, unseen
        st.sampled_from(words[3:]),
    )
    history = data.draw(st.lists(word, max_size=3))
    if data.draw(st.booleans()):
        history = ["<s>", *history]
    for model in models:
        try:
            p = model.distribution(history)
        except UnseenHistory:
            assert model.name == "mle"
            continue
        assert p.min() >= 0
        assert p.sum() == pytest.approx(1, abs=1e-9), (model.name, history)
