"""Translation: sentence pairs as numbers, translations as strings, and baselines.

English is read as words, Chinese is written character by character. The pairs are
those of Tatoeba (`corpora.load("tatoeba")`); everything here is fitted on their
training part.
"""

import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import checkpoints
from .batches import Batch, by_length, padded, pair_batch
from .corpora import Pair
from .generation import Candidate, beam_search, greedy
from .text import END, UNKNOWN, Vocabulary, characters
from .training import summed_loss
from .transformer import EncoderDecoder

PAD = "<pad>"
LEAST = 0.02  # Dice's coefficient of words and characters that are worth remembering
Numbers = tuple[list[int], list[int]]  # a source and its target

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d|[.,!?;]")


def words(english: str) -> list[str]:
    """Return the tokens of an English sentence that is to be translated.

    As `text.tokenize` everywhere in the course, and digits as well, one by one: a
    translator must not lose a number.

    >>> words("I’ll pay $25 at René's.")
    ["i'll", 'pay', '2', '5', 'at', "rené's", '.']
    """
    return _WORD.findall(
        english.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower()
    )


@dataclass(frozen=True)
class Languages:
    """The two vocabularies of a translator, each with numbers of its own.

    Attributes:
        english: ``<pad>``, ``<unk>`` and the words.
        chinese: ``<unk>``, ``</s>`` and the characters.
    """

    english: Vocabulary
    chinese: Vocabulary

    @classmethod
    def of(cls, pairs: Iterable[Pair], min_count: int = 4) -> "Languages":
        """Return the vocabularies of training pairs.

        Args:
            pairs: to learn from.
            min_count: how often a word or character must occur in them.
        """
        pairs = list(pairs)
        return cls(
            Vocabulary((words(p.english) for p in pairs), min_count, (PAD, UNKNOWN)),
            Vocabulary(
                (characters(p.chinese) for p in pairs), min_count, (UNKNOWN, END)
            ),
        )

    @property
    def pad(self) -> int:
        """The number that fills up short English sentences."""
        return self.english.encode([PAD])[0]

    @property
    def end(self) -> int:
        """The number of the Chinese ``</s>``: read first, predicted last."""
        return self.chinese.encode([END])[0]

    def read(self, english: str) -> list[int]:
        """Return the numbers of an English sentence.

        Raises:
            ValueError: there is no word in it.
        """
        found = self.english.encode(words(english))
        if not found:
            raise ValueError(f"there is no word to translate in {english!r}")
        return found

    def number(self, pairs: Iterable[Pair]) -> list[Numbers]:
        """Return pairs as numbers."""
        return [
            (self.read(pair.english), self.chinese.encode(characters(pair.chinese)))
            for pair in pairs
        ]

    def write(self, tokens: Iterable[int]) -> str:
        """Return Chinese characters joined to a string, as people read them."""
        return "".join(self.chinese.decode(tokens))


