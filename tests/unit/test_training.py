"""The training loop, against one written out, and against kill -9."""

import hashlib
import itertools
import json
import math
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from lmcourse import checkpoints
from lmcourse.batches import IGNORED, rows, running_text, sentence_batch, windows
from lmcourse.recurrent import RecurrentLM
from lmcourse.training import (
    BadLoss,
    Recipe,
    carry_state,
    each_alone,
    learning_rate,
    summed_loss,
    train,
)
from lmcourse.transformer import TransformerLM

VOCABULARY, END = 9, 0
SENTENCES = [[1 + i * j % 8 for j in range(1, 2 + i % 5)] for i in range(40)]
TEXT = running_text(SENTENCES, END)
RECIPE = Recipe(steps=6, learning_rate=0.02, warmup=2, every=2)


def new_model(kind=RecurrentLM, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(5)
    return kind(
        VOCABULARY,
        8,
        2,
        **({"num_heads": 2} if kind is TransformerLM else {}),
        dropout=dropout,
    )


def in_order(epoch: int):
    return rows(TEXT, 4, 5)


def mean_loss(model: nn.Module) -> float:
    total = sum(each_alone(model, batch, None)[0].item() for batch in in_order(0))
    return total / (len(TEXT) - 1)


def same(first: nn.Module, second: nn.Module, tolerance: float = 0.0) -> bool:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return all((a - b).abs().max().item() <= tolerance for a, b in pairs)


# ---------------------------------------------------------------- the loop


def test_the_loop_is_the_one_that_everybody_writes():
    ours, other = new_model(), new_model()
    train(ours, lambda epoch: windows(TEXT, 4, 5, epoch), replace(RECIPE, clip=0.5))

    matrices = [p for p in other.parameters() if p.ndim > 1]
    vectors = [p for p in other.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices}, {"params": vectors, "weight_decay": 0}],
        lr=0.02,
        weight_decay=0.01,
    )
    rise = torch.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=1)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, RECIPE.steps - 2)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], [2])
    forever = (
        batch for epoch in itertools.count() for batch in windows(TEXT, 4, 5, epoch)
    )
    for inputs, targets in itertools.islice(forever, RECIPE.steps):
        logits, _ = other(inputs)
        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        nn.utils.clip_grad_norm_(other.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    assert same(ours, other, 1e-6)
    assert not same(ours, new_model(), 1e-2)


def layers_by_half(name: str) -> float:
    """The second layer learns half as fast as the first, the rest at the full rate."""
    return 0.5 if name.startswith("blocks.1.") else 1.0


def test_a_scale_gives_each_weight_a_rate_of_its_own():
    ours, other = new_model(TransformerLM), new_model(TransformerLM)
    recipe = replace(RECIPE, steps=3, warmup=0)
    train(ours, in_order, recipe, scale=layers_by_half)
    optimizer = torch.optim.AdamW(
        [
            {
                "params": [p],
                "factor": layers_by_half(n),
                "weight_decay": 0.01 * (p.ndim > 1),
            }
            for n, p in other.named_parameters()
        ]
    )
    for step, (inputs, targets) in enumerate(itertools.islice(in_order(0), 3)):
        for group in optimizer.param_groups:
            group["lr"] = group["factor"] * learning_rate(step, recipe)
        logits, _ = other(inputs)
        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        nn.utils.clip_grad_norm_(other.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    assert same(ours, other, 1e-6)
    plain = new_model(TransformerLM)
    train(plain, in_order, recipe)
    assert not same(ours, plain, 1e-3)


def test_a_scale_is_kept_and_must_be_the_same_again(tmp_path):
    recipe = replace(RECIPE, steps=8)
    options = {"scale": layers_by_half, "folder": tmp_path}
    whole, again = new_model(TransformerLM), new_model(TransformerLM)
    train(whole, in_order, recipe, scale=layers_by_half)
    with pytest.raises(KeyboardInterrupt):
        train(new_model(TransformerLM), interrupted, recipe, **options)
    with pytest.raises(ValueError, match="holds a training with another scale"):
        train(new_model(TransformerLM), in_order, recipe, folder=tmp_path)
    train(again, in_order, recipe, **options)
    assert same(whole, again)
    with pytest.raises(ValueError, match=r"scale\('.*'\) is 0\.0: .* requires_grad"):
        train(new_model(), in_order, RECIPE, scale=lambda name: 0)


def test_the_learning_rate_rises_in_a_line_and_falls_along_a_cosine():
    recipe = Recipe(steps=110, learning_rate=2.0, warmup=10)
    rates = [learning_rate(step, recipe) for step in range(110)]
    assert rates[:10] == pytest.approx([0.2 * step for step in range(1, 11)])
    assert rates[10] == 2 and rates[60] == pytest.approx(1)
    assert rates[35] == pytest.approx(1 + math.sqrt(0.5))
    assert 0 < rates[-1] < 0.001


@pytest.mark.parametrize("kind", [RecurrentLM, TransformerLM])
def test_a_text_is_learnt(kind):
    model = new_model(kind)
    recipe = replace(RECIPE, steps=80, every=40, learning_rate=0.05)
    history = train(model, in_order, recipe, dev=mean_loss)
    assert [row.step for row in history] == [40, 80]
    assert history[-1].dev < 0.8 * mean_loss(new_model(kind))
    assert history[-1].dev == pytest.approx(mean_loss(model))
    assert not model.training


def test_accumulated_batches_weigh_as_much_as_what_they_predict():
    """A mean of the batches' means would give short sentences too much weight."""
    short, long = SENTENCES[:2], SENTENCES[3:5]
    apart = [sentence_batch(short, END), sentence_batch(long, END)]
    together = [sentence_batch(short + long, END)]
    first, second = new_model().double(), new_model().double()
    recipe = replace(RECIPE, accumulate=2)
    train(first, lambda epoch: apart, recipe)
    train(second, lambda epoch: together, replace(recipe, accumulate=1))
    assert same(first, second, 1e-9)


def test_state_is_carried_within_an_epoch_and_cut_off_between():
    seen = []

    def spy(model, batch, state):
        seen.append((state is None, state is None or state[0].requires_grad))
        return carry_state(model, batch, state)

    length = len(list(in_order(0)))
    train(new_model(), in_order, replace(RECIPE, steps=2 * length), loss=spy)
    assert seen == 2 * [(True, True), *(length - 1) * [(False, False)]]


def test_ignored_targets_do_not_count():
    logits = torch.randn(2, 3, 5)
    targets = torch.tensor([[1, 2, IGNORED], [3, IGNORED, IGNORED]])
    expected = -logits.log_softmax(-1)[[0, 0, 1], [0, 1, 0], [1, 2, 3]].sum()
    assert summed_loss(logits, targets) == pytest.approx(expected.item())


def test_half_precision_learns_about_the_same_and_leaves_no_trace():
    full, half = new_model(), new_model()
    train(full, in_order, RECIPE)
    train(half, in_order, replace(RECIPE, precision="bf16"))
    assert not same(full, half) and same(full, half, 0.05)
    again = new_model()
    train(again, in_order, RECIPE)
    assert same(full, again)
    logits, _ = half(next(in_order(0))[0])
    exact = new_model()
    exact.load_state_dict(half.state_dict())
    assert torch.equal(logits, exact(next(in_order(0))[0])[0])


# ---------------------------------------------------------------- dev


def test_training_stops_when_patience_ends_and_returns_the_best_weights(tmp_path):
    said = [5.0, 4.0, math.nan, 6.0, 1.0]
    weights = []

    def dev(model):
        weights.append(hash_of(model))
        return said[len(weights) - 1]

    model = new_model()
    recipe = replace(RECIPE, steps=50, patience=2)
    history = train(model, in_order, recipe, dev=dev, folder=tmp_path)
    assert [row.dev for row in history[:2]] == said[:2] and len(history) == 4
    assert hash_of(model) == weights[1] != weights[3]
    # The best checkpoint stays, and so do the last two.
    assert names(tmp_path) == ["step-00000004", "step-00000006", "step-00000008"]
    # A finished training is finished.
    again = new_model()
    finished = train(again, in_order, recipe, dev=dev, folder=tmp_path)
    assert finished[:2] == history[:2] and len(finished) == len(weights) == 4
    assert hash_of(again) == weights[1]


# ---------------------------------------------------------------- bad losses


def test_a_loss_that_is_no_number_stops_with_its_place():
    def loss(model, batch, state):
        total, state = each_alone(model, batch, state)
        return (total * math.nan if len(taken) == 4 else total), state

    taken = []

    def batches(epoch):
        for batch in itertools.islice(in_order(epoch), 3):
            taken.append(hash_of(model))
            yield batch

    model = new_model()
    expected = r"loss is nan at step 3, batch 0 of epoch 1, .* rate of 0.0171\."
    with pytest.raises(BadLoss, match=expected):
        train(model, batches, RECIPE, loss=loss)
    assert hash_of(model) == taken[-1]  # the weights of the step before
    train(model, in_order, RECIPE)
    assert all(weight.isfinite().all() for weight in model.parameters())


def test_a_gradient_that_is_no_number_stops_too():
    def loss(model, batch, state):
        total, state = each_alone(model, batch, state)
        return total + (total - total.detach()).sqrt(), state

    expected = "gradient's norm is nan at step 0, the 3 batches up to 2 of epoch 0"
    with pytest.raises(BadLoss, match=expected):
        train(new_model(), in_order, replace(RECIPE, accumulate=3), loss=loss)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0: expected 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0: expected above 0"),
        ({"clip": math.nan}, "clip is nan"),
        ({"warmup": 6}, "expected less than the 6 steps"),
        ({"patience": 0}, "patience is 0"),
    ],
)
def test_bad_recipes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **options)


