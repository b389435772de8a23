"""The books of a run: do the portals hold what the sources showed, with nothing lost, doubled or regressed?

    python -I books.py --truth truth.json --tables stage.json --ledger URL --national-log L --provincial-log L [--json]
                       [--kills LOG]

A program of its own: it uses the standard library alone and imports nothing of the hub, so that a defect there cannot
hide itself here. It reads the truth of the generator (shape: tra_vinh/truth.py), the tables of the sources (shape:
ticks.py), the ledger's tables (SQLite read-only, PostgreSQL through `psql --csv`) and the portals' append-only logs
of accepted effects.

Per portal and dossier the logged snapshots must be a subsequence of the revisions served that ends in the last. A
surplus one equal to its predecessor is `doubled`, any other `regressed`, one that equals no revision `altered`, a
missing last revision `lost`. Each step must be there once, after its dossier. Doubled effects whose dispatch the
ledger flags as possibly twice are counted apart. Where the kills of the hub were logged (one JSON line each: point, and
the ids of the calls that were open), such an effect must also belong to a dispatch in a call that was open at one of
them, each of which explains one. Exit status: 0 the books balance, 1 they do not, 2 something could not be read.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from unicodedata import combining, east_asian_width, normalize

PORTALS = ("national", "provincial")
PLACES = {"source": "source", "ledger": "ledger", "national": "national portal", "provincial": "provincial portal"}
ITEM_STATES = ("accepted", "duplicate", "stale", "rejected", "parked", "no-route")
ENDED = ("delivered", "superseded", "discarded", "dead")
OPEN = ("waiting", "queued", "sending", "unknown")
LOCAL = timezone(timedelta(hours=7))
NO_TIME = "0000-00-00"
"""How the provincial platform writes that there is no time."""


class UnreadableError(Exception):
    """A file, a database or a twin that cannot be read; one line."""


@dataclass(slots=True)
class Figures:
    """What is counted of a set of dossiers at one place."""

    received: int = 0
    on_due_date: int = 0
    early: int = 0
    late: int = 0

    def count(self, due: str, finished: str) -> None:
        """Count one dossier; days as text that sorts as time does, `finished` empty while it is not."""
        self.received += 1
        if finished and due and finished > due:
            self.late += 1
        elif finished and due and finished < due:
            self.early += 1
        elif finished:
            self.on_due_date += 1

    @property
    def on_time_rate(self) -> Decimal | None:
        """100 x (on due date + early) / finished, two decimals; None where nothing is finished."""
        finished = self.on_due_date + self.early + self.late
        if not finished:
            return None
        share = Decimal(100 * (self.on_due_date + self.early)) / Decimal(finished)
        return share.quantize(Decimal("0.01"), ROUND_HALF_UP)

    def plain(self) -> dict[str, Any]:
        rate = self.on_time_rate
        return {
            "received": self.received,
            "on_due_date": self.on_due_date,
            "early": self.early,
            "late": self.late,
            "on_time_rate": None if rate is None else float(rate),
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong; `place` is a portal, `ledger` or `source`."""

    what: str
    place: str
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.what}: {PLACES.get(self.place, self.place)}{': ' + self.key if self.key else ''}: {self.text}"


@dataclass(slots=True)
class Kill:
    """One time that the hub was killed."""

    point: str
    at_us: int
    """Microseconds since 1970."""
    calls: int
    """How many calls were open then."""
    dispatches: int = 0
    """How many dispatches were in them, by the ledger."""
    announced: int = 0
    """How many of these the ledger flags as possibly twice."""
    surplus: int = 0
    """How many effects came twice because of it."""


@dataclass(slots=True)
class Announced:
    """What a portal may hold twice, by (kind, key): so many times, and, where kills were logged, because of which."""

    times: Counter[tuple[str, str]] = field(default_factory=Counter)
    because: dict[tuple[str, str], list[Kill]] | None = None

    def takes(self, kind: str, key: str, at_us: int) -> bool:
        """Use one of the times for an effect of then: of the kills before it the last. False where none is left."""
        if self.because is None:
            left = self.times[kind, key] > 0
            self.times[kind, key] -= left
            return left
        kills = self.because.get((kind, key), [])
        before = [kill for kill in kills if kill.at_us <= at_us]
        if not before:
            return False
        last = max(before, key=lambda kill: kill.at_us)
        last.surplus += 1
        kills.remove(last)
        return True


