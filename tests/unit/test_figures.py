"""Pictures carry a description; bars need no font."""

import base64
import io
import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import pytest
from PIL import Image

from lmcourse import show
from lmcourse.course_map import describe_map, draw_map
from lmcourse.figures import SCREEN_DPI, Bars, HeatTable
from lmcourse.syllabus import notebooks


def test_show_stores_the_description_and_the_size_on_the_page(displayed):
    figure, _ = plt.subplots(figsize=(4, 2))
    (output,) = displayed(show, figure, alt="an empty frame")
    assert output.metadata["image/png"]["alt"] == "an empty frame"
    assert output.metadata["image/png"]["width"] == 4 * SCREEN_DPI
    picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
    assert picture.mode == "P"
    assert picture.width == 2 * 4 * SCREEN_DPI
    assert plt.get_fignums() == []


@pytest.mark.parametrize("alt", ["", "  "])
def test_a_picture_without_a_description_is_an_error(alt):
    figure, _ = plt.subplots()
    with pytest.raises(ValueError, match="say what a reader should see"):
        show(figure, alt=alt)
    plt.close(figure)


def test_bars_escape_and_scale():
    markup = Bars([("<国>", 0.5), ("央", 0.25)], heading="a & b")._repr_html_()
    assert "&lt;国&gt;" in markup and "a &amp; b" in markup
    assert "width:100.0%" in markup and "width:50.0%" in markup
    assert repr(Bars([("国", 0.5)])) == "国  0.500"
    assert "<tr>" not in Bars([])._repr_html_()


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_bars_refuse_what_has_no_length(value):
    with pytest.raises(ValueError, match="finite"):
        Bars([("a", value)])


def test_a_heat_table_is_well_formed_and_holds_percentages():
    table = HeatTable([[1, 0], [0.25, 0.75]], ["<国>", "央"], ["a", "b"], "who & whom")
    root = ElementTree.fromstring(table._repr_html_())
    cells = [[cell.text for cell in row] for row in root.iter("tr")]
    assert cells == [[None, "a", "b"], ["<国>", "100", None], ["央", "25", "75"]]
    assert root.find("caption").text == "who & whom"
    assert [line.split() for line in repr(table).splitlines()] == [
        ["who", "&", "whom"],
        ["a", "b"],
        ["<国>", "100%"],
        ["央", "25%", "75%"],
    ]


@pytest.mark.parametrize("weights", [[[1.0]], [[0.5, 0.5, 0.0]], [[1, 0], [0, 1]], []])
def test_a_heat_table_needs_a_name_for_each_row_and_column(weights):
    with pytest.raises(ValueError, match="1 rows and 2 columns"):
        HeatTable(weights, ["a"], ["a", "b"])


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_heat_table_refuses_what_is_no_weight(weight):
    with pytest.raises(ValueError, match="from 0 to 1"):
        HeatTable([[weight]], ["a"], ["b"])


def test_the_map_shows_every_notebook_and_marks_those_to_come():
    root = ElementTree.fromstring(draw_map())
    text = " ".join(root.itertext())
    for entry in notebooks().values():
        assert f"{entry.number} ·" in text
    coming = sum(not entry.written for entry in notebooks().values())
    assert draw_map().count("stroke-dasharray") == coming
    assert describe_map().count("(coming)") == coming
