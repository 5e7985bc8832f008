"""What each part of a Transformer is worth, and what width buys: for notebook 09.

A small language model is trained on War and Peace with one part missing or changed, all
else equal, three seeds each; then the complete one in five widths. Every run that is
finished is stored, and is not run again.

    make long NAME=transformer_parts                      one run after another
    make long NAME=transformer_parts ARGS="--workers 6"   six side by side, on one GPU
    make long NAME=transformer_parts ARGS="--quick"       tiny models; stores nothing
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import get_context
from typing import Any

import torch
from torch import Tensor, nn

from lmcourse import batches, corpora, evaluation, results, text, training
from lmcourse.transformer import Block, Embedding, TransformerLM

NAME = "transformer_parts"
SEEDS = (1, 2, 3)
WIDTHS = (32, 64, 128, 256, 512)
CONTEXT = 64  # with as many tokens only read, no more than a training window


@dataclass(frozen=True)
class Settings:
    """How a model is built and trained; all runs share what their key does not name."""

    width: int = 256
    num_layers: int = 4
    num_heads: int = 4
    positions: str = "rotary"
    dropout: float = 0.2
    steps: int = 1_200
    size: int = 16  # windows in a batch
    time: int = 128  # tokens in a window
    learning_rate: float = 1e-3
    warmup: int = 100
    precision: str = "bf16"


QUICK = Settings(width=16, num_layers=2, steps=3, warmup=1, size=2, time=32)


# ---------------------------------------------------------------- parts taken out


class Nothing(nn.Module):
    """A network that changes nothing: zeros for whatever comes in."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)  # (batch, time, width)


class NoAttention(nn.Module):
    """Attention that hands over nothing, in the form that blocks expect."""

    def forward(
        self, x: Tensor, mask: Tensor | None, past: None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        return torch.zeros_like(x), (x[:, None], x[:, None])


class PostNorm(Block):
    """A block that normalises after each addition (Vaswani et al. 2017)."""

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        source: None = None,
        source_mask: None = None,
        past: None = None,
    ) -> tuple[Tensor, tuple]:
        change, kept = self.attention(x, mask)
        x = self.attention_norm(self.add(x, change))  # (batch, time, width)
        x = self.network_norm(self.add(x, self.network(x)))  # (batch, time, width)
        return x, (kept,)


class Untied(Embedding):
    """An embedding that predicts with another table than the one it reads with."""

    def __init__(self, vocabulary_size: int, width: int, dropout: float) -> None:
        super().__init__(vocabulary_size, width, dropout=dropout)
        self.output = nn.Linear(width, vocabulary_size, bias=False)

    def logits(self, x: Tensor) -> Tensor:
        return self.output(x)  # (batch, time, vocabulary)


def no_residual(model: TransformerLM) -> None:
    for block in model.blocks:
        block.add = lambda x, change, block=block: block.dropout(change)


def no_norm(model: TransformerLM) -> None:
    for block in model.blocks:
        block.attention_norm = block.network_norm = nn.Identity()
    model.norm = nn.Identity()


def no_final_norm(model: TransformerLM) -> None:
    model.norm = nn.Identity()


def norm_after(model: TransformerLM) -> None:
    for number, block in enumerate(model.blocks):
        width, heads = block.attention_norm.weight.numel(), block.attention.num_heads
        new = PostNorm(width, heads, block.dropout.p, rotary=True)
        new.load_state_dict(block.state_dict())
        model.blocks[number] = new
    model.norm = nn.Identity()


def no_network(model: TransformerLM) -> None:
    for block in model.blocks:
        block.network = Nothing()


def no_attention(model: TransformerLM) -> None:
    for block in model.blocks:
        block.attention = NoAttention()


def untied(model: TransformerLM) -> None:
    table = model.embedding.tokens
    dropout = model.embedding.dropout.p
    model.embedding = Untied(table.num_embeddings, table.embedding_dim, dropout)


HASTY = {"learning_rate": 3e-3, "warmup": 0}  # three times as fast, at once

# What differs from the complete model: its settings, and what is done to it.
Change = tuple[dict[str, Any], Callable[[TransformerLM], None] | None]
PARTS: dict[str, Change] = {
    "complete": ({}, None),
    "no attention": ({}, no_attention),
    "no residual": ({}, no_residual),
    "no norm": ({}, no_norm),
    "no final norm": ({}, no_final_norm),
    "norm after": ({}, norm_after),
    "no positions": ({"positions": "none"}, None),
    "sinusoidal positions": ({"positions": "sinusoidal"}, None),
    "one head": ({"num_heads": 1}, None),
    "no network": ({}, no_network),
    "no network, 3 × the layers": ({"num_layers": 12}, no_network),
    "untied": ({}, untied),
    "no dropout": ({"dropout": 0.0}, None),
    "complete, hasty": (HASTY, None),
    "no norm, hasty": (HASTY, no_norm),
    "norm after, hasty": (HASTY, norm_after),
}


# ---------------------------------------------------------------- runs


