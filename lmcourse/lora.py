"""LoRA: fine-tune a matrix by learning two thin ones (Hu et al. 2022).

“LoRA: Low-rank adaptation of large language models”. A frozen W turns into
W + (alpha / rank) · B A, where A is (rank, in) and B (out, rank). B starts at zero, so
that training starts from the pre-trained model; at the end the product is added to W,
and the model is as fast as before.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class LoRALinear(nn.Module):
    """A frozen linear map with a learnt change of low rank.

    Args:
        linear: the map; its weights are frozen.
        rank: how many dimensions the change has.
        alpha: how strongly it counts, divided by the rank.
        dropout: the share of the change's inputs that are set to 0 in training.
    """

    def __init__(
        self, linear: nn.Linear, rank: int, alpha: float, dropout: float
    ) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        like = {"device": linear.weight.device, "dtype": linear.weight.dtype}
        self.down = nn.Parameter(torch.empty(rank, linear.in_features, **like))  # A
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank, **like))  # B
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.scaling = alpha / rank
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (…, out) for (…, in)."""
        change = functional.linear(
            functional.linear(self.dropout(x), self.down), self.up
        )
        return self.linear(x) + self.scaling * change  # (…, out)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return the map with its change added in."""
        self.linear.weight += self.scaling * self.up @ self.down  # (out, in)
        return self.linear


def add_lora(
    model: nn.Module,
    rank: int = 8,
    alpha: float = 16,
    targets: Sequence[str] = ("query", "value"),
    learn: Sequence[str] = ("classifier",),
    dropout: float = 0.0,
) -> int:
    """Freeze a model and give its linear maps of some names a change of low rank.

    Args:
        model: changed in place.
        rank, alpha, dropout: see `LoRALinear`.
        targets: the last part of the names of maps that get a change.
        learn: the first part of the names of weights that go on learning as they are:
            a new head; ``bert.pooler`` as well if it was not pre-trained.

    Returns:
        How many numbers learn.

    Raises:
        ValueError: `rank` is below 1, or nothing has such a name.
    """
    if rank < 1:
        raise ValueError(f"rank is {rank}: expected 1 or more")
    for what, names in (("targets", targets), ("learn", learn)):
        if isinstance(names, str):
            raise ValueError(f"{what} is {names!r}: give several names, [{names!r}]")
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in targets
    }
    if not found:
        raise ValueError(f"no linear map of the model is called {' or '.join(targets)}")
    weights = dict(model.named_parameters())
    for start in learn:
        if not any(name.startswith(start) for name in weights):
            raise ValueError(
                f"no weight's name begins with {start!r}: say in `learn` what goes on "
                "learning besides the changes, such as a new head, or give ()"
            )
    for name, weight in weights.items():
        weight.requires_grad_(name.startswith(tuple(learn)))
    for name, linear in found.items():
        _replace(model, name, LoRALinear(linear, rank, alpha, dropout))
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def merge_lora(model: nn.Module) -> None:
    """Add all changes to their matrices, in place.

    The model is a plain one again, and all of its weights learn.
    """
    found = [(n, m) for n, m in model.named_modules() if isinstance(m, LoRALinear)]
    for name, module in found:
        _replace(model, name, module.merged())
    model.requires_grad_(True)


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of that name."""
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
