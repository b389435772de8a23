"""What every adapter owes, source or destination: how it is found and made, and what its settings are like."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from hub.contract.lacks import leave_out
from hub.ports import AdapterContext
from hub.setting_words import models_in, said_of

NAME = "contract"
"""The name of the source or destination in the configuration that a test stands for."""
_SECRET = re.compile(r"(?:^|_)(?:password|passwd|mat_?khau|secret|api_?key|access_?key)$", re.IGNORECASE)


class AdapterContract:
    """The part of both contracts that needs nobody on the other side."""

    adapter: ClassVar[str]
    """The adapter's name: that of its entry point in `hub.adapters`."""
    lacks: ClassVar[dict[str, str]] = {}
    """What the other side does not have, each with the reason; the tests that need it are left out."""
    patience_s: ClassVar[float] = 30.0
    """After so long a test fails because something has no end: enough for a machine that is busy."""
    _role: ClassVar[Literal["source", "destination"]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        leave_out(cls, cls.lacks)

    @classmethod
    def kind(cls) -> type[Any]:
        """The class that the entry point names. Fails where no package declares it."""
        name = getattr(cls, "adapter", "")
        points = [point for point in entry_points(group="hub.adapters") if point.name == name]
        if not points:
            pytest.fail(
                f"{cls.__name__}.adapter is {name!r}, and no installed package declares an adapter of that name; "
                'declare it under [project.entry-points."hub.adapters"] in pyproject.toml, and install the package',
                pytrace=False,
            )
        kind: type[Any] = points[0].load()
        return kind

    @classmethod
    def make(cls, settings: Mapping[str, Any], folder: Path) -> Any:
        """An adapter, made as the hub makes it."""
        kind = cls.kind()
        return kind(kind.Settings.model_validate(dict(settings)), AdapterContext(name=NAME, folder=folder))

    def test_one_package_declares_it_and_it_says_what_it_is(self) -> None:
        points = [point for point in entry_points(group="hub.adapters") if point.name == self.adapter]
        assert len(points) == 1, f"{len(points)} packages declare an adapter {self.adapter!r}"
        kind = self.kind()
        assert kind.role == self._role
        assert kind.summary.strip() == kind.summary != "", "summary is one line for `hub adapters`"
        assert "\n" not in kind.summary
        assert issubclass(kind.Settings, BaseModel)

    def test_it_is_made_of_settings_and_a_context(self) -> None:
        assert list(inspect.signature(self.kind()).parameters) == ["settings", "context"]

    def test_settings_refuse_what_they_do_not_know(self) -> None:
        lax = [model.__name__ for model in _models(self.kind()) if model.model_config.get("extra") != "forbid"]
        assert lax == [], 'a misspelt setting would be passed over: model_config = ConfigDict(extra="forbid")'
        with pytest.raises(ValidationError) as refused:
            self.kind().Settings.model_validate({"no_such_setting": 1})
        assert any(one["loc"] == ("no_such_setting",) for one in refused.value.errors())

    def test_every_setting_is_described(self) -> None:
        silent = [
            f"{model.__name__}.{name}"
            for model in _models(self.kind())
            for name in model.model_fields
            if not said_of(model, name)
        ]
        assert silent == [], "write a docstring below each, for `hub adapters` and for editors"

    def test_secrets_are_declared_as_secrets(self) -> None:
        shown = [
            f"{model.__name__}.{name}"
            for model in _models(self.kind())
            for name, info in model.model_fields.items()
            if _SECRET.search(name) and not _holds_secret(info.annotation)
        ]
        assert shown == [], "make it a pydantic.SecretStr, so that no log and no error shows it"


def _models(kind: type[Any]) -> Iterator[type[BaseModel]]:
    seen: list[type[BaseModel]] = [kind.Settings]
    for model in seen:
        yield model
        for info in model.model_fields.values():
            seen += [one for one in models_in(info.annotation) if one not in seen]


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_holds_secret(part) for part in getattr(annotation, "__args__", ()))
