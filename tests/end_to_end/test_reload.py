"""A hub that is full of work goes by another configuration without a restart: nothing is lost, nothing comes twice, and
every revision names the one that made it. What cannot be run is refused whole."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from hub.bus.private_node import PrivateNode
from hub.cli import app as cli
from hub.ledger.audit import By
from hub.ledger.read import open_reader
from hub.settings import load
from mappings.load import CATALOGUE
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import CODES, QuickApp, Town, until
from tests.prove.hub_process import HubProcess

pytestmark = pytest.mark.usefixtures("impatient")

BY = By("lan", "a new agency")


def change(town: Town, how: Any) -> None:
    """Change the configuration's file."""
    found = yaml.safe_load(town.file.read_text(encoding="utf-8"))
    how(found)
    town.file.write_text(yaml.safe_dump(found, allow_unicode=True, sort_keys=False), encoding="utf-8")


def mapped_otherwise(town: Town) -> None:
    """Give the REST systems a mapping of the deployment's own, which says another name of the procedure."""
    source = CATALOGUE / "one-stop-rest"
    for file in source.rglob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        if file.name == "dossier.yaml":
            before = "procedure_name: ten_thu_tuc\n"
            assert before in text
            text = text.replace(before, 'procedure_name: {const: "Theo cấu hình mới"}\n')
        copy = town.folder / "mappings" / "one-stop-rest" / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8")


def without_csv(found: dict[str, Any]) -> None:
    found["sources"] = {name: one for name, one in found["sources"].items() if one["adapter"] != "files"}


def unknown(folder: Path, system: str) -> str:
    """Take a system's agency out of the register; returns the register as it was."""
    file = folder / "agencies.yaml"
    whole = file.read_text(encoding="utf-8")
    rows = [row for row in yaml.safe_load(whole) if CODES[system] not in row.get("aliases", ())]
    file.write_text(yaml.safe_dump(rows, allow_unicode=True), encoding="utf-8")
    return whole


def made_by(town: Town, system: str) -> dict[str, set[int]]:
    """Which configurations made the revisions of a system's dossiers, by what their note says."""
    found: dict[str, set[int]] = {}
    with open_reader(town.ledger) as reader:
        for number in town.numbers[system]:
            for one in reader.trace(number).revisions:
                assert one.content is not None
                assert one.configuration is not None
                assert one.configured_at is not None
                found.setdefault(str(one.content.get("note") or one.content["content"]), set()).add(one.configuration)
    return found


def test_a_hub_under_load_goes_by_another_configuration(make_town: MakeTown) -> None:
    town = make_town(dossiers=5, ticks=3, changes=without_csv)
    agencies = unknown(town.folder, "soap")

    async def main() -> None:
        async with town.hub() as app:
            town.tick()
            await until(lambda: town.read_whole("rest") and town.one("SELECT sum(parked) FROM arrival"), 60)
            town.tick()
            # In mid-flow: another mapping, the agency that was missing, two new sources, more requests at one portal,
            # another password at the other.
            mapped_otherwise(town)
            (town.folder / "agencies.yaml").write_text(agencies, encoding="utf-8")

            def changes(found: dict[str, Any]) -> None:
                found["sources"] |= town.sources("csv")
                found["destinations"]["provincial"]["parallel"] = 2
                found["destinations"]["national"]["settings"]["connect_timeout_s"] = 0.4
                found["destinations"]["national"]["retry"]["limit"] = 100

            change(town, changes)
            done = await app.reload(BY)
            assert (done.before, done.configuration) == (1, 2)
            said = {
                "new source cau-ngang-hoso",
                "changed destination national",
                "mapping one-stop-rest/dossier differs",
            }
            assert said <= {*done.changes}
            await town.all_arrived(within_s=60)
            town.tick()
            await town.all_arrived(within_s=60)

    asyncio.run(main())
    assert not town.ask("SELECT id FROM dispatch WHERE possibly_twice = 1 OR state IN ('dead', 'unknown')")
    assert town.one("SELECT sum(parked) FROM arrival") == 0, "what was parked for its agency was done again"
    town.balance()
    rest = made_by(town, "rest")
    assert rest["lần 1"] == {1}
    assert rest["lần 3"] == {2}
    soap = made_by(town, "soap")
    assert set().union(*made_by(town, "csv").values(), soap["lần 1"], soap["lần 2"]) == {2}
    names = {effect["data"]["TenTTHC"] for effect in town.log("national") if effect["data"].get("GhiChu") == "lần 3"}
    assert "Theo cấu hình mới" in names
    [(what, who, why)] = town.ask("SELECT what, who, why FROM operation")
    assert (what, who, why) == ("reload", "lan", "a new agency")


def reload(town: Town, *more: str) -> tuple[int, dict[str, Any], str]:
    """`hub reload`, as a person types it."""
    done = CliRunner().invoke(cli, ["reload", str(town.file), "--who", "lan", "--json", *more], catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout), done.stderr


