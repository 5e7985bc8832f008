"""Sentences as numbers: one flat array, ``<s> w w w </s> <s> w </s> …``.

Every model of the package shares one event space. It is KenLM's: a sentence has one
``<s>``, which is given and never predicted, and one ``</s>``, which is predicted like
a word; one unknown type of count zero stands for all words outside the training
text. A literal ``<unk>`` in the training text is an ordinary word beside it.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from ..text import characters as to_characters

START, END, UNKNOWN = 0, 1, 2  # their numbers in every vocabulary
MARKS = ("<s>", "</s>", "<unk>")
CONTROLS = (b"\0", b"\v", b"\f")


class _Index(dict):
    """Word → number. A new word gets the next number, or that of the unknown type."""

    def __init__(self, words: Sequence, kind: type, growing: bool) -> None:
        super().__init__((word, i) for i, word in enumerate(words, len(MARKS)))
        self.kind, self.growing = kind, growing

    def __missing__(self, word: str | bytes) -> int:
        if not isinstance(word, self.kind):
            raise ValueError(f"holds {word!r}, which is no string")
        if word in (*MARKS[:2], b"<s>", b"</s>"):
            mark = word.decode() if self.kind is bytes else word
            raise ValueError(
                f"holds {mark!r}, a mark that is added to every sentence: remove it "
                "from the text, or rename it"
            )
        if not self.growing:
            return UNKNOWN
        number = self[word] = len(MARKS) + len(self)
        return number


@dataclass(frozen=True)
class Text:
    """Sentences, encoded.

    Attributes:
        ids: word numbers, int32, each sentence between ``START`` and ``END``.
        words: what each number means; ``words[:3]`` is ``("<s>", "</s>", "<unk>")``,
            where number 2 is the unknown type, not a trained ``<unk>``.
    """

    ids: np.ndarray
    words: tuple[str, ...]

    @classmethod
    def from_sentences(
        cls, sentences: Iterable[Sequence[str]], words: Sequence[str] | None = None
    ) -> Self:
        """Encode sentences, each a list of tokens: words, characters, any strings.

        Without `words` this is training text, and its vocabulary is collected in
        order of first occurrence. With `words` other tokens become ``UNKNOWN``, and
        a sentence may be empty.

        Raises:
            ValueError: there is no sentence, a training sentence is empty, a
                sentence is a string or holds ``<s>`` or ``</s>``, a token is no
                string.
        """
        if isinstance(sentences, str) or not isinstance(sentences, Iterable):
            raise ValueError(
                f"expected a list of sentences, each a list of tokens, got "
                f"{str(sentences)[:40]!r}; Text.from_file reads files"
            )
        text = cls._encode(map(_checked, sentences), words, "sentence")
        if not len(text):
            raise ValueError("there is no text: expected at least one sentence")
        return text

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        words: Sequence[str] | None = None,
        characters: bool = False,
    ) -> Self:
        """Encode a UTF-8 file that holds one tokenised sentence a line.

        Only ASCII white space separates tokens, as in KenLM, so that an ideographic
        space stays inside its token. With `characters` each character of a line is a
        token and white space is dropped. A last line without a newline is a sentence
        like the others (KenLM's lmplz leaves out its ``</s>``).

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is empty, has an empty line, is not UTF-8, or a line
                holds ``<s>``, ``</s>`` or a control character (see `checked_line`).
        """
        return cls.from_lines(read_lines(path), words, characters, f"{path}, line")

    @classmethod
    def from_lines(
        cls,
        lines: Iterable[bytes],
        words: Sequence[str] | None = None,
        characters: bool = False,
        place: str = "line",
    ) -> Self:
        """Encode lines as they stand in a file, each a sentence (see `from_file`).

        Errors name a line by `place` and its number. No lines make an empty text.
        """
        if characters:
            tokens = (to_characters(line.decode()) for line in lines)
            return cls._encode(tokens, words, place)
        return cls._encode(map(bytes.split, lines), words, place, raw=True)

    @classmethod
    def _encode(
        cls,
        sentences: Iterable[Sequence[str | bytes]],
        words: Sequence[str] | None,
        place: str,
        raw: bool = False,
    ) -> Self:
        """Encode tokens; `raw` ones are bytes, which spares decoding each of them."""
        known = [] if words is None else words[len(MARKS) :]
        known = [word.encode() for word in known] if raw else known
        index = _Index(known, kind=bytes if raw else str, growing=words is None)
        ids = array("i")
        for number, tokens in enumerate(sentences, 1):
            ids.append(START)
            try:
                ids.extend(map(index.__getitem__, tokens))
            except ValueError as error:
                raise ValueError(f"{place} {number} {error}") from None
            except TypeError:
                raise ValueError(
                    f"{place} {number} is {str(tokens)[:60]}: expected a list of "
                    "strings"
                ) from None
            if index.growing and ids[-1] == START:
                raise ValueError(
                    f"{place} {number} is empty: remove empty sentences, which would "
                    "teach the model that sentences end at once"
                )
            ids.append(END)
        if words is None:
            words = (*MARKS, *(word.decode() if raw else word for word in index))
        return cls(np.array(ids, dtype=np.int32), tuple(words))

    def __len__(self) -> int:
        """The number of predicted tokens: words and ``</s>``."""
        return len(self.ids) - len(self.starts)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each sentence begins in `ids`, int64 (sentences,)."""
        return np.flatnonzero(self.ids == START)

    @cached_property
    def position(self) -> np.ndarray:
        """Each token's place in its sentence, int64; ``<s>`` has place 0."""
        lengths = np.diff(self.starts, append=len(self.ids))
        return np.arange(len(self.ids)) - np.repeat(self.starts, lengths)

    def split(self, share: float) -> tuple[Self, Self]:
        """Cut after about the first `share` (0 to 1) of the sentences.

        Neither part is empty, and both keep the vocabulary.

        Raises:
            ValueError: there is just one sentence.
        """
        sentences = len(self.starts)
        if sentences < 2:
            raise ValueError("one sentence cannot be cut in two: more text is needed")
        sentence = min(max(round(share * sentences), 1), sentences - 1)
        place = self.starts[sentence]
        first, second = self.ids[:place], self.ids[place:]
        return type(self)(first, self.words), type(self)(second, self.words)


def read_lines(path: str | Path) -> Iterator[bytes]:
    """Yield the lines of a file, checked (see `checked_line`).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty, or a line is bad; the message gives its number.
    """
    number = 0
    with open_file(path) as file:
        for number, line in enumerate(file, 1):
            yield checked_line(line, f"{path}, line {number}")
    if not number:
        raise ValueError(f"{path} is empty: expected at least one sentence")


def open_file(path: str | Path) -> BinaryIO:
    """Open a file to read its bytes.

    Raises:
        FileNotFoundError: there is no such file.
        IsADirectoryError: it is a folder.
    """
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no file {path}: check its name, and that it lies in "
            f"{Path(path).absolute().parent}"
        ) from None
    except IsADirectoryError:
        raise IsADirectoryError(
            f"{path} is a folder: give the name of a file in it"
        ) from None


def split_tokens(line: str) -> list[str]:
    """Split a line into tokens as `Text.from_file` does: at ASCII white space only."""
    return [token.decode() for token in line.encode().split()]


def checked_line(line: bytes, where: str) -> bytes:
    """Return the line if it is UTF-8, holds something, and can be cut into tokens.

    Raises:
        ValueError: it is empty or not UTF-8, or holds a null byte, a vertical tab or a
            form feed, which separate tokens for some of KenLM's tools only.
    """
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where} holds byte 0x{line[error.start]:02x}, which is not UTF-8: save "
            "the file as UTF-8"
        ) from None
    for byte in CONTROLS:
        if byte in line:
            raise ValueError(
                f"{where} holds the control character 0x{byte.hex()}, which tools read "
                "in different ways: remove it, or put a space in its place"
            )
    if not line.strip():
        raise ValueError(
            f"{where} is empty, but every line holds one sentence: remove empty lines"
        )
    return line


def _checked(tokens: Sequence[str]) -> Sequence[str]:
    if isinstance(tokens, str):
        raise ValueError(
            f"got the string {tokens[:40]!r} as a sentence, expected a list of tokens: "
            "use list(…) for characters"
        )
    return tokens
