"""Deadline classification, and the figures of Trà Vinh 2017."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.deadline import OnTimeFigures, Timeliness, classify

DUE, BEFORE, AFTER = date(2017, 3, 22), date(2017, 3, 21), date(2017, 3, 23)


@pytest.mark.parametrize("status", [9, 10])
@pytest.mark.parametrize(
    ("due_on", "finished_on", "timeliness"),
    [
        (DUE, BEFORE, Timeliness.EARLY),
        (DUE, DUE, Timeliness.ON_DUE_DATE),
        (DUE, AFTER, Timeliness.LATE),
        (None, AFTER, Timeliness.ON_DUE_DATE),
    ],
)
def test_finished(status: int, due_on: date | None, finished_on: date, timeliness: Timeliness) -> None:
    for today in (BEFORE, AFTER):
        assert classify(status, due_on, finished_on, today) is timeliness


@pytest.mark.parametrize("status", [2, 4, 5, 6, 8])
def test_in_progress(status: int) -> None:
    assert classify(status, DUE, None, BEFORE) is Timeliness.WITHIN_TIME
    assert classify(status, DUE, None, DUE) is Timeliness.WITHIN_TIME
    assert classify(status, DUE, None, AFTER) is Timeliness.OVERDUE
    assert classify(status, None, None, AFTER) is Timeliness.WITHIN_TIME


@pytest.mark.parametrize("status", [1, 3, 7])
def test_no_deadline_runs(status: int) -> None:
    assert classify(status, DUE, None, AFTER) is Timeliness.NOT_COUNTED


def test_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="status 9 needs its finish date"):
        classify(9, DUE, None, AFTER)
    with pytest.raises(ValueError, match="11 is not a valid DossierStatus"):
        classify(11, DUE, None, AFTER)


def test_tra_vinh_2017() -> None:
    figures = OnTimeFigures.of(
        [Timeliness.ON_DUE_DATE] * 65 + [Timeliness.EARLY] * 1856 + [Timeliness.LATE] * 81,
    )
    assert figures == OnTimeFigures(received=2002, on_due_date=65, early=1856, late=81)
    assert figures.on_time_rate == 95.95
    assert (figures.finished, figures.not_counted) == (2002, 0)


def test_sums_agencies() -> None:
    one = OnTimeFigures(received=10, early=3, late=1, within_time=2, overdue=1)
    other = OnTimeFigures(received=5, on_due_date=2, within_time=3)
    assert one + other == OnTimeFigures(15, 2, 3, 1, 5, 1)
    assert one.not_counted == 3
    assert sum([one, other], OnTimeFigures()) == one + other


@pytest.mark.parametrize(
    ("on_time", "finished", "rate"),
    [
        (0, 0, None),
        (0, 7, 0.0),
        (7, 7, 100.0),
        (1, 3, 33.33),
        (2, 3, 66.67),
        (1, 800, 0.13),
        (3, 800, 0.38),
        (1, 20001, 0.0),
    ],
)
def test_rate_has_two_decimals_halves_up(on_time: int, finished: int, rate: float | None) -> None:
    assert OnTimeFigures(received=finished, early=on_time, late=finished - on_time).on_time_rate == rate


def test_figures_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="figures that cannot be"):
        OnTimeFigures(received=1, early=2)
    with pytest.raises(ValueError, match="figures that cannot be"):
        OnTimeFigures(received=1, early=-1)
