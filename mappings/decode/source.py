"""What a mapping says about the bytes it reads: plain data, comparable, so that equal ones are decoded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Format: TypeAlias = Literal["xml", "json", "csv", "xlsx"]

MAX_BYTES = 32 * 1024 * 1024
"""The largest body, wrapped or unwrapped, that is read unless the mapping says otherwise."""
MAX_PARTS = 2_000_000
"""The most elements, members or cells of one body: memory grows with these, not with bytes."""
MAX_DEPTH = 200
"""The deepest nesting of elements, objects and lists."""


@dataclass(frozen=True, slots=True)
class Unwrap:
    """A place whose text is a document of its own."""

    path: str
    holds: Literal["xml", "json"]
    base64: bool = False
    empty_is_none: bool = False
    """True where a system answers an empty text when it has no rows."""


@dataclass(frozen=True, slots=True)
class ErrorSign:
    """A place that, when it holds something else than one of `ok`, says that the whole answer is an error."""

    path: str
    ok: tuple[str, ...] = ()
    text: str = ""
    """The path of the error's text, for people."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """From bytes to rows: the format, what to unwrap, where the rows are. Paths are those of the format at hand."""

    format: Format
    unwrap: tuple[Unwrap, ...] = ()
    within: str = ""
    each: str = ""
    beside: tuple[str, ...] = ()
    """Names of elements that may stand beside the rows; anything else there is a changed shape."""
    error: ErrorSign | None = None
    namespaces: tuple[tuple[str, str], ...] = ()
    charset: str = ""
    delimiter: str = ","
    quote: str = '"'
    max_bytes: int = MAX_BYTES
    sheet: str = ""
    """The name or number of a workbook's sheet; "" is the first."""
    header: int = 0
    """The row of a sheet that names the columns; 0 is the first that has something."""
    dataset: str = ""
    """The table of a .NET DataSet whose rows are read; then `within` is where the DataSet is, "" anywhere."""

    @property
    def holds(self) -> Format:
        """The format of the rows themselves, after all unwrapping."""
        return self.unwrap[-1].holds if self.unwrap else self.format
