"""Fine-tuning: a pre-trained BERT learns a task from labelled text.

Howard and Ruder (2018, “Universal language model fine-tuning for text classification”)
and Devlin et al. (2019, “BERT”, section 3.2): all weights go on learning, gently, under
a new head. Everything here hands its batches, losses and rates to `training.train`.
"""

import math
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .batches import IGNORED, Batch, by_length, padded
from .bert import inputs
from .pretraining import CLS, SEP, UNKNOWN, Batches, evaluating
from .training import Loss, State

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Example(NamedTuple):
    """A text as numbers, ``[CLS]`` and ``[SEP]`` included, and what to predict of it.

    The label is a class, or a class for each token with `IGNORED` where none counts.
    """

    tokens: list[int]
    label: int | list[int]


# ------------------------------------------------------------ from text to batches


def text_examples(
    texts: Sequence[str],
    labels: Sequence[int],
    tokenizer: "Tokenizer",
    longest: int = 128,
) -> list[Example]:
    """Return texts to be classified; long ones lose their ends.

    Args:
        texts: as they came.
        labels: the number of each one's class.
        tokenizer: from `pretraining.read_tokenizer`.
        longest: how many tokens a text has at most, special ones included.

    Raises:
        ValueError: not as many labels as texts, something else than a text or than the
            number of a class, or `longest` below 3.
    """
    if len(texts) != len(labels):
        raise ValueError(f"{len(texts)} texts and {len(labels)} labels: give one each")
    around, room, classes = _around(tokenizer), _room(longest), map(_class, labels)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"text {place} is {text!r}: give a string, or leave it out"
            )
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    numbers = (encoding.ids[:room] for encoding in encoded)
    return [
        Example(around(n), label) for n, label in zip(numbers, classes, strict=True)
    ]


def _class(label: Any) -> int:
    """Return a class as a number of Python's, also if NumPy or PyTorch counts it."""
    try:
        return int(operator.index(label))  # True is 1
    except TypeError:
        raise ValueError(
            f"a label is {label!r}: give the number of its class, 0, 1, 2, …"
        ) from None


def _room(longest: int) -> int:
    """Return how many tokens fit between the special ones."""
    if longest < 3:
        raise ValueError(f"longest is {longest}: expected 3 or more, two are special")
    return longest - 2


def word_examples(
    words: Sequence[Sequence[str]],
    labels: Sequence[Sequence[int]],
    tokenizer: "Tokenizer",
    longest: int = 128,
    joined: bool = False,
) -> list[Example]:
    """Return sentences whose words are to be labelled, one example a sentence or more.

    A word's label stands at its first token; its other tokens and the special ones are
    `IGNORED`, so that every word counts once (Devlin et al. 2019, section 5.3). A
    sentence that is too long becomes several examples, cut between words.

    Args:
        words: the words, or the characters, of each sentence.
        labels: the number of each word's label.
        tokenizer: from `pretraining.read_tokenizer`.
        longest: how many tokens an example has at most, special ones included.
        joined: words are read without spaces between them, as Chinese is written.

    Raises:
        ValueError: a sentence has not as many labels as words, or `longest` is below 3.
    """
    for some, their in zip(words, labels, strict=True):
        if len(some) != len(their):
            raise ValueError(
                f"{len(some)} words and {len(their)} labels in "
                f"{' '.join(some)[:40]!r}: give a label for each word"
            )
    around, room = _around(tokenizer), _room(longest)
    found = []
    every = _tokens_of_words(words, tokenizer, joined)
    for numbers, their in zip(every, labels, strict=True):
        for start, end in _parts([len(word) for word in numbers], room):
            tokens = [n for word in numbers[start:end] for n in word]
            marks = [
                mark
                for word, label in zip(
                    numbers[start:end], their[start:end], strict=True
                )
                for mark in [label, *[IGNORED] * (len(word) - 1)]
            ]
            marks = [IGNORED, *marks[:room], IGNORED]
            found.append(Example(around(tokens[:room]), marks))
    return found


