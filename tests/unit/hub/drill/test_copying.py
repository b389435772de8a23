"""The configuration that is drilled: what is the user's stays, what leads outside or takes long does not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.check import check
from hub.drill.copying import DEADLINE_S, Changes, copy, must_be_right, portal, write
from hub.drill.stand_ins import declared
from hub.yaml_lines import read
from schemas.errors import ConfigError

GIVEN = """\
hub: {name: tra-vinh, province: H59}
ledger: {url: "${LEDGER}"}
agencies: agencies.yaml
alerts: {mail: {to: [giam-doc@example.vn]}}
sources:
  a: {adapter: soap, mappings: [one-stop-csv/dossier], settings: {wsdl: "${WSDL}"}, start_from: 2017-01-01}
destinations:
  national:
    adapter: dvcqg
    mappings: {dossier.v1: dvcqg/dossier}
    settings: {url: "${URL}", username: u, password: "${P}", dstcode: "${D}", madonvi: H59, batch: 7, ca_file: x.pem}
    unknown_events: ask-operator
    maintenance: [{every: sunday}]
    retry: {cap_s: 60, limit: 4}
  other:
    adapter: lgsp
    mappings: {dossier.v1: lgsp/dossier}
    settings: {url: "http://o.example.vn", client_id: u, client_secret: "${S}"}
routes:
  - {kinds: [dossier.v1], to: [national, other], only: {agencies: [H59]}}
  - {kinds: [dossier.v1], to: [other]}
"""


@pytest.fixture
def original(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    (folder / "mappings").mkdir(parents=True)
    file = folder / "hub.yaml"
    file.write_text(GIVEN, encoding="utf-8")
    agency = "[{code: H59, name: UBND tỉnh Trà Vinh, level: province}]"
    (folder / "agencies.yaml").write_text(agency, encoding="utf-8")
    return file


def made(original: Path) -> tuple[dict[str, Any], Changes]:
    document, changes = read(original), Changes()
    _, twin = declared()["dvcqg"]
    given = document.data["destinations"]["national"]
    sections = {"national": portal("national", given, twin, "http://127.0.0.1:1", changes)}
    urls = {"ledger": {"url": "sqlite:////tmp/x.db"}, "bus": {"url": "embedded:"}}
    return copy(document, {"a": "csv"}, sections, urls, changes), changes


def test_the_other_side_is_replaced_and_the_rest_is_theirs(original: Path) -> None:
    data, changes = made(original)
    national = data["destinations"]["national"]
    assert national["settings"]["url"] == "http://127.0.0.1:1"
    assert (national["settings"]["batch"], national["retry"]["limit"]) == (7, 4)
    assert national["mappings"] == {"dossier.v1": "dvcqg/dossier"}
    assert data["sources"]["a"]["adapter"] == "recorded"
    assert data["sources"]["a"]["mappings"] == ["one-stop-csv/dossier"]
    assert data["routes"] == [{"kinds": ["dossier.v1"], "to": ["national"]}]
    text = yaml.safe_dump(data)
    for outside in ("${", "giam-doc", "x.pem", "maintenance", "start_from", "o.example.vn"):
        assert outside not in text
    assert changes.left_out == [
        "destinations.national.maintenance",
        "destinations.national.unknown_events: ask-operator (the operator would answer: resend)",
        "alerts",
        "routes.0.only: the whole route is drilled",
        "routes.1: its destinations are skipped",
    ]


def test_long_waits_are_short_and_said(original: Path) -> None:
    changes = Changes()
    given = read(original).data["destinations"]["national"] | {"rate_per_s": "0.5"}
    given["retry"] = {"cap_s": 60, "limit": 4, "classes": {"throttled": {"first_s": "9.5", "limit": 90}}}
    national = portal("national", given, declared()["dvcqg"][1], "http://127.0.0.1:1", changes)
    assert national["deadline_s"] == DEADLINE_S
    assert (national["retry"]["first_s"], national["retry"]["cap_s"], national["retry"]["limit"]) == (0.2, 1.0, 4)
    assert national["retry"]["classes"] == {"throttled": {"first_s": 0.2, "limit": 90}}
    assert national["rate_per_s"] == 200
    assert national["settings"]["connect_timeout_s"] < DEADLINE_S
    assert changes.timings == [
        "destinations.national: deadline_s 30 → 1.5, retry.first_s 1 → 0.2, retry.cap_s 60 → 1, "
        "retry.classes.throttled.first_s 9.5 → 0.2, rate_per_s 0.5 → 200, connect_timeout_s 5 → 0.75"
    ]
    assert given["retry"]["classes"]["throttled"]["first_s"] == "9.5"


def test_it_is_right_where_it_is_written_with_all_that_lies_beside_it(original: Path, tmp_path: Path) -> None:
    data, _ = made(original)
    file = write(data, original, tmp_path / "drilled")
    assert (file.parent / "agencies.yaml").read_text(encoding="utf-8").startswith("[{code: H59")
    findings = asyncio.run(check(file, offline=True, environment={}))
    assert findings.problems == ()
    assert findings.deployment is not None


def test_only_variables_that_are_not_needed_may_be_unset(original: Path) -> None:
    text = original.read_text(encoding="utf-8")
    text = text.replace("alerts: {mail: {to: [giam-doc@example.vn]}}\n", "").replace(
        "    maintenance: [{every: sunday}]\n", ""
    )
    text = text.replace(", start_from: 2017-01-01", "").replace("batch: 7", 'batch: "${BATCH}"')
    original.write_text(text.replace("adapter: soap", "adapter: files"), encoding="utf-8")
    _, twin = declared()["dvcqg"]
    with pytest.raises(ConfigError) as found:
        asyncio.run(must_be_right(original, {"national": twin}, ["other"]))
    said = [problem.message for problem in found.value.problems if problem.rule == "undefined-variable"]
    assert said == ["destinations.national.settings.batch: the environment variable BATCH is not set"]
