"""Counting and smoothing, against the formulas written out with dictionaries."""

import doctest
import itertools
import math
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lmcourse.ngrams
from lmcourse.ngrams import (
    SMOOTHERS,
    AbsoluteDiscounting,
    AddK,
    Counts,
    DiscountWarning,
    GoodTuring,
    JelinekMercer,
    Katz,
    KneserNey,
    MaximumLikelihood,
    ModifiedKneserNey,
    StupidBackoff,
    Text,
    UnseenHistory,
    WittenBell,
    merge,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::lmcourse.ngrams.smoothing.DiscountWarning"
)

SENTENCES = [
    ["a", "b", "a", "c", "a", "b"],
    ["b", "a"],
    ["a", "a", "a", "b", "c", "c"],
    ["c"],
    ["b", "a", "b", "a", "b", "b"],
    ["a", "b", "a", "c"],
    ["<unk>", "b", "a"],
]
PROPER = [smoother for smoother in SMOOTHERS.values() if smoother.normalised]
texts = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), min_size=2)


def fitted(smoother, order, sentences):
    """A fitted model; where one needs held-out text, that is the training text."""
    model = smoother(order)
    if smoother is JelinekMercer:
        return model.fit(Counts.of(sentences, order), held_out=sentences)
    return model.fit(sentences)


def histories(words, order):
    """All histories of a model: any words, or fewer at the start of a sentence."""
    for length in range(order):
        for history in itertools.product(words, repeat=length):
            if length == order - 1:
                yield history
            yield "<s>", *history


class ByHand:
    """What the papers say, one probability at a time, with dictionaries."""

    def __init__(self, sentences, order):
        self.order = order
        self.count = Counter()
        for sentence in sentences:
            marked = ("<s>", *sentence, "</s>")
            for k in range(1, order + 1):
                for i in range(len(marked) - k + 1):
                    self.count[marked[i : i + k]] += 1
        del self.count["<s>",]
        seen = {word for gram in self.count for word in gram} - {"<s>"}
        self.types = [*sorted(seen), "<never seen>"]

    def grams(self, k):
        return [gram for gram in self.count if len(gram) == k]

    def neighbours(self, gram):
        """Kneser and Ney's count below the top order."""
        if len(gram) == self.order or gram[:1] == ("<s>",):
            return self.count[gram]
        return len({g[0] for g in self.grams(len(gram) + 1) if g[1:] == gram})

    def n(self, k, r, count):
        return sum(count(gram) == r for gram in self.grams(k))

    def after(self, history, count):
        """The counts of all words that follow a history."""
        return {w: count((*history, w)) for w in self.types if count((*history, w))}

    def raw(self, gram):
        return self.count[gram]

    def lower(self, p, history, word):
        return p(history[1:], word) if history else 1 / len(self.types)

    def complete(self, history):
        return len(history) == self.order - 1 or history[:1] == ("<s>",)

    def maximum_likelihood(self, history, word):
        following = self.after(history, self.raw)
        return following.get(word, 0) / sum(following.values()) if following else None

    def add_k(self, history, word, k=1.0):
        total = sum(self.after(history, self.raw).values())
        return (self.count[*history, word] + k) / (total + k * len(self.types))

    def witten_bell(self, history, word):
        following = self.after(history, self.raw)
        shorter = self.lower(self.witten_bell, history, word)
        if not following:
            return shorter
        total, types = sum(following.values()), len(following)
        return (following.get(word, 0) + types * shorter) / (total + types)

    def discounted(self, p, history, word, count, discount):
        following = self.after(history, count)
        shorter = self.lower(p, history, word)
        if not following:
            return shorter
        total = sum(following.values())
        kept = max(following.get(word, 0) - discount(following.get(word, 0)), 0)
        freed = sum(min(discount(c), c) for c in following.values())
        return kept / total + freed / total * shorter

    def one_discount(self, k, count):
        n1, n2 = self.n(k, 1, count), self.n(k, 2, count)
        return n1 / (n1 + 2 * n2) if n1 and n2 else 0.75

    def absolute_discounting(self, history, word):
        d = self.one_discount(len(history) + 1, self.raw)
        return self.discounted(
            self.absolute_discounting, history, word, self.raw, lambda _: d
        )

    def kneser_ney(self, history, word):
        d = self.one_discount(len(history) + 1, self.neighbours)
        return self.discounted(
            self.kneser_ney, history, word, self.neighbours, lambda _: d
        )

    def modified_kneser_ney(self, history, word):
        n = [self.n(len(history) + 1, r, self.neighbours) for r in range(5)]
        d = [0, 0.5, 1, 1.5]
        if n[1] and n[2] and n[3]:
            y = n[1] / (n[1] + 2 * n[2])
            closed = [0, *(j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3))]
            if all(0 <= closed[j] <= j for j in (1, 2, 3)):
                d = closed
        return self.discounted(
            self.modified_kneser_ney,
            history,
            word,
            self.neighbours,
            lambda count: d[min(count, 3)],
        )

    def jelinek_mercer(self, history, word, weights):
        """The weighted mean as defined, over the orders whose history was seen."""
        terms = [(weights[0], 1 / len(self.types))]
        for k in range(1, len(history) + 2):
            p = self.maximum_likelihood(history[len(history) - k + 1 :], word)
            if p is not None:
                terms.append((weights[k], p))
        return sum(w * p for w, p in terms) / sum(w for w, _ in terms)

    def good_turing(self, history, word):
        k = len(history) + 1
        n = [self.n(k, r, self.raw) for r in range(7)]
        seen_histories = {gram[:-1] for gram in self.grams(k)}
        n[0] = len(seen_histories) * len(self.types) - len(self.grams(k))

        def adjusted(w):
            r = self.count[*history, w]
            if r == 0:
                return max(n[1], 1) / n[0]
            return (r + 1) * n[r + 1] / n[r] if r <= 5 and n[r + 1] else r

        return adjusted(word) / sum(adjusted(w) for w in self.types)

    def katz(self, history, word):
        following = self.after(history, self.raw)
        if history and not following:
            return self.katz(history[1:], word)
        n = [self.n(len(history) + 1, r, self.raw) for r in range(7)]

        def d(r):
            if not history or r > 5 or not n[1] or n[1] == 6 * n[6] or not n[r]:
                return 1
            a = 6 * n[6] / n[1]
            ratio = ((r + 1) * n[r + 1] / (r * n[r]) - a) / (1 - a)
            return ratio if 0 < ratio <= 1 else 1

        total = sum(following.values())
        if all(d(r) == 1 for r in following.values()):
            total += 1
        p = {w: d(r) * r / total for w, r in following.items()}
        if word in p:
            return p[word]
        if not history:
            return 1 - sum(p.values())  # one type is unseen
        rest = [w for w in self.types if w not in p]
        share = self.katz(history[1:], word) / sum(
            self.katz(history[1:], w) for w in rest
        )
        return (1 - sum(p.values())) * share

    def stupid_backoff(self, history, word):
        following = self.after(history, self.raw)
        if word in following:
            return following[word] / sum(following.values())
        return 0.4 * self.lower(self.stupid_backoff, history, word)


