"""The glossary names every field of every record and every status."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.codes import AgencyLevel, ApplicantKind, Channel, DossierStatus, Medium, Priority, label
from schemas.record import KINDS, Record
from schemas.titles import NOUNS, noun, title

OURS = [model for model in KINDS.values() if model.__module__.startswith("schemas.")]
TEXT = (Path(__file__).parents[3] / "docs/glossary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", OURS)
def test_every_field_is_explained(model: type[Record]) -> None:
    section = TEXT.split(f"## Fields of `{model.kind}`")[1].split("\n## ")[0]
    first_cells = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    assert set(model.model_fields) <= set(re.findall(r"[a-z_]+", " ".join(first_cells)))


def test_every_status_is_explained() -> None:
    for status in DossierStatus:
        assert f"| {int(status)} | {label(status).vi} | {label(status).en.lower()} |" in TEXT


@pytest.mark.parametrize("model", OURS)
def test_it_says_which_fields_are_required(model: type[Record]) -> None:
    section = TEXT.split(f"## Fields of `{model.kind}`")[1].split("\n## ")[0].split("\nCodes, ")[0]
    said: set[str] = set()
    for names, required in re.findall(r"^\| ([a-z_, ]+)(?: \(personal\))? \|[^|]*\| ([^|]+) \|", section, re.MULTILINE):
        fields = set(re.findall(r"[a-z_]+", names)) & set(model.model_fields)
        said |= fields if required == "yes" else fields & set(re.findall(r"[a-z_]+", required))
    assert said == {name for name, declared in model.model_fields.items() if declared.is_required()}


def test_every_code_is_explained() -> None:
    for codes, model in ((AgencyLevel, "dossier"), (ApplicantKind, "dossier"), (Channel, "dossier"),
                         (Priority, "document"), (Medium, "document")):  # fmt: skip
        section = TEXT.split(f"## Fields of `{model}.v1`")[1].split("\nCodes, ")[1].split("\n## ")[0]
        for code in codes:
            assert f"| `{code.value}` |" in section


@pytest.mark.parametrize("model", OURS)
def test_every_kind_has_a_name_and_its_fields_have_titles(model: type[Record]) -> None:
    assert noun(model.kind) is NOUNS[model.kind]
    assert all(title(model.kind, name) != (name, name) for name in model.model_fields)
