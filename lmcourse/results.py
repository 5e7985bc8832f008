"""Numbers that take longer than a notebook may: run once by a long recipe, and stored.

A long recipe is a script in `recipes/`; `make long NAME=…` runs it, and each of its
runs ends up in `data/results/NAME.json` with where, when and with which versions it was
obtained. Notebooks plot these numbers, and say that they are stored.
"""

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any


def load(name: str) -> dict[str, dict[str, Any]]:
    """Return the stored runs of a long recipe by their keys.

    Each holds what the recipe stored, and under "about" where it comes from (`about`).

    Raises:
        FileNotFoundError: nothing is stored under this name; says how to make it.
    """
    try:
        return json.loads(_path(name).read_text("utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no results are stored as {name!r}. Next step: make long NAME={name}"
        ) from None


def store(name: str, key: str, minutes: float, values: dict[str, Any]) -> None:
    """Add one run to the stored ones, or replace the run with the same key.

    The file is replaced in one go: a killed recipe loses no earlier run. Recipes that
    run side by side wait for each other.

    Args:
        name: of the recipe.
        key: of the run, such as "lstm, seed 1".
        minutes: how long the run took.
        values: what it found; JSON.
    """
    with _alone(_path(name).parent):
        runs = load(name) if _path(name).exists() else {}
        runs[key] = {"about": about(minutes), **values}
        ordered = dict(sorted(runs.items()))
        part = _path(name).with_suffix(".part")
        part.write_text(
            json.dumps(ordered, ensure_ascii=False, indent=1) + "\n", "utf-8"
        )
        part.replace(_path(name))


def about(minutes: float) -> dict[str, Any]:
    """Return where, when and with what a run is made: machine, device, versions."""
    import torch

    cuda = torch.cuda.is_available()
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    return {
        "date": date.today().isoformat(),
        "device": torch.cuda.get_device_name() if cuda else f"CPU, {threads}",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": version("torch"),
        "minutes": round(minutes, 2),
    }


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time change what is in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _path(name: str) -> Path:
    return Path(str(files("lmcourse.data"))) / "results" / f"{name}.json"
