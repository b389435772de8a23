"""The reference of what `from` says when reading: formats, layers, rows."""

from __future__ import annotations

from mappings.decode.charset import CHARSETS
from mappings.decode.source import MAX_BYTES, MAX_DEPTH, MAX_PARTS
from mappings.manual import NEEDED, Entry, Option, Shown

_STEPS = "<DanhSach><Buoc><So>H-1</So></Buoc><Buoc><So>H-2</So></Buoc></DanhSach>"

XML = Entry(
    name="`format: xml`",
    summary="Rows are elements; a path is names with slashes, or XPath 1.0",
    options=(
        Option("within", "a path", "the root", "the one element that holds the rows"),
        Option("each", "a name, or XPath", f"{NEEDED}, but for `dataset`", "the rows; `.` where `within` is the row"),
        Option("beside", "names", "none", "what else may stand beside the rows"),
        Option("namespaces", "prefix: URI", "none", "the prefixes of XPath expressions"),
    ),
    examples=(
        Shown(
            "from: {format: xml, within: /DanhSach, each: Buoc}\nfields: {number: So}",
            _STEPS,
            [{"number": "H-1"}, {"number": "H-2"}],
        ),
        Shown(
            "from: {format: xml, within: DanhSach, each: Nhom/Buoc, beside: [Tong]}\n"
            "fields: {number: '@so', person: Nguoi/Ten, unit: Nguoi/@phong}",
            '<KetQua><DanhSach><Tong>1</Tong><Nhom><Buoc so="H-1"><Nguoi phong="P1"><Ten>An</Ten></Nguoi></Buoc></Nhom>'
            "</DanhSach></KetQua>",
            [{"number": "H-1", "person": "An", "unit": "P1"}],
            says="names fit whatever the namespace; `@` is an attribute",
        ),
        Shown(
            'from: {format: xml, within: "//s:DanhSach", each: "s:Buoc[s:So != \'\']", namespaces: {s: "urn:s"}}\n'
            'fields: {number: "normalize-space(s:So)", person: "s:Nguoi[@vai = \'xử lý\']"}',
            '<a xmlns="urn:s"><DanhSach><Buoc><So> H-1 </So><Nguoi vai="ký">Ba</Nguoi><Nguoi vai="xử lý">An</Nguoi>'
            "</Buoc><Buoc><So/></Buoc></DanhSach></a>",
            [{"number": "H-1", "person": "An"}],
            says="XPath is strict, with the declared prefixes",
        ),
        Shown(
            "from: {format: xml, within: /DanhSach, each: Buoc}\nfields: {number: So}",
            "<DanhSach><BuocXuLy/></DanhSach>",
            undecodable="<BuocXuLy> stands among the rows <Buoc> of /DanhSach: the shape has changed",
        ),
        Shown(
            "from: {format: xml, within: /DanhSach, each: Buoc}\nfields: {number: So}",
            "<DanhSach><Buoc><So>H-1</So><So>H-2</So></Buoc><Buoc><So><Ma>1</Ma></So></Buoc></DanhSach>",
            [
                "rejected: number: stands 2 times in the row, so its value is not certain at So (found 'H-1; H-2')",
                "parked: number: holds <Ma>, not text at So (found '<So><Ma/></So>')",
            ],
            says="what is not certain is refused",
        ),
    ),
    refuses=(
        "the body: what is not well-formed, a document type, another root, `within` that is not there once, elements "
        "among the rows that are neither `each` nor `beside`",
        "reject: a place that stands twice; park: an element where text was",
    ),
)

