"""A hub that is full of work goes by another configuration without a restart: nothing is lost, nothing comes twice, and
every revision names the one that made it. What cannot be run is refused whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.ledger.audit import By
from hub.ledger.read import open_reader
from mappings.load import CATALOGUE
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import CODES, Town, until

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
            await until(lambda: town.read_whole("rest") and town.one("SELECT sum(parked) FROM arrival"))
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
            await town.all_arrived()
            town.tick()
            await town.all_arrived()

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
