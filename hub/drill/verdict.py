"""What was served against what a portal took: lost, doubled, regressed. Pure, by the standard library alone.

Per portal and record the snapshots that it took must be a subsequence of the revisions served that ends in the last. A
surplus one equal to its predecessor is doubled, unless the ledger says of it that it may have gone twice; any other is
regressed; one that equals no revision is altered. Every event is there once, after the record that it belongs to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Key: TypeAlias = tuple[str, str]
"""Kind and key of a record."""

WRONG = ("lost", "doubled", "regressed", "altered")
"""What must not be."""


@dataclass(slots=True)
class Served:
    """What one portal has to end up with. Payloads are named by their digests."""

    snapshots: dict[Key, list[str]] = field(default_factory=dict)
    """Of each record its revisions, in the order of time."""
    events: dict[Key, str] = field(default_factory=dict)
    lanes: dict[Key, str] = field(default_factory=dict)
    """Of each of both, within which order matters."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of a portal's log."""

    kind: str
    digest: str
    number: str = ""
    """As the portal names the record; for people."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong at one portal."""

    what: str
    portal: str
    kind: str
    key: str
    text: str


@dataclass(slots=True)
class Verdict:
    """Of one or more portals."""

    possibly_twice: int = 0
    """Surplus effects that the ledger has announced (R8)."""
    findings: list[Finding] = field(default_factory=list)

    def count(self, what: str) -> int:
        return sum(finding.what == what for finding in self.findings)

    @property
    def right(self) -> bool:
        return not self.findings


def judge(portal: str, served: Served, effects: Sequence[Effect], twice: Mapping[Key, int]) -> Verdict:
    """Hold a portal's log, in its order, against what was served to it.

    `twice` says how often the ledger admits that a record may have been sent once too often; each explains one surplus
    effect.
    """
    made = _Judge(portal, served, dict(twice))
    for effect in effects:
        made.take(effect)
    made.end()
    return made.verdict


class _Judge:
    def __init__(self, portal: str, served: Served, twice: dict[Key, int]) -> None:
        self.portal, self.served, self.twice = portal, served, twice
        self.verdict = Verdict()
        self._known: dict[tuple[str, str], list[Key]] = defaultdict(list)
        for key, digests in served.snapshots.items():
            for digest in dict.fromkeys(digests):
                self._known[key[0], digest].append(key)
        for key, digest in served.events.items():
            self._known[key[0], digest].append(key)
        self._at: dict[Key, int] = {}
        """Of each snapshot, the last revision that the portal took, in its order."""
        self._last: dict[Key, str] = {}
        self._begun: set[str] = set()
        self._there: set[Key] = set()

    def take(self, effect: Effect) -> None:
        keys = self._known.get((effect.kind, effect.digest), [])
        if not keys:
            self._find("altered", (effect.kind, effect.number), "it took what was never served")
        elif keys[0] in self.served.events:
            self._event(keys)
        else:
            self._snapshot(keys[0], effect.digest)

    def _snapshot(self, key: Key, digest: str) -> None:
        self._begun.add(self.served.lanes.get(key, key[1]))
        served = self.served.snapshots[key]
        at = self._at.get(key, -1)
        if digest in served[at + 1 :]:
            self._at[key] = served.index(digest, at + 1)
        elif self._last.get(key) == digest:
            self._surplus(key, "the same revision twice in a row")
        else:
            text = f"revision {served.index(digest) + 1} after revision {at + 1}"
            self._find("regressed", key, text)
        self._last[key] = digest

    def _event(self, keys: Sequence[Key]) -> None:
        # Two events may look the same at a portal: each accounts for one effect.
        key = next((one for one in keys if one not in self._there), None)
        if key is None:
            announced = next((one for one in keys if self.twice.get(one, 0) > 0), keys[0])
            self._surplus(announced, "the same event twice")
            return
        self._there.add(key)
        lane = self.served.lanes.get(key, key[1])
        if lane not in self._begun and any(self.served.lanes.get(one) == lane for one in self.served.snapshots):
            self._find("regressed", key, "an event before the record that it belongs to")

    def end(self) -> None:
        for key, served in self.served.snapshots.items():
            at = self._at.get(key)
            if at is None:
                self._find("lost", key, "never taken")
            elif served[at] != served[-1]:
                self._find("lost", key, f"revision {len(served)} is missing, revision {at + 1} is the last one taken")
        for key in self.served.events:
            if key not in self._there:
                self._find("lost", key, "never taken")

    def _surplus(self, key: Key, text: str) -> None:
        if self.twice.get(key, 0) > 0:
            self.twice[key] -= 1
            self.verdict.possibly_twice += 1
        else:
            self._find("doubled", key, text)

    def _find(self, what: str, key: Key, text: str) -> None:
        self.verdict.findings.append(Finding(what, self.portal, *key, text))
