"""The one thing that all path languages share: the error of a path that is none."""

from __future__ import annotations


class PathError(ValueError):
    """A path that cannot be used; `mend` says what to write."""

    def __init__(self, message: str, mend: str = "") -> None:
        self.mend = mend
        super().__init__(message)
