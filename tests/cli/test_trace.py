"""`hub trace`: the whole story of a dossier, readable at 100 columns, without anybody's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len

from hub.ledger.views import Trace
from schemas.sensitivity import MASKED

NUMBER = "000.00.15.H59-170302-0007"


@pytest.fixture(autouse=True)
def told(reader: Any, story: Trace) -> None:
    reader.traces[NUMBER] = story


@pytest.mark.parametrize(
    "said",
    [
        f"Dossier {NUMBER}  now 9 Đã xử lý xong",
        "Cấp giấy phép bưu chính",
        "dossier.v1 revision 1  read 02/03/2026 08:00:10  so-tttt, LayDanhSachHoSo page 1",
        "2 Được tiếp nhận → 4 Đang xử lý",
        "– → 08/03/2017 10:00:00",
        "national #1  delivered 02/03/2026 08:00:11, 1.0 s after it was read",
        "08:00:10.100  sent       as new, in a request of 40",
        "08:00:11.000  confirmed  900 ms",
        "national #2  superseded by #3",
        "gate held: the connection was refused",
        "possibly twice",
        "step of 02/03/2017 09:00:00",
        "national #4  waiting: behind #3",
        "gate opened  national, after 25.0 s",
        "parked 02/03/2026 08:00:15  so-tttt, LayDanhSachHoSo page 2, row 5",
        "status: is not in the table 'status' at TrangThai (found 'Chờ')",
        "mend: add it to the table",
        "2 delivered, 1 superseded, 1 waiting",
        "bận (code 17)",
        "superseded  by #3",
        ", in place of #2",
    ],
)
def test_what_happened_is_told(hub: Any, said: str) -> None:
    ran = hub("trace", NUMBER)
    assert ran.status == 0
    assert said in ran.out


def test_it_fits_a_hundred_columns(hub: Any) -> None:
    assert max(cell_len(line.rstrip()) for line in hub("trace", NUMBER).out.splitlines()) <= 100


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("personal", ["Nguyễn Thị Hồng Đào", "Trần Văn Sáu", "0912345678", "0987654321", "Thẩm định"])
def test_personal_data_are_masked_unless_asked_for(hub: Any, options: tuple[str, ...], personal: str) -> None:
    assert personal not in hub("trace", NUMBER, *options).out
    if personal != "0912345678":
        assert personal in hub("trace", NUMBER, "--reveal", *options).out


def test_a_change_of_a_masked_field_is_still_seen(hub: Any) -> None:
    changes = hub("trace", NUMBER, "--json").json["revisions"][1]["changes"]
    assert {"field": "applicant_phone", "before": MASKED, "after": MASKED} in changes
    assert {"field": "status", "before": 2, "after": 4} in changes


def test_json_has_everything(hub: Any) -> None:
    told = hub("trace", NUMBER, "--json").json
    assert (len(told["revisions"]), len(told["dispatches"]), len(told["events"])) == (4, 4, 9)
    assert told["events"][0] == {
        "at": "2026-03-02T08:00:10+07:00",
        "what": "read",
        "why": "accepted",
        "revision_id": 1,
        **dict.fromkeys(("dispatch_id", "destination", "call_id", "mode", "batch_size", "took_s", "code")),
    }
    assert told["revisions"][3]["key"] == f"{NUMBER}|2017-03-02T02:00:00Z|{MASKED}|4"


def test_a_key_that_nobody_knows_is_one_line(hub: Any) -> None:
    ran = hub("trace", "nothing", "--json")
    assert ran.status == 1
    assert ran.err.startswith("error: the ledger has nothing about 'nothing'")
    assert len(ran.err.splitlines()) == 1
    assert ran.json["problems"][0]["rule"] == "unknown-key"


def test_a_refused_row_that_came_right_asks_for_nothing(hub: Any, reader: Any, story: Trace) -> None:
    assert "came right since" not in hub("trace", NUMBER).out
    assert hub("trace", NUMBER, "--json").json["problems"][0]["came_right"] is False
    reader.traces[NUMBER] = replace(story, problems=[replace(story.problems[0], mend="")])
    told = hub("trace", NUMBER).out
    assert "came right since" in told
    assert "mend:" not in told
    assert hub("trace", NUMBER, "--json").json["problems"][0]["came_right"] is True
