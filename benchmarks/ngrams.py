"""Measure the N-gram engine beside nltk, kenlm, knlm and `collections.Counter`.

All in one run, in CPU seconds (every tool uses one thread) and mostly as ratios,
because a shared machine is twice as slow at one time as at another. Prints a table
with targets and stores it as JSON. nltk and kenlm come with the test extra; knlm is
measured if it is installed.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

from lmcourse.ngrams import ModifiedKneserNey, Text, write_arpa

RESULTS = Path(__file__).parents[1] / "data" / "results" / "bench_ngrams.json"
ENGLISH = (
    "king_james_bible",
    "war_and_peace",
    "sherlock_holmes",
    "us_history",
    "shakespeare",
    "botchan",
)
MILLION = 1_000_000
MEGABYTE = 1e6


def main() -> None:
    """Run everything: about four minutes, most of them nltk's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tokens", type=float, default=10, help="largest text, in millions (10)"
    )
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--child", nargs=2, metavar=("FILE", "ORDER"), help="internal")
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(train_file(arguments.child[0], int(arguments.child[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            "machine": machine(),
            "king_james_bible_order_3": beside_others(Path(folder)),
            "growth_order_3": growth(Path(folder), arguments.tokens * MILLION),
        }
    report(figures)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    temporary = arguments.output.with_suffix(".part")
    temporary.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    temporary.replace(arguments.output)
    print(f"stored in {arguments.output}")


def beside_others(folder: Path) -> dict[str, float | None]:
    """CPU seconds of training, microseconds a token of scoring, for every tool."""
    training, test = king_james_bible()
    path = folder / "training.txt"
    path.write_text("".join(" ".join(s) + "\n" for s in training), "utf-8")
    words = [word for sentence in training for word in sentence]
    text = Text.from_file(path)
    model = ModifiedKneserNey(3).fit(text)
    tokens = sum(len(sentence) + 1 for sentence in test)
    encoded = model.encode(test)

    found: dict[str, float | None] = {
        "counter_s": median(lambda: count_trigrams(words)),
        "read_s": median(lambda: Text.from_file(path)),
        "train_s": median(lambda: ModifiedKneserNey(3).fit(text)),
        "read_and_train_s": median(
            lambda: ModifiedKneserNey(3).fit(Text.from_file(path))
        ),
        "score_us": median(lambda: model.score(encoded)) / tokens * MILLION,
        "read_and_score_us": median(lambda: model.score(test)) / tokens * MILLION,
        "peak_mb": child(path, 3)["peak_mb"],
        **kenlm_figures(model, test, tokens, folder),
        **knlm_figures(training),
        **nltk_figures(training, test),
    }
    return found


def king_james_bible() -> tuple[list[list[str]], list[list[str]]]:
    """Training and test sentences, types seen once in training as ``<unk>``."""
    from lmcourse import corpora
    from lmcourse.text import Vocabulary

    verses = corpora.load("king_james_bible").items
    training = [verse for i, verse in enumerate(verses) if i % 10 != 9]
    vocabulary = Vocabulary(training, min_count=2)
    mapped = [vocabulary.replace_unknown(verse) for verse in verses]
    return [v for i, v in enumerate(mapped) if i % 10 != 9], mapped[9::10]


def count_trigrams(words: list[str]) -> Counter:
    """What most people would write first."""
    return Counter(zip(words, words[1:], words[2:], strict=False))


def kenlm_figures(
    model: ModifiedKneserNey, test: list[list[str]], tokens: int, folder: Path
) -> dict[str, float]:
    import kenlm

    write_arpa(model, folder / "model.arpa")
    other = kenlm.Model(str(folder / "model.arpa"))
    lines = [" ".join(sentence) for sentence in test]
    seconds = median(lambda: [other.score(line) for line in lines])
    return {"kenlm_score_us": seconds / tokens * MILLION}


def knlm_figures(training: list[list[str]]) -> dict[str, float | None]:
    try:
        import knlm
    except ImportError:
        return {"knlm_train_s": None}

    def train() -> None:
        model = knlm.KneserNey(3, 4)
        for sentence in training:
            model.train(sentence)
        model.optimize()

    return {"knlm_train_s": median(train, runs=3)}


def nltk_figures(
    training: list[list[str]], test: list[list[str]]
) -> dict[str, float | None]:
    """One fit, and the score of a few sentences: more would take hours."""
    from nltk.lm import KneserNeyInterpolated, WittenBellInterpolated
    from nltk.lm.preprocessing import pad_both_ends, padded_everygram_pipeline
    from nltk.util import everygrams

    def fit(model):
        ngrams, words = padded_everygram_pipeline(3, training)
        model.fit(ngrams, words)
        return model

    def trigrams(sentences):
        padded = [list(pad_both_ends(s, n=3)) for s in sentences]
        return [g for p in padded for g in everygrams(p, min_len=3, max_len=3)]

    start = time.process_time()
    kneser_ney = fit(KneserNeyInterpolated(3))
    fit_seconds = time.process_time() - start
    witten_bell = WittenBellInterpolated(3, counter=kneser_ney.counts)
    witten_bell.vocab = kneser_ney.vocab
    found = {"nltk_fit_s": fit_seconds}
    for name, model, grams in (
        ("nltk_witten_bell_score_us", witten_bell, trigrams(test[:100])),
        ("nltk_kneser_ney_score_us", kneser_ney, trigrams(test[:1])[:20]),
    ):
        start = time.process_time()
        for gram in grams:
            model.score(gram[-1], gram[:-1])
        found[name] = (time.process_time() - start) / len(grams) * MILLION
    return found


def growth(folder: Path, most: float) -> dict[str, object]:
    """CPU seconds of training and peak memory from 0.1 million tokens up.

    All English corpora of the catalogue, and after their end sentences sampled from
    their own 5-gram model.
    """
    from lmcourse import corpora

    real = [sentence for name in ENGLISH for sentence in corpora.load(name)]
    sentences, tokens = list(real), sum(len(s) + 1 for s in real)
    model = ModifiedKneserNey(5).fit(real)
    seed = 0
    while tokens < most:
        more = [s for s in model.sample(20_000, seed=seed) if s]
        sentences += more
        tokens += sum(len(s) + 1 for s in more)
        seed += 1
    ends = np.cumsum([len(sentence) + 1 for sentence in sentences])
    rows = []
    for millions in (0.1, 0.2, 0.5, 1, 2, 5, 10):
        if millions * MILLION > most:
            break
        last = int(np.searchsorted(ends, millions * MILLION)) + 1
        path = folder / "growing.txt"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(" ".join(s) + "\n" for s in sentences[:last])
        rows.append({"million_tokens": millions, **child(path, 3)})
        print(rows[-1], flush=True)
    train = [row["train_cpu_s"] for row in rows]
    both = [row["read_cpu_s"] + row["train_cpu_s"] for row in rows]
    return {
        "million_tokens_real": round(sum(len(s) + 1 for s in real) / MILLION, 2),
        "rows": rows,
        "exponent_read_and_train": exponent(rows, both),
        "exponent_train": exponent(rows, train),
    }


def exponent(rows: list[dict[str, float]], seconds: list[float]) -> float:
    """Return the slope of log seconds over log tokens, by least squares."""
    tokens = [row["million_tokens"] for row in rows]
    return float(np.polyfit(np.log(tokens), np.log(seconds), 1)[0])


def child(path: Path, order: int) -> dict[str, float]:
    """Train in a process of its own, which knows its peak memory and CPU seconds."""
    command = [sys.executable, __file__, "--child", str(path), str(order)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def train_file(path: str, order: int) -> dict[str, float]:
    """Read a file, train three times, and return the seconds and the peak memory."""
    start = time.process_time()
    text = Text.from_file(path)
    read = time.process_time() - start
    ngrams = len(ModifiedKneserNey(order).fit(text).levels[-1])
    peak = peak_memory()
    cpu = []
    for _ in range(3):
        start = time.process_time()
        ModifiedKneserNey(order).fit(text)
        cpu.append(time.process_time() - start)
    return {
        "read_cpu_s": round(read, 3),
        "train_cpu_s": round(statistics.median(cpu), 4),
        "peak_mb": round(peak / MEGABYTE, 1),
        "ngrams": ngrams,
    }


def peak_memory() -> int:
    """Return the most bytes that this process ever held."""
    status = Path("/proc/self/status")  # where it exists: free of the parent's peak
    if status.exists():
        (line,) = [x for x in status.read_text().splitlines() if "VmHWM" in x]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes


def median(function: Callable[[], object], runs: int = 7) -> float:
    """Return the median of the CPU seconds that some calls take, after a first one."""
    function()
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def report(figures: dict) -> None:
    """Print the figures that have a target."""
    bible, growing = figures["king_james_bible_order_3"], figures["growth_order_3"]
    largest = growing["rows"][-1]
    rows = [
        (
            "training, nltk's fit / ours",
            bible["nltk_fit_s"] / bible["train_s"],
            ">",
            40,
        ),
        (
            "read and train / Counter of the trigrams",
            bible["read_and_train_s"] / bible["counter_s"],
            "<",
            0.4 / 0.3,
        ),
        ("scoring, µs a token", bible["score_us"], "<", 0.5),
        (
            "scoring, ours / kenlm's .score",
            bible["score_us"] / bible["kenlm_score_us"],
            "",
            None,
        ),
        (
            "scoring, nltk's Witten-Bell / ours",
            bible["nltk_witten_bell_score_us"] / bible["score_us"],
            "",
            None,
        ),
        ("peak memory, MB", bible["peak_mb"], "<", 160),
        ("exponent, read and train", growing["exponent_read_and_train"], "<", 1.15),
        ("exponent, training alone", growing["exponent_train"], "<", 1.15),
        (
            f"peak memory at {largest['million_tokens']} M tokens, MB",
            largest["peak_mb"],
            "<",
            2500,
        ),
    ]
    if bible["knlm_train_s"] is None:
        print("knlm is not installed: no comparison with it")
    else:
        ratio = bible["knlm_train_s"] / bible["train_s"]
        rows.insert(1, ("training, knlm / ours", ratio, ">", 1))
    print(f"\n{'King James Bible, order 3':42} {'measured':>9}  target")
    for name, value, sign, target in rows:
        wanted = f"{sign} {target:g}" if target else ""
        missed = (sign == "<" and value >= target) or (sign == ">" and value <= target)
        print(f"{name:42} {value:9.3g}  {wanted}{'  MISSED' if missed else ''}")


def machine() -> dict[str, object]:
    """Where and when this was measured, and with which versions."""
    packages = ("numpy", "nltk", "kenlm", "knlm")
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "date": date.today().isoformat(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions,
    }


if __name__ == "__main__":
    main()
