"""The same counts on many machines, with Dask.

Blocks of text are counted where they are, by the same code as on one machine, and
neighbouring results merged pairwise until one is left (`counts.merge`). It equals
the count of the whole text to the last bit: word numbers follow the order of first
occurrence, which is that of the blocks.

Every step is a task that starts from the files again, so that the death of a worker
costs time but loses nothing. A worker counts one block at a time and needs memory for
that; the last merges need memory for the distinct n-grams of the whole text.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .counts import Counts, check_order, count_levels, merge
from .encoding import MARKS, Text, checked_line, open_file

if TYPE_CHECKING:
    from distributed import Client


class Block(NamedTuple):
    """The lines of a file that begin at byte `start` or later, but before `stop`."""

    path: str
    start: int
    stop: int


def blocks(paths: str | Path | Sequence[str | Path], size: int = 2**26) -> list[Block]:
    """Cut text files into blocks of about `size` bytes, in order.

    Args:
        paths: one or more files of tokenised text, one sentence a line, at a place
            that every worker can read.
        size: bytes; it bounds what a worker holds in memory.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: `size` is below 1, or all files are empty.
    """
    if size < 1:
        raise ValueError(f"size is {size}: expected 1 byte or more")
    paths = [paths] if isinstance(paths, str | Path) else paths
    found = []
    for path in paths:
        with open_file(path) as file:
            end = file.seek(0, os.SEEK_END)
        name = str(Path(path).absolute())
        found += [Block(name, start, start + size) for start in range(0, end, size)]
    if not found:
        raise ValueError(f"there is no text in {[str(path) for path in paths]}")
    return found


def count(parts: Sequence[Block], order: int, client: "Client") -> Counts:
    """Count n-grams of length 1 to `order` on a Dask cluster.

    Args:
        parts: what to count, in order (see `blocks`).
        order: the longest n-gram, 1 to 7.
        client: connected to a `LocalCluster`, or to the address of a cluster's
            scheduler; nothing else changes.

    Returns:
        The `Counts` that one machine would find, to the last bit.

    Raises:
        ValueError: the text is bad (see `Text.from_file`), or the order is not 1 to 7
            or longer than any sentence.
    """
    check_order(order)
    words = client.submit(_join, client.map(_words, parts, pure=False), pure=False)
    tables = client.map(_count, parts, words=words, order=order, pure=False)
    while len(tables) > 1:
        pairs = [tables[i : i + 2] for i in range(0, len(tables), 2)]
        tables = [client.submit(merge, pair, pure=False) for pair in pairs]
    return Counts(words.result(), tables[0].result().levels).complete()


def _lines(block: Block) -> Iterator[bytes]:
    with Path(block.path).open("rb") as file:
        if block.start:
            file.seek(block.start - 1)
            file.readline()  # begins in the block before
        while (place := file.tell()) < block.stop and (line := file.readline()):
            yield checked_line(line, f"{block.path}, the line at byte {place}")


def _read(block: Block, words: tuple[str, ...] | None) -> Text:
    place = f"{block.path}, after byte {block.start} line"
    return Text.from_lines(_lines(block), words, place=place)


def _words(block: Block) -> tuple[str, ...]:
    return _read(block, None).words


def _join(vocabularies: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return all words once, as one text after the other brings them."""
    words = (word for vocabulary in vocabularies for word in vocabulary[len(MARKS) :])
    return *MARKS, *dict.fromkeys(words)


def _count(block: Block, words: tuple[str, ...], order: int) -> Counts:
    """Count a block; the words stay out of the result, they are on their way anyway."""
    return Counts((), count_levels(_read(block, words), order))
