"""What follows a portal's answer: delivered, again at a due time, dead, or unknown. Pure; the ledger records the
verdict.

Exponential backoff with full jitter and a cap: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
2015.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.ledger.values import SECOND_US, Outcome
from hub.ports import Fault, FaultClass, Mode, Receipt, Result, Unknown


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed call is made again; times in seconds."""

    first_s: float = 1.0
    cap_s: float = 300.0
    limit: int = 20
    """Attempts that may fail by their own fault before a dispatch is dead."""
    unknown_wait_s: float = 1.0
    """How long an unknown outcome is left to settle before the portal is asked, at least."""
    give_up_after_s: float | None = None
    """The age at which what fails once more is dead, whatever attempts it has left; None: no end by age."""
    classes: Mapping[str, RetryPolicy] = field(default_factory=dict)
    """What holds instead for a class of faults (transient, throttled, already-there, unknown), whole."""

    def of(self, name: str) -> RetryPolicy:
        """Return what holds for a class of faults."""
        return self.classes.get(name, self)

    @property
    def ages(self) -> bool:
        """Whether the age of what fails has to be known."""
        return any(one.give_up_after_s is not None for one in (self, *self.classes.values()))


@dataclass(frozen=True, slots=True)
class Sent:
    """What is known of one member of a call before its result is looked at."""

    call_id: int
    mode: Mode
    members: int
    tries: int
    """Calls made before this one."""
    attempts: int
    """Of these, the ones that count towards the limit."""
    age_s: float = 0.0
    """For how long it could have been sent: the time behind a closed gate is no part of it (R14)."""
    blamed: bool = False
    """Whether its unknown outcome is its own fault: alone it brings a portal down that serves all others."""


def backoff_s(policy: RetryPolicy, tries: int, chance: float) -> float:
    """Return how long to wait after the call number `tries` (0 is the first); `chance` in [0, 1) is the full jitter."""
    return min(policy.cap_s, policy.first_s * 2.0 ** min(tries, 40)) * chance


def verdict(result: Result, sent: Sent, policy: RetryPolicy, now_us: int, chance: float) -> Outcome:
    """Decide what becomes of one member of a call.

    Only what is a dispatch's own fault counts towards its limit: not a portal that is down or refuses the log-in (its
    gate is held, see `holds`), nor a throttle, nor a batch refused whole, which is halved until the culprit stands
    alone (R14). An end by age is one of dispatches whose failure is their own, or nobody's; `sent.age_s` is read
    only where the policy has such an end.
    """
    match result:
        case Receipt():
            return Outcome(result.dispatch_id, sent.call_id, "delivered")
        case Unknown():
            return _of_unknown(result, sent, policy.of("unknown"), now_us, chance)
        case Fault():
            return _of_fault(result, sent, policy, now_us, chance)


def holds(results: Iterable[Result]) -> str:
    """Return why the gate has to be held after these results, empty where it has not.

    An adapter logs in again by itself when a session dies; a `session` fault is one that it could not mend.
    """
    for result in results:
        if isinstance(result, Fault) and result.fault in (FaultClass.DOWN, FaultClass.SESSION):
            return result.text
        if isinstance(result, Unknown) and result.down:
            return result.text
    return ""


