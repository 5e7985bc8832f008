"""One training loop for the whole course, on Hugging Face Accelerate.

The same call trains on a CPU, a GPU, several, and several machines (start the script
with `accelerate launch`). A training that is stopped, in whatever way and at whatever
moment, goes on from its last checkpoint when it is called again, and on a CPU it ends
with the same weights, bit for bit, as if it had never stopped.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from . import checkpoints
from .batches import IGNORED, Batch

State = tuple[Tensor, ...] | None
Loss = Callable[[nn.Module, Batch, State], tuple[Tensor, State]]


@dataclass(frozen=True)
class Recipe:
    """How to train: everything that the resulting weights depend on but the data.

    Attributes:
        steps: how many times the weights change.
        learning_rate: the highest one (see `learning_rate`).
        warmup: the steps in which it rises.
        weight_decay: how much matrices shrink (AdamW, Loshchilov and Hutter 2019).
        clip: the longest gradient; longer ones are scaled down (Pascanu et al. 2013).
        accumulate: the batches that make a step.
        precision: "no" for float32, or "bf16" or "fp16" where that is faster
            (Micikevicius et al. 2018).
        every: the steps between two evaluations, each with a checkpoint.
        patience: stop after so many evaluations without a better one; None never.
        keep: how many checkpoints are kept besides the best.
        seed: for dropout.

    Raises:
        ValueError: a number out of its range.
    """

    steps: int
    learning_rate: float = 1e-3
    warmup: int = 0
    weight_decay: float = 0.01
    clip: float = 1.0
    accumulate: int = 1
    precision: Literal["no", "bf16", "fp16"] = "no"
    every: int = 100
    patience: int | None = None
    keep: int = 2
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "accumulate", "every", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: expected 1 or more")
        for name in ("learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}: expected above 0")
        if not 0 <= self.warmup < self.steps:
            raise ValueError(
                f"warmup is {self.warmup}: expected less than the {self.steps} steps"
            )
        if self.patience is not None and self.patience < 1:
            raise ValueError(
                f"patience is {self.patience}: expected 1 or more, or None"
            )


@dataclass(frozen=True)
class Progress:
    """What an evaluation found.

    Attributes:
        step: how many steps were taken.
        tokens: how many predictions were trained on.
        seconds: how long that took, without evaluations and checkpoints.
        learning_rate: that of the last step.
        loss: the mean loss of a prediction since the evaluation before.
        dev: what `dev` returned; None without it.
    """

    step: int
    tokens: int
    seconds: float
    learning_rate: float
    loss: float
    dev: float | None


class BadLoss(ArithmeticError):
    """The loss or its gradient is infinite or not a number; the weights are intact."""


def learning_rate(step: int, recipe: Recipe) -> float:
    """Return the learning rate of a step, counted from 0.

    It rises in a straight line for `warmup` steps, which keeps Adam's first, badly
    estimated steps short (Vaswani et al. 2017), then falls to 0 along half a cosine
    (Loshchilov and Hutter 2017).
    """
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / (recipe.steps - recipe.warmup)
    return recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2


def summed_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy summed over all targets but `IGNORED`, in nats.

    Args:
        logits: (…, classes).
        targets: (…).
    """
    return functional.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def each_alone(model: nn.Module, batch: Batch, state: State) -> tuple[Tensor, State]:
    """Return the summed loss of a batch that has nothing to do with the one before."""
    *inputs, targets = batch
    logits, _ = model(*inputs)  # (…, classes)
    return summed_loss(logits, targets), None


def carry_state(model: nn.Module, batch: Batch, state: State) -> tuple[Tensor, State]:
    """Return the summed loss of a batch that goes on where the last one stopped.

    The state is carried over and its history is cut off: truncated back-propagation
    through time (Williams and Peng 1990). Goes with `batches.rows`.
    """
    *inputs, targets = batch
    logits, state = model(*inputs, state)  # (…, classes)
    return summed_loss(logits, targets), tuple(part.detach() for part in state)


