"""Train an English-Chinese translator on the Tatoeba pairs, and score it.

    make long NAME=translation ARGS="--seed 1"
    make long NAME=translation ARGS="--widths"     beams, with the stored weights

Some hours for a seed on two cores, a few minutes on a GPU. A checkpoint is written
every 250 steps, and a second start goes on from the last one. The runs are stored in
data/results/translation.json, the weights of the first seed in data/checkpoints/.
"""

import argparse
import time
from dataclasses import asdict
from pathlib import Path

import platformdirs
import torch
from torch.nn import functional

from lmcourse import corpora, evaluation, results, translation
from lmcourse.batches import IGNORED
from lmcourse.corpora import Pair
from lmcourse.generation import Candidate
from lmcourse.training import Recipe, train
from lmcourse.translation import Languages

MODEL = {"width": 192, "num_layers": 2, "num_heads": 4, "dropout": 0.2}
MIN_COUNT = 4  # of a word or character in training
LONGEST = 60  # characters of a training sentence; a handful are longer
SIZE = 256  # pairs a batch
SMOOTHING = 0.1
TESTED = 1000  # pairs
WIDTHS = (1, 2, 4, 8, 16)
TRIED = 300  # pairs for the widths
PENALTIES = (0.0, 0.5, 1.0)

RECIPE = Recipe(steps=4500, learning_rate=2e-3, warmup=400, every=250, keep=1)
QUICK = Recipe(steps=6, every=3, keep=1)


def main() -> None:
    """Train and score one seed, or try beams of several widths."""
    options = arguments()
    torch.set_float32_matmul_precision("high")  # faster on a GPU; no effect on a CPU
    corpus = corpora.load("tatoeba")
    learn = corpus.train[:2000] if options.quick else corpus.train
    test = translation.held_out(corpus.test, 40 if options.quick else TESTED)
    dev = translation.held_out(corpus.dev, 40 if options.quick else TESTED)
    if options.seed == 1 and not options.widths:
        keep(options, "baselines", 0.0, baselines(learn, test))
    began = time.perf_counter()
    if options.widths:
        key, run = "widths", by_width(options, corpus.train, dev[:TRIED])
    else:
        key, run = f"seed {options.seed}", one_seed(options, learn, dev, test)
    keep(options, key, (time.perf_counter() - began) / 60, run)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--folder",
        type=Path,
        default=platformdirs.user_cache_path("lmcourse") / "recipes" / "translation",
        help="where checkpoints are kept",
    )
    parser.add_argument(
        "--widths",
        action="store_true",
        help="try beams of several widths with the stored translator; three minutes",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few steps, nothing stored: does it run?"
    )
    options = parser.parse_args()
    options.folder = options.folder / ("quick" if options.quick else "full")
    options.folder.mkdir(parents=True, exist_ok=True)
    return options


def one_seed(
    options: argparse.Namespace, learn: list[Pair], dev: list[Pair], test: list[Pair]
) -> dict:
    """Train with a seed; return its curve, its scores and some translations."""
    languages = Languages.of(learn, MIN_COUNT)
    pairs = [p for p in languages.number(learn) if len(p[1]) <= LONGEST]
    numbered_dev = languages.number(dev)
    torch.manual_seed(options.seed)
    model = translation.build(languages, **MODEL)
    recipe = Recipe(
        **{**asdict(QUICK if options.quick else RECIPE), "seed": options.seed}
    )
    history = train(
        model,
        translation.epochs(pairs, languages, 32 if options.quick else SIZE),
        recipe,
        dev=lambda model: translation.loss_per_character(
            model, numbered_dev, languages
        ),
        loss=smoothed,
        folder=options.folder / f"seed-{options.seed}",
    )
    model.half().float()  # what is scored is what is stored
    facts = {
        "model": MODEL,
        "min_count": MIN_COUNT,
        "vocabularies": [len(languages.english), len(languages.chinese)],
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "pairs": len(pairs),
        "recipe": {**asdict(recipe), "size": SIZE, "smoothing": SMOOTHING},
        "seconds": history[-1].seconds,
    }
    if options.seed == 1 and not options.quick:
        about = results.about(history[-1].seconds / 60)
        translation.save(model, {**facts, "about": about})
    curve = [[row.step, row.seconds, row.loss, row.dev] for row in history]
    named = {"columns": ["step", "seconds", "loss", "dev"], "rows": curve}
    return {**facts, "curve": named, **scored(model, languages, dev, test)}


