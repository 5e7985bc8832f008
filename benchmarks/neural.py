"""Measure the language model beside PyTorch's layers, its KV cache, and fine-tuning.

All as ratios within one run, because a shared machine is twice as slow at one time as
at another. Prints a table with targets and stores it as JSON.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch
from torch import Tensor, nn

from lmcourse import finetuning
from lmcourse.batches import Batch
from lmcourse.bert import Config, ForClassification
from lmcourse.finetuning import Example
from lmcourse.generation import greedy
from lmcourse.training import Recipe, summed_loss, train
from lmcourse.transformer import TransformerLM, sinusoidal

RESULTS = Path(__file__).parents[1] / "data" / "results" / "bench_neural.json"
VOCABULARY, WIDTH, LAYERS, HEADS = 8192, 256, 4, 4
BATCH, TIME, GENERATED = 16, 128, 256
TEXTS, FINE_TUNING_STEPS = 32, 10
TARGETS = {
    "training, ours / PyTorch's": 0.95,
    "generation, cached / not": 3.0,
    "fine-tuning, ours / Trainer's": 1.0,
}


def main() -> None:
    """Run everything, in under a minute."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    figures = {
        "machine": machine(arguments.threads),
        "training_tokens_per_second": training(),
        "generation_tokens_per_second": generation(),
        "fine_tuning_texts_per_second": fine_tuning(),
    }
    trained, generated, tuned = list(figures.values())[1:]
    figures["ratios"] = {
        "training, ours / PyTorch's": trained["ours"] / trained["pytorch"],
        "training, rotary / PyTorch's": trained["ours, rotary"] / trained["pytorch"],
        "generation, cached / not": generated["cached"] / generated["not cached"],
        "fine-tuning, ours / Trainer's": tuned["ours"] / tuned["transformers.Trainer"],
    }
    report(figures["ratios"])
    temporary = arguments.output.with_suffix(".part")
    temporary.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    temporary.replace(arguments.output)
    print(f"stored in {arguments.output}")


class PyTorchLM(nn.Module):
    """The same model from `nn.TransformerEncoder`, as people assemble it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.register_buffer("places", sinusoidal(TIME, WIDTH))
        layer = nn.TransformerEncoderLayer(
            WIDTH,
            HEADS,
            4 * WIDTH,
            dropout=0,  # PyTorch's would slow its attention down, ours has none there
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(
            layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False
        )
        mask = nn.Transformer.generate_square_subsequent_mask(TIME)
        self.register_buffer("mask", mask)

    def forward(self, tokens: Tensor) -> tuple[Tensor, None]:
        x = self.embedding(tokens) * WIDTH**0.5 + self.places  # (batch, time, width)
        x = self.encoder(x, mask=self.mask, is_causal=True)  # (batch, time, width)
        return x @ self.embedding.weight.T, None  # (batch, time, vocabulary)


def training() -> dict[str, float]:
    """Tokens a second of whole training steps, the models taking turns."""
    ours = {"width": WIDTH, "num_layers": LAYERS, "num_heads": HEADS, "dropout": 0}
    models = {
        "pytorch": PyTorchLM(),
        "ours": TransformerLM(VOCABULARY, positions="sinusoidal", **ours),
        "ours, rotary": TransformerLM(VOCABULARY, positions="rotary", **ours),
    }
    seconds = in_turns({name: step(model) for name, model in models.items()}, 9)
    return {name: round(BATCH * TIME / each) for name, each in seconds.items()}


def step(model: nn.Module) -> Callable[[], None]:
    """Return a function that trains a model on one batch."""
    optimizer = torch.optim.AdamW(model.parameters())
    inputs, targets = torch.randint(VOCABULARY, (2, BATCH, TIME))

    def train() -> None:
        loss = summed_loss(model(inputs)[0], targets) / targets.numel()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return train


def generation() -> dict[str, float]:
    """Tokens a second of one text of 256 tokens, with and without the cache."""
    model = TransformerLM(VOCABULARY, WIDTH, LAYERS, HEADS).eval()
    prompt = torch.zeros(1, 1, dtype=torch.long)
    ways = {"cached": True, "not cached": False}
    seconds = in_turns(
        {
            name: lambda cache=cache: greedy(model, prompt, GENERATED, cache=cache)
            for name, cache in ways.items()
        },
        3,
    )
    return {name: round(GENERATED / each, 1) for name, each in seconds.items()}


def fine_tuning() -> dict[str, float]:
    """Texts a second of whole fine-tunings on the same batches, in float32."""
    shape = Config(VOCABULARY, WIDTH, LAYERS, HEADS, 4 * WIDTH, TIME)
    examples = [
        Example(torch.randint(5, VOCABULARY, (8 + n % 33,)).tolist(), n % 2)
        for n in range(TEXTS * FINE_TUNING_STEPS)
    ]
    batches = list(finetuning.batches(examples, TEXTS)(0))
    with tempfile.TemporaryDirectory() as folder:
        ours = ForClassification(shape)
        ours.save_pretrained(folder)
        ways = {
            "ours": lambda: train(
                ours, lambda epoch: batches, Recipe(FINE_TUNING_STEPS, every=1000)
            ),
            "transformers.Trainer": trainer(folder, batches),
        }
        seconds = in_turns(ways, 3)
    return {name: round(len(examples) / each, 1) for name, each in seconds.items()}


def trainer(folder: str, batches: list[Batch]) -> Callable[[], None]:
    """Return a function that trains the model in a folder as `transformers` does."""
    from transformers import (
        BertForSequenceClassification,
        Trainer,
        TrainingArguments,
        logging,
    )

    logging.set_verbosity_error()
    model = BertForSequenceClassification.from_pretrained(folder)
    names = ("input_ids", "token_type_ids", "attention_mask", "labels")
    rows = [dict(zip(names, batch, strict=True)) for batch in batches]
    arguments = TrainingArguments(
        folder,
        max_steps=FINE_TUNING_STEPS,
        per_device_train_batch_size=1,  # an item is a batch, the same as ours
        weight_decay=0.01,
        lr_scheduler_type="cosine",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
    )

    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints its metrics
            Trainer(model, arguments, lambda rows: rows[0], rows).train()

    return run


def in_turns(functions: dict[str, Callable], runs: int) -> dict[str, float]:
    """Return each function's median seconds, after a first round."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(runs + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(each[1:]) for name, each in seconds.items()}


def report(ratios: dict[str, float]) -> None:
    """Print the ratios and their targets."""
    print(f"{'':32} measured  target")
    for name, ratio in ratios.items():
        target = TARGETS.get(name)
        wanted = f"≥ {target:g}" if target else ""
        missed = "  MISSED" if target and ratio < target else ""
        print(f"{name:32} {ratio:8.2f}  {wanted}{missed}")


def machine(threads: int) -> dict[str, object]:
    """Where and when this was measured, and with which versions."""
    cores = f"{os.cpu_count()} cores, {threads} threads"
    return {
        "date": date.today().isoformat(),
        "system": f"{platform.system()} {platform.machine()}, {cores}",
        "versions": {
            "python": platform.python_version(),
            "torch": importlib.metadata.version("torch"),
        },
    }


if __name__ == "__main__":
    main()
