"""The reference of the file, of where a field's value comes from, and of tables."""

from __future__ import annotations

from mappings.manual import NEEDED, Entry, Option, Shown, Tried

FILE = Entry(
    name="The file",
    summary="One mapping, `<system>/<kind>.yaml`",
    options=(
        Option("mapping", "text", NEEDED, "its name, `<system>/<kind>`"),
        Option("summary", "text", "none", "one line for people"),
        Option("from", "a mapping", NEEDED, "reading: `format` and what follows here; writing: `record`"),
        Option("to", "a kind, or a mapping", NEEDED, "reading: the kind of record; writing: `portal`"),
        Option("tables", "a mapping", "none", "code tables by name"),
        Option("ignore", "{path: reason}", "none", "reading: places that nobody reads on purpose, for coverage"),
        Option("fields", "a mapping", NEEDED, "what each field, or each member of the payload, is made of"),
    ),
    examples=(
        Shown(
            "mapping: cau-ngang/step\n"
            "summary: Các bước xử lý\n"
            "from: {format: json}\n"
            "to: dossier-step.v1\n"
            "tables:\n"
            "  status: {Nhận: 2, Xong: 9}\n"
            "ignore: {stt: số thứ tự}\n"
            "fields:\n"
            "  number: so\n"
            "  at: {path: luc, date: iso}\n"
            "  person: {const: Bộ phận một cửa}\n"
            "  content: {path: viec, default: Xử lý}\n"
            "  status: {path: tt, table: status}",
            '[{"stt": 1, "so": "H-1", "luc": "2017-03-20", "tt": "Nhận"}]',
            [
                {
                    "number": "H-1",
                    "at": "2017-03-19T17:00:00Z",
                    "person": "Bộ phận một cửa",
                    "content": "Xử lý",
                    "status": 2,
                }
            ],
        ),
        Shown(
            "from: {format: json}\nfields: {number: so, nguoi: An}",
            problem="dossier-step.v1 has no field 'nguoi'",
            says="what is wrong with it is a problem before the first message comes",
        ),
    ),
    refuses=("the mapping: a key or a field that there is not, a required field that nothing fills",),
)

PLACE = Entry(
    name="`path`, `outer`",
    summary="One place in the row, or in the row around it",
    options=(
        Option("path", "a path of the format", "one source of a field", "`number: SoHoSo` is its short form"),
        Option("outer", "a path", "one source of a field", "in the row around, where there is `inner`"),
        Option("required", "`true`, `false`", "`false`", "a row without it is refused"),
        Option("default", "a value", "none", "where the place is empty"),
    ),
    examples=(
        Shown(
            "from: {format: json, inner: buoc}\n"
            "fields: {number: {outer: so}, person: nguoi, unit: {path: phong, default: Một cửa}}",
            '[{"so": "H-1", "buoc": [{"nguoi": " An ", "phong": ""}]}]',
            [{"number": "H-1", "person": "An", "unit": "Một cửa"}],
        ),
        Shown(
            "from: {format: json}\nfields: {number: so, unit: {path: phong, required: true}}",
            '[{"so": "H-1"}]',
            ["rejected: unit: is required and empty at phong"],
        ),
    ),
    refuses=("reject: a required place that is empty, true or false, a number with a fraction",),
    notes=(
        "Every text is composed (NFC) and trimmed before anything else, and an empty one is no value. A field has one "
        "source; beside it stand converters, applied as written.",
    ),
)

FIRST = Entry(
    name="`first`",
    summary="The first of several places that has a value",
    options=(Option("first", "a list of paths", "one source of a field", "in their order"),),
    examples=(Tried("first: [x, y]", " ", "An", row={"y": "An"}), Tried("first: [x, y]", None, field="unit")),
    refuses=("what a place is refused for",),
)