def spoken(seconds: float) -> str:
    """Return a duration for people, in the largest unit of which there are two: `7 days`, `36 hours`, `90 seconds`."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} seconds"


def _of_unknown(unknown: Unknown, sent: Sent, policy: RetryPolicy, now_us: int, chance: float) -> Outcome:
    """An unknown outcome is no failure: it has no end by attempts, but where the record itself is to blame.

    What ends here may have been taken, so it counts as possibly twice, should it be replayed.
    """
    end = ""
    if sent.blamed and sent.attempts + 1 >= policy.limit:
        end = f"given up after {policy.limit} tries alone, after none of which its outcome was known"
    elif _too_old(sent, policy):
        end = _given_up(policy)
    # Longer each time: what always ends like this is sent again and again, and must not press the portal.
    wait_s = max(policy.unknown_wait_s, backoff_s(policy, sent.tries, chance))
    return Outcome(
        unknown.dispatch_id,
        sent.call_id,
        "dead" if end else "unknown",
        None if end else now_us + int(wait_s * SECOND_US),
        reason=f"{end}: {unknown.text}"[:500] if end else unknown.text,
        fault="unknown",
        text=unknown.text,
        spend=sent.blamed,
        possibly_twice=bool(end),
    )


def _too_old(sent: Sent, policy: RetryPolicy) -> bool:
    return policy.give_up_after_s is not None and sent.age_s >= policy.give_up_after_s


def _given_up(policy: RetryPolicy) -> str:
    return f"given up after {spoken(policy.give_up_after_s or 0.0)} of trying"


def serves(results: Iterable[Result]) -> bool:
    """Whether a request shows that the portal works: it said something final about each member."""
    settled = (FaultClass.DATA, FaultClass.ALREADY_THERE)
    said = [isinstance(one, Receipt) or (isinstance(one, Fault) and one.fault in settled) for one in results]
    return bool(said) and all(said)


def _of_fault(fault: Fault, sent: Sent, policy: RetryPolicy, now_us: int, chance: float) -> Outcome:
    policy = policy.of(fault.fault.value)
    wait_s = backoff_s(policy, sent.tries, chance)
    spend = portal_has_it = ages = False
    batch_limit = 0
    whole = fault.whole_batch and sent.members > 1
    match fault.fault:
        case FaultClass.DATA | FaultClass.ALREADY_THERE if whole:
            wait_s, batch_limit = 0.0, _half(sent.members)
        case FaultClass.ALREADY_THERE if sent.mode is Mode.EVENT:
            return Outcome(fault.dispatch_id, sent.call_id, "delivered")
        case FaultClass.ALREADY_THERE if sent.mode is Mode.NEW:
            wait_s, portal_has_it = 0.0, True
        case FaultClass.DATA:
            return _outcome(fault, sent, "dead", None, spend=True)
        case FaultClass.DOWN | FaultClass.SESSION:
            # Should one record be what brings the portal down, it soon travels alone (see Deliver).
            wait_s, batch_limit = 0.0, _half(sent.members) if sent.members > 1 else 0
        case FaultClass.THROTTLED:
            # A portal that names no time, or one that has passed, is still not asked again at once.
            wait_s = max(wait_s if fault.retry_after_s is None else fault.retry_after_s, policy.first_s)
            ages = True
        case _:
            # TRANSIENT, and an update that is told "already there", which says nothing about the update (R8).
            spend = ages = not whole
            batch_limit = 0 if spend else _half(sent.members)
    if spend and sent.attempts + 1 >= policy.limit:
        return _outcome(fault, sent, "dead", None, spend=True, worn_out=True)
    if ages and _too_old(sent, policy):
        return _outcome(fault, sent, "dead", None, spend=spend, why=f"{_given_up(policy)}: ")
    due_us = now_us + int(wait_s * SECOND_US)
    return _outcome(fault, sent, "waiting", due_us, spend=spend, batch_limit=batch_limit, portal_has_it=portal_has_it)


def _half(members: int) -> int:
    return max(1, (members + 1) // 2)


def _outcome(
    fault: Fault,
    sent: Sent,
    to: str,
    due_us: int | None,
    *,
    spend: bool,
    batch_limit: int = 0,
    portal_has_it: bool = False,
    worn_out: bool = False,
    why: str = "",
) -> Outcome:
    said = why + " ".join(filter(None, (fault.fault.value, fault.code))) + f": {fault.text}"
    return Outcome(
        fault.dispatch_id, sent.call_id, to, due_us, reason=said[:500], fault=fault.fault.value, code=fault.code,
        text=fault.text[:2000], path=fault.path, value=fault.value, spend=spend, batch_limit=batch_limit,
        portal_has_it=portal_has_it, worn_out=worn_out,
    )  # fmt: skip
