"""Exercises that answer at once: `check(name, answer)` and `progress()`.

Each module of this folder holds the judges of one notebook. A judge receives the
reader's answer and raises `Hint` when it is wrong; returning means that it is right.
"""

import copy
import dis
import html
import importlib
import io
import json
import os
import pkgutil
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from IPython.display import display

from ..syllabus import notebooks

CHECK_MIME = "application/vnd.lmcourse.check+json"
TIME_LIMIT = 5.0  # seconds of computing; a right answer to any exercise needs far less
PATIENCE = 60.0  # seconds altogether, for one that waits

Judge = Callable[[Any], None]


class Hint(Exception):
    """What is wrong with an answer, in words that help the reader to mend it."""


class _OutOfTime(BaseException):
    """Raised inside an endless answer; not an Exception, so that `except Exception`
    in the answer cannot swallow it."""


@dataclass(frozen=True)
class Exercise:
    """An exercise: `judge` raises `Hint` for a wrong answer."""

    name: str
    title: str
    notebook: str
    judge: Judge


@dataclass(frozen=True)
class Result:
    """What `check` found: `status` is "right", "wrong" or "not tried"."""

    exercise: str
    status: str
    hint: str | None = None


_REGISTRY: dict[str, Exercise] = {}
_shown_solutions: list[Any] = []


def exercise(name: str, *, title: str, notebook: str) -> Callable[[Judge], Judge]:
    """Register the decorated function as the judge of the exercise `name`."""

    def register(judge: Judge) -> Judge:
        _REGISTRY[name] = Exercise(name, title, notebook, judge)
        return judge

    return register


@cache
def exercises() -> dict[str, Exercise]:
    """Every exercise by name, in the order of the course."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(_REGISTRY.items(), key=lambda pair: pair[1].notebook))


def check(name: str, answer: Any, *, record: bool = True) -> None:
    """Say whether `answer` solves the exercise `name`, with a hint when it does not.

    Never fails because of the answer. A right answer is remembered in a small file on
    this computer (see `progress_path`), unless `record` is False, as in the course's
    own solutions. Raises ValueError for an unknown exercise.
    """
    found = exercises().get(str(name))
    if found is None:
        nearest = get_close_matches(str(name), exercises(), n=1, cutoff=0.3)
        meant = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"no exercise is called {name!r}{meant}")
    result = judge(found, answer)
    note = ""
    if result.status == "right":
        if not record:
            _shown_solutions.append(answer)
            note = "This is the course's solution, so your progress stays as it was."
        elif any(answer is shown for shown in _shown_solutions):
            note = "This is still the course's solution: run your own cell first."
        else:
            note = _remember(name)
    _display(result, note)


def judge(found: Exercise, answer: Any) -> Result:
    """Judge one answer without showing or remembering anything."""
    try:
        with _time_limit(TIME_LIMIT), _silence():
            if is_untried(answer):
                return Result(found.name, "not tried")
            found.judge(answer)
    except KeyboardInterrupt:  # the reader's own
        raise
    except Hint as hint:
        return Result(found.name, "wrong", str(hint))
    except _OutOfTime:
        text = "Your answer took too long and was stopped: "
        return Result(found.name, "wrong", text + "is there a loop that never ends?")
    except BaseException as error:  # whatever an answer raises, SystemExit too
        text = f"Your answer could not be used: {_describe(error)}."
        return Result(found.name, "wrong", text)
    return Result(found.name, "right")


def is_untried(answer: Any) -> bool:
    """Whether `answer` is a stub as notebooks give it: `...` or an empty function."""
    if answer is None or answer is Ellipsis:
        return True
    code = getattr(answer, "__code__", None)
    if code is None:
        return False
    steps = [step for step in dis.get_instructions(code) if step.opname != "RESUME"]
    does_something = any(
        step.opname not in {"LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "NOP"}
        for step in steps
    )
    return not does_something and steps[-1].argval is None and steps[0].argval is None


def expect(condition: Any, hint: str) -> None:
    """Raise `Hint(hint)` unless `condition` holds."""
    if not condition:
        raise Hint(hint)


def call(function: Any, *arguments: Any) -> Any:
    """The reader's function applied to copies of `arguments`; failures are hints."""
    if not callable(function):
        raise Hint(f"A function is asked for, and this is {kind(function)}.")
    shown = ", ".join(_shorten(argument) for argument in arguments)
    name = getattr(function, "__name__", "your function")
    try:
        value = function(*copy.deepcopy(arguments))
    except Exception as error:
        raise Hint(f"`{name}({shown})` stops with {_describe(error)}.") from error
    if value is None:
        raise Hint(f"`{name}({shown})` gives None: is a `return` missing?")
    return value


