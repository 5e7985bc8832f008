"""Fine-tune on reviews: films in English, products in Chinese, with intervals.

    make long NAME=sentiment

MiniLM learns the film reviews: learning rate and epochs are chosen on dev, then five
seeds; with fewer labels, with frozen layers, and from random weights; each of the five
also reads tweets, products and editorials. The course's Chinese BERT learns the Chinese
reviews, beside the same network from random weights. Naive Bayes and logistic
regression, on words and pairs of words, stand beside them. Test parts are read once for
each run, and nothing is chosen on them.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from running import Place, Run, as_text, device, fine_tune, main, right

from lmcourse import corpora, finetuning, pretraining
from lmcourse.bert import Config, ForClassification

RATES, EPOCHS = (3e-5, 6e-5, 1.2e-4), (2, 4)
LABELS = (100, 300, 1000, 3000)
DOMAINS = ("tweets", "products", "editorials")
CHINESE_RATES, CHINESE_EPOCHS, CHINESE_SIZE = (3e-4, 6e-4), 3, 64
LEAST_STEPS = 60  # with few labels: more epochs, or nothing is learnt


@cache
def rated(name: str, part: str) -> tuple[list[str], list[int]]:
    """Return the texts of a part that have a label, and the labels."""
    corpus = corpora.load(name)
    items = corpus if part == "all" else getattr(corpus, part)
    items = [item for item in items if item.label is not None]
    return [item.text for item in items], [item.label for item in items]


def examples(place: Place, name: str, part: str, folder: Any) -> list:
    """Return the examples of a part, as the BERT in a folder reads them."""
    texts, labels = map(place.few, rated(name, part))
    tokenizer = pretraining.read_tokenizer(folder)
    return finetuning.text_examples(texts, labels, tokenizer)


def some_of(items: list, number: int | None, seed: int) -> list:
    """Return that many items, drawn by the seed; all of them for None."""
    if number is None or number >= len(items):
        return items
    chosen = np.random.default_rng(seed).permutation(len(items))[:number]
    return [items[i] for i in chosen]


def new_model(folder: Any, start: str, seed: int) -> ForClassification:
    """Return a classifier from pre-trained or from random weights."""
    torch.manual_seed(seed)
    if start == "random":
        return ForClassification(Config.read(folder)).to(device())
    return ForClassification.from_pretrained(folder).to(device())


def films(
    place: Place,
    learning_rate: float,
    epochs: float,
    seed: int,
    labels: int | None = None,
    start: str = "MiniLM",
    depth: int = 0,
    test: bool = True,
    domains: bool = False,
) -> dict[str, Any]:
    """Fine-tune MiniLM on film reviews; dev, and test where nothing is chosen."""
    model = new_model(place.minilm, start, seed)
    learning = finetuning.freeze(model, depth)
    training = examples(place, "film_reviews", "train", place.minilm)
    training = some_of(training, labels, seed)
    epochs = 1 if place.quick else max(epochs, LEAST_STEPS * 32 / len(training))
    found = fine_tune(
        model, training, epochs=epochs, learning_rate=learning_rate, seed=seed
    )
    found |= {"labels": len(training), "learning": learning}
    found |= measured(place, model, "film_reviews", place.minilm, test)
    if domains:
        for name in DOMAINS:
            held_out = examples(place, name, "all", place.minilm)
            found[f"all_{name}"] = float(right(model, held_out).mean())
    return found


def chinese(
    place: Place, learning_rate: float, seed: int, start: str, labels: int | None = None
) -> dict[str, Any]:
    """Fine-tune the course's BERT on Chinese reviews, or the same from random."""
    model = new_model(place.chinese, start, seed)
    training = examples(place, "chinese_reviews", "train", place.chinese)
    training = some_of(training, labels, seed)
    epochs = 1 if place.quick else CHINESE_EPOCHS
    epochs = max(
        epochs, 0 if place.quick else LEAST_STEPS * CHINESE_SIZE / len(training)
    )
    found = fine_tune(
        model,
        training,
        epochs=epochs,
        learning_rate=learning_rate,
        seed=seed,
        size=CHINESE_SIZE,
    )
    found["labels"] = len(training)
    return found | measured(place, model, "chinese_reviews", place.chinese, True)


def measured(
    place: Place, model: ForClassification, name: str, folder: Any, test: bool
) -> dict[str, Any]:
    """Return accuracies, and for the test part which texts were right."""
    dev = right(model, examples(place, name, "dev", folder))
    found: dict[str, Any] = {"dev": float(dev.mean())}
    if test:
        flags = right(model, examples(place, name, "test", folder))
        found |= {"test": float(flags.mean()), "right": as_text(flags)}
    return found