@dataclass(slots=True)
class Books:
    """The outcome."""

    truth: Mapping[str, Any]
    figures: dict[str, dict[str, Figures]] = field(default_factory=dict)
    """Per place, per agency."""
    findings: list[Finding] = field(default_factory=list)
    items: dict[str, int] = field(default_factory=dict)
    dispatches: dict[str, dict[str, int]] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    possibly_twice: int = 0
    """Doubled effects that the ledger had announced."""
    kills: list[Kill] | None = None

    def find(self, what: str, place: str, key: str, text: str) -> None:
        self.findings.append(Finding(what, place, key, text))

    def number(self, what: str) -> int:
        return sum(finding.what == what for finding in self.findings)

    def total(self, place: str) -> Figures:
        total = Figures()
        for part in self.figures[place].values():
            total.received += part.received
            total.on_due_date += part.on_due_date
            total.early += part.early
            total.late += part.late
        return total

    def plain(self) -> dict[str, Any]:
        """The whole outcome as one JSON object."""
        names = {
            "source": "source",
            "ledger": "ledger",
            "national": "national_portal",
            "provincial": "provincial_portal",
        }
        agencies = {
            slug: {"name": agency["name"], **{names[p]: f[slug].plain() for p, f in self.figures.items() if slug in f}}
            for slug, agency in self.truth["agencies"].items()
        }
        return {
            "balanced": not self.findings,
            **{name: self.total(place).plain() for place, name in names.items()},
            **{what: self.number(what) for what in ("lost", "doubled", "regressed", "altered")},
            "rejected": self.items.get("rejected", 0),
            "parked": self.items.get("parked", 0),
            "superseded": sum(states.get("superseded", 0) for states in self.dispatches.values()),
            "possibly_twice": self.possibly_twice,
            "kills": None if self.kills is None else [asdict(kill) for kill in self.kills],
            "agencies": agencies,
            "items": self.items,
            "dispatches": self.dispatches,
            "refused": self.refused,
            "findings": [{"what": f.what, "place": f.place, "key": f.key, "text": f.text} for f in self.findings],
        }


# --- reading ----------------------------------------------------------------------------------------------------------