JSON = Entry(
    name="`format: json`",
    summary="Rows are the objects of a list; a path is names with dots, or JMESPath",
    options=(
        Option("within", "a path", "the document", "the list of the rows"),
        Option("each", "`.`", "the members of the list", "`.` makes the object at `within` the one row"),
    ),
    examples=(
        Shown(
            "from: {format: json, within: ket_qua.buoc}\n"
            "fields: {number: so, person: nguoi.ten, content: '\"noi-dung\"', unit: 'phong[0]'}",
            '{"ket_qua": {"buoc": [{"so": 7, "nguoi": {"ten": "An"}, "noi-dung": "Nhận", "phong": ["P1", "P2"]}]}}',
            [{"number": "7", "person": "An", "content": "Nhận", "unit": "P1"}],
        ),
        Shown(
            "from: {format: json, within: \"buoc[?loai=='xu-ly']\"}\n"
            "fields: {number: so, content: \"join('; ', viec[?xong].ten || `[]`)\"}",
            '{"buoc": [{"loai": "khac"}, {"loai": "xu-ly", "so": "H-1", "viec": [{"ten": "Nhận", "xong": true}]}]}',
            [{"number": "H-1", "content": "Nhận"}],
            says="JMESPath: a filter, a projection, a function",
        ),
        Shown(
            "from: {format: json, within: ho_so, each: .}\nfields: {number: so}",
            '{"ho_so": {"so": "H-1"}}',
            [{"number": "H-1"}],
            says="one object is the row",
        ),
        Shown(
            "from: {format: json}\nfields: {number: so}",
            '[{"so": ["H-1", "H-2"]}, {"so": 1.5}, 7]',
            [
                'parked: number: is a list, one value is expected at so (found \'["H-1","H-2"]\')',
                "rejected: number: is a number with a fraction, or too large to be exact; text is expected at so "
                "(found '1.5')",
                "rejected: the row is a number, not an object (found '7')",
            ],
        ),
        Shown(
            "from: {format: json}\nfields: {number: so}",
            '[{"so": "H-1", "so": "H-2"}]',
            undecodable="the JSON has the key 'so' twice in one object",
        ),
    ),
    refuses=(
        "the body: what is no JSON, a key twice in one object, `within` that leads to no list",
        "park: a list or an object where one value is expected",
    ),
    notes=("An expression has at most 500 characters and may not make more than a hundred copies of its data.",),
)

CSV = Entry(
    name="`format: csv`",
    summary="Rows are lines below a header; a path is a column's name",
    options=(
        Option("delimiter", "one sign", "`,`", "what stands between the cells"),
        Option("quote", "one sign", '`"`', "what stands around a cell that holds the other"),
    ),
    examples=(
        Shown(
            "from: {format: csv, delimiter: ';', quote: \"'\"}\nfields: {number: SO, content: NOI_DUNG}",
            "SO;NOI_DUNG\nH-1;'Nhận; chuyển'\nH-2\n",
            [{"number": "H-1", "content": "Nhận; chuyển"}, "rejected: line 3 has 1 cells, the header 2"],
        ),
        Shown(
            "from: {format: csv}\nfields: {number: SO}",
            "SO;NOI_DUNG\nH-1;Nhận\n",
            undecodable="the columns are separated by ',', this file uses ';'",
        ),
        Shown(
            "from: {format: csv}\nfields: {number: SO, unit: PHONG}",
            "SO,TEN\nH-1,An\n",
            undecodable="the header lacks PHONG; its columns are SO, TEN",
        ),
    ),
    refuses=(
        "the body: a quote that never closes, a column twice or without a name, a header without a column that a field "
        "reads, a spreadsheet",
        "reject: a line with more or fewer cells than the header",
    ),
)

