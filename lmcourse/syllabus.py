"""The list of notebooks (`data/syllabus.toml`), typed."""

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Notebook:
    """One notebook; `minutes` (on a laptop) is None until it is written."""

    name: str
    title: str
    part: str
    question: str
    minutes: float | None = None
    memory_gb: float = 0.0
    corpora: tuple[str, ...] = ()
    uses_torch: bool = False

    @property
    def number(self) -> int:
        return int(self.name[:2])

    @property
    def written(self) -> bool:
        return self.minutes is not None


@cache
def notebooks() -> dict[str, Notebook]:
    """Every notebook by name, in the order of the course."""
    text = (files("lmcourse.data") / "syllabus.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["notebook"]
    return {
        row["name"]: Notebook(**row | {"corpora": tuple(row.get("corpora", ()))})
        for row in rows
    }


def notebook(name: str) -> Notebook:
    """The notebook called `name`. Raises ValueError with the nearest name otherwise."""
    try:
        return notebooks()[name]
    except KeyError:
        begins = [known for known in notebooks() if known.startswith(str(name))]
        nearest = begins or get_close_matches(str(name), notebooks(), 1, cutoff=0.3)
        meant = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"no notebook is called {name!r}{meant}") from None
