"""The compiled pass against numpy's definitions, and against the numpy path that stands in for it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlcheck import native
from mlcheck.store.tensors import compiled, measure, units
from mlcheck.store.tensors.keys import wanted
from mlcheck.store.tensors.layout import Layout
from mlcheck.store.tensors.scratch import Scratch

from .support import DTYPES, tensors

statistics = native.module("statistics")
pytestmark = pytest.mark.skipif(
    statistics is None, reason="mlcheck.native.statistics is not built (python hatch_build.py)"
)


KEYS = frozenset(
    {
        *(
            "nan",
            "inf",
            "zeros",
            "min",
            "max",
            "mean",
            "std",
            "abs_mean",
            "l2",
            "whole",
            "share_equal(1)",
            "share_equal(-3)",
        ),
        *("update_l2", "update_ratio", "changed", "changed(0.1,0.5,true)"),
    }
)
CODES = {"bool": "?", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q"}
CODES |= {"uint64": "Q", "float16": "e", "float32": "f", "float64": "d"}
FINITE, NAN, ZEROS, LOW, HIGH, TOTAL, ABSOLUTE, SQUARE, DEVIATION, WHOLE = range(10)

lengths = st.integers(0, 70) | st.sampled_from([1023, 1024, 1025, 3000])


def arrays(dtypes=tuple(CODES)):
    """Rows of any values of any type, of up to 3,000 values."""

    def of(dtype):
        elements = hnp.from_dtype(np.dtype(dtype))
        fill = st.sampled_from([0, 1]) if dtype == "bool" else elements
        return lengths.flatmap(lambda length: hnp.arrays(dtype, (2, length), elements=elements, fill=fill))

    return st.sampled_from(dtypes).flatmap(of)


def found_of(code, values, before=None, code_before=None, tolerances=(), equal=()):
    number, length = values.shape
    found = np.full((number, 10 + len(equal) + 3 + len(tolerances)), -1.0)
    data = values.tobytes() if values.dtype.name == "bool" else values
    statistics.rows(code, data, number, length, code_before or code, before, tolerances, equal, True, found)
    return found


def close(found, expected, scale=0.0):
    if not math.isfinite(expected):
        return not math.isfinite(found)
    return abs(found - expected) <= 1e-12 * max(abs(expected), scale) + 1e-300


def assert_moments(found, values):
    """Of one row against its definition, in numpy's widest float."""
    wide = values.astype(np.float64)
    known = wide[np.isfinite(wide)]
    exact = known.astype(np.longdouble)
    assert found[FINITE] == len(known)
    assert found[NAN] == np.isnan(wide).sum()
    assert found[ZEROS] == (known == 0).sum()
    assert found[LOW] == (known.min() if len(known) else math.inf)
    assert found[HIGH] == (known.max() if len(known) else -math.inf)
    with np.errstate(all="ignore"):
        assert found[WHOLE] == (known == np.rint(known)).sum()
        if len(known) and np.abs(known).max() < 1e100:
            magnitude = float(np.abs(exact).sum())
            assert close(found[TOTAL], float(exact.sum()), magnitude)
            assert close(found[ABSOLUTE], magnitude)
            assert close(found[SQUARE], float(np.square(exact).sum()))
            # A double knows deviations to its last digit of the largest value.
            rounding = len(known) * float(np.abs(exact).max()) ** 2 * 1e-15
            assert close(found[DEVIATION], float(np.square(exact - exact.mean()).sum()), rounding)


@settings(deadline=None, max_examples=200)
@given(arrays())
def test_moments_are_what_their_definitions_say(values):
    for found, row in zip(found_of(CODES[values.dtype.name], values), values, strict=True):
        assert_moments(found, row)


@settings(deadline=None, max_examples=60)
@given(arrays(("int16", "uint32", "int64", "float16", "float32", "float64")))
def test_values_in_the_other_byte_order_are_the_same_numbers(values):
    code = CODES[values.dtype.name]
    assert np.array_equal(found_of(f">{code}", values.byteswap()), found_of(code, values), equal_nan=True)


