"""N-gram language models: counting, ten smoothers, ARPA files, pruning, sampling.

>>> from lmcourse.ngrams import Counts, ModifiedKneserNey
>>> training = [["the", "cat", "sat"], ["the", "cat", "ran"], ["a", "dog", "ran"]]
>>> model = ModifiedKneserNey(order=2, discount=(0.5, 1, 1.5)).fit(training)
>>> round(model.perplexity([["a", "cat", "sat"]]), 2)
4.51
>>> dict(zip(model.words, model.distribution(["the"]).round(2).tolist()))["cat"]
0.56
"""

from .arpa import read_arpa, write_arpa
from .counts import Counts, merge
from .encoding import Text
from .model import BackoffModel, Scores, UnseenHistory
from .pruning import prune_counts, prune_entropy
from .smoothing import (
    SMOOTHERS,
    AbsoluteDiscounting,
    AddK,
    DiscountWarning,
    GoodTuring,
    JelinekMercer,
    Katz,
    KneserNey,
    MaximumLikelihood,
    ModifiedKneserNey,
    Smoother,
    StupidBackoff,
    WittenBell,
)

__all__ = [
    "SMOOTHERS",
    "AbsoluteDiscounting",
    "AddK",
    "BackoffModel",
    "Counts",
    "DiscountWarning",
    "GoodTuring",
    "JelinekMercer",
    "Katz",
    "KneserNey",
    "MaximumLikelihood",
    "ModifiedKneserNey",
    "Scores",
    "Smoother",
    "StupidBackoff",
    "Text",
    "UnseenHistory",
    "WittenBell",
    "merge",
    "prune_counts",
    "prune_entropy",
    "read_arpa",
    "write_arpa",
]
