"""Pre-training BERT: what it is asked to predict in text that nobody has labelled.

Two tasks (Devlin et al. 2019, “BERT: Pre-training of deep bidirectional transformers
for language understanding”, section 3.1): which token stood behind a mask (MLM), and
whether the second of two texts follows the first (NSP). The masks are drawn anew in
every epoch (Liu et al. 2019, “RoBERTa: A robustly optimized BERT pretraining
approach”); BERT itself drew ten fixed copies.

Batches are those of `lmcourse.bert`: tokens, types, mask and, last, what to predict.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batches import IGNORED, Batch, by_length, padded
from .training import Loss, State, summed_loss

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, UNKNOWN, CLS, SEP, MASK = SPECIALS = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
Group = TypeVar("Group", bound=Hashable)
Batches = Callable[[int], Iterator[Batch]]  # the number of an epoch → its batches


# ------------------------------------------------------------ characters as tokens


def character_vocabulary(texts: Iterable[str], min_count: int = 2) -> list[str]:
    """Return the tokens of a BERT that reads Chinese character by character.

    The five special tokens come first, then characters from the most frequent to the
    rarest, those with equal counts in the order of Unicode. Texts are read as BERT
    reads them, in lower case: a Chinese character or a mark stands by itself, and in a
    run of Latin letters or digits all but the first carry ``##``. So every character
    is one token, and each BERT tokenizer finds it: ``1998年`` is
    ``1 ##9 ##9 ##8 年``. A run with a character that is missing here is ``[UNK]``.

    Args:
        texts: training texts.
        min_count: a character must occur this often, with ``##`` and without apart.

    Raises:
        ValueError: there is no text.
    """
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    clean, cut = BertNormalizer(lowercase=True), BertPreTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        for run, _ in cut.pre_tokenize_str(clean.normalize_str(text)):
            counts.update([run[0], *(f"##{character}" for character in run[1:])])
    if not counts:
        raise ValueError("there is no text to take characters from: give at least one")
    kept = [token for token, count in counts.items() if count >= min_count]
    return [*SPECIALS, *sorted(kept, key=lambda token: (-counts[token], token))]


def write_tokenizer(tokens: Sequence[str], folder: str | Path) -> None:
    """Write a vocabulary where this course and `transformers` look for it.

    Args:
        tokens: special tokens first, such as from `character_vocabulary`.
        folder: gets `vocab.txt`, a token a line, and `tokenizer_config.json`.
    """
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    content = {
        "vocab.txt": "".join(f"{token}\n" for token in tokens),
        "tokenizer_config.json": json.dumps(settings, indent=2) + "\n",
    }
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in content.items():
        part = Path(folder) / f"{name}.part"
        part.write_text(text, "utf-8")
        part.replace(Path(folder) / name)


def read_tokenizer(folder: str | Path) -> "Tokenizer":
    """Return the fast WordPiece tokenizer of a folder with a BERT.

    It cuts nothing off and fills nothing up.

    Raises:
        FileNotFoundError: the folder has no `vocab.txt`.
    """
    from tokenizers import BertWordPieceTokenizer

    file, settings = Path(folder) / "vocab.txt", Path(folder) / "tokenizer_config.json"
    if not file.exists():
        raise FileNotFoundError(
            f"{file} does not exist: give a folder with a BERT, such as "
            "corpora.load('minilm')"
        )
    stored = json.loads(settings.read_text("utf-8")) if settings.exists() else {}
    lower = stored.get("do_lower_case", True)
    made = BertWordPieceTokenizer(
        str(file), lowercase=lower, strip_accents=stored.get("strip_accents")
    )
    return made._tokenizer


def own_bert() -> Path:
    """Return the folder of the course's own Chinese BERT (see its README.md)."""
    return Path(str(files("lmcourse.data"))) / "checkpoints" / "chinese_bert"


def kind(token: str) -> str:
    """Return "Chinese", "digit", "Latin", "punctuation", "special" or "other".

    >>> [kind(token) for token in ("年", "##8", "a", "，", "[SEP]", "я")]
    ['Chinese', 'digit', 'Latin', 'punctuation', 'special', 'other']
    """
    if token in SPECIALS:
        return "special"
    character = token.removeprefix("##")[:1] or "#"
    name = unicodedata.name(character, "")
    category = unicodedata.category(character)
    if "IDEOGRAPH" in name:
        return "Chinese"
    if category == "Nd":
        return "digit"
    if "LATIN" in name:
        return "Latin"
    return "punctuation" if category[0] in "PS" else "other"