def test_every_bfloat16_and_every_float16_is_the_number_that_it_stands_for():
    bits = np.arange(1 << 16, dtype=np.uint32)
    for code, numbers in (("E", (bits << 16).view(np.float32)), ("e", bits.astype(np.uint16).view(np.float16))):
        found = found_of(code, bits.astype(np.uint16)[:, None])
        # Signalling NaN are among them.
        with np.errstate(invalid="ignore"):
            wide = numbers.astype(np.float64)
        finite = np.isfinite(wide)
        assert np.array_equal(found[:, FINITE] == 1, finite)
        assert np.array_equal(found[:, NAN] == 1, np.isnan(wide))
        assert np.array_equal(found[finite, LOW], wide[finite])
        assert np.array_equal(found[finite, TOTAL], wide[finite])


@settings(deadline=None, max_examples=60)
@given(arrays(("float32", "float64", "float16", "int32", "bool")), st.integers(1, 7))
def test_values_may_begin_at_any_byte(values, odd):
    code = CODES[values.dtype.name]
    data = memoryview(b"\xff" * odd + values.tobytes())[odd:]
    found = np.empty((2, 13))
    statistics.rows(code, data, *values.shape, code, data, (), (), True, found)
    assert np.array_equal(found[:, :10], found_of(code, values)[:, :10], equal_nan=True)


pairs = st.sampled_from(("float32", "float64", "float16", "int8", "uint64")).flatmap(
    lambda dtype: st.tuples(tensors((2, 33), (dtype,)), tensors((2, 33), (dtype, "float32", "float64")))
)


@settings(deadline=None, max_examples=300)
@given(pairs, st.sampled_from([(1e-5, 1e-8), (0.0, 0.0), (0.1, 0.5), (1e300, 0.0)]), st.booleans())
def test_changes_are_those_of_numpy_isclose(both, limits, equal_nan):
    new, old = both
    tolerance = (*limits, equal_nan)
    found = found_of(CODES[new.dtype.name], new, old, CODES[old.dtype.name], (tolerance, (0.0, math.inf, True)))
    with np.errstate(all="ignore"):
        for (pairs_, square, before, moved, _), a, b in zip(found[:, 10:], new, old, strict=True):
            a, b = a.astype(np.float64), b.astype(np.float64)
            known = np.isfinite(a) & np.isfinite(b)
            assert pairs_ == known.sum()
            assert close(square, float(np.square(a[known] - b[known]).sum()))
            assert close(before, float(np.square(b[np.isfinite(b)]).sum()))
            assert moved == (~np.isclose(a, b, limits[0], limits[1], equal_nan)).sum()


@settings(deadline=None, max_examples=60)
@given(arrays(("float32", "float64", "uint8")), st.sampled_from([0.0, 1.0, -0.0, math.inf, 0.5]))
def test_values_that_equal_a_number_are_counted(values, number):
    found = found_of(CODES[values.dtype.name], values, equal=(number, 7.0))
    for row, single in zip(found, values, strict=True):
        wide = single.astype(np.float64)
        assert row[10] == (wide == number).sum()
        assert row[11] == (wide == 7).sum()


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(DTYPES).flatmap(lambda dtype: st.tuples(tensors((3, 40), (dtype,)), tensors((3, 40), (dtype,)))))
def test_both_paths_say_the_same(both):
    rows, before = both
    asked = wanted(KEYS)
    pair = measure._pair(rows, before, np.ones(3, dtype=bool), asked, renew=False)
    with np.errstate(all="ignore"):
        quick, plain = compiled.summed(rows, before, asked), measure._by_pieces(rows, pair, asked, Scratch())
        for name in ("finite", "nan", "zeros", "low", "high"):
            assert np.array_equal(getattr(quick.moments, name), getattr(plain.moments, name)), name
        for row in range(3):
            scale = plain.moments.absolute[row]
            assert close(quick.moments.total[row], plain.moments.total[row], scale)
            assert close(quick.moments.absolute[row], scale)
            assert close(quick.moments.square[row], plain.moments.square[row])
            assert close(quick.change.square[row], plain.change.square[row])
            assert close(quick.change.before[row], plain.change.before[row])
        assert np.array_equal(quick.change.pairs, plain.change.pairs)
        assert {key: one.tolist() for key, one in quick.change.changed.items()} == {
            key: one.tolist() for key, one in plain.change.changed.items()
        }
        assert {key: one.tolist() for key, one in quick.tallied.items()} == {
            key: one.tolist() for key, one in plain.tallied.items()
        }