def read_json(path: Path) -> Any:
    """Raises: UnreadableError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path}: {error}") from error


def read_log(path: Path) -> list[dict[str, Any]]:
    """A log, of a portal or of kills, one JSON object a line. Raises: UnreadableError naming the line."""
    effects: list[dict[str, Any]] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for at, line in enumerate(lines, 1):
                try:
                    effects.append(json.loads(line))
                except ValueError as error:
                    raise UnreadableError(f"{path}:{at}: not JSON: {error}") from error
    except OSError as error:
        raise UnreadableError(f"{path}: {error}") from error
    return effects


def open_ledger(url: str) -> Callable[[str], list[dict[str, Any]]]:
    """A function that runs one query on the ledger: `sqlite:///file`, a file, or `postgresql://…`.

    Raises: UnreadableError.
    """
    if url.startswith("postgres"):
        scheme, rest = url.split("://", 1)
        return lambda sql: _psql(f"{scheme.split('+')[0]}://{rest}", sql)
    path = Path(url.removeprefix("sqlite:///") if url.startswith("sqlite:") else url)
    if not path.is_file():
        raise UnreadableError(f"{path}: there is no such ledger")
    database = sqlite3.connect(f"file:{urllib.parse.quote(str(path.absolute()))}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row

    def run(sql: str) -> list[dict[str, Any]]:
        try:
            return [dict(row) for row in database.execute(sql)]
        except sqlite3.Error as error:
            raise UnreadableError(f"{path}: {error}") from error

    return run


def _psql(url: str, sql: str) -> list[dict[str, Any]]:
    command = ["psql", "--csv", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url, "--command", sql]
    try:
        answer = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    except OSError as error:
        raise UnreadableError(f"psql: {error}; install the PostgreSQL client") from error
    if answer.returncode:
        raise UnreadableError(f"psql: {answer.stderr.strip()}")
    return [{name: value or None for name, value in row.items()} for row in csv.DictReader(io.StringIO(answer.stdout))]


# --- figures ----------------------------------------------------------------------------------------------------------

_FINISHED_WORDS = {"Đã xử lý xong", "Đã trả kết quả", "releasing", "done", "9", "10"}


def _slashed_day(text: str) -> str:
    return f"{text[6:10]}-{text[3:5]}-{text[:2]}" if text else ""


def _packed_day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text else ""


def _millisecond_day(text: str) -> str:
    return f"{datetime.fromtimestamp(int(text[6:-2]) / 1000, LOCAL):%Y-%m-%d}" if text else ""


_SYSTEMS: dict[str, tuple[str, str, str, str, Callable[[str], str]]] = {
    "soap": ("SoHoSo", "TrangThai", "NgayHenTra", "NgayHoanThanh", _slashed_day),
    "rest": ("so_ho_so", "trang_thai", "ngay_hen_tra", "ngay_hoan_thanh", _millisecond_day),
    "csv": ("SO_HO_SO", "TRANG_THAI", "NGAY_HEN_TRA", "NGAY_KET_THUC", _packed_day),
}


def figures_of_sources(tables: Mapping[str, Any]) -> dict[str, Figures]:
    """Count the final tables: of every dossier number the last row shown."""
    counted: dict[str, Figures] = {}
    for slug, agency in tables["agencies"].items():
        number, status, due, finished, day = _SYSTEMS[agency["system"]]
        last: dict[str, Mapping[str, Any]] = {}
        for row in (row for tick in agency["ticks"] for row in tick):
            held = row.get("hoso", {}) if agency["system"] == "csv" else row
            if held.get(number):
                last[held[number]] = held
        counted[slug] = figures = Figures()
        for held in last.values():
            done = normalize("NFC", str(held[status])) in _FINISHED_WORDS
            figures.count(day(held[due] or ""), day(held[finished] or "") if done else "")
    return counted


def figures_of_ledger(books: Books, run: Callable[[str], list[dict[str, Any]]]) -> dict[str, Figures]:
    """Count the keys with an accepted revision, by the canonical code of the agency."""
    slugs = {agency["code"]: slug for slug, agency in books.truth["agencies"].items()}
    counted = {slug: Figures() for slug in books.truth["agencies"]}
    heads = "SELECT key, agency, status, due_on, finished_on FROM head WHERE kind = 'dossier.v1' AND number >= 1"
    for head in run(heads):
        slug = slugs.get(head["agency"])
        if slug is None:
            books.find("altered", "ledger", head["key"], f"agency {head['agency']!r} is none of the truth")
            continue
        done = int(head["status"]) >= 9
        counted[slug].count(head["due_on"] or "", (head["finished_on"] or "") if done else "")
    return counted


def figures_of_portal(books: Books, portal: str, effects: Iterable[Mapping[str, Any]]) -> dict[str, Figures]:
    """Count the distinct numbers in a portal's log by the last snapshot of each."""
    wire = books.truth["portals"][portal]["snapshot"]
    last = {effect["number"]: effect["data"] for effect in effects if effect["service"] == wire["service"]}
    counted = {slug: Figures() for slug in books.truth["agencies"]}
    for number, data in last.items():
        dossier = books.truth["dossiers"].get(number)
        if dossier is None:
            books.find("altered", portal, number, "a dossier that no source ever showed")
            continue
        done = "status" not in wire or _value(data.get(wire["status"])) in _FINISHED_WORDS
        day = slice(0, wire["day"])
        finished = _value(data.get(wire["finished"]))[day] if done else ""
        counted[dossier["agency"]].count(_value(data.get(wire["due"]))[day], finished)
    return counted


