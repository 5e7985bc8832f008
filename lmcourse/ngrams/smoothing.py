"""Ten ways to turn counts into probabilities, one short class each.

Every class below has one idea: how much probability the n-grams seen after a history
keep for themselves, and how much is left to what comes from shorter histories. It
states them in `share`, as its paper does. What is shared stands once, in `Smoother`:

    p(w | h) = own(hw) + left(h) · p(w | h′),

from the uniform distribution over all types upwards (Chen & Goodman 1998, section 2).
C(hw) counts an n-gram, C(h) = Σ_w C(hw), N1+(h·) is the number of distinct words after
h, and n_r is the number of n-grams of one length that occur r times.
"""

import copy
import warnings
from collections.abc import Sequence
from typing import Self

import numpy as np

from .counts import CountedLevel, Counts, check_order, matches
from .encoding import START, Text
from .model import BackoffModel, Sentences, UnseenHistory, log10

Arrays = tuple[np.ndarray, np.ndarray]


class DiscountWarning(UserWarning):
    """The counts are too few or too odd to estimate a discount from."""


class Smoother(BackoffModel):
    """What all smoothers do: from counts to the tables of a back-off model.

    Args:
        order: the longest n-gram, 1 to 7.

    Raises:
        ValueError: the order or another parameter is out of its range.
    """

    name: str  # on the command line
    discounts: list | None = None  # of each order, where a method has them
    neighbours = False  # below the top, count left neighbours (Kneser & Ney 1995)

    def __init__(self, order: int = 3) -> None:
        check_order(order)
        self.order = order

    def fit(self, training: Counts | Sentences) -> Self:
        """Estimate the model and return it.

        Args:
            training: sentences, each a list of tokens; or `Counts` of this order or
                higher, which several models can share, so that fitting again with
                another parameter is cheap.

        Raises:
            ValueError: the text is bad (see `Text.from_sentences` and `Counts.of`), or
                the counts are of a lower order.
        """
        counts = self._counts(training)
        prob = np.array([1 / (len(counts.words) - 1)])  # uniform, without <s>
        probs, backoffs = [], []
        for order in range(1, self.order + 1):
            adjust = self.neighbours and order < self.order
            level = counts.adjusted(order) if adjust else counts.levels[order - 1]
            with np.errstate(divide="ignore", invalid="ignore"):  # histories of </s>
                own, left = self.share(level)
            left = np.where(level.total > 0, left, self.unseen_history)
            prob, backoff = self.combine(level, own, left, prob)
            probs.append(prob)
            backoffs.append(backoff)
        probs[0][START] = 0  # given, never predicted
        self.words, self.levels = counts.words, counts.levels[: self.order]
        self.log_prob = tuple(log10(np.minimum(p, 1)) for p in probs)
        self.log_backoff = tuple(log10(backoff) for backoff in backoffs[1:])
        self.__dict__.pop("index", None)
        return self

    def share(self, level: CountedLevel) -> Arrays:
        """Return own(hw) for every n-gram and left(h) for every history of a level."""
        raise NotImplementedError

    def combine(
        self, level: CountedLevel, own: np.ndarray, left: np.ndarray, lower: np.ndarray
    ) -> Arrays:
        """Return p of every n-gram and β of every history; here by interpolation.

        Args:
            level: the n-grams.
            own: what each keeps, (rows,).
            left: what each history leaves to shorter ones, (histories,).
            lower: p of the n-grams of the level below, which `level.suffix` points to.
        """
        return own + left[level.history] * lower[level.suffix], left

    def _counts(self, training: Counts | Sentences) -> Counts:
        if not isinstance(training, Counts):
            return Counts.of(training, self.order)
        if training.order < self.order:
            raise ValueError(
                f"counts of order {training.order} cannot train a model of order "
                f"{self.order}: count again with a higher order"
            )
        return training