UNITS = frozenset(
    {
        *(
            "channel_zero",
            "channel_constant",
            "channel_mean_max",
            "channel_std_max",
            "channel_std_min",
            "channel_shift_max",
        ),
        *("units_outside(0,1,0.5)", "units_outside(-inf,0.5,1)"),
    }
)


@pytest.mark.parametrize(
    ("before", "inner", "after"), [(1, 4, 1), (5, 3, 1), (7, 300, 1), (4, 3, 9), (2, 3, 33), (1, 2, 2100), (1030, 2, 1)]
)
def test_units_are_measured_alike_on_both_paths(before, inner, after):
    place = Layout(before, inner, after, 0, 1, before)
    asked = wanted(UNITS)

    @settings(deadline=None, max_examples=25)
    @given(
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: hnp.arrays(dtype, (2, before * inner * after), elements=of_few(dtype))
        )
    )
    def check(rows):
        with np.errstate(all="ignore"):
            quick, counted = units.unit_statistics(rows, place, asked)
            plain = units.channel_statistics(rows, place, asked)
            plain_counted = units.outside_counts(rows, place, [one for _, one in asked.ranges])
        assert [one.tolist() for one in counted] == [one.tolist() for one in plain_counted]
        assert quick.keys() == plain.keys()
        for key, column in plain.items():
            assert np.allclose(quick[key], column, rtol=1e-9, atol=1e-12, equal_nan=True), key

    check()


def of_few(dtype):
    if dtype.startswith("float"):
        return st.sampled_from([0.0, -0.0, 0.5, 1.0, 1e3, -2.0, math.nan, math.inf, -math.inf])
    return st.sampled_from([0, 1]) if dtype == "bool" else st.integers(0, 5)


@pytest.mark.parametrize(
    "arguments",
    [
        ("f", b"\0" * 11, 1, 1, 3, 1, (), np.empty(15)),
        ("f", b"\0" * 12, 1, 1, 3, 1, (), np.empty(14)),
        ("f", b"\0" * 12, 1, 1, 3, 1, ((0.0, 1.0),), np.empty(15)),
        ("f", b"\0" * 12, 1, -1, 3, 1, (), np.empty(15)),
        ("f", b"\0" * 12, 1 << 40, 1 << 40, 3, 1, (), np.empty(15)),
        ("f", b"\0" * 12, 1, 1, 3, 1, ((0.0, 1.0),) * 9, np.empty(99)),
    ],
)
def test_units_that_do_not_fit_are_refused(arguments):
    with pytest.raises(ValueError, match=r"bytes|shape|more"):
        statistics.units(*arguments)


def test_small_numbers_beside_a_large_one_are_not_lost():
    # A running total in double, or eight of them, would lose some of the next digits at each of the additions.
    values = np.full((1, 2_000_000), 0.1, dtype=np.float32)
    values[0, 0] = 1e8
    exact = math.fsum([1e8, *[float(np.float32(0.1))] * 1_999_999])
    assert abs(found_of("f", values)[0][TOTAL] - exact) <= 1e-13 * exact


def test_without_the_switch_numpy_measures(monkeypatch):
    monkeypatch.setattr(native, "module", lambda name: None)
    assert compiled.summed(np.ones((1, 3)), None, wanted(KEYS)) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("f", b"\0" * 11, 1, 3, "f", None, (), (), False, np.empty(13)),
        ("f", b"\0" * 12, 1, 3, "d", b"\0" * 12, (), (), False, np.empty(13)),
        ("f", b"\0" * 12, 1, 3, "f", None, (), (), False, np.empty(12)),
        ("f", b"\0" * 12, -1, 3, "f", None, (), (), False, np.empty(13)),
        ("f", b"\0" * 12, 1 << 62, 1 << 62, "f", None, (), (), False, np.empty(13)),
        ("g", b"\0" * 12, 1, 3, "f", None, (), (), False, np.empty(13)),
        (">", b"\0" * 12, 1, 3, "f", None, (), (), False, np.empty(13)),
        ("", b"\0" * 12, 1, 3, "f", None, (), (), False, np.empty(13)),
        ("f", b"\0" * 12, 1, 3, "f", None, ((0.0, 0.0, False),) * 9, (), False, np.empty(30)),
        ("f", b"\0" * 12, 1, 3, "f", None, (), (0.0,) * 9, False, np.empty(30)),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_read(arguments):
    with pytest.raises(ValueError, match=r"bytes|type|shape|more"):
        statistics.rows(*arguments)