def kind(value: Any) -> str:
    """The type of a value with its article: "a list", "an int"."""
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _describe(error: BaseException) -> str:
    text = _shorten(str(error).rstrip("."), 120)
    return f"{type(error).__name__}" + (f": {text}" if text else "")


def _shorten(value: Any, limit: int = 60) -> str:
    text = value if isinstance(value, str) and limit > 60 else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


@contextmanager
def _silence() -> Iterator[None]:
    """Keep an answer's own printing out of the verdict."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `_OutOfTime` in the block after `seconds` of computing.

    A busy machine and a slow disk are not the answer's fault: waiting counts only once
    it takes longer than `PATIENCE`. (Whoever is stopped while importing a module may
    have broken it for the whole kernel.)

    Signals reach the main thread only, where notebook cells run; elsewhere there is no
    limit. Nor can they stop a single call that never returns to Python, such as
    `sum(itertools.count())`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    begun, used = time.monotonic(), time.thread_time()

    def stop(*_: Any) -> None:
        computed, passed = time.thread_time() - used, time.monotonic() - begun
        if computed >= seconds or passed >= PATIENCE:
            raise _OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    # It rings again every second, for an answer that swallows even BaseException.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _display(result: Result, note: str) -> None:
    words = {
        "right": ("✓ Right.", "#1a7f37"),
        "wrong": ("✗ Not yet.", "#b35900"),
        "not tried": ("… Not tried yet.", "#6e7781"),
    }
    verdict, colour = words[result.status]
    said = " ".join(part for part in (result.hint, note) if part)
    markup = (
        '<div class="lm-check" '
        f'style="border-left:4px solid {colour};padding:.3em .8em">'
        f"<strong>{verdict}</strong> {_markup(said)}</div>"
    )
    content = {
        "exercise": result.exercise,
        "status": result.status,
        "hint": result.hint,
    }
    bundle = {
        CHECK_MIME: content,
        "text/html": markup,
        "text/plain": f"{verdict} {said}".rstrip(),
    }
    display(bundle, raw=True)


def _markup(text: str) -> str:
    """Escaped HTML in which `backticks` have become code, *asterisks* emphasis."""
    parts = html.escape(text, quote=False).split("`")
    parts[1::2] = [f"<code>{part}</code>" for part in parts[1::2]]
    parts[::2] = [re.sub(r"\*([^*\s]+)\*", r"<em>\1</em>", part) for part in parts[::2]]
    return "".join(parts)


def progress_path() -> Path:
    """Where right answers are kept: LMCOURSE_PROGRESS, or the user's data folder."""
    if asked := os.environ.get("LMCOURSE_PROGRESS"):
        return Path(asked).expanduser()
    from platformdirs import user_data_path

    return user_data_path("lmcourse") / "progress.jsonl"


def _remember(name: str) -> str:
    """Append one line; two notebooks may do so at once. Returns a note on failure."""
    line = {"exercise": name, "at": datetime.now(UTC).isoformat("T", "seconds")}
    path = progress_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        return f"(It could not be remembered in {path}: {error.strerror}.)"
    return ""


def solved() -> set[str]:
    """Names of the exercises solved by this reader; damaged lines are skipped."""
    try:
        text = progress_path().read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    names = set()
    for line in text.splitlines():
        try:
            names.add(json.loads(line)["exercise"])
        except (ValueError, KeyError, TypeError):
            continue
    return names & set(exercises())


def progress() -> Any:
    """A table of the exercises solved so far: one row a notebook (pandas DataFrame)."""
    import pandas as pd

    done = solved()
    rows = []
    for entry in notebooks().values():
        mine = [found for found in exercises().values() if found.notebook == entry.name]
        if not mine:
            continue
        left = [found.title for found in mine if found.name not in done]
        rows.append(
            {
                "notebook": f"{entry.number} · {entry.title}",
                "solved": f"{len(mine) - len(left)} of {len(mine)}",
                "still to do": ", ".join(left) or "nothing",
            }
        )
    return pd.DataFrame(rows).set_index("notebook").rename_axis(None)
