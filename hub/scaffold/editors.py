"""The line by which an editor finds the JSON Schema of a YAML file (`hub schema export` writes them)."""

from __future__ import annotations

FOLDER = "schemas"
"""Where a project keeps them, beside its hub.yaml."""

_DEPTH = {"hub": 0, "agencies": 0, "procedures": 0, "mapping": 2, "mapping-out": 2, "mapping-test": 2, "answers": 1}
"""By schema, how many folders below hub.yaml its files lie."""


def head(schema: str) -> str:
    """`# yaml-language-server: $schema=../../schemas/mapping.schema.json`."""
    up = "../" * _DEPTH[schema] or "./"
    return f"# yaml-language-server: $schema={up}{FOLDER}/{schema}.schema.json"