def compare_figures(books: Books) -> None:
    """All four places must say the same of every agency, and what the truth says."""
    expected = {slug: Figures() for slug in books.truth["agencies"]}
    for dossier in books.truth["dossiers"].values():
        last = dossier["versions"][-1]
        expected[dossier["agency"]].count(last["due"], last["finished"] or "")
    for place, counted in books.figures.items():
        for slug, figures in expected.items():
            if (found := counted.get(slug, Figures())) != figures:
                name = books.truth["agencies"][slug]["name"]
                books.find("figures", place, name, f"{_short(found)}, should be {_short(figures)}")


def _short(figures: Figures) -> str:
    ended = f"on the due date {figures.on_due_date}, early {figures.early}, late {figures.late}"
    return f"received {figures.received}, {ended}"


# --- effects at a portal ----------------------------------------------------------------------------------------------


Logged = tuple[tuple[str, ...], int]
"""The values of an effect, and when it was logged, in microseconds since 1970."""


def _until_us(effect: Mapping[str, Any]) -> int:
    """When an effect was logged; the end of the millisecond that the log names. 0 where it names none."""
    at = effect.get("at")
    return int(datetime.fromisoformat(at).timestamp() * 1000) * 1000 + 1999 if at else 0


def _value(value: Any) -> str:
    text = "" if value is None else str(value)
    return "" if text.startswith(NO_TIME) else text


def check_portal(
    books: Books, portal: str, effects: Sequence[Mapping[str, Any]], announced: Announced
) -> dict[str, int]:
    """Compare a portal's log with the truth. Returns how many effects of each kind are no surplus."""
    wires = books.truth["portals"][portal]
    snapshots: dict[str, list[Logged]] = defaultdict(list)
    steps: dict[str, list[Logged]] = defaultdict(list)
    for effect in effects:
        number, data = effect["number"], effect["data"]
        if effect["service"] == wires["snapshot"]["service"]:
            values = tuple(_value(data.get(name)) for name in wires["snapshot"]["fields"])
            snapshots[number].append((values, _until_us(effect)))
        elif effect["service"] == wires["step"]["service"]:
            if number not in snapshots and not steps[number]:
                books.find("regressed", portal, number, "a step came before its dossier")
            values = tuple(_value(data.get(name)) for name in wires["step"]["fields"])
            steps[number].append((values, _until_us(effect)))
        else:
            books.find("altered", portal, number, f"an effect of {effect['service']!r}, which nobody should call")
    good = {"dossier.v1": 0, "dossier-step.v1": 0}
    for number, dossier in books.truth["dossiers"].items():
        served = [tuple(version[portal]) for version in dossier["versions"]]
        good["dossier.v1"] += _check_snapshots(books, portal, number, served, snapshots.pop(number, []), announced)
        good["dossier-step.v1"] += _check_steps(
            books, portal, number, dossier["steps"], steps.pop(number, []), announced
        )
    for number in {**snapshots, **steps}:
        books.find("altered", portal, number, "effects of a dossier that no source ever showed")
    return good


def _check_snapshots(
    books: Books,
    portal: str,
    number: str,
    served: list[tuple[str, ...]],
    effects: Sequence[Logged],
    announced: Announced,
) -> int:
    logged = [values for values, _ in effects]
    matched = _matched(served, logged)
    regressed = False
    for at, snapshot in enumerate(logged):
        if at in matched:
            continue
        if at and snapshot == logged[at - 1]:
            _doubled(books, portal, "dossier.v1", number, "the same snapshot twice in a row", effects[at][1], announced)
        elif snapshot in served:
            regressed = True
            text = f"revision {served.index(snapshot) + 1} of {len(served)} came after a newer one"
            books.find("regressed", portal, number, text)
        else:
            books.find("altered", portal, number, _difference(books, portal, "snapshot", snapshot, served))
    if not logged:
        books.find("lost", portal, number, "the dossier never arrived")
    elif served[-1] not in logged or (logged[-1] != served[-1] and not regressed):
        books.find("lost", portal, number, f"the last of its {len(served)} revisions never arrived")
    return len(matched)


