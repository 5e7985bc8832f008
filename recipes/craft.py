"""One table of the craft: each technique alone, against the same baseline.

    make long NAME=craft

MiniLM on the film reviews, always for the same number of epochs: one thing changes at a
time, three seeds each, six for the baseline. What each costs is measured apart, the
techniques taking turns in one process (the run "cost"), because the trainings share a
machine. All settings were fixed beforehand; nothing was chosen on the test part.
"""

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from running import Place, Run, as_text, device, fine_tune, main
from sentiment import examples, new_model
from torch import nn

from lmcourse import finetuning, pretraining
from lmcourse.batches import IGNORED
from lmcourse.finetuning import Example
from lmcourse.lora import add_lora
from lmcourse.pretraining import Masking
from lmcourse.training import each_alone

RATE, EPOCHS = 6e-5, 2
BASELINE = "baseline"
CHANGES: dict[str, dict[str, Any]] = {
    BASELINE: {},
    "rate / 4": {"learning_rate": RATE / 4},
    "rate × 4": {"learning_rate": 4 * RATE},
    "no warm-up": {"warmup": 0.0},
    "float32": {"precision": "no"},
    "batch of 8": {"size": 8},
    "batch of 128": {"size": 128},
    "batch of 128, rate × 2": {"size": 128, "learning_rate": 2 * RATE},
    "4 batches of 32 a step, rate × 2": {"accumulate": 4, "learning_rate": 2 * RATE},
    "layer rates 0.8": {"decay": 0.8},
    "half frozen": {"depth": 4},
    "LoRA, rank 8": {"lora": 8, "learning_rate": 1e-3},
    "prefix of 16": {"peft": "prefix", "learning_rate": 3e-3},
    "IA3": {"peft": "ia3", "learning_rate": 3e-3},
    "label smoothing 0.1": {"smoothing": 0.1},
    "FGM": {"fgm": 0.5},
    "words masked": {"augment": "mask"},
    "words swapped": {"augment": "swap"},
}
SEEDS = {BASELINE: 6}
SLOW = ("batch of 8", "FGM", "prefix of 16", "IA3")  # last, should time run out


# ------------------------------------------------------------ techniques


class Peft(nn.Module):
    """A model of `transformers` under `peft`, called as the course's models are."""

    def __init__(self, folder: Any, kind: str) -> None:
        super().__init__()
        import peft
        from transformers import BertForSequenceClassification

        plain = BertForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        )
        task = {"task_type": "SEQ_CLS", "modules_to_save": ["classifier", "pooler"]}
        settings = {
            "prefix": lambda: peft.PrefixTuningConfig(num_virtual_tokens=16, **task),
            "ia3": lambda: peft.IA3Config(
                target_modules=["key", "value", "intermediate.dense"],
                feedforward_modules=["intermediate.dense"],
                **task,
            ),
        }
        if kind == "prefix":
            task = {"task_type": "SEQ_CLS"}  # it keeps the classifier by itself
        self.peft = peft.get_peft_model(plain, settings[kind]())

    def forward(
        self, tokens: torch.Tensor, types: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, None]:
        read = {"input_ids": tokens, "attention_mask": mask.long()}
        return self.peft(**read, token_type_ids=types).logits, None


def augmented(
    kind: str, some: list[Example], seed: int, masking: Masking, size: int
) -> Callable:
    """Return batches whose words change in every epoch; a tenth of them.

    "mask" hides them, "swap" exchanges neighbours (Wei and Zou 2019, “EDA: Easy data
    augmentation techniques for boosting performance on text classification tasks”).
    """

    def swapped(tokens: list[int], dice: random.Random) -> list[int]:
        tokens = list(tokens)
        for place in range(1, len(tokens) - 2):
            if dice.random() < 0.1:
                after = tokens[place + 1]
                tokens[place : place + 2] = after, tokens[place]
        return tokens

    def of_epoch(epoch: int) -> Any:
        if kind == "swap":
            dice = random.Random(1000 * seed + epoch)
            now = [Example(swapped(e.tokens, dice), e.label) for e in some]
            yield from finetuning.batches(now, size, seed)(epoch)
            return
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        for tokens, *rest in finetuning.batches(some, size, seed)(epoch):
            read, chosen = masking(tokens, generator)
            yield torch.where(chosen == IGNORED, tokens, read), *rest

    return of_epoch