def train(
    model: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    recipe: Recipe,
    *,
    dev: Callable[[nn.Module], float] | None = None,
    loss: Loss = each_alone,
    scale: Callable[[str], float] | None = None,
    folder: str | Path | None = None,
    log: str | Path | None = None,
) -> list[Progress]:
    """Train a model in place, and go on where a stopped training stopped.

    With `dev` it ends with the weights that were best there, else with the last.

    Args:
        model: returns logits and a state, unless `loss` knows better.
        batches: epoch number → its batches, which depend on that number alone. The
            last tensor of a batch says what to predict.
        recipe: how to train.
        dev: model → a number, such as its perplexity on the dev part; less is better.
        loss: `each_alone`, `carry_state`, or a function like them.
        scale: a weight's name → what its learning rate is multiplied by, above 0; None
            gives all weights the same rate.
        folder: where checkpoints are written and looked for; None for none. Data,
            `loss` and `dev` are taken to be those of the training that it holds.
        log: where TensorBoard finds its curves; None for none.

    Returns:
        One entry for each evaluation.

    Raises:
        ValueError: `patience` without `dev`, no batches, a scale that is not above 0,
            or a folder that holds the training of another model, recipe or scale,
            or one in which other weights learn, or a damaged one.
        FileNotFoundError: the folder has lost its best checkpoint.
        BadLoss: the loss is not a number; names the step, the batch and the rate.
    """
    if recipe.patience is not None and dev is None:
        raise ValueError("patience needs `dev`: give a function model → perplexity")
    place = folder and Path(folder)
    run = _Training(model, batches, recipe, dev, loss, scale, place)
    try:
        run.resume()
        with _curves(log if run.main else None, run.step) as curves:
            run.run(curves)
    finally:
        run.accelerator.unwrap_model(run.model, keep_fp32_wrapper=False)
        model.eval()
    return run.history


