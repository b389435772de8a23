from __future__ import annotations

import pytest

from hub.ports import Fault, FaultClass, Receipt, Result, Unknown
from hub.retry import holds
from hub.suspects import SILENT, Suspects

DOWN = Fault(1, FaultClass.DOWN, "503", "sập")
GATEWAY = Unknown(1, "HTTP 502", down=True)
LOST = Unknown(1, "no answer within 30 s")


@pytest.mark.parametrize("found", [DOWN, GATEWAY])
def test_the_blame_takes_three_times_with_others_delivered_in_between(found: Result) -> None:
    suspects, delivered = Suspects(), 0

    def held(result: Result, *, alone: bool = True, more: int = 1) -> bool:
        nonlocal delivered
        delivered += more
        judged, blamed = suspects.judged(result, delivered, alone=alone)
        assert blamed == (bool(holds([result])) and not holds([judged]))
        return bool(holds([judged]))

    assert [held(found) for _ in range(5)] == [True, True, True, False, False]
    assert held(found, more=0), "nobody was delivered since: it may be the portal"
    assert not held(found)
    assert held(found, alone=False), "in company it is not known who is to blame"
    assert [held(found) for _ in range(4)] == [True, True, True, False], "and it begins anew"
    assert not held(Receipt(1))
    assert held(found)
    assert all(held(found, more=0) for _ in range(50))


def test_what_is_blamed_keeps_what_is_known_of_it() -> None:
    suspects = Suspects()
    down, gateway = ([suspects.judged(found, n, alone=True)[0] for n in range(4)][-1] for found in (DOWN, GATEWAY))
    assert down == Fault(1, FaultClass.TRANSIENT, "503", "sập")
    assert gateway == Unknown(1, "HTTP 502"), "its outcome is not known all the same"


def test_a_portal_that_takes_and_never_answers_is_down() -> None:
    suspects = Suspects()
    heard = [bool(holds(suspects.heard([LOST, LOST]))) for _ in range(SILENT + 1)]
    assert heard == [False] * (SILENT - 1) + [True, True]
    assert not holds(suspects.heard([LOST, Receipt(2)])), "it said something"
    assert not holds(suspects.heard([LOST])), "and is asked as before"
