"""Loading: every problem of a mapping at once, each with file, line and mend."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from mappings import InboundMapping, OutboundMapping
from mappings.catalogue import CATALOGUE, load, names
from schemas.errors import ConfigError

GOOD = """\
mapping: here/step
from:
  format: xml
  within: /A
  each: B
to: dossier-step.v1
tables:
  status: {x: 1}
fields:
  number: N
  at: {path: T, date: iso}
  person: P
  content: C
  status: {path: S, table: status}
"""
OUT = """\
mapping: here/out
from: {record: dossier.v1}
to: {portal: json, empty: omit}
fields:
  A: {field: number, required: true}
"""


def write(folder: Path, text: str, name: str = "here/step.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(dedent(text), encoding="utf-8")
    return path


def problems_of(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize("name", names())
def test_every_mapping_of_the_catalogue_compiles_under_its_name(name: str) -> None:
    mapping = load(name)
    assert mapping.name == name
    assert mapping.summary
    assert len(mapping.digest) == 64
    assert isinstance(mapping, OutboundMapping if name.split("/")[0] in ("dvcqg", "lgsp", "plain") else InboundMapping)


def test_the_catalogue_has_the_mappings_that_the_demo_needs() -> None:
    systems = ("dvcqg", "lgsp", "one-stop-csv", "one-stop-rest", "one-stop-soap")
    assert set(names()) >= {f"{system}/{kind}" for system in systems for kind in ("dossier", "step")}


def test_a_folder_goes_before_the_catalogue(tmp_path: Path) -> None:
    write(tmp_path, changed("here/step", "one-stop-soap/step"), "one-stop-soap/step.yaml")
    loaded = load("one-stop-soap/step", folders=[tmp_path])
    assert isinstance(loaded, InboundMapping)
    assert loaded.spec.within == "/A"


def test_a_path_is_that_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert load(path).name == load(str(path)).name == "here/step"


def test_an_unknown_name_has_a_suggestion() -> None:
    with pytest.raises(
        ConfigError, match=r"there is no mapping 'one-stop-soap/dosier'.*did you mean 'one-stop-soap/dossier'"
    ):
        load("one-stop-soap/dosier")
    with pytest.raises(ConfigError, match="there is no mapping"):
        load("../one-stop-soap/dossier")
    with pytest.raises(ConfigError, match="there is no such mapping file"):
        load("nowhere/x.yaml")


def test_the_digest_covers_mapping_and_tables(tmp_path: Path) -> None:
    text = changed("status: {x: 1}", "status: tables/status.yaml")
    write(tmp_path, "x: 1\n", "here/tables/status.yaml")
    path = write(tmp_path, text)
    first = load(path).digest
    assert load(path).digest == first
    write(tmp_path, "x: 2\n", "here/tables/status.yaml")
    second = load(path).digest
    write(tmp_path, text + "# a remark\n")
    assert len({first, second, load(path).digest}) == 3


def test_a_problem_in_a_table_names_the_table_file(tmp_path: Path) -> None:
    table = write(tmp_path, "x: 1\ny: 11\nx: 3\nz: [1]\n", "here/tables/status.yaml")
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, changed("status: {x: 1}", "status: tables/status.yaml")))
    said = [str(problem) for problem in caught.value.problems]
    assert [line for line in said if line.startswith(f"{table}:3: the key 'x' stands here twice")]
    assert [line for line in said if line.startswith(f"{table}:4: 'z' in the table 'status' should be one code")]
    assert [line for line in said if "2: status has no code 11" in line]


def test_all_problems_come_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """\
        mapping: here/step
        from:
          format: xlm
          witin: /A
          each: "B["
        to: dossier-step.v1
        tables:
          status: {x: 1}
          spare: {x: 1}
        fields:
          numbr: N
          at: {path: T, date: DD/MM/YYYY}
          person: {path: P, requird: true}
          content: {path: C, text: {max: 0}}
          status: {path: S, table: statsu}
          unit: {path: "/U"}
        field: {}
        """,
    )
    assert [line.split(" — ")[-1] for line in found if line.startswith("3:")] == ["did you mean 'xml'?"]
    for start in ("3:", "4:", "10:", "11:", "12:", "13:", "14:", "15:", "17:"):
        assert [line for line in found if line.startswith(start)], start
    assert [int(line.split(":")[0]) for line in found] == sorted(int(line.split(":")[0]) for line in found)
    meant = ("within", "number", "required", "status", "fields")
    for mend in ("write dd", *(f"did you mean {word!r}?" for word in meant)):
        assert [line for line in found if mend in line], mend


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  format: xml", "  format: yaml", "3: 'format' of 'from' is 'yaml'"),
        ("  each: B\n", "", "'from' lacks 'each'"),
        ("  each: B", '  each: "B["', "'B[' is no XPath expression"),
        ("  each: B", "  each: B/@c", "finds attributes, not rows"),
        ("  within: /A", '  within: "//x:A"', "declare the prefix in `from: namespaces`"),
        ("  each: B", "  each: B\n  charset: tcvn3", "'tcvn3' is no encoding that is read"),
        ("  each: B", "  each: B\n  unwrap: {path: /X}", "'unwrap' lacks 'holds'"),
        ("  each: B", "  each: B\n  unwrap: {path: //X[, holds: xml}", "not readable as YAML"),
        ("  each: B", '  each: B\n  unwrap: {path: "//X[", holds: xml}', "6: '//X[' is no XPath expression"),
        ("  each: B", "  each: B\n  inner: '@x'", "cannot lead to rows"),
        ("  each: B", "  each: B\n  max_bytes: 0", "should be a whole number from 1 on"),
        ("to: dossier-step.v1", "to: dossier-step.v2", "did you mean 'dossier-step.v1'?"),
        ("to: dossier-step.v1", "", "the mapping lacks 'to'"),
        ("mapping: here/step", "", "the mapping lacks 'mapping'"),
        ("  status: {x: 1}", "  status: {x: 11}", "status has no code 11 [table-value]"),
        ("  status: {x: 1}", "  status: {x: 1, ' x ': 2}", "has the word 'x' twice"),
        ("  status: {x: 1}", "  status: nothere.yaml", "there is no file 'nothere.yaml'"),
        ("  number: N", "  number: N\n  number: M", "11: the key 'number' stands here twice"),
        ("  number: N\n", "", "dossier-step.v1 needs number, which no field fills"),
        ("  number: N", "  number: {outer: N}", "no row stands around this one"),
        ("  number: N", "  number: {path: N, outer: N}", "should have one source"),
        ("  number: N", "  number: {required: true}", "should have one source"),
        ("  number: N", "  number: {path: N, required: 1}", "should be true or false"),
        ("  number: N", "  number: /N", "starts at the document, not at the row"),
        ("  number: N", "  number: [N]", "should be text, is a list"),
        ("  number: N", "  number: {path: N, date: iso}", "takes text, here it gets a time"),
        ("  number: N", "  number: {path: N, match: '('}", "is no regular expression"),
        ("  number: N", "  number: {path: N, agency: {give: nam}}", "did you mean 'name'?"),
        ("  number: N", "  number: {path: N, agency: {on: att}}", "did you mean 'at'?"),
        ("{path: T, date: iso}", "T", "takes a time, here it gets text [type] — add `date`"),
        ("date: iso", "date: {format: iso, zone: Asia/Hochiminh}", "is no time zone"),
        ("{path: T, date: iso}", "{path: T, date: dd/MM}", "lacks the year"),
        ("{path: T, date: iso}", "{path: T, date: 'dd/MM/yyyy['}", "brackets"),
        ("{path: T, date: iso}", "{path: T, date: dd/MM/yyyy dd}", "has the day twice"),
        ("{path: T, date: iso}", "{path: T, date: dd/MM/yyyy mm}", "has no hour"),
        ("{path: T, date: iso}", "{path: T, date: dd/MM/yyyy ago}", "'a', which means nothing"),
        ("{path: S, table: status}", "S", "takes a code, here it gets text [type] — add `table`"),
        ("{path: S, table: status}", "{const: 12}", "status has no code 12"),
        ("{path: S, table: status}", "{path: S, table: status, default: 12}", "status has no code 12"),
        ("{path: S, table: status}", "{const: 1}", "no field uses the table 'status'"),
        ("table: status}\n", "table: {name: status, unknown: guess}}\n", "'unknown' of table is 'guess'"),
        ("  content: C", "  content: {path: C, bool: {true: x, false: x}}", "cannot be both true and false"),
        ("  content: C", "  content: {path: C, txt: {}}", "did you mean 'text'?"),
    ],
)  # fmt: skip
def test_a_problem_is_told_with_its_mend(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = problems_of(tmp_path, changed(old, new))
    assert [line for line in found if said in line], found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  B: numbr", "5: the record has no field 'numbr' [unknown-field] — did you mean 'number'?"),
        ("  B: {field: received_at}", "a time has to be written somehow"),
        ("  B: {field: number, date: iso}", "number is no time"),
        ("  B: {field: received_at, date: [iso, yyyyMMdd]}", "written in one way"),
        ("  B: {field: received_at, date: 'dd/MM/yyyy[ HH]'}", "has brackets"),
        ("  B: {field: received_at, date: d/M/yyyy}", "which is for reading"),
        ("  B: {field: received_at, date: {format: iso, none: x}}", "`none` is for reading"),
        ("  B: {}", "lacks 'field'"),
        ("  B: {const: 1, feild: number}", "did you mean 'field'?"),
        ("  B: {field: status, table: t}", "there is no table 't'"),
    ],
)
def test_a_problem_of_a_payload_is_told_with_its_mend(tmp_path: Path, line: str, said: str) -> None:
    found = problems_of(tmp_path, changed("  A: {field: number, required: true}", line, OUT))
    assert [problem for problem in found if said in problem], found


def test_a_payload_table_has_every_code_or_an_else(tmp_path: Path) -> None:
    text = OUT + "  B: {field: channel, table: t}\ntables:\n  t: {counter: 1, onlin: 2}\n"
    found = problems_of(tmp_path, text)
    assert [line for line in found if "the table 't' says nothing of channel online, post" in line]
    assert [line for line in found if line.startswith("8: channel has no code 'onlin'")]
    load(write(tmp_path, OUT + "  B: {field: channel, table: {name: t, else: 0}}\ntables:\n  t: {counter: 1}\n"))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"mapping: a\nx: \xff\n")
    with pytest.raises(ConfigError, match=rf"{path}:2: is not UTF-8"):
        load(path)
    path.write_bytes(b"#" * 2_000_000)
    with pytest.raises(ConfigError, match="at most 1,048,576 are read"):
        load(path)
    folder = tmp_path / "y.yaml"
    folder.mkdir()
    with pytest.raises(ConfigError, match="no such mapping file"):
        load(folder)


def test_the_name_inside_is_the_name_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "there/step.yaml")
    with pytest.raises(ConfigError, match="the mapping in this file is 'here/step', its name here is 'there/step'"):
        load("there/step", folders=[tmp_path])


def test_the_catalogue_is_a_folder_of_the_package() -> None:
    assert (CATALOGUE / "__init__.py").is_file()
