"""What a notebook does first: choose a profile, fix the seeds, say what to expect."""

import os
import platform
import random
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import TypeVar

import numpy as np

from . import figures
from .syllabus import Notebook, notebook

PROFILES = ("smoke", "cpu", "gpu")
SEED = 1
SHOWN_PACKAGES = ("numpy", "pandas", "matplotlib")
GIB = 2**30

T = TypeVar("T")


@dataclass(frozen=True)
class Course:
    """What a notebook knows about its run: returned by `setup`."""

    notebook: Notebook
    profile: str
    device: str
    seed: int

    def pick(self, *, smoke: T, cpu: T, gpu: T | None = None) -> T:
        """The value for this run's profile; `gpu` falls back to `cpu`."""
        if self.profile == "gpu" and gpu is not None:
            return gpu
        return smoke if self.profile == "smoke" else cpu

    def random(self) -> np.random.Generator:
        """A fresh generator from the course's seed: the same numbers at every call."""
        return np.random.default_rng(self.seed)


def setup(name: str, profile: str | None = None, seed: int = SEED) -> Course:
    """Prepare a notebook and print the preflight table.

    `profile` is "smoke", "cpu" or "gpu"; None takes the environment variable
    LMCOURSE_PROFILE, else "gpu" where the notebook can use one that is here, else
    "cpu". Raises ValueError for an unknown notebook or profile.
    """
    entry = notebook(name)
    device = find_device() if entry.uses_torch else "cpu"
    profile = choose_profile(profile, device)
    set_seed(seed)
    figures.use_style()
    course = Course(entry, profile, device, seed)
    print(preflight(course))
    return course


def choose_profile(profile: str | None, device: str) -> str:
    """The profile asked for, or the one that fits `device`."""
    asked = profile or os.environ.get("LMCOURSE_PROFILE")
    if asked is None:
        return "gpu" if device == "cuda" else "cpu"
    if asked not in PROFILES:
        raise ValueError(
            f"profile {asked!r} is unknown; choose one of {', '.join(PROFILES)}, "
            "or None to let the course choose"
        )
    return asked


def find_device() -> str:
    """ "cuda", "mps" or "cpu": the best device that PyTorch can use here."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and, where it is loaded, PyTorch."""
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def preflight(course: Course) -> str:
    """The table that a set-up cell prints: what runs here, and for how long."""
    rows = {
        "profile": _describe_profile(course.profile),
        "device": _describe_device(course),
        "memory": _describe_memory(course.notebook.memory_gb),
        "time": _describe_minutes(course),
        "seed": str(course.seed),
        "versions": _describe_versions(course.notebook),
    }
    title = f"{course.notebook.number} · {course.notebook.title}"
    lines = [f"{key:<9} {value}" for key, value in rows.items()]
    return "\n".join([title, *lines])


def _describe_profile(profile: str) -> str:
    meaning = {
        "smoke": "a quick test; the numbers differ from the text",
        "cpu": "the numbers in the text are from this profile",
        "gpu": "all data and larger models; the numbers differ from the text",
    }
    return f"{profile} ({meaning[profile]})"


def _describe_device(course: Course) -> str:
    cores = f"{os.cpu_count()} cores"
    if course.device == "cuda":
        import torch

        return f"{torch.cuda.get_device_name()}, {cores}"
    if course.device == "mps":
        return f"Apple GPU, {cores}"
    if not course.notebook.uses_torch:
        return f"CPU, {cores} (this notebook needs no GPU)"
    hint = ""
    if "google.colab" in sys.modules:
        hint = "; for a GPU: Runtime › Change runtime type › T4 GPU"
    return f"CPU, {cores}{hint}"


def _describe_memory(needed_gb: float) -> str:
    import psutil

    free = psutil.virtual_memory().available / GIB
    text = f"{free:.1f} GB free, {needed_gb:g} GB needed"
    if free < needed_gb:
        text += ": too little; close other notebooks (Kernel › Shut Down All Kernels)"
    return text


def _describe_minutes(course: Course) -> str:
    minutes = course.notebook.minutes
    if minutes is None or course.profile != "cpu":
        return "not measured in this profile"
    return "under a minute" if minutes < 1 else f"about {minutes:.0f} min on a laptop"


def _describe_versions(entry: Notebook) -> str:
    tested = tested_versions()
    names = SHOWN_PACKAGES + (("torch",) if entry.uses_torch else ())
    parts = [f"python {platform.python_version()}"]
    for name in names:
        try:
            here = version(name)
        except PackageNotFoundError:
            here = "missing"
        # A local label such as +cpu names a build, not another version.
        same = here.split("+")[0] in tested.get(name, (here,))
        parts.append(
            f"{name} {here}" + ("" if same else f" (tested: {tested[name][0]})")
        )
    return " · ".join(parts)


def tested_versions() -> dict[str, tuple[str, ...]]:
    """Package → its versions in `requirements.lock`, one or two by Python version."""
    text = (files("lmcourse.data") / "requirements.lock").read_text(encoding="utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for name, pinned in re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.M):
        found[name] = (*found.get(name, ()), pinned)
    return found