class _OneOrder(Smoother):
    """A model of one order, which shares what is left evenly among all types.

    Only complete histories have counts of their own: those of n - 1 tokens, and at
    the beginning of a sentence the shorter ones that start with ``<s>``.
    """

    def fit(self, training: Counts | Sentences) -> Self:
        self._training = self._counts(training)
        return super().fit(self._training)

    def combine(
        self, level: CountedLevel, own: np.ndarray, left: np.ndarray, lower: np.ndarray
    ) -> Arrays:
        if level.order < self.order:
            below = self._training.levels[level.order - 2] if level.order > 1 else None
            complete = np.arange(level.histories) < (below.begins if below else 0)
            own = np.where(complete[level.history], own, 0)
            left = np.where(complete, left, 1)
        uniform = 1 / (level.vocabulary_size - 1)
        return own + left[level.history] * uniform, left

    def distribution(self, history: Sequence[str] = ()) -> np.ndarray:
        """Return p(w | history); a shorter history is answered by a lower order."""
        ids = self.history_ids(history)
        if len(ids) == self.order - 1 or ids[:1] == [START]:
            return super().distribution(history)
        lower = copy.copy(self)
        lower.order = len(ids) + 1
        return lower.fit(self._training).distribution(history)


class MaximumLikelihood(_OneOrder):
    """Relative frequency: p(w | h) = C(hw) / C(h).

    What was not seen is impossible, so unseen text has an infinite perplexity; after
    a history that was not seen there is no distribution at all.
    """

    name = "mle"
    unseen_history = 0.0

    def share(self, level: CountedLevel) -> Arrays:
        return level.count / level.total[level.history], np.zeros(level.histories)

    def distribution(self, history: Sequence[str] = ()) -> np.ndarray:
        """Return C(hw) / C(h) for every word w.

        Raises:
            UnseenHistory: nothing ever followed the history in the training text.
        """
        ids = self.history_ids(history)
        first, after = self.levels[len(ids)].span(self.history_rows(ids)[len(ids)])
        if first == after:
            raise UnseenHistory(
                f"nothing follows {' '.join(history)!r} in the training text, and 0/0 "
                "is no probability: use a smoother, or a lower order"
            )
        return super().distribution(history)


class AddK(_OneOrder):
    """Add k to every count: p(w | h) = (C(hw) + k) / (C(h) + k |V|).

    Lidstone (1920); k = 1 is Laplace's rule of succession. |V| counts all types that
    can be predicted, the unknown one and ``</s>`` among them.

    Args:
        order: the longest n-gram.
        k: what is added, more than 0.
    """

    name = "add-k"

    def __init__(self, order: int = 3, k: float = 1.0) -> None:
        super().__init__(order)
        if not 0 < k < 1e100:
            raise ValueError(
                f"k is {k}: expected a number above 0 and below 1e100 (0 is maximum "
                "likelihood, and a very large k makes all words equally likely)"
            )
        self.k = k

    def share(self, level: CountedLevel) -> Arrays:
        added = self.k * (level.vocabulary_size - 1)
        total = level.total + added
        return level.count / total[level.history], added / total


