"""The rules of the ledger (docs/architecture.md) as a small model. It knows no database and imports nothing of the hub.

`Model` is told what was asked of the ledger and does the same to its own dispatches; `see` then holds the ledger's rows
against them. Where the rules leave a choice (which lane gets the room that is left), the choice is followed and
checked. `Portal` is one that takes what it is given, writes down the order, and objects to one that goes back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

OUT = ("queued", "sending", "unknown")
ENDED = ("delivered", "superseded", "discarded", "dead")
AHEAD_US = 10 * 60 * 1_000_000
POISON = 3

Place = tuple[str, str]
"""A destination and a lane."""


class Row(NamedTuple):
    """A dispatch as the ledger shows it; times in microseconds."""

    id: int
    to: str
    lane: str
    key: str
    number: int
    event: int
    state: str
    gen: int
    call: int | None
    due_us: int | None
    until_us: int | None
    twice: int
    reason: str | None


@dataclass(slots=True)
class Dispatch:
    """A dispatch as the rules have it."""

    id: int
    to: str
    lane: str
    key: str
    event: bool
    state: str = "waiting"
    gen: int = 0
    call: int | None = None
    due_us: int | None = None
    until_us: int | None = None
    orphans: int = 0
    twice: bool = False
    attempts: int = 0


@dataclass(slots=True)
class Revision:
    """One revision of a key: its source's time, its content, when its poll began."""

    at_us: int | None
    content: str
    poll_us: int
    tie: bool = False


