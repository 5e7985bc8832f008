"""Every notebook runs from start to end in the `smoke` profile."""

import pytest

from lmcourse import execution

from .running import run


@pytest.mark.parametrize("path", execution.notebook_paths(), ids=lambda p: p.stem)
def test_runs(path, tmp_path, monkeypatch):
    executed = run(path, "smoke", tmp_path, monkeypatch)
    assert execution.hidden_errors(executed) == []
    assert execution.exercise_problems(executed) == []
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                # Progress bars write there without a widget; anything else is noise.
                assert "it/s" in output.text or "%|" in output.text, output.text