JOIN = Entry(
    name="`join`",
    summary="The texts of several places together",
    options=(
        Option("join", "a list of paths", "one source of a field", "those that have a value, a blank between"),
        Option("parts", "a list of paths", NEEDED, "in the long form"),
        Option("with", "text", "a blank", "what stands between them"),
    ),
    examples=(
        Tried("join: [x, y, z]", "Lê", "Lê Mai", row={"y": "", "z": "Mai"}),
        Tried('join: {parts: [x, y], with: "/"}', 12, "12/2017", row={"y": 2017}),
        Tried("join: [x, y]", True, refused="is true or false; text is expected", row={"y": "a"}),
    ),
    refuses=("reject: a place without a certain text",),
)

CHOOSE = Entry(
    name="`choose`",
    summary="What stands beside the first condition that holds",
    options=(
        Option("choose", "a list", "one source of a field", "each with `when`, the last may have none"),
        Option("when", "a condition", "holds always", "`path` and one of the four below"),
        Option("is", "texts", "one of the four", "the text is one of these"),
        Option("not", "texts", "one of the four", "it is none of these; so is an empty place"),
        Option("empty", "`true`, `false`", "one of the four", "whether there is no value"),
        Option("matches", "a regular expression", "one of the four", "for the whole text"),
    ),
    examples=(
        Tried('choose: [{when: {path: t, is: [Xong, Trả]}, path: x}, {const: "?"}]', "A", "A", row={"t": "Xong"}),
        Tried('choose: [{when: {path: t, not: [Xong]}, first: [x, y]}, {const: "?"}]', "A", "?", row={"t": "Xong"}),
        Tried("choose: [{when: {path: x, empty: true}, const: 4}, {const: 9}], int: {}", None, 4, field="status"),
        Tried('choose: [{when: {path: x, matches: "0[0-9]+"}, join: [x, y]}]', "02", "02 A", row={"y": "A"}),
        Tried('choose: [{when: {path: x, matches: "0[0-9]+"}, path: x}]', "12", field="unit"),
    ),
    refuses=("what the place it takes, or the one it asks, is refused for",),
    notes=("It gives `path`, `first`, `join` or `const`. Where no condition holds there is no value.",),
)

CONST = Entry(
    name="`const`",
    summary="Always the same",
    options=(Option("const", "a value of the field", "one source of a field", "no place is read"),),
    examples=(Shown("from: {format: json}\nfields: {number: so, status: {const: 4}}", '[{"so": "H-1"}]',
                    [{"number": "H-1", "status": 4}]),
              Shown("from: {format: json}\nfields: {number: so, status: {const: 40}}",
                    problem="status has no code 40")),
    refuses=("the mapping: a value that the field cannot hold",),
)  # fmt: skip

ENVELOPE = Entry(
    name="`envelope`",
    summary="A place around the rows, the same for all of them",
    options=(Option("envelope", "a path, as `within` names places", "one source of a field",
                    "in the document that holds the rows, then in those around it"),),
    examples=(
        Shown(
            "from: {format: xml, within: /DS/Ds, each: Buoc}\nfields: {number: So, unit: {envelope: /DS/DonVi}}",
            "<DS><DonVi>Một cửa</DonVi><Ds><Buoc><So>H-1</So></Buoc></Ds></DS>",
            [{"number": "H-1", "unit": "Một cửa"}],
        ),
        Shown(
            "from: {format: json, within: ds}\nfields: {number: so, unit: {envelope: don_vi.ten}}",
            '{"don_vi": {"ten": "P1"}, "ds": [{"so": "H-1"}]}',
            [{"number": "H-1", "unit": "P1"}],
        ),
        Shown(
            "from: {format: xml, within: /DS/Ds, each: Buoc}\nfields: {number: So, unit: {envelope: /DS/DonVi}}",
            "<DS><DonVi>A</DonVi><DonVi>B</DonVi><Ds><Buoc><So>H-1</So></Buoc></Ds></DS>",
            ["rejected: unit: stands 2 times around the rows, so its value is not certain at /DS/DonVi (found 'A; B')"],
        ),
    ),
    refuses=("reject: a place that stands twice; park: an element or an object where one value is expected",),
)  # fmt: skip

