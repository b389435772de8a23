"""The bench measures what it says: the floor and the hub deliver everything, and what cannot be believed is void.

Nothing is asserted of any time or ratio.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from benchmarks import bench, floor, twelve
from benchmarks.believed import Pair, Run, Service, doubts, report, table
from benchmarks.dossiers import AGENCIES, Pages, write_pages
from benchmarks.stages import stages
from benchmarks.straight import decode, render, validate
from benchmarks.twins import Tally, Twins, portal
from hub.bus.private_node import PrivateNode
from mappings import InboundMapping, OutboundMapping, ReadContext, RenderContext, RowOk
from mappings.catalogue import load
from schemas.agency import AgencyRegister

DOSSIERS = 700
REQUIRED = {
    "bus",
    "ledger",
    "dossiers",
    "per_s",
    "floor_per_s",
    "ratio",
    "cpu_us_per_dossier",
    "peak_rss_mb",
}
STAGES = {"fetch", "decode", "validate", "pack", "store", "render", "claim", "call", "finish"}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return write_pages(tmp_path_factory.mktemp("bench") / "pages", DOSSIERS)


def run(what: str, *, wall_s: float = 1.0, cpu_s: float = 0.9, twins_cpu_s: float = 0.1, missing: str = "") -> Run:
    costs = {"fetch": {"cpu_us": 500.0, "wall_us": 600.0}, "store": {"cpu_us": 400.0, "wall_us": 400.0}}
    return Run(what, 1000, wall_s, cpu_s, twins_cpu_s, missing, stages=costs if what == "stages" else {})


def pair(**given: Run) -> Pair:
    return Pair(**{"floor": run("floor"), "stages": run("stages"), "hub": run("hub", wall_s=2.0), **given})


def test_the_floor_delivers_everything(pages: Pages, tmp_path: Path) -> None:
    with bench.stage(Service("embedded", "sqlite"), pages, tmp_path) as here:
        whole = here.floor()
    assert whole.missing == ""
    assert whole.cpu_s > 0
    assert whole.wall_s > 0
    assert whole.peak_rss_mb > 0


def test_each_stage_of_the_floor_alone_delivers_everything(pages: Pages, tmp_path: Path) -> None:
    with Twins(pages, tmp_path) as twins:
        job = floor.Job(twins.urls, f"sqlite:///{tmp_path / 'floor.db'}", "embedded:", "floor", pages.dossiers)
        told = asyncio.run(floor.perform(job, stages))
        assert twins.missing() == ""
    assert set(told["stages"]) == STAGES


def test_the_floor_delivers_everything_by_rabbitmq_and_postgresql(
    pages: Pages, tmp_path: Path, rabbitmq: PrivateNode, postgres_url: str
) -> None:
    with Twins(pages, tmp_path) as twins:
        job = floor.Job(twins.urls, postgres_url, rabbitmq.amqp_url, "floor-test", pages.dossiers)
        asyncio.run(floor.perform(job))
        assert twins.missing() == ""


def test_bench_json_has_its_shape_and_the_hub_delivers_everything(pages: Pages, tmp_path: Path) -> None:
    with bench.stage(Service("embedded", "sqlite"), pages, tmp_path) as here:
        hub = here.hub()
    assert hub.missing == ""
    made = report(Service("embedded", "sqlite"), [pair(hub=hub)], hub, 100.0)
    assert set(made) >= REQUIRED
    assert all(isinstance(made[name], int | float) for name in REQUIRED - {"bus", "ledger"})
    assert json.loads(json.dumps(made)) == made
    assert "ratio" in table(made)


def test_a_measurement_to_be_believed_has_no_doubt() -> None:
    assert doubts([pair(), pair(), pair()]) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pair(floor=run("floor", missing="national got 3 records")), "pair 1, floor: national got 3 records"),
        (pair(stages=run("stages", missing="lost")), "pair 1, stages: lost"),
        (pair(hub=run("hub", missing="lost")), "pair 1, hub: lost"),
        (pair(floor=run("floor", twins_cpu_s=0.4)), "pair 1, floor: the twins took 31% of the processor time"),
        (pair(hub=run("hub", twins_cpu_s=0.4)), "pair 1, hub: the twins took 31% of the processor time"),
        (pair(floor=run("floor", wall_s=1.31)), "the floor took 1310 µs per dossier, more than 1.3 times the 1000"),
    ],
)
def test_what_cannot_be_believed_is_void(given: Pair, said: str) -> None:
    found = doubts([given])
    assert len(found) == 1
    assert found[0].startswith(said)


def test_a_run_that_lost_something_or_sent_it_twice_is_seen(pages: Pages, tmp_path: Path) -> None:
    with Twins(pages, tmp_path) as twins:
        assert twins.missing() == f"national got 0 records, 0 distinct, of {DOSSIERS}"


def test_a_portal_tells_what_came_twice(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally")
    answer = portal(tally)
    for number in ("A-1", "A-2", "A-1"):
        body = json.dumps({"data": [{"MaHoSo": number}]}, separators=(",", ":")).encode()
        assert json.loads(answer(b"POST /integration HTTP/1.1", body)[1])["error_code"] == "00"
    counted = tally.read()
    assert (counted.records, counted.distinct, counted.requests) == (3, 2, 3)


def test_the_floor_does_the_same_to_a_dossier_as_the_hub(pages: Pages) -> None:
    read, write = load("one-stop-soap/dossier"), load("dvcqg/dossier")
    assert isinstance(read, InboundMapping)
    assert isinstance(write, OutboundMapping)
    register = AgencyRegister.from_rows(AGENCIES)
    body = Path(pages.file).read_bytes()[: pages.ends[0]]
    rows = list(read.read(body, charset=None, context=ReadContext(agencies=register, label="")))
    keys, bodies = validate(decode(body)[0])
    records = [row.record for row in rows if isinstance(row, RowOk)]
    assert len(records) == len(set(keys)) == 500
    assert [record.to_json() for record in records] == bodies
    assert [write.render(record, RenderContext(register)) for record in records] == [render(one) for one in bodies]


def test_the_twins_know_nothing_of_the_hub() -> None:
    for module in ("twins", "dossiers"):
        text = (Path(bench.__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) (hub|mappings|schemas|adapters)\b", text, re.MULTILINE)


def test_a_mapping_is_measured_beside_the_bare_work_on_the_same_bytes() -> None:
    found = twelve.ratios(rounds=1)
    assert len(twelve.PLACES) == 12
    assert [one.what for one in found] == [
        f"paths as {how}, {size} in a body" for how in ("names", "XPath") for size in (500, 1)
    ]
    assert all(line.startswith("mapping a dossier of 12 fields, ") for line in twelve.lines(found).splitlines())
