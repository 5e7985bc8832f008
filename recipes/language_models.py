"""Train language models for longer than a notebook may, and store the curves.

    make long NAME=language_models ARGS="--data war_and_peace --model lstm --seed 1"

One run is one model, one text and one seed. It can be stopped and goes on when it is
called again. The Transformer's settings for War and Peace were chosen among three on
its dev part; the others were fixed beforehand. A run reads the test part once, at its
end. `data/results/language_models.json` then holds the learning curve, over seconds of
training alone, and both perplexities: of sentences read one by one, which is what an
n-gram model sees, and of the running text, where a network remembers across sentences.
"""

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import nn

from lmcourse import corpora, results
from lmcourse.batches import (
    Batch,
    by_length,
    rows,
    running_text,
    sentence_batch,
    windows,
)
from lmcourse.evaluation import perplexity
from lmcourse.recurrent import RecurrentLM
from lmcourse.text import Numbered, number
from lmcourse.training import Progress, Recipe, carry_state, each_alone, train
from lmcourse.transformer import TransformerLM

CONTEXT = 64  # tokens read at least before each one, where the text is read as one


@dataclass(frozen=True)
class Settings:
    """How a model is built and trained.

    Attributes:
        reads: "text": training reads across sentences; "sentences": each by itself.
        width, layers, heads, dropout: of the model; an LSTM has no heads.
        size: rows, windows or sentences of a batch.
        time: tokens of a row or a window.
        epochs, learning_rate, warmup, weight_decay: as in `training.Recipe`; warmup in
            epochs.
        precision: "bf16" is four times as fast as float32 for an LSTM on our CPU.
        evaluations: on dev, in each epoch.
    """

    reads: str = "text"
    width: int = 400
    layers: int = 1
    heads: int = 4
    dropout: float = 0.4
    size: int = 40
    time: int = 35
    epochs: int = 10
    learning_rate: float = 3e-3
    warmup: float = 0.0
    weight_decay: float = 0.01
    precision: str = "bf16"
    evaluations: int = 2


LSTM = Settings(width=512, dropout=0.5, epochs=15)
TRANSFORMER = Settings(
    width=256,
    layers=4,
    dropout=0.3,
    size=12,
    time=128,
    epochs=12,
    learning_rate=1e-3,
    warmup=0.5,
    weight_decay=0.1,
)
CHOSEN = {
    ("war_and_peace", "lstm"): LSTM,
    ("war_and_peace", "transformer"): TRANSFORMER,
    ("peoples_daily", "lstm"): replace(LSTM, dropout=0.3, epochs=8, size=100),
    ("peoples_daily", "transformer"): replace(
        TRANSFORMER, dropout=0.2, epochs=8, size=32, learning_rate=1.5e-3
    ),
}


def main() -> None:
    """Train one model, and store what it reached."""
    arguments = parse()
    settings = replace(CHOSEN[arguments.data, arguments.model], **arguments.settings)
    text = load(arguments.data, 200 if arguments.quick else None)
    if arguments.quick:
        settings = replace(settings, epochs=1, size=4, width=32)
    torch.manual_seed(arguments.seed)
    model = build(arguments.model, settings, len(text.vocabulary))
    folder = arguments.folder / arguments.key
    history, curve = fit(model, text, settings, arguments.seed, folder)
    found = {
        "data": arguments.data,
        "model": arguments.model,
        "seed": arguments.seed,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "settings": asdict(settings),
        "curve": curve,
        "dev": both_perplexities(model, text.dev, text.end),
        "test": both_perplexities(model, text.test, text.end),
    }
    shown = {part: found[part] for part in ("parameters", "dev", "test")}
    print(arguments.key, json.dumps(shown), f"{history[-1].seconds:.0f} s", flush=True)
    if not arguments.quick:
        results.store(arguments.store, arguments.key, history[-1].seconds / 60, found)


def load(name: str, few: int | None = None) -> Numbered:
    """Return words of War and Peace, or characters of People's Daily, as numbers."""
    corpus = corpora.load(name)
    if name == "peoples_daily":
        corpus = corpus.map(lambda line: line.characters)
    text = number(corpus)
    return replace(
        text, train=text.train[:few], dev=text.dev[:few], test=text.test[:few]
    )


