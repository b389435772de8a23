"""A whole small project: one source that reads files, one portal, a mapping with its test, and a sample.

It passes `hub check --offline` as it is, and carries its sample to the twin of the provincial platform.
"""

from __future__ import annotations

import re
from pathlib import Path

from hub.scaffold.editors import FOLDER, head
from hub.scaffold.write import write_all
from hub.schema_export import export
from schemas.errors import ConfigError, Problem

PORT = 8772
"""Where the README starts the twin of the portal."""


def make(folder: Path, *, name: str, province: str, keep: bool = False) -> list[Path]:
    """Write the project and return its files.

    With `keep` a folder that is not empty is taken, and every file that is there already stays as it is. Raises:
    ConfigError that names what is there.
    """
    files = {path: text.encode() for path, text in project(name, province).items()}
    files |= {f"{FOLDER}/{path}": body for path, body in export().items()}
    if folder.exists() and not folder.is_dir():
        raise ConfigError([Problem("no-folder", "is no folder", "name another place", str(folder))])
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if there and not keep:
        listed = ", ".join(there[:10]) + (" …" if len(there) > 10 else "")
        mend = "name an empty folder; with --force what is there stays, and only what is missing is written"
        raise ConfigError([Problem("not-empty", f"is not empty, it holds {listed}", mend, str(folder))])
    return write_all(folder, {path: body for path, body in files.items() if not (folder / path).exists()})


def project(name: str, province: str) -> dict[str, str]:
    """Every file of the project by its path."""
    agency = f"{province}.01"
    old = f"000.00.01.{province}"
    source = "mot-cua"
    return {
        "hub.yaml": _HUB.format(head=head("hub"), name=name, province=province, source=source, port=PORT),
        "agencies.yaml": _AGENCIES.format(head=head("agencies"), province=province, agency=agency, old=old),
        f"mappings/{source}/dossier.yaml": _MAPPING.format(head=head("mapping"), source=source),
        f"mappings/{source}/dossier_test.yaml": _TEST.format(
            head=head("mapping-test"), agency=agency, old=old, source=source, columns=_COLUMNS
        ),
        f"samples/{source}-1.csv": _SAMPLE.format(columns=_COLUMNS, old=old),
        f"drop/{source}/.gitkeep": "",
        ".gitignore": "# The ledger, and files that were dropped: data of persons, which belong into no repository.\n"
        "var/\ndrop/*/*\n!drop/*/.gitkeep\n",
        "README.md": _README.format(name=name, source=source, port=PORT, old=old),
    }


def name_of(folder: Path) -> str:
    """A name for the hub, from that of its folder."""
    found = re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-")[:40].strip("-")
    return found or "hub"


_HUB = """{head}
# What is read, where it goes, and by which rules. `hub check` says everything that is wrong with this file at once.

hub:
  name: {name}
  province: {province}  # the province's code in the national register

# Everything that the hub knows. One file is enough for one process; several processes need postgresql://…
ledger: {{url: "sqlite:///var/hub.db"}}

# What carries the messages to the portals: inside the process. amqp://… is RabbitMQ.
bus: {{url: "embedded:"}}

# The agencies, each with its code and with the names that old systems have for it.
agencies: agencies.yaml

# The old systems that are read.
sources:
  {source}:
    adapter: files  # a folder: each file that is dropped is read once, then moved to done/
    agency_name: Bộ phận một cửa
    every_s: 60  # from the end of one look to the start of the next, in seconds
    mappings: [{source}/dossier]  # mappings/{source}/dossier.yaml
    samples: samples/{source}-*.csv
    settings:
      folder: drop/{source}
      pattern: "*.csv"
      media: csv
      settle_s: 0.2  # a file is complete when it has not changed for so long

# The portals that are written to.
destinations:
  provincial:
    adapter: lgsp  # the provincial platform
    answers: lgsp  # what its answers mean
    mappings: {{dossier.v1: lgsp/dossier}}  # a mapping that comes with the hub
    settings:
      # ${{NAME}} comes from the environment; behind :- stands what holds where it is not set: the twin of README.md.
      url: ${{PORTAL_URL:-http://127.0.0.1:{port}}}
      client_id: ${{PORTAL_CLIENT_ID:-truc-lien-thong}}
      client_secret: ${{PORTAL_CLIENT_SECRET:-mat-khau-thu}}
    deadline_s: 30  # the whole of one request
    retry: {{first_s: 1, cap_s: 300, limit: 20}}  # how often, and how long between, where the portal fails

# Which records go where.
routes:
  - {{kinds: [dossier.v1], to: [provincial]}}
"""

_AGENCIES = """{head}
# The agencies of the province. `code` is what the hub writes; `aliases` are the codes and names that old systems use.
- {{code: {province}, name: UBND tỉnh, level: province}}
- {{code: {agency}, name: Bộ phận một cửa, level: province, aliases: [{old}]}}
"""

