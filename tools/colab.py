"""Run notebooks as Colab would: its Python, its versions, its first cell.

    python tools/colab.py [--python python3.13] [NAME…]

Each notebook runs alone in an empty folder with `google.colab` present, so that its
first cell installs the package: from this checkout's last commit, in place of the
repository's address. Downloads about 150 MB; takes some minutes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nbclient import NotebookClient

from lmcourse import execution

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "build" / "colab"
PYTHON = HERE / "venv" / "bin" / "python"
VERSION = "3.13"
FIRST = ("00", "01", "02")  # later ones need what tools/colab_versions.txt has not

# Colab's kernel has these two modules loaded before the first cell.
STARTUP = """
import sys, types
sys.modules["google"] = types.ModuleType("google")
sys.modules["google.colab"] = types.ModuleType("google.colab")
"""


def main() -> int:
    """Run the notebooks named, and say what failed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", default=FIRST, metavar="NAME")
    parser.add_argument("--python", default=f"python{VERSION}", help="Colab's Python")
    arguments = parser.parse_args()
    make_environment(arguments.python)
    failed = False
    for path in execution.notebook_paths(arguments.names):
        print(f"{path.name}: running", flush=True)
        for problem in problems(path):
            print(f"  {problem}")
            failed = True
    print("failed" if failed else "passed: Colab's own packages stayed as they were")
    return int(failed)


def make_environment(python: str) -> None:
    """A fresh environment with Colab's versions, and a kernel that looks like Colab's.

    Exits where `python` is not Colab's version.
    """
    asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        version = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    except OSError:
        version = "missing"
    if version != VERSION:
        sys.exit(
            f"Colab has Python {VERSION}, and {python} is {version or 'broken'}; "
            'name the right one: make colab ARGS="--python PATH"'
        )
    shutil.rmtree(HERE, ignore_errors=True)
    subprocess.run([python, "-m", "venv", HERE / "venv"], check=True)
    pip("install", "--quiet", "--requirement", ROOT / "tools" / "colab_versions.txt")
    startup = HERE / "ipython" / "profile_default" / "startup"
    kernel = HERE / "jupyter" / "kernels" / "colab"
    for folder in (startup, kernel):
        folder.mkdir(parents=True)
    (startup / "colab.py").write_text(STARTUP)
    command = [
        str(PYTHON),
        "-Xfrozen_modules=off",
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
    ]
    spec = {"argv": command, "display_name": "Colab", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))


def problems(path: Path) -> list[str]:
    """What is wrong with a run of the notebook in `path`; raises where a cell fails."""
    installed = ("lmcourse", "mailbits", "pypi-simple")
    pip("uninstall", "-qq", "--yes", *installed)
    before = set(pip("freeze").splitlines())
    notebook = execution.read(path)
    for cell in notebook.cells:
        if "colab" in execution.tags(cell):
            address = execution.repository()
            cell.source = cell.source.replace(address, f"file://{ROOT}")
    with tempfile.TemporaryDirectory() as folder:
        environment = execution.run_environment("cpu", Path(folder)) | {
            "IPYTHONDIR": str(HERE / "ipython"),
            "LMCOURSE_DATA": str(HERE / "data"),
        }
        client = NotebookClient(
            notebook,
            timeout=execution.CELL_TIMEOUT,
            kernel_name="colab",
            resources={"metadata": {"path": folder}},
        )
        client.execute(env=environment)
    after = set(pip("freeze").splitlines())
    new = {line.split("==")[0].split(" @ ")[0].lower() for line in after - before}
    moved = sorted(before - after) + sorted(new - set(installed))
    return [
        *(f"Colab's own package was changed: {line}" for line in moved),
        *(f"{name} was not installed" for name in sorted(set(installed) - new)),
        *execution.hidden_errors(notebook),
        *execution.exercise_problems(notebook),
        *execution.claim_problems(notebook),
    ]


def pip(*arguments: object) -> str:
    """What pip prints, run in Colab's environment."""
    command = [PYTHON, "-m", "pip", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    os.environ["JUPYTER_PATH"] = str(HERE / "jupyter")
    sys.exit(main())