def _tokens_of_words(
    words: Sequence[Sequence[str]], tokenizer: "Tokenizer", joined: bool
) -> Iterator[list[list[int]]]:
    """Yield for each sentence the token numbers of each of its words.

    A word that has none of its own, because it is empty to the tokenizer or part of a
    longer run that is unknown, is ``[UNK]``. Joined words that share a token are read
    alone, so that each has one for its label.
    """
    unknown = tokenizer.token_to_id(UNKNOWN)
    texts = ["".join(some) for some in words] if joined else [[*some] for some in words]
    encoded = tokenizer.encode_batch(
        texts, is_pretokenized=not joined, add_special_tokens=False
    )
    for some, encoding in zip(words, encoded, strict=True):
        numbers: list[list[int]] = [[] for _ in some]
        shared: set[int] = set()
        owner = [place for place, word in enumerate(some) for _ in word]
        if not joined:
            places = [(place, place) for place in encoding.word_ids]
        else:
            places = [(owner[start], owner[end - 1]) for start, end in encoding.offsets]
        for number, (first, last) in zip(encoding.ids, places, strict=True):
            numbers[first].append(number)
            if first < last and number != unknown:
                shared.update(range(first, last + 1))
        for place in shared:
            alone = tokenizer.encode(some[place], add_special_tokens=False)
            numbers[place] = alone.ids
        yield [each or [unknown] for each in numbers]


def _parts(lengths: Sequence[int], longest: int) -> Iterator[tuple[int, int]]:
    """Yield where to cut words of these lengths so that no part is longer.

    A word that is too long by itself is a part of its own.
    """
    start = total = 0
    for place, length in enumerate(lengths):
        if total + length > longest and place > start:
            yield start, place
            start, total = place, 0
        total += length
    if start < len(lengths):
        yield start, len(lengths)


def _around(tokenizer: "Tokenizer") -> Callable[[list[int]], list[int]]:
    """Return a function that puts ``[CLS]`` before and ``[SEP]`` after numbers."""
    cls, sep = tokenizer.token_to_id(CLS), tokenizer.token_to_id(SEP)
    return lambda numbers: [cls, *numbers, sep]


def batch_of(examples: Sequence[Example], pad: int = 0) -> Batch:
    """Return examples as a batch: tokens, types, mask and labels.

    Labels of tokens are filled up with `IGNORED`: padding is never scored.
    """
    labels = [example.label for example in examples]
    if isinstance(labels[0], int):
        target = torch.tensor(labels)  # (batch,)
    else:
        target = padded(labels, IGNORED)  # (batch, longest)
    return *inputs([example.tokens for example in examples], pad=pad), target


def batches(
    examples: Sequence[Example], size: int, seed: int = 1, pad: int = 0
) -> Batches:
    """Return a function: the number of an epoch → its batches, of about equal length.

    Args:
        examples: from `text_examples` or `word_examples`.
        size: how many make a batch.
        seed: of their order, together with the epoch.
        pad: the number of ``[PAD]``.

    Raises:
        ValueError: there is no example.
    """
    if not examples:
        raise ValueError("there is no example to learn from: give at least one")
    lengths = [len(example.tokens) for example in examples]

    def of_epoch(epoch: int) -> Iterator[Batch]:
        for chosen in by_length(lengths, size, 1_000_003 * seed + epoch):
            yield batch_of([examples[i] for i in chosen], pad)

    return of_epoch


@torch.no_grad()
def predict(
    model: nn.Module, examples: Sequence[Example], size: int = 128, pad: int = 0
) -> list[np.ndarray]:
    """Return the logits of each example, in the order of the examples.

    Args:
        model: from `lmcourse.bert`; evaluation mode is for the length of this call.
        examples: their labels are not looked at, but where they are `IGNORED`.
        size: how many are read at once.
        pad: the number of ``[PAD]``.

    Returns:
        For each text float32 (classes,), for each labelled sentence (words, classes):
        only tokens with a label count.
    """
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].tokens))
    found: dict[int, np.ndarray] = {}
    with evaluating(model) as device:
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            *read, labels = batch_of([examples[i] for i in chosen], pad)
            logits, _ = model(*(part.to(device) for part in read))
            logits = logits.float().cpu().numpy()  # (batch, …, classes)
            if labels.ndim == 2:
                counts = (labels != IGNORED).numpy()  # (batch, longest)
                logits = [row[keep] for row, keep in zip(logits, counts, strict=True)]
            found |= dict(zip(chosen, logits, strict=True))
    return [found[i] for i in range(len(examples))]


