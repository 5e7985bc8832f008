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
from typing import Self

import numpy as np

from ..text import characters as to_characters

START, END, UNKNOWN = 0, 1, 2  # their numbers in every vocabulary
MARKS = ("<s>", "</s>", "<unk>")


class _Growing(dict):
    """Word → number, where a new word gets the next number."""

    def __missing__(self, word):
        number = self[word] = len(self) + 1  # <s> and </s> are in, <unk> is not
        return number


class _Closed(dict):
    """Word → number, where every new word is the unknown one."""

    def __missing__(self, word):
        return UNKNOWN


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
        if isinstance(sentences, str):
            raise ValueError(
                f"expected a list of sentences, got the string {sentences[:40]!r}: "
                "cut it into lists of tokens first"
            )
        return cls._encode(map(_checked, sentences), words)._not_empty()

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
        token and white space is dropped.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is empty, has an empty line, is not UTF-8, or a
                line holds ``<s>`` or ``</s>``.
        """
        try:
            text = cls.from_lines(read_lines(path), words, characters)
            return text._not_empty()
        except ValueError as error:
            named = str(error).startswith(str(path))
            raise error if named else ValueError(f"{path}: {error}") from None

    @classmethod
    def from_lines(
        cls,
        lines: Iterable[bytes],
        words: Sequence[str] | None = None,
        characters: bool = False,
    ) -> Self:
        """Encode lines as they stand in a file, each a sentence (see `from_file`)."""
        if characters:
            return cls._encode((to_characters(x.decode()) for x in lines), words)
        return cls._encode((line.split() for line in lines), words, raw=True)

    @classmethod
    def _encode(cls, sentences, words, raw=False) -> Self:
        """Encode tokens; `raw` ones are bytes, which spares decoding each of them."""
        known = (*MARKS[:2], *(words[3:] if words else ()))
        numbers = (START, END, *range(3, len(known) + 1))
        keys = (word.encode() for word in known) if raw else known
        index = (_Closed if words else _Growing)(zip(keys, numbers, strict=True))
        ids = array("i")
        for tokens in sentences:
            ids.append(START)
            ids.extend(map(index.__getitem__, tokens))
            ids.append(END)
        training = words is None
        if training:
            words = (*MARKS, *_strings(list(index)[2:], raw))
        text = cls(np.array(ids, dtype=np.int32), tuple(words))
        text._check_marks()
        if training:
            text._check_sentences()
        return text

    def _not_empty(self) -> Self:
        if not len(self.ids):
            raise ValueError("there is no text: expected at least one sentence")
        return self

    def _check_marks(self) -> None:
        marks = self.ids[self.ids <= END]
        odd = np.flatnonzero(marks != np.arange(len(marks)) % 2)
        if len(odd):
            raise ValueError(
                f"sentence {odd[0] // 2 + 1} holds <s> or </s>: these marks are added "
                "to every sentence, so remove or rename them in the text"
            )

    def _check_sentences(self) -> None:
        empty = np.flatnonzero(self.ids[self.starts + 1] == END)
        if len(empty):
            raise ValueError(
                f"sentence {empty[0] + 1} is empty: remove empty sentences, which "
                "would teach the model that sentences end at once"
            )

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
        """Cut after the first `share` (0 to 1) of the sentences, vocabulary shared.

        Raises:
            ValueError: one of the parts would be empty.
        """
        sentence = round(share * len(self.starts))
        if not 0 < sentence < len(self.starts):
            raise ValueError(
                f"{len(self.starts)} sentence(s) cannot be cut at {share:.0%}: "
                "more text is needed"
            )
        place = self.starts[sentence]
        first, second = self.ids[:place], self.ids[place:]
        return type(self)(first, self.words), type(self)(second, self.words)


def read_lines(path: str | Path) -> Iterator[bytes]:
    """Yield the lines of a file, checked: none is empty, all are UTF-8.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is empty or not UTF-8; the message gives its number.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            yield checked_line(line, f"{path}, line {number}")


def checked_line(line: bytes, where: str) -> bytes:
    """Return the line if it is UTF-8 and holds something.

    Raises:
        ValueError: it is empty or not UTF-8.
    """
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where}: byte 0x{line[error.start]:02x} is not UTF-8; save the file as "
            "UTF-8"
        ) from None
    if not line.strip():
        raise ValueError(
            f"{where}: the line is empty, but every line holds one sentence; remove it"
        )
    return line


def _checked(tokens: Sequence[str]) -> Sequence[str]:
    if isinstance(tokens, str):
        raise ValueError(
            f"got the string {tokens[:40]!r} as a sentence, expected a list of tokens: "
            "use list(…) for characters"
        )
    return tokens


def _strings(words: list, raw: bool) -> list[str]:
    """Return the words as strings; complain about anything else."""
    if raw:
        return [word.decode() for word in words]
    for word in words:
        if not isinstance(word, str):
            raise ValueError(f"token {word!r} is a {type(word).__name__}, not a string")
    return words