XLSX = Entry(
    name="`format: xlsx`",
    summary="Rows are those of one sheet below its header; a path is a column's name, `[D]` one without a name",
    options=(
        Option("sheet", "a name, or a number from 1", "the first", "the sheet"),
        Option("header", "a number from 1", "the first row that has something", "the row that names the columns"),
    ),
    examples=(
        Shown(
            "from: {format: xlsx, sheet: Hồ sơ, header: 2}\n"
            'fields: {number: Số, at: {path: Ngày, date: excel}, person: Người, content: "[D]"}',
            [["SỔ THEO DÕI"], ["Số", "Ngày", "Người"], ["0001", 42814.5, "An", "Nhận"]],
            [{"number": "0001", "at": "2017-03-20T05:00:00Z", "person": "An", "content": "Nhận"}],
        ),
        Shown(
            "from: {format: xlsx}\nfields: {number: Số}",
            [["Số"], ["#N/A"]],
            ["rejected: number: is an error of the spreadsheet, not a value at Số (found '#N/A')"],
        ),
        Shown(
            "from: {format: xlsx, sheet: 2}\nfields: {number: Số}",
            [["Số"], ["1"]],
            undecodable="there is no sheet '2'; the workbook has 'Hồ sơ'",
        ),
    ),
    refuses=(
        "the body: an old .xls, an .ods, a workbook with a password or that counts its days from 1904, a sheet that is "
        "not there",
        "reject: a cell that shows an error, or a formula that was never worked out",
    ),
    notes=(
        "A number is written as people write it, to 15 digits; a day or a time is a number: `date: excel`. Cells that "
        "are merged downwards are the cell of each of their rows.",
    ),
)

DATASET = Entry(
    name="`dataset`",
    summary="Rows are those of one table of a .NET DataSet (diffgram) as they are now",
    options=(Option("dataset", "a table's name", "none", "in place of `each`; `within` may say where the DataSet is"),),
    examples=(
        Shown(
            "from: {format: xml, dataset: Ho so}\nfields: {number: So}",
            '<r><diffgr:diffgram xmlns:diffgr="urn:schemas-microsoft-com:xml-diffgram-v1"><DS>'
            '<Ho_x0020_so diffgr:id="1"><So>H-1</So></Ho_x0020_so></DS>'
            '<diffgr:before><Ho_x0020_so diffgr:id="2"><So>H-2</So></Ho_x0020_so></diffgr:before></diffgr:diffgram>'
            "</r>",
            [{"number": "H-1"}],
            says="a deleted row stands only under `before`",
        ),
        Shown(
            "from: {format: xml, dataset: Buoc}\nfields: {number: So}",
            "<r><diffgram><DS><BuocXL><So>1</So></BuocXL></DS></diffgram></r>",
            undecodable="the DataSet has no table 'Buoc'; it has BuocXL",
        ),
    ),
    refuses=("the body: no DataSet, several, or one without that table",),
)

UNWRAP = Entry(
    name="`unwrap`",
    summary="Places whose text is a document of its own, layer by layer: CDATA, escaped, base64",
    options=(
        Option("path", "a path", NEEDED, "the one place, in the document at hand"),
        Option("holds", "`xml`, `json`", NEEDED, "what the text is"),
        Option("encoding", "`text`, `base64`", "`text`", "how it is written"),
        Option("empty", "`refuse`, `no-rows`", "`refuse`", "what an empty text means"),
    ),
    examples=(
        Shown(
            "from:\n  format: xml\n  unwrap:\n"
            "    - {path: \"//*[local-name()='KetQua']\", holds: xml}\n"
            "    - {path: /Goi, holds: json, encoding: base64}\n"
            "  within: buoc\n"
            "fields: {number: so}",
            "<a><KetQua><![CDATA[<?xml version='1.0' encoding='utf-16'?><Goi>eyJidW9jIjogW3sic28iOiAiSC0xIn1dfQ==</Goi>"
            "]]></KetQua></a>",
            [{"number": "H-1"}],
            says="JSON in base64 in XML in CDATA; what the inner document says of its encoding is history",
        ),
        Shown(
            "from: {format: json, unwrap: {path: d, holds: json, empty: no-rows}}\nfields: {number: so}",
            '{"d": ""}',
            [],
        ),
        Shown(
            "from: {format: json, unwrap: {path: d, holds: json}}\nfields: {number: so}",
            '{"d": "Lỗi hệ thống"}',
            undecodable="inside d: not JSON",
        ),
    ),
    refuses=("the body: a place that is not there once, no text, or no such document",),
)