_MAPPING = """{head}
# How a line of the file becomes a dossier: on the left the record's field, on the right the column.
mapping: {source}/dossier
summary: Phần mềm một cửa, tệp CSV
from:
  format: csv
  delimiter: ";"
to: dossier.v1
# What the system's words mean. A word that is not here makes its row wait until somebody adds it.
tables:
  applicant: {{Công dân: citizen, Doanh nghiệp: enterprise, Cơ quan: state-agency, Khác: other}}
  channel: {{Trực tiếp: counter, Trực tuyến: online, Bưu chính: post}}
  status: {{Mới: 1, Đã tiếp nhận: 2, Từ chối: 3, Đang xử lý: 4, Chờ bổ sung: 5, Đã rút: 7, Đã xong: 9, Đã trả: 10}}
fields:
  number: {{path: SO_HO_SO, required: true}}
  procedure_code: MA_TTHC
  procedure_name: TEN_TTHC
  agency: {{path: DON_VI, agency: code}}  # looked for in agencies.yaml
  agency_level: {{path: DON_VI, agency: level}}
  applicant_kind: {{path: LOAI_DOI_TUONG, table: applicant}}
  applicant_name: HO_TEN
  applicant_phone: DIEN_THOAI
  channel: {{path: KENH, table: channel}}
  status: {{path: TRANG_THAI, table: status}}
  received_at: {{path: NGAY_TIEP_NHAN, date: "dd/MM/yyyy HH:mm"}}
  due_at: {{path: NGAY_HEN_TRA, date: "dd/MM/yyyy HH:mm"}}
  finished_at: {{path: NGAY_KET_THUC, date: "dd/MM/yyyy HH:mm"}}
  changed_at: {{path: NGAY_CAP_NHAT, date: "dd/MM/yyyy HH:mm"}}
"""

_TEST = """{head}
# What the mapping has to make of the sample: run it after every change.
agencies:
  - {{code: {agency}, name: Bộ phận một cửa, level: province, aliases: [{old}]}}
cases:
  - name: the sample
    file: ../../samples/{source}-1.csv
    rows:
      - record:
          number: {old}-260302-0001
          procedure_code: 1.003560
          procedure_name: Cấp giấy phép bưu chính
          agency: {agency}
          agency_level: province
          applicant_kind: citizen
          applicant_name: Nguyễn Văn An
          applicant_phone: "0999000001"
          channel: counter
          status: 4
          received_at: 2026-03-02T01:15:00Z
          due_at: 2026-03-16T10:00:00Z
          changed_at: 2026-03-02T02:00:00Z
      - record:
          number: {old}-260302-0002
          procedure_code: 1.003560
          procedure_name: Cấp giấy phép bưu chính
          agency: {agency}
          agency_level: province
          applicant_kind: enterprise
          applicant_name: Công ty TNHH Mẫu
          channel: online
          status: 9
          received_at: 2026-03-02T02:30:00Z
          due_at: 2026-03-16T10:00:00Z
          finished_at: 2026-03-10T08:00:00Z
          changed_at: 2026-03-10T08:05:00Z
  - name: a word that nobody has explained waits; a number that is missing is the sender's
    body: |
      {columns}
      HS-1;1.003560;Cấp giấy phép;{old};Công dân;Lê Thị Chi;;Trực tiếp;Đang ngủ;02/03/2026 08:15;;;
      ;1.003560;Cấp giấy phép;{old};Công dân;Lê Thị Chi;;Trực tiếp;Mới;02/03/2026 08:15;;;
    rows:
      - refused: park
        problems: [{{field: status, path: TRANG_THAI, value: Đang ngủ}}]
      - refused: reject
        problems: [{{field: number, path: SO_HO_SO}}]
"""

_COLUMNS = (
    "SO_HO_SO;MA_TTHC;TEN_TTHC;DON_VI;LOAI_DOI_TUONG;HO_TEN;DIEN_THOAI;KENH;TRANG_THAI;"
    "NGAY_TIEP_NHAN;NGAY_HEN_TRA;NGAY_KET_THUC;NGAY_CAP_NHAT"
)

_SAMPLE = (
    "{columns}\n"
    "{old}-260302-0001;1.003560;Cấp giấy phép bưu chính;{old};Công dân;Nguyễn Văn An;0999000001;Trực tiếp;Đang xử lý;"
    "02/03/2026 08:15;16/03/2026 17:00;;02/03/2026 09:00\n"
    "{old}-260302-0002;1.003560;Cấp giấy phép bưu chính;{old};Doanh nghiệp;Công ty TNHH Mẫu;;Trực tuyến;Đã xong;"
    "02/03/2026 09:30;16/03/2026 17:00;10/03/2026 15:00;10/03/2026 15:05\n"
)

_README = """# {name}

A hub that reads the files of a one-stop shop and writes to the provincial platform. All persons in the samples are
invented.

## See what it does

```sh
hub check hub.yaml --offline                                # everything that is wrong, at once
hub map {source}/dossier samples/{source}-1.csv             # what the mapping makes of the sample
```

## Try it on a twin of the portal

```sh
python -m adapters.sandbox provincial-portal --port {port} --log portal.jsonl &
cp samples/{source}-1.csv drop/{source}/
hub run hub.yaml --once
hub trace {old}-260302-0001 --config hub.yaml
kill %1
```

## Make it yours

1. `agencies.yaml`: your agencies, with the codes and names that your systems use.
2. A source of your own from a recorded answer: `hub new source so-y-te --sample answer.json --write`.
   From a WSDL: `hub new source so-tu-phap --wsdl http://…?wsdl`.
3. Read the new mapping, correct it where a `?` stands, and run `hub check` again.
4. Set PORTAL_URL, PORTAL_CLIENT_ID and PORTAL_CLIENT_SECRET in the environment of the service, and take the defaults
   behind `:-` out of hub.yaml.

`hub schema export schemas` renews the schemas by which editors complete and underline the YAML files.
"""
