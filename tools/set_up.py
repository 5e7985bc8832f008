"""Make .venv: the exact packages of requirements.lock, this package, a kernel, data.

    python3 tools/set_up.py [--tests]

`make` calls it before everything else. It does only what is missing, so a run that was
cut off is taken up by the next one. `--tests` fetches what tests read, not only what
notebooks read.

The syntax is that of Python 2.7: an old Python can then say what it lacks.
"""
# ruff: noqa: UP032, UP036

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "The course needs Python 3.11 or newer, and this is Python {}.{}.\n"
        "If a newer one is installed beside it, name it: make lab PYTHON=python3.12\n"
        "If not, install one from python.org or with your system's packages.".format(
            *sys.version_info
        )
    )
if sys.platform == "win32":
    sys.exit("On Windows the course runs in WSL: wsl --install, then as on Linux.")

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "set-up.json"
LOCK = ROOT / "requirements.lock"

ROOM_GB = 3  # without CUDA; measured: 2.1 for .venv, the rest while pip unpacks
NEEDS_COMPILER = "kenlm"  # has no wheels; only a few cells and tests compare with it
WEIGHTS_MB = 50  # a larger archive holds weights, which tests do without


def main(tests):
    """Bring .venv up to date, and record it, so that the next start does nothing."""
    wanted = corpora(tests)
    if is_done(wanted):
        return
    with LOCK.open("r+") as lock:
        wait_for_others(lock)
        make_environment()
        remove_damaged_packages()
        install(lock)
        configure_jupyter(lock)
        done = set(wanted) | set(stamp().get("corpora", ()))
        say("Fetching data: {}", ", ".join(wanted))
        run(lock, PYTHON, "-m", "lmcourse.cli", "fetch", *wanted)
        write(STAMP, json.dumps(current() | {"corpora": sorted(done)}, indent=1))
        say("Set up.")


# ---------------------------------------------------------------- what is there already


def is_done(wanted):
    """Whether a set-up that ran to its end left everything in place."""
    found = stamp()
    here = found.get("corpora", ())
    return set(wanted) <= set(here) and found == current() | {"corpora": here}