class _Training:
    """A training on its way: all that a checkpoint has to remember."""

    def __init__(
        self,
        model: nn.Module,
        batches: Callable[[int], Iterable[Batch]],
        recipe: Recipe,
        dev: Callable[[nn.Module], float] | None,
        loss: Loss,
        scale: Callable[[str], float] | None,
        folder: Path | None,
    ) -> None:
        # Accelerate allows one precision a process; a notebook may train with two.
        AcceleratorState._reset_state()
        self.accelerator = Accelerator(mixed_precision=recipe.precision)
        self.main = self.accelerator.is_main_process
        self.rank = self.accelerator.process_index
        torch.manual_seed(recipe.seed + self.rank)
        self.plain = model
        self.factors = _factors(model, scale)
        named = model.named_parameters()
        self.learning = [name for name, weight in named if weight.requires_grad]
        groups = _groups(model, recipe.weight_decay, self.factors)
        self.model, self.optimizer = self.accelerator.prepare(
            model, torch.optim.AdamW(groups)
        )
        self.optimizer.zero_grad()  # whatever the model was used for before
        self.batches, self.recipe, self.dev, self.loss = batches, recipe, dev, loss
        self.folder = folder
        self.step = self.epoch = self.index = self.tokens = 0
        self.seconds = 0.0
        self.state: State = None
        self.history: list[Progress] = []
        self.best_weights: dict[str, Tensor] | None = None

    # ------------------------------------------------------------ learning

    def run(self, curves: Any) -> None:
        """Learn until the steps, or the patience, are used up."""
        source = _from(self.batches, self.epoch, self.index)
        losses: list[tuple[float, int]] = []  # since the last evaluation
        self.model.train()
        with self.bar() as bar:
            while self.step < self.recipe.steps and not self.gave_up():
                started = time.perf_counter()
                losses.append(self.learn(list(islice(source, self.recipe.accumulate))))
                self.seconds += time.perf_counter() - started
                loss, count = losses[-1]
                self.tokens += count
                speed = f"{self.tokens / self.seconds:,.0f}"
                shown = {"loss": f"{loss / count:.3f}", "tokens/s": speed}
                bar.set_postfix(shown, refresh=False)
                bar.update()
                if self.step % self.recipe.every == 0 or self.step == self.recipe.steps:
                    self.evaluate(losses)
                    self.save()
                    self.draw(curves)
                    losses = []
        if self.best_weights is not None:
            self.plain.load_state_dict(self.best_weights)

    def bar(self) -> tqdm:
        """Return the progress bar, which vanishes when it is full."""
        return tqdm(
            total=self.recipe.steps,
            initial=self.step,
            desc="training",
            unit="step",
            leave=False,
            disable=not self.main,
        )

    def learn(self, read: list[tuple[int, int, Batch]]) -> tuple[float, int]:
        """Take one step; return the summed loss and the number of predictions."""
        rate = learning_rate(self.step, self.recipe)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        count = sum(int((batch[-1] != IGNORED).sum()) for _, _, batch in read)
        share = self.accelerator.num_processes / max(count, 1)  # gradients are averaged
        total = torch.zeros((), device=self.accelerator.device)
        for number, (self.epoch, self.index, batch) in enumerate(read, 1):
            if self.index == 0:
                self.state = None
            with self.wait_with_gradients(last=number == len(read)):
                loss, self.state = self.loss(self.model, self.own(batch), self.state)
                self.accelerator.backward(loss * share)
            total += loss.detach()
        loss = float(self.accelerator.reduce(total, "sum"))
        norm = self.accelerator.clip_grad_norm_(
            self.model.parameters(), self.recipe.clip
        )
        self.check(loss, float(norm), count, rate)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step, self.index = self.step + 1, self.index + 1
        return loss, count

    def own(self, batch: Batch) -> Batch:
        """Return this process's rows of a batch, on its device."""
        if len(batch[-1]) < self.accelerator.num_processes:
            raise ValueError(
                f"a batch of {len(batch[-1])} cannot be shared by "
                f"{self.accelerator.num_processes} processes: make batches larger"
            )
        mine = slice(self.rank, None, self.accelerator.num_processes)
        return tuple(part[mine].to(self.accelerator.device) for part in batch)

    def wait_with_gradients(self, last: bool) -> Any:
        """Let processes exchange gradients after the last batch of a step alone."""
        return nullcontext() if last else self.accelerator.no_sync(self.model)

    def check(self, loss: float, norm: float, count: int, rate: float) -> None:
        """Raise unless the loss and the gradient's norm are numbers."""
        one = self.recipe.accumulate == 1
        which = "batch" if one else f"the {self.recipe.accumulate} batches up to"
        where = f"at step {self.step}, {which} {self.index} of epoch {self.epoch}"
        if count == 0:
            raise ValueError(
                f"{where}: there is nothing to predict; make batches larger, or leave "
                "out those that ask for nothing"
            )
        # In fp16 Accelerate's scaler meets infinite gradients and skips the step.
        if math.isfinite(loss) and (self.scaler or math.isfinite(norm)):
            return
        bad = f"gradient's norm is {norm}" if math.isfinite(loss) else f"loss is {loss}"
        raise BadLoss(
            f"the {bad} {where}, with a learning rate of {rate:.3g}. Look "
            "there; if nothing is wrong with the data, lower the learning rate or "
            "lengthen the warm-up."
        )

    @property
    def scaler(self) -> Any:
        """What keeps fp16 gradients from vanishing; None in other precisions."""
        return self.accelerator.scaler

    # ------------------------------------------------------------ evaluation

    def evaluate(self, losses: list[tuple[float, int]]) -> None:
        """Add an entry to the history, and keep the weights if they are the best."""
        dev = self.ask_dev() if self.dev else None
        loss, count = map(sum, zip(*losses, strict=True))
        rate = learning_rate(self.step - 1, self.recipe)
        self.history.append(
            Progress(self.step, self.tokens, self.seconds, rate, loss / count, dev)
        )
        if self.best() is self.history[-1]:
            self.keep_best()

    def keep_best(self) -> None:
        """Copy the weights."""
        weights = self.plain.state_dict()
        self.best_weights = {name: weight.clone() for name, weight in weights.items()}

    def draw(self, curves: Any) -> None:
        """Add the last evaluation to TensorBoard's curves, if they are wanted."""
        if curves is not None:
            for name, value in asdict(self.history[-1]).items():
                if value is not None:
                    curves.add_scalar(name, value, self.step)

    def ask_dev(self) -> float:
        """Return what `dev` says, the same in every process."""
        self.model.eval()
        with torch.no_grad():
            value = float(self.dev(self.plain))
        self.model.train()
        if self.accelerator.num_processes == 1:
            return value
        rounded = torch.tensor(value, device=self.accelerator.device)
        return float(self.accelerator.reduce(rounded, "mean"))

    def best(self) -> Progress | None:
        """Return the first evaluation with the lowest number, None without `dev`."""
        asked = [row for row in self.history if row.dev is not None]
        asked = [row for row in asked if not math.isnan(row.dev)]
        return min(asked, key=lambda row: row.dev, default=None)

    def gave_up(self) -> bool:
        """Tell whether the last `patience` evaluations brought nothing better."""
        if self.recipe.patience is None or not self.history:
            return False
        best = self.best()
        since = self.history.index(best) + 1 if best else 0
        return len(self.history) - since >= self.recipe.patience

    # ------------------------------------------------------------ checkpoints

    def save(self) -> None:
        """Write a checkpoint; every process takes part, and the main one writes."""
        if self.folder is None:
            return
        tensors = self.tensors()
        if self.main:
            facts = {
                "recipe": asdict(self.recipe),
                "factors": self.factors,
                "learning": self.learning,
                "step": self.step,
                "epoch": self.epoch,
                "index": self.index,
                "tokens": self.tokens,
                "seconds": self.seconds,
                "scaler": self.scaler and self.scaler.state_dict(),
                "history": [asdict(row) for row in self.history],
            }
            best = self.best()
            checkpoints.write(self.folder, self.step, self.plain, tensors, facts)
            checkpoints.prune(self.folder, self.recipe.keep, best and best.step)
        self.accelerator.wait_for_everyone()

    def tensors(self) -> dict[str, Tensor]:
        """Return what AdamW, dropout and the data have come to, by name."""
        found = {
            f"optimizer.{number}.{name}": value
            for number, values in self.optimizer.state_dict()["state"].items()
            for name, value in values.items()
        }
        found["random"] = self.gather(torch.get_rng_state())
        if self.accelerator.device.type == "cuda":
            found["random.cuda"] = self.gather(torch.cuda.get_rng_state())
        for number, part in enumerate(self.state or ()):
            found[f"state.{number}"] = self.gather(part)
        return found

    def gather(self, tensor: Tensor) -> Tensor:
        """Return every process's tensor of the same shape, (processes, …)."""
        every = self.accelerator.gather(tensor.to(self.accelerator.device)[None])
        return every.cpu().contiguous()

    def resume(self) -> None:
        """Take everything up from the newest checkpoint, if there is one."""
        if self.folder is None:
            return
        if self.main:
            checkpoints.clear(self.folder)
        newest = checkpoints.newest(self.folder)
        if newest is None:
            return
        tensors, facts = checkpoints.read(newest)
        if facts["recipe"] != asdict(self.recipe):
            raise ValueError(
                f"{self.folder} holds a training with another recipe: choose another "
                f"folder, delete this one, or take up its recipe, {facts['recipe']}"
            )
        if facts.get("factors") != self.factors:
            raise ValueError(
                f"{self.folder} holds a training with another scale: choose another "
                f"folder, delete this one, or give the same `scale` again"
            )
        self.history = [Progress(**row) for row in facts["history"]]
        best = self.best()
        if best:
            kept = checkpoints.path(self.folder, best.step)
            if not kept.exists():
                raise FileNotFoundError(
                    f"{kept} is gone, and with it the best weights so far: put it "
                    f"back, or delete {self.folder} to train anew"
                )
            self.load(kept)
            self.keep_best()
        self.load(newest)
        if facts.get("learning", self.learning) != self.learning:
            raise ValueError(
                f"{self.folder} holds a training in which other weights learn: choose "
                "another folder, delete this one, or freeze the same ones again"
            )
        self.restore(tensors)
        for name in ("step", "epoch", "index", "tokens", "seconds"):
            setattr(self, name, facts[name])
        if self.scaler:
            self.scaler.load_state_dict(facts["scaler"])

    def load(self, checkpoint: Path) -> None:
        """Load the model's weights."""
        checkpoints.load_weights(self.plain, checkpoint / "model.safetensors")

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Undo `tensors`."""
        state: dict[int, dict[str, Tensor]] = {}
        for key in [key for key in tensors if key.startswith("optimizer.")]:
            _, number, name = key.split(".")
            state.setdefault(int(number), {})[name] = tensors[key]
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        # PyTorch wants a tensor of its own, not a row of a larger one.
        torch.set_rng_state(tensors["random"][self.rank].clone())
        if "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"][self.rank].clone())
        parts = sorted(key for key in tensors if key.startswith("state."))
        mine = (tensors[key][self.rank].to(self.accelerator.device) for key in parts)
        self.state = tuple(mine) or None


def _factors(
    model: nn.Module, scale: Callable[[str], float] | None
) -> dict[str, float] | None:
    """Return what each weight's rate is multiplied by; None without a scale."""
    if scale is None:
        return None
    factors = {name: float(scale(name)) for name, _ in model.named_parameters()}
    for name, factor in factors.items():
        if not 0 < factor < math.inf:
            raise ValueError(
                f"scale({name!r}) is {factor}: expected above 0; to keep a weight as "
                "it is, set its requires_grad to False"
            )
    return factors