ERROR = Entry(
    name="`error`",
    summary="An error inside an answer that says it is none",
    options=(
        Option("path", "a path", NEEDED, "the place that tells it, in the outermost document"),
        Option("ok", "texts", "an empty place", "what stands there when all is well"),
        Option("text", "a path", "none", "the place of the error's text"),
    ),
    examples=(
        Shown(
            'from: {format: json, error: {path: ma, ok: ["0", "00"], text: loi}, within: ds}\nfields: {number: so}',
            '{"ma": "99", "loi": "Phiên làm việc hết hạn"}',
            undecodable="the answer is an error: ma is '99': Phiên làm việc hết hạn",
        ),
        Shown(
            'from: {format: json, error: {path: ma, ok: ["0", "00"]}, within: ds}\nfields: {number: so}',
            '{"ma": "00", "ds": [{"so": "H-1"}]}',
            [{"number": "H-1"}],
        ),
    ),
    refuses=("the body: another value at `path`",),
)

INNER = Entry(
    name="`inner`",
    summary="Rows inside each row: the steps of each dossier",
    options=(Option("inner", "a path in the row", "none", "each of its places is a row; `outer` reads around it"),),
    examples=(
        Shown(
            "from: {format: json, inner: qua_trinh}\nfields: {number: {outer: so}, person: nguoi}",
            '[{"so": "H-1", "qua_trinh": [{"nguoi": "An"}, {"nguoi": "Ba"}]}, {"so": "H-2"}]',
            [{"number": "H-1", "person": "An"}, {"number": "H-1", "person": "Ba"}],
        ),
        Shown(
            "from: {format: xml, within: /DS, each: HoSo, inner: QuaTrinh/Buoc}\n"
            "fields: {number: {outer: So}, person: Nguoi}",
            "<DS><HoSo><So>H-1</So><QuaTrinh><Buoc><Nguoi>An</Nguoi></Buoc></QuaTrinh></HoSo></DS>",
            [{"number": "H-1", "person": "An"}],
        ),
        Shown(
            "from: {format: json, inner: qua_trinh}\nfields: {number: {outer: so}}",
            '[{"so": "H-1", "qua_trinh": "An"}]',
            ["parked: is text, a list is expected at qua_trinh (found 'An')"],
        ),
    ),
    refuses=("park: a place that holds no list, or elements of another name",),
)

LABEL = Entry(
    name="`label` of `from`",
    summary="Which arrivals are read, where one source has files of several kinds",
    options=(Option("label", "a pattern with `*` and `?`", "every one", "the name of the file or page"),),
    examples=(
        Shown(
            'from: {format: csv, label: "buoc-*.csv"}\nfields: {number: SO}',
            "SO\nH-1\n",
            [{"number": "H-1"}],
            label="buoc-0001.csv",
        ),
        Shown(
            'from: {format: csv, label: "buoc-*.csv"}\nfields: {number: SO}',
            "SO\nH-1\n",
            undecodable="no mapping reads 'hoso-0001.csv'",
            label="hoso-0001.csv",
        ),
    ),
    refuses=("the body, where no mapping of the source reads it",),
)