def stamp():
    """What the last complete set-up recorded; nothing where there was none."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def current():
    """Where .venv stands and for which Python, and what it should be made from."""
    return {"packages": site_packages(), "sources": sources()}


def site_packages():
    """The folder .venv installs into, as its own Python sees it; None if that fails."""
    code = (
        "import sys, sysconfig\n"
        "if sys.version_info >= (3, 11): print(sysconfig.get_path('purelib'))"
    )
    try:
        answer = subprocess.run([PYTHON, "-I", "-c", code], capture_output=True)
    except OSError:
        return None
    return answer.stdout.decode().strip() or None


def sources():
    """A hash of everything that decides what a set-up does, this file included."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = {k: v for k, v in settings["project"].items() if k != "urls"}
    parts = [project, settings["build-system"], settings["tool"]["setuptools"]]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for path in (LOCK, ROOT / "data" / "catalog.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def corpora(tests):
    """Names of what the written notebooks read, or else of all that tests read."""
    data = ROOT / "data"
    syllabus = tomllib.loads((data / "syllabus.toml").read_text(encoding="utf-8"))
    written = [entry for entry in syllabus["notebook"] if "minutes" in entry]
    names = {name for entry in written for name in entry.get("corpora", ())}
    if tests:
        catalog = tomllib.loads((data / "catalog.toml").read_text(encoding="utf-8"))
        sizes = {name: a["size"] for name, a in catalog["archives"].items()}
        names |= {
            name
            for name, corpus in catalog["corpora"].items()
            if sizes[corpus["archive"]] < WEIGHTS_MB * 10**6
        }
    return sorted(names)


# ---------------------------------------------------------------- the steps


def wait_for_others(lock):
    """Let one set-up work at a time. A pip that outlives its set-up counts as one."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        say("Waiting for another set-up of this folder to end")
        fcntl.flock(lock, fcntl.LOCK_EX)


def make_environment():
    """Create .venv, or create it anew where it is broken, moved or for an old Python.

    A .venv that someone made beforehand, with a PyTorch of their choice, is kept.
    """
    packages = site_packages()
    complete = packages and list(Path(packages).glob("pip-*.dist-info/RECORD"))
    if complete and stamp().get("packages", packages) == packages:
        return
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            "This Python cannot make virtual environments: ensurepip is missing.\n"
            "On Debian and Ubuntu: sudo apt install python3-venv\n"
            "Then run the same command again."
        )
    free_gb = shutil.disk_usage(ROOT).free / 10**9
    if free_gb < ROOM_GB:
        sys.exit(
            "The disk is too full: {} has {:.1f} GB free, and the set-up needs about "
            "{} GB.\nMake room, then run the same command again.".format(
                ROOT, free_gb, ROOM_GB
            )
        )
    say("Creating .venv with Python {}.{}.{}", *sys.version_info[:3])
    run(None, sys.executable, "-m", "venv", "--clear", VENV)


def remove_damaged_packages():
    """Remove what an interrupted pip left: it writes RECORD last, but takes a package
    without one for installed.
    """
    for folder in Path(site_packages()).glob("*.dist-info"):
        if not (folder / "RECORD").exists():
            shutil.rmtree(folder)


def install(lock):
    """Install the locked versions, and this package in place."""
    lines = LOCK.read_text(encoding="utf-8").splitlines(keepends=True)
    optional = [line for line in lines if line.startswith(NEEDS_COMPILER + "==")]
    listed = VENV / "requirements.txt"
    write(listed, "".join(line for line in lines if line not in optional))
    say("Installing {} packages, which takes a few minutes once", len(lines))
    pip(lock, "-r", listed)
    for line in optional:
        command = [PYTHON, "-m", "pip", "install", line.strip()]
        if subprocess.run(command, capture_output=True).returncode:
            say(
                "Going on without {}, which could not be built: that takes a C++ "
                "compiler and CMake. What compares with it is left out.",
                NEEDS_COMPILER,
            )
    # setuptools comes from the lock, so that this needs no network.
    pip(lock, "--quiet", "--no-deps", "--no-build-isolation", "--editable", ROOT)


def configure_jupyter(lock):
    """Register the kernel. JupyterLab asks the network for nothing, and prints its
    address last, not a list of language servers.
    """
    run(lock, PYTHON, "-m", "ipykernel", "install", "--sys-prefix")
    news = "@jupyterlab/apputils-extension:announcements"
    settings = VENV / "etc" / "jupyter"
    write(
        settings / "labconfig" / "page_config.json",
        json.dumps({"disabledExtensions": {news: True}}),
    )
    write(
        settings / "jupyter_lab_config.json",
        json.dumps(
            {
                "LabApp": {"extension_manager": "readonly"},
                "LanguageServerManager": {"autodetect": False},
            }
        ),
    )


def pip(lock, *arguments):
    """Run `pip install` in .venv."""
    run(lock, PYTHON, "-m", "pip", "install", *arguments)


def run(lock, *command):
    """Run a command that may take long, and explain its failure.

    It inherits the lock: should this process be killed, the next set-up waits for it.
    """
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        pass_fds=[lock.fileno()] if lock else [],
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"},
    )
    messages = []
    for line in process.stderr:
        sys.stderr.write(line)
        messages.append(line)
    if process.wait():
        sys.exit("\nThe set-up stopped. {}".format(explain("".join(messages))))


def explain(messages):
    """The cause behind what a failed command wrote, and the next step."""
    places = {ROOT, Path(tempfile.gettempdir())}
    full = [str(p) for p in places if shutil.disk_usage(p).free < 50 * 10**6]
    if full or "No space left on device" in messages:
        where = " and ".join(full) or "a folder that it writes to"
        return "The disk is full ({}).\nMake room, then {}".format(where, AGAIN)
    if re.search("NewConnectionError|NameResolution|Network is unreach", messages):
        return (
            "There is no network, or it refuses the connection; the first set-up "
            "downloads packages and data.\nConnect, then " + AGAIN
        )
    missing = re.search("No matching distribution found for (.*)", messages)
    if missing:
        return (
            "{} has no build for this system with Python {}.{}.\nTry another Python "
            "between 3.11 and 3.13: rm -r .venv; make PYTHON=python3.12".format(
                missing[1], *sys.version_info
            )
        )
    return "The message above says why. When that is mended, " + AGAIN


AGAIN = "run the same command again: it goes on from here."


def write(path, text):
    """Replace a file in one step, so that a killed run leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def say(message, *values):
    """Tell the reader which step has begun."""
    sys.stdout.write("==> {}\n".format(message.format(*values)))
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(tests="--tests" in sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. To finish, " + AGAIN)
