"""The command `lmcourse ngram`: perplexity, train, score and generate."""

import argparse
import json
import math
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from .arpa import check_output, read_arpa, write_arpa
from .counts import Counts
from .encoding import Text, read_lines, split_tokens
from .model import BackoffModel
from .pruning import prune_counts, prune_entropy
from .smoothing import SMOOTHERS, JelinekMercer, Smoother

OPTIONS = {  # which smoothers take them
    "k": ("add-k",),
    "discount": ("absolute-discounting", "kneser-ney", "modified-kneser-ney"),
    "weights": ("jelinek-mercer",),
    "held_out": ("jelinek-mercer",),
}


def add_commands(commands: "argparse._SubParsersAction") -> None:
    """Add `ngram` and its four commands to those of `lmcourse`."""
    ngram = commands.add_parser(
        "ngram",
        help="train, measure and sample N-gram models",
        description="N-gram models of tokenised text, one sentence a line.",
    )
    actions = ngram.add_subparsers(required=True, metavar="ACTION")

    perplexity = actions.add_parser("perplexity", help="train, and measure on a test")
    _add_training(perplexity)
    perplexity.add_argument("--test", required=True, metavar="FILE")
    perplexity.add_argument("--json", action="store_true", help="print JSON")
    perplexity.set_defaults(run=_perplexity)

    train = actions.add_parser("train", help="train, and write an ARPA file")
    _add_training(train)
    train.add_argument("--output", required=True, metavar="MODEL.arpa")
    train.add_argument(
        "--min-counts", type=_integers, metavar="N,N,…", help="prune rarer n-grams"
    )
    train.add_argument(
        "--entropy",
        type=float,
        metavar="THRESHOLD",
        help="prune n-grams that change the perplexity by less, such as 1e-8",
    )
    train.set_defaults(run=_train)

    score = actions.add_parser("score", help="show how a model sees each word")
    score.add_argument("model", metavar="MODEL.arpa")
    score.add_argument("text", metavar="FILE")
    score.add_argument("--json", action="store_true", help="print JSON, a line each")
    score.set_defaults(run=_score)

    generate = actions.add_parser("generate", help="draw sentences from a model")
    generate.add_argument("model", metavar="MODEL.arpa")
    generate.add_argument("-n", type=int, default=1, help="how many (1)")
    generate.add_argument("--start", default="", help="words to begin with")
    generate.add_argument("--temperature", type=float, default=1.0)
    generate.add_argument("--top-k", type=int)
    generate.add_argument("--top-p", type=float)
    generate.add_argument("--max-tokens", type=int, default=200)
    generate.add_argument("--seed", type=int, default=0)
    generate.set_defaults(run=_generate)


def _add_training(parser: argparse.ArgumentParser) -> None:
    """Add what says which model to train from what."""
    parser.add_argument("--order", type=int, required=True, help="1 to 7")
    parser.add_argument("--smoothing", choices=SMOOTHERS, required=True)
    parser.add_argument("--train", required=True, metavar="FILE")
    parser.add_argument("--characters", action="store_true", help="instead of words")
    parser.add_argument("--k", type=float, help="for add-k (1)")
    parser.add_argument(
        "--discount",
        type=_numbers,
        metavar="D[,D…]",
        help="one, or one for each order; three for modified-kneser-ney",
    )
    parser.add_argument(
        "--weights",
        type=_numbers,
        metavar="L,L,…",
        help="for jelinek-mercer: uniform distribution, unigrams, bigrams …",
    )
    parser.add_argument(
        "--held-out",
        metavar="FILE",
        help="estimates the weights (by default the last tenth of --train)",
    )


def _perplexity(arguments: argparse.Namespace) -> None:
    clock = Clock()
    training, held_out = _texts(arguments)
    test = Text.from_file(arguments.test, training.words, arguments.characters)
    clock.stop("read")
    model = _fit(arguments, training, held_out)
    clock.stop("train")
    scores = model.score(test)
    clock.stop("score")
    perplexity, reason = None, "some token of the test has probability 0"
    try:
        perplexity = model.perplexity(test)
    except ValueError as refusal:
        reason = str(refusal)
    finite = perplexity is not None and math.isfinite(perplexity)
    result = {
        "perplexity": perplexity if finite else None,
        "tokens": len(scores.logprob),
        "oov": scores.oov,
        "discounts": model.discounts,
        "seconds": clock.seconds,
    }
    if isinstance(model, JelinekMercer):
        result["weights"] = model.weights
    if not finite:
        result["reason"] = reason
    if arguments.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:>10}  {value}")


