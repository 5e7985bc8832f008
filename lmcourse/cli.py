"""The command `lmcourse`: `fetch` data, ask the `doctor`, work with an `ngram` model.

A handler takes the parsed arguments and returns an exit code, or None for 0. Expected
errors end in one line on stderr and exit code 2, never in a traceback.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from . import corpora, fetching, hub
from .syllabus import notebook

if TYPE_CHECKING:
    from packaging.requirements import Requirement

GIGABYTE = 1e9
EXTRAS = {  # what each is for
    "lab": "notebooks on this machine",
    "neural": "parts II to IV",
    "bert": "parts III and IV",
    "scale": "notebook 05",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 (doctor) or 2 (error)."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        parsed = _parser(with_ngrams=arguments[:1] == ["ngram"]).parse_args(arguments)
        code = parsed.run(parsed) or 0
        sys.stdout.flush()  # so that a closed pipe shows here
        return code
    except BrokenPipeError:  # `lmcourse doctor | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _fail("interrupted; the same command starts again where it can", 130)
    except (fetching.FetchError, ImportError, OSError, ValueError) as error:
        return _fail(str(error), 2)


def _fail(message: str, code: int) -> int:
    print("lmcourse:", " ".join(message.split()), file=sys.stderr)
    return code


def _parser(with_ngrams: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lmcourse", description="Language Models, from Counting to BERT"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fetch = commands.add_parser("fetch", help="fetch and verify data of the course")
    fetch.add_argument("names", nargs="*", metavar="NAME", help="a corpus or model")
    fetch.add_argument("--all", action="store_true", help="everything, about 250 MB")
    fetch.add_argument(
        "--for",
        dest="notebooks",
        nargs="+",
        default=[],
        metavar="NOTEBOOK",
        help="what these notebooks use, such as 01_bigram_counting",
    )
    fetch.set_defaults(run=_fetch)

    doctor = commands.add_parser(
        "doctor", help="look at this machine, the packages and the data"
    )
    doctor.set_defaults(run=_doctor)

    if with_ngrams:
        from .ngrams.commands import add_commands  # needs NumPy, slower to import

        add_commands(commands)
    else:
        commands.add_parser("ngram", help="train, measure and sample N-gram models")
    return parser


def _fetch(arguments: argparse.Namespace) -> None:
    """Fetch by name, by notebook, or everything."""
    names = list(corpora.catalogue()) if arguments.all else list(arguments.names)
    for title in arguments.notebooks:
        names += notebook(title).corpora
    if not names and not arguments.notebooks:
        raise ValueError(
            "nothing to fetch: name some data, a notebook after --for, or --all. "
            f"There are {', '.join(corpora.catalogue())}"
        )
    of_the_hub = [name for name in names if name in hub.models()]
    sources = [corpora.find(name) for name in names if name not in of_the_hub]
    for name in dict.fromkeys(of_the_hub):
        folder = hub.fetch_model(name)
        print(f"{name}: {fetching.megabytes(hub.models()[name].size)} in {folder}")
    for source in dict.fromkeys(sources):
        corpora.paths(source.name)
        size = fetching.megabytes(source.size)
        print(f"{source.name}: {size} in {source.archive.folder}")


@dataclass(frozen=True)
class Finding:
    """A line of the doctor's report."""

    subject: str
    state: str
    advice: str = ""
    broken: bool = False  # something that the course cannot do without


def _doctor(_: argparse.Namespace) -> int:
    """Print what is here, what is missing and what to do; 1 if something is broken."""
    chapters = {
        "Machine": [*_machine()],
        "Packages": [*_packages()],
        f"Data in {fetching.data_folder()}": [*_data()],
    }
    for title, findings in chapters.items():
        width = max(len(finding.subject) for finding in findings)
        print(title)
        for finding in findings:
            mark = "!" if finding.broken else " "
            advice = f"  → {finding.advice}" if finding.advice else ""
            print(f"{mark} {finding.subject:{width}}  {finding.state}{advice}")
        print()
    broken = sum(f.broken for findings in chapters.values() for f in findings)
    print(f"{broken} to repair, marked with !" if broken else "Nothing is broken.")
    return 1 if broken else 0


