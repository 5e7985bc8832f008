"""Smaller models: leave n-grams out, and give their probability back to the rest.

The n-grams that stay keep their probability. A history that lost some hands their
mass to its back-off weight,

    β(h) = (1 - Σ p(w | h)) / (1 - Σ p(w | h′)), sums over the words w that stay,

so that the pruned model sums to 1 again. An n-gram that begins or ends a longer one
stays as long as that one does: a beginning because it is the history, an end because
KenLM does not load large models that lack many of them.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .counts import CountedLevel, Level, make_key, ngrams, suffixes
from .encoding import START
from .model import BackoffModel, log10

TINY = np.finfo(float).tiny  # keeps divisions and logarithms finite


def prune_counts(model: BackoffModel, min_counts: Sequence[int]) -> BackoffModel:
    """Leave out n-grams that were seen too rarely.

    Args:
        model: a smoother after `fit`.
        min_counts: how often an n-gram must occur, for each order. Unigrams always
            stay, so the first must be 1; ``(1, 1, 2)`` drops the trigrams seen once.

    Raises:
        ValueError: there is not one number of at least 1 for each order, the first is
            not 1, or the model has no counts or no back-off weights.
    """
    _check(model)
    if len(min_counts) != model.order or min(min_counts) < 1 or min_counts[0] != 1:
        raise ValueError(
            f"min_counts is {min_counts}: expected {model.order} numbers of 1 or more, "
            "the first 1, because all words stay"
        )
    if not all(isinstance(level, CountedLevel) for level in model.levels):
        raise ValueError("this model has no counts: prune the smoother that was fitted")
    keep = [np.ones(len(model.words), bool)]
    for level, least in zip(model.levels[1:], min_counts[1:], strict=True):
        keep.append(level.count >= least)
    return _keep(model, keep)


def prune_entropy(model: BackoffModel, threshold: float) -> BackoffModel:
    """Leave out n-grams that the model hardly needs (Stolcke 1998).

    Each n-gram is tried alone: how far does the model's distribution move when it is
    left out, measured by relative entropy, D? Where exp(D) - 1, the relative rise of
    the perplexity, is below the threshold, it goes. The probability of its history,
    which weighs D, comes from the model itself; a Kneser-Ney model, whose lower orders
    are no estimates of frequency, prunes worse than the others for that (Chelba et
    al. 2010).

    Args:
        model: any model that sums to 1.
        threshold: for example 1e-8 (removes little) to 1e-6 (removes most).

    Raises:
        ValueError: the threshold is negative, or the model has no back-off weights.
    """
    _check(model)
    if not 0 <= threshold < np.inf:
        raise ValueError(f"threshold is {threshold}: expected 0 or more")
    keep = [np.ones(len(model.words), bool)]
    tables = list(zip(model.levels, ngrams(model.levels), strict=True))
    for (_, histories), (level, words) in pairwise(tables):
        entropy = _relative_entropy(model, level, words, _joint(model, histories))
        keep.append(np.expm1(entropy) >= threshold)
    return _keep(model, keep)


def _relative_entropy(
    model: BackoffModel, level: Level, words: np.ndarray, history_p: np.ndarray
) -> np.ndarray:
    """Return D(p ‖ p without this n-gram) for every n-gram of a level, (rows,).

    Stolcke (1998), equation 2: -p(h) · {p(w|h) · [ln p(w|h′) + ln β′(h) - ln p(w|h)] +
    (1 - Σ p(·|h)) · [ln β′(h) - ln β(h)]}, where β′ is β after the loss of w.
    """
    h = level.history
    p = np.maximum(10 ** model.log_prob[level.order - 1], TINY)
    lower = 10 ** _log_shorter(model, words)
    left, lower_left = _left(level, p), np.maximum(_left(level, lower), TINY)
    beta = left / lower_left
    beta_without = (left[h] + p) / (lower_left[h] + lower)
    word = p * np.log(lower * beta_without / p)
    others = left[h] * np.log(beta_without / np.maximum(beta, TINY)[h])
    return -history_p[h] * (word + others)


def _log_shorter(model: BackoffModel, words: np.ndarray) -> np.ndarray:
    """Return log10 p(w | h′), h′ being h without its first word, (rows,).

    Args:
        words: word numbers of n-grams hw, (rows, order), order 2 or more.
    """
    return _log_each(model, words[:, 1:])[:, -1]


def _joint(model: BackoffModel, words: np.ndarray) -> np.ndarray:
    """Return the probability of n-grams by the chain rule, where ``<s>`` is given."""
    log_each = np.where(words == START, 0, _log_each(model, words))
    return 10 ** log_each.sum(axis=1)


def _log_each(model: BackoffModel, words: np.ndarray) -> np.ndarray:
    """Return log10 p of each word after those before it in its row, (rows, order)."""
    position = np.tile(np.arange(words.shape[1]), len(words))
    return model.walk(words.ravel(), position)[0].reshape(words.shape)


def _left(level: Level, p: np.ndarray) -> np.ndarray:
    """Return the probability that each history leaves to words not seen after it."""
    return np.maximum(1 - level.per_history(p), 0)


def _keep(model: BackoffModel, keep: Sequence[np.ndarray]) -> BackoffModel:
    """Return the model with the marked n-grams, and those that begin or end them."""
    below_each = [None, *keep[:-1]]
    downwards = zip(model.levels, suffixes(model.levels), keep, below_each, strict=True)
    for level, suffix, kept, below in reversed(list(downwards)[1:]):
        below[level.history[kept]] = True
        below[suffix[kept & (suffix >= 0)]] = True
    small = BackoffModel(model.words, model.levels[:1], model.log_prob[:1], ())
    upwards = zip(model.levels[1:], model.log_prob[1:], keep[1:], keep, strict=False)
    for level, log_prob, kept, below in upwards:
        if not kept.any():
            break
        row = np.cumsum(below) - 1  # where a row of the level below has moved
        size = level.vocabulary_size
        keys = make_key(row[level.history[kept]], level.word[kept], size)
        level = Level(level.order, keys, np.count_nonzero(below), size)
        small = _raise(small, level, log_prob[kept])
    return small


def _raise(model: BackoffModel, level: Level, log_prob: np.ndarray) -> BackoffModel:
    """Return the model with one more level, and back-off weights that fit it."""
    levels = (*model.levels, level)
    *_, words = ngrams(levels)
    lower_left = _left(level, 10 ** _log_shorter(model, words))
    beta = _left(level, 10**log_prob) / np.maximum(lower_left, TINY)
    followed = np.bincount(level.history, minlength=level.histories) > 0
    backoff = log10(np.where(followed, beta, 1))
    return BackoffModel(
        model.words,
        levels,
        (*model.log_prob, log_prob),
        (*model.log_backoff, backoff),
    )


def _check(model: BackoffModel) -> None:
    model.check_fitted()
    if model.unseen_history != 1:
        raise ValueError(
            f"{type(model).__name__} has no back-off weights that could take up what "
            "pruning frees: use another smoother"
        )