class Portal:
    """What one portal took, per lane in its order."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        """It says `already there` to a second create, and to an event that it has."""
        self.taken: dict[str, list[Dispatch]] = defaultdict(list)
        self.released: set[str] = set()
        """Lanes whose dossier a person discarded: its steps may come without it."""

    def has_dossier(self, lane: str) -> bool:
        return any(not one.event for one in self.taken[lane])

    def times(self, dispatch: Dispatch) -> int:
        return sum(one.id == dispatch.id for one in self.taken[dispatch.lane])

    def take(self, dispatch: Dispatch) -> None:
        before = [one.id for one in self.taken[dispatch.lane] if one.event == dispatch.event]
        assert not before or before[-1] <= dispatch.id, f"the portal got #{dispatch.id} after #{before[-1]}"
        may = not dispatch.event or self.has_dossier(dispatch.lane) or dispatch.lane in self.released
        assert may, f"the step #{dispatch.id} came before its dossier"
        self.taken[dispatch.lane].append(dispatch)


@dataclass(slots=True)
class Model:
    """All dispatches, heads and gates. `windows` gives each destination's W."""

    windows: Mapping[str, int]
    portals: Mapping[str, Portal]
    all: dict[int, Dispatch] = field(default_factory=dict)
    lanes: dict[Place, list[Dispatch]] = field(default_factory=lambda: defaultdict(list))
    heads: dict[str, tuple[str, list[Revision]]] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    known: set[Place] = field(default_factory=set)
    """Where the portal is known to have the dossier."""
    released: set[Place] = field(default_factory=set)
    """Where a person discarded the dossier that the portal never got."""
    sizes: dict[int, int] = field(default_factory=dict)
    """How many dispatches travelled in a call."""
    gates: dict[str, str] = field(default_factory=lambda: defaultdict(lambda: "open"))
    probes: dict[str, int] = field(default_factory=dict)
    """The dispatch that may pass a held gate."""
    probe_us: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """When the next probe may go."""
    _probed: set[int] = field(default_factory=set)
    """Queued as probes: these take no room of the window."""
    _awaited: list[tuple[str, str, str, int, bool]] = field(default_factory=list)
    _again: dict[int, str] = field(default_factory=dict)
    """Queued dispatches whose lease may be renewed now (or given back, behind a closed gate)."""

    # --- arriving (R9)

    def arrives(self, source: str, key: str, at_us: int | None, content: str, now_us: int, poll_us: int) -> str:
        """What a record is to the ledger: its item's state."""
        if at_us is not None and at_us > now_us + AHEAD_US:
            at_us = None
        if key not in self.heads:
            self.heads[key] = (source, [Revision(at_us, content, poll_us)])
            return "accepted"
        owner, revisions = self.heads[key]
        if owner != source:
            return self.refuses(source, content, "parked")
        newest = revisions[-1]
        same_as_newest = content == newest.content
        same_as_any = any((one.at_us, one.content) == (at_us, content) for one in revisions)
        if at_us is None or newest.at_us is None:
            if poll_us < newest.poll_us:
                return "stale"
            if same_as_newest or (at_us is not None and not newest.tie and same_as_any):
                return "duplicate"
        elif at_us == newest.at_us:
            if same_as_newest or (not newest.tie and same_as_any):
                return "duplicate"
        elif same_as_any:
            return "duplicate"
        elif at_us < newest.at_us:
            return "stale"
        revisions.append(Revision(at_us, content, poll_us, tie=at_us is not None and at_us == newest.at_us))
        return "accepted"

    def refuses(self, source: str, raw: str, state: str) -> str:
        """A row that cannot be used: by its bytes it counts once."""
        if (source, raw) in self.refused:
            return "duplicate"
        self.refused.add((source, raw))
        return state

    def awaits(self, to: str, lane: str, key: str, number: int, *, event: bool) -> None:
        """A dispatch of a key's revision must be there from now on."""
        self._awaited.append((to, lane, key, number, event))

    # --- going out (R1, R2, R6)

    def front(self, place: Place) -> list[Dispatch]:
        """Which waiting dispatches may go next, the newest of them first in line; empty while one is out."""
        lane = self.lanes[place]
        if any(one.state in OUT for one in lane):
            return []
        stop = min((one.id for one in lane if one.event and one.state == "dead"), default=None)
        waiting = [one for one in lane if one.state == "waiting" and (stop is None or one.id < stop)]
        if place not in self.known and place not in self.released:
            while waiting and waiting[0].event:
                waiting.pop(0)
        if not waiting or waiting[0].event:
            return waiting[:1]
        events = [at for at, one in enumerate(waiting) if one.event]
        return waiting[: events[0] if events else None]

    def expires(self, to: str, now_us: int) -> None:
        """What was queued too long ago is queued again, or waits behind a closed gate."""
        for one in self.all.values():
            if one.to == to and one.state == "queued" and one.until_us is not None and one.until_us < now_us:
                self._goes_again(one)

    def starts_anew(self) -> None:
        """A process that starts queues all again that was queued."""
        for one in self.all.values():
            if one.state == "queued":
                self._goes_again(one)

    def _goes_again(self, one: Dispatch) -> None:
        """Queued once more, or waiting behind a closed gate; a probe whose ticket was lost makes room for the next."""
        self._again[one.id] = "queued" if self.gates[one.to] == "open" else "waiting"
        if self._again[one.id] == "waiting" and self.probes.get(one.to) == one.id:
            self.frees_probe(one.to, 0)

    def returned(self, ticket: tuple[int, int]) -> None:
        one = self.all[ticket[0]]
        if (one.state, one.gen) == ("queued", ticket[1]):
            one.state = "waiting"

    def gate(self, to: str, state: str) -> None:
        if self.gates[to] != state:
            self.gates[to] = state
            self.frees_probe(to, 0)

    def frees_probe(self, to: str, until_us: int) -> None:
        self.probes.pop(to, None)
        self.probe_us[to] = until_us

    def looks_for_probe(self, to: str, now_us: int) -> bool:
        """A held gate tries another dispatch where it is time and one is due; returns whether it may."""
        due = any(
            one.to == to and one.state == "waiting" and one.due_us is not None and one.due_us <= now_us
            for one in self.all.values()
        )
        if self.gates[to] != "held" or self.probe_us[to] > now_us or not due:
            return False
        self.frees_probe(to, now_us)
        return True

    # --- being sent (R1, R2, R4, R7)

    def claims(self, to: str, call: int, tickets: Iterable[tuple[int, int]]) -> list[int]:
        """Returns those that are sent now, in order."""
        mine = []
        for id_, gen in tickets:
            one = self.all[id_]
            if (one.state, one.gen) != ("queued", gen):
                continue
            if self.gates[to] == "open" or self.probes.get(to) == id_:
                one.state, one.call = "sending", call
                mine.append(id_)
            else:
                one.state = "waiting"
        self.sizes[call] = len(mine)
        return mine

    def orphans(self, calls: Collection[int]) -> None:
        """Whoever was sending these calls is gone."""
        for one in self.all.values():
            if one.state == "sending" and one.call is not None and one.call in calls:
                alone = self.sizes[one.call] == 1
                one.orphans += alone
                one.state = "dead" if alone and one.orphans >= POISON else "unknown"

    def finishes(self, call: int, id_: int, to: str) -> bool:
        """Returns whether the result was believed."""
        one = self.all[id_]
        mine = one.state == "sending" and one.call == call
        if to == "delivered":
            if not mine and one.state in ("sending", "delivered"):
                one.twice = one.twice or one.state == "sending"
                return False
            one.state = "delivered"
            assert self.portals[one.to].times(one), f"#{id_} counts as delivered, and the portal never got it"
            if not one.event:
                self.known.add((one.to, one.lane))
                for older in self.lanes[one.to, one.lane]:
                    if older.key == one.key and older.id < id_ and older.state in ("dead", "waiting"):
                        older.state = "superseded"
            return True
        if mine:
            one.state = to
        return mine

    def answered(
        self, to: str, believed: Collection[int], silent: Collection[int], probe_us: int, *, down: bool
    ) -> None:
        """What results do to the gate: one that is down is held, a held one whose probe was answered opens."""
        if down:
            if self.gates[to] == "open":
                self.gate(to, "held")
            if self.gates[to] == "held":
                self.frees_probe(to, probe_us)
        elif self.gates[to] == "held" and (probe := self.probes.get(to)) in believed:
            if probe in silent:
                self.frees_probe(to, probe_us)
            else:
                self.gate(to, "open")

    def resolves(self, id_: int, *, maybe: bool) -> None:
        """It goes again; with `maybe` the portal may have it, and needs no older one of the same record any more."""
        one = self.all[id_]
        one.state = "waiting"
        for older in self.lanes[one.to, one.lane] if maybe and not one.event else ():
            if older.key == one.key and older.id < id_ and older.state == "waiting":
                older.state = "superseded"

    def person_decides(self, id_: int, verdict: str) -> None:
        """What a person says of an unknown outcome counts, whatever the portal did."""
        one = self.all[id_]
        if verdict == "resend":
            self.resolves(id_, maybe=True)
            return
        one.state = "delivered" if verdict == "delivered" else "discarded"
        if one.event:
            return
        if verdict == "delivered":
            self.known.add((one.to, one.lane))
        # After one that the portal has, or may have, no older one of the same record goes.
        for older in self.lanes[one.to, one.lane]:
            dead = older.state == "dead" and verdict == "delivered"
            if older.key == one.key and older.id < id_ and (older.state == "waiting" or dead):
                older.state = "superseded"

    def replays(self, id_: int) -> None:
        one = self.all[id_]
        lane = self.lanes[one.to, one.lane]
        # One that the portal may have got counts as much as one that it surely has.
        newer = [x for x in lane if x.key == one.key and x.id > id_ and (x.state == "delivered" or x.twice)]
        one.state = "superseded" if newer and not one.event else "waiting"
        if one.state == "waiting":
            one.orphans = 0

    def discards(self, id_: int) -> None:
        """It is sent no more; where it was a dossier that the portal never got, and no other is left, its steps go."""
        one = self.all[id_]
        one.state = "discarded"
        left = [x for x in self.lanes[one.to, one.lane] if not x.event and x.state in (*OUT, "waiting", "dead")]
        if not one.event and not left and (one.to, one.lane) not in self.known:
            self.released.add((one.to, one.lane))
            self.portals[one.to].released.add(one.lane)

    # --- holding the ledger's rows against it

    def see(self, rows: Sequence[Row], go: str = "") -> None:
        """Compare, and follow what the rules leave open: which lane goes next. `go` says who may start one: `birth`,
        `turn` (of a relay, or a finish), `probe`, nobody."""
        found = {row.id: row for row in rows}
        fresh = sorted(found.keys() - self.all.keys())
        assert [found[id_][1:6] for id_ in fresh] == self._awaited, "the new dispatches are not those of the records"
        for id_ in fresh:
            row = found[id_]
            self.all[id_] = made = Dispatch(id_, row.to, row.lane, row.key, bool(row.event))
            self.lanes[row.to, row.lane].append(made)
        assert found.keys() == self.all.keys(), "a dispatch was lost"
        moved: dict[Place, list[tuple[Dispatch, Row]]] = defaultdict(list)
        for one in self.all.values():
            row = found[one.id]
            again = self._again.get(one.id)
            if again == "queued" and (row.state, row.gen) == ("queued", one.gen + 1):
                one.gen += 1
            elif again == "waiting" and row.state == "waiting":
                one.state = "waiting"
            if (row.state, row.gen) != (one.state, one.gen):
                moved[one.to, one.lane].append((one, row))
        for place, changes in moved.items():
            self._went(place, changes, go, fresh)
        for one in self.all.values():
            row = found[one.id]
            one.due_us, one.until_us, one.twice = row.due_us, row.until_us, bool(row.twice)
            assert one.state != "sending" or row.call == one.call, row
            assert one.state != "superseded" or self._named(one, row.reason), row
        self._awaited.clear()
        self._again.clear()
        self._probed &= {one.id for one in self.all.values() if one.state == "queued"}
        self._always()

    def _went(self, place: Place, changes: Sequence[tuple[Dispatch, Row]], go: str, fresh: Collection[int]) -> None:
        """Exactly one of a lane was let go, it was its turn, and it overtook those before it."""
        told = [f"#{one.id} {one.state} {one.gen} -> {row.state} {row.gen}" for one, row in changes]
        front = self.front(place)
        gone = [one for one, row in changes if (row.state, row.gen) == ("queued", one.gen + 1)]
        assert go, f"{place}: nobody asked for {told}"
        assert len(gone) == len([one for one in gone if one in front]) == 1, (
            f"{place}: {told}, not one of {ids_of(front)}"
        )
        assert go != "birth" or gone[0].id in fresh, f"{place}: {told} at a birth"
        assert go == "birth" or gone[0] is front[-1], f"{place}: {told}, but a newer one waits"
        assert go == "probe" or self.gates[place[0]] == "open", f"{place}: {told} behind a closed gate"
        for older in front[: front.index(gone[0])]:
            older.state = "superseded"
        gone[0].state, gone[0].gen = "queued", gone[0].gen + 1
        assert all((row.state, row.gen) == (one.state, one.gen) for one, row in changes), f"{place}: {told}"
        if go == "probe":
            self.probes[place[0]] = gone[0].id
            self._probed.add(gone[0].id)

    def _named(self, one: Dispatch, reason: str | None) -> bool:
        """Whether a superseded one names a newer revision of the same record."""
        by = self.all.get(int((reason or "").rpartition("#")[2] or 0))
        return by is not None and (by.to, by.key) == (one.to, one.key) and by.id > one.id

    def _always(self) -> None:
        """What holds at any moment."""
        for place, lane in self.lanes.items():
            out = [one.id for one in lane if one.state in OUT]
            assert len(out) <= 1, f"{place}: {out} are out together"
            front = self.front(place)
            assert not front or any(one.due_us is not None for one in lane if one.state == "waiting"), (
                f"{place}: #{front[-1].id} may go, and nobody will look for it"
            )
            for one in lane:
                times = self.portals[one.to].times(one)
                assert times < 2 or one.twice, f"the portal got #{one.id} {times} times, and it is not marked"
        for to, window in self.windows.items():
            queued = [
                one.id
                for one in self.all.values()
                if one.to == to and one.state == "queued" and one.id not in self._probed
            ]
            assert len(queued) <= window, f"{to}: {queued} are queued, more than {window}"


def ids_of(dispatches: Iterable[Dispatch]) -> list[int]:
    return [one.id for one in dispatches]