def prepared(
    place: Place,
    seed: int,
    some: list[Example],
    *,
    decay: float | None = None,
    depth: int = 0,
    lora: int | None = None,
    peft: str | None = None,
    smoothing: float = 0.0,
    fgm: float | None = None,
    augment: str | None = None,
    **options: Any,
) -> tuple[nn.Module, dict[str, Any]]:
    """Return a model and the options of `fine_tune` for a technique."""
    if peft:
        torch.manual_seed(seed)
        model: nn.Module = Peft(place.minilm, peft).to(device())
    else:
        model = new_model(place.minilm, "MiniLM", seed)
    if depth:
        finetuning.freeze(model, depth)
    if lora:
        add_lora(model, lora, learn=("classifier", "bert.pooler"))
    if decay:
        options["scale"] = finetuning.layer_rates(model.config.num_layers, decay)
    if smoothing:
        options["loss"] = finetuning.label_loss(smoothing=smoothing)
    if fgm:
        table = model.bert.embeddings.tokens
        options["loss"] = finetuning.adversarial(each_alone, table, fgm)
    if augment:
        tokenizer = pretraining.read_tokenizer(place.minilm)
        names = [tokenizer.id_to_token(n) for n in range(tokenizer.get_vocab_size())]
        masking = Masking.of(names, share=0.1, masked=1.0, random=0.0)
        size = options.get("size", 32)
        options["batches"] = augmented(augment, some, seed, masking, size)
    return model, {"learning_rate": RATE, "epochs": EPOCHS, "seed": seed, **options}


def learn(place: Place, technique: str, seed: int) -> dict[str, Any]:
    """Fine-tune with one change; keep logits, so that ensembles can be made of them."""
    some = examples(place, "film_reviews", "train", place.minilm)
    model, options = prepared(place, seed, some, **CHANGES[technique])
    if place.quick:
        options["epochs"] = 1
    learning = sum(w.numel() for w in model.parameters() if w.requires_grad)
    found = {**fine_tune(model, some, **options), "learning": learning}
    for part in ("dev", "test"):
        held_out = examples(place, "film_reviews", part, place.minilm)
        logits = np.array(finetuning.predict(model, held_out))  # (texts, 2)
        truth = np.array([example.label for example in held_out])
        flags = logits.argmax(-1) == truth
        found[part] = float(flags.mean())
        if part == "test":
            found["right"] = as_text(flags)
            if technique == BASELINE:
                margin = (logits[:, 1] - logits[:, 0]).round(2)
                found["margins"] = margin.tolist()
    return found


# ------------------------------------------------------------ what it costs


def cost(place: Place, seed: int = 1) -> dict[str, Any]:
    """Return seconds a text and peak memory, the techniques taking turns."""
    some = examples(place, "film_reviews", "train", place.minilm)
    rounds, texts = (1, 32) if place.quick else (4, 640)
    seconds: dict[str, list[float]] = {name: [] for name in CHANGES}
    memory: dict[str, int] = {}
    for _ in range(rounds):
        for technique in CHANGES:
            model, options = prepared(place, seed, some, **CHANGES[technique])
            options |= {"epochs": texts / len(some)}
            start = time.perf_counter()
            found = fine_tune(model, some, **options)
            seconds[technique].append(time.perf_counter() - start)
            memory[technique] = found["peak_memory"]
            del model
    return {
        "texts": texts,
        "median_seconds": {
            k: statistics.median(v[1:] or v) for k, v in seconds.items()
        },
        "peak_memory": memory,
    }


def runs(done: dict[str, Any]) -> list[Run]:
    """Return all runs, the first seed of everything first."""
    order = sorted(CHANGES, key=lambda name: name in SLOW)
    found = [
        Run(f"{name}, seed {seed}", learn, {"technique": name, "seed": seed})
        for seed in range(1, 7)
        for name in order
        if seed <= SEEDS.get(name, 3)
    ]
    place = len(CHANGES) + 1
    return [*found[:place], Run("cost", cost), *found[place:]]


if __name__ == "__main__":
    main("craft", __doc__, [runs])