def _machine() -> Iterator[Finding]:
    import psutil

    old = sys.version_info < (3, 11)
    advice = "use Python 3.11 or newer" if old else ""
    yield Finding("Python", platform.python_version(), advice, broken=old)
    yield Finding("device", f"{_device()}, {os.cpu_count()} cores")
    memory = psutil.virtual_memory()
    yield Finding(
        "memory",
        f"{memory.available / GIGABYTE:.1f} of {memory.total / GIGABYTE:.1f} GB free",
    )
    yield _disk(fetching.data_folder())


def _disk(folder: Path) -> Finding:
    """Free space where the data goes, and whether it may be written there."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    state = f"{shutil.disk_usage(there).free / GIGABYTE:.1f} GB free"
    if there.is_dir() and os.access(there, os.W_OK):
        return Finding("disk", state)
    missing = not all(source.is_here for source in corpora.catalogue().values())
    advice = "set LMCOURSE_DATA to a folder of yours" if missing else ""
    return Finding("disk", f"{state}, {there} cannot be written", advice, missing)


def _device() -> str:
    """What PyTorch will compute on, found without importing it."""
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        found = subprocess.run(query, capture_output=True, text=True, check=False)
        if found.returncode == 0 and found.stdout.strip():
            return found.stdout.strip().replace("\n", "; ")
    apple = (platform.system(), platform.machine()) == ("Darwin", "arm64")
    return "Apple GPU" if apple else "CPU (no GPU found; the course does not need one)"


def _packages() -> Iterator[Finding]:
    """Required packages first, then those that only some parts of the course need."""
    from packaging.requirements import Requirement

    from .runtime import tested_versions

    tested = tested_versions()
    everything = [Requirement(line) for line in requires("lmcourse") or []]
    for extra in ("", *EXTRAS):
        for needed in everything:
            if needed.name != "lmcourse" and _belongs(needed, extra):
                yield _package(needed, extra, tested.get(needed.name, ()))


def _belongs(needed: "Requirement", extra: str) -> bool:
    """Whether an extra brings a requirement; "" stands for what all of them need."""
    marker = needed.marker
    if marker is None or marker.evaluate({"extra": ""}):
        return not extra
    return bool(extra) and marker.evaluate({"extra": extra})


def _package(needed: "Requirement", extra: str, tested: tuple[str, ...]) -> Finding:
    """Compare an installed package with what is required and what was tested."""
    project = f"lmcourse[{extra}]" if extra else "lmcourse"
    advice = f"pip install '{project}'"
    try:
        here = version(needed.name)
    except PackageNotFoundError:
        parts = {"lab": "JupyterLab", "neural": "parts II to IV", "bert": "part III"}
        why = f"not installed: for {parts.get(extra, 'notebook 05')}"
        return Finding(
            needed.name, why if extra else "not installed", advice, not extra
        )
    if not needed.specifier.contains(here, prereleases=True):
        state = f"{here}, but {needed.specifier} is needed"
        return Finding(needed.name, state, advice, broken=True)
    as_tested = not tested or re.sub(r"\+.*", "", here) in tested
    return Finding(needed.name, here + ("" if as_tested else f" (tested: {tested[0]})"))


def _data() -> Iterator[Finding]:
    """Each corpus: here, not fetched yet, or damaged."""
    for source in corpora.catalogue().values():
        folder = source.archive.folder
        states = [source.archive.holds(file) for file in source.files]
        some = any((folder / file.name).exists() for file in source.files)
        advice = f"lmcourse fetch {source.name}"
        size = f"{fetching.megabytes(source.size):>9}"
        if all(states):
            yield Finding(source.name, f"{size}  here")
        elif some:
            yield Finding(source.name, f"{size}  damaged", advice, broken=True)
        else:
            yield Finding(source.name, f"{size}  not fetched yet", advice)
