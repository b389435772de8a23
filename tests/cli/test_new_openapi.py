"""`hub new source --openapi`: what a description offers, and sources that pass check, test and a run."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from adapters.sandbox import rest_one_stop
from adapters.sandbox.twin import running
from tests.cli.new_project import know_agency, passes, served, start
from tests.docs.pages import ROOT

TOKEN = "tha-cho-toi-vao"
ONE_STOP = """
openapi: 3.0.3
info: {title: Một cửa, version: "1.0"}
servers:
  - url: SERVER/{agency}
    variables: {agency: {default: so-y-te}}
security: [{token: []}]
paths:
  /api/ho-so:
    parameters:
      - $ref: '#/components/parameters/since'
    get:
      operationId: danhSachHoSo
      summary: Danh sách hồ sơ
      parameters:
        - {name: trang, in: query, schema: {type: integer, minimum: 1}}
        - {name: kich_thuoc, in: query, schema: {type: integer, default: 20, maximum: 1000}}
        - {name: X-Don-Vi, in: header, schema: {type: string}}
      responses:
        200:
          description: Một trang
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Trang'}
    post: {responses: {201: {description: ok}}}
  /api/ho-so/{ma}:
    get:
      parameters: [{name: ma, in: path, required: true, schema: {type: string}}]
      responses: {default: {$ref: '#/components/responses/MotHoSo'}}