def smoothed(model, batch, state):
    """Return the summed loss against smoothed labels (Szegedy et al. 2016)."""
    *inputs, targets = batch
    logits, _ = model(*inputs)  # (batch, time, vocabulary)
    loss = functional.cross_entropy(
        logits.flatten(0, -2),
        targets.flatten(),
        ignore_index=IGNORED,
        reduction="sum",
        label_smoothing=SMOOTHING,
    )
    return loss, None


def scored(model, languages: Languages, dev: list[Pair], test: list[Pair]) -> dict:
    """Return BLEU and chrF, greedily and with beams, and the first translations."""
    found = {"dev": {}, "test": {}}
    texts = {}
    for part, pairs in (("dev", dev), ("test", test)):
        for beams in (1, 4):
            english = [pair.english for pair in pairs]
            texts = {
                **texts,
                beams: translation.translate(model, english, languages, beams),
            }
            found[part][f"beams {beams}"] = scores(texts[beams], pairs)
    samples = [
        {"english": p.english, "chinese": p.chinese, "greedy": one, "beams 4": four}
        for p, one, four in zip(test, texts[1], texts[4], strict=True)
    ]
    return {**found, "samples": samples[:40]}


def by_width(options: argparse.Namespace, learn: list[Pair], dev: list[Pair]) -> dict:
    """Return scores of the stored translator on dev, by width and length penalty."""
    model, languages, _ = translation.load(learn)
    english = [pair.english for pair in dev]
    found = []
    for beams in WIDTHS[:2] if options.quick else WIDTHS:
        searched = translation.search(model, english, languages, beams, size=50)
        for penalty in PENALTIES:
            texts = [
                languages.write(best_by(candidates, penalty).tokens)
                for candidates in searched
            ]
            row = {"beams": beams, "length_penalty": penalty, **scores(texts, dev)}
            found.append(row)
    return {"pairs": len(dev), "rows": found}


def best_by(candidates: list[Candidate], penalty: float) -> Candidate:
    """Return the candidate that another length penalty would have put first."""
    return max(
        candidates, key=lambda one: one.logprob / (len(one.tokens) + 1) ** penalty
    )


def scores(texts: list[str], pairs: list[Pair]) -> dict:
    """Return BLEU and chrF with their signatures, and how long the texts are."""
    references = [pair.chinese for pair in pairs]
    bleu = evaluation.bleu(texts, references, tokenize="zh")
    chrf = evaluation.chrf(texts, references)
    length = sum(map(len, texts)) / sum(map(len, references))
    return {"bleu": asdict(bleu), "chrf": asdict(chrf), "length": length}


def baselines(learn: list[Pair], test: list[Pair]) -> dict:
    """Return what translations without a network score."""
    english = [pair.english for pair in test]
    found = {
        "copy": translation.copy(english),
        "most frequent": translation.most_frequent(learn, english),
        "word by word": translation.Dictionary(learn).translate(english),
    }
    return {name: scores(texts, test) for name, texts in found.items()}


def keep(options: argparse.Namespace, key: str, minutes: float, values: dict) -> None:
    """Store a run, or show a part of it."""
    if options.quick:
        print(key, {name: values[name] for name in list(values)[-2:]})
    else:
        results.store("translation", key, minutes, values)


if __name__ == "__main__":
    main()
