"""A sweep is a live slider and, without a kernel, the same frames."""

import base64
import io
import sys
import types

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from PIL import Image

from lmcourse import sweep
from lmcourse.explore import FRAMES_MIME, WIDGET_MIME


@pytest.fixture
def swept(displayed):
    def call(function, values, label="n", alt="a line"):
        (output,) = displayed(sweep, function, values, label=label, alt=alt)
        return output

    return call


def line(n):
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([0, n])
    return figure


def widgets_of(output):
    from ipywidgets.widgets.widget import _instances

    return _instances[output.data[WIDGET_MIME]["model_id"]].children


def test_pictures_are_frames_and_the_first_one_stands_alone(swept):
    output = swept(line, [1, 2, 3])
    frames = output.data[FRAMES_MIME]["frames"]
    assert len({frame["png"] for frame in frames}) == 3
    assert output.data["image/png"] == frames[0]["png"]
    assert output.metadata["alt"] == "a line"
    picture = Image.open(io.BytesIO(base64.b64decode(frames[0]["png"])))
    assert picture.width >= frames[0]["width"]
    assert plt.get_fignums() == []


def test_tables_and_texts_are_frames_too(swept):
    table = swept(lambda n: pd.DataFrame({"n": [n]}), [1, 2])
    assert "<table" in table.data[FRAMES_MIME]["frames"][1]["html"]
    assert "<table" in table.data["text/html"]
    text = swept(lambda n: f"{n} < 3", [1, 2])
    assert text.data[FRAMES_MIME]["frames"] == [{"text": "1 < 3"}, {"text": "2 < 3"}]
    assert text.data["text/plain"] == "1 < 3"


def test_moving_the_slider_changes_what_is_shown(swept):
    slider, stage = widgets_of(swept(lambda n: f"{n} < 9", ["a", "b"]))
    assert "a &lt; 9" in stage.value
    slider.index = 1
    assert "b &lt; 9" in stage.value


def test_equal_labels_stay_different_positions(swept):
    shown = iter(["first", "second"])
    slider, stage = widgets_of(swept(lambda n: next(shown), [1, 1]))
    slider.index = 1
    assert "second" in stage.value


def test_colab_is_offered_the_slider_alone(swept, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    output = swept(line, [1, 2])
    assert WIDGET_MIME in output.data
    assert "image/png" not in output.data


def test_an_error_at_a_later_value_is_an_error_now():
    with pytest.raises(ZeroDivisionError):
        sweep(lambda n: str(1 / n), [1, 0], label="n", alt="a")


def test_nothing_to_show_is_an_error(swept):
    with pytest.raises(ValueError, match="at least one value"):
        sweep(str, [], label="n", alt="a")
    with pytest.raises(ValueError, match="alt"):
        swept(line, [1], alt=" ")