components:
  parameters:
    since: {name: tu_ngay, in: query, schema: {type: string, format: date-time}}
  responses:
    MotHoSo:
      description: Một hồ sơ
      content: {application/json: {schema: {$ref: '#/components/schemas/HoSo'}}}
  schemas:
    Trang:
      type: object
      properties:
        trang: {type: integer}
        tong_trang: {type: integer}
        du_lieu: {type: array, items: {$ref: '#/components/schemas/HoSo'}}
    Goc:
      type: object
      properties:
        so_ho_so: {type: string, example: 000.00.15.H59-260302-0001}
        ma_thu_tuc: {type: string, example: "1.003560"}
        cha: {$ref: '#/components/schemas/HoSo'}
    HoSo:
      allOf:
        - $ref: '#/components/schemas/Goc'
        - properties:
            ten_thu_tuc: {type: string, example: Cấp phép}
            don_vi: {type: string, default: 000.00.15.H59}
            nguoi_nop: {type: string}
            loai_doi_tuong: {type: string, enum: [CD, DN]}
            hinh_thuc_nop: {type: string, enum: [truc_tiep]}
            trang_thai: {type: string, enum: [new, processing, done]}
            ngay_tiep_nhan: {type: string, format: date-time}
            ngay_hoan_thanh: {type: string, format: date-time}
            ngay_tra: {type: string, format: date-time}
            ngay_cap_nhat: {type: string, format: date-time}
  securitySchemes:
    token: {type: http, scheme: bearer}
    key: {type: apiKey, in: header, name: X-Api-Key}
    form: {type: oauth2, flows: {clientCredentials: {tokenUrl: https://h/token, scopes: {doc: đọc}}}}
"""


@pytest.fixture(autouse=True)
def project(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return start(hub, tmp_path, monkeypatch)


@pytest.fixture
def one_stop(tmp_path: Path) -> Iterator[str]:
    """A REST service with two dossiers, whose token is TOKEN."""
    recorded = json.loads((ROOT / "config/demo/samples/so-y-te-1.json").read_bytes())
    data = tmp_path / "ticks.json"
    agency = {"name": "Sở Y tế", "code": "000.00.17.H59", "system": "rest", "ticks": [recorded["du_lieu"]]}
    data.write_text(json.dumps({"agencies": {"so-y-te": agency}}), encoding="utf-8")
    with running(rest_one_stop.create, data=data, options={"token": TOKEN}) as twin:
        httpx.post(f"{twin.url}/_twin/tick", json={"tick": 1}).raise_for_status()
        Path("api.yaml").write_text(ONE_STOP.replace("SERVER", twin.url), encoding="utf-8")
        yield twin.url


def test_a_description_alone_lists_what_answers_get(hub: Any) -> None:
    Path("api.yaml").write_text(ONE_STOP, encoding="utf-8")
    ran = hub("new", "source", "so-y-te", "--openapi", "api.yaml")
    assert ran.status == 0, ran.err
    offered = "danhSachHoSo(tu_ngay: date-time?, trang: integer?, kich_thuoc: integer?, X-Don-Vi: string?) -> Trang"
    assert f"{offered}   (GET /api/ho-so)" in ran.out
    assert "GET /api/ho-so/{ma}(ma: string) -> HoSo   (GET /api/ho-so/{ma})" in ran.out
    assert "2 operations (1 more that are no GET are left out); choose one:" in ran.out
    assert "--openapi api.yaml --operation danhSachHoSo --call" in ran.out
    told = hub("new", "source", "so-y-te", "--openapi", "api.yaml", "--json").json
    assert [one["name"] for one in told["operations"]] == ["danhSachHoSo", "GET /api/ho-so/{ma}"]
    assert told["operations"][0]["arguments"][2]["default"] == 20


def test_an_address_that_is_called_becomes_a_source_that_runs(
    hub: Any, one_stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("new", "source", "so-y-te", "--openapi", "api.yaml", "--operation", "danhSachHoSo", "--call", "--write")
    refused = hub(*asked)
    assert refused.status == 1
    assert "the service answered HTTP 401" in refused.err
    assert "Phiên làm việc đã hết hạn" in refused.err
    monkeypatch.setenv("SO_Y_TE_TOKEN", TOKEN)
    ran = hub(*asked, "--argument", "trang=1", "--argument", "tu_ngay=2017-01-01T00:00:00+07:00")
    assert ran.status == 0, ran.err
    text = Path("hub.yaml").read_text(encoding="utf-8")
    assert f'      url: "{one_stop}/so-y-te"\n      path: /api/ho-so\n      rows: ' in text
    assert "rows: {at: du_lieu, changed: ngay_cap_nhat, changed_format: /Date(ms)/, pages: tong_trang}" in text
    since = 'since: {parameter: tu_ngay, format: iso, overlap_s: 60, start: "2017-01-01T00:00:00+07:00"}'
    assert since in text
    assert "page: {style: page, parameter: trang, size_parameter: kich_thuoc, size: 20}" in text
    assert 'auth: {type: bearer, token: "${SO_Y_TE_TOKEN}"}' in text
    assert TOKEN not in text
    assert "Hồ Văn Giàu" not in Path("samples/so-y-te-1.json").read_text(encoding="utf-8")
    assert passes(hub)["ok"]
    row = "- {code: H59.17, name: Sở Y tế, level: province, aliases: [000.00.17.H59]}\n"
    agencies = Path("agencies.yaml")
    agencies.write_text(agencies.read_text(encoding="utf-8") + row, encoding="utf-8")
    done = hub("run", "hub.yaml", "--once", "--wait-s", "0", "--json")
    assert done.json["rows"]["accepted"] >= 2, done.out + done.err


def test_without_an_answer_the_schema_makes_one_and_says_so(hub: Any) -> None:
    Path("api.yaml").write_text(ONE_STOP.replace("SERVER", "https://motcua.example.vn"), encoding="utf-8")
    know_agency()
    ran = hub("new", "source", "mc", "--openapi", "api.yaml", "--operation", "GET /api/ho-so", "--write")
    assert ran.status == 0, ran.err
    assert "? the sample is an invented answer, made of the schema of the description" in ran.out
    assert "3 of 3 rows of the sample become dossier.v1" in ran.out
    mapping = Path("mappings/mc/dossier.yaml").read_text(encoding="utf-8")
    assert "    new: 2\n    processing: 4\n    done: 10\n" in mapping
    text = Path("hub.yaml").read_text(encoding="utf-8")
    assert "# ? Nobody has seen an answer" in text
    assert '# auth: {type: bearer, token: "${MC_TOKEN}"}' in text
    assert '# headers: {X-Api-Key: "${MC_KEY}"}' in text
    assert '# auth: {type: oauth2, token_url: "https://h/token", client_id: "…"' in text
    assert "since: {parameter: tu_ngay, format: iso, overlap_s: 60}" in text
    told = passes(hub)
    assert (told["ok"], told["warnings"]) == (True, [])


SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "x", "version": "1"},
    "basePath": "/v1",
    "securityDefinitions": {"b": {"type": "basic"}},
    "paths": {
        "/don-vi/{don_vi}/ho-so": {
            "get": {
                "parameters": [
                    {"name": "don_vi", "in": "path", "type": "string", "required": True},
                    {"name": "offset", "in": "query", "type": "integer"},
                    {"name": "limit", "in": "query", "type": "integer", "default": 5},
                    {"name": "loai", "in": "query", "type": "string", "required": True},
                ],
                "responses": {"200": {"description": "", "schema": {"$ref": "#/definitions/DanhSach"}}},
            }
        }
    },
    "definitions": {"DanhSach": {"type": "array", "items": {"type": "object"}}},
}
ROW = {
    "SoHoSo": "000.00.15.H59-170302-0001", "MaThuTuc": "1.003560", "TenThuTuc": "Cấp phép", "DonVi": "000.00.15.H59",
    "LoaiDoiTuong": "Công dân", "NguoiNop": "Hồ Văn Giàu", "HinhThucNop": "Trực tiếp", "TrangThai": "Đang xử lý",
    "NgayTiepNhan": "02/03/2017 08:00:00",
}  # fmt: skip


class Service(BaseHTTPRequestHandler):
    """A Swagger file beside what it describes; keeps what it is asked."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        found = SWAGGER if self.path.startswith("/swagger.json") else [ROW, {**ROW, "SoHoSo": "H-2"}]
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's own name
        pass


def test_a_swagger_file_on_its_service_is_read_and_logged_in_to(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MC_PASSWORD", "bí mật")
    asked: list[tuple[str, str | None]] = []
    handler = type("Kept", (Service,), {"asked": asked})
    with served(handler) as url:
        options = ("--openapi", f"{url}/swagger.json", "--operation", "GET /don-vi/{don_vi}/ho-so", "--username", "hub")
        ran = hub("new", "source", "mc", *options, "--call")
        assert "needs don_vi (string), loai (string)" in ran.err
        assert "write --argument don_vi=… --argument loai=…" in ran.err
        given = ("--argument", "don_vi=H59/15", "--argument", "loai=mot-cua")
        ran = hub("new", "source", "mc", *options, *given, "--call", "--write")
        assert ran.status == 0, ran.err
    basic = "Basic " + base64.b64encode("hub:bí mật".encode()).decode()
    assert asked[-1] == ("/v1/don-vi/H59%2F15/ho-so?loai=mot-cua", basic)
    text = Path("hub.yaml").read_text(encoding="utf-8")
    section = yaml.safe_load(text)["sources"]["mc"]["settings"]
    assert section["path"] == "/don-vi/H59%2F15/ho-so"
    assert section["query"] == {"loai": "mot-cua"}
    assert section["page"] == {
        "style": "offset", "parameter": "offset", "size_parameter": "limit", "size": 5, "overlap": 4,
    }  # fmt: skip
    assert section["auth"] == {"type": "basic", "username": "hub", "password": "${MC_PASSWORD}"}
    assert "bí mật" not in text
    assert "no column tells when a row changed" in text
    assert passes(hub)["ok"]


def test_a_recorded_answer_goes_before_the_schema(hub: Any) -> None:
    Path("api.json").write_text(json.dumps({**SWAGGER, "host": "motcua.example.vn"}), encoding="utf-8")
    Path("a.json").write_text(json.dumps([ROW]), encoding="utf-8")
    asked = ("--operation", "GET /don-vi/{don_vi}/ho-so", "--argument", "don_vi=1", "--argument", "loai=2")
    told = hub("new", "source", "mc", "--openapi", "api.json", "--sample", "a.json", *asked, "--json")
    assert (told.status, told.json["accepted"], told.json["sample_made_of"]) == (0, 1, "")
    assert '      url: "http://motcua.example.vn/v1"\n' in told.json["section"]
    assert '# auth: {type: basic, username: "…", password: "${MC_PASSWORD}"}' in told.json["section"]


HOSTILE = {
    "x: [": "cannot be read: ",
    "a: 1": "is no OpenAPI file: it has no `paths`",
    "openapi: 4.0.0\npaths: {}": "is of the version '4.0.0'",
    "openapi: 3.0.0\npaths: {}": "describes no address that answers GET",
    "[" * 100_000: "nested deeper than",
    '{"a":' * 100_000: "nested deeper than",
    "a: &a [*a]": "the alias 'a' stands inside what it means",
    "openapi: 3.0.0\npaths: {/a: {$ref: '#/paths/~1a'}}": "its references go round in a ring",
    "openapi: 3.0.0\npaths: {/a: {$ref: 'http://h/b.yaml'}}": "lies elsewhere and is not fetched",
    "openapi: 3.0.0\npaths: {/a: {$ref: '#/none'}}": "which is not there",
    "a: !!python/object/apply:os.system [ls]\npaths: 1": "is no OpenAPI file",
}


def test_a_description_that_cannot_be_used_is_one_line_with_the_mend(hub: Any) -> None:
    for text, said in HOSTILE.items():
        Path("api.yaml").write_text(text, encoding="utf-8")
        ran = hub("new", "source", "x", "--openapi", "api.yaml")
        assert (ran.status, ran.err.count("\n")) == (1, 1), ran.err
        assert said in ran.err
        assert "[openapi] — " in ran.err


def test_an_example_that_grows_beyond_all_bounds_is_refused(hub: Any) -> None:
    layers = "".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    text = (
        f"openapi: 3.0.0\nx:\n  a0: &a0 [1]\n{layers}servers: [{{url: http://h}}]\npaths:\n  /a:\n    get:\n"
        "      responses: {200: {description: x, content: {application/json: {example: *a8}}}}\n"
    )
    Path("api.yaml").write_text(text, encoding="utf-8")
    ran = hub("new", "source", "x", "--openapi", "api.yaml", "--operation", "GET /a")
    assert ran.status == 1
    assert "makes more than 400,000 values out of what it holds [openapi]" in ran.err


LIST = ("--operation", "danhSachHoSo")
REFUSED = [
    (("--openapi", "none.yaml"), "none.yaml: cannot be read: no such file"),
    (("--openapi", "http://127.0.0.1:9/x.json"), "cannot be reached"),
    (("--openapi", "api.yaml", "--operation", "danhSachHoso"), "did you mean 'danhSachHoSo'?"),
    (("--openapi", "api.yaml", *LIST, "--argument", "tu_ngya=1"), "did you mean 'tu_ngay'?"),
    (("--openapi", "api.yaml", *LIST), "does not say where the service is [no-address] — say by --url"),
    (("--openapi", "api.yaml", *LIST, "--url", "ftp://h"), "--url ftp://h: is no base address"),
    (("--openapi", "api.yaml", *LIST, "--username", "hub"), "the environment variable X_PASSWORD is not set"),
    (("--openapi", "api.yaml", "--operation", "GET /api/ho-so/{ma}", "--argument", "ma=1", "--url", "http://h",
      "--const", "channel=counter"), "the answer has one object at ., and the adapter rest reads lists of rows"),
    (("--openapi", "api.yaml", "--wsdl", "x"), "--wsdl and --openapi name different systems [wrong-option]"),
    (("--openapi", "api.yaml", "--query", "SELECT 1"), "--query says nothing with --openapi [wrong-option]"),
    (("--openapi", "api.yaml", *LIST, "--sample", "x", "--call"), "--call and --sample both give an answer"),
    (("--operation", "x"), "--operation says nothing with a recorded answer alone [wrong-option]"),
]  # fmt: skip


def test_what_is_asked_wrongly_is_said_with_the_mend(hub: Any) -> None:
    Path("api.yaml").write_text(ONE_STOP.replace("SERVER", ""), encoding="utf-8")
    for options, said in REFUSED:
        ran = hub("new", "source", "x", *options, "--write")
        assert ran.status == 1, options
        assert said in ran.err, options
    assert not Path("mappings/x").exists()


def test_a_password_goes_to_no_host_that_only_the_description_names(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []
    handler = type("Kept", (Service,), {"asked": asked})
    monkeypatch.setattr(f"{__name__}.SWAGGER", {**SWAGGER, "host": "other.example.vn"})
    monkeypatch.setenv("MC_TOKEN", TOKEN)
    with served(handler) as url:
        options = ("--openapi", f"{url}/swagger.json", "--operation", "GET /don-vi/{don_vi}/ho-so", "--call")
        ran = hub("new", "source", "mc", *options, "--argument", "don_vi=1", "--argument", "loai=2")
    assert ran.status == 1
    assert "names other.example.vn, which would get the log-in [other-host]" in ran.err
    assert [one[1] for one in asked] == [None]