LABEL = Entry(
    name="`label` of a field",
    summary="A part of the name of the file or page, without its folder",
    options=(Option("label", "as `match`", "one source of a field", "a regular expression for the whole name"),),
    examples=(
        Shown(
            "from: {format: csv}\nfields: {number: SO, unit: {label: \"buoc-([A-Z0-9]+)-.*\"}}",
            "SO\nH-1\n",
            [{"number": "H-1", "unit": "P1"}],
            label="2017/buoc-P1-03.csv",
        ),
        Shown(
            "from: {format: csv}\nfields: {number: SO, unit: {label: \"buoc-([A-Z0-9]+)-.*\"}}",
            "SO\nH-1\n",
            ["rejected: unit: does not look like buoc-([A-Z0-9]+)-.* at the label (found 'khac.csv')"],
            label="khac.csv",
        ),
    ),
    refuses=("reject: a name that the pattern does not match, unless `otherwise` says something else",),
)  # fmt: skip

TABLES = Entry(
    name="Code tables",
    summary="`tables`: words with their codes, inline or in a file beside the mapping",
    options=(
        Option("word", "text", NEEDED, "column of a CSV file: the word, composed and trimmed"),
        Option("code", "text", NEEDED, "column: its code"),
        Option("from", "a day", "open", "column: the first day on which it holds"),
        Option("until", "a day", "open", "column: the last day"),
        Option("note", "text", "none", "column: for people"),
    ),
    examples=(
        Shown(
            "from: {format: json}\ntables:\n  status: {Nhận: 2, Xong: 9}\n"
            "fields: {number: so, status: {path: t, table: status}}",
            '[{"so": "H-1", "t": "Xong"}]',
            [{"number": "H-1", "status": 9}],
            says="inline",
        ),
        Shown(
            "from: {format: json}\ntables: {status: tables/status.yaml}\n"
            "fields: {number: so, status: {path: t, table: status}}",
            '[{"so": "H-1", "t": "Xong"}]',
            [{"number": "H-1", "status": 9}],
            says="a YAML file",
            files={"tables/status.yaml": "Nhận: 2\nXong: 9\n"},
        ),
        Shown(
            "from: {format: json}\ntables: {status: tables/status.csv}\n"
            "fields: {number: so, at: {path: l, date: dd/MM/yyyy}, status: {path: t, table: status}}",
            '[{"so": "H-1", "l": "30/06/2020", "t": "Chờ"}, {"so": "H-2", "l": "01/07/2020", "t": "Chờ"}]',
            [
                {"number": "H-1", "at": "2020-06-29T17:00:00Z", "status": 5},
                {"number": "H-2", "at": "2020-06-30T17:00:00Z", "status": 6},
            ],
            says="a CSV file with days of validity, both included",
            files={
                "tables/status.csv": "word;code;from;until;note\nChờ;5;;30/06/2020;quy trình cũ\nChờ;6;2020-07-01;;\n"
            },
        ),
        Shown(
            "from: {format: json}\ntables: {status: tables/status.csv}\n"
            "fields: {number: so, status: {path: t, table: status}}",
            problem="status has no code '40'",
            files={"tables/status.csv": "word,code\nChờ,40\n"},
        ),
    ),
    refuses=("the mapping: a word twice on one day, a column or a code that there is not, a day that is none",),
    notes=(
        "A day is `2020-06-30` or `30/06/2020`. Between the cells stands a comma, a semicolon or a tab, as in the "
        "first line. What an unknown word does says [`table`](#table).",
    ),
)

ENTRIES = (PLACE, FIRST, JOIN, CHOOSE, CONST, ENVELOPE, LABEL)