@dataclass(frozen=True)
class Run:
    """One training."""

    part: str
    seed: int
    settings: Settings

    @property
    def key(self) -> str:
        return f"{self.part}, width {self.settings.width}, seed {self.seed}"


def runs(quick: bool) -> Iterator[Run]:
    """Yield all runs; those of all parts with the first seed come first."""
    settings = QUICK if quick else Settings()
    for seed in SEEDS[:1] if quick else SEEDS:
        for part, (changes, _) in PARTS.items():
            yield Run(part, seed, replace(settings, **changes))
        for width in WIDTHS[:1] if quick else WIDTHS:
            if width != settings.width:
                # Narrow models learn best, and still stably, with larger steps.
                rate = settings.learning_rate * (settings.width / width) ** 0.5
                wide = replace(settings, width=width, learning_rate=rate)
                yield Run("complete", seed, wide)


def build(run: Run, vocabulary_size: int) -> TransformerLM:
    """Return the model of a run before training."""
    torch.manual_seed(run.seed)
    chosen = run.settings
    model = TransformerLM(
        vocabulary_size,
        chosen.width,
        chosen.num_layers,
        chosen.num_heads,
        chosen.positions,
        dropout=chosen.dropout,
    )
    _, change = PARTS[run.part]
    if change is not None:
        change(model)
    return model


@cache
def data(quick: bool) -> text.Numbered:
    """Return the text; a little of it if it is for trying out."""
    numbered = text.number(corpora.load("war_and_peace"))
    if not quick:
        return numbered
    few = (part[:10] for part in (numbered.train, numbered.dev, numbered.test))
    return text.Numbered(numbered.vocabulary, *few)


def carry_out(run: Run, quick: bool) -> dict[str, Any]:
    """Train and judge one model; the values to store.

    A training whose loss is not a number any more is a result too: it has "stopped".
    """
    started = time.perf_counter()
    chosen = run.settings
    numbered = data(quick)
    running = batches.running_text(numbered.train, numbered.end)  # (tokens + 1,)
    model = build(run, len(numbered.vocabulary))
    parameters = sum(weight.numel() for weight in model.parameters())
    found: dict[str, Any] = {
        "part": run.part,
        "seed": run.seed,
        "settings": asdict(chosen),
        "parameters": parameters,
        "in_blocks": sum(weight.numel() for weight in model.blocks.parameters()),
    }

    def windows(epoch: int) -> Iterator[batches.Batch]:
        seed = 1_000 * run.seed + epoch
        return batches.windows(running, chosen.size, chosen.time, seed)

    recipe = training.Recipe(
        steps=chosen.steps,
        learning_rate=chosen.learning_rate,
        warmup=chosen.warmup,
        precision=chosen.precision,
        seed=run.seed,
        every=max(chosen.steps // 12, 1),
    )
    try:
        history = training.train(model, windows, recipe)
    except training.BadLoss as error:
        found["stopped"] = str(error)
    else:
        found["loss"] = [{"step": row.step, "loss": row.loss} for row in history]
        found["dev"] = judge(model, numbered.dev, numbered.end)
        same_length = numbered.train[: len(numbered.dev)]
        found["train"] = judge(model, same_length, numbered.end)
    return {"minutes": (time.perf_counter() - started) / 60, **found}


def judge(model: nn.Module, sentences: list[list[int]], end: int) -> dict[str, float]:
    """Return the perplexity, each sentence read alone and as a running text."""
    return {
        "sentence": evaluation.perplexity(model, sentences, end),
        "text": evaluation.perplexity(model, sentences, end, context=CONTEXT),
    }


def finished(todo: list[Run], workers: int, quick: bool) -> Iterator[tuple[Run, dict]]:
    """Yield runs with what they found, as they end."""
    if workers == 1:
        for run in todo:
            yield run, carry_out(run, quick)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # for the workers
    with ProcessPoolExecutor(workers, get_context("spawn"), hide_bars) as pool:
        waiting = {pool.submit(carry_out, run, quick): run for run in todo}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def hide_bars() -> None:
    """Silence a worker: bars of several processes would overwrite each other."""
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=1, help="runs side by side")
    parser.add_argument("--only", nargs="+", default=[""], help="words of the keys")
    parser.add_argument("--quick", action="store_true", help="tiny; stores nothing")
    given = parser.parse_args()
    if given.workers < 1:
        parser.error(f"--workers is {given.workers}: expected 1 or more")
    try:
        done = {} if given.quick else results.load(NAME)
    except FileNotFoundError:
        done = {}
    every = list(runs(given.quick))
    chosen = [run for run in every if any(word in run.key for word in given.only)]
    todo = [run for run in chosen if run.key not in done]
    print(f"{len(every)} runs, {len(chosen)} chosen, {len(todo)} to do", flush=True)
    for run, found in finished(todo, given.workers, given.quick):
        minutes = found.pop("minutes")
        if not given.quick:
            results.store(NAME, run.key, minutes, found)
        shown = found.get("stopped") or f"dev {found['dev']['text']:.2f}"
        print(f"{run.key}: {shown} ({60 * minutes:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
