"""One dossier that a portal refuses: it alone is dead, everything else flows; mended and replayed it arrives in order.

The dead letters are looked at, corrected and replayed by the commands, while the hub runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.sandbox import national_portal
from adapters.sandbox.books import Books, check_ledger
from adapters.sandbox.faults import Faults
from adapters.sandbox.portal_log import Effect, PortalLog
from adapters.sandbox.twin import TwinOptions, twin_app
from hub.ledger.read import open_reader
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import marker, until

pytestmark = pytest.mark.usefixtures("impatient")


class PickyPlatform:
    """A provincial platform that answers 400 to some dossiers until it is mended."""

    refused: ClassVar[set[str]] = set()
    right: ClassVar[Mapping[str, str]] = {}
    """Of these dossiers the procedure has to have another name."""

    def __init__(self, options: TwinOptions) -> None:
        self.log = PortalLog(options.log)

    async def token(self, request: Request) -> Response:
        return JSONResponse({"access_token": "the-token", "token_type": "Bearer", "expires_in": 3600})

    async def take(self, request: Request) -> Response:
        record = await request.json()
        number = record["DocCode"]
        wrong = "DocTypeName" in record and record["DocTypeName"] != self.right.get(number, record["DocTypeName"])
        if number in self.refused or wrong:
            return JSONResponse({"code": "17", "message": f"Mã thủ tục của {number} không có trong danh mục"}, 400)
        self.log.accept([Effect(request.url.path.rpartition("/")[2], number, record)])
        return JSONResponse({"message": "OK"})


def picky_platform(options: TwinOptions) -> Starlette:
    platform = PickyPlatform(options)
    routes = [
        Route("/token", platform.token, methods=["POST"]),
        Route("/Document/SyncDocument", platform.take, methods=["POST"]),
        Route("/Document/UpdateDocumentTraces", platform.take, methods=["POST"]),
    ]
    return twin_app(routes, faults=Faults(), state=platform.log.state)


async def hub(*arguments: str) -> Any:
    """Run a command in a process of its own, as a person does beside a running hub; what it prints as JSON."""
    command = [sys.executable, "-c", "from hub.cli import main; main()", *arguments, "--json"]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env=os.environ | {"HUB_WHO": "lan"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_dead_letters_are_corrected_and_replayed_while_the_hub_runs(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = make_town(systems=("soap", "rest"), create={"provincial": picky_platform})
    culprit, misspelt = town.numbers["soap"][1], town.numbers["rest"][0]
    monkeypatch.setattr(PickyPlatform, "refused", {culprit})
    monkeypatch.setattr(PickyPlatform, "right", {misspelt: "Cấp giấy phép bưu chính (sửa)"})
    config = ["--config", str(town.file)]

    def stuck() -> bool:
        """Only the culprits' steps are left, waiting."""
        left = town.ask("SELECT lane, kind, state FROM dispatch WHERE ended_us IS NULL")
        return {tuple(row) for row in left} == {(one, "dossier-step.v1", "waiting") for one in (culprit, misspelt)}

    async def main() -> None:
        async with town.hub():
            for _ in range(2):
                town.tick()
                await until(lambda: town.read_whole("soap") and town.read_whole("rest") and stuck(), show=town.standing)
            await decide()
            await until(lambda: not town.open(), show=town.standing)

    async def decide() -> None:
        dead = town.ask("SELECT id, destination, lane, kind, attempts, tries FROM dispatch WHERE state = 'dead'")
        assert {row[1:4] for row in map(tuple, dead)} == {
            ("provincial", one, "dossier.v1") for one in (culprit, misspelt)
        }
        assert {row.attempts for row in dead} == {row.tries for row in dead} == {1}
        assert town.faults("provincial").keys() == {"data"}
        with open_reader(town.ledger) as reader:
            waiting = [one for one in reader.trace(culprit).dispatches if one.state == "waiting"]
        assert [one.kind for one in waiting] == ["dossier-step.v1"] * 2
        assert all(one.waits_for for one in waiting), waiting
        assert not any(effect["number"] in (culprit, misspelt) for effect in town.log("provincial"))

        listed = await hub("dead", "list", "--text", "KHÔNG CÓ TRONG", *config)
        assert [one["dispatch_id"] for one in listed["dead"]] == [row.id for row in dead]
        assert {(one["key"], one["fault"], one["code"]) for one in listed["dead"]} == {
            (one, "data", "17") for one in (culprit, misspelt)
        }
        newest = max(row.id for row in dead if row.lane == misspelt)
        shown = await hub("dead", "show", str(newest), *config)
        assert "không có trong danh mục" in shown["letter"]["text"]
        assert (shown["content"]["number"], shown["letter"]["revision"]) == (misspelt, 2)
        assert (shown["missing"], shown["followers"]) == ("", 1)

        change = "procedure_name=Cấp giấy phép bưu chính (sửa)"
        fixed = await hub("dead", "correct", str(newest), "--set", change, "--why", "tên sai", *config)
        assert fixed["revision"] == 3
        assert fixed["superseded"] == sorted(row.id for row in dead if row.lane == misspelt)

        monkeypatch.setattr(PickyPlatform, "refused", set())
        replayed = await hub("dead", "replay", "--destination", "provincial", "--why", "mended", *config)
        left = [row.id for row in dead if row.lane == culprit]
        assert replayed["shown"] == len(left) == replayed["enqueued"] + len(replayed["superseded"])

    asyncio.run(main())
    mine = [effect["service"] for effect in town.log("provincial") if effect["number"] == culprit]
    # In the order of its life: a step stands between the two states, so that neither overtakes the other.
    assert mine == ["SyncDocument", "UpdateDocumentTraces"] * 2
    told = [effect["service"] for effect in town.log("provincial") if effect["number"] == misspelt]
    assert told == ["SyncDocument", "UpdateDocumentTraces", "UpdateDocumentTraces"]
    assert not town.one("SELECT count(*) FROM dispatch WHERE state = 'dead'")
    done = town.ask("SELECT who, what, why FROM operation ORDER BY id")
    assert [tuple(row) for row in done] == [("lan", "correct", "tên sai"), ("lan", "replay", "mended")]
    # The other portal had taken it as it was: to it the correction is an update.
    assert [marker(effect) for effect in town.log("national") if effect["number"] == misspelt][2:] == [
        "lần 2", "bước 2", "lần 2",
    ]  # fmt: skip
    town.balance(beside=[misspelt])
    books = Books({})
    check_ledger(books, lambda sql: [dict(row._mapping) for row in town.ask(sql)])
    assert books.findings == []


