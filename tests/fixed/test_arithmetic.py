"""The arithmetic of whole numbers, against fractions and Python's own integers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.fixed.arithmetic import Levels, exponents, shifted, tables, unit_exponent
from ocr_lib.recipe.quantization import Precision


@given(st.integers(-(2**40), 2**40), st.integers(-12, 30))
def test_shifts_round_halves_upwards(number, shift):
    (found,) = shifted(np.array([number]), shift)
    assert found == math.floor(Fraction(number) / Fraction(2) ** shift + Fraction(1, 2))


def test_shifts_may_differ():
    assert shifted(np.array([5, -5, 5]), np.array([1, 1, -1])).tolist() == [3, -2, 10]


@pytest.mark.parametrize(
    "precision, is_signed, bounds",
    [
        (Precision("fixed", 4), True, (-8, 7)),
        (Precision("fixed", 4), False, (0, 15)),
        (Precision("fixed", 16), False, (0, 2**15 - 1)),
        (Precision("fixed_unit", 2), True, (-2, 1)),
        (Precision("fixed_unit", 2), False, (-2, 1)),
        (Precision("ternary"), True, (-1, 1)),
        (Precision("ternary"), False, (0, 1)),
        (Precision("binary"), False, (0, 1)),
    ],
)
def test_levels(precision, is_signed, bounds):
    assert Levels.of(precision, is_signed) == (*bounds, False)


def test_parameters_are_rounded_to_even_numbers_at_ties_and_cut_off():
    nearest = Levels.of(Precision("fixed", 3)).nearest(np.array([0.5, 1.5, -0.5, -2.5, 0.51, 99, -99]))
    assert nearest.tolist() == [0, 2, 0, -2, 1, 3, -4]


def test_two_levels():
    levels = Levels.of(Precision("binary"))
    assert levels.nearest(np.array([-0.1, 0.0, 3.0])).tolist() == [-1, 1, 1]
    assert levels.shifted(np.array([-1, 0, 9]), 3).tolist() == [-1, 1, 1]


@pytest.mark.parametrize("bits", [2, 4, 8, 12, 16])
def test_tables_hold_the_nearest_values(bits):
    made = tables(Precision("fixed", bits))
    step, index_step = 2.0**made.exponent, 2.0**made.index_exponent
    levels = Levels.of(Precision("fixed", bits))
    numbers = range(made.index_levels.low, made.index_levels.high + 1)
    assert len(numbers) == len(made.sigmoid) == len(made.tanh) == 16 / index_step
    assert step == 2.0 ** (1 - bits) and 2**-8 <= index_step <= 2**-4
    for number in (*numbers[:3], *numbers[::37], -1, 0, 1, *numbers[-3:]):
        x = number * index_step
        for table, value in ((made.tanh, math.tanh(x)), (made.sigmoid, 1 / (1 + math.exp(-x)))):
            nearest = min(levels.high, max(levels.low, value / step))
            assert abs(table[number - made.index_levels.low] - nearest) <= 0.5


def test_exponents_are_the_nearest_whole_numbers():
    assert exponents(np.array([-2.5, -2.49, 0.5, 3.0], np.float32)).tolist() == [-2, -2, 1, 3]
    assert [unit_exponent(Precision(kind, 4)) for kind in ("fixed", "fixed_unit", "ternary", "binary")] == [
        -3,
        -3,
        0,
        0,
    ]