def _groups(
    model: nn.Module, weight_decay: float, factors: dict[str, float] | None
) -> list[dict[str, Any]]:
    """Return AdamW's groups: matrices decay; biases and norms stay free."""
    by_factor: dict[float, list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            factor = factors[name] if factors else 1.0
            by_factor.setdefault(factor, []).append(weight)
    groups = []
    for factor, weights in by_factor.items():
        matrices = [weight for weight in weights if weight.ndim > 1]
        others = [weight for weight in weights if weight.ndim < 2]
        for part, decay in ((matrices, weight_decay), (others, 0.0)):
            groups.append({"params": part, "weight_decay": decay, "factor": factor})
    return groups


def _from(
    batches: Callable[[int], Iterable[Batch]], epoch: int, index: int
) -> Iterator[tuple[int, int, Batch]]:
    """Yield epoch, index and batch without end, from one place in the data on."""
    while True:
        batch = None
        for number, batch in enumerate(batches(epoch)):
            if number >= index:
                yield epoch, number, batch
        if batch is None:
            raise ValueError(
                f"epoch {epoch} has no batches: look at `batches({epoch})`"
            )
        epoch, index = epoch + 1, 0


def _curves(folder: str | Path | None, step: int) -> Any:
    """Return TensorBoard's writer, or a context that holds None."""
    if folder is None:
        return nullcontext()
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ModuleNotFoundError(
            "`log` needs TensorBoard: pip install tensorboard"
        ) from error
    # What a stopped training logged after its checkpoint is dropped.
    return SummaryWriter(str(folder), purge_step=step + 1)