def label_words(
    model: nn.Module,
    words: Sequence[Sequence[str]],
    tokenizer: "Tokenizer",
    longest: int = 128,
    joined: bool = False,
    legal: bool = False,
) -> list[list[str]]:
    """Return the likeliest label of each word, by the names in `model.config.labels`.

    Args:
        model: a `bert.ForTokens`.
        words, tokenizer, longest, joined: as in `word_examples`.
        legal: whether the labels are BIO tags of which the likeliest row is wanted that
            has no ``I-`` without a beginning, see `best_tags`.
    """
    nothing = [[0] * len(some) for some in words]
    examples = word_examples(words, nothing, tokenizer, longest, joined)
    logits = iter(row for rows in predict(model, examples) for row in rows)
    names = model.config.labels
    found = []
    for some in words:
        scores = np.array([next(logits) for _ in some]).reshape(-1, len(names))
        found.append(
            best_tags(scores, names)
            if legal
            else [names[number] for number in scores.argmax(-1)]
        )
    return found


# ------------------------------------------------------------ losses


def class_weights(labels: Sequence[int], classes: int) -> Tensor:
    """Return weights that give each class the same say, their mean over labels 1.

    n / (classes · n_c), King and Zeng 2001, “Logistic regression in rare events data”.

    Raises:
        ValueError: a class has no example, or a label is beyond the classes.
    """
    counts = np.bincount(labels, minlength=classes)
    if len(counts) > classes:
        raise ValueError(
            f"a label is {len(counts) - 1}, and {classes} classes are numbered from 0 "
            f"to {classes - 1}: give the number of all classes"
        )
    if (counts == 0).any():
        raise ValueError(
            f"class {int(counts.argmin())} has no example, so no weight makes up for it"
        )
    weights = len(labels) / (classes * counts)
    return torch.tensor(weights, dtype=torch.float32)  # (classes,)


def label_loss(weights: Tensor | None = None, smoothing: float = 0.0) -> Loss:
    """Return a loss for `training.train`: the summed cross-entropy of labels.

    For texts and for tokens alike; targets that are `IGNORED` do not count.

    Args:
        weights: of the classes, (classes,), see `class_weights`; None for equal ones.
        smoothing: the share of each target that is spread over all classes (Szegedy
            et al. 2016, “Rethinking the Inception architecture for computer vision”).
    """

    def loss(model: nn.Module, batch: Batch, state: State) -> tuple[Tensor, State]:
        *read, labels = batch
        logits, _ = model(*read)  # (batch, …, classes)
        return functional.cross_entropy(
            logits.flatten(0, -2),
            labels.flatten(),
            weight=None if weights is None else weights.to(logits),
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=smoothing,
        ), None

    return loss


def adversarial(loss: Loss, embedding: nn.Module, epsilon: float = 1.0) -> Loss:
    """Return a loss that also asks for the worst small change of the word vectors.

    The mean of the loss as it is and of the loss after each text's word vectors moved
    by `epsilon` along its gradient (Miyato, Dai and Goodfellow 2017, “Adversarial
    training methods for semi-supervised text classification”; known as FGM). It
    costs more than twice the time.

    Args:
        loss: any loss for `training.train`.
        embedding: the module whose output is moved, (batch, time, width), such as
            `model.bert.embeddings.tokens`.
        epsilon: how far, as the length of all of a text's changes together.
    """

    def attacked(model: nn.Module, batch: Batch, state: State) -> tuple[Tensor, State]:
        seen: list[Tensor] = []

        def keep(module: nn.Module, given: Any, vectors: Tensor) -> None:
            # The vectors of a frozen table would have no gradient otherwise.
            seen.append(vectors.requires_grad_())

        with embedding.register_forward_hook(keep):
            plain, after = loss(model, batch, state)
        (gradient,) = torch.autograd.grad(plain, seen[0], retain_graph=True)
        length = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)  # (batch,)
        change = epsilon * gradient / length[:, None, None]  # (batch, time, width)
        with embedding.register_forward_hook(lambda *call: call[-1] + change):
            moved, _ = loss(model, batch, state)
        return (plain + moved) / 2, after

    return attacked


