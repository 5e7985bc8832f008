"""Run a notebook with papermill as somebody else would: alone, from another folder."""

from pathlib import Path

import papermill
from nbformat import NotebookNode

from lmcourse.execution import CELL_TIMEOUT, read, run_environment


def run(path: Path, profile: str, folder: Path, monkeypatch) -> NotebookNode:
    """The executed notebook; raises when a cell fails.

    The folder is empty, the progress file is new, and the environment names another
    profile than the one injected, which must win.
    """
    other = "cpu" if profile == "smoke" else "smoke"
    for name, value in run_environment(other, folder).items():
        monkeypatch.setenv(name, value)
    output = folder / path.name
    papermill.execute_notebook(
        path,
        output,
        parameters={"profile": profile},
        kernel_name="python3",
        cwd=folder,
        execution_timeout=CELL_TIMEOUT,
        progress_bar=False,
    )
    return read(output)