class JelinekMercer(Smoother):
    """A weighted mean of all orders: p(w | h) = Σ_k λ_k p_ML(w | last k - 1 words).

    Jelinek & Mercer (1980). The weights come from held-out text by expectation
    maximisation, one for each order and one for the uniform distribution; the paper
    ties them by the history's count instead, in buckets. Where a long history was
    never seen, the weights of the shorter ones grow in proportion. Written upwards,
    order by order, this is p_k = μ_k p_ML + (1 - μ_k) p_{k-1}, where μ_k is order k's
    part of the weights up to its own.

    Args:
        order: the longest n-gram.
        weights: λ of the uniform distribution, of unigrams, and so on, order + 1
            numbers with sum 1; or without the first, which then is 0. By default
            `fit` estimates them, and leaves them in `weights`.
    """

    name = "jelinek-mercer"

    def __init__(self, order: int = 3, weights: Sequence[float] | None = None) -> None:
        super().__init__(order)
        self.given = None if weights is None else self._checked(weights)
        self.weights = self.given

    def fit(
        self, training: Counts | Sentences, held_out: Sentences | None = None
    ) -> Self:
        """Estimate the model and return it.

        Args:
            training: see `Smoother.fit`.
            held_out: text to estimate the weights from. By default that is the last
                tenth of the training sentences, with the counts of the others; the
                model itself then counts all of them.

        Raises:
            ValueError: the text is bad; weights were given as well as `held_out`; or
                neither, and `training` are `Counts`, which have no last tenth.
        """
        if self.given is None:
            training, counts, held_out = self._separate(training, held_out)
            self._estimate(counts, held_out)
        elif held_out is not None:
            raise ValueError("weights are given, so held-out text would not be used")
        return super().fit(training)

    def share(self, level: CountedLevel) -> Arrays:
        up_to = sum(self.weights[: level.order + 1])
        mu = self.weights[level.order] / up_to if up_to else 1.0
        own = mu * level.count / level.total[level.history]
        return own, np.full(level.histories, 1 - mu)

    def _separate(
        self, training: Counts | Sentences, held_out: Sentences | None
    ) -> tuple[Counts | Text, Counts, Text]:
        """Return what to train on, and the counts and the text for the weights."""
        if held_out is not None:
            counts = self._counts(training)
            if not isinstance(held_out, Text):
                held_out = Text.from_sentences(held_out, counts.words)
            return counts, counts, held_out
        if isinstance(training, Counts):
            raise ValueError(
                "weights need held-out text, and counts hold none back: "
                "call fit(counts, held_out), or give the weights"
            )
        if not isinstance(training, Text):
            training = Text.from_sentences(training)
        first, held_out = training.split(0.9)
        return training, self._counts(first), held_out

    def _estimate(self, counts: Counts, held_out: Text) -> None:
        """Set the weights that make the held-out text likeliest.

        Expectation: to which order does each token belong? Maximisation: μ_k is order
        k's part of the tokens that longer histories passed down to it.
        """
        frequency, seen = self._frequencies(counts, held_out)
        mu = np.where(np.arange(self.order + 1) > 0, 0.5, 1.0)
        for _ in range(200):
            stop = seen * mu
            passed = np.cumprod(1 - stop[:, :0:-1], axis=1)[:, ::-1]
            stop[:, :-1] *= passed
            belongs = stop * frequency
            belongs /= belongs.sum(axis=1, keepdims=True)
            reached = (np.cumsum(belongs, axis=1) * seen).sum(axis=0)
            before, mu = mu, belongs.sum(axis=0) / np.maximum(reached, 1e-9)
            mu[0] = 1
            if np.abs(mu - before).max() < 1e-5:
                break
        passed = np.cumprod(1 - mu[:0:-1])[::-1]
        self.weights = (mu * [*passed, 1]).tolist()

    def _frequencies(self, counts: Counts, text: Text) -> tuple[np.ndarray, np.ndarray]:
        """Return p_ML of every token under every order, and whether it is defined."""
        unigrams = counts.levels[0]
        frequency = np.zeros((len(text.ids), self.order + 1))
        frequency[:, 0] = 1 / (len(counts.words) - 1)
        frequency[:, 1] = unigrams.count[text.ids] / unigrams.total
        seen = np.zeros(frequency.shape, bool)
        seen[:, :2] = True
        found = matches(counts.levels[: self.order], text.ids, text.position)
        for level, place, history, row in found:
            total = np.where(history >= 0, level.total[history], 0)
            count = np.where(row >= 0, level.count[row], 0)
            frequency[place, level.order] = count / np.maximum(total, 1)
            seen[place, level.order] = total > 0
        predicted = text.position > 0
        return frequency[predicted], seen[predicted]

    def _checked(self, weights: Sequence[float]) -> list[float]:
        weights = [float(weight) for weight in weights]
        if len(weights) == self.order:
            weights = [0.0, *weights]
        if len(weights) != self.order + 1:
            raise ValueError(
                f"{len(weights)} weights for order {self.order}: expected "
                f"{self.order + 1}, for the uniform distribution, unigrams and so on"
            )
        if not (min(weights) >= 0 and abs(sum(weights) - 1) < 1e-6):
            raise ValueError(f"weights are {weights}: expected none below 0 and sum 1")
        return weights