def test_a_file_that_is_broken_is_refused_whole_and_the_hub_goes_on(make_town: MakeTown) -> None:
    town = make_town(dossiers=2, ticks=2, systems=["csv"], portals=["provincial"])
    status, said, _ = reload(town)
    assert (status, said["problems"][0]["rule"]) == (1, "ledger-fault"), "there is nothing to reload yet"

    def breaks(found: dict[str, Any]) -> None:
        found["sources"]["cau-ngang-buoc"]["mappings"] = ["one-stop-csv/stepp"]
        found["destinations"]["provincial"]["deadline_s"] = 0
        found["routes"][0]["to"] = ["provincial", "national"]

    async def main() -> None:
        async with town.hub() as app:
            town.tick()
            await town.all_arrived(within_s=60)
            whole = town.file.read_text(encoding="utf-8")
            change(town, breaks)
            status, said, told = await asyncio.to_thread(reload, town)
            assert status == 1
            rules = {one["rule"]: one for one in said["problems"]}
            assert rules.keys() == {"unknown-mapping", "wrong-value", "unknown-destination"}
            assert all(one["file"] == str(town.file) and one["line"] and one["mend"] for one in rules.values())
            assert told.count("error: ") == 3
            town.tick()
            await town.all_arrived(within_s=60)
            assert set().union(*made_by(town, "csv").values()) == {1}
            town.file.write_text(whole.replace("every_s: 0.05", "every_s: 0.06"), encoding="utf-8")
            status, said, _ = await asyncio.to_thread(reload, town, "--why", "mended")
            assert (status, said["ok"], said["reloaded"]["configuration"]) == (0, True, 2)
            assert [one.every_s for one in app.serving.ingests] == [0.06, 0.06]

    asyncio.run(main())
    town.balance()
    status, said, _ = reload(town)
    assert (status, "no hub runs" in said["problems"][0]["message"]) == (1, True)


@pytest.fixture
def several(make_town: MakeTown, postgres_url: str, broker: PrivateNode, prefix: str) -> Iterator[Town]:
    made = make_town(
        dossiers=3, ticks=2, systems=["rest", "csv"], ledger=postgres_url, bus=broker.amqp_url, prefix=prefix,
        portals=["provincial", "national"], changes=provincial_alone,
    )  # fmt: skip
    yield made
    made.leave()


def provincial_alone(found: dict[str, Any]) -> None:
    del found["destinations"]["national"]
    found["routes"][0]["to"] = ["provincial"]


def test_two_hubs_on_one_ledger_both_run_the_new_one_and_one_with_other_files_says_so(
    several: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = several
    monkeypatch.setattr("hub.reloading.LOOK_S", 0.1)
    monkeypatch.setattr("hub.reloading.COPIED_S", 0.2)
    elsewhere = town.folder / "elsewhere"

    def both_portals(found: dict[str, Any]) -> None:
        found["destinations"]["national"] = town.destination("national")
        found["routes"][0]["to"] = ["provincial", "national"]

    async def main() -> None:
        second = QuickApp(town.deployment)
        async with town.hub() as first, town.hub(second):
            town.tick()
            await until(lambda: town.arrived() and len(town.log("provincial")) == 12, 60, show=town.standing)
            change(town, both_portals)
            status, said, _ = await asyncio.to_thread(reload, town)
            assert (status, {one["configuration"] for one in said["reloaded"]["processes"]}) == (0, {2})
            assert len(said["reloaded"]["processes"]) == 2
            town.tick()
            await until(lambda: town.arrived() and len(town.log("national")) == 12, 60, show=town.standing)
            # A third runs a copy of the files, as on another machine where nobody copies the next change to.
            shutil.copytree(town.folder / "mappings", elsewhere / "mappings", dirs_exist_ok=True)
            for name in ("hub.yaml", "agencies.yaml"):
                shutil.copy(town.folder / name, elsewhere / name)
            async with town.hub(QuickApp(load(elsewhere / "hub.yaml"))) as third:
                assert third.rules.configuration == 2
                change(town, lambda found: found["destinations"]["national"].update(urgent_days=3))
                status, said, _ = await asyncio.to_thread(reload, town)
                runs = {one["worker"]: one for one in said["reloaded"]["processes"]}
                assert status == 1
                assert {runs[one.ledger.worker]["configuration"] for one in (first, second)} == {3}
                assert "are not those of configuration #3" in runs[third.ledger.worker]["refused"]
                shown = await asyncio.to_thread(CliRunner().invoke, cli, ["queues", "--config", str(town.file)])
                told = " ".join(shown.stdout.split())
                assert "configuration #3 is in force since" in told
                assert "did not take the newest configuration" in told

    (town.folder / "mappings").mkdir(exist_ok=True)
    asyncio.run(main())
    assert not town.ask("SELECT id FROM dispatch WHERE possibly_twice = 1 OR state IN ('dead', 'unknown')")
    for portal in town.portals:
        delivered = town.one("SELECT count(*) FROM dispatch WHERE destination = :to AND state = 'delivered'", to=portal)
        assert len(town.log(portal)) == delivered


def test_killed_in_the_middle_of_a_reload_one_or_the_other_is_in_force_and_the_books_balance(
    make_town: MakeTown,
) -> None:
    town = make_town(dossiers=3, ticks=2, systems=["csv"], portals=["provincial"])
    log = town.folder / "kills.jsonl"
    lives = []
    for point in ("after-reload", ""):
        orders = {"HUB_KILL_AT": point, "HUB_KILL_LOG": str(log)}
        lives.append(HubProcess(town.file, town.folder / f"{point}.log", orders, patience=(3, 1)))

    async def main() -> None:
        for life in lives:
            life.start()
            try:
                town.tick()
                said = life.said
                await until(lambda: "runs: ledger" in said() and town.read_whole("csv"), 60, show=said)  # noqa: B023
                if life is not lives[-1]:
                    change(town, lambda found: found["sources"]["cau-ngang-hoso"].update(every_s=0.06))
                    life.hang_up()
                    await life.died()
                else:
                    await town.all_arrived(within_s=60)
                    await life.stop()
            finally:
                await life.leave()

    asyncio.run(main())
    assert [json.loads(line)["point"] for line in log.read_text().splitlines()] == ["after-reload"]
    assert town.ask("SELECT id FROM configuration ORDER BY id") == [(1,), (2,)]
    made = made_by(town, "csv")
    assert [made[f"lần {tick}"] for tick in (1, 2)] == [{1}, {2}]
    town.balance()