def build(name: str, settings: Settings, vocabulary_size: int) -> nn.Module:
    """Return an untrained model."""
    kept = {"dropout": settings.dropout, "width": settings.width}
    if name == "lstm":
        return RecurrentLM(vocabulary_size, num_layers=settings.layers, **kept)
    kept |= {"num_layers": settings.layers, "num_heads": settings.heads}
    return TransformerLM(vocabulary_size, **kept)


def fit(
    model: nn.Module, text: Numbered, settings: Settings, seed: int, folder: Path
) -> tuple[list[Progress], list[dict]]:
    """Train; return the evaluations, and the curve with both dev perplexities."""
    log = folder / "dev.jsonl"  # it outlives a stop, as the checkpoints do
    folder.mkdir(parents=True, exist_ok=True)

    def dev(model: nn.Module) -> float:
        found = both_perplexities(model, text.dev, text.end)
        with log.open("a") as file:
            file.write(json.dumps(found) + "\n")
        return found[{"text": "text", "sentences": "sentence"}[settings.reads]]

    batches, loss = reading(model, text, settings)
    per_epoch = sum(1 for _ in batches(0))
    recipe = Recipe(
        steps=settings.epochs * per_epoch,
        learning_rate=settings.learning_rate,
        warmup=int(settings.warmup * per_epoch),
        weight_decay=settings.weight_decay,
        precision=settings.precision,
        every=max(per_epoch // settings.evaluations, 1),
        keep=1,
        seed=seed,
    )
    history = train(model, batches, recipe, dev=dev, loss=loss, folder=folder)
    # Each evaluation is found by its value: one that a stop cut off is made twice.
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    by_value = {value: found for found in asked for value in found.values()}
    return history, [curve_row(row, by_value[row.dev]) for row in history]


def curve_row(row: Progress, dev: dict[str, float]) -> dict[str, float]:
    """Return an evaluation as it is stored."""
    return {
        "step": row.step,
        "tokens": row.tokens,
        "seconds": round(row.seconds, 2),
        "loss": round(row.loss, 4),
        "dev_sentence": round(dev["sentence"], 3),
        "dev_text": round(dev["text"], 3),
    }


def reading(
    model: nn.Module, text: Numbered, settings: Settings
) -> tuple[Callable[[int], Iterable[Batch]], Callable]:
    """Return how training reads: the batches of an epoch, and the loss."""
    size, time = settings.size, settings.time
    if settings.reads == "sentences":
        lengths = [len(sentence) for sentence in text.train]

        def sentences(epoch: int) -> Iterable[Batch]:
            for chosen in by_length(lengths, size, epoch):
                yield sentence_batch([text.train[i] for i in chosen], text.end)

        return sentences, each_alone
    running = running_text(text.train, text.end)
    if isinstance(model, RecurrentLM):
        return lambda epoch: rows(running, size, time), carry_state
    return lambda epoch: windows(running, size, time, epoch), each_alone


def both_perplexities(
    model: nn.Module, sentences: list[list[int]], end: int
) -> dict[str, float]:
    """Return the perplexity of sentences read alone, and of the running text."""
    return {
        "sentence": perplexity(model, sentences, end),
        "text": perplexity(model, sentences, end, context=CONTEXT),
    }


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--data", choices=["war_and_peace", "peoples_daily"], default="war_and_peace")
    add("--model", choices=["lstm", "transformer"], default="lstm")
    add("--seed", type=int, default=1)
    add("--set", nargs="*", default=[], metavar="NAME=VALUE", help="other settings")
    add("--folder", type=Path, default=user_cache_path("lmcourse") / "long")
    add("--store", default="language_models", help="name of the stored results")
    add("--threads", type=int, help="of the CPU")
    add("--quick", action="store_true", help="a few steps of everything, not stored")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    pairs = [pair.split("=") for pair in arguments.set]
    kinds = Settings.__dataclass_fields__
    arguments.settings = {name: kinds[name].type(value) for name, value in pairs}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    changed = "".join(f", {pair}" for pair in arguments.set)
    arguments.key = (
        f"{arguments.data} {arguments.model}{changed}, {device}, seed {arguments.seed}"
    )
    return arguments


if __name__ == "__main__":
    main()