# ------------------------------------------------------------ what learns, and how fast


def layer_of(name: str, num_layers: int) -> int:
    """Return how deep a weight of a BERT lies: 0 for embeddings, then 1, 2, …

    Pooler and head are above the last layer.

    Raises:
        ValueError: the weight is in a layer beyond the last one.
    """
    found = re.search(r"encoder\.layers\.(\d+)\.", name)
    if found and int(found[1]) >= num_layers:
        raise ValueError(f"{name} lies beyond {num_layers} layers: give their number")
    if found:
        return int(found[1]) + 1
    return 0 if "embeddings." in name else num_layers + 1


def freeze(model: nn.Module, depth: int) -> int:
    """Keep the lowest weights as they are; return how many numbers still learn.

    Args:
        model: from `lmcourse.bert`, with a head; changed in place.
        depth: 0 freezes nothing, 1 the embeddings, 1 + n also the first n layers.

    Raises:
        ValueError: more layers than there are.
    """
    num_layers = model.config.num_layers
    if not 0 <= depth <= num_layers + 1:
        raise ValueError(f"depth is {depth}: expected 0 to {num_layers + 1}")
    for name, weight in model.named_parameters():
        weight.requires_grad_(layer_of(name, num_layers) >= depth)
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def layer_rates(num_layers: int, decay: float) -> Callable[[str], float]:
    """Return a `scale` for `training.train`: each layer learns slower than the next.

    The head has factor 1, the last layer `decay`, the one below `decay`², and so on
    (Howard and Ruder 2018, 3.2; Sun et al. 2019, “How to fine-tune BERT for text
    classification?”).

    Raises:
        ValueError: `decay` is not above 0 and at most 1.
    """
    if not 0 < decay <= 1:
        raise ValueError(f"decay is {decay}: expected above 0, at most 1")
    return lambda name: decay ** (num_layers + 1 - layer_of(name, num_layers))


# ------------------------------------------------------------ how good it is


class Span(NamedTuple):
    """An entity: from word `start` up to, and without, word `end`."""

    kind: str
    start: int
    end: int


def spans(tags: Sequence[str]) -> set[Span]:
    """Return the entities of a sentence's BIO tags, read strictly.

    An entity begins with ``B-`` and goes on with ``I-`` of the same kind. An ``I-``
    without a beginning is no entity, as in seqeval's strict mode with IOB2.

    >>> sorted(spans(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"]))
    [Span(kind='LOC', start=4, end=5), Span(kind='PER', start=0, end=2)]
    """
    found, start = set(), None
    for place, tag in enumerate([*tags, "O"]):
        if start is not None and tag != f"I-{tags[start][2:]}":
            found.add(Span(tags[start][2:], start, place))
            start = None
        if tag.startswith("B-"):
            start = place
    return found


def follows(before: str, after: str) -> bool:
    """Return whether one BIO tag may stand right behind another.

    >>> follows("B-PER", "I-PER"), follows("O", "I-PER"), follows("B-LOC", "I-PER")
    (True, False, False)
    """
    return not after.startswith("I-") or before in (f"B-{after[2:]}", after)


