from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.ledger.lanes import Choice, Standing, Waiting, choose

PRESENT, ABSENT, UNKNOWN = Standing.PRESENT, Standing.ABSENT, Standing.UNKNOWN


def lane(text: str) -> list[Waiting]:
    """`d` is a snapshot of the lane's dossier, `x` one of another record, `s` an event; ids count from 1."""
    return [Waiting(i, {"d": 1, "x": 2}.get(what, 100 + i), what == "s") for i, what in enumerate(text, 1)]


@pytest.mark.parametrize(
    ("waiting", "standing", "go", "superseded"),
    [
        ("", PRESENT, None, ()),
        ("d", ABSENT, 1, ()),
        ("ddd", PRESENT, 3, (1, 2)),
        ("ddsd", PRESENT, 2, (1,)),
        ("sdd", PRESENT, 1, ()),
        ("dxd", PRESENT, 1, ()),
        ("s", ABSENT, None, ()),
        ("ss", UNKNOWN, None, ()),
        ("sdds", ABSENT, 3, (2,)),
        ("sd", UNKNOWN, 2, ()),
    ],
)
def test_r6_what_goes_next(waiting: str, standing: Standing, go: int | None, superseded: tuple[int, ...]) -> None:
    assert choose(lane(waiting), standing, dead_event=None) == Choice(go, superseded)


@pytest.mark.parametrize(("dead_event", "go"), [(1, None), (2, 1), (3, 2), (9, 2)])
def test_r6_nothing_goes_from_behind_a_dead_event(dead_event: int, go: int | None) -> None:
    assert choose(lane("dd"), PRESENT, dead_event=dead_event).go == go


@given(
    st.text("dxs", max_size=12),
    st.sampled_from(Standing),
    st.none() | st.integers(1, 13),
)
def test_r6_superseding_never_crosses_an_event_nor_another_record(
    text: str, standing: Standing, dead_event: int | None
) -> None:
    waiting = lane(text)
    chosen = choose(waiting, standing, dead_event=dead_event)
    if chosen.go is None:
        assert chosen.superseded == ()
        return
    assert dead_event is None or chosen.go < dead_event
    run = [*chosen.superseded, chosen.go]
    assert run == list(range(run[0], run[-1] + 1))
    assert len({text[i - 1] for i in run}) == 1
    free = standing in (PRESENT, Standing.RELEASED)
    if len(run) > 1 or not free:
        assert text[chosen.go - 1] != "s"
    if free:
        assert run[0] == 1, "nothing is passed over"