def _matched(served: Sequence[tuple[str, ...]], logged: Sequence[tuple[str, ...]]) -> set[int]:
    """The positions in `logged` of a longest common subsequence, of several the one whose members come earliest."""
    rows, columns = len(logged), len(served)
    length = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            same = logged[i] == served[j]
            length[i][j] = length[i + 1][j + 1] + 1 if same else max(length[i + 1][j], length[i][j + 1])
    matched: set[int] = set()
    i = j = 0
    while i < rows and j < columns:
        if logged[i] == served[j]:
            matched.add(i)
            i, j = i + 1, j + 1
        elif length[i][j + 1] == length[i][j]:
            j += 1
        else:
            i += 1
    return matched


def _check_steps(
    books: Books,
    portal: str,
    number: str,
    expected: Sequence[Mapping[str, Any]],
    effects: Sequence[Logged],
    announced: Announced,
) -> int:
    held: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for values, at_us in effects:
        held[values].append(at_us)
    good = 0
    for step in expected:
        values = tuple(step[portal])
        times = held.pop(values, [])
        good += min(len(times), 1)
        if not times:
            books.find("lost", portal, step["key"], "the step never arrived")
        for at_us in times[1:]:
            text = f"the step arrived {len(times)} times"
            _doubled(books, portal, "dossier-step.v1", step["key"], text, at_us, announced)
    known = [tuple(step[portal]) for step in expected]
    for values in held:
        books.find("altered", portal, number, _difference(books, portal, "step", values, known))
    return good


def _doubled(books: Books, portal: str, kind: str, key: str, text: str, at_us: int, announced: Announced) -> None:
    if announced.takes(kind, key, at_us):
        books.possibly_twice += 1
    else:
        books.find("doubled", portal, key, text)


def _difference(books: Books, portal: str, part: str, found: tuple[str, ...], known: Sequence[tuple[str, ...]]) -> str:
    """Which field of an effect differs from the most similar one that there should be."""
    names = books.truth["portals"][portal][part]["fields"]
    if not known:
        return f"a {part} that no source ever showed"
    nearest = max(known, key=lambda values: sum(a == b for a, b in zip(values, found, strict=True)))
    wrong = [f"{n} {a!r} should be {b!r}" for n, a, b in zip(names, found, nearest, strict=True) if a != b]
    return f"a {part} that equals no {'revision' if part == 'snapshot' else 'step'} served: {'; '.join(wrong)}"


# --- the ledger's own books -------------------------------------------------------------------------------------------


def check_ledger(books: Books, run: Callable[[str], list[dict[str, Any]]]) -> dict[str, Announced]:
    """Items and dispatches must add up and nothing be open.

    Returns per portal how many dispatches of a (kind, key) are flagged as possibly twice.
    """
    books.items = {row["state"]: int(row["n"]) for row in run("SELECT state, count(*) AS n FROM item GROUP BY state")}
    names = ", ".join(f"sum({state.replace('-', '_')}) AS {state.replace('-', '_')}" for state in ITEM_STATES)
    sums = {name: int(n or 0) for name, n in run(f"SELECT sum(items) AS items, {names} FROM arrival")[0].items()}
    for state in books.items.keys() - set(ITEM_STATES):
        books.find("items", "ledger", state, f"{books.items[state]} items in a state that is none")
    for state in ITEM_STATES:
        if (said := sums[state.replace("-", "_")]) != (held := books.items.get(state, 0)):
            books.find("items", "ledger", state, f"the arrivals count {said}, there are {held}")
    if sums["items"] != sum(books.items.get(state, 0) for state in ITEM_STATES):
        books.find("items", "ledger", "", f"{sums['items']} items are not the sum of their states, {books.items}")
    for row in run("SELECT source, label, problem FROM arrival WHERE state = 'parked' ORDER BY id"):
        books.find("items", "ledger", f"{row['source']} {row['label']}", f"could not be decoded: {row['problem']}")

    states: dict[str, dict[str, int]] = defaultdict(dict)
    for row in run("SELECT destination, state, count(*) AS n FROM dispatch GROUP BY destination, state"):
        states[row["destination"]][row["state"]] = int(row["n"])
    books.dispatches = {name: dict(sorted(states[name].items())) for name in sorted(states)}
    for name, dispatches in books.dispatches.items():
        for state in dispatches.keys() - {*ENDED, *OPEN}:
            books.find(
                "dispatches", "ledger", name, f"{dispatches[state]} dispatches in the state {state!r}, which is none"
            )
        if waiting := sum(dispatches.get(state, 0) for state in OPEN):
            books.find("dispatches", "ledger", name, f"{waiting} dispatches are still open")
        if dispatches.get("dead"):
            books.find("dispatches", "ledger", name, f"{dispatches['dead']} dispatches are dead: hub dead list")

    flagged = {portal: Announced() for portal in PORTALS}
    sql = (
        "SELECT d.destination, d.kind, h.key, sum(d.possibly_twice) AS n "
        "FROM dispatch d JOIN head h ON h.id = d.head_id "
        "WHERE d.possibly_twice <> 0 GROUP BY d.destination, d.kind, h.key"
    )
    for row in run(sql):
        flagged.setdefault(row["destination"], Announced()).times[row["kind"], row["key"]] = int(row["n"])
    return flagged