def best_tags(scores: np.ndarray, names: Sequence[str]) -> list[str]:
    """Return the legal BIO tags of a sentence with the highest sum of scores.

    The Viterbi (1967) algorithm: the best row that ends in a given tag is the best row
    that ends in some tag one word earlier, and that tag.

    Args:
        scores: (words, tags), logits or log-probabilities.
        names: of the tags.
    """
    if not len(scores):
        return []
    allowed = [[follows(before, after) for after in names] for before in names]
    step = np.where(allowed, 0.0, -np.inf)  # (before, after)
    first = np.where([follows("O", name) for name in names], 0.0, -np.inf)
    total, origins = scores[0] + first, []
    for row in scores[1:]:
        paths = total[:, None] + step  # (before, after)
        origins.append(paths.argmax(0))
        total = paths.max(0) + row
    path = [int(total.argmax())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return [names[number] for number in reversed(path)]


class Scores(NamedTuple):
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float
    f1: float


def entity_counts(
    true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> np.ndarray:
    """Return for each sentence how many entities are right, found and there.

    Returns:
        int (sentences, 3), for `entity_scores`, and for resampling sentences.

    Raises:
        ValueError: not as many sentences, or tags in one of them; or the tags of one
            sentence, and not a list of them for each.
    """
    if any(isinstance(tags, str) for tags in (*true, *predicted)):
        raise ValueError("give a list of tags for each sentence: [[…], […]]")
    if [*map(len, true)] != [*map(len, predicted)]:
        raise ValueError(
            "true and predicted tags differ in length: give one tag a word, for words "
            "that were cut off too"
        )
    rows = []
    for wanted, given in zip(map(spans, true), map(spans, predicted), strict=True):
        rows.append((len(wanted & given), len(given), len(wanted)))
    return np.array(rows).reshape(-1, 3)  # (sentences, 3)


def entity_scores(counts: np.ndarray) -> Scores:
    """Return strict entity-level scores of counts (sentences, 3), all kinds together.

    The same as seqeval's with ``mode="strict", scheme=IOB2`` and micro averages; 0
    where nothing was found, or nothing was there.
    """
    right, found, there = (int(n) for n in counts.sum(0))
    precision, recall = right / max(found, 1), right / max(there, 1)
    return Scores(precision, recall, 2 * right / max(found + there, 1))


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Return where the mean over all seeds lies, from a few: Student's t interval.

    Raises:
        ValueError: fewer than two values, or `level` is not between 0 and 1.
    """
    from scipy.stats import t

    if len(values) < 2:
        raise ValueError(f"{len(values)} value: an interval needs two or more seeds")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: expected between 0 and 1, such as 0.95")
    mean, half = np.mean(values), t.isf((1 - level) / 2, len(values) - 1)
    half *= np.std(values, ddof=1) / math.sqrt(len(values))
    return float(mean - half), float(mean + half)


def bootstrap(
    items: np.ndarray,
    statistic: Callable[[np.ndarray], float] = np.mean,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 1,
) -> tuple[float, float]:
    """Return where a statistic lies for other test texts like these (Efron 1979).

    Args:
        items: a row for each test text: whether it was right, the difference of two
            models, or `entity_counts`.
        statistic: rows → a number; for the counts
            ``lambda counts: entity_scores(counts).f1``.
        level: the probability that the interval is to hold.
        resamples: how many test sets are drawn, with replacement.
        seed: of the draws.

    Raises:
        ValueError: there are no rows.
    """
    items = np.asarray(items)
    if not len(items):
        raise ValueError("there is nothing to resample: give a row for each test text")
    random = np.random.default_rng(seed)
    drawn = (random.integers(len(items), size=len(items)) for _ in range(resamples))
    values = [statistic(items[places]) for places in drawn]
    tail = 50 * (1 - level)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def tag_names(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Return the BIO tags of some kinds of entity, ``O`` first, as labels of a model.

    >>> tag_names(("LOC", "PER"))
    ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    return "O", *(f"{mark}-{kind}" for kind in kinds for mark in "BI")


def entity_kinds(tags: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the kinds of entity in tagged sentences, the most frequent first."""
    counts = Counter(tag[2:] for row in tags for tag in row if tag.startswith("B-"))
    return tuple(kind for kind, _ in counts.most_common())
