"""Find entities: in People's Daily with the course's BERT, in tweets with MiniLM.

    make long NAME=entities

The last tenth of the newspaper's distinct lines is the test, strict F1 of whole
entities the measure: of each word's likeliest tag, and of the likeliest legal row of
tags. The same network from random weights learns for the same steps. Dev chooses a rate
for each, with one seed; then there are three. Tweets are small and hard.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from running import Place, Run, device, fine_tune, main

from lmcourse import corpora, finetuning, pretraining
from lmcourse.bert import Config, ForTokens
from lmcourse.finetuning import entity_counts, entity_kinds, entity_scores, tag_names

CORPORA = {"newspaper": ("peoples_daily_entities", 4), "tweets": ("ner_tweets", 8)}
RATES = {  # name and start → the learning rates that are tried
    ("newspaper", "our BERT"): (3e-4, 6e-4),
    ("newspaper", "random"): (3e-4, 6e-4, 1.2e-3),
    ("tweets", "MiniLM"): (1e-4, 2e-4),
}


@cache
def tagged(name: str, part: str) -> tuple[list[list[str]], list[list[str]]]:
    """Return the words and the tags of a part."""
    lines = getattr(corpora.load(name), part)
    return [line.words for line in lines], [line.tags for line in lines]


def label(
    place: Place, name: str, start: str, learning_rate: float, epochs: float, seed: int
) -> dict[str, Any]:
    """Fine-tune on tagged sentences; strict scores on dev and test."""
    chinese = name == "peoples_daily_entities"
    folder = place.chinese if chinese else place.minilm
    tokenizer = pretraining.read_tokenizer(folder)
    words, tags = map(place.few, tagged(name, "train"))
    names = tag_names(entity_kinds(tagged(name, "train")[1]))
    numbers = {tag: number for number, tag in enumerate(names)}
    rows = [[numbers[tag] for tag in row] for row in tags]
    examples = finetuning.word_examples(words, rows, tokenizer, joined=chinese)
    torch.manual_seed(seed)
    config = Config.read(folder)
    if start == "random":
        model = ForTokens(Config(**{**config.__dict__, "labels": names}))
    else:
        model = ForTokens.from_pretrained(folder, labels=names)
    found = fine_tune(
        model.to(device()),
        examples,
        epochs=1 if place.quick else epochs,
        learning_rate=learning_rate,
        seed=seed,
        size=64 if chinese else 32,
    )
    for part in ("dev", "test"):
        words, truth = map(place.few, tagged(name, part))
        for reading, legal in ((part, False), (f"{part}_legal", True)):
            said = finetuning.label_words(
                model, words, tokenizer, joined=chinese, legal=legal
            )
            found |= scores(reading, truth, said)
    return found


def scores(name: str, truth: list[list[str]], said: list[list[str]]) -> dict[str, Any]:
    """Return strict scores, all together and by kind, with an interval."""
    counts = entity_counts(truth, said)
    all_together = entity_scores(counts)
    pairs = [
        pair
        for rows in zip(truth, said, strict=True)
        for pair in zip(*rows, strict=True)
    ]
    low, high = finetuning.bootstrap(
        counts, lambda rows: entity_scores(rows).f1, resamples=500
    )
    return {
        name: all_together.f1,
        f"{name}_precision": all_together.precision,
        f"{name}_recall": all_together.recall,
        f"{name}_interval": [low, high],
        f"{name}_accuracy": float(np.mean([a == b for a, b in pairs])),
        f"{name}_by_kind": {
            kind: entity_scores(
                entity_counts(only(truth, kind), only(said, kind))
            )._asdict()
            for kind in entity_kinds(truth)
        },
    }


def only(rows: list[list[str]], kind: str) -> list[list[str]]:
    """Return tags with one kind of entity, the others as ``O``."""
    return [[tag if tag[2:] == kind else "O" for tag in row] for row in rows]


def tries(done: dict[str, Any]) -> list[Run]:
    """Return one seed of every rate, from which dev chooses."""
    return [
        run(name, start, rate, seed=1)
        for (name, start), rates in RATES.items()
        for rate in rates
    ]


def seeds(done: dict[str, Any]) -> list[Run]:
    """Return two more seeds of the rates that dev has chosen."""
    return [
        run(name, start, best(done, name, start), seed)
        for seed in (2, 3)
        for name, start in RATES
    ]


def best(done: dict[str, Any], name: str, start: str) -> float:
    """Return the rate whose first seed has the highest F1 on dev."""
    keys = {rate: run(name, start, rate, seed=1).key for rate in RATES[name, start]}
    on_dev = {rate: done[key]["dev"] for rate, key in keys.items() if key in done}
    return max(on_dev, key=on_dev.get, default=RATES[name, start][0])


def run(name: str, start: str, rate: float, seed: int) -> Run:
    """Return one training."""
    corpus, epochs = CORPORA[name]
    return Run(
        f"{name}, {start}, rate {rate:g}, seed {seed}",
        label,
        {
            "name": corpus,
            "start": start,
            "learning_rate": rate,
            "epochs": epochs,
            "seed": seed,
        },
    )


if __name__ == "__main__":
    main("entities", __doc__, [tries, seeds])