LIMITS = Entry(
    name="`charset`, `max_bytes`",
    summary="The encoding, where the system lies about it, and the size",
    options=(
        Option("charset", ", ".join(f"`{name}`" for name in CHARSETS), "what the body says", "goes before all else"),
        Option("max_bytes", "a number", f"{MAX_BYTES:,}", "bytes of the body, and of each layer of it, at most"),
    ),
    examples=(
        Shown(
            "from: {format: xml, each: Buoc, charset: cp1258}\nfields: {number: So, person: Nguoi}",
            '<?xml version="1.0" encoding="utf-8"?><D><Buoc><So>H-1</So><Nguoi>Đô</Nguoi></Buoc></D>',
            [{"number": "H-1", "person": "Đô"}],
            says="a declaration that lies; the bytes are windows-1258",
            charset="cp1258",
        ),
        Shown(
            "from: {format: csv}\nfields: {number: SO, person: NGUOI}",
            "SO,NGUOI\nH-1,Đô\n",
            undecodable="it looks like windows-1258 — save it as UTF-8",
            charset="cp1258",
        ),
        Shown(
            "from: {format: xml, each: Buoc}\nfields: {number: So}",
            '<?xml version="1.0" encoding="utf-16"?><D><Buoc><So>H-1</So></Buoc></D>',
            [{"number": "H-1"}],
            says="what can be read as ASCII is not UTF-16, whatever it says",
        ),
        Shown(
            "from: {format: json, max_bytes: 10}\nfields: {number: so}",
            '[{"so": "H-1"}]',
            undecodable="the body has 15 bytes, at most 10 are read",
        ),
    ),
    refuses=("the body: bytes that are not valid in the encoding, NUL characters, more than so many bytes",),
    notes=(
        "Believed are, in this order: `charset`, a byte order mark, the transport, the document. Beyond the bytes, no "
        f"body may have more than {MAX_PARTS:,} elements, members or cells, nor nest deeper than {MAX_DEPTH}.",
    ),
)

_TOMBSTONE = '[{"so": "H-1", "xoa": 1}, {"so": "H-2"}]'

DELETED = Entry(
    name="`deleted`",
    summary="By what a row says that it is deleted at its source",
    options=(Option("deleted", "a condition, as `when` has it", "none", "in the row of the page"),),
    examples=(
        Shown(
            'from: {format: json, deleted: {path: xoa, is: ["1"]}}\nfields: {number: so}',
            _TOMBSTONE,
            ["deleted", {"number": "H-2"}],
        ),
        Shown(
            'from: {format: json, deleted: {path: xoa, is: ["1"]}}\nfields: {number: {path: so, required: true}}',
            '[{"xoa": 1}]',
            ["rejected: number: is required and empty at so"],
            says="a tombstone that is no whole record is refused like any row",
        ),
    ),
    refuses=("nothing of its own",),
    notes=('It ends as `no-route`, "deleted at its source": no portal is told.',),
)

RENUMBERED = Entry(
    name="`renumbered`",
    summary="By what a row says that its dossier got another number",
    options=(
        Option("from", "a place in the row", "one of the two", "the old number, in the row of the new one"),
        Option("to", "a place in the row", "one of the two", "the new number, in the row of the old one"),
    ),
    examples=(
        Shown(
            "from: {format: json, renumbered: {from: so_cu}}\nfields: {number: {path: so, text: {case: upper}}}",
            '[{"so": "h-9", "so_cu": "h-1"}, {"so": "h-2", "so_cu": ""}, {"so": "h-3", "so_cu": "H-3"}]',
            [{"number": "H-9"}, "renumbered: H-1 to H-9", {"number": "H-2"}, {"number": "H-3"}],
            says="the old number goes the way of `number`; an empty or equal one says nothing",
            kind="dossier.v1",
        ),
        Shown(
            "from: {format: json, renumbered: {to: so_moi}}\nfields: {number: so}",
            '[{"so": "H-1", "so_moi": "H-9"}, {"so": "H-2"}]',
            ["renumbered: H-1 to H-9", {"number": "H-2"}],
            says="a tombstone under the old number",
            kind="dossier.v1",
        ),
    ),
    refuses=("what `number` would refuse",),
    notes=(
        'The old number ends as `no-route`, "renumbered to …", and what waits for a portal under it is discarded with '
        "that reason; the new one is a dossier like any other. `hub trace` of either names the other.",
    ),
)

ENTRIES = (XML, JSON, CSV, XLSX, DATASET, UNWRAP, ERROR, INNER, LABEL, LIMITS, DELETED, RENUMBERED)
