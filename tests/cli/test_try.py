"""`hub try` over a real folder and a real web server: what it shows, and that it writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from tests.support.http_twin import Told, http_twin

HUB = """
hub: {{name: tra-vinh, province: H59}}
ledger: {{url: "sqlite:///var/hub.db"}}
agencies: agencies.yaml
sources:
  so-y-te:
    adapter: rest
    mappings: [one-stop-rest/dossier]
    settings: {{url: "{url}", path: ho-so, rows: {{at: du_lieu}}, timeout_s: 5{more}}}
"""
AGENCIES = "- {code: H59.17, name: Sở Y tế, level: province, aliases: [000.00.17.H59]}"
ROW = {
    "so_ho_so": "000.00.17.H59-170301-0001",
    "ma_thu_tuc": "1.002464.000.00.00.H59",
    "ten_thu_tuc": "Cấp chứng chỉ hành nghề",
    "don_vi": "000.00.17.H59",
    "loai_doi_tuong": "CD",
    "nguoi_nop": "Thạch Thị Sa",
    "hinh_thuc_nop": "truc_tiep",
    "trang_thai": "processing",
    "ngay_tiep_nhan": "/Date(1488332400000)/",
    "ngay_cap_nhat": "/Date(1488336000000)/",
}


def config(folder: Path, url: str, more: str = "") -> Path:
    (folder / "agencies.yaml").write_text(AGENCIES)
    (folder / "hub.yaml").write_text(HUB.format(url=url, more=more))
    return folder / "hub.yaml"


def test_one_page_is_fetched_and_mapped_and_nothing_is_written(hub: Any, tmp_path: Path) -> None:
    body = {"du_lieu": [ROW, ROW | {"trang_thai": "dang xu li"}]}
    with http_twin(lambda asked: Told(orjson.dumps(body))) as twin:
        path = str(config(tmp_path, twin.url))
        ran = hub("try", path, "so-y-te")
        assert ran.status == 1, ran
        assert "so-y-te: ho-so page 1, " in ran.out
        assert "2 rows, 1 refused; nothing was written" in ran.out
        assert "Thạch" not in ran.out
        told = hub("try", path, "so-y-te", "--json", "--reveal").json
        assert (told["records"], told["refused"], told["ok"]) == (1, 1, False)
        assert "Thạch Thị Sa" in told["rows"][0]["input"]
        assert len(twin.asked) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["agencies.yaml", "hub.yaml"]
    ran = hub("try", path, "so-y-te")
    assert ran.status == 1
    assert "cannot be reached" in ran.err
    ran = hub("try", path, "so-yte", "--json")
    assert ran.json["problems"][0]["rule"] == "unknown-source"


def test_a_check_names_weak_tls_and_files_that_are_not_there(hub: Any, tmp_path: Path) -> None:
    path = config(tmp_path, "https://cu.example", ", ca_file: ca.pem, tls: {minimum: '1.0', legacy: true}")
    told = hub("check", str(path), "--offline", "--json").json
    assert [one["rule"] for one in told["problems"] if "ca_file" in one["message"]] == ["unreadable-file"]
    assert [one["rule"] for one in told["warnings"] if "tls" in one["rule"]] == ["weak-tls", "legacy-tls"]