def test_other_bad_input_is_refused(tmp_path):
    with pytest.raises(ValueError, match="patience needs `dev`"):
        train(new_model(), in_order, replace(RECIPE, patience=1))
    with pytest.raises(ValueError, match=r"epoch 0 has no batches"):
        train(new_model(), lambda epoch: [], RECIPE)
    nothing = [(torch.zeros(1, 2).long(), torch.full((1, 2), IGNORED))]
    with pytest.raises(ValueError, match="batch 0 of epoch 0: there is nothing to"):
        train(new_model(), lambda epoch: nothing, RECIPE)
    train(new_model(), in_order, RECIPE, folder=tmp_path)
    with pytest.raises(ValueError, match=r"another recipe: .* 'clip': 1\.0"):
        train(new_model(), in_order, replace(RECIPE, clip=2.0), folder=tmp_path)
    with pytest.raises(ValueError, match="weights of another model"):
        train(new_model(TransformerLM), in_order, RECIPE, folder=tmp_path)
    frozen = new_model()
    next(frozen.parameters()).requires_grad_(False)
    with pytest.raises(ValueError, match="in which other weights learn"):
        train(frozen, in_order, RECIPE, folder=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist"):
        checkpoints.load_weights(new_model(), "nowhere")


def test_a_folder_that_cannot_be_is_refused_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        train(
            new_model(), lambda epoch: pytest.fail(), RECIPE, folder=tmp_path / "file"
        )


def test_a_damaged_checkpoint_is_named(tmp_path):
    train(new_model(), in_order, RECIPE, folder=tmp_path)
    file = checkpoints.newest(tmp_path) / "training.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"training\.safetensors is damaged .* delete"):
        train(new_model(), in_order, RECIPE, folder=tmp_path)
    file.with_suffix(".json").write_text("{")
    with pytest.raises(ValueError, match=r"training\.json is damaged .* delete"):
        train(new_model(), in_order, RECIPE, folder=tmp_path)


def test_a_best_checkpoint_that_is_gone_is_missed(tmp_path):
    worse = iter(range(100))
    recipe = replace(RECIPE, every=1, keep=1)
    dev = lambda model: float(next(worse))  # noqa: E731
    train(new_model(), in_order, recipe, dev=dev, folder=tmp_path)
    shutil.rmtree(checkpoints.path(tmp_path, 1))
    with pytest.raises(FileNotFoundError, match=r"step-00000001 is gone.* train anew"):
        train(new_model(), in_order, recipe, dev=dev, folder=tmp_path)


# ---------------------------------------------------------------- TensorBoard


def test_a_log_without_tensorboard_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ModuleNotFoundError, match="pip install tensorboard"):
        train(new_model(), in_order, RECIPE, log=tmp_path)


