"""`hub mappings`: what can be named, and how sure it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mappings.load import CATALOGUE, names

OWN = """\
mapping: {name}
from: {{format: csv}}
to: {kind}
fields:
  code: MA
  period: {{path: KY, period: month}}
  agency: {{const: H59}}
  value: {{path: SO, number: vi}}
  unit: {{const: hộ}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, name: str, kind: str = "indicator.v1") -> Path:
    file = folder / "mappings" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(OWN.format(name=name, kind=kind), encoding="utf-8")
    return file


def test_without_a_deployment_it_lists_the_catalogue(hub: Any, folder: Path) -> None:
    ran = hub("mappings")
    assert ran.status == 0
    assert all(f"  {name} " in ran.out for name in names())
    assert "Of this deployment" not in ran.out
    line = next(line for line in ran.out.splitlines() if "td-office/document" in line)
    assert line.split() == ["td-office/document", "json", "→", "document.v1", "2", "assumptions"]


def test_json_has_everything(hub: Any, folder: Path) -> None:
    told = hub("mappings", "--json").json
    assert told["ok"] is True
    assert [one["name"] for one in told["mappings"]] == names()
    by_name = {one["name"]: one for one in told["mappings"]}
    egc = by_name["egc/indicator"]
    assert (egc["direction"], egc["form"], egc["kind"], egc["own"]) == (
        "read", "json → indicator.v1", "indicator.v1", False,
    )  # fmt: skip
    assert egc["samples"] == [str(CATALOGUE / "egc/samples/bao-cao-quy.json")]
    assert egc["fields"]["period"] == "bao_cao.ky"
    assert len(egc["assumed"]) == 2
    assert by_name["plain/document"]["form"] == "document.v1 → json"
    assert by_name["plain/document"]["fields"]["promulgated_on"] == "promulgated_at"


def test_a_deployments_own_come_first_and_replace_those_of_the_catalogue(hub: Any, folder: Path) -> None:
    write(folder, "nam-can/indicator")
    write(folder, "egc/indicator")
    told = hub("mappings", "--json").json["mappings"]
    assert [(one["name"], one["own"]) for one in told[:2]] == [("egc/indicator", True), ("nam-can/indicator", True)]
    assert sum(one["name"] == "egc/indicator" for one in told) == 1
    out = hub("mappings").out
    assert out.startswith("Of this deployment, in mappings/")
    assert "csv → indicator.v1  not said" in out


def test_one_is_told_with_what_is_known_and_assumed(hub: Any, folder: Path) -> None:
    ran = hub("mappings", "vic/document")
    assert ran.status == 0
    assert "xml → document.v1" in ran.out
    assert "no answer of VIC has been seen" in " ".join(ran.out.split())
    assert "assumed" in ran.out
    assert re.search(r"code_number +from SoVanBan *", ran.out)
    assert "van-ban-di.xml" in ran.out
    own = write(folder, "nam-can/indicator")
    assert "nobody has written it down" in " ".join(hub("mappings", "nam-can/indicator").out.split())
    assert hub("mappings", str(own), "--json").json["name"] == "nam-can/indicator"
    assert hub("mappings", "nam-can/indicator", "--config", str(folder)).status == 0


def test_one_that_is_not_there_is_told_with_what_was_meant(hub: Any, folder: Path) -> None:
    ran = hub("mappings", "td-ofice/document")
    assert (ran.status, ran.out) == (1, "")
    assert "there is no mapping 'td-ofice/document' [unknown-mapping] — did you mean 'td-office/document'?" in ran.err


def test_one_that_cannot_be_used_is_listed_as_such(hub: Any, folder: Path) -> None:
    write(folder, "nam-can/indicator", kind="indicator.v2")
    ran = hub("mappings")
    assert ran.status == 1
    assert "nam-can/indicator" in ran.out
    assert "cannot be used" in ran.out
    told = hub("mappings", "--json")
    assert (told.status, told.json["ok"]) == (1, False)
    assert told.json["mappings"][0]["problems"][0]["rule"] == "unknown-kind"
    assert "did you mean 'indicator.v1'" in hub("mappings", "nam-can/indicator").err
