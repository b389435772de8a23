"""The exception by which a value is refused inside a mapping; the mapping adds field and path and makes it public."""

from __future__ import annotations

from typing import Literal


class RefusalError(Exception):
    """A value cannot become what its field wants.

    `found` is the value at fault where it is not the one that was read; `park` says that a mapping, table or register
    has to grow, `reject` that the sender has to mend it.
    """

    def __init__(
        self, reason: str, *, verdict: Literal["reject", "park"] = "reject", found: object = None, path: str = ""
    ) -> None:
        self.reason, self.verdict, self.found, self.path = reason, verdict, found, path
        super().__init__(reason)


class MootError(RefusalError):
    """A value that cannot be judged because another one, that it depends on, is missing or refused."""
