"""What a system or a portal does not have: said with the reason, so that no test is left out without a word.

A test that only some systems can be put to says what it needs, `@needs("pages")`. A class that is collected says what
its system lacks, `lacks = {"pages": "the folder is read whole"}`; the tests that need it are then not collected at
all, and the reason stands at the end of the run. A word that no test needs is refused when the class is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])

LEFT_OUT: dict[tuple[str, str], str] = {}
"""By class and word: the reason, of every class that was made in this run."""
_NEEDS = "hub_contract_needs"


def needs(what: str) -> Callable[[Test], Test]:
    """Mark a test: it is held only against what has this."""

    def marked(test: Test) -> Test:
        setattr(test, _NEEDS, what)
        return test

    return marked


def leave_out(cls: type, lacks: dict[str, str]) -> None:
    """Take out of a class the tests that need what it lacks. Raises: TypeError for a word without tests or reason."""
    wanted = dict(_wanted(cls))
    for word, why in lacks.items():
        if word not in wanted.values():
            known = needed(cls)
            near = get_close_matches(word, known, 1)
            mend = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise TypeError(f"{cls.__name__}.lacks: no test needs {word!r}; {mend}")
        if not why.strip():
            raise TypeError(f"{cls.__name__}.lacks: say why {word!r} is lacking")
        LEFT_OUT[cls.__name__, word] = why
    for name, word in wanted.items():
        if word in lacks:
            setattr(cls, name, None)


def needed(cls: type) -> list[str]:
    """The words that tests of a contract need, for `lacks`."""
    return sorted({word for _, word in _wanted(cls)})


def _wanted(cls: type) -> Iterator[tuple[str, str]]:
    for name in dir(cls):
        word = getattr(getattr(cls, name, None), _NEEDS, None)
        if isinstance(word, str):
            yield name, word
