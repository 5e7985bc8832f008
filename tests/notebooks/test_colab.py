"""The first cell on Colab and elsewhere. `make colab` runs whole notebooks there."""

import re
import sys
from importlib.metadata import requires
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement

import lmcourse
from lmcourse.execution import colab_cell, notebook_paths, read, repository, tags

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def on_colab(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))


def installs() -> list[str]:
    """The lines that the cell gives to `%pip` when it runs here."""
    lines: list[str] = []

    def run_line_magic(magic: str, line: str) -> None:
        assert magic == "pip"
        lines.append(line)

    shell = SimpleNamespace(run_line_magic=run_line_magic)
    code = TransformerManager().transform_cell(colab_cell())
    exec(code, {"get_ipython": lambda: shell})
    return lines


@pytest.mark.parametrize("path", notebook_paths(), ids=lambda path: path.stem)
def test_every_notebook_has_the_same_first_cell(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    marked = [cell.source for cell in cells if "colab" in tags(cell)]
    assert marked == [colab_cell()]
    before = cells[: [cell.source for cell in cells].index(colab_cell())]
    assert all("lmcourse" not in cell.source for cell in before)


def test_the_cell_installs_nothing_elsewhere() -> None:
    assert installs() == []


def test_the_cell_installs_without_dependencies_on_colab(on_colab: None) -> None:
    lines = installs()
    assert len(lines) == 3
    assert all("--no-deps" in line.split() for line in lines)
    assert f'"lmcourse @ git+{repository()}"' in lines[0]


def test_colab_has_all_that_the_cell_leaves_out(on_colab: None) -> None:
    text = (ROOT / "tools" / "colab_versions.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    colab = {each.name: each.specifier for each in map(Requirement, lines)}
    lines = [line.partition("--no-deps")[2] for line in installs()[1:]]
    added = set(re.findall(r"[\w-]+", " ".join(lines)))
    missing = []
    for name in ("lmcourse", *added):
        for requirement in map(Requirement, requires(name) or []):
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            pins = [pin.version for pin in colab.get(requirement.name, ())]
            known = requirement.name in colab or requirement.name in added
            if not known or not all(map(requirement.specifier.contains, pins)):
                missing.append(f"{requirement} (for {name})")
    assert not missing


def test_set_up_works_on_colab(
    on_colab: None, capsys: pytest.CaptureFixture[str]
) -> None:
    course = lmcourse.setup("00_start_here", profile="smoke")
    assert course.profile == "smoke"
    assert "Start here" in capsys.readouterr().out
