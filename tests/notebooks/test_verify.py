"""Every number in the text is the number you get: full runs in the `cpu` profile.

The `gpu` profile runs here, too, on whatever device there is: its data, its models and
its batches, but a few steps of each training.
"""

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from lmcourse import execution

from .running import run

PATHS = execution.notebook_paths()
FEW_STEPS = """
from dataclasses import replace
from lmcourse import training

FEW = 8  # trainings that are compared step by step are shorter

def train_briefly(model, batches, recipe, *, whole=training.train, **options):
    few = {"steps": min(recipe.steps, FEW), "every": min(recipe.every, FEW)}
    few["warmup"] = min(recipe.warmup, few["steps"] - 1)
    return whole(model, batches, replace(recipe, **few), **options)

training.train = train_briefly
"""


FOR_A_GPU = [  # what Colab is to open with one
    path for path in PATHS if "accelerator" in execution.read(path).metadata
]


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_text_and_stored_outputs_agree_with_a_run(path, tmp_path, monkeypatch):
    stored = execution.read(path)
    assert execution.is_current(stored), "sources changed: run `make outputs`"
    executed = run(path, "cpu", tmp_path, monkeypatch)
    assert execution.hidden_errors(executed) == []
    assert execution.exercise_problems(executed) == []
    assert execution.claim_problems(executed) == []
    assert execution.changed_cells(stored, executed) == []


@pytest.mark.parametrize("path", FOR_A_GPU, ids=lambda p: p.stem)
def test_the_profile_for_a_gpu_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # there is no hub
    notebook = execution.read(path)
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    after = next(i for i, own in enumerate(tags) if "parameters" in own) + 1
    notebook.cells.insert(after, new_code_cell(FEW_STEPS))
    shortened = tmp_path / path.name
    nbformat.write(notebook, shortened)
    (tmp_path / "run").mkdir()
    executed = run(shortened, "gpu", tmp_path / "run", monkeypatch)
    assert execution.hidden_errors(executed) == []
    assert execution.exercise_problems(executed) == []