class GoodTuring(_OneOrder):
    """Seen r times, an n-gram counts as r* = (r + 1) n_{r+1} / n_r times.

    Good (1953), used on its own: p(w | h) = r*(hw) / Σ_w r*(hw). Of the n-grams that
    could have followed the seen histories, the n_0 that did not share the mass of
    those seen once, so that 0* = n_1 / n_0. As in Katz (1987), counts above five are
    reliable and stay; so do those where n_r or n_{r+1} is 0. Without any n-gram seen
    once nothing would be left for unseen ones: then one is assumed, with a warning.
    """

    name = "good-turing"

    def share(self, level: CountedLevel) -> Arrays:
        types = level.vocabulary_size - 1
        n = level.counts_of_counts(RELIABLE + 1)
        n[0] = np.count_nonzero(level.total) * types - np.count_nonzero(level.count)
        if level.order == self.order and n[1] == 0:
            warn(f"no {level.order}-gram occurs just once: Good-Turing assumes one")
        zero = max(n[1], 1) / n[0]
        counted = good_turing(n)[np.minimum(level.count, RELIABLE + 1)]
        counted = np.where(level.count > RELIABLE, level.count, counted)
        counted = np.where(level.count == 0, zero, counted)
        total = level.per_history(counted - zero) + zero * types
        return (counted - zero) / total[level.history], zero * types / total