def _train(arguments: argparse.Namespace) -> None:
    check_output(arguments.output)  # before the work
    model: BackoffModel = _fit(arguments, *_texts(arguments))
    if arguments.min_counts:
        model = prune_counts(model, arguments.min_counts)
    if arguments.entropy is not None:
        model = prune_entropy(model, arguments.entropy)
    write_arpa(model, arguments.output)
    sizes = ", ".join(f"{len(level):,}" for level in model.levels)
    print(f"{arguments.output}: n-grams by length: {sizes}")


def _score(arguments: argparse.Namespace) -> None:
    """Print each word with its log10 p and the length of the n-gram that answered."""
    model = read_arpa(arguments.model)
    lines = list(read_lines(arguments.text))
    place = f"{arguments.text}, line"
    scores = model.score(Text.from_lines(lines, model.words, place=place))
    log10 = scores.logprob / math.log(10)
    columns = [column.tolist() for column in (log10, scores.order, scores.known)]
    tokens = zip(*columns, strict=True)
    for line in lines:
        words = (*split_tokens(line.decode()), "</s>")
        rows = [(word, *next(tokens)) for word in words]
        total = sum(row[1] for row in rows)
        if arguments.json:
            names = ("word", "log10", "order", "known")
            each = [dict(zip(names, row, strict=True)) for row in rows]
            print(json.dumps({"log10": total, "words": each}, ensure_ascii=False))
            continue
        print(f"{'log10 p':>9}  order  word")
        for word, log_p, order, known in rows:
            print(f"{log_p:9.4f}  {order:5}  {word}{'' if known else '  (unknown)'}")
        print(f"{total:9.4f}\n")
    print(f"perplexity {scores.perplexity:.4f}", file=sys.stderr)


def _generate(arguments: argparse.Namespace) -> None:
    sentences = read_arpa(arguments.model).sample(
        arguments.n,
        start=split_tokens(arguments.start),
        temperature=arguments.temperature,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
        max_tokens=arguments.max_tokens,
        seed=arguments.seed,
    )
    for sentence in sentences:
        print(" ".join(sentence))


def _texts(arguments: argparse.Namespace) -> tuple[Text, Text | None]:
    """Check the options, and read the training and the held-out text."""
    for option, smoothers in OPTIONS.items():
        given = getattr(arguments, option) is not None
        if given and arguments.smoothing not in smoothers:
            flag = "--" + option.replace("_", "-")
            raise ValueError(f"{flag} is for {', '.join(smoothers)}")
    training = Text.from_file(arguments.train, characters=arguments.characters)
    if arguments.held_out is None:
        return training, None
    return training, Text.from_file(
        arguments.held_out, training.words, arguments.characters
    )


def _fit(
    arguments: argparse.Namespace, training: Text, held_out: Text | None
) -> Smoother:
    """Train the model; what it warns about goes to stderr in one line each."""
    options = {
        name: getattr(arguments, name)
        for name in ("k", "discount", "weights")
        if getattr(arguments, name) is not None
    }
    discount = options.get("discount")
    if discount and len(discount) == 1:
        options["discount"] = discount[0]
    model = SMOOTHERS[arguments.smoothing](arguments.order, **options)
    with _warnings_on_one_line():
        if held_out is not None:
            return model.fit(Counts.of(training, arguments.order), held_out)
        return model.fit(training)


@contextmanager
def _warnings_on_one_line() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        print(f"lmcourse: warning: {warning.message}", file=sys.stderr)


class Clock:
    """Seconds of consecutive steps by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, step: str) -> None:
        """Store the seconds since the step before, or since the start."""
        now = time.perf_counter()
        self.seconds[step] = round(now - self._last, 4)
        self._last = now


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected numbers with commas between them, such as 0.5,1,1.5"
        ) from None


def _integers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected whole numbers with commas between them, such as 1,1,2"
        ) from None
