"""ARPA files, the text format that n-gram toolkits share.

Each line of ``\\k-grams:`` holds log10 p, the words, and log10 β where longer n-grams
may follow. Numbers are written with all their digits, so that reading a file back
gives the same model to the last bit; log10 0 is written -99, as ARPA files do.
"""

import contextlib
import os
import re
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .counts import Level, check_order, make_key
from .encoding import MARKS, START, open_file
from .model import BackoffModel

NEVER = -99.0
ALIKE = ("<unk>", "<UNK>")  # the unknown type, for KenLM
RENAMED = "# The trained word {} is written {}; <unk> is the unknown type."


def write_arpa(model: BackoffModel, path: str | Path) -> None:
    """Write a model so that KenLM and SRILM can read it.

    KenLM scores the words ``<unk>`` and ``<UNK>`` like unknown words. If trained, they
    are therefore written ``<rare>`` (or ``<rare>_``, if that is a word), which comments
    at the beginning record for `read_arpa`.

    Raises:
        FileNotFoundError: there is no such folder.
        IsADirectoryError: the path is a folder.
        ValueError: the model is maximum likelihood or Stupid Backoff, which weigh
            unseen histories in ways that ARPA has no place for, or is not fitted; or a
            word contains white space or a null byte.
    """
    check_output(path)
    if model.unseen_history != 1:
        raise ValueError(
            f"{type(model).__name__} gives unseen histories the weight "
            f"{model.unseen_history}, but in ARPA files it is 1: use another smoother"
        )
    model.check_fitted()
    words, lines = _printable(model.words)
    path = Path(path)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
            file.write("\\data\\\n")
            file.writelines(f"ngram {x.order}={len(x)}\n" for x in model.levels)
            for number, ngrams in enumerate(_ngrams(model.levels, words)):
                file.write(f"\n\\{number + 1}-grams:\n")
                file.writelines(_lines(model, number, ngrams))
            file.write("\n\\end\\\n")
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def check_output(path: str | Path) -> None:
    """Raise FileNotFoundError or IsADirectoryError if no file can be written there."""
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the name of a file in it")
    if not Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder to write {path} into: create it first"
        )


