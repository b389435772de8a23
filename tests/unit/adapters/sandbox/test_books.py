"""The books program names what is wrong: it is fed good runs, and runs into which one thing was planted."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from adapters.sandbox import books
from adapters.sandbox.tra_vinh import REPEATED_PAGE
from adapters.sandbox.tra_vinh.course import TICKS
from adapters.sandbox.tra_vinh.dossiers import make
from adapters.sandbox.tra_vinh.truth import stage_data, truth
from hub.ledger import tables
from hub.ledger.states import PHASE

PROGRAM = Path(books.__file__)


@pytest.fixture(scope="module")
def small() -> tuple[dict[str, Any], dict[str, Any]]:
    """Truth and tables of four dossiers of each agency, the broken ones and the one that goes A, B, A."""
    course = make()
    whole, data = truth(course), stage_data(course, TICKS, *REPEATED_PAGE)
    taken = {course.flipped, *(broken["number"] for broken in whole["broken"])}
    for slug in whole["agencies"]:
        taken.update([number for number, d in whole["dossiers"].items() if d["agency"] == slug][:4])
    whole["dossiers"] = {number: d for number, d in whole["dossiers"].items() if number in taken}
    for agency in data["agencies"].values():
        agency["ticks"] = [[row for row in tick if number_of(row) in taken] for tick in agency["ticks"]]
    return whole, data


def number_of(row: dict[str, Any]) -> str:
    held = row.get("hoso") or row.get("buoc") or row
    found = held.get("SoHoSo") or held.get("so_ho_so") or held.get("SO_HO_SO") or held.get("_id")
    assert isinstance(found, str)
    return found


@dataclass
class Run:
    """A run as its files: good until something is planted. With an empty `ledger` what is in the database stays."""

    folder: Path
    truth: dict[str, Any]
    data: dict[str, Any]
    logs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    ledger: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def strike(self, *options: str, url: str = "") -> subprocess.CompletedProcess[str]:
        paths = {"truth": self.truth, "stage": self.data}
        for name, content in paths.items():
            (self.folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        for portal, lines in self.logs.items():
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            (self.folder / f"{portal}.jsonl").write_text(text, encoding="utf-8")
        address = url or f"sqlite:///{self.folder / 'hub.db'}"
        engine = sa.create_engine(address)
        with engine.begin() as connection:
            tables.metadata.create_all(connection)
            for table in tables.metadata.sorted_tables:
                if rows := self.ledger.get(table.name):
                    if table is tables.dispatch:
                        rows = [{**row, "phase": int(PHASE[row["state"]])} for row in rows]
                    connection.execute(table.insert(), rows)
        engine.dispose()
        command = [sys.executable, "-I", "-X", "utf8", str(PROGRAM), "--truth", str(self.folder / "truth.json")]
        command += ["--ledger", address, "--width", "200"]
        command += ["--national-log", str(self.folder / "national.jsonl")]
        command += ["--provincial-log", str(self.folder / "provincial.jsonl"), *options]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)

    def outcome(self, *options: str) -> dict[str, Any]:
        """The JSON, checked to agree with the exit status."""
        done = self.strike("--json", *options)
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if found["balanced"] else 1)
        return found

    def at(self, portal: str, number: str, service: str) -> list[int]:
        return [n for n, e in enumerate(self.logs[portal]) if e["number"] == number and e["service"] == service]


@pytest.fixture
def run(tmp_path: Path, small: tuple[dict[str, Any], dict[str, Any]]) -> Run:
    good = Run(tmp_path, *(json.loads(json.dumps(part)) for part in small))
    for portal in books.PORTALS:
        good.logs[portal] = list(log_of(good.truth, portal))
    good.ledger = ledger_of(good.truth)
    return good


def log_of(whole: dict[str, Any], portal: str) -> Iterator[dict[str, Any]]:
    wire = whole["portals"][portal]
    numbers = count(1)

    def line(part: str, number: str, values: list[str]) -> dict[str, Any]:
        empty = "0000-00-00T00:00:00.000+0700" if portal == "provincial" else ""
        named = dict(zip(wire[part]["fields"], values, strict=True))
        data = {name: value or (empty if "Date" in name else value) for name, value in named.items()}
        return {"n": next(numbers), "service": wire[part]["service"], "number": number, "data": data}

    for number, dossier in whole["dossiers"].items():
        steps = list(dossier["steps"])
        for version in dossier["versions"]:
            yield line("snapshot", number, version[portal])
            while steps and steps[0]["tick"] <= version["tick"]:
                yield line("step", number, steps.pop(0)[portal])


def ledger_of(whole: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """A ledger after a run without trouble: one arrival per source, every effect delivered at once."""
    held: dict[str, list[dict[str, Any]]] = {name: [] for name in ("arrival", "item", "head", "dispatch")}
    arrivals: dict[str, dict[str, Any]] = {}

    def item(source: str, state: str, **more: Any) -> None:
        arrival = arrivals.setdefault(
            source,
            {
                "id": len(arrivals) + 1, "uid": f"{len(arrivals):032x}", "source": source,
                "label": "page 1", "media": "xml", "received_us": 0, "poll_us": 0, "settled_us": 0, "digest": "",
                "state": "settled", "items": 0,
                "accepted": 0, "duplicate": 0, "stale": 0, "rejected": 0, "parked": 0, "no_route": 0,
            },
        )  # fmt: skip
        arrival["items"] += 1
        arrival[state] += 1
        row = {"kind": "dossier.v1", "head_id": None, "number": None, "key": None, "reason": None, **more}
        held["item"].append({"arrival_id": arrival["id"], "row": arrival["items"], "part": 0, "state": state, **row})

    for number, dossier in whole["dossiers"].items():
        last = dossier["versions"][-1]
        heads = [("dossier.v1", number, len(dossier["versions"]))]
        heads += [("dossier-step.v1", step["key"], 1) for step in dossier["steps"]]
        for kind, key, revisions in heads:
            head = {
                "id": len(held["head"]) + 1, "kind": kind, "key": key, "lane": number, "source": dossier["agency"],
                "number": revisions, "digest": "", "poll_us": 0, "agency": whole["agencies"][dossier["agency"]]["code"],
                "status": last["status"], "due_on": last["due"], "finished_on": last["finished"],
            }  # fmt: skip
            held["head"].append(head)
            for revision in range(1, revisions + 1):
                item(dossier["agency"], "accepted", kind=kind, head_id=head["id"], number=revision)
                for portal in books.PORTALS:
                    held["dispatch"].append(
                        {
                            "id": len(held["dispatch"]) + 1, "destination": portal, "lane": number, "kind": kind,
                            "head_id": head["id"], "number": revision, "event": int(kind != "dossier.v1"),
                            "state": "delivered", "created_us": 0, "possibly_twice": 0,
                        }
                    )  # fmt: skip
    for broken in whole["broken"]:
        item(broken["agency"], broken["state"], key=broken["shown_number"], reason=f"{broken['field']}: refused")
    held["arrival"] = list(arrivals.values())
    return held


def test_a_good_run_balances(run: Run) -> None:
    found = run.outcome()
    assert found["findings"] == []
    assert found["balanced"] is True
    figures = found["source"]
    assert figures["received"] == len(run.truth["dossiers"])
    assert found["ledger"] == found["national_portal"] == found["provincial_portal"] == figures
    assert (found["lost"], found["doubled"], found["regressed"], found["rejected"], found["parked"]) == (0, 0, 0, 2, 1)
    assert {entry["trouble"] for entry in found["refused"]} == {"unknown-status", "impossible-date", "missing-number"}


def test_what_people_read_names_agencies_refusals_and_mends(run: Run) -> None:
    done = run.strike()
    assert done.returncode == 0
    assert "The books balance." in done.stdout
    for agency in run.truth["agencies"].values():
        assert agency["name"] in done.stdout
    for broken in run.truth["broken"]:
        assert broken["number"] in done.stdout
        assert broken["mend"] in done.stdout
    table = [line for line in done.stdout.splitlines() if "│" in line or "┼" in line]
    edges = {tuple(at for at, sign in enumerate(line) if sign in "│┼") for line in table}
    assert len(edges) == 1, "the columns stand under each other"


def test_a_missing_a_doubled_and_an_older_effect_are_each_named(run: Run) -> None:
    log = run.logs["national"]
    free = [n for n, d in run.truth["dossiers"].items() if len(d["versions"]) == 2]
    lost, doubled, regressed = free[:3]
    log.insert(
        run.at("national", doubled, "DongBoHoSoMC")[-1] + 1, log[run.at("national", doubled, "DongBoHoSoMC")[-1]]
    )
    log.append(log[run.at("national", regressed, "DongBoHoSoMC")[0]])
    del log[run.at("national", lost, "DongBoHoSoMC")[-1]]
    done = run.strike()
    assert done.returncode == 1
    for line in (
        f"lost: national portal: {lost}: the last of its 2 revisions never arrived",
        f"doubled: national portal: {doubled}: the same snapshot twice in a row",
        f"regressed: national portal: {regressed}: revision 1 of 2 came after a newer one",
    ):
        assert line in done.stdout
    run.ledger = {}
    found = run.outcome()
    assert (found["lost"], found["doubled"], found["regressed"]) == (1, 1, 1)


Plant = Callable[[Run, str], None]


def _lose_dossier(run: Run, number: str) -> None:
    run.logs["provincial"] = [line for line in run.logs["provincial"] if line["number"] != number]


def _lose_step(run: Run, number: str) -> None:
    del run.logs["provincial"][run.at("provincial", number, "UpdateDocumentTraces")[0]]


def _double_step(run: Run, number: str) -> None:
    run.logs["provincial"].append(run.logs["provincial"][run.at("provincial", number, "UpdateDocumentTraces")[0]])


def _step_first(run: Run, number: str) -> None:
    log = run.logs["provincial"]
    log.insert(0, log.pop(run.at("provincial", number, "UpdateDocumentTraces")[0]))


def _decompose(run: Run, number: str) -> None:
    line = run.logs["provincial"][run.at("provincial", number, "SyncDocument")[0]]
    line["data"] = {**line["data"], "CitizenName": normalize("NFD", line["data"]["CitizenName"])}


def _wrong_date(run: Run, number: str) -> None:
    line = run.logs["provincial"][run.at("provincial", number, "SyncDocument")[-1]]
    line["data"] = {**line["data"], "SuccessDate": "2017-01-01T08:00:00.000+0700"}


def _stranger(run: Run, number: str) -> None:
    log = run.logs["provincial"]
    log.append({**log[run.at("provincial", number, "SyncDocument")[0]], "number": "000.00.99.H59-170101-0001"})


def _lie(run: Run, number: str) -> None:
    """Delivered twice according to the ledger, once according to the portal."""
    of = next(d for d in run.ledger["dispatch"] if d["lane"] == number and d["destination"] == "provincial")
    run.ledger["dispatch"].append({**of, "id": len(run.ledger["dispatch"]) + 1})


def _open_dispatch(run: Run, number: str) -> None:
    next(d for d in run.ledger["dispatch"] if d["lane"] == number)["state"] = "waiting"


def _dead_dispatch(run: Run, number: str) -> None:
    next(d for d in run.ledger["dispatch"] if d["lane"] == number)["state"] = "dead"


def _uncounted_item(run: Run, number: str) -> None:
    run.ledger["arrival"][0]["items"] += 1


def _parked_page(run: Run, number: str) -> None:
    run.ledger["arrival"][0]["state"] = "parked"


def _wrongly_refused(run: Run, number: str) -> None:
    item = next(i for i in run.ledger["item"] if i["state"] == "accepted")
    arrival = run.ledger["arrival"][item["arrival_id"] - 1]
    item["state"], item["reason"] = "rejected", "no reason"
    arrival["accepted"] -= 1
    arrival["rejected"] += 1


def _unrefused(run: Run, number: str) -> None:
    item = next(i for i in run.ledger["item"] if i["state"] == "parked")
    arrival = run.ledger["arrival"][item["arrival_id"] - 1]
    item["state"] = "duplicate"
    arrival["parked"] -= 1
    arrival["duplicate"] += 1


def _other_agency(run: Run, number: str) -> None:
    next(h for h in run.ledger["head"] if h["key"] == number)["agency"] = "H59.99"


@pytest.mark.parametrize(
    ("plant", "what", "said"),
    [
        (_lose_dossier, "lost", "the dossier never arrived"),
        (_lose_step, "lost", "the step never arrived"),
        (_double_step, "doubled", "the step arrived 2 times"),
        (_step_first, "regressed", "a step came before its dossier"),
        (_decompose, "altered", "CitizenName"),
        (_wrong_date, "altered", "SuccessDate '2017-01-01T08:00:00.000+0700' should be"),
        (_stranger, "altered", "no source ever showed"),
        (_lie, "dispatches", "delivered, the log has"),
        (_open_dispatch, "dispatches", "1 dispatches are still open"),
        (_dead_dispatch, "dispatches", "1 dispatches are dead"),
        (_uncounted_item, "items", "are not the sum of their states"),
        (_parked_page, "items", "could not be decoded"),
        (_wrongly_refused, "refused", "though it was right"),
        (_unrefused, "refused", "should be parked, it is not"),
        (_other_agency, "altered", "agency 'H59.99' is none of the truth"),
    ],
)
def test_what_is_planted_is_named(run: Run, plant: Plant, what: str, said: str) -> None:
    number = next(n for n, d in run.truth["dossiers"].items() if len(d["versions"]) == 2 and n != run.truth["flipped"])
    plant(run, number)
    found = run.outcome()
    assert any(entry["what"] == what and said in entry["text"] for entry in found["findings"]), found["findings"]


def test_figures_that_differ_name_place_and_agency(run: Run) -> None:
    head = next(h for h in run.ledger["head"] if h["kind"] == "dossier.v1")
    head["finished_on"] = "2018-12-31"
    entries = [entry for entry in run.outcome()["findings"] if entry["what"] == "figures"]
    assert [(entry["place"], entry["key"]) for entry in entries] == [
        ("ledger", run.truth["agencies"][head["source"]]["name"])
    ]


def test_what_the_ledger_announced_as_possibly_twice_is_counted_apart(run: Run) -> None:
    number, dossier = next(iter(run.truth["dossiers"].items()))
    _double_step(run, number)
    key = dossier["steps"][0]["key"]
    head = next(h for h in run.ledger["head"] if h["key"] == key)
    for dispatch in run.ledger["dispatch"]:
        if dispatch["head_id"] == head["id"] and dispatch["destination"] == "provincial":
            dispatch["possibly_twice"] = 1
    found = run.outcome()
    assert (found["balanced"], found["doubled"], found["possibly_twice"]) == (True, 0, 1)


def _killed(run: Run, *, call: int, flagged: int, at: str) -> str:
    """A provincial step that came twice, the second time at `at`; its dispatch lost call 7 to a kill at 00:00:10.

    Returns the key of the step.
    """
    number, dossier = next(iter(run.truth["dossiers"].items()))
    _double_step(run, number)
    run.logs["provincial"] = [{**e, "at": "2017-03-01T00:00:00.000+00:00"} for e in run.logs["provincial"]]
    run.logs["provincial"][-1]["at"] = at
    key: str = dossier["steps"][0]["key"]
    head = next(h for h in run.ledger["head"] if h["key"] == key)
    for dispatch in run.ledger["dispatch"]:
        if dispatch["head_id"] == head["id"] and dispatch["destination"] == "provincial":
            dispatch["possibly_twice"] = flagged
            run.ledger["fault"] = [
                {"id": 1, "dispatch_id": dispatch["id"], "call_id": 7, "at_us": 0, "fault": "unknown"}
            ]
    kill = {"point": "after-send", "at_us": 1_488_326_410_000_000, "calls": [call], "deciding": []}
    (run.folder / "kills.jsonl").write_text(json.dumps(kill) + "\n", encoding="utf-8")
    return key


AFTER = "2017-03-01T00:00:10.001+00:00"
BEFORE = "2017-03-01T00:00:09.000+00:00"


def test_a_surplus_effect_belongs_to_a_call_that_was_open_at_a_kill(run: Run) -> None:
    _killed(run, call=7, flagged=1, at=AFTER)
    found = run.outcome("--kills", str(run.folder / "kills.jsonl"))
    assert (found["balanced"], found["possibly_twice"]) == (True, 1)
    [kill] = found["kills"]
    assert (kill["point"], kill["calls"], kill["dispatches"], kill["announced"], kill["surplus"]) == (
        "after-send", 1, 1, 1, 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("call", "flagged", "at"),
    [
        pytest.param(8, 1, AFTER, id="another call was open"),
        pytest.param(7, 0, AFTER, id="the ledger announced nothing"),
        pytest.param(7, 1, BEFORE, id="it came before the kill"),
    ],
)
def test_a_surplus_effect_that_no_kill_explains_is_doubled(run: Run, call: int, flagged: int, at: str) -> None:
    key = _killed(run, call=call, flagged=flagged, at=at)
    found = run.outcome("--kills", str(run.folder / "kills.jsonl"))
    assert [(finding["what"], finding["key"]) for finding in found["findings"]] == [("doubled", key)]
    assert found["kills"][0]["surplus"] == 0


def test_one_call_explains_one_surplus_effect(run: Run) -> None:
    key = _killed(run, call=7, flagged=1, at=AFTER)
    run.logs["provincial"].append(run.logs["provincial"][-1])
    found = run.outcome("--kills", str(run.folder / "kills.jsonl"))
    assert [(finding["what"], finding["key"]) for finding in found["findings"]] == [("doubled", key)]
    assert found["possibly_twice"] == 1


def test_superseded_revisions_may_be_missing_but_the_last_may_not(run: Run) -> None:
    number = run.truth["flipped"]
    b = run.at("national", number, "DongBoHoSoMC")[2]
    del run.logs["national"][b]
    head = next(h for h in run.ledger["head"] if h["key"] == number)
    for dispatch in run.ledger["dispatch"]:
        if (dispatch["head_id"], dispatch["number"], dispatch["destination"]) == (head["id"], 3, "national"):
            dispatch["state"] = "superseded"
    found = run.outcome()
    assert (found["balanced"], found["superseded"]) == (True, 1)


def test_postgresql_is_read_through_psql(run: Run, postgres_url: str) -> None:
    done = run.strike("--json", url=postgres_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["balanced"] is True


def test_what_cannot_be_read_is_said_in_one_line_with_status_2(run: Run) -> None:
    run.strike()
    with (run.folder / "national.jsonl").open("a", encoding="utf-8") as log:
        log.write("{\n")
    run.logs, run.ledger = {}, {}
    done = run.strike()
    lines = (run.folder / "national.jsonl").read_text(encoding="utf-8").count("\n")
    assert done.returncode == 2
    assert f"national.jsonl:{lines}: not JSON" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_program_imports_the_standard_library_alone() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= set(sys.stdlib_module_names)
    assert not any(isinstance(n, ast.ImportFrom) and n.level for n in ast.walk(tree))


def test_combining_marks_take_no_column() -> None:
    name = "Sở Tài nguyên và Môi trường"
    assert books.width(normalize("NFD", name)) == books.width(name) == len(name)
    assert books.padded(normalize("NFD", "Sở"), 4).endswith("  ")


@pytest.mark.parametrize(("columns", "rows"), [(200, 8), (80, 40)])
def test_a_narrow_terminal_gets_the_places_under_each_other(run: Run, columns: int, rows: int) -> None:
    done = run.strike("--width", str(columns))
    table = done.stdout.split("\n\n")[0].splitlines()
    assert max(map(books.width, table)) <= columns
    assert len([line for line in table if line[:1].strip() or line.startswith("  ")]) >= rows


@given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=5), st.data())
def test_any_thinned_out_course_that_ends_in_the_last_is_matched_whole(course: list[str], drawn: st.DataObject) -> None:
    kept = [drawn.draw(st.booleans()) for _ in course[:-1]]
    logged = [(state,) for state, keep in zip(course, [*kept, True], strict=True) if keep]
    assert books._matched([(state,) for state in course], logged) == set(range(len(logged)))


@given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=5), st.integers(0, 4))
def test_an_effect_said_twice_is_found_as_its_second(course: list[str], at: int) -> None:
    served = [(state,) for state in course]
    twice = at % len(served)
    logged = [*served[: twice + 1], *served[twice:]]
    (surplus,) = set(range(len(logged))) - books._matched(served, logged)
    assert logged[surplus] == logged[surplus - 1]
