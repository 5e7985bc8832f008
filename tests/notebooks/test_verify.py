"""Every number in the text is the number you get: full runs in the `cpu` profile."""

import pytest

from lmcourse import execution

from .running import run


@pytest.mark.parametrize("path", execution.notebook_paths(), ids=lambda p: p.stem)
def test_text_and_stored_outputs_agree_with_a_run(path, tmp_path, monkeypatch):
    stored = execution.read(path)
    assert execution.is_current(stored), "sources changed: run `make outputs`"
    executed = run(path, "cpu", tmp_path, monkeypatch)
    assert execution.hidden_errors(executed) == []
    assert execution.exercise_problems(executed) == []
    assert execution.claim_problems(executed) == []
    assert execution.changed_cells(stored, executed) == []