# ------------------------------------------------------------ masks


@dataclass(frozen=True)
class Masking:
    """Which tokens are to be predicted, and what is read in their place.

    Of all tokens that are not special, each is chosen with probability `share`. Of the
    chosen ones, 80 % are read as ``[MASK]``, 10 % as a random token, and 10 % as they
    are, so that a model has to have an opinion on every token it reads.

    Attributes:
        vocabulary_size: how many tokens there are.
        mask: the number of ``[MASK]``.
        specials: the numbers that are neither chosen nor drawn: special tokens and
            padding.
        share: the probability of being chosen.
        masked, random: what happens to the chosen ones; the rest is kept.

    Raises:
        ValueError: a share out of its range, or nothing but special tokens.
    """

    vocabulary_size: int
    mask: int
    specials: tuple[int, ...]
    share: float = 0.15
    masked: float = 0.8
    random: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}: expected above 0, at most 1")
        if min(self.masked, self.random) < 0 or self.masked + self.random > 1:
            raise ValueError(
                f"masked is {self.masked} and random {self.random}: expected shares "
                "of the chosen tokens, together at most 1"
            )
        if len(self.ordinary) == 0:
            raise ValueError("there are only special tokens: nothing can be chosen")

    @classmethod
    def of(cls, tokens: Sequence[str], **changes: float) -> "Masking":
        """Return the masking for a vocabulary with BERT's five special tokens.

        Raises:
            ValueError: one of them is not in it; see also the class.
        """
        numbers = {token: number for number, token in enumerate(tokens)}
        if missing := [token for token in SPECIALS if token not in numbers]:
            raise ValueError(f"the vocabulary lacks {', '.join(missing)}: add them")
        specials = tuple(numbers[token] for token in SPECIALS)
        return cls(len(tokens), numbers[MASK], specials, **changes)

    @property
    def ordinary(self) -> Tensor:
        """The numbers of all tokens that are not special, (ordinary,)."""
        every = torch.arange(self.vocabulary_size)
        return every[~torch.isin(every, torch.tensor(self.specials))]  # (ordinary,)

    def __call__(
        self, tokens: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return what is read and what is to be predicted, each shaped as `tokens`.

        Targets are `IGNORED` wherever nothing was chosen. The same generator in the
        same state draws the same masks.
        """
        special = torch.isin(tokens, torch.tensor(self.specials))
        chosen = (torch.rand(tokens.shape, generator=generator) < self.share) & ~special
        fate = torch.rand(tokens.shape, generator=generator)
        ordinary = self.ordinary
        drawn = torch.randint(len(ordinary), tokens.shape, generator=generator)
        changed = chosen & (fate < self.masked + self.random)
        read = torch.where(changed, ordinary[drawn], tokens)
        read = read.masked_fill(chosen & (fate < self.masked), self.mask)
        return read, tokens.masked_fill(~chosen, IGNORED)


# ------------------------------------------------------------ batches


def pieces(sequences: Iterable[Sequence[int]], longest: int) -> list[list[int]]:
    """Return sequences cut into parts of at most `longest`, as equal as can be.

    >>> pieces([[1, 2, 3, 4], [5]], longest=3)
    [[1, 2], [3, 4], [5]]
    """
    if longest < 1:
        raise ValueError(f"longest is {longest}: expected 1 or more")
    found = []
    for sequence in sequences:
        parts = -(-len(sequence) // longest)
        edges = [len(sequence) * part // max(parts, 1) for part in range(parts + 1)]
        found += [list(sequence[a:b]) for a, b in pairwise(edges)]
    return found


def mlm_batches(
    texts: Sequence[Sequence[int]],
    masking: Masking,
    around: tuple[int, int],
    size: int,
    seed: int = 1,
    pad: int = 0,
) -> Batches:
    """Return a function that gives the batches of an epoch, masks drawn anew.

    Args:
        texts: token numbers without special tokens (see `pieces`).
        masking: what is predicted.
        around: the numbers of ``[CLS]`` and ``[SEP]``.
        size: how many texts make a batch; they are of about equal length.
        seed: of masks and order, together with the epoch.
        pad: the number of ``[PAD]``.

    Returns:
        epoch → batches of tokens, types, mask and targets, each (size, longest).

    Raises:
        ValueError: there is no text.
    """
    cls, sep = around
    table = padded([[cls, *text, sep] for text in texts], pad)  # (texts, longest)
    lengths = [len(text) + 2 for text in texts]

    def batches(epoch: int) -> Iterator[Batch]:
        generator = _generator(seed, epoch)
        for chosen in by_length(lengths, size, generator.initial_seed()):
            tokens = table[chosen, : max(lengths[i] for i in chosen)]  # (size, longest)
            read, targets = masking(tokens, generator)  # each (size, longest)
            yield read, torch.zeros_like(read), tokens != pad, targets

    return batches


def sentence_pairs(
    lines: Sequence[Sequence[int]], longest: int, generator: torch.Generator
) -> Iterator[tuple[list[int], list[int], int]]:
    """Yield a pair for each line but the last: first, second, label.

    Half of the pairs, by a coin, are a line and the next (label 0), half a line and
    another from anywhere (label 1). From lines that are too long, the end of the first
    and the beginning of the second are taken, where they would touch.

    Args:
        lines: token numbers, in the order of the text.
        longest: how many tokens a pair has at most.
        generator: draws coins and lines.

    Raises:
        ValueError: fewer than three lines, or `longest` below 2.
    """
    if len(lines) < 3 or longest < 2:
        raise ValueError(
            f"{len(lines)} lines and at most {longest} tokens: expected three lines or "
            "more, so that a pair can be wrong, and two tokens or more"
        )
    coins = torch.randint(2, (len(lines) - 1,), generator=generator).tolist()
    drawn = torch.randint(len(lines) - 2, (len(lines) - 1,), generator=generator)
    for place, (label, other) in enumerate(zip(coins, drawn.tolist(), strict=True)):
        # Neither the line itself nor the next: count on from the one after that.
        following = (place + 2 + other) % len(lines) if label else place + 1
        first, second = lines[place], lines[following]
        half = longest // 2
        room = max(half, longest - len(second))
        first = first[-min(room, len(first)) :]
        yield list(first), list(second[: longest - len(first)]), label


def pair_batches(
    lines: Sequence[Sequence[int]],
    masking: Masking,
    around: tuple[int, int],
    size: int,
    longest: int,
    seed: int = 1,
    pad: int = 0,
) -> Batches:
    """Return a function that gives the batches of an epoch for MLM and NSP together.

    Pairs and masks are drawn anew in every epoch.

    Args:
        lines: token numbers without special tokens, in the order of the text.
        longest: how many tokens an input has at most, three special ones included.
        masking, around, size, seed, pad: as in `mlm_batches`.

    Returns:
        epoch → batches of tokens, types, mask, labels and targets, each
        (size, longest) but the labels, (size,).
    """
    cls, sep = around

    def batches(epoch: int) -> Iterator[Batch]:
        generator = _generator(seed, epoch)
        pairs = list(sentence_pairs(lines, longest - 3, generator))
        lengths = [len(first) + len(second) + 3 for first, second, _ in pairs]
        for chosen in by_length(lengths, size, generator.initial_seed()):
            some = [pairs[i] for i in chosen]
            tokens = padded([[cls, *a, sep, *b, sep] for a, b, _ in some], pad)
            types = padded(
                [[0] * (len(a) + 2) + [1] * (len(b) + 1) for a, b, _ in some], 0
            )
            read, targets = masking(tokens, generator)  # each (size, longest)
            labels = torch.tensor([label for _, _, label in some])  # (size,)
            yield read, types, tokens != pad, labels, targets

    return batches


def _generator(seed: int, epoch: int) -> torch.Generator:
    """Return a generator of its own for each seed and epoch."""
    return torch.Generator().manual_seed(1_000_003 * seed + epoch)


# ------------------------------------------------------------ losses


def mlm_loss(model: nn.Module, batch: Batch, state: State) -> tuple[Tensor, State]:
    """Return the summed loss of the masked tokens; logits are computed there alone.

    Args:
        model: a `bert.ForMaskedLM`.
        batch: from `mlm_batches`.
    """
    tokens, types, mask, targets = batch
    places = targets != IGNORED  # (batch, time)
    logits, _ = model(tokens, types, mask, places)  # (places, vocabulary)
    return summed_loss(logits, targets[places]), None


def pretraining_loss(
    model: nn.Module, batch: Batch, state: State
) -> tuple[Tensor, State]:
    """Return the summed loss of both tasks.

    The training loop divides it by the number of masked tokens. BERT's loss is the
    mean over masked tokens plus the mean over pairs, so the latter is multiplied by
    that number.

    Args:
        model: a `bert.ForPretraining`.
        batch: from `pair_batches`.
    """
    *inputs, labels, targets = batch
    places = targets != IGNORED  # (batch, time)
    (words, follows), _ = model(*inputs, places)  # (places, vocabulary), (batch, 2)
    pairs = functional.cross_entropy(follows, labels)
    return summed_loss(words, targets[places]) + places.sum() * pairs, None


@torch.no_grad()
def mean_loss(model: nn.Module, batches: Iterable[Batch], loss: Loss) -> float:
    """Return the loss of a prediction, in nats: for `dev` in the training loop.

    Args:
        model: in evaluation mode, whatever mode it was in, while this runs.
        batches: always the same ones, so that two evaluations compare.
        loss: `mlm_loss`, `pretraining_loss`, or a function like them.

    Raises:
        ValueError: nothing is asked in the batches.
    """
    total, count = 0.0, 0
    with evaluating(model) as device:
        for batch in batches:
            total += float(loss(model, _on(batch, device), None)[0])
            count += int((batch[-1] != IGNORED).sum())
    if not count:
        raise ValueError(
            "the batches ask for nothing: give a list of them, since a generator is "
            "used up after one look"
        )
    return total / count


@torch.no_grad()
def loss_by_group(
    model: nn.Module, batches: Iterable[Batch], groups: Sequence[Group]
) -> dict[Group, tuple[int, float]]:
    """Return how many tokens of each group were predicted, and their mean loss.

    Args:
        model: a `bert.ForMaskedLM`.
        batches: from `mlm_batches`.
        groups: the name of each token's group, by its number: `kind` of each, or a
            band of ranks, since vocabularies are ordered by count, or both in a tuple.

    Returns:
        group → tokens and nats a token, the largest group first.
    """
    counts: Counter[Group] = Counter()
    sums: Counter[Group] = Counter()
    with evaluating(model) as device:
        for batch in batches:
            *inputs, targets = _on(batch, device)
            places = targets != IGNORED  # (batch, time)
            logits, _ = model(*inputs, places)  # (places, vocabulary)
            losses = functional.cross_entropy(
                logits.float(), targets[places], reduction="none"
            )
            pairs = zip(targets[places].tolist(), losses.tolist(), strict=True)
            for number, each in pairs:
                counts[groups[number]] += 1
                sums[groups[number]] += each
    return {group: (n, sums[group] / n) for group, n in counts.most_common()}


@torch.no_grad()
def fill(
    model: nn.Module, tokenizer: "Tokenizer", text: str, top: int = 5
) -> list[list[tuple[str, float]]]:
    """Return the likeliest tokens for each ``[MASK]`` in a text, with probabilities.

    Raises:
        ValueError: there is no ``[MASK]`` in the text.
    """
    if MASK not in text:
        raise ValueError(
            f"{text[:40]!r} has no {MASK}: write it where a token is asked"
        )
    tokens = torch.tensor([tokenizer.encode(text).ids])  # (1, time)
    places = tokens == tokenizer.token_to_id(MASK)  # (1, time)
    with evaluating(model) as device:
        logits, _ = model(tokens.to(device), places=places.to(device))
    best = logits.float().softmax(-1).topk(top)  # each (masks, top)
    return [
        [(tokenizer.id_to_token(n), p) for n, p in zip(numbers, chances, strict=True)]
        for numbers, chances in zip(
            best.indices.tolist(), best.values.tolist(), strict=True
        )
    ]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """Keep a model in evaluation mode for a while; give the device that it is on."""
    training = model.training
    model.eval()
    try:
        yield next(model.parameters()).device
    finally:
        model.train(training)


def _on(batch: Batch, device: torch.device) -> Batch:
    return tuple(part.to(device) for part in batch)
