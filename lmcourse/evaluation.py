"""How good a neural model is: perplexity, and BLEU and chrF of translations.

Perplexity keeps the contract of `lmcourse.ngrams`: every word and ``</s>`` is
predicted, ``<s>`` never, and all types outside the vocabulary are one ``<unk>``. Over
the same vocabulary counted and neural models compare, token by token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .batches import IGNORED, Batch, running_text, sentence_batch

Sentences = Sequence[Sequence[int]]


def score_sentences(
    model: nn.Module, sentences: Sentences, end: int, size: int = 64
) -> np.ndarray:
    """Return ln p of every word and ``</s>``, each sentence read by itself.

    This is what an n-gram model sees at most.

    Args:
        model: a language model, tokens → logits and state.
        sentences: each a sequence of token numbers.
        end: the number of ``</s>``, read first and predicted last.
        size: how many sentences are read at once.

    Returns:
        float64 (tokens,), in the order of the text, as `ngrams.Scores.logprob`.

    Raises:
        ValueError: there is no sentence.
    """
    if not len(sentences):
        raise ValueError("there is no sentence to score: give at least one")
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    found: dict[int, np.ndarray] = {}
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        batch = sentence_batch([sentences[i] for i in chosen], end)
        found |= dict(zip(chosen, _logprobs(model, batch), strict=True))
    return np.concatenate([found[i] for i in range(len(sentences))])


def score_text(
    model: nn.Module,
    sentences: Sentences,
    end: int,
    context: int = 128,
    size: int = 16,
) -> np.ndarray:
    """Return ln p of every word and ``</s>``, read as one running text.

    Each window of the text has `context` tokens that are scored, and before them as
    many that are only read: so every token is predicted from the `context` to
    2 · `context` tokens before it, across sentences, by any kind of model. That is more
    than an n-gram model sees; say so beside the number.

    Args:
        model: a language model, tokens → logits and state.
        sentences: in the order of the text, each a sequence of token numbers.
        end: the number of ``</s>``.
        context: how many tokens before each are read at least.
        size: how many windows are read at once.

    Returns:
        float64 (tokens,), in the order of the text.

    Raises:
        ValueError: there is no sentence, or `context` is below 1.
    """
    if context < 1:
        raise ValueError(f"context is {context}: expected 1 or more")
    text = running_text(sentences, end)  # (tokens + 1,)
    starts = range(0, len(text) - 1, context)
    found = []
    for first in range(0, len(starts), size):
        cuts = [_window(text, start, context) for start in starts[first : first + size]]
        inputs, targets = zip(*cuts, strict=True)
        batch = (_filled(inputs, end), _filled(targets, IGNORED))
        found += _logprobs(model, batch)
    return np.concatenate(found)


def perplexity(
    model: nn.Module, sentences: Sentences, end: int, context: int | None = None
) -> float:
    """Return exp(-1/N Σ ln p), where N counts words and ``</s>``.

    Args:
        model: a language model, tokens → logits and state.
        sentences: each a sequence of token numbers.
        end: the number of ``</s>``.
        context: None reads each sentence by itself (`score_sentences`), a number reads
            across sentences (`score_text`).

    Raises:
        ValueError: as the functions that it calls.
    """
    if context is None:
        logprob = score_sentences(model, sentences, end)
    else:
        logprob = score_text(model, sentences, end, context)
    return float(np.exp(-logprob.mean()))


def _window(text: Tensor, start: int, context: int) -> Batch:
    """Return inputs and targets around `start`; only those from there on count."""
    first, last = max(start - context, 0), start + context
    targets = text[first + 1 : last + 1].clone()  # (time,)
    targets[: start - first] = IGNORED
    return text[first:last][: len(targets)], targets  # each (time,)


def _filled(parts: Sequence[Tensor], value: int) -> Tensor:
    """Return sequences filled up at their ends: (batch, longest)."""
    return nn.utils.rnn.pad_sequence(list(parts), True, value)


@torch.no_grad()
def _logprobs(model: nn.Module, batch: Batch) -> list[np.ndarray]:
    """Return ln p of each row's targets that count, each float64 (targets,)."""
    device = next(model.parameters()).device
    inputs, targets = (part.to(device) for part in batch)
    training = model.training
    model.eval()
    logits, _ = model(inputs)  # (batch, time, vocabulary)
    model.train(training)
    # One trip from the device for the whole batch: a trip a row takes longer than the
    # model. Half precision would blur the sum over the vocabulary.
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    lost = functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
    )  # (batch * time,)
    log_p = -lost.view_as(targets).cpu().double().numpy()  # (batch, time)
    counted = (targets != IGNORED).cpu().numpy()  # (batch, time)
    return [row[keep] for row, keep in zip(log_p, counted, strict=True)]


@dataclass(frozen=True)
class Score:
    """A score with its signature: without it, no two BLEU scores can be compared.

    Post 2018, “A call for clarity in reporting BLEU scores”.

    Attributes:
        name: "BLEU" or "chrF2".
        value: 0 to 100.
        signature: what sacrebleu was told, for example
            ``nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp|version:2.6.0``.
    """

    name: str
    value: float
    signature: str

    def __str__(self) -> str:
        return f"{self.name} {self.value:.1f} ({self.signature})"


def bleu(
    hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "13a"
) -> Score:
    """Return corpus BLEU, by sacrebleu (Papineni et al. 2002; Post 2018).

    Args:
        hypotheses: translations as people read them: strings, not tokens.
        references: one for each.
        tokenize: "13a" for English, "zh" for Chinese.

    Raises:
        ValueError: no translations, not as many references, tokens instead of strings,
            or a tokenizer that sacrebleu does not know.
    """
    from sacrebleu.metrics import BLEU

    if tokenize not in BLEU.TOKENIZERS:
        raise ValueError(
            f"tokenize is {tokenize!r}: choose {', '.join(BLEU.TOKENIZERS)}"
        )
    return _scored(BLEU(tokenize=tokenize), hypotheses, references)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    """Return chrF, an F-score over character n-grams, by sacrebleu (Popović 2015).

    Args:
        hypotheses: translations as people read them: strings, not tokens.
        references: one for each.

    Raises:
        ValueError: no translations, not as many references, or tokens.
    """
    from sacrebleu.metrics import CHRF

    return _scored(CHRF(), hypotheses, references)


def _scored(
    metric: Callable, hypotheses: Sequence[str], references: Sequence[str]
) -> Score:
    """Check the texts and ask sacrebleu."""
    if len(hypotheses) != len(references) or not len(hypotheses):
        raise ValueError(
            f"{len(hypotheses)} translations and {len(references)} references: "
            "expected at least one translation, and one reference for each"
        )
    for text in (*hypotheses, *references):
        if not isinstance(text, str):
            raise ValueError(
                f"got {str(text)[:40]!r}, expected a string: join tokens to the text "
                "that people read, sacrebleu cuts it itself"
            )
    found = metric.corpus_score(list(hypotheses), [list(references)])
    return Score(found.name, found.score, str(metric.get_signature()))
