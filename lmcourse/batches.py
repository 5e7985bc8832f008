"""Batches: token numbers, cut and filled up so that a network can read many at once.

A batch is a tuple of tensors; the last one says what to predict, with `IGNORED` where
there is nothing to. One mark serves both ends of a sentence: ``</s>`` is read first,
as ``<s>`` is by an n-gram model, and predicted last. So words and ``</s>`` are
predicted and ``<s>`` never, as everywhere in the course.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

IGNORED = -100  # PyTorch's cross-entropy leaves these targets out
Batch = tuple[Tensor, ...]


def running_text(sentences: Iterable[Sequence[int]], end: int) -> Tensor:
    """Return sentences as one text, ``</s> w w </s> w </s>``: (tokens + 1,).

    Args:
        sentences: each a sequence of token numbers.
        end: the number of ``</s>``.

    Raises:
        ValueError: there is no sentence.
    """
    text = [end]
    for sentence in sentences:
        text += [*sentence, end]
    if len(text) == 1:
        raise ValueError("there is no sentence: give at least one")
    return torch.tensor(text)  # (tokens + 1,)


def rows(text: Tensor, num_rows: int, time: int) -> Iterator[Batch]:
    """Yield a running text in order: each row of a batch goes on where it stopped.

    For models that carry their state from batch to batch (truncated back-propagation
    through time, Williams and Peng 1990). The text is cut into `num_rows` equal parts;
    fewer than `num_rows` tokens are left over at its end.

    Args:
        text: from `running_text`.
        num_rows: how many parts are read side by side.
        time: how many tokens of each part make a batch.

    Yields:
        Inputs and targets, each (num_rows, time); the last may be shorter.

    Raises:
        ValueError: the text has fewer than `num_rows` tokens.
    """
    length = (len(text) - 1) // num_rows
    if not length:
        raise ValueError(
            f"{len(text) - 1} tokens do not fill {num_rows} rows: take fewer rows"
        )
    inputs = text[: num_rows * length].view(num_rows, length)  # (num_rows, length)
    targets = text[1 : num_rows * length + 1].view(num_rows, length)  # the same
    yield from zip(inputs.split(time, 1), targets.split(time, 1), strict=True)


def windows(text: Tensor, size: int, time: int, seed: int) -> Iterator[Batch]:
    """Yield windows of a running text in random order, cut anew for every seed.

    For models that read each window by itself. The cuts move with the seed, so that
    over several epochs every token is read with shorter and longer histories.

    Args:
        text: from `running_text`.
        size: how many windows make a batch.
        time: how many tokens make a window.
        seed: the number of the epoch, for example.

    Yields:
        Inputs and targets, each (size, time); the last may have fewer windows.

    Raises:
        ValueError: the text is shorter than two windows.
    """
    if len(text) <= 2 * time:
        raise ValueError(
            f"{len(text) - 1} tokens are less than two windows of {time}: shorten them"
        )
    generator = torch.Generator().manual_seed(seed)
    first = int(torch.randint(time, (), generator=generator))
    starts = torch.arange(first, len(text) - time, time)  # (windows,)
    starts = starts[torch.randperm(len(starts), generator=generator)]
    for chosen in starts.split(size):
        places = chosen[:, None] + torch.arange(time + 1)  # (size, time + 1)
        cut = text[places]  # (size, time + 1)
        yield cut[:, :-1], cut[:, 1:]  # each (size, time)


def sentence_batch(sentences: Sequence[Sequence[int]], end: int) -> Batch:
    """Return sentences read one by one: ``</s> w w`` predicts ``w w </s>``.

    Returns:
        Inputs and targets, each (batch, longest + 1).
    """
    inputs = padded([[end, *sentence] for sentence in sentences], end)
    targets = padded([[*sentence, end] for sentence in sentences], IGNORED)
    return inputs, targets  # each (batch, longest + 1)


def pair_batch(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]], end: int, pad: int
) -> Batch:
    """Return pairs for a translator: source, target to read, target to predict.

    Args:
        pairs: source and target, each a sequence of token numbers.
        end: the number of ``</s>`` in the target language.
        pad: the number that fills up short source sentences.

    Returns:
        (batch, source), (batch, time) and (batch, time).
    """
    sources, targets = zip(*pairs, strict=True)
    return padded(sources, pad), *sentence_batch(targets, end)


def by_length(lengths: Sequence[int], size: int, seed: int) -> Iterator[list[int]]:
    """Yield the numbers of items in batches of about equal length, in random order.

    Little is wasted on padding, and each seed gives other batches.

    Args:
        lengths: how long each item is.
        size: how many items make a batch.
        seed: the number of the epoch, for example.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(lengths), generator=generator).tolist()
    ordered = sorted(shuffled, key=lambda item: lengths[item])
    batches = [ordered[i : i + size] for i in range(0, len(ordered), size)]
    for number in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[number]


def padded(sequences: Sequence[Sequence[int]], value: int) -> Tensor:
    """Return sequences filled up with `value` to the longest: (batch, longest).

    Raises:
        ValueError: there is no sequence.
    """
    if not sequences:
        raise ValueError("there is no sequence: give at least one")
    filled = torch.full((len(sequences), max(map(len, sequences))), value)
    for row, sequence in zip(filled, sequences, strict=True):
        row[: len(sequence)] = torch.tensor(sequence, dtype=torch.long)
    return filled  # (batch, longest)