def in_our_order(model, hand):
    """Where each type of `ByHand` stands in the model's distributions."""
    return [2 if t == "<never seen>" else model.index[t] for t in hand.types]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "smoother",
    [
        AddK,
        WittenBell,
        AbsoluteDiscounting,
        KneserNey,
        ModifiedKneserNey,
        GoodTuring,
        Katz,
        StupidBackoff,
    ],
)
def test_every_probability_is_that_of_the_formula(smoother, order):
    hand = ByHand(SENTENCES, order)
    plain = {"as_kenlm": False} if smoother is ModifiedKneserNey else {}
    model = smoother(order, **plain).fit(SENTENCES)
    formula = getattr(hand, smoother.name.replace("-", "_"))
    places = in_our_order(model, hand)
    for history in histories(["a", "b", "new"], order):
        seen_by_model = history[max(len(history) - order + 1, 0) :]
        expected = [formula(seen_by_model, word) for word in hand.types]
        ours = model.distribution(history)[places]
        assert ours == pytest.approx(expected, abs=1e-12), history


def test_jelinek_mercer_is_the_weighted_mean_of_the_orders_that_saw_the_history():
    hand, weights = ByHand(SENTENCES, 3), (0.1, 0.2, 0.3, 0.4)
    model = JelinekMercer(3, weights).fit(SENTENCES)
    places = in_our_order(model, hand)
    for history in histories(["a", "b", "new"], 3):
        expected = [hand.jelinek_mercer(history[-2:], w, weights) for w in hand.types]
        assert model.distribution(history)[places] == pytest.approx(expected, abs=1e-12)