def explain(
    books: Books,
    flagged: Mapping[str, Announced],
    kills: Sequence[Mapping[str, Any]],
    run: Callable[[str], list[dict[str, Any]]],
) -> None:
    """Say by which kills each flagged dispatch came to be in doubt: of its calls those that were open at one.

    A call that its worker left open has a fault for each of its dispatches. Raises: UnreadableError.
    """
    books.kills = []
    killed_in: dict[int, Kill] = {}
    for line in kills:
        try:
            kill = Kill(str(line["point"]), int(line["at_us"]), len(line["calls"]))
            calls = [int(call) for call in (*line["calls"], *line.get("deciding", ()))]
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableError(f"not a line of a log of kills: {line!r}") from error
        books.kills.append(kill)
        killed_in |= dict.fromkeys(calls, kill)
    for announced in flagged.values():
        announced.because = defaultdict(list)
    sql = (
        "SELECT DISTINCT f.call_id, d.id, d.destination, d.kind, h.key, d.possibly_twice "
        "FROM fault f JOIN dispatch d ON d.id = f.dispatch_id JOIN head h ON h.id = d.head_id "
        "WHERE f.call_id IS NOT NULL AND f.fault IN ('unknown', 'poison') ORDER BY f.call_id, d.id"
    )
    for row in run(sql):
        kill_of_call = killed_in.get(int(row["call_id"]))
        if kill_of_call is None:
            continue
        kill_of_call.dispatches += 1
        because = flagged[row["destination"]].because if row["destination"] in flagged else None
        if int(row["possibly_twice"]) and because is not None:
            kill_of_call.announced += 1
            because[row["kind"], row["key"]].append(kill_of_call)


def check_delivered(
    books: Books, portal: str, good: Mapping[str, int], run: Callable[[str], list[dict[str, Any]]]
) -> None:
    """What the ledger calls delivered the portal must have."""
    sql = (
        f"SELECT kind, count(*) AS n FROM dispatch WHERE destination = '{portal}' AND state = 'delivered' GROUP BY kind"
    )
    for row in run(sql):
        if int(row["n"]) > good.get(row["kind"], 0):
            text = f"the ledger says {row['n']} delivered, the log has {good.get(row['kind'], 0)}"
            books.find("dispatches", portal, row["kind"], text)


def check_refused(books: Books, run: Callable[[str], list[dict[str, Any]]]) -> None:
    """The refused versions must be those that the generator broke, no more and no less."""
    sql = (
        "SELECT a.source, i.kind, i.state, i.key, i.reason FROM item i JOIN arrival a ON a.id = i.arrival_id "
        "WHERE i.state IN ('rejected', 'parked') ORDER BY i.arrival_id"
    )
    found = run(sql)
    for broken in books.truth["broken"]:
        name = books.truth["agencies"][broken["agency"]]["name"]
        shown = broken["shown_number"]
        hit = next(
            (
                row for row in found
                if row["state"] == broken["state"] and row["kind"] == "dossier.v1"
                and row["source"] == broken["agency"] and (row["key"] or None) in (shown, None)
                and (broken["field"] in (row["reason"] or "") or (row["key"] or None) == shown)
            ),
            None,
        )  # fmt: skip
        if hit is None:
            text = f"{name}, tick {broken['tick']}: {broken['trouble']} should be {broken['state']}, it is not"
            books.find("refused", "ledger", broken["number"], text)
            continue
        found.remove(hit)
        books.refused.append({**broken, "agency_name": name, "reason": hit["reason"]})
    for row in found:
        text = f"{row['source']}: {row['kind']} {row['state']} though it was right: {row['reason']}"
        books.find("refused", "ledger", row["key"] or "without number", text)


