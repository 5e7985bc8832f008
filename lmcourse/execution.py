"""Run notebooks from start to end, store their outputs, and show that both agree.

    python -m lmcourse.execution [NAME…]    store outputs where sources changed

Tests use the same functions, so that what is stored is what is tested.
"""

import argparse
import ast
import hashlib
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from .claims import CLAIMS_MIME, Mark, marks
from .exercises import CHECK_MIME, exercises
from .explore import FRAMES_MIME, WIDGET_MIME
from .syllabus import notebooks

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parent
NOTEBOOKS = ROOT / "notebooks"
RESULTS = ROOT / "data" / "results"
CELL_TIMEOUT = 300  # seconds


def notebook_paths(names: Iterable[str] = ()) -> list[Path]:
    """The course's notebooks in order, or those whose file name starts with a name."""
    wanted = tuple(names)
    paths = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    return [path for path in paths if not wanted or path.name.startswith(wanted)]


def read(path: Path) -> NotebookNode:
    """The notebook in `path`, validated."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def tags(cell: NotebookNode) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


# ------------------------------------------------------------- what a run says


def payloads(cell: NotebookNode, mime: str) -> Iterator[dict]:
    """What a cell's outputs hold under one MIME type."""
    for output in cell.get("outputs", []):
        if mime in output.get("data", {}):
            yield output.data[mime]


def recorded_claims(notebook: NotebookNode) -> dict[str, float | str]:
    """Every `claim` of a run. Raises ValueError where a name is claimed twice."""
    found: dict[str, float | str] = {}
    for cell in notebook.cells:
        for payload in payloads(cell, CLAIMS_MIME):
            if twice := found.keys() & payload.keys():
                raise ValueError(f"claimed twice: {', '.join(sorted(twice))}")
            found.update(payload)
    return found


def prose_marks(notebook: NotebookNode) -> list[Mark]:
    """Every marked number in the notebook's prose."""
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return [mark for text in texts for mark in marks(text)]


def claim_problems(notebook: NotebookNode) -> list[str]:
    """Where the prose and the run in `notebook` disagree, one line each."""
    values = recorded_claims(notebook)
    found = prose_marks(notebook)
    problems = [
        f"{mark.name} is printed but never claimed"
        if mark.name not in values
        else f"{mark.name}: {mark.problem(values[mark.name])}"
        for mark in found
        if mark.name not in values or mark.problem(values[mark.name])
    ]
    unused = values.keys() - {mark.name for mark in found}
    return problems + [
        f"{name} is claimed but never printed" for name in sorted(unused)
    ]


def exercise_problems(notebook: NotebookNode) -> list[str]:
    """Check cells that do not start untried, and solutions that do not pass."""
    expected = {"check": "not tried", "solution": "right"}
    problems = []
    for cell in notebook.cells:
        for kind in expected.keys() & tags(cell):
            verdicts = list(payloads(cell, CHECK_MIME))
            if not verdicts:
                problems.append(f"a {kind} cell shows no verdict: {cell.source[:60]!r}")
            problems += [
                f"{verdict['exercise']}: its {kind} cell says {verdict['status']}"
                + (f" ({verdict['hint']})" if verdict["hint"] else "")
                for verdict in verdicts
                if verdict["status"] != expected[kind]
            ]
    return problems


def hidden_errors(notebook: NotebookNode) -> list[str]:
    """Errors inside widget outputs, which papermill passes over in silence."""
    stored = notebook.metadata.get("widgets", {})
    models = stored.get("application/vnd.jupyter.widget-state+json", {}).get(
        "state", {}
    )
    return [
        f"{output['ename']}: {output['evalue']}"
        for model in models.values()
        for output in model.get("state", {}).get("outputs", [])
        if output["output_type"] == "error"
    ]


def comparable_outputs(cell: NotebookNode) -> list[dict]:
    """A cell's outputs without what may differ from run to run: pictures, widgets."""
    ignored = {"image/png", FRAMES_MIME, WIDGET_MIME, CLAIMS_MIME}
    kept = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            kept.append({"text": output.text})
        else:
            data = {k: v for k, v in output.get("data", {}).items() if k not in ignored}
            kept.append({"data": data})
    return kept


def changed_cells(stored: NotebookNode, run: NotebookNode) -> list[str]:
    """Cells tagged `nbval-check-output` whose stored output is not the run's."""
    # papermill inserts its parameters as a cell of its own.
    executed = [c for c in run.cells if "injected-parameters" not in tags(c)]
    return [
        f"cell {number} shows something else now: {before.source[:60]!r}"
        for number, (before, after) in enumerate(
            zip(stored.cells, executed, strict=True)
        )
        if "nbval-check-output" in tags(before)
        and comparable_outputs(before) != comparable_outputs(after)
    ]


# ------------------------------------------------------------- what a run came from


def source_hash(notebook: NotebookNode) -> str:
    """A hash of what made a notebook's outputs.

    That is its cells, the modules of `lmcourse` that they import, directly or not, and
    the stored results that they load; for the map of the course and the reader's
    progress, also the list of notebooks and exercises. The Colab cell does nothing
    here, so it is left out, and a new repository address needs no new run.
    """
    cells = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and "colab" not in tags(cell)
    ]
    digest = hashlib.sha256("\0".join(cells).encode())
    code = "\n".join(line for cell in cells for line in cell.splitlines())
    for path in sorted(modules_behind(code)):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    for name in re.findall(r'results\.load\("(\w+)"\)', code):
        digest.update((RESULTS / f"{name}.json").read_bytes())
    if "show_map()" in code or "progress()" in code:
        listed = [(found.title, found.notebook) for found in exercises().values()]
        digest.update(repr([*notebooks().values(), *listed]).encode())
    return digest.hexdigest()[:16]


