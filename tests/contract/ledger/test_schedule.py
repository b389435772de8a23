"""Random schedules of everything that happens to a ledger, held against a small model after each step (model.py)."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from hub.ledger import Ledger
from hub.ledger.audit import By
from hub.ledger.lanes import Standing
from hub.ledger.states import ItemState
from hub.ledger.unknowns import Verdict
from hub.ledger.values import Claim, Outcome
from hub.ports import Fault, FaultClass, Mode, Receipt, Result, Ticket, Unknown
from hub.retry import RetryPolicy, Sent, holds, verdict
from schemas.errors import LeaseLostError
from schemas.record import KINDS
from tests.contract.ledger.bench import SECOND, START, Bench, Spec, books, dossier, empty, refused, sqlite_url, step
from tests.contract.ledger.model import Dispatch, Model, Portal, Row
from tests.support.proof import THOROUGH, record

LANES = ["H59-1", "H59-2", "H59-3"]
BRINGS = ["d", "d", "ds", "dd", "dsd", "s", "sd", "sds", "D", "o", "t", "n", "N", "f", "e", "S", "x", "F", "dsxoF"]
"""What arrivals bring: a (d)ossier's next revision, the same (D), an (o)lder one, a (t)ie, one with (n)o source time,
the same (N), one from the (f)uture; a (s)tep, an (e)arlier one, the (S)ame; a refused row (x), a (F)oreign one."""
MOODS = [
    "takes", "takes", "takes", "takes", "takes", "refuses", "refuses the first", "refuses all", "throttles", "is down",
    "loses it", "takes and loses the answer", "takes and is down", "forgets results", "gives back", "says nothing yet",
    "says nothing yet",
]  # fmt: skip
HAPPENINGS = [
    "settle", "settle", "settle", "due", "due", "due", "send", "send", "send", "send", "send", "send", "answer",
    "late", "return", "die", "die", "abandon", "resolve", "resolve", "postpone", "replay", "discard", "gate", "open",
    "sweep", "lose the lease", "same name", "undecodable", "another worker", "send anything", "jump", "person",
]  # fmt: skip
POLICY = RetryPolicy(first_s=1.0, cap_s=60.0, limit=3)
SQL = (
    "SELECT d.id, d.destination, d.lane, h.key, d.number, d.event, d.state, d.gen, d.call_id, d.due_us, "
    "d.queued_until_us, d.possibly_twice, d.reason FROM dispatch d JOIN head h ON h.id = d.head_id ORDER BY d.id"
)


@dataclass
class Sending:
    """One request on its way."""

    to: str
    call: int
    worker: str
    mode: Mode
    members: list[Ticket]
    results: list[Result] | None = None
    """What the portal made of it, known to nobody yet."""


class Schedule(RuleBasedStateMachine):
    """Everything in any order; what the ledger then shows must be what the model says."""

    begin_on: Callable[[], Bench]
    """Opens a bench on an empty ledger."""
    counts: Counter[str]

    @initialize(
        windows=st.tuples(*[st.sampled_from([1, 2, 100])] * 2),
        looks_up=st.tuples(st.booleans(), st.booleans()),
        resend=st.booleans(),
        strict=st.booleans(),
    )
    def begin(self, windows: tuple[int, int], looks_up: tuple[bool, bool], resend: bool, strict: bool) -> None:
        self.bench = type(self).begin_on()
        for to, window, asks in zip("np", windows, looks_up, strict=True):
            self.bench.rule(to, window=window, can_look_up=asks, resend_events=resend)
        self.bench.die()
        self.portals = {to: Portal(strict=strict) for to in "np"}
        self.model = Model(dict(zip("np", windows, strict=True)), self.portals)
        self.broken = False
        self.turn = 0
        self.items: Counter[str] = Counter()
        self.tickets: list[Ticket] = []
        """What the bus holds; it forgets nothing, so that any ticket may come a second time."""
        self.calls: list[Sending] = []
        """Requests whose answer may still come, though the worker may be thought dead."""
        self.other: Ledger | None = None
        self.counts["schedules"] += 1

    def teardown(self) -> None:
        if not hasattr(self, "bench"):
            return
        try:
            if not self.broken:
                self.heal()
                taken = [one for portal in self.portals.values() for lane in portal.taken.values() for one in lane]
                self.counts["effects"] += len(taken)
                self.counts["possibly_twice"] += sum(one.twice for one in self.model.all.values())
        finally:
            if self.other is not None:
                self.bench.run(self.other.close())
            self.bench.close()

    @rule(
        what=st.sampled_from(HAPPENINGS),
        to=st.sampled_from("nnp"),
        lane=st.sampled_from(LANES),
        brings=st.sampled_from(BRINGS),
        mood=st.sampled_from(MOODS),
        back=st.integers(1, 4),
        seconds=st.sampled_from([0, 1, 61]),
        flag=st.booleans(),
    )
    def happen(
        self, what: str, to: str, lane: str, brings: str, mood: str, back: int, seconds: int, flag: bool
    ) -> None:
        """One rule for all: with a rule for each, Hypothesis leaves most of them out of most schedules."""
        self.broken = True
        self.counts["steps"] += 1
        match what:
            case "settle":
                self.settle(lane, brings, "np" if flag else to, lost=seconds == 61)
            case "due":
                self.turn_of_the_relay(to, seconds, lost=mood == "loses it")
            case "send" | "send anything":
                if not self.good(to):
                    self.settle(lane, "dsd"[:back], to, lost=False)
                    self.turn_of_the_relay(to, seconds, lost=False)
                if what == "send anything":
                    # What is on the bus was taken for lost.
                    self.turn_of_the_relay(to, 61, lost=False)
                self.send(to, back, mood, anything=what == "send anything")
            case "answer":
                self.answer_one(back, mood)
            case "late" if flag:
                self.late_while_sent_again(to)
            case "late":
                self.late(back)
            case "return":
                self.bus_returns(back, seconds)
            case "die":
                self.die(take_over=flag)
            case "abandon":
                self.abandon(to)
            case "resolve" | "postpone":
                self.decide(to, answers=what == "resolve")
            case "person":
                self.send(to, back, "takes and loses the answer" if flag else "loses it", anything=False)
                self.person_decides(to, ("resend", "delivered", "discard")[back % 3])
            case "replay":
                self.replay(1 if flag else 100)
            case "discard":
                self.discard(flag)
            case "gate" | "open":
                self.set_gate(to, "open" if what == "open" else "held" if flag else "paused")
            case "sweep":
                # In one process nothing is ever stranded: the sweep is for what nobody has thought of.
                assert self.bench.run(self.bench.ledger.sweep(to)) == 0
                self.see()
            case "lose the lease":
                self.lose_the_lease(lane)
            case "same name":
                self.same_name(lane)
            case "undecodable":
                assert self.bench.settle(undecodable="garbage", body=b"<").parked
                self.see()
            case "another worker":
                self.another_worker()
            case "jump":
                self.bench.clock.tick(3601 if flag else -seconds)
        self.broken = False

    # --- looking

    def see(self, go: str = "", tickets: Sequence[Ticket] = (), *, lost: bool = False) -> None:
        """Hold the ledger against the model; every ticket that it gave must be marked there (R1)."""
        self.model.see([Row(*row.values()) for row in self.bench.rows(SQL)], go)
        for ticket in tickets:
            one = self.model.all[ticket.dispatch_id]
            assert (one.state, one.gen) == ("queued", ticket.gen), f"a ticket of #{one.id} that is not marked: {ticket}"
        if not lost:
            self.tickets += tickets

    def good(self, to: str) -> list[Ticket]:
        """Tickets that are still worth something."""
        return [
            ticket
            for ticket in self.tickets
            if ticket.destination == to
            and (one := self.model.all[ticket.dispatch_id]).state == "queued"
            and one.gen == ticket.gen
        ]

    def old(self, to: str) -> list[Ticket]:
        """All tickets there were, such as have a newer one on the bus last."""
        mine = [ticket for ticket in self.tickets if ticket.destination == to]
        return sorted(mine, key=lambda t: self.model.all[t.dispatch_id].state == "queued" and t not in self.good(to))

    # --- arriving

    def settle(self, lane: str, brings: str, to: str, *, lost: bool) -> None:
        """One page. With `lost` the process forgets its tickets before it has published them."""
        now_us = self.bench.clock()
        accepted: list[Spec] = []
        numbers: list[int] = []
        specs: list[Spec] = []
        expected: Counter[str] = Counter()
        for what in brings.replace("x", "").replace("F", ""):
            spec = self.spec(what, lane)
            specs.append(spec)
            at_us = None if spec.at is None else START + int(spec.at * SECOND)
            state = self.model.arrives("s", spec.key, at_us, spec.kind + spec.content, now_us, now_us)
            expected[state] += 1
            if state == "accepted":
                accepted.append(spec)
                numbers.append(len(self.model.heads[spec.key][1]))
        refusals = [refused(len(specs), f"bad {lane}")] if "x" in brings else []
        expected.update(self.model.refuses("s", one.raw_digest, "rejected") for one in refusals)
        for destination in sorted(to):
            for spec, number in zip(accepted, numbers, strict=True):
                self.model.awaits(destination, spec.lane, spec.key, number, event=spec.event)
        settled = self.bench.settle(*specs, to=sorted(to), refusals=refusals)
        assert settled.counts == {ItemState(state): n for state, n in expected.items()}, (brings, settled.counts)
        self.items.update(expected)
        self.see("birth", settled.tickets, lost=lost)
        if "F" in brings and lane in self.model.heads:
            foreign = dossier(lane, self.turn, "theirs")
            state = self.model.arrives("other", lane, now_us, foreign.kind + foreign.content, now_us, now_us)
            assert self.bench.settle(foreign, source="other").counts == {ItemState(state): 1}
            self.items[state] += 1
            self.see()

    def spec(self, what: str, lane: str) -> Spec:
        """Make what `BRINGS` names; what asks for one there already makes a new one where there is none."""
        self.turn += 1
        at = self.turn + (self.bench.clock() - START) // SECOND
        steps = [key for key in self.model.heads if key.startswith(f"{lane}|")]
        if what == "S" and steps:
            _, seconds, who = steps[-1].split("|")
            return step(lane, int(seconds), who)
        if what in "seS":
            return step(lane, at - (50 if what == "e" else 0), str(self.turn))
        newest = self.model.heads[lane][1][-1] if lane in self.model.heads else None
        seconds_of_newest = None if newest is None or newest.at_us is None else (newest.at_us - START) // SECOND
        content = "" if newest is None else newest.content.removeprefix("dossier.v1")
        if what == "D" and newest is not None:
            return dossier(lane, seconds_of_newest, content)
        if what == "t" and seconds_of_newest is not None:
            return dossier(lane, seconds_of_newest, f"tie {self.turn}")
        if what == "o":
            return dossier(lane, -self.turn, "old")
        if what in "nN":
            return dossier(lane, None, content if what == "N" and content else str(self.turn))
        return dossier(lane, at + (3600 if what == "f" else 0), str(self.turn))

    def lose_the_lease(self, lane: str) -> None:
        """R13: who reads a page while another worker takes the source over writes nothing of it."""
        late = self.bench.settlement(dossier(lane, 10**6 + self.turn, "late"), cursor={"page": self.turn})
        self.bench.execute("UPDATE source SET owner = 'another', epoch = epoch + 1 WHERE name = 's'")
        with pytest.raises(LeaseLostError):
            self.bench.run(self.bench.ledger.settle(late))
        self.bench.execute("UPDATE source SET owner_until_us = 0 WHERE name = 's'")
        assert self.bench.cursor() == {}
        self.see()

    def same_name(self, lane: str) -> None:
        """R10: what comes under a name that was there before is the same message, whatever it holds."""
        first = self.bench.settle(refusals=[], name="m", body=b"<>")
        again = self.bench.settle(dossier(lane, 10**6 + self.turn, "other"), name="m")
        assert (again.again, again.arrival_id) == (True, first.arrival_id)
        self.see()

    # --- going out

    def turn_of_the_relay(self, to: str, seconds: int, *, lost: bool) -> None:
        self.bench.clock.tick(seconds)
        now_us = self.bench.clock()
        self.model.expires(to, now_us)
        self.see("turn", self.bench.due(to), lost=lost)
        may = self.model.looks_for_probe(to, now_us)
        tickets = self.bench.probe(to, for_s=5)
        assert len(tickets) <= may, f"{tickets} passed the gate {self.model.gates[to]}"
        if tickets:
            self.model.probe_us[to] = now_us + 5 * SECOND
        self.see("probe", tickets, lost=lost)

    def bus_returns(self, back: int, again_in_s: int) -> None:
        for ticket in self.tickets[-back:][:1]:
            self.bench.run(self.bench.ledger.returned([ticket], again_in_s))
            self.model.returned((ticket.dispatch_id, ticket.gen))
            self.see()

    def set_gate(self, to: str, state: str) -> None:
        assert self.bench.gate(state, to) is (self.model.gates[to] != state)
        self.model.gate(to, state)
        self.see()

    # --- being sent

    def send(self, to: str, back: int, mood: str, *, anything: bool) -> None:
        """Claim tickets, mostly such as are still good, as the deliverer does; what is not answered may be later."""
        ledger = self.bench.ledger
        chosen = (self.old(to) if anything else self.good(to))[-back:]
        # Of one dispatch the newest generation alone.
        newest = {t.dispatch_id: t for t in sorted(chosen, key=lambda t: t.gen)}
        made = [
            Sending(to, ledger.next_call_id(), ledger.worker, mode, entries)
            for mode, entries in batches(list(newest.values()))
        ]
        claims = [
            Claim(call.call, call.mode, "m", "p", [(p.dispatch_id, p.gen) for p in call.members]) for call in made
        ]
        if anything:
            # Another consumer may have got the same tickets: they are claimed as they came.
            claims += [Claim(ledger.next_call_id(), Mode.NEW, "m", "p", [(t.dispatch_id, t.gen)]) for t in chosen]
        expected = [self.model.claims(to, claim.call_id, claim.members) for claim in claims]
        taken = self.bench.run(ledger.claim(to, claims)).ids
        assert taken == {id_ for ids in expected for id_ in ids}, "what was claimed is not what was still queued"
        self.see()
        for call, ids in zip(made, expected, strict=False):
            call.members = [entry for entry in call.members if entry.dispatch_id in ids]
            if call.members:
                self.calls.append(call)
                self.answer(call, mood)

    def answer_one(self, back: int, mood: str) -> None:
        """Something becomes of a request, perhaps long after its worker was given up: then its socket is closed, and
        what the portal has not taken by then it never takes."""
        if len(self.calls) >= back:
            self.answer(self.calls[-back], mood)

    def answer(self, call: Sending, mood: str) -> None:
        if mood == "says nothing yet":
            return
        if call.results is None:
            call.results = self.at_the_portal(call, mood)
        if mood not in ("loses it", "takes and loses the answer") or not any(
            isinstance(one, Receipt) for one in call.results
        ):
            self.calls.remove(call)
        told = [
            Unknown(one.dispatch_id, "the answer was lost", down=mood == "takes and is down")
            if mood.startswith("takes and") and isinstance(one, Receipt)
            else one
            for one in call.results
        ]
        self.finish(call, told, given_back=mood == "gives back")

    def late(self, back: int) -> None:
        """The answer that was thought lost comes."""
        known = [call for call in self.calls if call.results is not None]
        if len(known) >= back:
            call = known[-back]
            self.calls.remove(call)
            assert call.results is not None
            self.finish(call, call.results, given_back=False)

    def late_while_sent_again(self, to: str) -> None:
        """The worst moment for it: the same dispatch is being sent by another call."""
        self.send(to, 2, "says nothing yet", anything=False)
        self.die(take_over=False)
        self.bench.clock.tick(61)
        self.decide(to, answers=True)
        self.turn_of_the_relay(to, 0, lost=False)
        self.send(to, 4, "says nothing yet", anything=False)
        self.late(1)

    def at_the_portal(self, call: Sending, mood: str) -> list[Result]:
        """What the portal makes of a request, in its order."""
        portal = self.portals[call.to]
        results: list[Result] = []
        for at, entry in enumerate(call.members):
            one, id_ = self.model.all[entry.dispatch_id], entry.dispatch_id
            if mood == "refuses" or (mood == "refuses the first" and not at):
                fault = FaultClass.TRANSIENT if mood == "refuses" else FaultClass.DATA
                results.append(Fault(id_, fault, "1", "no"))
            elif mood == "refuses all":
                results.append(Fault(id_, FaultClass.DATA, "1", "no", whole_batch=True))
            elif mood == "throttles":
                results.append(Fault(id_, FaultClass.THROTTLED, "429", "slowly", retry_after_s=61))
            elif mood == "is down":
                results.append(Fault(id_, FaultClass.DOWN, "503", "away"))
            elif mood in ("loses it", "gives back"):
                results.append(Unknown(id_, "nobody knows"))
            elif self.has_it(portal, one, call.mode):
                results.append(Fault(id_, FaultClass.ALREADY_THERE, "2", "it is there"))
            else:
                portal.take(one)
                forgotten = mood == "forgets results" and at
                results.append(Unknown(id_, "the answer does not name it") if forgotten else Receipt(id_))
        return results

    def has_it(self, portal: Portal, one: Dispatch, mode: Mode) -> bool:
        if not portal.strict:
            return False
        return bool(portal.times(one)) if one.event else mode is Mode.NEW and portal.has_dossier(one.lane)

    def finish(self, call: Sending, results: Sequence[Result], *, given_back: bool) -> None:
        """Record what became of a request, as the deliverer does."""
        now_us = self.bench.clock()
        entries = {entry.dispatch_id: entry for entry in call.members}
        outcomes: list[Outcome] = []
        for result in results:
            entry = entries[result.dispatch_id]
            sent = Sent(call.call, call.mode, len(call.members), entry.tries, entry.attempts)
            outcomes.append(
                Outcome(result.dispatch_id, call.call, "waiting", now_us, reason="given back")
                if given_back
                else verdict(result, sent, POLICY, now_us, 0.5)
            )
        down = "" if given_back else holds(results)
        believed = {o.dispatch_id for o in outcomes if self.model.finishes(call.call, o.dispatch_id, o.to)}
        silent = {o.dispatch_id for o in outcomes if o.to == "unknown" or given_back}
        for outcome in outcomes:
            if outcome.portal_has_it:
                self.model.known.add((call.to, self.model.all[outcome.dispatch_id].lane))
        self.model.answered(call.to, believed, silent, now_us + SECOND, down=bool(down))
        done = self.bench.run(self.bench.ledger.finish(call.to, outcomes, down=down))
        self.see("turn", done.tickets)

    # --- ends and unknown outcomes

    def die(self, *, take_over: bool) -> None:
        """SIGKILL with all in memory; what was on the wire was taken, or never is, and no answer can be written."""
        for call in self.calls:
            if call.results is None:
                call.results = self.at_the_portal(call, ["takes", "loses it"][call.call % 2])
        self.model.orphans(list(self.model.sizes))
        self.bench.die(take_over=take_over)
        if take_over:
            self.model.starts_anew()
        self.counts["kills"] += 1
        self.see("", self.bench.ledger.takeover)

    def abandon(self, to: str) -> None:
        """A loop failed: nobody owns any more what it was sending."""
        mine = [call for call in self.calls if (call.to, call.worker) == (to, self.bench.ledger.worker)]
        for call in mine:
            if call.results is None:
                call.results = self.at_the_portal(call, ["takes", "loses it"][call.call % 2])
        self.model.orphans([call.call for call in mine])
        self.bench.run(self.bench.ledger.abandon(to))
        self.see()

    def another_worker(self) -> None:
        """On PostgreSQL two processes share the work; from now on it is the other one's turn."""
        if self.bench.postgres:
            if self.other is None:
                self.other = self.bench.start()
            self.bench.ledger, self.other = self.other, self.bench.ledger
            self.bench.execute("UPDATE source SET owner_until_us = 0")

    def decide(self, to: str, *, answers: bool) -> None:
        """R8: the portal, asked, says the truth; or cannot be asked."""
        self.bench.clock.tick(1)
        rules, ledger = self.bench.rules[to], self.bench.ledger
        opened = self.bench.unknowns(to)
        for one in opened:
            mine = self.model.all[one.dispatch_id]
            known = (to, mine.lane) in self.model.known
            assert (mine.state, one.asks(rules)) == ("unknown", not mine.event and not known and rules.can_look_up)
        asked = [one for one in opened if one.asks(rules)]
        rest = [one for one in opened if not one.asks(rules)]
        self.bench.run(ledger.resolve(to, rest, {}))
        for one in rest:
            if rules.resend_events or not one.event:
                self.model.resolves(one.dispatch_id, maybe=True)
        if not answers:
            self.bench.run(ledger.postpone(asked, 5, "it cannot be asked"))
        else:
            shown = {one.lane: self.portals[to].has_dossier(one.lane) for one in asked}
            self.bench.run(ledger.resolve(to, asked, shown))
            self.model.known |= {(to, lane) for lane, has in shown.items() if has}
            self.model.released -= {(to, lane) for lane, has in shown.items() if not has}
            for one in asked:
                self.model.resolves(one.dispatch_id, maybe=shown[one.lane])
        self.see()

    def person_decides(self, to: str, verdict: Verdict) -> None:
        """Somebody asks the portal's people about an outcome, or gives it up; of what was taken they say the truth."""
        unknown = [one for one in self.model.all.values() if (one.to, one.state) == (to, "unknown")][:1]
        for one in unknown:
            if verdict == "delivered" and not self.portals[to].times(one):
                verdict = "resend"
            done = self.bench.run(self.bench.ledger.decide([one.id], verdict, By("lan", "asked")))
            assert (done.decided, done.left) == (1, ())
            self.model.person_decides(one.id, verdict)
            self.counts["decided"] += 1
            self.see()

    def replay(self, at_most: int) -> None:
        dead = [one.id for one in self.model.all.values() if one.state == "dead"][:at_most]
        for id_ in dead:
            self.model.replays(id_)
        result = self.bench.replay(*dead)
        enqueued = [id_ for id_ in dead if self.model.all[id_].state == "waiting"]
        assert (result.shown, result.enqueued) == (len(dead), len(enqueued)), "R11: the sum does not hold"
        assert {one.dispatch_id for one in result.superseded} == set(dead) - set(enqueued)
        self.see()

    def discard(self, first: bool) -> None:
        """R6: discarding releases what waits behind it."""
        dead = [one.id for one in self.model.all.values() if one.state == "dead"]
        chosen = dead[:1] if first else dead[-1:]
        for id_ in chosen:
            self.model.discards(id_)
        assert self.bench.discard(*chosen, 10**9).discarded == len(chosen)
        self.counts["discarded"] += len(chosen)
        self.see()

    # --- the end

    def heal(self) -> None:
        """With portals that are well all comes to its end: nothing is lost, and each holds the newest."""
        bench, model = self.bench, self.model
        for to in "np":
            bench.rule(to, resend_events=True)
        bench.execute("UPDATE dispatch SET due_us = 1 WHERE state = 'unknown'")
        self.die(take_over=False)
        for to in "np":
            self.set_gate(to, "open")
        for _ in range(12):
            bench.clock.tick(3601)
            self.replay(100)
            for to in "np":
                self.decide(to, answers=True)
                self.turn_of_the_relay(to, 0, lost=False)
                while self.good(to):
                    self.send(to, 4, "takes", anything=False)
            if not bench.run(bench.ledger.movable()):
                break
        assert bench.run(bench.ledger.movable()) == 0
        for (to, lane), dispatches in model.lanes.items():
            self.at_its_end(to, lane, dispatches)
        books(bench)
        states = Counter(row["state"] for row in bench.rows("SELECT state FROM item"))
        assert states == {state: n for state, n in self.items.items() if n}

    def at_its_end(self, to: str, lane: str, dispatches: Sequence[Dispatch]) -> None:
        snapshots = [one for one in dispatches if not one.event]
        taken = self.portals[to].taken[lane]
        kept = [one for one in snapshots if one.state != "discarded"]
        if not kept and (to, lane) not in self.model.released | self.model.known:
            assert {one.state for one in dispatches if one not in snapshots} <= {"waiting", "discarded"}, (to, lane)
            return
        if not snapshots:
            assert (taken, {one.state for one in dispatches}) == ([], {"waiting"}), (to, lane)
            return
        # What a person gave up may be with the portal or not; all else is, and nothing goes back in time.
        rest = [one for one in dispatches if one.state != "discarded"]
        if (to, lane) not in self.model.released | self.model.known:
            assert all(one.state == ("waiting" if one.event else "superseded") for one in rest), (to, lane, rest)
            return
        assert {one.state for one in rest} <= {"delivered", "superseded"}, (to, lane, dispatches)
        told = [one.id for one in taken if not one.event]
        if snapshots[-1].state != "discarded":
            assert told[-1] == snapshots[-1].id, f"{to} does not hold the newest of {lane}"
        newest = [one.id for one in rest if not one.event and one.state == "delivered"][-1:]
        assert told[-1:] >= newest, (to, lane)
        steps = dict.fromkeys(one.id for one in taken if one.event and one.state != "discarded")
        assert list(steps) == [one.id for one in rest if one.event], (to, lane)