def held_out(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """Return a choice of pairs, the same every time, no English sentence twice.

    Args:
        pairs: of the development or test part.
        count: how many are chosen.

    Raises:
        ValueError: there are not so many different English sentences.
    """
    distinct = list({pair.english: pair for pair in reversed(pairs)}.values())
    if count > len(distinct):
        raise ValueError(
            f"{count} pairs are asked for, and there are {len(distinct)} different "
            "English sentences: take fewer"
        )
    return random.Random(1).sample(distinct, count)


def epochs(
    pairs: Sequence[Numbers], languages: Languages, size: int
) -> Callable[[int], Iterator[Batch]]:
    """Return a function from an epoch's number to its batches, for `training.train`.

    Args:
        pairs: from `Languages.number`.
        languages: their vocabularies.
        size: how many pairs make a batch; those of about equal length meet.
    """

    def batches(epoch: int) -> Iterator[Batch]:
        for chosen in by_length([len(target) for _, target in pairs], size, epoch):
            yield pair_batch([pairs[i] for i in chosen], languages.end, languages.pad)

    return batches


@torch.no_grad()
def loss_per_character(
    model: nn.Module, pairs: Sequence[Numbers], languages: Languages, size: int = 128
) -> float:
    """Return -ln p of a Chinese character or ``</s>``, on average, in nats.

    The right characters before it are given (teacher forcing).

    Args:
        model: an `EncoderDecoder`, in evaluation mode.
        pairs: from `Languages.number`.
        languages: their vocabularies.
        size: how many pairs are read at once.
    """
    device = next(model.parameters()).device
    total = 0.0
    for batch in epochs(pairs, languages, size)(0):
        *inputs, targets = (part.to(device) for part in batch)
        logits, _ = model(*inputs)  # (batch, time, vocabulary)
        total += float(summed_loss(logits, targets))
    count = sum(len(target) + 1 for _, target in pairs)
    return total / count


def translate(
    model: nn.Module,
    sentences: Sequence[str],
    languages: Languages,
    beams: int = 1,
    length_penalty: float = 1.0,
    size: int = 100,
) -> list[str]:
    """Return the Chinese of English sentences, in their order.

    ``<unk>`` is never written, and nothing longer than twice the source plus 20.

    Args:
        model: an `EncoderDecoder`, in evaluation mode.
        sentences: English, as people write it.
        languages: the model's vocabularies.
        beams: 1 for greedy decoding, else the width of the beam search.
        length_penalty: see `generation.beam_search`.
        size: how many sentences are translated side by side.

    Raises:
        ValueError: a sentence has no word, or `beams` is below 1.
    """
    if beams > 1:
        found = search(model, sentences, languages, beams, length_penalty, size)
        return [languages.write(best.tokens) for best, *_ in found]

    def write(*arguments: Any) -> list[list[int]]:
        return greedy(*arguments, languages.end)

    if beams == 1:
        texts = _decoded(write, model, sentences, languages, size)
        return [languages.write(text) for text in texts]
    raise ValueError(f"beams is {beams}: expected 1 (greedy decoding) or more")


def search(
    model: nn.Module,
    sentences: Sequence[str],
    languages: Languages,
    beams: int = 4,
    length_penalty: float = 1.0,
    size: int = 100,
) -> list[list[Candidate]]:
    """Return all that a beam search found for each sentence, the best first.

    Arguments and errors as in `translate`.
    """

    def write(*arguments: Any) -> list[list[Candidate]]:
        return beam_search(*arguments, languages.end, beams, length_penalty)

    return _decoded(write, model, sentences, languages, size)


def _decoded(
    write: Callable[[Any, Tensor, int], list[Any]],
    model: nn.Module,
    sentences: Sequence[str],
    languages: Languages,
    size: int,
) -> list[Any]:
    """Return what `write` makes of each sentence, those of equal length together."""
    device = next(model.parameters()).device
    sources = [languages.read(sentence) for sentence in sentences]
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    found: dict[int, Any] = {}
    for first in range(0, len(order), size):
        chosen = order[first : first + size]
        source = padded([sources[i] for i in chosen], languages.pad).to(device)
        prompt = source.new_full((len(chosen), 1), languages.end)  # (batch, 1)
        limit = 2 * source.shape[1] + 20
        texts = write(_writer(model, source, languages), prompt, limit)
        found |= dict(zip(chosen, texts, strict=True))
    return [found[i] for i in range(len(sources))]


def _writer(
    model: nn.Module, source: Tensor, languages: Languages
) -> Callable[[Tensor, Any], tuple[Tensor, Any]]:
    """Return the model with its source, for `generation`; it never writes <unk>."""
    unknown = languages.chinese.encode([UNKNOWN])[0]

    def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = model(source, tokens, state)  # (batch, time, vocabulary)
        logits[..., unknown] = -math.inf
        return logits, state

    return step


# ------------------------------------------------------------------------- baselines


def copy(sentences: Iterable[str]) -> list[str]:
    """Return the English sentences themselves: what no knowledge at all scores."""
    return list(sentences)


def most_frequent(pairs: Iterable[Pair], sentences: Iterable[str]) -> list[str]:
    """Return the commonest Chinese sentence of the training pairs, every time."""
    ((chinese, _),) = Counter(pair.chinese for pair in pairs).most_common(1)
    return [chinese for _ in sentences]


class Dictionary:
    """For every English word what occurs with it in Chinese: one or two characters.

    How well a word and some characters go together is Dice's coefficient (1945),
    2 · C(word, characters) / (C(word) + C(characters)), where C counts the pairs of
    sentences that hold them.

    Args:
        pairs: to learn from.
        min_count: in how many pairs a word must occur.
    """

    def __init__(self, pairs: Iterable[Pair], min_count: int = 4) -> None:
        pairs = list(pairs)
        english, rows = _numbered([words(p.english) for p in pairs], min_count)
        chinese, columns = _numbered([pieces(p.chinese) for p in pairs], min_count)
        codes = [
            (row[:, None] * len(chinese) + column).ravel()
            for row, column in zip(rows, columns, strict=True)
        ]
        both, times = np.unique(np.concatenate(codes), return_counts=True)
        row, column = both // len(chinese), both % len(chinese)
        occurs = np.bincount(np.concatenate(rows), minlength=len(english))
        others = np.bincount(np.concatenate(columns), minlength=len(chinese))
        dice = 2 * times / (occurs[row] + others[column])
        self._dice = {
            (english[row[i]], chinese[column[i]]): float(dice[i])
            for i in np.flatnonzero(dice >= LEAST)
        }
        # The last is the best; of equals the longer: 汤姆 and 汤 occur equally often.
        length = np.array([len(piece) for piece in chinese])[column]
        order = np.lexsort((column, length, dice, row))
        self.best = {english[row[i]]: chinese[column[i]] for i in order[_ends(row)]}

    def dice(self, word: str, piece: str) -> float:
        """Return how well a word and one or two characters go together.

        0 to 1; what is below `LEAST` is 0.
        """
        return self._dice.get((word, piece), 0.0)

    def translate(self, sentences: Iterable[str]) -> list[str]:
        """Return sentences word by word; words that are not in it are left out."""
        return [
            "".join(self.best.get(word, "") for word in words(sentence))
            for sentence in sentences
        ]


def pieces(chinese: str) -> list[str]:
    """Return all single characters of a sentence, and all pairs of neighbours.

    >>> pieces("我爱你")
    ['我', '爱', '你', '我爱', '爱你']
    """
    single = characters(chinese)
    return [*single, *map("".join, pairwise(single))]


def _numbered(
    sides: Sequence[Sequence[str]], min_count: int
) -> tuple[list[str], list[np.ndarray]]:
    """Return the frequent types, and which of them each sentence holds."""
    held = [set(side) for side in sides]
    counts = Counter(token for side in held for token in side)
    kept = sorted(token for token, count in counts.items() if count >= min_count)
    index = {token: i for i, token in enumerate(kept)}
    numbers = [[index[token] for token in side if token in index] for side in held]
    return kept, [np.array(sorted(one), dtype=np.int64) for one in numbers]


def _ends(row: np.ndarray) -> np.ndarray:
    """Return where each number stands last in an array that is in order."""
    return np.flatnonzero(np.append(row[1:] != row[:-1], True))


# --------------------------------------------------------------- the course's own model


def load(pairs: Iterable[Pair]) -> tuple[EncoderDecoder, Languages, dict[str, Any]]:
    """Return the translator that `recipes/translation.py` trained, and its card.

    Args:
        pairs: the training part of Tatoeba, whose words the model knows.

    Returns:
        The model in evaluation mode, its vocabularies, and the facts about it.

    Raises:
        FileNotFoundError: the weights are not there; says how to make them.
        ValueError: these are not the pairs that it was trained on.
    """
    weights, card = _places()
    if not card.exists():
        raise FileNotFoundError(
            f"{card} does not exist. Next step: make long NAME=translation"
        )
    facts = json.loads(card.read_text("utf-8"))
    languages = Languages.of(pairs, facts["min_count"])
    sizes = [len(languages.english), len(languages.chinese)]
    if sizes != facts["vocabularies"]:
        raise ValueError(
            f"these pairs have vocabularies of {sizes} types, and the translator was "
            f"trained with {facts['vocabularies']}: give the whole training part"
        )
    model = build(languages, **facts["model"])
    checkpoints.load_weights(model, weights)
    return model.eval(), languages, facts


def build(languages: Languages, **options: Any) -> EncoderDecoder:
    """Return an untrained translator between two languages.

    Args:
        languages: its vocabularies.
        options: width, num_layers and others of `EncoderDecoder`.
    """
    sizes = (len(languages.english), len(languages.chinese))
    return EncoderDecoder(*sizes, pad=languages.pad, **options)


def save(model: nn.Module, facts: dict[str, Any]) -> None:
    """Store a translator for `load`: its weights in half precision, and its card.

    Args:
        model: from `build`.
        facts: JSON; under "model" the options of `build`, under "min_count" that of
            `Languages.of`, under "vocabularies" the sizes of both.
    """
    import safetensors.torch

    weights, card = _places()
    weights.parent.mkdir(exist_ok=True)
    half = {name: w.half().contiguous().cpu() for name, w in model.state_dict().items()}
    for place, write in (
        (weights, lambda part: safetensors.torch.save_file(half, part)),
        (card, lambda part: part.write_text(_json(facts), "utf-8")),
    ):
        part = place.with_suffix(".part")
        write(part)
        part.replace(place)


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False, indent=1) + "\n"


def _places() -> tuple[Path, Path]:
    """Return where weights and card lie."""
    folder = Path(str(files("lmcourse.data"))) / "checkpoints"
    return folder / "translation.safetensors", folder / "translation.json"
