"""A small project that `hub check --strict` has nothing to say about, as the text of its files."""

from __future__ import annotations

from pathlib import Path

HUB = """\
hub: {name: tra-vinh, province: H59}
agencies: agencies.yaml
sources:
  so-noi-vu:
    adapter: files
    every_s: 60
    mappings: [noi-vu/ho-so]
    samples: samples/noi-vu
    settings: {folder: drop, pattern: "*.xml", media: xml}
  so-y-te:
    adapter: rest
    every_s: 60
    mappings: [one-stop-rest/dossier, one-stop-rest/step]
    start_from: 2025-07-01
    settings:
      url: http://127.0.0.1:9
      path: /ho-so
      headers: {X-Client: tra-vinh}
      auth: {type: bearer, token: "${TOKEN}"}
destinations:
  provincial:
    adapter: lgsp
    answers: tinh
    mappings: {dossier.v1: tinh/ho-so, dossier-step.v1: lgsp/step}
    settings:
      url: http://127.0.0.1:9
      client_id: hub
      client_secret: "${SECRET}"
      connect_timeout_s: 5
    deadline_s: 30
    window: 500
    parallel: 4
    personal: [applicant_name, content, person]
    retry: {first_s: 1, cap_s: 60, give_up_after_s: 86400}
    maintenance:
      - {daily: true, from: "22:00", to: "23:00"}
      - {weekly: sunday, from: "01:00", to: "02:00"}
  national:
    adapter: dvcqg
    mappings: {dossier.v1: dvcqg/dossier}
    settings:
      url: http://127.0.0.1:9
      username: hub
      password: "${SECRET}"
      dstcode: VN:GOV:000.00.00.G22:vpcpdvcprovider
      madonvi: H59
      batch: 100
routes:
  - kinds: [dossier.v1]
    sources: [so-noi-vu]
    agencies: [H59.05]
    to: [provincial]
  - kinds: [dossier.v1, dossier-step.v1]
    sources: [so-y-te]
    to: [provincial]
  - kinds: [dossier.v1]
    only: {agencies: [H59.17]}
    to: [national]
mail: {host: mail.travinh.gov.vn, sender: truc@travinh.gov.vn, username: truc, password: "${SECRET}"}
alerts:
  mail: [truc@travinh.gov.vn]
  source_after_s: 900
  webhooks:
    - {name: truc-ban, url: https://truc.travinh.gov.vn/bao, bearer: "${TOKEN}"}
agency_files: {mail: {H59.05: [noi-vu@travinh.gov.vn]}}
"""

AGENCIES = """\
- {code: H59, name: UBND tỉnh Trà Vinh, level: province, aliases: [000.00.00.H59]}
- {code: H59.05, name: Sở Nội vụ, level: province, aliases: [000.00.05.H59]}
- {code: H59.06, name: Sở Ngoại vụ, level: province, valid_from: 2010-01-01, valid_to: 2025-06-30, successor: H59.05}
- {code: H59.17, name: Sở Y tế, level: province, aliases: [000.00.17.H59]}
"""

INBOUND = """\
mapping: noi-vu/ho-so
summary: Sở Nội vụ, one file per day
from:
  format: xml
  charset: utf-8
  each: HoSo
to: dossier.v1
tables:
  status: tables/trang-thai.yaml
  applicant: {CD: citizen, DN: enterprise}
fields:
  number: {path: SoHoSo, required: true}
  procedure_code: MaThuTuc
  procedure_name: TenThuTuc
  agency: {path: DonVi, agency: code}
  agency_level: {path: DonVi, agency: level}
  applicant_kind: {path: LoaiDoiTuong, table: applicant}
  applicant_name: NguoiNop
  applicant_phone: {path: DienThoai, match: "([0-9]+)", default: "0"}
  summary: {first: [TrichYeu, NoiDung]}
  channel: {const: counter}
  status: {path: TrangThai, table: status}
  received_at: {path: NgayNhan, date: dd/MM/yyyy}
  finished_at: {path: NgayXong, date: dd/MM/yyyy}
  note: {path: GhiChu, text: {squeeze: true}}
"""

TABLE = """\
Mới nhận: 1
Đang xử lý: 4
Đã xong: 9
"""

