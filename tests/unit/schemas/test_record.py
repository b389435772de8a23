"""The register of kinds, and what a kind must declare."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import pytest

from schemas.document import Document
from schemas.dossier import Dossier
from schemas.dossier_step import DossierStep
from schemas.errors import CodeUnknownError
from schemas.indicator import Indicator
from schemas.record import KINDS, Record, kind, lane_of


def test_kinds_are_registered_by_name() -> None:
    assert kind("dossier.v1") is Dossier
    assert kind("dossier-step.v1") is DossierStep
    assert kind("document.v1") is Document
    assert kind("indicator.v1") is Indicator
    ours = {name for name, model in KINDS.items() if model.__module__.startswith("schemas.")}
    assert ours == {"dossier.v1", "dossier-step.v1", "document.v1", "indicator.v1"}


def test_an_unknown_kind_lists_the_known() -> None:
    with pytest.raises(CodeUnknownError, match=r"unknown kind 'dosier\.v1'; the kinds are .*dossier\.v1"):
        kind("dosier.v1")


def test_the_lane_of_a_key_is_its_beginning_for_events_alone() -> None:
    assert lane_of("dossier-step.v1", "H-1|2017-03-20T01:05:00Z|An|4") == "H-1"
    assert lane_of("dossier.v1", "H-1") == "H-1"
    assert lane_of("indicator.v1", "DN01|2026-03|H12") == "DN01|2026-03|H12"
    assert lane_of("", "H-1|2017-03-20T01:05:00Z|An|4") == "H-1"


def test_the_register_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        KINDS["x.v1"] = Dossier  # type: ignore[index]  # what a type checker forbids is what is tested


def test_a_kind_must_declare_everything() -> None:
    with pytest.raises(TypeError) as caught:

        class Nothing(Record):
            pass

    assert str(caught.value) == (
        "Nothing is no record kind: kind should be like 'dossier.v1', is None; event should be True or False; "
        "key is not declared; lane is not declared"
    )


def test_a_kind_name_is_taken_once() -> None:
    with pytest.raises(TypeError, match=r"'dossier\.v1' is already schemas\.dossier\.Dossier"):

        class Second(Dossier):
            kind: ClassVar[str] = "dossier.v1"

    with pytest.raises(TypeError, match="kind should be like"):

        class Inherited(Dossier):
            pass

    assert kind("dossier.v1") is Dossier


def test_an_event_needs_its_time_and_a_time_must_be_a_field() -> None:
    class Named(Record):
        kind: ClassVar[str] = "test-named.v1"
        event: ClassVar[bool] = False
        name: str

        @property
        def key(self) -> str:
            return self.name

        @property
        def lane(self) -> str:
            return self.name

    assert Named(name="a").source_time is None
    assert Named(name="a").facts() == b'{"name":"a"}'

    with pytest.raises(TypeError, match="an event should declare time_field"):

        class Timeless(Named):
            kind: ClassVar[str] = "test-timeless.v1"
            event: ClassVar[bool] = True

    with pytest.raises(TypeError, match="time_field 'when' is no field"):

        class Misnamed(Named):
            kind: ClassVar[str] = "test-misnamed.v1"
            time_field: ClassVar[str | None] = "when"
            at: datetime


def test_a_bare_record_has_no_key() -> None:
    with pytest.raises(NotImplementedError):
        _ = Record().key
    with pytest.raises(NotImplementedError):
        _ = Record().lane
