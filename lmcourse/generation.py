"""Text from a neural model, token by token.

Every function takes a model as a call ``model(tokens, state) → (logits, state)``:
a language model is one already, and a translator becomes one together with its source,
``functools.partial(translator, source)``. The state, a Transformer's KV cache or what a
recurrent network remembers, is passed on, so that each token is read once.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .ngrams.sampling import Shape

Model = Callable[[Tensor, Any], tuple[Tensor, Any]]
Choice = Callable[[Tensor], Tensor]  # logits (batch, vocabulary) → tokens (batch,)


@dataclass(frozen=True)
class Candidate:
    """A text that beam search found.

    Attributes:
        tokens: without prompt and without end.
        logprob: ln p of the tokens, and of the end if it was reached.
        score: the logprob, divided by the length to the power of the penalty.
    """

    tokens: list[int]
    logprob: float
    score: float


def greedy(
    model: Model,
    prompt: Tensor,
    max_tokens: int,
    end: int | None = None,
    cache: bool = True,
) -> list[list[int]]:
    """Return each prompt's continuation by the likeliest token at every step.

    Args:
        model: see the module; in evaluation mode.
        prompt: (batch, time), at least one token each.
        max_tokens: how many tokens are added at most.
        end: the token after which a text is complete; None if there is none.
        cache: pass the state on; without it, all tokens are read again for each new
            one, which gives the same text in more time.

    Returns:
        The new tokens of each text, without `end`.

    Raises:
        ValueError: an empty prompt, or `max_tokens` below 1.
    """
    choose = lambda logits: logits.argmax(-1)  # noqa: E731
    return _continue(model, prompt, max_tokens, end, cache, choose)


def sample(
    model: Model,
    prompt: Tensor,
    max_tokens: int,
    end: int | None = None,
    cache: bool = True,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
) -> list[list[int]]:
    """Return continuations drawn token by token; the first five as in `greedy`.

    The distribution is bent as that of an n-gram model is (`ngrams.sampling.Shape`).

    Args:
        temperature: below 1 likely tokens gain, above 1 they lose.
        top_k: draw from the k likeliest alone (Fan et al. 2018).
        top_p: draw from the likeliest that together reach this probability (nucleus
            sampling, Holtzman et al. 2020).
        seed: the same number gives the same texts.

    Raises:
        ValueError: a bad prompt, `max_tokens`, temperature, `top_k` or `top_p`.
    """
    shape = Shape(temperature, top_k, top_p)
    rng = np.random.default_rng(seed)

    def choose(logits: Tensor) -> Tensor:
        log10_p = logits.cpu().double().log_softmax(-1).numpy() / np.log(10)
        drawn = [rng.choice(len(row), p=shape(row)) for row in log10_p]
        return torch.tensor(drawn, device=logits.device)  # (batch,)

    return _continue(model, prompt, max_tokens, end, cache, choose)


@torch.no_grad()
def beam_search(
    model: Model,
    prompt: Tensor,
    max_tokens: int,
    end: int,
    beams: int = 4,
    length_penalty: float = 1.0,
) -> list[list[Candidate]]:
    """Return the likeliest continuations that a search of limited width finds.

    At every step each of the `beams` best texts so far is continued in all ways, and
    the best of those are kept (Graves 2012; Sutskever et al. 2014). Complete texts keep
    their place as long as nothing overtakes them.

    Args:
        model: see the module; in evaluation mode.
        prompt: (batch, time), at least one token each.
        max_tokens: how many tokens are added at most.
        end: the token after which a text is complete.
        beams: how many texts are kept.
        length_penalty: candidates are ranked by logprob / length^penalty, where the
            length counts the end. With 0 long texts lose (Wu et al. 2016).

    Returns:
        For each prompt its candidates, the best first.

    Raises:
        ValueError: an empty prompt, `max_tokens` or `beams` below 1.
    """
    _check(prompt, max_tokens)
    if beams < 1:
        raise ValueError(f"beams is {beams}: expected 1 or more")
    batch = len(prompt)
    logits, state = model(prompt, None)  # (batch, time, vocabulary)
    step = _log_p(logits[:, -1])  # (batch, vocabulary)
    vocabulary = step.shape[-1]
    # Before the first step all beams are one: only the first may be continued.
    total = step.new_full((batch, beams), -math.inf)  # (batch, beams)
    total[:, 0] = 0
    step = step[:, None].expand(-1, beams, -1)  # (batch, beams, vocabulary)
    texts = prompt.new_zeros(batch, beams, 0)  # (batch, beams, new tokens)
    first = torch.arange(batch, device=prompt.device)[:, None]  # (batch, 1)
    state = _pick(state, first.expand(-1, beams).flatten())
    for _ in range(max_tokens):
        every = (total[..., None] + step).flatten(1)  # (batch, beams * vocabulary)
        total, best = every.topk(beams)  # (batch, beams)
        beam, token = best // vocabulary, best % vocabulary  # (batch, beams)
        texts = texts.gather(1, beam[..., None].expand_as(texts))  # shape unchanged
        texts = torch.cat([texts, token[..., None]], -1)  # one token longer
        complete = (texts == end).any(-1)  # (batch, beams)
        if complete.all():
            break
        state = _pick(state, (first * beams + beam).flatten())
        logits, state = model(
            token.view(-1, 1), state
        )  # (batch * beams, 1, vocabulary)
        step = _log_p(logits[:, -1]).view(batch, beams, -1)
        step = _only_end(step, complete, end)  # (batch, beams, vocabulary)
    return [
        _ranked(texts[row].tolist(), total[row].tolist(), end, length_penalty)
        for row in range(batch)
    ]


@torch.no_grad()
def _continue(
    model: Model,
    prompt: Tensor,
    max_tokens: int,
    end: int | None,
    cache: bool,
    choose: Choice,
) -> list[list[int]]:
    """Add tokens until all texts are complete."""
    _check(prompt, max_tokens)
    text, unread, state = prompt, prompt, None
    complete = prompt.new_zeros(len(prompt), dtype=torch.bool)  # (batch,)
    for _ in range(max_tokens):
        logits, state = model(unread, state)  # (batch, unread, vocabulary)
        token = choose(logits[:, -1])[:, None]  # (batch, 1)
        text = torch.cat([text, token], 1)  # (batch, time + 1)
        unread, state = (token, state) if cache else (text, None)
        if end is not None:
            complete |= token[:, 0] == end
            if complete.all():
                break
    return [_until(row, end) for row in text[:, prompt.shape[1] :].tolist()]


def _log_p(logits: Tensor) -> Tensor:
    """Return ln p in float64; in float32 on Apple's GPUs, which have no more."""
    precision = torch.float32 if logits.device.type == "mps" else torch.float64
    return logits.to(precision).log_softmax(-1)