def _printable(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words as written, and the comments on what was renamed."""
    for word in words:
        if word.encode().replace(b"\0", b" ").split() != [word.encode()]:
            raise ValueError(
                f"the word {word!r} is or contains white space, which separates words "
                "in ARPA files: replace it before training, for example by '▁'"
            )
    words, lines = list(words), []
    for word in ALIKE:
        if word in words[len(MARKS) :]:
            name = "<rare>"
            while name in words:
                name += "_"
            words[words.index(word, len(MARKS))] = name
            lines.append(RENAMED.format(word, name) + "\n")
    return words, lines


def _ngrams(levels: Sequence[Level], words: list[str]) -> Iterator[list[str]]:
    """Yield the n-grams of each level as strings."""
    below = words
    yield below
    for level in levels[1:]:
        pairs = zip(level.history.tolist(), level.word.tolist(), strict=True)
        below = [f"{below[history]} {words[word]}" for history, word in pairs]
        yield below


def _lines(model: BackoffModel, number: int, ngrams: list[str]) -> Iterator[str]:
    prob = np.maximum(model.log_prob[number], NEVER).tolist()
    if number == model.order - 1:
        return (f"{p!r}\t{x}\n" for p, x in zip(prob, ngrams, strict=True))
    backoff = np.maximum(model.log_backoff[number], NEVER).tolist()
    rows = zip(prob, ngrams, backoff, strict=True)
    return (f"{p!r}\t{x}\t{b!r}\n" for p, x, b in rows)


def read_arpa(path: str | Path) -> BackoffModel:
    """Read a model from an ARPA file, our own or another tool's.

    A file without ``<unk>`` gives unknown words probability 0.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no ARPA file, or is cut short; the message says where.
    """
    with open_file(path) as file:
        try:
            return _read(file)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def _read(file: Iterator[bytes]) -> BackoffModel:
    sizes, renamed = _header(file)
    check_order(len(sizes))
    index = {mark.encode(): number for number, mark in enumerate(MARKS)}
    levels, probs, backoffs = [], [], []
    for order, size in enumerate(sizes, 1):
        ids, prob, backoff = _section(file, order, size, index)
        if order == 1:
            rows = np.full(len(index), -1)
            rows[ids[:, 0]] = np.arange(size)
            keys, histories = np.arange(len(index)), 1
            prob, backoff = np.append(prob, -np.inf), np.append(backoff, 0.0)  # row -1
        else:
            history = ids[:, 0]
            for level, word in zip(levels[1:], ids.T[1:], strict=False):
                history = level.find(history, word)
            keys, histories = make_key(history, ids[:, -1], len(index)), len(levels[-1])
            rows = np.argsort(keys)
            keys = keys[rows]
            if (history < 0).any() or (np.diff(keys) == 0).any():
                raise ValueError(
                    f"a {order}-gram stands there twice or without its first words"
                )
        levels.append(Level(order, keys, histories, len(index)))
        probs.append(prob[rows])
        backoffs.append(backoff[rows])
    _expect(file, b"\\end\\")
    probs[0][START] = -np.inf  # given, never predicted
    words = [word.decode() for word in index]
    for name in renamed.keys() & index.keys():
        words[index[name]] = renamed[name].decode()
    return BackoffModel(words, levels, probs, backoffs[:-1])


def _header(file: Iterator[bytes]) -> tuple[list[int], dict[bytes, bytes]]:
    """Return the number of n-grams of each order, and the words of renamed ones."""
    sizes, renamed = [], {}
    comment = re.escape(RENAMED).replace(r"\{\}", r"(\S+)").encode()
    for line in file:
        if line.strip() == b"\\data\\":
            break
        if match := re.fullmatch(comment, line.strip()):
            renamed[match[2]] = match[1]
    for line in file:
        match = re.fullmatch(rb"ngram\s+(\d+)\s*=\s*(\d+)", line.strip())
        if not match or int(match[1]) != len(sizes) + 1:
            break
        sizes.append(int(match[2]))
    if not sizes:
        raise ValueError("no ARPA file: \\data\\ and 'ngram 1=…' are missing")
    return sizes, renamed


def _expect(file: Iterator[bytes], heading: bytes) -> None:
    """Read on to a heading, past empty lines."""
    line = next((line.strip() for line in file if line.strip()), b"the end of the file")
    if line != heading:
        raise ValueError(f"expected {heading.decode()}, found {line[:60]!r}")


def _section(
    file: Iterator[bytes], order: int, size: int, index: dict[bytes, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read ``\\k-grams:``; the unigrams fill the index.

    Returns:
        Word numbers (size, order), log10 p (size,) and log10 β (size,).
    """
    _expect(file, f"\\{order}-grams:".encode())
    ids, numbers = array("i"), array("d")
    for _, line in zip(range(size), file, strict=False):
        words = line.split()
        if not order + 1 <= len(words) <= order + 2:
            break
        numbers.append(float(words.pop(0)))
        numbers.append(float(words.pop()) if len(words) > order else 0.0)
        if order == 1:
            index.setdefault(words[0], len(index))
        try:
            ids.extend(map(index.__getitem__, words))
        except KeyError as error:
            word = error.args[0].decode(errors="replace")
            raise ValueError(f"{word!r} in a {order}-gram is no unigram") from None
    if len(numbers) < 2 * size:
        number = len(numbers) // 2 + 1
        raise ValueError(f"line {number} of \\{order}-grams: is missing or malformed")
    log10 = np.array(numbers).reshape(size, 2)
    if not (log10[:, 0] <= 0).all() or not (log10[:, 1] < np.inf).all():
        raise ValueError(f"\\{order}-grams: hold a probability above 1, or no number")
    log10[log10 <= NEVER] = -np.inf
    return np.array(ids).reshape(size, order), *log10.T
