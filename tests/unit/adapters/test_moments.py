"""Times as sources write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from adapters.moments import Reader, ReadFormat, WriteFormat, Writer

AT = datetime(2017, 1, 3, 1, 2, 3, tzinfo=UTC)
FORMATS = [
    ("dd/MM/yyyy HH:mm:ss", "03/01/2017 08:02:03"),
    ("yyyyMMddHHmmss", "20170103080203"),
    ("yyyy-MM-dd'T'HH:mm:ss", "2017-01-03T08:02:03"),
    ("iso", "2017-01-03T08:02:03+07:00"),
    ("/Date(ms)/", "/Date(1483405323000)/"),
    ("epoch-ms", "1483405323000"),
]


@pytest.mark.parametrize(("format_", "text"), FORMATS)
def test_each_format_both_ways(format_: str, text: str) -> None:
    assert Writer(format_)(AT.replace(microsecond=999_999)) == text
    assert Reader(format_)(f" {text} ") == AT


@given(
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001 - made aware below
    st.sampled_from([format_ for format_, _ in FORMATS]),
)
def test_what_is_written_is_read_to_the_second(at: datetime, format_: str) -> None:
    aware = at.replace(tzinfo=UTC)
    assert Reader(format_)(Writer(format_)(aware)) == aware.replace(microsecond=0)


@pytest.mark.parametrize("value", [None, "", "hôm qua", "31/02/2017 08:00:00", True, {}, 1.5, "99999999999999999"])
def test_what_is_no_time_is_none(value: Any) -> None:
    assert Reader(["dd/MM/yyyy HH:mm:ss", "epoch-ms"])(value) is None


def test_the_first_format_that_fits_is_taken() -> None:
    assert Reader(["dd/MM/yyyy", "iso"])("2017-01-03T08:02:03") == AT


def test_a_format_that_means_nothing_is_refused_with_the_mend() -> None:
    class Settings(BaseModel):
        read: ReadFormat = "iso"
        write: WriteFormat = "iso"

    with pytest.raises(ValidationError, match="write yyyy"):
        Settings(read=["iso", "dd/MM/YYYY"])
    with pytest.raises(ValidationError, match="which is for reading"):
        Settings(write="d/M/yyyy")
