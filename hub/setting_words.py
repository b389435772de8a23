"""What a model of settings says of itself: the docstrings below its attributes, and the models inside it. Pure."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel


@cache
def attribute_docs(model: type[BaseModel]) -> Mapping[str, str]:
    """The string below each attribute of a class and of its bases, by attribute; empty where there is no source."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not (issubclass(cls, BaseModel) and cls is not BaseModel):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
        except (OSError, SyntaxError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for line, after in pairwise(body):
            if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found[line.target.id] = str(after.value.value)
    return found


def said_of(model: type[BaseModel], name: str) -> str:
    """What a setting is: the string below it, its field's description, or the docstring of the one model that it holds.

    A setting that can only be one word needs none: `type: basic` tells itself. Empty where nothing is said.
    """
    info = model.model_fields[name]
    inside = [one for one in models_in(info.annotation) if one.__doc__]
    told = attribute_docs(model).get(name) or info.description or (inside[0].__doc__ if len(inside) == 1 else "")
    if not told and get_origin(info.annotation) is Literal and len(get_args(info.annotation)) == 1:
        return f"always {get_args(info.annotation)[0]}"
    return " ".join((told or "").split())


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an attribute of this type may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in models_in(part)]
