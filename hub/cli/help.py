"""What a help shows of its parameters: words of ours, and no type of Python (`<bool>`, `<list[int]>`)."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


def _shown(param: Any) -> Any:
    """A parameter without the type that would stand beside its name: an argument's metavar is its name already."""
    if isinstance(param, TyperArgument):
        vars(param)["display_type_rich"] = lambda ctx: None
    elif isinstance(param, TyperOption) and param.is_flag and param.metavar is None:
        param.metavar = ""
    return param


class Command(TyperCommand):
    """A command with such a help."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_shown(param) for param in super().get_params(ctx)]


class Group(TyperGroup):
    """A group with such a help."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_shown(param) for param in super().get_params(ctx)]


def in_words(group: typer.Typer) -> None:
    """Have the helps of a group and of its commands speak so."""
    group.info.cls = Group
    for command in group.registered_commands:
        command.cls = Command
