from __future__ import annotations

import pytest

from hub.ledger.states import FOLLOWS, PHASE, DispatchState, Phase, becomes, step
from hub.ledger.tables import OPEN
from schemas.errors import IllegalTransition

ENDED = {DispatchState.DELIVERED, DispatchState.SUPERSEDED, DispatchState.DISCARDED}


def test_every_state_is_in_the_table() -> None:
    assert set(FOLLOWS) == set(DispatchState)
    assert {*OPEN} == {state.value for state in DispatchState} - ENDED - {"dead"}
    assert set(PHASE) == set(DispatchState)


def test_a_claim_changes_no_phase_and_every_other_step_says_its_own() -> None:
    assert becomes("sending", was="queued") == "state = 'sending'"
    assert becomes("delivered", was="sending") == "state = 'delivered', phase = 3"
    assert becomes("queued") == "state = 'queued', phase = 1"
    assert {state for state in DispatchState if PHASE[state] is Phase.OUT} == {"queued", "sending", "unknown"}


@pytest.mark.parametrize("before", DispatchState)
def test_a_step_is_allowed_or_raises(before: DispatchState) -> None:
    for after in DispatchState:
        if after in FOLLOWS[before]:
            assert step(before, after) is after
        else:
            with pytest.raises(IllegalTransition, match=f"from {before} to {after}"):
                step(before, after)


def test_r7_a_late_success_is_believed_in_every_state() -> None:
    for before in set(DispatchState) - {DispatchState.DELIVERED}:
        assert DispatchState.DELIVERED in FOLLOWS[before]


def test_r7_what_was_being_sent_never_waits_again_without_an_answer_and_what_has_ended_stays() -> None:
    assert FOLLOWS[DispatchState.DELIVERED] == frozenset()
    for ended in ENDED:
        assert FOLLOWS[ended] <= {DispatchState.DELIVERED}
    assert [b for b in DispatchState if DispatchState.UNKNOWN in FOLLOWS[b]] == [DispatchState.SENDING]
    assert [b for b in DispatchState if DispatchState.SENDING in FOLLOWS[b]] == [DispatchState.QUEUED]
