from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.rulebook import rulebook
from hub.sections import Route
from hub.settings import load
from schemas.errors import ConfigError
from tests.unit.hub.line import BOTH, rules

Write = Callable[..., Path]
D, S = BOTH


def test_a_route_takes_by_kind() -> None:
    by = rules(Route(kinds=[D], to=["b", "a"]), Route(kinds=[S], to=["c"]))
    assert by.route("s", D, "H59.15") == ("a", "b")
    assert by.route("s", S, None) == ("c",)
    assert by.route("s", "document.v1", None) == ()


def test_a_route_may_be_narrowed_by_source_and_agency() -> None:
    by = rules(
        Route(kinds=[D], to=["a"], sources=["s"]),
        Route(kinds=[D], to=["b"], agencies=["H59.15", "H59.34"]),
        Route(kinds=[D], to=["c"], sources=["other"], agencies=["H59.34"]),
    )
    assert by.route("s", D, "H59.15") == ("a", "b")
    assert by.route("s", D, "H59.99") == ("a",)
    assert by.route("other", D, "H59.34") == ("b", "c")
    assert by.route("third", D, None) == (), "a record without an agency fits no route that names some"


def test_a_destination_that_two_routes_name_is_told_once() -> None:
    by = rules(Route(kinds=[D], to=["a"]), Route(kinds=BOTH, to=["a", "b"]))
    assert by.route("s", D, None) == ("a", "b")


def test_a_deployment_is_compiled_once_for_all(write: Write) -> None:
    deployment = load(write(), environment={"HUB_PASSWORD": "x"})
    by = rulebook(deployment)
    assert [mapping.name for mapping in by.inbound["so-tttt"]] == ["one-stop-soap/dossier", "one-stop-soap/step"]
    assert {kind: mapping.name for kind, mapping in by.outbound["national"].items()} == {
        D: "dvcqg/dossier",
        S: "dvcqg/step",
    }
    assert by.route("so-tttt", D, "H59.15") == ("national",)
    assert by.agencies is deployment.agencies


def test_every_mapping_that_cannot_be_loaded_is_named(write: Write) -> None:
    path = write(
        ("one-stop-soap/step]", "one-stop-soap/steps]"), ("dossier.v1: dvcqg/dossier,", "dossier.v1: dvcqg/d,")
    )
    with pytest.raises(ConfigError) as told:
        rulebook(load(path, environment={"HUB_PASSWORD": "x"}))
    assert len(told.value.problems) == 2
    assert "one-stop-soap/steps" in str(told.value)
    assert "dvcqg/d" in str(told.value)