def test_tensorboard_shows_the_history(tmp_path):
    reading = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    history = train(new_model(), in_order, RECIPE, dev=mean_loss, log=tmp_path)
    events = reading.EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("dev")] == [
        (row.step, pytest.approx(row.dev)) for row in history
    ]


# ---------------------------------------------------------------- kill -9


def hash_of(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for weight in model.state_dict().values():
        digest.update(weight.contiguous().numpy().tobytes())
    return digest.hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Events:
    """Counts what happens, and kills its own process in the middle of one event."""

    def __init__(self, fatal: int | None) -> None:
        self.fatal, self.seen = fatal, 0

    def happens(self, *, during=lambda: None) -> None:
        if self.seen == self.fatal:
            during()
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen += 1

    def watch_files(self) -> None:
        """Die with a file half written, and before and after every renaming."""
        save, write, rename = (
            safetensors.torch.save_file,
            Path.write_text,
            Path.rename,
        )

        def save_file(tensors, path, *arguments, **options):
            save(tensors, path, *arguments, **options)
            self.happens(
                during=lambda: os.truncate(path, Path(path).stat().st_size // 2)
            )

        def write_text(path, text, *arguments, **options):
            self.happens(during=lambda: write(path, text[: len(text) // 2]))
            return write(path, text, *arguments, **options)

        def rename_path(path, target):
            self.happens()
            rename(path, target)
            self.happens()

        safetensors.torch.save_file = save_file
        Path.write_text = write_text
        Path.rename = rename_path


def slower_table(name: str) -> float:
    return 0.5 if "embedding" in name else 1.0


def stoppable(folder: Path, fatal: int | None, steps: int = 6) -> None:
    """Train with everything that has a memory; write down how it ended."""
    torch.set_num_threads(1)
    events = Events(fatal)
    events.watch_files()

    def batches(epoch):
        for batch in itertools.islice(in_order(epoch), 5):
            events.happens()
            yield batch

    model = new_model(dropout=0.3)
    recipe = replace(RECIPE, steps=steps, accumulate=2, keep=1)
    options = {"dev": mean_loss, "loss": carry_state, "scale": slower_table}
    history = train(model, batches, recipe, **options, folder=folder / "kept")
    facts = [(row.step, row.tokens, row.loss, row.dev) for row in history]
    ended = {"weights": hash_of(model), "history": facts, "events": events.seen}
    (folder / "ended.json").open("w").write(json.dumps(ended))


def start(function, *arguments) -> multiprocessing.Process:
    """Start a function in a process of its own, forked from one that knows torch."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lmcourse.training", "torch._dynamo"])
    process = context.Process(target=function, args=arguments)
    process.start()
    return process


def ended(folder: Path) -> dict:
    return json.loads((folder / "ended.json").read_text())


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("never_stopped")
    process = start(stoppable, folder, None)
    process.join()
    assert process.exitcode == 0
    return ended(folder)


def test_killed_anywhere_it_ends_with_the_same_weights(never_stopped, tmp_path):
    """At every batch read, in every file written, around every renaming."""
    assert never_stopped["events"] > 25
    for fatal in range(never_stopped["events"]):
        folder = tmp_path / str(fatal)
        folder.mkdir()
        first = start(stoppable, folder, fatal)
        first.join()
        assert first.exitcode == -signal.SIGKILL
        assert not (folder / "ended.json").exists()
        second = start(stoppable, folder, None)
        second.join()
        found = ended(folder)
        assert found["weights"] == never_stopped["weights"], fatal
        assert found["history"] == never_stopped["history"], fatal
        assert not list((folder / "kept").glob("*.part")), fatal


def test_killed_again_and_again_from_outside_it_ends_the_same(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    start(stoppable, whole, None, 40).join()
    deaths = 0
    for patience in (0.02 * attempt for attempt in itertools.count(1)):
        process = start(stoppable, cut, None, 40)
        while process.is_alive() and not list(cut.glob("kept")):
            time.sleep(0.005)
        process.join(patience)
        process.kill()
        process.join()
        deaths += process.exitcode == -signal.SIGKILL
        if (cut / "ended.json").exists():
            break
    assert deaths > 0
    for key in ("weights", "history"):
        assert ended(cut)[key] == ended(whole)[key]


# ---------------------------------------------------------------- several processes


def one_of_several(folder: Path, rank: int, processes: int, port: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {
        "ACCELERATE_USE_CPU": "yes",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    recipe = replace(RECIPE, accumulate=2)
    options = {"dev": mean_loss, "loss": carry_state, "folder": folder / "kept"}
    with pytest.raises(KeyboardInterrupt):  # as by the reader, in the fourth step
        train(new_model().double(), interrupted, recipe, **options)
    model = new_model().double()
    history = train(model, in_order, recipe, **options)
    assert [row.step for row in history] == [2, 4, 6]
    safetensors.torch.save_model(model, str(folder / f"{rank}.safetensors"))
    torch.distributed.destroy_process_group()


def interrupted(epoch: int):
    yield from itertools.islice(in_order(epoch), 6)
    raise KeyboardInterrupt


def test_two_processes_learn_what_one_learns(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [start(one_of_several, tmp_path, rank, 2, port) for rank in range(2)]
    for process in both:
        process.join()
        assert process.exitcode == 0
    alone = new_model().double()
    recipe = replace(RECIPE, accumulate=2)
    train(alone, in_order, recipe, dev=mean_loss, loss=carry_state)
    for rank in range(2):
        model = new_model().double()
        checkpoints.load_weights(model, tmp_path / f"{rank}.safetensors")
        assert same(model, alone, 1e-9)


def test_weights_that_lie_in_one_tensor_are_kept_apart(tmp_path):
    """On a GPU all weights of an LSTM do."""
    model = nn.Linear(3, 2)
    together = torch.randn(8)
    model.weight = nn.Parameter(together[:6].view(2, 3))
    model.bias = nn.Parameter(together[6:])
    checkpoints.write(tmp_path, 1, model, {}, {})
    other = nn.Linear(3, 2)
    file = checkpoints.path(tmp_path, 1) / "model.safetensors"
    checkpoints.load_weights(other, file)
    assert torch.equal(other.weight, model.weight)
    assert torch.equal(other.bias, model.bias)


def test_a_weight_used_twice_is_stored_once(tmp_path):
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    checkpoints.write(tmp_path, 1, model, {}, {})
    file = checkpoints.path(tmp_path, 1) / "model.safetensors"
    assert "1.weight" not in safetensors.torch.load_file(file)
    with torch.no_grad():
        expected = model[0].weight.clone()
        model[0].weight.zero_()
    checkpoints.load_weights(model, file)
    assert torch.equal(model[1].weight, expected)