class Katz(Smoother):
    """Good-Turing discounts; unseen words share what they free, as lower orders say.

    Katz (1987): p(w | h) = d_r r / C(h) if r = C(hw) > 0, else α(h) p(w | h′), where
    d_r = (r*/r - A) / (1 - A), A = 6 n_6 / n_1 for r up to 5, and d_r = 1 above, and α
    makes the sum 1. A d_r outside (0, 1] becomes 1, with a warning. Where nothing is
    freed after a history, one is added to C(h), as SRILM does; unigrams, of which only
    the unknown type is unseen, are never discounted and always take that rule.
    """

    name = "katz"

    def share(self, level: CountedLevel) -> Arrays:
        discount = self._discounts(level)
        counted = discount[np.minimum(level.count, RELIABLE + 1)] * level.count
        kept = level.per_history(counted)
        total = level.total + (kept == level.total)
        return counted / total[level.history], 1 - kept / total

    def combine(
        self, level: CountedLevel, own: np.ndarray, left: np.ndarray, lower: np.ndarray
    ) -> Arrays:
        if level.order == 1:
            unseen = level.count == 0
            unseen[START] = False
            return np.where(unseen, left / unseen.sum(), own), left
        unseen = 1 - level.per_history(lower[level.suffix])
        return own, np.where(level.total > 0, left / unseen, 1)

    def _discounts(self, level: CountedLevel) -> np.ndarray:
        """Return d_r for r = 0 … 5, and 1 for all above."""
        d = np.ones(RELIABLE + 2)
        if level.order == 1:
            return d
        n = level.counts_of_counts(RELIABLE + 1)
        r = np.arange(1, RELIABLE + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            a = (RELIABLE + 1) * n[RELIABLE + 1] / n[1]
            d[1:-1] = ((r + 1) * n[2:] / (r * n[1:-1]) - a) / (1 - a)
        odd = ~((d > 0) & (d <= 1))
        if odd.any():
            which = np.flatnonzero(odd).tolist()
            warn(f"{level.order}-grams seen {which} times keep their count: too few")
        return np.where(odd, 1, d)


class WittenBell(Smoother):
    """Something new comes as often as tokens were new when they came.

    Witten & Bell (1991), method C, interpolated as in Chen & Goodman (1998):
    p(w | h) = (C(hw) + N1+(h·) p(w | h′)) / (C(h) + N1+(h·)).
    """

    name = "witten-bell"

    def share(self, level: CountedLevel) -> Arrays:
        total = level.total + level.types
        return level.count / total[level.history], level.types / total


class AbsoluteDiscounting(Smoother):
    """Take a constant D from every count, and give it to the shorter history.

    Ney, Essen & Kneser (1994), interpolated:
    p(w | h) = max(C(hw) - D, 0) / C(h) + D N1+(h·) / C(h) · p(w | h′), with one
    D = n_1 / (n_1 + 2 n_2) for each order. If n_1 or n_2 is 0 that estimate fails, and
    D is 0.75, with a warning.

    Args:
        order: the longest n-gram.
        discount: D, from 0 to 1, or one for each order; by default it is estimated.
    """

    name = "absolute-discounting"

    def __init__(
        self, order: int = 3, discount: float | Sequence[float] | None = None
    ) -> None:
        super().__init__(order)
        self.discount = None if discount is None else self._checked(discount)

    def fit(self, training: Counts | Sentences) -> Self:
        self.discounts = []
        return super().fit(training)

    def share(self, level: CountedLevel) -> Arrays:
        given = self.discount
        d = given[level.order - 1] if given else self._estimate(level)
        self.discounts.append(d)
        taken = np.minimum(level.count, d)
        own = (level.count - taken) / level.total[level.history]
        return own, level.per_history(taken) / level.total

    def _estimate(self, level: CountedLevel) -> float:
        _, n1, n2 = level.counts_of_counts(2).tolist()
        if n1 and n2:
            return n1 / (n1 + 2 * n2)
        warn(f"{level.order}-grams: n1 = {n1}, n2 = {n2} give no discount; 0.75 serves")
        return 0.75

    def _checked(self, discount: float | Sequence[float]) -> list[float]:
        if np.ndim(discount) == 0:
            discount = [discount] * self.order
        if len(discount) != self.order:
            raise ValueError(
                f"{len(discount)} discounts for order {self.order}: expected one "
                "number, or one for each order"
            )
        if not all(0 <= d <= 1 for d in discount):
            raise ValueError(f"discount is {discount}: expected 0 to 1")
        return [float(d) for d in discount]


class KneserNey(AbsoluteDiscounting):
    """Absolute discounting, with lower orders that count left neighbours.

    Kneser & Ney (1995), interpolated as in Chen & Goodman (1998). A lower order speaks
    only where a longer history failed, so it asks in how many different places a word
    turned up, N1+(·hw), not how often; "Francisco" is frequent, but only after "San".
    D is estimated as in absolute discounting, from these counts.
    """

    name = "kneser-ney"
    neighbours = True


class ModifiedKneserNey(Smoother):
    """Kneser-Ney with three discounts: for n-grams seen once, twice, and more often.

    Chen & Goodman (1998), as KenLM estimates it (Heafield et al. 2013):
    p(w | h) = (a(hw) - D(a)) / Σ_w a(hw) + γ(h) p(w | h′), where a is C(hw) in the
    top order and N1+(·hw) below, γ(h) is what the discounts free,
    D_j = j - (j + 1) Y n_{j+1} / n_j for j = 1, 2, 3 and Y = n_1 / (n_1 + 2 n_2). If
    n_1, n_2 or n_3 is 0, or a D_j lies outside [0, j], the discounts of that order are
    0.5, 1 and 1.5, with a warning (KenLM's ``--discount_fallback``).

    Published perplexities come from KenLM, so by default its n_r are copied too, with
    a peculiarity (see `_kenlm_last`); what then differs is the rounding of its float32,
    some 1e-7 of a perplexity. KenLM numbers words by first occurrence, as `Text` does
    unless a vocabulary is given to it: then that order serves, and words that do not
    occur in the training text count as types, for which KenLM has no equivalent.

    Args:
        order: the longest n-gram.
        discount: D_1, D_2 and D_3+ for all orders; by default they are estimated.
        as_kenlm: estimate them as KenLM does, to its last digit; otherwise by the
            formulas above and nothing else.
    """

    name = "modified-kneser-ney"
    neighbours = True

    def __init__(
        self,
        order: int = 3,
        discount: Sequence[float] | None = None,
        as_kenlm: bool = True,
    ) -> None:
        super().__init__(order)
        self.discount = None if discount is None else self._checked(discount)
        self.as_kenlm = as_kenlm

    def fit(self, training: Counts | Sentences) -> Self:
        counts = self._counts(training)
        self.discounts = []
        self._last = _kenlm_last(counts, self.order) if self.as_kenlm else {}
        return super().fit(counts)

    def share(self, level: CountedLevel) -> Arrays:
        d = self.discount or self._estimate(level)
        self.discounts.append(d)
        taken = np.array([0, *d])[np.minimum(level.count, 3)]
        own = (level.count - taken) / level.total[level.history]
        return own, level.per_history(taken) / level.total

    def _estimate(self, level: CountedLevel) -> list[float]:
        n = level.counts_of_counts(4)
        if level.order in self._last:
            row, count = self._last[level.order]
            n[level.count[row] : level.count[row] + 1] -= 1  # none if it is above 4
            n[count : count + 1] += 1
        found = n[1:].tolist()
        if n[1:4].all():
            # KenLM computes in float32, which can decide on which side of 0 a D_j is.
            number = np.float32 if self.as_kenlm else np.float64
            y = number(n[1]) / number(n[1] + 2 * n[2])
            j, n = np.arange(1, 4, dtype=number), n.astype(number)
            d = j - (j + 1) * y * n[2:] / n[1:4]
            if (d >= 0).all() and (d <= j).all():
                return d.tolist()
        warn(
            f"{level.order}-grams: n1 … n4 = {found} give no discounts; 0.5 1 1.5 serve"
        )
        return [0.5, 1.0, 1.5]

    def _checked(self, discount: Sequence[float]) -> list[float]:
        if np.ndim(discount) != 1 or len(discount) != 3:
            raise ValueError(f"discount is {discount}: expected three, D1, D2 and D3+")
        if not all(0 <= d <= j for j, d in enumerate(discount, 1)):
            raise ValueError(f"discount is {discount}: expected D_j from 0 to j")
        return [float(d) for d in discount]


def _kenlm_last(counts: Counts, order: int) -> dict[int, tuple[int, int]]:
    """Return the n-gram of each lower order that KenLM enters into n_r by its C(hw).

    KenLM's lmplz reads n-grams sorted by their last word, then the word before it, and
    so on. It knows that an n-gram is complete when the next one differs, and then adds
    its count of left neighbours to n_r; but what is pending at the end of the text it
    adds by how often it occurs. That is one n-gram of each lower order: the word that
    was first seen last, with the last of its left neighbours, and so on, as far as
    ``<s>``. It moves the perplexity of a novel in the fourth decimal, and that of a
    few sentences by some per cent.

    Returns:
        For each order below `order`, the row of that n-gram and C(hw).
    """
    last = {}
    row = 0
    for level in counts.levels[: order - 1]:
        row = int(np.flatnonzero((level.suffix == row) & (level.count > 0))[-1])
        if level.order > 1 and row < level.begins:  # it counts as often as it occurs
            break
        last[level.order] = row, int(level.count[row])
    return last


class StupidBackoff(Smoother):
    """Relative frequency where there is one, else 0.4 times the shorter history's.

    Brants et al. (2007): S(w | h) = C(hw) / C(h) if C(hw) > 0, else 0.4 S(w | h′); an
    unknown word scores 0.4 / |V|. `distribution` and `logprob` return scores, which do
    not sum to 1: their perplexity would mean nothing. `sample` divides by their sum.
    """

    name = "stupid-backoff"
    unseen_history = 0.4
    normalised = False

    def share(self, level: CountedLevel) -> Arrays:
        own = level.count / level.total[level.history]
        return own, np.full(level.histories, self.unseen_history)

    def combine(
        self, level: CountedLevel, own: np.ndarray, left: np.ndarray, lower: np.ndarray
    ) -> Arrays:
        return np.where(level.count > 0, own, left[0] * lower[0]), left

    def perplexity(self, sentences: Sentences) -> float:
        """Refuse.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "Stupid Backoff has no perplexity: its scores do not sum to 1 over the "
            "vocabulary, so they are no probabilities; logprob() gives the scores"
        )


RELIABLE = 5  # counts above this are taken as they are (Katz 1987)


def good_turing(n: np.ndarray) -> np.ndarray:
    """Return r* = (r + 1) n_{r+1} / n_r, or r where one of them is 0.

    Args:
        n: n_r for r = 0 … R.

    Returns:
        r* for r = 0 … R - 1, and R for itself, float64 (R + 1,).
    """
    r = np.arange(len(n) - 1)
    defined = (n[:-1] > 0) & (n[1:] > 0)
    return np.append(
        np.where(defined, (r + 1) * n[1:] / np.maximum(n[:-1], 1), r), len(r)
    )


def warn(message: str) -> None:
    """Warn about counts from which nothing can be estimated."""
    warnings.warn(message, DiscountWarning, stacklevel=5)


SMOOTHERS: dict[str, type[Smoother]] = {
    smoother.name: smoother
    for smoother in (
        MaximumLikelihood,
        AddK,
        JelinekMercer,
        GoodTuring,
        Katz,
        WittenBell,
        AbsoluteDiscounting,
        KneserNey,
        ModifiedKneserNey,
        StupidBackoff,
    )
}
