"""A WSDL that is not there: `hub check` names it among all other problems at once, the hub runs without it, and takes
the source up when it appears."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.sandbox.soap_one_stop import NAMESPACE, WSDL
from hub.cli import app
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import until

pytestmark = pytest.mark.usefixtures("impatient")


def without_wsdl(configuration: dict[str, Any]) -> None:
    configuration["sources"]["so-tttt"]["settings"]["wsdl"] = "motcua.wsdl"


def line_of(file: Path, text: str) -> int:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_check_names_every_problem_at_once(make_town: MakeTown, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(configuration: dict[str, Any]) -> None:
        without_wsdl(configuration)
        configuration["sources"]["so-y-te"]["mappings"] = ["hong.yaml", "sai-truong.yaml"]
        configuration["routes"][0]["to"].append("nowhere")

    town = make_town(changes=broken)
    (town.folder / "hong.yaml").write_text("mapping: hong\nfrom: {format: json\n", encoding="utf-8")
    (town.folder / "sai-truong.yaml").write_text(
        "mapping: sai-truong\nfrom: {format: json, within: du_lieu}\nto: dossier.v1\nfields:\n"
        "  number: {path: so_ho_so, required: true}\n  so_lan: {path: lan}\n",
        encoding="utf-8",
    )
    # As a person sees it, without the folders of this machine.
    monkeypatch.chdir(town.folder)
    ran = CliRunner().invoke(app, ["check", "hub.yaml", "--json"], catch_exceptions=False)
    assert ran.exit_code == 1
    problems = json.loads(ran.stdout)["problems"]
    found = {(one["rule"], one["file"], one["line"]) for one in problems}
    assert found == {
        ("wsdl", "hub.yaml", line_of(town.file, "wsdl: motcua.wsdl") - 1),
        ("unknown-destination", "hub.yaml", line_of(town.file, "- nowhere")),
        ("yaml", "hong.yaml", 3),
        ("unknown-field", "sai-truong.yaml", 6),
        ("missing-field", "sai-truong.yaml", 4),
    }, ran.stdout
    assert [one for one in problems if not one["mend"]] == []
    missing = next(one for one in problems if one["rule"] == "wsdl")
    assert "so-tttt" in missing["message"]
    assert "motcua.wsdl" in missing["message"]


def test_the_hub_runs_without_a_wsdl_and_takes_the_source_up_when_it_appears(make_town: MakeTown) -> None:
    town = make_town(changes=without_wsdl)

    async def main() -> None:
        async with town.hub():
            town.tick()
            await town.all_arrived("rest", "csv")
            await until(lambda: "motcua.wsdl cannot be read" in (town.problem("so-tttt") or ""))
            address = f"{town.twins['soap'].url}/so-tttt/MotCua.asmx"
            (town.folder / ".wsdl").write_text(WSDL.format(namespace=NAMESPACE, address=address), encoding="utf-8")
            (town.folder / ".wsdl").rename(town.folder / "motcua.wsdl")
            await town.all_arrived()
            await until(lambda: town.problem("so-tttt") is None)
            town.tick()
            await town.all_arrived()

    asyncio.run(main())
    town.balance()