def test_maximum_likelihood_is_relative_frequency_and_refuses_unseen_histories():
    hand = ByHand(SENTENCES, 3)
    model = MaximumLikelihood(3).fit(SENTENCES)
    places = in_our_order(model, hand)
    for history in histories(["a", "b", "c", "new"], 3):
        expected = [hand.maximum_likelihood(history[-2:], w) for w in hand.types]
        if expected[0] is None:
            with pytest.raises(UnseenHistory, match="nothing follows"):
                model.distribution(history)
        else:
            assert model.distribution(history)[places] == pytest.approx(expected)
    assert model.perplexity([["c", "c", "a"]]) == math.inf
    after_unseen = model.score([["c", "c", "a"]]).logprob[2]  # the bigram "c c" is new
    assert after_unseen == -math.inf


@pytest.mark.parametrize("smoother", [MaximumLikelihood, AddK, GoodTuring])
def test_a_short_history_is_answered_by_the_lower_order(smoother):
    counts = Counts.of(SENTENCES, 3)
    long, short = smoother(3).fit(counts), smoother(2).fit(counts)
    assert np.array_equal(long.distribution(["a"]), short.distribution(["a"]))


@settings(max_examples=40, deadline=None)
@given(texts, st.sampled_from(PROPER), st.integers(1, 4))
def test_every_model_sums_to_one_after_every_history(sentences, smoother, order):
    if order > max(map(len, sentences)) + 2:
        return
    model = fitted(smoother, order, sentences)
    for history in histories(["a", "b", "c", "never seen"], min(order, 3)):
        try:
            p = model.distribution(history)
        except UnseenHistory:
            assert smoother is MaximumLikelihood
            continue
        assert p.min() >= 0
        assert p[0] == 0  # <s> is never predicted
        assert p.sum() == pytest.approx(1, abs=1e-9), history


@settings(max_examples=40, deadline=None)
@given(texts, texts, st.sampled_from(list(SMOOTHERS.values())), st.integers(1, 4))
def test_scores_are_those_of_the_distributions(sentences, test, smoother, order):
    if order > max(map(len, sentences)) + 2:
        return
    model = fitted(smoother, order, sentences)
    scores = model.score(test)
    expected = []
    for sentence in test:
        marked = ["<s>", *sentence, "</s>"]
        for i in range(1, len(marked)):
            try:
                p = model.distribution(marked[:i])
                expected.append(p[model.index.get(marked[i], 2)])
            except UnseenHistory:
                expected.append(0)
    assert np.exp(scores.logprob) == pytest.approx(expected, rel=1e-9)
    sums = np.split(scores.logprob, np.cumsum([len(s) + 1 for s in test])[:-1])
    assert model.logprob(test) == pytest.approx([part.sum() for part in sums])
    assert scores.perplexity == pytest.approx(math.exp(-scores.logprob.mean()))


def test_perplexity_counts_words_and_ends_but_never_starts():
    model = AddK(1, k=1).fit([["a", "b"]])  # a, b, </s> once, and the unknown type
    assert model.perplexity([["a"], ["new"]]) == pytest.approx(
        math.prod([2 / 7, 2 / 7, 1 / 7, 2 / 7]) ** (-1 / 4)
    )


def test_scores_show_which_order_answered_and_what_was_unknown():
    scores = WittenBell(3).fit([["a", "b", "c"]]).score([["a", "b", "a", "new"]])
    assert scores.order.tolist() == [2, 3, 1, 1, 1]
    assert scores.known.tolist() == [True, True, True, False, True]
    assert scores.oov == 1
    assert scores.sentence.tolist() == [0] * 5


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(1, 7))
def test_counts_are_those_of_a_dictionary(sentences, order):
    if order > max(map(len, sentences)) + 2:
        with pytest.raises(ValueError, match="longer than any sentence"):
            Counts.of(sentences, order)
        return
    counts = Counts.of(sentences, order)
    expected = ByHand(sentences, order).count
    assert sum(len(level) for level in counts.levels) == len(expected) + (
        2  # <s> and the unknown type have rows, and no counts
    )
    for gram, number in expected.items():
        assert counts.count(gram) == number
    assert counts.count(["never seen"]) == 0
    assert len(counts) == sum(len(sentence) + 1 for sentence in sentences)


