"""What can be wrong with the project, each case with a rule of its own: the change that breaks it, the line that is
told, words of the mend, and the change that the mend asks for."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cli.broken import project

HUB, AGENCIES, ANSWERS = "hub.yaml", "agencies.yaml", "answers/tinh.yaml"
READS, TABLE, TEST = (
    "mappings/noi-vu/ho-so.yaml",
    "mappings/noi-vu/tables/trang-thai.yaml",
    "mappings/noi-vu/ho-so_test.yaml",
)
WRITES, SAMPLE = "mappings/tinh/ho-so.yaml", "samples/noi-vu/ngay-1.xml"

ENVIRONMENT = {"TOKEN": "x", "SECRET": "y", "HUB_SO_Y_TE_AUTH_TOKEN": "z"}

Edit = tuple[str, str]


@dataclass(frozen=True)
class Case:
    """One case. Where `mended` is empty the mend leads back to the project as it was."""

    rule: str
    file: str
    """Which is broken."""
    broken: tuple[Edit, ...]
    line: int
    says: tuple[str, ...]
    """Words of the printed mend."""
    mended: tuple[tuple[str, str, str], ...] = ()
    """(file, before, after) on the broken project."""
    told_in: str = ""
    """The file that is named, where it is another one than `file`."""
    also: tuple[str, ...] = ()
    """Rules of what follows from the same mistake."""

    def __str__(self) -> str:
        return self.rule


def case(
    rule: str,
    file: str,
    before: str,
    after: str,
    line: int,
    *says: str,
    more: tuple[Edit, ...] = (),
    mended: tuple[tuple[str, str, str], ...] = (),
    told_in: str = "",
    also: tuple[str, ...] = (),
) -> Case:
    return Case(rule, file, ((before, after), *more), line, says, mended, told_in, also)


_MAIL = project.HUB[project.HUB.index("mail: {host") : project.HUB.index("alerts:")]
_FILES = project.HUB[project.HUB.index("agency_files:") :]

_HTTP = ("    adapter: lgsp\n    answers: tinh\n", "    adapter: http\n    answers: lgsp\n")
_LGSP = '      client_id: hub\n      client_secret: "${SECRET}"\n'
_DOSSIER, _STEP = '        dossier.v1: {path: "/ho-so/{DocCode}"}\n', "        dossier-step.v1: {path: /buoc}\n"


def of_http(rule: str, broken: str, line: int, *says: str) -> Case:
    """A case of the destination `http`: the request for dossiers is broken, or left out."""
    requests = f"      requests:\n{_STEP}"
    mended = ((HUB, requests + broken, requests + _DOSSIER),)
    return case(rule, HUB, *_HTTP, line, *says, more=((_LGSP, requests + broken),), mended=mended)


CASES = [
    # --- hub.yaml: the notation, names, values, variables
    case("not-a-mapping", HUB, project.HUB, "- 1\n", 1, "docs/configuration.md"),
    case("empty-file", HUB, project.HUB, "", 1, "docs/configuration.md"),
    case("not-utf8", HUB, "name: tra-vinh,", "name: tra-\udcffvinh,", 1, "UTF-8"),
    case("unknown-key", HUB, "    deadline_s: 30", "    dedline_s: 30", 30, "did you mean 'deadline_s'?"),
    case(
        "missing-key", HUB, "      url: http://127.0.0.1:9\n      client_id", "      client_id", 25, "add 'url:' here"
    ),
    case("wrong-value", HUB, "deadline_s: 30", "deadline_s: soon", 30, "write a number"),
    case(
        "bad-name",
        HUB,
        "  national:\n",
        "  National:\n",
        38,
        "small letters",
        more=(("to: [national]", "to: [National]"),),
    ),
    case("bad-variable", HUB, 'token: "${TOKEN}"', 'token: "${TO-KEN}"', 19, "write ${NAME}"),
    case(
        "undefined-variable",
        HUB,
        'client_secret: "${SECRET}"',
        'client_secret: "${SECRET_2}"',
        28,
        "set SECRET_2, or write ${SECRET_2:-default}",
        mended=((HUB, "${SECRET_2}", "${SECRET_2:-thu}"),),
    ),
    case("missing-file", HUB, "mail: {host", "mail: {ca_file: ca.pem, host", 59, "correct the path"),
    case("unreadable-file", HUB, "agencies: agencies.yaml", "agencies: agency.yaml", 2, "check the path"),
    # --- registers
    case(
        "no-register",
        READS,
        "procedure_code: MaThuTuc",
        "procedure_code: {path: MaThuTuc, procedure: code}",
        7,
        "add 'procedures: procedures.yaml'",
        told_in=HUB,
        also=("failing-test", "sample-refused"),
        mended=((READS, "procedure: code}", "procedure: {give: code, register: optional}}"),),
    ),
    case(
        "no-catalogues",
        HUB,
        "agencies: agencies.yaml\n",
        "agencies: agencies.yaml\nregisters: {from: provincial, take: [agencies]}\n",
        3,
        "adapter dvcqg",
        mended=((HUB, "from: provincial", "from: national"),),
    ),
    case(
        "procedure-unchecked",
        HUB,
        "agencies: agencies.yaml\n",
        "agencies: agencies.yaml\nregisters: {from: national, take: [procedures]}\n",
        8,
        "add `procedure: code`",
        mended=(
            (READS, "procedure_code: MaThuTuc", "procedure_code: {path: MaThuTuc, procedure: {register: optional}}"),
        ),
    ),
    case(
        "agency-not-taken",
        HUB,
        "agencies: agencies.yaml\n",
        "agencies: agencies.yaml\nregisters: {from: national, take: [agencies]}\n",
        52,
        "hub registers sync",
        more=(("agencies: [H59.05]", "agencies: [H59.55]"),),
        mended=((HUB, "agencies: [H59.55]", "agencies: [H59.05]"),),
    ),
    case(
        "procedure",
        READS,
        "procedure_code: MaThuTuc",
        "procedure_code: {path: MaThuTuc, procedure: {on: recieved_at, register: optional}}",
        13,
        "did you mean 'received_at'?",
        mended=((READS, "recieved_at", "received_at"),),
    ),
    # --- adapters
    case("unknown-adapter", HUB, "adapter: files", "adapter: file", 5, "did you mean 'files'?"),
    case("wrong-adapter", HUB, "adapter: dvcqg", "adapter: soap", 39, "name another adapter"),
    # --- mappings and what names them
    case("unknown-mapping", HUB, "[noi-vu/ho-so]", "[noi-vu/ho-soo]", 7, "did you mean 'noi-vu/ho-so'?"),
    case("wrong-direction", HUB, "lgsp/step", "one-stop-rest/step", 24, "name a mapping that has 'from: {record: …}'"),
    case("wrong-kind", HUB, "lgsp/step", "lgsp/dossier", 24, "name a mapping for dossier-step.v1"),
    case(
        "unsupported-kind",
        HUB,
        "lgsp/step}",
        "lgsp/step, document.v1: plain/document}",
        24,
        "take document.v1 out, or name another adapter",
        also=("mapping-not-routed",),
    ),
    case("wrong-portal", HUB, "lgsp/step", "dvcqg/step", 24, "write lgsp/step"),
    case("wrong-format", HUB, "media: xml", "media: csv", 7, "write media: xml"),
    case(
        "same-kind-twice", HUB, "one-stop-rest/step]", "one-stop-rest/step, one-stop-rest/step]", 13, "keep one of them"
    ),
    case(
        "unused-mapping",
        "mappings/noi-vu/cu.yaml",
        "",
        project.INBOUND.replace("noi-vu/ho-so", "noi-vu/cu"),
        1,
        "or remove the file",
    ),
    # --- a destination by settings alone
    of_http("no-request", "", 27, "add 'dossier.v1: {path: /…}' below requests"),
    of_http("unknown-path-field", _DOSSIER.replace("DocCode", "DocCod"), 29, "did you mean 'DocCode'?"),
    of_http("get-with-content", "        dossier.v1: {method: GET, path: /ho-so}\n", 29, "write method: POST"),
    of_http("batch-without-wrap", "        dossier.v1: {path: /ho-so, batch: 10}\n", 29, "write wrap: '[{records}]'"),
    of_http(
        "wrong-wrap",
        "        dossier.v1: {path: /ho-so, wrap: '<DanhSach>{records}</DanhSach>'}\n",
        29,
        "write '[{records}]'",
    ),
    # --- routes
    case("unknown-source", HUB, "[so-noi-vu]", "[so-noi-vuu]", 50, "did you mean 'so-noi-vu'?"),
    case(
        "unknown-destination",
        HUB,
        "to: [national]",
        "to: [nation]",
        58,
        "did you mean 'national'?",
        also=("unused-destination",),
    ),
    case(
        "unknown-kind",
        HUB,
        "dossier-step.v1]",
        "dossier-steps.v1]",
        53,
        "did you mean 'dossier-step.v1'?",
        also=("mapping-not-routed", "no-route"),
    ),
    case(
        "no-mapping",
        HUB,
        "[dossier.v1]\n    only",
        "[dossier.v1, dossier-step.v1]\n    only",
        56,
        "add 'dossier-step.v1: …' to destinations.national.mappings",
        mended=((HUB, "dossier.v1: dvcqg/dossier}", "dossier.v1: dvcqg/dossier, dossier-step.v1: dvcqg/step}"),),
    ),
    case(
        "unreachable-route",
        HUB,
        "    sources: [so-y-te]\n",
        "    sources: [so-y-te]\n    agencies: [H59.17]\n",
        53,
        "give this kind a route of its own",
        mended=(
            (HUB, "[dossier.v1, dossier-step.v1]", "[dossier-step.v1]"),
            (
                HUB,
                "    agencies: [H59.17]\n    to: [provincial]\n",
                "    to: [provincial]\n  - kinds: [dossier.v1]\n"
                "    sources: [so-y-te]\n    agencies: [H59.17]\n    to: [provincial]\n",
            ),
        ),
    ),
    case(
        "canary-outside-route",
        HUB,
        "    agencies: [H59.05]\n",
        "    agencies: [H59.05]\n    only: {agencies: [H59.17]}\n",
        52,
        "add H59.17 to agencies",
        mended=((HUB, "agencies: [H59.05]\n    only", "agencies: [H59.05, H59.17]\n    only"),),
    ),
    case(
        "route-shadowed",
        HUB,
        "mail: {host",
        "  - {kinds: [dossier.v1], sources: [so-y-te], to: [provincial]}\nmail: {host",
        59,
        "take this route out",
    ),
    case(
        "kind-never-made",
        HUB,
        "[one-stop-rest/dossier, one-stop-rest/step]",
        "[one-stop-rest/dossier]",
        53,
        "take dossier-step.v1 out, or add a mapping",
    ),
    case(
        "source-never-taken",
        HUB,
        "sources: [so-y-te]",
        "sources: [so-y-te, so-noi-vu]",
        54,
        "take so-noi-vu out",
        more=(("[dossier.v1, dossier-step.v1]", "[dossier-step.v1]"),),
        mended=((HUB, "[so-y-te, so-noi-vu]", "[so-y-te]"),),
    ),
    case("named-twice", HUB, "to: [national]", "to: [national, national]", 58, "keep one of them"),
    case(
        "mapping-not-routed",
        HUB,
        "dvcqg/dossier}",
        "dvcqg/dossier, dossier-step.v1: dvcqg/step}",
        40,
        "or take the mapping out",
    ),
    case("unused-destination", HUB, "to: [national]", "to: [provincial]", 38, "add it to a route"),
    case(
        "no-route",
        HUB,
        "[dossier.v1, dossier-step.v1]",
        "[dossier.v1]",
        13,
        "add a route",
        also=("mapping-not-routed",),
    ),
    case(
        "unknown-agency",
        HUB,
        "agencies: [H59.05]",
        "agencies: [H59.55]",
        51,
        "add it to the agencies file",
        mended=(
            (AGENCIES, "- {code: H59.05", "- {code: H59.55, name: Sở Xây dựng, level: province}\n- {code: H59.05"),
        ),
    ),
    case("alias-in-route", HUB, "agencies: [H59.05]", "agencies: [000.00.05.H59]", 51, "write H59.05"),
    # --- personal data, secrets
    case(
        "personal-data",
        HUB,
        "[applicant_name, content, person]",
        "[content, person]",
        33,
        "write personal: [applicant_name, content, person]",
    ),
    case(
        "personal-unknown",
        HUB,
        "[applicant_name, content",
        "[applicant_nam, content",
        33,
        "did you mean 'applicant_name'?",
    ),
    case(
        "plain-secret",
        HUB,
        'token: "${TOKEN}"',
        "token: mat-khau-thu",
        19,
        "write ${HUB_SO_Y_TE_AUTH_TOKEN}",
        mended=((HUB, "token: mat-khau-thu", 'token: "${HUB_SO_Y_TE_AUTH_TOKEN}"'),),
    ),
    case("secret-in-clear", HUB, "https://truc", "http://truc", 64, "write https://"),
    # --- times and sizes
    case(
        "contradicting-timeouts",
        HUB,
        "connect_timeout_s: 5",
        "connect_timeout_s: 30",
        29,
        "lower it, or raise deadline_s",
    ),
    case("retry-cap", HUB, "cap_s: 60", "cap_s: 0.5", 34, "raise cap_s"),
    case("retry-age", HUB, "give_up_after_s: 86400", "give_up_after_s: 0.5", 34, "raise give_up_after_s"),
    case(
        "window-below-batch",
        HUB,
        "      batch: 100",
        "      batch: 100\n    window: 50",
        47,
        "raise window to 100",
        mended=((HUB, "window: 50\n", "window: 100\n"),),
    ),
    case(
        "window-below-parallel",
        HUB,
        "window: 500",
        "window: 2",
        31,
        "raise window to 4",
        mended=((HUB, "window: 2", "window: 4"),),
    ),
    case(
        "alert-before-poll",
        HUB,
        "every_s: 60\n    mappings: [noi-vu",
        "every_s: 3600\n    mappings: [noi-vu",
        6,
        "raise alerts.source_after_s above 3600",
        mended=((HUB, "source_after_s: 900", "source_after_s: 3700"),),
    ),
    case(
        "maintenance-overlap", HUB, 'from: "01:00", to: "02:00"', 'from: "22:30", to: "23:30"', 37, "let one end before"
    ),
    case("maintenance-time", HUB, 'from: "22:00"', "from: 22h", 36, "write it as 22:00, in quotes"),
    case("maintenance-backwards", HUB, 'to: "02:00"', 'to: "01:00"', 37, "let 'to' differ from 'from'"),
    case("future-start", HUB, "start_from: 2025-07-01", "start_from: 2925-07-01", 14, "correct the day"),
    # --- people who are told
    case(
        "no-mail-server",
        HUB,
        _MAIL,
        "",
        60,
        "add 'mail: {host: …, sender: …}'",
        more=((_FILES, ""),),
        mended=((HUB, "alerts:\n", _MAIL + "alerts:\n"),),
    ),
    # --- agencies
    case(
        "agency-twice",
        AGENCIES,
        "- {code: H59.17",
        "- {code: H59.05, name: Sở Nội vụ, level: province}\n- {code: H59.17",
        4,
        "keep one row",
    ),
    case("agency-clash", AGENCIES, "[000.00.17.H59]", "[000.00.05.H59]", 4, "give each its days"),
    case(
        "agency-days", AGENCIES, "valid_to: 2025-06-30", "valid_to: 2005-06-30", 3, "the last day is before the first"
    ),
    case(
        "agency-successor",
        AGENCIES,
        "successor: H59.05",
        "successor: H59.55",
        3,
        "add the successor",
        mended=(
            (AGENCIES, "- {code: H59.17", "- {code: H59.55, name: Sở Nội vụ mới, level: province}\n- {code: H59.17"),
        ),
    ),
    # --- answer tables
    case("answers-missing", HUB, "answers: tinh", "answers: tinhh", 23, "did you mean 'tinh'?"),
    case("answers-not-yaml", ANSWERS, "{status: 401}", "{status: 401", 10, "mend the syntax"),
    case("answers", ANSWERS, "is: success", "is: data", 4, "add a rule with `is: success`"),
    case("answers-outcome", ANSWERS, "is: session", "is: sesion", 10, "did you mean 'session'?"),
    case(
        "answers-shadowed",
        ANSWERS,
        "{status: 400, code: [sai, thieu]}",
        "{status: 400-499}",
        9,
        "take this rule out, or put it before rules.1",
    ),
    case("answers-code-twice", ANSWERS, "[sai, thieu]", "[sai, sai]", 7, "keep one"),
    case(
        "answers-field",
        ANSWERS,
        "    is: data",
        "    is: data\n    field: body",
        9,
        "write field: payload",
        mended=((ANSWERS, "field: body", "field: payload"),),
    ),
    # --- mappings
    case("yaml", READS, "each: HoSo", "each: [HoSo", 7, "brackets, quotes and indentation must match"),
    case(
        "duplicate-key",
        READS,
        "  procedure_code: MaThuTuc\n",
        "  procedure_code: MaThuTuc\n  procedure_code: MaTT\n",
        14,
        "keep one of them",
    ),
    case("name", READS, "mapping: noi-vu/ho-so", "mapping: noi-vu/hoso", 1, "write mapping: noi-vu/ho-so"),
    case("unknown-field", READS, "  note:", "  notes:", 25, "did you mean 'note'?"),
    case("missing-field", READS, "  channel: {const: counter}\n", "", 11, "give a `const`"),
    case("missing-path", READS, "{path: GhiChu, text", "{text", 25, "write path: …"),
    case("path", READS, "path: SoHoSo", "path: /SoHoSo", 12, "leave out the slash"),
    case("shape", READS, "[TrichYeu, NoiDung]", "[TrichYeu]", 20, "write ["),
    case("type", READS, "{path: NgayNhan, date: dd/MM/yyyy}", "NgayNhan", 23, "add `date` and how it is written"),
    case("date", READS, "{path: NgayNhan, date: dd/MM/yyyy}", "{path: NgayNhan, date: DD/MM/yyyy}", 23, "dd"),
    case("match", READS, '"([0-9]+)"', '"([0-9]+"', 19, "close every bracket"),
    case("agency", READS, "agency: code}", "agency: {give: code, on: recieved_at}}", 15, "did you mean 'received_at'?"),
    case("const", READS, "const: counter", "const: conter", 21, "use one of: ", "counter"),
    case("default", READS, "table: status}", "table: status, default: 99}", 22, "use one of: "),
    case("charset", READS, "charset: utf-8", "charset: utf-88", 5, "use one of: ", "utf-8"),
    case("choice", WRITES, "empty: text", "empty: txt", 4, "did you mean 'text'?"),
    case("unknown-table", READS, "table: status", "table: statuss", 22, "did you mean 'status'?"),
    case("unused-table", READS, "  applicant: {CD", "  channel: {1: counter}\n  applicant: {CD", 10, "leave it out"),
    case("table-value", READS, "DN: enterprise", "DN: enterprize", 10, "did you mean 'enterprise'?"),
    case("table-incomplete", WRITES, "table: {name: finished, else: false}", "table: finished", 11, "or say `else`"),
    case(
        "no-file", READS, "tables/trang-thai.yaml", "tables/trangthai.yaml", 9, "did you mean 'tables/trang-thai.yaml'?"
    ),
    # --- recorded samples and tests
    case("path-nowhere", READS, "path: GhiChu", "path: GhiChuu", 25, "did you mean 'GhiChu'?"),
    case(
        "table-uncovered",
        SAMPLE,
        "Đã xong",
        "Đã trả",
        1,
        "add 'Đã trả' to the table",
        told_in=TABLE,
        mended=((TABLE, "Đã xong: 9\n", "Đã xong: 9\nĐã trả: 10\n"),),
    ),
    case(
        "sample-refused",
        SAMPLE,
        "22/03/2017",
        "31/02/2017",
        24,
        "correct the field, or take the row out",
        told_in=READS,
    ),
    case(
        "sample-unreadable",
        SAMPLE,
        "<HoSo>\n",
        "<Hoso>\n",
        3,
        "or take the file out of the samples",
        told_in=READS,
        more=(("</HoSo>\n", "</Hoso>\n"),),
    ),
    case(
        "sample-none-accepted",
        SAMPLE,
        "  </HoSo>\n",
        "  </HoSo>\n  <HoSo><SoHoSo>05-3</SoHoSo></HoSo>\n",
        8,
        "this source sends nothing on",
        told_in=HUB,
        more=(("22/03/2017", "31/02/2017"),),
        also=("sample-refused",),
    ),
    case(
        "sample-not-taken",
        READS,
        "  charset: utf-8\n",
        "  label: hoso-*.xml\n",
        8,
        "correct the mapping's `label`",
        told_in=HUB,
        mended=((READS, "hoso-*.xml", "ngay-*.xml"), (TEST, "    body: |", "    label: ngay-1.xml\n    body: |")),
    ),
    case("no-sample", HUB, "samples/noi-vu", "samples/noivu", 8, "correct the path"),
    case("failing-test", TEST, "          status: 4", "          status: 2", 4, "or what the test expects"),
    case("broken-test", TEST, "    rows:", "    row:", 4, "correct the test"),
]
