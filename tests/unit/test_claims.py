"""Printed numbers are compared to the last digit, tolerances in the unit meant."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.claims import CLAIMS_MIME, Mark, claim, marks


def one(prose):
    (mark,) = marks(prose)
    return mark


@pytest.mark.parametrize(
    ("prose", "value"),
    [
        ("falls to **11.8**<!--=x-->.", 11.75001),
        ("**5,163**<!--=x--> names", 5163),
        ("**3.5 %**<!--=x--> of them", 0.0349),
        ("about −84,000<!--=x-->", -84000),
        ("**1.8×**<!--=x-->", 1.81),
        ("a word, **Moscow**<!--=x-->", "Moscow"),
        ("**0.81**<!--=x±0.02-->", 0.829),
        ("**81 %**<!--=x±0.02-->", 0.829),
        ("**40**<!--=x±50%-->", 27),
    ],
)
def test_text_that_says_the_value(prose, value):
    assert one(prose).problem(value) is None


@pytest.mark.parametrize(
    ("prose", "value"),
    [
        ("**11.8**<!--=x-->", 11.86),
        ("**5,163**<!--=x-->", 5164),
        ("**3.5 %**<!--=x-->", 3.5),
        ("**84**<!--=x-->", -84),
        ("**Moscow**<!--=x-->", "Borodino"),
        ("**0.81**<!--=x±0.02-->", 0.835),
        ("**81 %**<!--=x±0.02-->", 0.835),
        ("**40**<!--=x±50%-->", 26),
        ("**forty**<!--=x-->", 40),
    ],
)
def test_text_that_says_something_else(prose, value):
    assert one(prose).problem(value)


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_every_number_agrees_with_its_own_rounding(value, digits):
    assert Mark(f"{value:,.{digits}f}", "x").problem(value) is None


@given(st.floats(-1e5, 1e5), st.integers(0, 4), st.sampled_from([-1, 1]))
def test_no_number_agrees_with_the_next_rounding(value, digits, way):
    wrong = round(value, digits) + way * 10**-digits
    if abs(wrong - value) > 0.51 * 10**-digits:
        assert Mark(f"{wrong:.{digits}f}", "x").problem(value)


@pytest.mark.parametrize("prose", ["**1**<!--=a b-->", "**1**<!--= a-->", "<!--=x±-->"])
def test_a_mark_that_cannot_be_read_is_an_error(prose):
    with pytest.raises(ValueError, match="cannot be read"):
        marks(prose)


def test_a_claim_shows_nothing_and_records_plain_numbers(displayed):
    (output,) = displayed(claim, a=np.float64(1.5), b=np.int64(2), c="word")
    assert output.data[CLAIMS_MIME] == {"a": 1.5, "b": 2, "c": "word"}
    assert type(output.data[CLAIMS_MIME]["b"]) is int
    assert output.data["text/plain"] == ""


@pytest.mark.parametrize("value", [math.nan, math.inf, None, [1.0]])
def test_what_cannot_be_compared_cannot_be_claimed(value):
    with pytest.raises(ValueError, match="claim x"):
        claim(x=value)