@settings(max_examples=40, deadline=None)
@given(texts, st.integers(2, 4))
def test_adjusted_counts_are_left_neighbours(sentences, order):
    if order > max(map(len, sentences)) + 2:
        return
    counts, hand = Counts.of(sentences, order), ByHand(sentences, order)
    for k in range(1, order):
        level = counts.adjusted(k)
        for gram in hand.grams(k):
            row = 0
            for word, below in zip(gram, counts.levels, strict=False):
                row = int(below.find(row, counts.index[word]))
            assert level.count[row] == hand.neighbours(gram)
            if gram[0] != "<s>":
                assert counts.left_neighbours(gram) == hand.neighbours(gram)


@settings(max_examples=40, deadline=None)
@given(texts, st.integers(1, 4), st.data())
def test_merged_counts_are_the_counts_of_the_whole(sentences, order, data):
    if order > max(map(len, sentences)) + 2:
        return
    whole = Text.from_sentences(sentences)
    expected = Counts.of(whole, order)
    parts, place = [], 0
    while place < len(sentences):
        size = data.draw(st.integers(1, len(sentences)))
        part = Text.from_sentences(sentences[place : place + size], whole.words)
        longest = min(order, int(part.position.max()) + 1)
        if longest < order:
            return
        parts.append(Counts.of(part, order))
        place += size
    merged = merge(parts)
    assert merged.words == expected.words
    for ours, theirs in zip(merged.levels, expected.levels, strict=True):
        assert np.array_equal(ours.keys, theirs.keys)
        assert np.array_equal(ours.count, theirs.count)
        assert np.array_equal(ours.suffix, theirs.suffix)
        assert ours.begins == theirs.begins


def test_keys_too_long_to_carry_a_place_are_counted_all_the_same():
    from lmcourse.ngrams import counts as module

    key = np.array([2**62, 5, 2**62, 7, 5, 5])
    keys, first, count, row = module.distinct(key.copy())
    assert keys.tolist() == [5, 7, 2**62]
    assert key[first].tolist() == keys.tolist()
    assert count.tolist() == [3, 1, 2]
    assert row.tolist() == [2, 0, 2, 1, 0, 0]


def test_one_count_serves_models_of_every_order():
    counts = Counts.of(SENTENCES, 4)
    for order in (1, 2, 3, 4):
        shared = ModifiedKneserNey(order).fit(counts)
        own = ModifiedKneserNey(order).fit(SENTENCES)
        assert shared.logprob(SENTENCES) == pytest.approx(own.logprob(SENTENCES))
    with pytest.raises(ValueError, match="count again with a higher order"):
        ModifiedKneserNey(5).fit(counts)


def test_fitting_again_forgets_the_first_text():
    model = KneserNey(2).fit(SENTENCES)
    assert len(model.discounts) == 2
    model.fit([["x", "y"], ["x", "z", "y"]])
    fresh = KneserNey(2).fit([["x", "y"], ["x", "z", "y"]])
    assert len(model.discounts) == 2
    assert model.logprob([["x", "a"]]) == fresh.logprob([["x", "a"]])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_other_weights_make_the_held_out_text_likelier(seed):
    rng = np.random.default_rng(seed)
    held_out = [list(rng.choice(list("abcd"), size=5)) for _ in range(30)]
    counts = Counts.of(SENTENCES, 3)
    model = JelinekMercer(3).fit(counts, held_out)
    best = model.logprob(held_out).sum()
    for _ in range(10):
        weights = rng.dirichlet(50 * np.array(model.weights) + 0.05)
        other = JelinekMercer(3, weights / weights.sum()).fit(counts)
        assert other.logprob(held_out).sum() <= best + 0.01


def test_weights_come_from_the_last_tenth_and_counts_from_all():
    sentences = SENTENCES * 3
    first, last = sentences[:19], sentences[19:]
    model = JelinekMercer(2).fit(sentences)
    apart = JelinekMercer(2).fit(Counts.of(first, 2), last)
    assert model.weights == pytest.approx(apart.weights)
    again = JelinekMercer(2, model.weights).fit(sentences)
    assert model.logprob(last) == pytest.approx(again.logprob(last))


@pytest.mark.parametrize(
    ("smoother", "expected"),
    [
        (AbsoluteDiscounting, [0.75, 0.75]),
        (KneserNey, [0.75, 0.75]),
        (ModifiedKneserNey, [[0.5, 1, 1.5]] * 2),
    ],
)
def test_without_singletons_fixed_discounts_serve_with_a_warning(smoother, expected):
    doubled = [["a", "b", "c"], ["a", "c", "b"], ["c"], ["b", "a"]] * 2
    with pytest.warns(DiscountWarning, match="2-grams"):
        model = smoother(2).fit(doubled)
    assert model.discounts[1] == expected[1]
    assert math.isfinite(model.perplexity([["a", "new", "c"]]))


