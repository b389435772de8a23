"""The window of unconfirmed publishes: whatever a broker answers, every ticket gets one answer, in its place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.bus.window import Batch, Window
from hub.ports import Confirmed, Returned
from tests.services.rabbitmq import confirmed, reasons, ticket


def batch_of(count: int, window: Window, *, size: int = 2) -> tuple[Batch, list[str]]:
    completed: list[str] = []
    batch = Batch([ticket(n) for n in range(1, count + 1)], lambda: completed.append("complete"))
    for index in range(count):
        window.sent(batch, index, size)
    return batch, completed


def test_multiple_confirms_all_up_to_its_tag() -> None:
    window = Window(10, 1000)
    batch, completed = batch_of(5, window)
    window.confirmed(3, multiple=True, taken=True)
    assert confirmed(batch.answers) == [1, 2, 3]
    window.confirmed(5, multiple=False, taken=True)
    assert (len(window), completed) == (1, [])
    window.confirmed(0, multiple=True, taken=True)  # 0: all there are
    assert confirmed(batch.answers) == [1, 2, 3, 4, 5]
    assert completed == ["complete"]


def test_a_nack_returns() -> None:
    window = Window(10, 1000)
    batch, _ = batch_of(3, window)
    window.confirmed(2, multiple=True, taken=False)
    window.confirmed(3, multiple=False, taken=True)
    assert reasons(batch.answers) == ["the broker refused it (nack)"] * 2
    assert confirmed(batch.answers) == [3]


def test_a_bounced_message_is_returned_although_it_is_confirmed() -> None:
    window = Window(10, 1000)
    batch, _ = batch_of(3, window)
    window.bounced(2, 1, "unroutable")
    window.bounced(77, 1, "unroutable")
    window.confirmed(3, multiple=True, taken=True)
    assert [type(answer) for answer in batch.answers] == [Confirmed, Returned, Confirmed]


def test_a_loss_returns_the_rest_and_the_next_channel_counts_from_one() -> None:
    window = Window(10, 1000)
    first, _ = batch_of(3, window)
    window.confirmed(1, multiple=False, taken=True)
    window.lost("reconnecting: gone")
    assert reasons(first.answers) == ["reconnecting: gone"] * 2
    second, _ = batch_of(1, window)
    window.confirmed(1, multiple=False, taken=True)
    assert confirmed(second.answers) == [1]


def test_a_forgotten_batch_gives_its_room_back_and_late_confirms_find_nothing() -> None:
    window = Window(3, 1000)
    slow, _ = batch_of(3, window)
    assert window.full
    window.forget(slow, "not confirmed in 30 s")
    assert (len(window), window.roomy) == (0, True)
    other, _ = batch_of(1, window)
    window.confirmed(3, multiple=True, taken=True)
    assert len(other.answers) == 0
    window.confirmed(4, multiple=False, taken=True)
    assert confirmed(other.answers) == [1]
    assert reasons(slow.answers) == ["not confirmed in 30 s"] * 3


def test_large_bodies_fill_the_window_before_many_messages_do() -> None:
    window = Window(100, 1000)
    batch_of(2, window, size=499)
    assert (window.full, window.roomy) == (False, False)
    batch_of(1, window, size=2)
    assert (window.full, window.roomy) == (True, False)
    window.confirmed(1, multiple=False, taken=True)
    assert (window.full, window.roomy) == (False, False)
    window.confirmed(2, multiple=False, taken=True)
    assert (window.full, window.roomy) == (False, True)


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.booleans()), max_size=60))
def test_every_ticket_gets_one_answer_in_its_place(count: int, frames: list[tuple[int, bool, bool]]) -> None:
    window = Window(100, 10_000)
    batch, completed = batch_of(count, window)
    for tag, multiple, taken in frames:
        window.confirmed(tag, multiple=multiple, taken=taken)
        assert len(window) == batch.left
    window.lost("gone")
    assert [answer.ticket.dispatch_id for answer in batch.answers] == list(range(1, count + 1))
    assert completed == ["complete"]
    assert window.roomy