class PickyPortal(national_portal.NationalPortal):
    """A national portal that refuses some dossiers with a code of its own, and the whole request with them."""

    refused: ClassVar[set[str]] = set()

    def _refusal(
        self, service: str, updating: bool | None, item: Any, number: str, added: set[str]
    ) -> dict[str, Any] | None:
        if number in self.refused:
            return {"error_code": "17", "message": "Mã thủ tục không có trong danh mục quốc gia"}
        return super()._refusal(service, updating, item, number, added)


def with_code_17(folder: Path) -> Any:
    """Write the shipped answer table with one rule more, and return the change of the configuration that names it."""
    shipped = Path(__file__).parents[2] / "config" / "answers" / "dvcqg.yaml"
    table = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    table["rules"].insert(0, {"when": {"status": "200-299", "code": "17"}, "is": "data", "say": "Sai mã thủ tục"})
    (folder / "answers.yaml").write_text(yaml.safe_dump(table, allow_unicode=True), encoding="utf-8")

    def change(configuration: Mapping[str, Any]) -> None:
        configuration["destinations"]["national"]["answers"] = "answers.yaml"

    return change


def test_a_batch_refused_whole_is_halved_until_the_culprit_stands_alone(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(national_portal, "NationalPortal", PickyPortal)
    town = make_town(dossiers=20, systems=("rest",), portals=("national",), ticks=1, changes=with_code_17(tmp_path))
    culprit = town.numbers["rest"][12]
    monkeypatch.setattr(PickyPortal, "refused", {culprit})

    async def main() -> None:
        async with town.hub():
            town.tick()
            await until(
                lambda: (
                    town.read_whole("rest")
                    and {row[0] for row in town.ask("SELECT lane FROM dispatch WHERE ended_us IS NULL")} == {culprit}
                ),
                show=town.standing,
            )

    asyncio.run(main())
    rows = town.ask("SELECT lane, state, attempts, tries FROM dispatch WHERE kind = 'dossier.v1'")
    assert [(row.lane, row.attempts) for row in rows if row.state == "dead"] == [(culprit, 1)]
    innocents = [row for row in rows if row.lane != culprit]
    assert len(innocents) == 19
    assert {(row.state, row.attempts) for row in innocents} == {("delivered", 0)}
    # All twenty were refused together at first, then the halves with the culprit in them: ⌈log2 20⌉ + 1 calls at most.
    assert max(row.tries for row in rows) <= 6
    sizes = [row[0] for row in town.ask("SELECT members FROM call WHERE mode = 'new' ORDER BY id")]
    assert sizes[0] == 20
    assert 1 in sizes
