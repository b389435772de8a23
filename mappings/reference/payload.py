"""The reference of mappings that write: records to payloads."""

from __future__ import annotations

from mappings.manual import NEEDED, Entry, Option, Tried, Written

_STEP = {"number": "H-1", "person": "An & Ba", "content": "Nhận"}

MEMBER = Entry(
    name="A member",
    summary="One member of the payload: a field of the record, or a constant",
    options=(
        Option("record", "a kind", NEEDED, "of `from`: which records are written"),
        Option("field", "a field of the record", "one source of a member", "`PhongBan: unit` is its short form"),
        Option("const", "any value", "one source of a member", "a list or an object too, in JSON"),
        Option("default", "a value", "what `empty` says", "where the record has no value"),
        Option("required", "`true`, `false`", "`false`", "a record without it is refused; nothing is sent"),
    ),
    examples=(
        Written(
            "from: {record: dossier-step.v1}\nto: {portal: json}\n"
            'fields: {Ma: {field: number, required: true}, Phong: {field: unit, default: "-"}, Tep: {const: []}}',
            _STEP,
            '{"Ma":"H-1","Phong":"-","Tep":[]}',
        ),
        Written(
            "from: {record: dossier-step.v1}\nto: {portal: json}\nfields: {Phong: {field: unit, required: true}}",
            _STEP,
            "",
            refused="unit: is required and empty at Phong",
        ),
        Tried("text: {max: 5, over: cut}", "Một cửa", "Một c", field="unit", writing=True),
    ),
    refuses=("what a converter refuses, told with the record's field, the member and the value",),
)

JSON = Entry(
    name="`portal: json`",
    summary="Objects; a name with dots is an object in another",
    options=(
        Option("portal", "`json`", NEEDED, "the form"),
        Option("empty", "`null`, `text`, `omit`", "`null`", 'what an absent value becomes: null, `""`, nothing'),
    ),
    examples=(
        Written(
            "to: {portal: json, empty: omit}\nfields: {Ma: number, ChuHoSo.Ten: person, '\"a.b\"': content, P: unit}",
            _STEP,
            '{"Ma":"H-1","ChuHoSo":{"Ten":"An & Ba"},"a.b":"Nhận"}',
        ),
        Written("to: {portal: json, empty: text}\nfields: {P: unit}", _STEP, '{"P":""}'),
        Written("to: {portal: json, empty: null}\nfields: {P: unit}", _STEP, '{"P":null}'),
    ),
    refuses=("the mapping: two members at one place, one inside another that has a value",),
)

XML = Entry(
    name="`portal: xml`",
    summary="Elements in the order of the mapping; `/` is an element in another, `@` an attribute",
    options=(
        Option("portal", "`xml`", NEEDED, "the form"),
        Option("root", "a name", NEEDED, "the outermost element"),
        Option("namespaces", "prefix: URI", "none", '`""` is that of names without prefix'),
        Option("empty", "`omit`, `text`, `null`", "`omit`", "nothing, an empty element, `xsi:nil`"),
    ),
    examples=(
        Written(
            'to: {portal: xml, root: "s:Buoc", namespaces: {s: "urn:buoc"}}\n'
            'fields: {"@so": number, s:Nguoi/Ten: person, s:Nguoi/@vai: {const: xl}, Phong: unit}',
            _STEP,
            "<?xml version='1.0' encoding='UTF-8'?>\n"
            '<s:Buoc xmlns:s="urn:buoc" so="H-1"><s:Nguoi vai="xl"><Ten>An &amp; Ba</Ten></s:Nguoi></s:Buoc>',
        ),
        Written(
            'to: {portal: xml, root: Buoc, namespaces: {"": "urn:b"}, empty: text}\nfields: {Ma: number, Phong: unit}',
            _STEP,
            "<?xml version='1.0' encoding='UTF-8'?>\n<Buoc xmlns=\"urn:b\"><Ma>H-1</Ma><Phong></Phong></Buoc>",
        ),
    ),
    refuses=("a text with a character that XML cannot carry",),
)

FORM = Entry(
    name="`portal: form`, `portal: query`",
    summary="Pairs of names and values, UTF-8, percent-encoded",
    options=(
        Option("portal", "`form`, `query`", NEEDED, "a body, or what stands behind the `?` of an address"),
        Option("empty", "`omit`, `text`", "`omit`", "what an absent value becomes"),
    ),
    examples=(
        Written(
            "to: {portal: form}\nfields: {ma: number, nguoi: person, tep: {const: [a, b]}, phong: unit}",
            _STEP,
            "ma=H-1&nguoi=An+%26+Ba&tep=a&tep=b",
        ),
        Written("to: {portal: query, empty: text}\nfields: {ma: number, phong: unit}", _STEP, "ma=H-1&phong="),
    ),
    refuses=("the mapping: a constant that is an object",),
)

ENTRIES = (MEMBER, JSON, XML, FORM)
