"""The parts of a check that look at one thing: routes that cover each other, secrets by name, personal data."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.check_personal import personal_problems
from hub.check_routes import route_warnings
from hub.check_secrets import written_secrets
from hub.draft import Draft
from hub.sections import DestinationSection, Route, SourceSection
from hub.yaml_lines import Document
from mappings.load import load
from mappings.outbound import OutboundMapping

PERSONAL = {"applicant_name", "applicant_id", "applicant_address", "applicant_phone", "applicant_email", "summary"}


def made(tmp_path: Path, *routes: Route, personal: str | list[str] = "all") -> Draft:
    draft = Draft(Document(str(tmp_path / "hub.yaml"), {}), [])
    draft.sources = {name: SourceSection(adapter="files", mappings=["a/b"]) for name in ("so-a", "so-b")}
    section = {"adapter": "lgsp", "mappings": {"dossier.v1": "lgsp/dossier"}, "personal": personal}
    draft.destinations = {"provincial": DestinationSection.model_validate(section)}
    draft.routes = dict(enumerate(routes))
    return draft


def route(**parts: object) -> Route:
    return Route.model_validate({"kinds": ["dossier.v1"], "to": ["provincial"], **parts})


@pytest.mark.parametrize(
    ("first", "second", "shadowed"),
    [
        (route(), route(), [1]),
        (route(), route(sources=["so-a"]), [1]),
        (route(sources=["so-a"]), route(), [0]),
        (route(sources=["so-a", "so-b"]), route(), [1]),
        (route(), route(only={"agencies": ["H59.05"]}), [1]),
        (route(only={"agencies": ["H59.05"]}), route(), [0]),
        (route(only={"agencies": ["H59.05"]}), route(agencies=["H59.05"]), [1]),
        (route(agencies=["H59.05"]), route(agencies=["H59.06"]), []),
        (route(sources=["so-a"]), route(sources=["so-b"]), []),
        (route(to=["national"]), route(), []),
    ],
)
def test_a_route_is_covered_by_another_one(tmp_path: Path, first: Route, second: Route, shadowed: list[int]) -> None:
    draft = made(tmp_path, first, second)
    produced = {"so-a": {"dossier.v1"}, "so-b": {"dossier.v1"}}
    found = [one.message for one in route_warnings(draft, produced, None) if one.rule == "route-shadowed"]
    assert [int(message.split(":")[0].removeprefix("routes.")) for message in found] == shadowed


def test_nothing_is_said_of_a_route_whose_sources_could_not_be_read(tmp_path: Path) -> None:
    draft = made(tmp_path, route(kinds=["dossier-step.v1"]))
    assert [one.rule for one in route_warnings(draft, {"so-a": {"dossier.v1"}}, None)] == ["mapping-not-routed"]


def test_secrets_by_name_stand_where_names_are_free() -> None:
    settings = {
        "token": "du_lieu.token",
        "password_field": "mat_khau",
        "headers": {"Authorization": "Bearer abc", "X-Client": "tra-vinh", "X-Api-Key": "${KEY}"},
        "arguments": {"matKhau": "abc", "tham_so": [{"api_key": "abc"}], "trang": 1},
        "proxy": "http://user:abc@proxy:3128",
        "url": "http://user:${PASSWORD}@host/",
        "wsdl": "http://host:8080/a@b",
    }
    assert list(written_secrets(settings, ("s",))) == [
        ("s", "headers", "Authorization"),
        ("s", "arguments", "matKhau"),
        ("s", "arguments", "tham_so", 0, "api_key"),
        ("s", "proxy"),
    ]


@pytest.mark.parametrize(
    ("personal", "lacking"),
    [
        ("all", set()),
        ("none", PERSONAL | {"note"}),
        (["applicant_name", "note"], PERSONAL - {"applicant_name"}),
    ],
)
def test_a_mapping_shows_no_more_than_is_declared(tmp_path: Path, personal: str | list[str], lacking: set[str]) -> None:
    mapping = load("lgsp/dossier")
    assert isinstance(mapping, OutboundMapping)
    outbound = {("provincial", "dossier.v1"): mapping}
    found = list(personal_problems(made(tmp_path, route(), personal=personal), outbound))
    assert {one.message.split(" would show ")[1].split()[0] for one in found} == lacking
    # What no route brings is shown to nobody.
    assert list(personal_problems(made(tmp_path, route(kinds=["dossier-step.v1"]), personal=personal), outbound)) == []
