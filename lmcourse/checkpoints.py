"""Checkpoints: folders of safetensors and JSON that are there completely or not at all.

``step-00000100/model.safetensors`` holds the weights, for everybody who wants to use
them; ``training.safetensors`` and ``training.json`` hold the rest of what a training
needs to go on. Nothing is pickled: loading a stranger's file runs none of their code.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, nn


def write(
    folder: Path,
    step: int,
    model: nn.Module,
    tensors: dict[str, Tensor],
    facts: dict[str, Any],
) -> None:
    """Write the checkpoint of a step.

    Everything is written under another name, sent to the disk, and then renamed,
    which the file system does in one go.
    """
    part = path(folder, step).with_suffix(".part")
    part.mkdir(parents=True)
    weights = {name: weight.cpu().clone() for name, weight in _own(model).items()}
    safetensors.torch.save_file(weights, part / "model.safetensors")
    safetensors.torch.save_file(tensors, part / "training.safetensors")
    text = json.dumps(facts, indent=2) + "\n"
    (part / "training.json").write_text(text, "utf-8")
    for written in (*part.iterdir(), part):
        _to_disk(written)
    part.rename(path(folder, step))
    _to_disk(folder)


def read(checkpoint: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and facts of a checkpoint, but not the model's weights.

    Raises:
        ValueError: one of its files is damaged.
    """
    file = checkpoint / "training.json"
    try:
        facts = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise _damaged(file, error) from error
    return load_tensors(checkpoint / "training.safetensors"), facts


def path(folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies."""
    return folder / f"step-{step:08}"


def newest(folder: Path) -> Path | None:
    """Return the checkpoint with the most steps, None if there is none."""
    return max(_all(folder), default=None)


def prune(folder: Path, keep: int, best: int | None) -> None:
    """Delete all checkpoints but the newest `keep` and that of the step `best`."""
    for old in sorted(_all(folder))[:-keep]:
        if best is None or old != path(folder, best):
            part = old.with_suffix(".part")  # half deleted, it must not look complete
            old.rename(part)
            shutil.rmtree(part)


def clear(folder: Path) -> None:
    """Make the folder, and delete what a killed training left half done in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in folder.glob("step-*.part"):
        shutil.rmtree(part)


def load_tensors(file: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        return safetensors.torch.load_file(file)
    except safetensors.SafetensorError as error:
        raise _damaged(file, error) from error


def _damaged(file: str | Path, error: Exception) -> ValueError:
    return ValueError(
        f"{file} is damaged ({error}): copy or download it again; if it is part of a "
        "checkpoint, delete its folder, and the training goes on from the one before"
    )


def load_weights(model: nn.Module, file: str | Path) -> None:
    """Load a model's weights from a safetensors file, in place.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds the weights of another model.
    """
    if not Path(file).exists():
        raise FileNotFoundError(
            f"{file} does not exist: give the path of a file model.safetensors"
        )
    weights = load_tensors(file)
    other = f"{file} holds the weights of another model: build the one that it was "
    other += "trained as, or train in another folder. "
    if differing := sorted(weights.keys() ^ _own(model).keys()):
        raise ValueError(f"{other}Only one of them has {', '.join(differing)}.")
    try:
        model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise ValueError(other + str(error)) from error


def _own(model: nn.Module) -> dict[str, Tensor]:
    """Return each weight once, by its first name, wherever else the model uses it.

    safetensors finds such repeats by where they lie in memory, and refuses an LSTM on a
    GPU, whose weights are all views of one long tensor.
    """
    first: dict[int, tuple[str, Tensor]] = {}
    for name, weight in model.state_dict(keep_vars=True).items():
        first.setdefault(id(weight), (name, weight.detach()))
    return dict(first.values())


def _all(folder: Path) -> list[Path]:
    return list(folder.glob("step-" + 8 * "[0-9]"))


def _to_disk(place: Path) -> None:
    """Wait until a file, or the list of names in a folder, has reached the disk."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