def modules_behind(code: str) -> set[Path]:
    """Files of `lmcourse` that `code` imports, directly or not."""
    # Every notebook checks, claims, shows and sweeps through the top of the package.
    todo = imported_modules(code, "") | {"claims", "exercises", "explore", "runtime"}
    found: dict[str, Path] = {}
    while todo:
        name = todo.pop()
        path = _module_path(name)
        if path is None or name in found:
            continue
        found[name] = path
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        todo |= imported_modules(path.read_text(encoding="utf-8"), package)
    return set(found.values())


def imported_modules(code: str, package: str) -> set[str]:
    """Names, below `lmcourse`, of what `code` in `package` might import from there."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(_without_magics(code))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names.add(alias.name.removeprefix("lmcourse").strip("."))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            if base is not None:
                names |= {base, *(f"{base}.{a.name}".strip(".") for a in node.names)}
    return names - {""}


def _absolute(node: ast.ImportFrom, package: str) -> str | None:
    """The module a `from … import` names, below `lmcourse`; None when outside it."""
    module = node.module or ""
    if node.level:
        parts = package.split(".") if package else []
        parts = parts[: len(parts) - (node.level - 1)]
        return ".".join([*parts, module]).strip(".")
    if module == "lmcourse" or module.startswith("lmcourse."):
        return module.removeprefix("lmcourse").strip(".")
    return None


def _module_path(name: str) -> Path | None:
    base = PACKAGE.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _without_magics(code: str) -> str:
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", code, flags=re.M)


def is_current(notebook: NotebookNode) -> bool:
    """Whether the stored outputs came from the sources as they are now."""
    return notebook.metadata.get("lmcourse", {}).get("sources") == source_hash(notebook)


# ------------------------------------------------------------- running and storing


def run_environment(profile: str, folder: Path) -> dict[str, str]:
    """The environment of a run that must not touch the reader's own progress."""
    return os.environ | {
        "LMCOURSE_PROFILE": profile,
        "LMCOURSE_PROGRESS": str(folder / "progress.jsonl"),
    }


def store_outputs(path: Path) -> None:
    """Execute the notebook in the `cpu` profile and store clean outputs in place.

    Raises CellExecutionError when a cell fails and ValueError when a cell writes to
    stderr; the file then stays as it was.
    """
    from nbclient import NotebookClient

    notebook = read(path)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT,
            kernel_name="python3",
            store_widget_state=False,
            extra_arguments=["--Application.log_level=ERROR"],
            resources={"metadata": {"path": str(path.parent)}},
        ).execute(env=run_environment("cpu", Path(folder)))
    clean(notebook)
    notebook.metadata["lmcourse"] = {"sources": source_hash(notebook)}
    write(notebook, path)


def clean(notebook: NotebookNode) -> None:
    """Leave what a reader without a kernel can use. Raises ValueError for stderr."""
    kept = {"kernelspec", "accelerator", "colab"}
    metadata = {k: v for k, v in notebook.metadata.items() if k in kept}
    notebook.metadata = nbformat.from_dict(
        metadata | {"language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        cell.outputs = [output for output in cell.outputs if not _is_dead(output)]
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET_MIME, None)
            if output.get("name") == "stderr":
                raise ValueError(f"a cell writes to stderr: {output.text[:200]!r}")


def _is_dead(output: NotebookNode) -> bool:
    """Whether an output is only a widget, such as a progress bar: dead when stored."""
    data = output.get("data", {})
    return WIDGET_MIME in data and FRAMES_MIME not in data


def write(notebook: NotebookNode, path: Path) -> None:
    """Replace `path` in one step, so that a killed run leaves the old file."""
    nbformat.validate(notebook)
    temporary = path.with_name(f".{path.name}.part")
    nbformat.write(notebook, temporary)
    temporary.replace(path)


def repository() -> str:
    """The repository's address, from pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["project"]["urls"]["Repository"]


def colab_cell() -> str:
    """The cell that installs the package on Colab and does nothing elsewhere.

    Colab's own packages stay as they are: `--no-deps`, and by name those that it
    lacks.
    """
    lacking = "pypi-simple mailbits opencc-python-reimplemented"
    return (
        "import sys\n\n"
        'if "google.colab" in sys.modules:\n'
        f'    %pip install -q --no-deps "lmcourse @ git+{repository()}"\n'
        f"    %pip install -q --no-deps {lacking}\n"
        "    %pip install -q --no-deps sacrebleu portalocker colorama seqeval"
    )


def write_colab_cell(notebook: NotebookNode) -> bool:
    """Bring the cell tagged `colab` up to date with the repository's address; return
    whether that changed it.
    """
    cells = [cell for cell in notebook.cells if "colab" in tags(cell)]
    changed = any(cell.source != colab_cell() for cell in cells)
    for cell in cells:
        cell.source = colab_cell()
    return changed


def main(arguments: list[str] | None = None) -> int:
    """Store outputs of the notebooks named, or of those whose sources changed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help="such as 01 or 01_bigram_counting")
    chosen = parser.parse_args(arguments).names
    paths = notebook_paths(chosen)
    if not paths:
        print(f"no notebook starts with {' or '.join(chosen)}", file=sys.stderr)
        return 2
    for path in paths:
        notebook = read(path)
        if write_colab_cell(notebook):
            write(notebook, path)
        if not chosen and is_current(notebook):
            print(f"{path.name}: current")
            continue
        print(f"{path.name}: running", flush=True)
        store_outputs(path)
        for problem in claim_problems(read(path)):
            print(f"  {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