def check_twins(books: Books, tables: Mapping[str, Any], addresses: Sequence[str]) -> None:
    """The source twins must have released every tick and show as many dossiers as were counted.

    Raises: UnreadableError.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for address in addresses:
        try:
            with opener.open(f"{address}/_twin/state", timeout=10) as answer:
                state = json.load(answer)
        except (OSError, ValueError) as error:
            raise UnreadableError(f"{address}: {error}") from error
        for slug, agency in state["agencies"].items():
            ticks = len(tables["agencies"][slug]["ticks"])
            if state["tick"] != ticks:
                books.find("figures", "source", slug, f"tick {state['tick']} of {ticks} is released")
            elif agency["rows"] != books.figures["source"][slug].received:
                counted = books.figures["source"][slug].received
                books.find(
                    "figures", "source", slug, f"the system shows {agency['rows']} dossiers, counted were {counted}"
                )


# --- for people -------------------------------------------------------------------------------------------------------

_HEADINGS = ("recv", "due", "early", "late", "rate %")
_WIDTHS = (4, 3, 5, 4, 6)


def width(text: str) -> int:
    """How many columns a terminal gives a text: none for a combining mark, two for a wide character."""
    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def padded(text: str, columns: int) -> str:
    return text + " " * max(0, columns - width(text))


def _cells(figures: Figures) -> str:
    rate = "–" if figures.on_time_rate is None else str(figures.on_time_rate)
    values = (str(figures.received), str(figures.on_due_date), str(figures.early), str(figures.late), rate)
    return " ".join(value.rjust(columns) for value, columns in zip(values, _WIDTHS, strict=True))


def table(books: Books, columns: int) -> list[str]:
    """A row per agency and the total, the four places side by side; under each other where `columns` are too few."""
    names = {slug: agency["name"] for slug, agency in books.truth["agencies"].items()}
    first = max(width(name) for name in (*names.values(), "Toàn tỉnh (total)"))
    cells = sum(_WIDTHS) + len(_WIDTHS) - 1
    heading = " ".join(text.rjust(columns) for text, columns in zip(_HEADINGS, _WIDTHS, strict=True))
    wide = first + len(PLACES) * (cells + 3)
    rows = [
        (name, {place: books.figures[place].get(slug, Figures()) for place in PLACES}) for slug, name in names.items()
    ]
    rows.append(("Toàn tỉnh (total)", {place: books.total(place) for place in PLACES}))
    if columns >= wide:
        lines = [" │ ".join((padded("", first), *(padded(label, cells) for label in PLACES.values()))).rstrip()]
        lines.append(" │ ".join((padded("Đơn vị (agency)", first), *[heading] * len(PLACES))))
        rule = "─┼─".join("─" * columns for columns in (first, *[cells] * len(PLACES)))
        for at, (name, places) in enumerate(rows):
            if at in (0, len(rows) - 1):
                lines.append(rule)
            lines.append(" │ ".join((padded(name, first), *(_cells(places[place]) for place in PLACES))))
        return lines
    labels = max(map(len, PLACES.values()))
    lines = [f"{padded('Đơn vị (agency)', labels + 2)} {heading}"]
    for name, places in rows:
        lines += ["─" * (labels + 3 + cells), name]
        lines += [f"  {padded(PLACES[place], labels)} {_cells(places[place])}" for place in PLACES]
    return lines


def report(books: Books, columns: int) -> str:
    """What people read."""
    lines = [
        *table(books, columns),
        "",
        "recv received · due finished on the due date · early before it · late after it",
    ]
    lines += textwrap.wrap(books.truth.get("note", ""), min(columns, 120))
    items = " + ".join(f"{books.items.get(state, 0)} {state}" for state in ITEM_STATES)
    lines += ["", f"items       {sum(books.items.values())} = {items}"]
    for name, held in books.dispatches.items():
        ended = " + ".join(f"{held.get(state, 0)} {state}" for state in ENDED)
        waiting = sum(held.get(state, 0) for state in OPEN)
        lines.append(f"dispatches  {sum(held.values())} = {ended} + {waiting} open  ({name})")
    counts = " · ".join(f"{what} {books.number(what)}" for what in ("lost", "doubled", "regressed", "altered"))
    lines.append(f"portals     {counts} · possibly twice, as announced {books.possibly_twice}")
    if books.refused:
        lines += ["", "refused versions, each corrected by the agency later:"]
    for broken in books.refused:
        value = f"{broken['field']} {broken['value']!r}" if broken["value"] else f"no {broken['field']}"
        lines.append(
            f"  {broken['state']:<8}  {broken['number']}  {broken['agency_name']}, tick {broken['tick']}: {value}"
        )
        lines.append(f"            mend: {broken['mend']}; came right at tick {broken['mended_tick']}")
    if books.findings:
        lines += ["", f"The books do not balance: {len(books.findings)} finding(s)"]
        by_what: dict[str, list[Finding]] = defaultdict(list)
        for finding in books.findings:
            by_what[finding.what].append(finding)
        for findings in by_what.values():
            lines += [f"  {finding}" for finding in findings[:20]]
            lines += [f"  … and {len(findings) - 20} more {findings[0].what}"] if len(findings) > 20 else []
    else:
        lines += ["", "The books balance."]
    return "\n".join(lines)


def strike(
    truth: Path,
    ledger: str,
    national_log: Path,
    provincial_log: Path,
    tables: Path,
    sources: Sequence[str] = (),
    kills: Path | None = None,
) -> Books:
    """Strike the books. Raises: UnreadableError."""
    books = Books(read_json(truth))
    run = open_ledger(ledger)
    held = read_json(tables)
    logs = {"national": read_log(national_log), "provincial": read_log(provincial_log)}
    books.figures["source"] = figures_of_sources(held)
    check_twins(books, held, sources)
    books.figures["ledger"] = figures_of_ledger(books, run)
    announced = check_ledger(books, run)
    if kills is not None:
        explain(books, announced, read_log(kills), run)
    for portal in PORTALS:
        books.figures[portal] = figures_of_portal(books, portal, logs[portal])
        check_delivered(books, portal, check_portal(books, portal, logs[portal], announced[portal]), run)
    check_refused(books, run)
    compare_figures(books)
    return books


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser("books.py", description="Strike the books of a run: sources, ledger and portals.")
    parser.add_argument("--truth", type=Path, required=True, help="the generator's truth")
    parser.add_argument("--tables", type=Path, help="the source twins' data (default: stage.json beside the truth)")
    parser.add_argument("--ledger", required=True, help="sqlite:///file, a file, or postgresql://…")
    parser.add_argument("--national-log", type=Path, required=True)
    parser.add_argument("--provincial-log", type=Path, required=True)
    parser.add_argument("--source", action="append", default=[], help="the address of a source twin that still runs")
    parser.add_argument("--kills", type=Path, help="the log of the hub's kills, where there were any")
    parser.add_argument(
        "--width", type=int, default=shutil.get_terminal_size((150, 24)).columns, help="columns of the table"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the tables")
    asked = parser.parse_args(arguments)
    tables = asked.tables or asked.truth.with_name("stage.json")
    try:
        books = strike(
            asked.truth, asked.ledger, asked.national_log, asked.provincial_log, tables, asked.source, asked.kills
        )
    except UnreadableError as error:
        print(f"books.py: {error}", file=sys.stderr)
        return 2
    print(json.dumps(books.plain(), ensure_ascii=False) if asked.json else report(books, asked.width))
    return 1 if books.findings else 0


if __name__ == "__main__":
    sys.exit(main())
