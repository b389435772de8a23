"""The first days: a canary that is widened, and what was left out meanwhile delivered by `hub backfill`."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from hub.app import run as app_run
from hub.cli import app
from hub.sections import LedgerSection
from tests.end_to_end.town import CODES, Town, until


def hub(*arguments: str, status: int = 0) -> Any:
    """Run a command; its JSON. Fails where its exit status is another."""
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


def change(town: Town, **routes: Any) -> None:
    """Write the configuration with other routes."""
    written = yaml.safe_load(town.file.read_text(encoding="utf-8"))
    written["routes"] = [
        {"kinds": ["dossier.v1", "dossier-step.v1"], "to": [to], **more} for to, more in routes.items()
    ]
    town.file.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    vars(town).pop("deployment", None)


def narrow() -> dict[str, Any]:
    return {"only": {"agencies": ["H59.15"]}}


def numbers(town: Town, portal: str) -> set[str]:
    return {effect["number"][:13] for effect in town.log(portal)}


def test_what_a_canary_left_out_is_delivered_by_a_backfill_while_the_hub_runs_and_while_it_does_not(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        with ExitStack() as stack:
            town = Town(tmp_path, stack, systems=("soap", "csv"), dossiers=3)
            change(town, national=narrow(), provincial=narrow())
            town.tick()
            async with town.hub():
                await until(lambda: town.read_whole("soap"))
                await all_left_out(town)
                assert numbers(town, "national") == numbers(town, "provincial") == {CODES["soap"]}
                assert town.ask("SELECT DISTINCT reason FROM item WHERE state = 'no-route'") == [
                    ("canary: only H59.15",)
                ]
                # Over the socket, with the widened file: no restart is needed for what was left out.
                change(town, national=narrow(), provincial={})
                made = await asyncio.to_thread(hub, "backfill", str(town.file))
                # Steps that were read before their dossier were records already.
                assert (made["done"], made["let_in"] + sum(made["made"].values())) == (True, 6)
                await town.all_arrived()
                assert numbers(town, "provincial") == {CODES["soap"], CODES["csv"]}
                assert numbers(town, "national") == {CODES["soap"]}
            change(town, national={}, provincial={})
            made = await asyncio.to_thread(hub, "backfill", str(town.file), "--destination", "national")
            assert (made["let_in"], made["made"]) == (0, {"national": 6})
            again = await asyncio.to_thread(hub, "backfill", str(town.file))
            assert (again["let_in"], again["made"]) == (0, {})
            town.tick()
            async with town.hub():
                await town.all_arrived()
            town.balance()

    asyncio.run(main())


async def all_left_out(town: Town) -> None:
    def left_out() -> bool:
        items = int(town.one("SELECT count(*) FROM item WHERE state = 'no-route'"))
        taken_back = int(town.one("SELECT count(*) FROM dispatch WHERE state = 'discarded'")) // 2
        return (items + taken_back, town.open()) == (6, 0)

    await until(left_out, show=town.standing)


def test_day_one_sends_no_history_that_the_portal_has(tmp_path: Path) -> None:
    """The old link is a hub with another ledger, which only knows the SOAP system."""

    async def main() -> None:
        with ExitStack() as stack:
            town = Town(tmp_path, stack, systems=("soap", "csv"), portals=("national",), dossiers=3)
            town.tick()
            old = replace(town.deployment, ledger=LedgerSection(url=f"sqlite:///{tmp_path / 'old.db'}"))
            old = replace(old, sources={"so-tttt": old.sources["so-tttt"]})
            await app_run(old, once=True)
            before = town.log("national")
            assert len(before) == 6
            args = ("adopt", str(town.file), "national", "--per-s", "1000")
            told = await asyncio.to_thread(hub, *args)
            assert (told["complete"], told["unread"], told["gate"]) == (True, {}, "open")
            assert told["agencies"] == {
                "H59.15": {"asked": 3, "new": 0, "history": 3, "dispatches": 6},
                "H59.34": {"asked": 3, "new": 3},
            }
            assert town.log("national") == before, "nothing is sent by asking"
            async with town.hub():
                await town.all_arrived()
                # Adopted while the hub runs, over its socket: nobody is left to ask about.
                again = await asyncio.to_thread(hub, *args)
                assert (again["complete"], again["agencies"], again["gate"]) == (True, {}, "open")
                after = town.log("national")[len(before) :]
                assert {effect["number"][:13] for effect in after} == {CODES["csv"]}
                town.tick()
                await town.all_arrived()
            sent = [effect for effect in town.log("national") if effect["service"] == "DongBoHoSoMC"]
            assert [effect["updating"] for effect in sent] == [False] * 6 + [True] * 6
            assert town.one("SELECT count(*) FROM operation WHERE what = 'adopt'") == 2
            town.balance()

    asyncio.run(main())


def test_what_changed_since_is_an_update_and_a_rehearsal_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        with ExitStack() as stack:
            town = Town(tmp_path, stack, systems=("soap",), portals=("national",), dossiers=2)
            town.tick()
            await app_run(
                replace(town.deployment, ledger=LedgerSection(url=f"sqlite:///{tmp_path / 'old.db'}")), once=True
            )
            before = len(town.log("national"))
            args = ("adopt", str(town.file), "national", "--per-s", "1000", "--as-of", "2017-03-01")
            monkeypatch.setattr("hub.adopt.PATIENCE_S", (0.0,))
            town.fault("national", "http-503")
            stopped = await asyncio.to_thread(hub, *args, status=1)
            assert (stopped["complete"], stopped["gate"], stopped["agencies"]) == (False, "paused", {})
            assert "national cannot be asked" in stopped["problem"]
            town.fault("national", "off")
            rehearsed = await asyncio.to_thread(hub, *args, "--dry-run")
            assert town.ask("SELECT standing FROM lane") == [(0,), (0,)]
            told = await asyncio.to_thread(hub, *args)
            assert told["agencies"] == rehearsed["agencies"] == {"H59.15": {"asked": 2, "new": 0, "updates": 2}}
            async with town.hub():
                await town.all_arrived()
            sent = town.log("national")[before:]
            assert [effect["updating"] for effect in sent if effect["service"] == "DongBoHoSoMC"] == [True, True]

    asyncio.run(main())
