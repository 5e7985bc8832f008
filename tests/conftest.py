"""What all tests share."""

import os

import pytest

# Pictures need no window, and two busy workers no threads of their own.
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def displayed():
    """A function that calls another in IPython and returns the outputs it displayed."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from traitlets.config import Config

    # Without its history it leaves nothing in the home folder.
    InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))

    def call(function, *arguments, **options):
        with capture_output() as captured:
            function(*arguments, **options)
        return captured.outputs

    yield call
    InteractiveShell.clear_instance()