def counted(
    place: Place, name: str, kind: str, labels: int | None, seed: int
) -> dict[str, Any]:
    """Fit naive Bayes or logistic regression on counts; its strength chosen on dev."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import MultinomialNB

    units = {"analyzer": "char"} if name == "chinese_reviews" else {}
    texts, truth = map(place.few, rated(name, "train"))
    chosen = some_of(list(range(len(texts))), labels, seed)
    texts, truth = [texts[i] for i in chosen], [truth[i] for i in chosen]
    vectorizer = {
        "naive Bayes": CountVectorizer,
        "logistic regression": TfidfVectorizer,
    }
    counts = vectorizer[kind](ngram_range=(1, 2), **units)
    read = counts.fit_transform(texts)
    texts, dev_truth = rated(name, "dev")
    dev_counts = counts.transform(texts)
    best, fitted = None, None
    for strength in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0):
        model = (
            MultinomialNB(alpha=strength)
            if kind == "naive Bayes"
            else LogisticRegression(C=strength, max_iter=1000)
        )
        model.fit(read, truth)
        said = model.predict(dev_counts)
        dev = float((said == np.array(dev_truth)).mean())
        if best is None or dev > best["dev"]:
            best, fitted = {"dev": dev, "strength": strength}, model
    texts, truth = rated(name, "test")
    flags = fitted.predict(counts.transform(texts)) == np.array(truth)
    found = {"labels": read.shape[0], "columns": read.shape[1], **best}
    found |= {"test": float(flags.mean()), "right": as_text(flags)}
    if name == "film_reviews" and labels is None:
        for domain in DOMAINS:
            texts, truth = rated(domain, "all")
            said = fitted.predict(counts.transform(texts))
            found[f"all_{domain}"] = float((said == np.array(truth)).mean())
    return found


# ------------------------------------------------------------ stages


def baselines(done: dict[str, Any]) -> list[Run]:
    """Return what needs no GPU."""
    found = []
    for name in ("film_reviews", "chinese_reviews"):
        for kind in ("naive Bayes", "logistic regression"):
            language = "films" if name == "film_reviews" else "chinese"
            every = {"name": name, "kind": kind}
            arguments = {**every, "labels": None, "seed": 1}
            found.append(Run(f"{language}, {kind}", counted, arguments))
            for labels in LABELS:
                for seed in (1, 2, 3):
                    arguments = {**every, "labels": labels, "seed": seed}
                    key = f"{language}, {kind}, {labels} labels, seed {seed}"
                    found.append(Run(key, counted, arguments))
    return found


def grid(done: dict[str, Any]) -> list[Run]:
    """Return the settings that dev chooses from."""
    return [
        Run(
            f"films, grid, rate {rate:g}, {epochs} epochs",
            films,
            {"learning_rate": rate, "epochs": epochs, "seed": 1, "test": False},
        )
        for epochs in sorted(EPOCHS, reverse=True)  # the longest first
        for rate in RATES
    ]


def best(done: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with the best dev accuracy."""
    tried = [run for key, run in done.items() if key.startswith("films, grid")]
    if not tried:
        return {"learning_rate": RATES[1], "epochs": EPOCHS[0]}
    chosen = max(tried, key=lambda run: run["dev"])
    return {name: chosen[name] for name in ("learning_rate", "epochs")}


def seeds(done: dict[str, Any]) -> list[Run]:
    """Return five seeds of the best settings, then all that stands beside them."""
    chosen = best(done)
    found = [
        Run(
            f"films, all, seed {seed}", films, {**chosen, "seed": seed, "domains": True}
        )
        for seed in range(1, 6)
    ]
    others = {
        "frozen": {"depth": 7, "learning_rate": 1e-3},
        "half frozen": {"depth": 4},
        "random": {"start": "random"},
    }
    for seed in (1, 2, 3):
        for labels in sorted(LABELS, reverse=True):
            key = f"films, {labels} labels, seed {seed}"
            arguments = {**chosen, "seed": seed, "labels": labels}
            found.append(Run(key, films, arguments))
        for kind, changes in others.items():
            arguments = {**chosen, "seed": seed, **changes}
            found.append(Run(f"films, {kind}, seed {seed}", films, arguments))
    return found


def reviews(done: dict[str, Any]) -> list[Run]:
    """Return the runs in Chinese, from our BERT and from random weights."""
    every = [
        (rate, seed, start, None)
        for rate in CHINESE_RATES
        for seed in (1, 2, 3)
        for start in ("our BERT", "random")
    ]
    few = [
        (CHINESE_RATES[0], seed, start, labels)
        for labels in (300, 3000)
        for seed in (1, 2, 3)
        for start in ("our BERT", "random")
    ]
    return [
        Run(
            f"chinese, {start}, "
            f"{f'{labels} labels' if labels else 'all'}, rate {rate:g}, seed {seed}",
            chinese,
            {"learning_rate": rate, "seed": seed, "start": start, "labels": labels},
        )
        for rate, seed, start, labels in (*every, *few)
    ]


if __name__ == "__main__":
    main("sentiment", __doc__, [grid, seeds, reviews, baselines])
