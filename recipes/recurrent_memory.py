"""How far back three kinds of cells remember on real text: for notebook 07.

An RNN, a GRU and an LSTM of one width read War and Peace three times. Then each
predicts the same words of the dev part from one word before them, from two, and so on:
as long as that helps, it remembers. And each is asked what the notebook asks: *his*, or
*her*? A run that is stopped goes on when it is called again; finished ones are stored.

    make long NAME=recurrent_memory
    make long NAME=recurrent_memory ARGS="--cell lstm --threads 1"
"""

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import Tensor
from torch.nn import functional

from lmcourse import corpora, results
from lmcourse.batches import rows, running_text
from lmcourse.evaluation import perplexity
from lmcourse.recurrent import Cell, RecurrentLM
from lmcourse.text import Numbered, number
from lmcourse.training import Recipe, carry_state, train

NAME = "recurrent_memory"
CELLS: tuple[Cell, ...] = ("rnn", "gru", "lstm")
WORDS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # read before each prediction
PLACES = 5_000  # where words are predicted
CONTEXT = 64  # tokens read at least before each one, where the text is read as one


@dataclass(frozen=True)
class Settings:
    """Those of the LSTM in `language_models` that was best on dev, for fewer epochs."""

    width: int = 400
    dropout: float = 0.4
    size: int = 40  # rows of a batch
    time: int = 35  # tokens of a row
    epochs: int = 3
    learning_rate: float = 3e-3
    precision: str = "bf16"
    places: int = PLACES


QUICK = replace(Settings(), width=16, size=4, epochs=1, places=50)


def main() -> None:
    """Train and question the cells that were asked for, and store what they know."""
    arguments = parse()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    text = number(corpora.load("war_and_peace"))
    settings = Settings()
    if arguments.quick:
        text, settings = replace(text, train=text.train[:50], dev=text.dev[:200]), QUICK
    for cell in arguments.cell:
        key = f"{cell}, seed {arguments.seed}"
        if not arguments.quick and key in stored():
            continue
        found, seconds = run(text, cell, arguments.seed, settings, arguments.folder)
        print(key, found, f"{seconds:.0f} s", flush=True)
        if not arguments.quick:
            results.store(NAME, key, seconds / 60, found)


def stored() -> dict:
    """Return the runs that are stored so far."""
    try:
        return results.load(NAME)
    except FileNotFoundError:
        return {}


def run(
    text: Numbered, cell: Cell, seed: int, settings: Settings, folder: Path | None
) -> tuple[dict, float]:
    """Train one cell; return what it knows, and the seconds of training."""
    torch.manual_seed(seed)
    size = len(text.vocabulary)
    model = RecurrentLM(size, settings.width, cell=cell, dropout=settings.dropout)
    running = running_text(text.train, text.end)
    recipe = Recipe(
        steps=settings.epochs
        * sum(1 for _ in rows(running, settings.size, settings.time)),
        learning_rate=settings.learning_rate,
        precision=settings.precision,
        every=50,
        keep=1,
        seed=seed,
    )
    history = train(
        model,
        lambda epoch: rows(running, settings.size, settings.time),
        recipe,
        loss=carry_state,
        folder=folder and folder / f"{NAME} {cell} {seed}",
    )
    found = {
        "cell": cell,
        "seed": seed,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "settings": asdict(settings),
        "dev": {
            "sentence": perplexity(model, text.dev, text.end),
            "text": perplexity(model, text.dev, text.end, CONTEXT),
        },
        **memory(model, text, settings.places),
    }
    return found, history[-1].seconds


@torch.no_grad()
def memory(model: RecurrentLM, text: Numbered, number_of_places: int) -> dict:
    """Return the perplexity, and the share of *his* and *her*, by words read before."""
    dev = running_text(text.dev, text.end)  # (tokens + 1,)
    generator = torch.Generator().manual_seed(1)
    first, last = max(WORDS), len(dev)
    places = torch.randint(first, last, (number_of_places,), generator=generator)
    pair = torch.tensor(text.vocabulary.encode(["his", "her"]))
    asked = torch.isin(dev, pair).nonzero()[:, 0]
    asked = asked[asked >= first]
    perplexities, shares = {}, {}
    for words in WORDS:
        logits = read(model, dev, places, words)  # (places, vocabulary)
        loss = functional.cross_entropy(logits, dev[places])
        perplexities[words] = round(float(loss.exp()), 3)
        said = read(model, dev, asked, words)[:, pair].argmax(-1)  # (asked,)
        shares[words] = round(float((pair[said] == dev[asked]).double().mean()), 4)
    return {"perplexity": perplexities, "his_or_her": shares, "asked": len(asked)}


def read(model: RecurrentLM, text: Tensor, places: Tensor, words: int) -> Tensor:
    """Return the logits at places, from so many words before: (places, vocabulary)."""
    before = text[places[:, None] + torch.arange(-words, 0)]  # (places, words)
    device = next(model.parameters()).device
    parts = [model.last_logits(part.to(device)).cpu() for part in before.split(500)]
    return torch.cat(parts)  # (places, vocabulary)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--cell", nargs="+", choices=CELLS, default=CELLS)
    add("--seed", type=int, default=1)
    add("--folder", type=Path, default=user_cache_path("lmcourse") / "long")
    add("--threads", type=int, help="of the CPU")
    add("--quick", action="store_true", help="a few steps of everything, not stored")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.folder = None
    return arguments


if __name__ == "__main__":
    main()