def batches(tickets: Sequence[Ticket]) -> Iterator[tuple[Mode, list[Ticket]]]:
    """Requests as an adapter makes them: all new, all updates or all events; what is to go alone goes alone (R14)."""

    def mode(entry: Ticket) -> Mode:
        return (
            Mode.EVENT if KINDS[entry.kind].event else Mode.UPDATE if entry.standing == Standing.PRESENT else Mode.NEW
        )

    for (kind, limit), group in groupby(
        sorted(tickets, key=lambda p: (mode(p), p.batch_limit)), lambda p: (mode(p), p.batch_limit)
    ):
        entries = list(group)
        size = limit or len(entries)
        for at in range(0, len(entries), size):
            yield kind, entries[at : at + size]


def play(begin_on: Callable[[], Bench], schedules: int, ledger: str) -> None:
    """Run so many schedules of forty steps."""
    counts: Counter[str] = Counter()

    class Here(Schedule):
        pass

    Here.begin_on, Here.counts = staticmethod(begin_on), counts
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=schedules,
            stateful_step_count=40,
            deadline=None,
            derandomize=not THOROUGH,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    facts: dict[str, Any] = {
        name: counts[name] for name in ("schedules", "steps", "kills", "effects", "possibly_twice")
    }
    record("schedule", ledger=ledger, **facts)
    assert counts["kills"] > counts["schedules"], counts
    assert counts["possibly_twice"], counts
    assert counts["discarded"], counts
    assert counts["decided"], counts


def test_r1_to_r14_hold_under_any_schedule_on_sqlite(migrated: Path) -> None:
    # What is killed here is only this side's memory, so nothing depends on the disk.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        path = Path(folder) / "hub.db"

        def begin_on() -> Bench:
            for left in Path(folder).iterdir():
                left.unlink()
            shutil.copy(migrated, path)
            return Bench(sqlite_url(path))

        play(begin_on, 1500 if THOROUGH else 75, "sqlite")


def test_r1_to_r14_hold_under_any_schedule_on_postgresql(postgres_database: str) -> None:
    careless = f"{postgres_database}?options=-csynchronous_commit%3Doff"

    def begin_on() -> Bench:
        empty(careless)
        return Bench(careless)

    play(begin_on, 500 if THOROUGH else 25, "postgresql")
