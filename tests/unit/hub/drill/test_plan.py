"""The script of a drill."""

from __future__ import annotations

from hub.drill.plan import BROKER, FAULTS, OF_A_PORTAL, WORKER, rounds


def test_every_fault_of_every_portal_comes_once_and_the_kill_last() -> None:
    every = [fault.name for fault in OF_A_PORTAL]
    script = rounds({"a": every, "b": ["429", "500-storm"]}, [WORKER, BROKER])
    met = [(name, fault.name) for one in script for name, fault in one.portals.items()]
    assert sorted(met) == sorted([("a", name) for name in every] + [("b", "429"), ("b", "500-storm")])
    assert [one.hub.name for one in script if one.hub is not None] == [BROKER, WORKER]
    assert script[-1].hub is FAULTS[WORKER]


def test_what_is_not_a_fault_is_nobodys() -> None:
    assert rounds({"a": ["linger"]}) == []
