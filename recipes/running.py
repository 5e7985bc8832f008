"""What the recipes of BERT share: runs by key, side by side, each stored when it ends.

    python recipes/sentiment.py --list
    python recipes/sentiment.py --run "film" --seed 1 2 --workers 4

Runs that are stored already are left out, so the same command goes on where an earlier
one was stopped. `--quick` tries everything on a few texts and stores nothing.
"""

import argparse
import gc
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_path
from torch import nn

from lmcourse import corpora, finetuning, results
from lmcourse.finetuning import Example
from lmcourse.pretraining import own_bert
from lmcourse.training import Loss, Recipe, train


@dataclass(frozen=True)
class Run:
    """One training with what it is called by.

    Attributes:
        key: unique among the runs of a recipe; holds "seed 1" where there are several.
        function: does it, given a `Place` and the arguments; returns JSON.
        arguments: for the function.
    """

    key: str
    function: Callable[..., dict[str, Any]]
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where things are, and whether all this is a try.

    Attributes:
        minilm: the folder of MiniLM.
        chinese: the folder of the course's Chinese BERT.
        kept: the folder for checkpoints of long trainings.
        quick: whether a few texts and steps are enough.
    """

    minilm: Path
    chinese: Path
    kept: Path
    quick: bool

    def few(self, items: list, number: int = 64) -> list:
        """Return the items, or a few that are spread over them in a quick try."""
        return items[:: -(-len(items) // number)] if self.quick else items


Stage = Callable[[dict[str, Any]], list[Run]]  # what is stored → what is to be run


def main(name: str, about: str, stages: list[Stage]) -> None:
    """Run stages one after another, the runs of each side by side."""
    given = _arguments(about)
    place = Place(given.minilm, given.chinese, given.kept, given.quick)
    failed = 0
    for stage in stages:
        done = {} if given.quick else stored(name)
        chosen = [run for run in stage(done) if _wanted(run.key, given)]
        todo = [run for run in chosen if run.key not in done]
        if given.list:
            for run in chosen:
                print(run.key)
            continue
        print(f"{name}: {len(chosen)} runs, {len(todo)} to do", flush=True)
        for run, found, minutes in _finished(todo, place, given.workers):
            if found is None:
                failed += 1
            elif not given.quick:
                results.store(name, run.key, minutes, found)
            shown = {k: v for k, v in (found or {}).items() if isinstance(v, float)}
            shown = ", ".join(f"{k} {v:.4f}" for k, v in shown.items()) or "see above"
            print(f"{name}: {run.key}: {shown} ({60 * minutes:.0f} s)", flush=True)
    sys.exit(f"{failed} runs failed" if failed else 0)


def stored(name: str) -> dict[str, Any]:
    """Return what is stored so far."""
    try:
        return results.load(name)
    except FileNotFoundError:
        return {}


def _arguments(about: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--run", nargs="+", default=[""], help="words of the keys")
    parser.add_argument("--seed", nargs="+", type=int, help="these seeds alone")
    parser.add_argument("--workers", type=int, default=1, help="runs side by side")
    parser.add_argument("--quick", action="store_true", help="a try; stores nothing")
    parser.add_argument("--list", action="store_true", help="print the keys")
    parser.add_argument("--minilm", type=Path, help="a folder, else from the cache")
    parser.add_argument(
        "--chinese", type=Path, default=own_bert(), help="the course's BERT"
    )
    parser.add_argument(
        "--kept",
        type=Path,
        default=user_cache_path("lmcourse") / "long",
        help="a folder for checkpoints",
    )
    given = parser.parse_args()
    if given.workers < 1:
        parser.error(f"--workers is {given.workers}: expected 1 or more")
    given.minilm = given.minilm or corpora.load("minilm")
    return given


def _wanted(key: str, given: argparse.Namespace) -> bool:
    named = any(word in key for word in given.run)
    return named and (not given.seed or any(f"seed {s}" in key for s in given.seed))


def _finished(
    todo: list[Run], place: Place, workers: int
) -> Iterator[tuple[Run, dict[str, Any] | None, float]]:
    """Yield runs with what they found and their minutes, as they end."""
    if workers == 1:
        for run in todo:
            yield run, *_carry_out(run, place)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # for the workers
    with ProcessPoolExecutor(workers, get_context("spawn"), _hide_bars) as pool:
        waiting = {pool.submit(_carry_out, run, place): run for run in todo}
        for future in as_completed(waiting):
            yield waiting[future], *future.result()


def _carry_out(run: Run, place: Place) -> tuple[dict[str, Any] | None, float]:
    """Return what a run found, None if it failed, and its minutes."""
    start = time.perf_counter()
    found = None
    try:
        found = run.function(place, **run.arguments)
    except Exception:
        print(f"{run.key} failed\n{traceback.format_exc()}", flush=True)
    return found, (time.perf_counter() - start) / 60


def _hide_bars() -> None:
    """Silence a worker: bars of several processes would overwrite each other."""
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115


# ------------------------------------------------------------ one fine-tuning


@cache
def device() -> str:
    """Return where trainings run."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def fine_tune(
    model: nn.Module,
    examples: list[Example],
    *,
    epochs: float,
    learning_rate: float,
    seed: int,
    size: int = 32,
    warmup: float = 0.1,
    loss: Loss | None = None,
    batches: Callable | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Train a model in place; return steps, seconds and peak memory.

    Args:
        model: from `lmcourse.bert`.
        examples: to learn from.
        epochs: how often they are read.
        warmup: the share of the steps in which the learning rate rises.
        size: texts in a batch.
        loss: of `training.train`; the plain one if None.
        batches: epoch → batches, in place of the examples in random order.
        options: of `Recipe`, and `scale`.
    """
    scale = options.pop("scale", None)
    accumulate = options.get("accumulate", 1)
    steps = max(2, round(epochs * len(examples) / (size * accumulate)))
    settings = {"precision": "bf16", **options}
    recipe = Recipe(
        steps=steps,
        learning_rate=learning_rate,
        warmup=int(warmup * steps),
        every=steps,
        seed=seed,
        **settings,
    )
    batches = batches or finetuning.batches(examples, size, seed)
    loss = loss or finetuning.label_loss()
    gc.collect()  # an earlier model must not count
    if device() == "cuda":
        torch.cuda.reset_peak_memory_stats()
    (progress,) = train(model, batches, recipe, loss=loss, scale=scale)
    cuda = device() == "cuda"
    return {
        "steps": steps,
        "learning_rate": learning_rate,
        "epochs": epochs,
        "train_loss": progress.loss,
        "seconds": round(progress.seconds, 2),
        "peak_memory": torch.cuda.max_memory_allocated() if cuda else None,
    }


def answers(model: nn.Module, examples: list[Example]) -> np.ndarray:
    """Return the class that a model gives to each text, (texts,)."""
    return np.array([logits.argmax() for logits in finetuning.predict(model, examples)])


def right(model: nn.Module, examples: list[Example]) -> np.ndarray:
    """Return whether each text got its class, bool (texts,)."""
    return answers(model, examples) == np.array([example.label for example in examples])


def as_text(flags: np.ndarray) -> str:
    """Return yes and no as 1 and 0, for storing: ``[*map(int, text)]`` undoes it."""
    return "".join(map(str, flags.astype(int)))
