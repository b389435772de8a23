"""A portal that the hub was never told of: XML in an envelope, updates by PUT, steps as a form; settings and mappings
alone, through an outage and through answers that are lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from adapters.sandbox import plain_portal
from adapters.sandbox.twin import TwinOptions
from tests.end_to_end.conftest import MakeTown
from tests.end_to_end.town import Town, until

pytestmark = pytest.mark.usefixtures("impatient")

DOSSIER = """\
mapping: tinh/ho-so
from: {record: dossier.v1}
to: {portal: xml, root: "h:HoSo", namespaces: {h: "urn:tinh"}}
fields:
  "@ma": {field: number, required: true}
  h:ThuTuc/Ten: procedure_name
  h:ThuTuc/Ma: procedure_code
  h:TrangThai: {field: status, table: {name: state, else: "DANG_XU_LY"}}
  h:GhiChu: note
tables: {state: {9: DA_XONG, 10: DA_TRA}}
"""
STEP = """\
mapping: tinh/buoc
from: {record: dossier-step.v1}
to: {portal: form}
fields:
  MaHoSo: {field: number, required: true}
  LucXuLy: {field: at, date: yyyyMMddHHmmss}
  NoiDungXuLy: content
"""
ANSWERS = """\
answers: tinh
format: xml
code: KetQua.Ma
message: KetQua.ThongBao
rules:
  - when: {status: 200, code: "00"}
    is: success
  - when: {status: 409, mode: new}
    is: already-there
"""
WRAP = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><DongBo>{records}</DongBo></s:Body></s:Envelope>'
SERVICES = {
    "dossier.v1": {"path": "/ho-so", "wrap": WRAP, "update_method": "PUT", "update_path": "/ho-so/{@ma}"},
    "dossier-step.v1": {"path": "/buoc"},
}
TAKEN = {"status": 200, "form": "xml", "body": {"KetQua": {"Ma": "00", "ThongBao": "Đã nhận"}}}


def portal(options: TwinOptions) -> Starlette:
    numbers = {"dossier.v1": ["@ma"], "dossier-step.v1": ["MaHoSo"]}
    return plain_portal.create(replace(options, options={"services": SERVICES, "numbers": numbers, "welcome": TAKEN}))


def settled(town: Path, configuration: dict[str, Any]) -> None:
    """Put the portal of this test in the place of the provincial platform."""
    (town / "answers").mkdir()
    (town / "answers" / "tinh.yaml").write_text(ANSWERS, encoding="utf-8")
    (town / "mappings" / "tinh").mkdir(parents=True)
    for name, text in (("ho-so", DOSSIER), ("buoc", STEP)):
        (town / "mappings" / "tinh" / f"{name}.yaml").write_text(text, encoding="utf-8")
    section = configuration["destinations"]["provincial"]
    client = {"username": "truc-lien-thong", "password": "mat-khau-thu"}
    section |= {
        "adapter": "http",
        "answers": "tinh",
        "mappings": {"dossier.v1": "tinh/ho-so", "dossier-step.v1": "tinh/buoc"},
        "settings": {
            "url": section["settings"]["url"],
            "requests": {
                "dossier.v1": {
                    "path": "/ho-so",
                    "content_type": "text/xml; charset=utf-8",
                    "headers": {"SOAPAction": "urn:tinh/DongBo"},
                    "wrap": WRAP,
                    "update": {"path": "/ho-so/{@ma}"},
                },
                "dossier-step.v1": {"path": "/buoc"},
            },
            "look_up": {"path": "/ho-so/{number}"},
            "auth": {"type": "login", "path": "/dang-nhap", **client, "expires": "het_han"},
            "connect_timeout_s": 1,
        },
    }


def town_with_it(make_town: MakeTown, tmp_path: Path) -> Town:
    return make_town(
        ticks=3,
        dossiers=4,
        systems=("csv",),
        portals=("provincial",),
        create={"provincial": portal},
        changes=lambda configuration: settled(tmp_path, configuration),
    )


@pytest.mark.parametrize("mode", ["refuse", "accept-drop"])
def test_a_portal_by_settings_alone_gets_everything_whatever_happens(
    make_town: MakeTown, tmp_path: Path, mode: str
) -> None:
    town = town_with_it(make_town, tmp_path)

    async def main() -> None:
        async with town.hub():
            town.tick()
            await town.all_arrived()
            town.fault("provincial", mode)
            town.tick()
            await until(lambda: town.faults("provincial"), show=town.standing)
            town.tick()
            await until(lambda: town.read_whole("csv"))
            town.fault("provincial", "off")
            await town.all_arrived()

    asyncio.run(main())
    assert not town.ask("SELECT id FROM dispatch WHERE state = 'dead'")
    town.balance()
    came = Counter((effect["service"], effect["updating"]) for effect in town.log("provincial"))
    assert came["dossier.v1", False] == 4, "each dossier is new once"
    assert came["dossier.v1", True] >= 4, "and then told by PUT"
    assert came["dossier-step.v1", None] >= 12
    first = town.log("provincial")[0]["data"]
    assert first["ThuTuc"] == {"Ten": "Đăng ký khai sinh", "Ma": "1.003560.000.00.00.H59"}
    assert first["TrangThai"] == "DANG_XU_LY"
