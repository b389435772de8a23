"""Adapters by name: the ones declared, made with settings that fit, and clear errors for the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub import registry
from hub.ports import AdapterContext
from schemas.errors import ConfigError


def context(folder: Path) -> AdapterContext:
    return AdapterContext("cau-ngang", folder)


def test_the_packages_own_adapters_are_declared() -> None:
    assert set(registry.declared()) >= {"soap", "rest", "files", "dvcqg", "lgsp"}
    for name in registry.declared():
        assert registry.adapter(name).summary


def test_a_source_is_made_of_its_settings(tmp_path: Path) -> None:
    settings = {"folder": "drop", "pattern": "*.csv", "settle_s": "0.5"}
    assert hasattr(registry.source("files", settings, context(tmp_path)), "arrivals")


def test_settings_that_do_not_fit_are_told_without_their_values(tmp_path: Path) -> None:
    settings = {"url": "http://127.0.0.1:9", "client_id": "hub", "client_secret": 12345, "more": 1}
    with pytest.raises(ConfigError) as raised:
        registry.destination("lgsp", settings, context(tmp_path))
    assert len(raised.value.problems) == 2
    assert "destination cau-ngang: client_secret" in str(raised.value)
    assert "12345" not in str(raised.value)


@pytest.mark.parametrize(("name", "said"), [("lgps", "did you mean 'lgsp'"), ("soap", "is for a source")])
def test_a_name_that_does_not_fit_is_told_with_the_mend(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        registry.destination(name, {}, context(tmp_path))
