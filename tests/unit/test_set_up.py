"""`tools/set_up.py`: what it does, what it leaves alone, what it says when it fails.

Commands that download are replaced; environments, locks and files are real.
"""

import ast
import fcntl
import importlib.util
import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "set_up.py"

PYPROJECT = """
[build-system]
requires = ["setuptools"]
[project]
name = "lmcourse"
dependencies = ["numpy"]
[project.urls]
Repository = "https://example.org"
[tool.setuptools]
packages = ["lmcourse"]
"""
SYLLABUS = """
[[notebook]]
name = "01_written"
minutes = 1
corpora = ["names"]
[[notebook]]
name = "02_coming"
corpora = ["bible"]
"""
CATALOG = """
[archives.small]
size = 1_000_000
[archives.huge]
size = 90_000_000
[corpora.names]
archive = "small"
[corpora.bible]
archive = "small"
[corpora.bert]
archive = "huge"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A miniature of this repository, as a fresh clone."""
    root = tmp_path / "clone"
    files = {
        "tools/set_up.py": SCRIPT.read_text(encoding="utf-8"),
        "pyproject.toml": PYPROJECT,
        "requirements.lock": "numpy==2.4.6\nkenlm==0.3.0\n",
        "data/syllabus.toml": SYLLABUS,
        "data/catalog.toml": CATALOG,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


class SetUp:
    """The script of one clone, with every long command recorded instead of run."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module = load(root)
        self.commands: list[str] = []
        self.killed_at: int | None = None
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(self.module, "run", self.run)
        monkeypatch.setattr(self.module, "NEEDS_COMPILER", "nothing")

    def run(self, lock: object, *command: object) -> None:
        if len(self.commands) == self.killed_at:
            raise KeyboardInterrupt
        self.commands.append(" ".join(map(str, command[1:])))
        if "venv" in command:
            venv.create(self.module.VENV, clear=True, symlinks=True)
            pip = Path(self.module.site_packages()) / "pip-24.0.dist-info"
            pip.mkdir()
            (pip / "RECORD").touch()

    def __call__(self, tests: bool = False) -> list[str]:
        """The commands of one run of the script."""
        self.commands = []
        self.module.main(tests)
        return self.commands


def load(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("set_up", root / "tools/set_up.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def set_up(repository: Path, monkeypatch: pytest.MonkeyPatch) -> SetUp:
    return SetUp(repository, monkeypatch)


def did(commands: list[str], part: str) -> bool:
    return any(part in command for command in commands)


# ---------------------------------------------------------------- what it does


def test_first_start_does_everything_and_the_second_nothing(set_up: SetUp) -> None:
    first = set_up()
    assert did(first, "-m venv")
    assert did(first, "requirements.txt")
    assert did(first, "--no-deps --no-build-isolation --editable")
    assert did(first, "ipykernel install --sys-prefix")
    assert first[-1] == "-m lmcourse.cli fetch names"
    assert set_up() == []


def test_tests_fetch_every_corpus_but_no_weights(set_up: SetUp) -> None:
    assert set_up(tests=True)[-1] == "-m lmcourse.cli fetch bible names"
    assert set_up(tests=False) == [], "a reader's set-up is part of it"


def test_a_reader_who_then_tests_keeps_the_environment(set_up: SetUp) -> None:
    set_up()
    second = set_up(tests=True)
    assert not did(second, "-m venv")
    assert second[-1] == "-m lmcourse.cli fetch bible names"
    assert set_up() == set_up(tests=True) == []


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("requirements.lock", "2.4.6", "2.4.7"),
        ("pyproject.toml", '["numpy"]', '["numpy", "pandas"]'),
        ("data/catalog.toml", "1_000_000", "2_000_000"),
        ("tools/set_up.py", "ROOM_GB = 3", "ROOM_GB = 4"),
    ],
)
def test_changed_sources_are_installed_into_the_same_environment(
    set_up: SetUp, repository: Path, path: str, old: str, new: str
) -> None:
    set_up()
    changed = repository / path
    changed.write_text(changed.read_text().replace(old, new))
    again = set_up()
    assert did(again, "requirements.txt")
    assert not did(again, "-m venv")


def test_a_new_repository_address_needs_no_set_up(
    set_up: SetUp, repository: Path
) -> None:
    set_up()
    changed = repository / "pyproject.toml"
    changed.write_text(changed.read_text().replace("example.org", "example.com"))
    assert set_up() == []


def test_a_moved_folder_gets_a_new_environment(
    set_up: SetUp, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up()
    moved = shutil.move(repository, repository.with_name("elsewhere"))
    assert did(SetUp(Path(moved), monkeypatch)(), "-m venv")


def test_a_python_that_was_removed_gets_a_new_environment(set_up: SetUp) -> None:
    set_up()
    set_up.module.PYTHON.unlink()
    set_up.module.PYTHON.symlink_to("/nowhere/python3")
    assert did(set_up(), "-m venv")


def test_an_environment_prepared_by_hand_is_kept(set_up: SetUp) -> None:
    set_up.run(None, sys.executable, "-m", "venv")
    torch = Path(set_up.module.site_packages()) / "torch-2.13.0+cpu.dist-info"
    torch.mkdir()
    (torch / "RECORD").touch()
    assert not did(set_up(), "-m venv")
    assert torch.exists()


def test_jupyterlab_asks_the_network_for_nothing(set_up: SetUp) -> None:
    set_up()
    settings = set_up.module.VENV / "etc" / "jupyter"
    page = json.loads((settings / "labconfig" / "page_config.json").read_text())
    assert page["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"]
    lab = json.loads((settings / "jupyter_lab_config.json").read_text())
    assert lab["LabApp"]["extension_manager"] == "readonly"


# ---------------------------------------------------------------- interruptions


@pytest.mark.parametrize("step", range(5))
def test_a_set_up_cut_off_at_any_step_is_finished_by_the_next(
    set_up: SetUp, step: int
) -> None:
    set_up.killed_at = step
    with pytest.raises(KeyboardInterrupt):
        set_up()
    set_up.killed_at = None
    assert set_up()[-1] == "-m lmcourse.cli fetch names"
    assert set_up() == []


def test_a_half_installed_package_is_removed_so_that_pip_installs_it(
    set_up: SetUp,
) -> None:
    set_up()
    half = Path(set_up.module.site_packages()) / "numpy-2.4.6.dist-info"
    half.mkdir()
    (half / "METADATA").touch()
    set_up.module.STAMP.unlink()
    set_up()
    assert not half.exists()


def test_an_environment_without_its_pip_is_made_anew(set_up: SetUp) -> None:
    set_up()
    (record,) = Path(set_up.module.site_packages()).glob("pip-*/RECORD")
    record.unlink()
    set_up.module.STAMP.unlink()
    assert did(set_up(), "-m venv")


def test_two_set_ups_work_one_after_the_other(repository: Path, tmp_path: Path) -> None:
    run = [sys.executable, "-u", repository / "tools" / "set_up.py"]
    with (repository / "requirements.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(run, stdout=subprocess.PIPE, text=True)
        try:
            assert "Waiting for another set-up" in second.stdout.readline()
            assert not (repository / ".venv").exists()
        finally:
            second.kill()
            second.communicate()


# ---------------------------------------------------------------- errors


def pretend(repository: Path, patch: str) -> subprocess.CompletedProcess:
    """Run the script with the standard library changed by `patch`."""
    code = (
        f"import runpy, sys\n{patch}\nrunpy.run_path(sys.argv[1], run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code, repository / "tools" / "set_up.py"],
        capture_output=True,
        text=True,
    )


def test_an_old_python_is_named(repository: Path) -> None:
    run = pretend(repository, "sys.version_info = (3, 9, 18, 'final', 0)")
    assert run.returncode == 1
    assert "needs Python 3.11 or newer, and this is Python 3.9." in run.stderr
    assert "make lab PYTHON=" in run.stderr


def test_windows_is_sent_to_wsl(repository: Path) -> None:
    run = pretend(repository, "sys.platform = 'win32'")
    assert run.returncode == 1
    assert "WSL" in run.stderr


def test_the_script_keeps_to_the_syntax_of_old_pythons() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert source.isascii()
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr)
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.args, node.args.vararg]
            assert not any(getattr(a, "annotation", None) for a in arguments)
            assert not node.args.kwonlyargs
            assert node.returns is None
        if isinstance(node, ast.Name):
            assert node.id != "print", "a statement with no keywords in Python 2"


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8", "3.10"])
def test_real_old_pythons_say_what_they_lack(version: str) -> None:
    pyenv = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    found = next(pyenv, shutil.which(f"python{version}"))
    if found is None:
        pytest.skip(f"Python {version} is not installed")
    run = subprocess.run([found, SCRIPT], capture_output=True, text=True)
    assert f"this is Python {version}." in run.stderr


def test_a_python_without_ensurepip_is_explained(repository: Path) -> None:
    hide = "import importlib.util\nimportlib.util.find_spec = lambda name: None"
    run = pretend(repository, hide)
    assert run.returncode == 1
    assert "sudo apt install python3-venv" in run.stderr
    assert not (repository / ".venv").exists()


def test_a_full_disk_is_found_before_anything_is_downloaded(repository: Path) -> None:
    fill = (
        "import shutil, types\n"
        "shutil.disk_usage = lambda path: types.SimpleNamespace(free=6e8)"
    )
    run = pretend(repository, fill)
    assert run.returncode == 1
    assert "has 0.6 GB free, and the set-up needs about 3 GB" in run.stderr
    assert not (repository / ".venv").exists()


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by "
            "'NewConnectionError('Failed to establish a new connection: [Errno -3] "
            "Temporary failure in name resolution')'\n"
            "ERROR: No matching distribution found for tqdm==4.70.1",
            "There is no network",
        ),
        (
            "ERROR: No matching distribution found for torch==2.13.0",
            "torch==2.13.0 has no build for this system",
        ),
        ("PermissionError: [Errno 13] Permission denied", "message above says why"),
    ],
)
def test_failures_name_their_cause_and_the_next_step(
    repository: Path, message: str, cause: str
) -> None:
    script = load(repository)
    failing = f"import sys; sys.stderr.write({message!r}); sys.exit(1)"
    with pytest.raises(SystemExit) as stop:
        script.run(None, sys.executable, "-c", failing)
    assert cause in str(stop.value)
    assert "again" in str(stop.value) or "make PYTHON=" in str(stop.value)
