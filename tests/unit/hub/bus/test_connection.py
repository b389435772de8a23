"""Pauses between attempts to connect, and URLs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.bus.connection import Backoff, parameters_of
from schemas.errors import BusFault


@given(st.floats(0.01, 10), st.floats(10, 600), st.integers())
def test_pauses_double_up_to_the_cap_with_jitter(first_s: float, cap_s: float, seed: int) -> None:
    backoff = Backoff(first_s, cap_s, random.Random(seed))
    for attempt in range(100):
        longest = min(cap_s, first_s * 2**attempt)
        assert longest / 2 <= backoff.next_s() <= longest
    backoff.reset()
    assert backoff.next_s() <= first_s


def test_parameters_have_a_heartbeat_and_a_purpose() -> None:
    found = parameters_of("amqp://hub:secret@broker.example:5673/tra-vinh", "hub publish")
    assert (found.host, found.port, found.virtual_host, found.heartbeat) == ("broker.example", 5673, "tra-vinh", 30)
    assert found.client_properties == {"connection_name": "hub publish"}
    assert parameters_of("amqp://broker/?heartbeat=5", "hub publish").heartbeat == 5


@pytest.mark.parametrize(
    "url", ["amqp://hub:secret@broker:port/", "amqp://hub:secret@broker/?heartbeat=often", "amqp://secret@broker/"]
)
def test_a_url_that_makes_no_sense_is_a_fault_without_the_password(url: str) -> None:
    with pytest.raises(BusFault, match=r"^bus\.url: .* — write amqp://user:password@host:5672/vhost$") as caught:
        parameters_of(url, "hub publish")
    assert "secret" not in str(caught.value)
    assert "NoneType" not in str(caught.value)