INBOUND_TEST = """\
agencies:
  - {code: H59.05, name: Sở Nội vụ, level: province, aliases: [000.00.05.H59]}
cases:
  - name: a dossier in progress
    body: |
      <DanhSach><HoSo><SoHoSo>05-1</SoHoSo><MaThuTuc>1.0</MaThuTuc><TenThuTuc>Cấp thẻ</TenThuTuc>
      <DonVi>000.00.05.H59</DonVi><LoaiDoiTuong>CD</LoaiDoiTuong>
      <NguoiNop>Thạch Sang</NguoiNop><DienThoai>09</DienThoai><TrichYeu/><NoiDung/>
      <TrangThai>Đang xử lý</TrangThai><NgayNhan>20/03/2017</NgayNhan><NgayXong/><GhiChu/></HoSo></DanhSach>
    rows:
      - record:
          number: 05-1
          procedure_code: "1.0"
          procedure_name: Cấp thẻ
          agency: H59.05
          agency_level: province
          applicant_kind: citizen
          applicant_name: Thạch Sang
          applicant_phone: "09"
          channel: counter
          status: 4
          received_at: 2017-03-19T17:00:00Z
"""

SAMPLE = """\
<?xml version="1.0" encoding="utf-8"?>
<DanhSach>
  <HoSo>
    <SoHoSo>05-2</SoHoSo><MaThuTuc>1.0</MaThuTuc><TenThuTuc>Cấp thẻ</TenThuTuc><DonVi>000.00.05.H59</DonVi>
    <LoaiDoiTuong>DN</LoaiDoiTuong><NguoiNop>Công ty Hòa Bình</NguoiNop><DienThoai>0294</DienThoai><TrichYeu/><NoiDung/>
    <TrangThai>Đã xong</TrangThai><NgayNhan>20/03/2017</NgayNhan><NgayXong>22/03/2017</NgayXong><GhiChu/>
  </HoSo>
</DanhSach>
"""

OUTBOUND = """\
mapping: tinh/ho-so
summary: LGSP - what the province needs of a dossier
from: {record: dossier.v1}
to: {portal: json, empty: text}
tables:
  finished: {9: true, 10: true}
fields:
  DocCode: {field: number, required: true}
  DocTypeCode: procedure_code
  CitizenName: applicant_name
  IsSuccess: {field: status, table: {name: finished, else: false}}
  DateReceived: {field: received_at, date: "yyyy-MM-dd'T'HH:mm:ssZ"}
  OrganInchargeIdLevel1: agency
"""

OUTBOUND_TEST = """\
cases:
  - name: a dossier in progress
    record:
      number: 05-1
      procedure_code: "1.0"
      procedure_name: Cấp thẻ
      agency: H59.05
      agency_level: province
      applicant_kind: citizen
      applicant_name: Thạch Sang
      channel: counter
      status: 4
      received_at: 2017-03-20T01:00:00Z
    payload:
      DocCode: 05-1
      DocTypeCode: "1.0"
      CitizenName: Thạch Sang
      IsSuccess: false
      DateReceived: 2017-03-20T08:00:00+0700
      OrganInchargeIdLevel1: H59.05
"""

ANSWERS = """\
answers: tinh
code: code
message: message
rules:
  - when: {status: 200}
    is: success
  - when: {status: 400, code: [sai, thieu]}
    is: data
  - when: {status: 401}
    is: session
"""

FILES = {
    "hub.yaml": HUB,
    "agencies.yaml": AGENCIES,
    "answers/tinh.yaml": ANSWERS,
    "mappings/noi-vu/ho-so.yaml": INBOUND,
    "mappings/noi-vu/ho-so_test.yaml": INBOUND_TEST,
    "mappings/noi-vu/tables/trang-thai.yaml": TABLE,
    "mappings/tinh/ho-so.yaml": OUTBOUND,
    "mappings/tinh/ho-so_test.yaml": OUTBOUND_TEST,
    "samples/noi-vu/ngay-1.xml": SAMPLE,
}


def write(folder: Path) -> Path:
    """Write the project into a folder; returns the configuration."""
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder / "hub.yaml"
