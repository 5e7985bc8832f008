"""Helper package of the course “Language Models, from Counting to BERT”.

Names are imported on first use, so that `import lmcourse` stays fast and loads
neither torch nor matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import corpora
    from .claims import claim
    from .exercises import check, progress
    from .explore import sweep
    from .figures import show
    from .runtime import setup

__all__ = ["check", "claim", "corpora", "progress", "setup", "show", "sweep"]

_HOME = {
    "check": "exercises",
    "claim": "claims",
    "progress": "exercises",
    "setup": "runtime",
    "show": "figures",
    "sweep": "explore",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    if name == "corpora":
        return import_module(".corpora", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
