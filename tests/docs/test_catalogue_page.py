"""docs/catalogue.md lists every mapping that is shipped, with what is known and assumed as the files themselves say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.cli.mappings import form
from mappings.catalogue import CATALOGUE, load, names
from mappings.inbound import InboundMapping
from mappings.load import Mapping_
from mappings.testing import inputs, place_of_test
from schemas.record import KINDS

PAGE = (Path(__file__).parents[2] / "docs/catalogue.md").read_text(encoding="utf-8")
_NO_ANSWER = re.compile(r"\bno (?:answer|export)\b|\bnot been seen\b")


def row(name: str, made: Mapping_) -> str:
    """The row of the page's table."""
    assumed = " ".join(one if one.endswith((".", ";")) else f"{one}." for one in made.assumed) or "nothing"
    return f"| `{name}` | {form(made)} | {made.facts} | {assumed} |"


def test_the_table_is_what_the_files_say() -> None:
    listed = [line for line in PAGE.splitlines() if re.match(r"\| `[a-z-]+/[a-z-]+` \|", line)]
    assert listed == [row(name, load(name)) for name in names()], "correct docs/catalogue.md, or facts and assumed"


@pytest.mark.parametrize("name", names())
def test_every_mapping_says_what_is_known_and_what_it_assumes(name: str) -> None:
    made = load(name)
    assert made.summary
    assert made.facts
    assert not _NO_ANSWER.search(made.facts) or made.assumed, "what nobody has seen is assumed"
    if name.partition("/")[0] != "plain" and isinstance(made, InboundMapping):
        assert made.assumed, "no system that is read has been seen as a whole"


@pytest.mark.parametrize("system", sorted({name.partition("/")[0] for name in names()}))
def test_every_sample_is_read_by_a_test(system: str) -> None:
    samples = {file.name for file in (CATALOGUE / system / "samples").glob("*")}
    tests = "\n".join(file.read_text(encoding="utf-8") for file in (CATALOGUE / system).glob("*_test.yaml"))
    assert {name for name in samples if f"samples/{name}" not in tests} == set()


def test_every_kind_can_be_read_and_written() -> None:
    made = [load(name) for name in names()]
    ours = {kind for kind, model in KINDS.items() if model.__module__.startswith("schemas.")}
    assert {one.kind for one in made if isinstance(one, InboundMapping)} == ours
    assert {one.kind for one in made if not isinstance(one, InboundMapping)} == ours


def test_every_mapping_that_reads_has_an_input_to_drill_with() -> None:
    reading = [name for name in names() if isinstance(load(name), InboundMapping)]
    assert [name for name in reading if not inputs(place_of_test(CATALOGUE / f"{name}.yaml"))] == []