def test_a_few_words_have_the_perplexity_of_kenlm_however_they_were_counted():
    """KenLM's lmplz 2.23439 (--discount_fallback): it counts the last word as seen
    three times, not as following two words; from the formulas alone it is 2.28665.
    """
    sentences = [["a"], ["b", "e", "e", "e"]]
    text = Text.from_sentences(sentences)
    parts = [Counts.of(part, 2) for part in text.split(0.5)]
    longer = Text.from_sentences([*sentences, ["never", "trained", "on"]]).words
    for training in (sentences, Counts.of(text, 5), merge(parts), merge(parts[::-1])):
        model = ModifiedKneserNey(2).fit(training)
        assert round(model.perplexity(sentences), 5) == 2.23439
        assert model.discounts == [[0.5, 0.5, 3], [0.5, 1, 1.5]]
    of_part = ModifiedKneserNey(2).fit(Text.from_sentences(sentences, longer))
    assert of_part.discounts == model.discounts
    formulas = ModifiedKneserNey(2, as_kenlm=False).fit(sentences)
    assert round(formulas.perplexity(sentences), 5) == 2.28665


@pytest.mark.parametrize("smoother", [GoodTuring, Katz])
def test_good_turing_without_singletons_warns_and_stays_finite(smoother):
    doubled = [["a", "b", "c"], ["a", "c", "b"], ["c"], ["b", "a"]] * 2
    with pytest.warns(DiscountWarning):
        model = smoother(2).fit(doubled)
    assert math.isfinite(model.perplexity([["a", "new", "c"]]))


def test_stupid_backoff_refuses_perplexity_and_says_why():
    model = StupidBackoff(2).fit(SENTENCES)
    with pytest.raises(ValueError, match="do not sum to 1"):
        model.perplexity(SENTENCES)
    assert model.distribution(["a"]).sum() > 1.01


@pytest.mark.parametrize("smoother", SMOOTHERS.values())
def test_one_sentence_is_enough_or_the_error_says_what_is_missing(smoother):
    if smoother is JelinekMercer:
        with pytest.raises(ValueError, match="one sentence cannot be cut"):
            smoother(2).fit([["a", "b"]])
        return
    model = smoother(2).fit([["a", "b"]])
    assert not np.isnan(model.logprob([["a", "b"], ["b", "new"]])).any()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "at least one sentence"),
        ([["a"], []], "sentence 2 is empty"),
        ("a b", "expected a list of sentences"),
        (7, "expected a list of sentences"),
        (Path("text.txt"), "Text.from_file reads files"),
        (["a b"], "got the string 'a b' as a sentence"),
        ([["a"], ["b", "<s>", "c"]], "sentence 2 holds '<s>'"),
        ([["a", "</s>"], ["b"]], "sentence 1 holds '</s>'"),
        ([["a", "</s>", "<s>", "b"]], "sentence 1 holds '</s>'"),
        ([["a"], ["a", 3]], "sentence 2 holds 3, which is no string"),
        ([["a", b"b"]], "which is no string"),
        ([["a", ["b"]]], "expected a list of strings"),
        ([None], "expected a list of strings"),
    ],
)
def test_bad_training_text_is_named(bad, message):
    with pytest.raises(ValueError, match=message):
        WittenBell(2).fit(bad)