def _check(prompt: Tensor, max_tokens: int) -> None:
    """Refuse what nothing can be added to."""
    if prompt.ndim != 2 or not prompt.numel():
        raise ValueError(
            f"the prompt has shape {tuple(prompt.shape)}: expected (batch, time) with "
            "at least one token, such as that of </s>"
        )
    if max_tokens < 1:
        raise ValueError(f"max_tokens is {max_tokens}: expected 1 or more")


def _until(tokens: list[int], end: int | None) -> list[int]:
    """Return the tokens before the first `end`."""
    return tokens[: tokens.index(end)] if end in tokens else tokens


def _only_end(step: Tensor, complete: Tensor, end: int) -> Tensor:
    """Let complete texts be continued by `end` alone, at no cost."""
    nothing = torch.full_like(step[0, 0], -math.inf)  # (vocabulary,)
    nothing[end] = 0
    return torch.where(complete[..., None], nothing, step)  # (batch, beams, vocabulary)


def _pick(state: Any, rows: Tensor) -> Any:
    """Return some rows of every tensor of a state, whose first axis is the batch."""
    if isinstance(state, Tensor):
        return state[rows]
    return state and tuple(_pick(part, rows) for part in state)


def _ranked(
    texts: list[list[int]], totals: list[float], end: int, length_penalty: float
) -> list[Candidate]:
    """Return candidates by score; beams that were never filled are left out."""
    found = []
    for text, logprob in zip(texts, totals, strict=True):
        if logprob > -math.inf:
            tokens = _until(text, end)
            length = len(tokens) + (end in text)
            found.append(Candidate(tokens, logprob, logprob / length**length_penalty))
    return sorted(found, key=lambda candidate: -candidate.score)