def test_bad_queries_are_named():
    model = WittenBell(2).fit(SENTENCES)
    with pytest.raises(ValueError, match="sentence 1 holds '<s>'"):
        model.logprob([["a", "<s>"]])
    with pytest.raises(ValueError, match="expected a list"):
        model.distribution("a")
    for history in (["a", "<s>"], ["</s>"]):
        with pytest.raises(ValueError, match="<s> may only come first"):
            model.distribution(history)
    with pytest.raises(ValueError, match="at least one sentence"):
        model.perplexity([])
    with pytest.raises(ValueError, match="another model's vocabulary"):
        model.logprob(Text.from_sentences([["x"]]))
    with pytest.raises(ValueError, match="call fit"):
        WittenBell(2).perplexity([["a"]])
    with pytest.raises(ValueError, match="call fit"):
        WittenBell(2).distribution(["a"])
    assert model.logprob([[]]) == pytest.approx(np.log(model.distribution(["<s>"])[1]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WittenBell(0), "order is 0"),
        (lambda: WittenBell(8), "expected a number from 1 to 7"),
        (lambda: WittenBell(2.5), "order is 2.5"),
        (lambda: AddK(2, k=-1), "k is -1"),
        (lambda: AddK(2, k=0), "0 is maximum likelihood"),
        (lambda: AddK(2, k=math.nan), "k is nan"),
        (lambda: AddK(2, k=1e308), r"k is 1e\+308: .* below 1e100"),
        (lambda: JelinekMercer(2, (0.2, 0.3, 0.4)), "sum 1"),
        (lambda: JelinekMercer(2, (-0.5, 1, 0.5)), "none below 0"),
        (lambda: JelinekMercer(2, (0.2, 0.2, 0.2, 0.4)), "4 weights for order 2"),
        (lambda: JelinekMercer(2, (math.nan, 0.5, 0.5)), "sum 1"),
        (lambda: JelinekMercer(2).fit(Counts.of(SENTENCES, 2)), "held-out"),
        (lambda: JelinekMercer(1, (0.5, 0.5)).fit(SENTENCES, SENTENCES), "given"),
        (lambda: AbsoluteDiscounting(2, 1.5), "expected 0 to 1"),
        (lambda: KneserNey(2, math.nan), "expected 0 to 1"),
        (lambda: KneserNey(2, (0.5, 0.5, 0.5)), "3 discounts for order 2"),
        (lambda: ModifiedKneserNey(2, 0.5), "expected three"),
        (lambda: ModifiedKneserNey(2, (0.5, 1, 4)), "from 0 to j"),
        (lambda: Counts.of(SENTENCES, 2).count([]), "1 to 2 words"),
        (lambda: Counts.of(SENTENCES, 2).count("ab"), "1 to 2 words"),
        (lambda: Counts.of(SENTENCES, 2).left_neighbours("ab"), "higher order"),
        (lambda: Counts.of(SENTENCES, 2).adjusted(2), "expected 1 to 1"),
        (lambda: merge([]), "nothing to merge"),
        (
            lambda: merge([Counts.of([["a"]], 1), Counts.of([["b"]], 1)]),
            "share their vocabulary",
        ),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_files_are_read_as_kenlm_reads_them(tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes("战争 与\u3000和平 。\r\ná\u00a0b  c\t<unk>\n".encode())
    text = Text.from_file(file)
    assert text.words == (
        "<s>",
        "</s>",
        "<unk>",
        "战争",
        "与\u3000和平",
        "。",
        "á\u00a0b",
        "c",
        "<unk>",
    )
    assert text.ids.tolist() == [0, 3, 4, 5, 1, 0, 6, 7, 8, 1]
    test = Text.from_file(file, words=("<s>", "</s>", "<unk>", "c"))
    assert test.ids.tolist() == [0, 2, 2, 2, 1, 0, 2, 3, 2, 1]
    characters = Text.from_file(file, characters=True)
    assert characters.words[3:8] == ("战", "争", "与", "和", "平")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: expected at least one sentence"),
        (b"a b\n\nc\n", "line 2 is empty"),
        (b"a b\n \t\nc\n", "line 2 is empty"),
        (b"a b\nc \xff d\n", "line 2 holds byte 0xff, which is not UTF-8"),
        (b"a b\n<s> c\n", "line 2 holds '<s>'"),
        (b"a b\nc\0d\n", "line 2 holds the control character 0x00"),
        (b"a b\nc\vd\n", "line 2 holds the control character 0x0b"),
        (b"a b\nc \f d\n", "line 2 holds the control character 0x0c"),
    ],
)
@pytest.mark.parametrize("words", [None, ("<s>", "</s>", "<unk>", "a")])
def test_bad_files_are_named_with_the_line(tmp_path, content, message, words):
    file = tmp_path / "bad.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"bad\.txt.*{message}"):
        Text.from_file(file, words)


def test_the_examples_in_the_package_hold():
    results = doctest.testmod(lmcourse.ngrams)
    assert results.attempted >= 4
    assert results.failed == 0


def test_fitting_proper_text_warns_of_nothing():
    sentences = [[f"w{i % (n + 3)}" for i in range(n, 2 * n + 2)] for n in range(1, 30)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ModifiedKneserNey(3, (0.5, 1, 1.5)).fit(sentences).perplexity(sentences)
        WittenBell(3).fit(sentences).perplexity([["w1", "new"]])
