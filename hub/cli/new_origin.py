"""Where `hub new source` learns from: what the command line says of it, and what each kind of origin has to give."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hub.cli.output import console, counted, print_json, refuse

if TYPE_CHECKING:
    from hub.scaffold.guess import Guesses
    from hub.scaffold.sample import Sample
    from hub.scaffold.service import Operation, RestOperation


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `hub new source` that say where its answer comes from."""

    name: str
    into: Path
    as_json: bool
    agency_name: str = ""
    timeout_s: float = 30.0
    sample: Path | None = None
    url: str | None = None
    operation: str | None = None
    call: bool = False
    arguments: Mapping[str, str] = field(default_factory=dict)
    username: str | None = None
    endpoint: str | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """An answer as it came, and how it is named in errors; `made_of` where nobody recorded it."""

    body: bytes = field(repr=False)
    told: str
    made_of: str = ""


class Origin(Protocol):
    """One kind of origin."""

    def recording(self) -> Recording | None:
        """The answer to learn from; None where all that was asked is what the origin offers, which is printed."""
        ...

    def section(self, sample: Sample, guesses: Guesses) -> str:
        """The entry of `sources` that reads the same place from now on."""
        ...


def read_sample(sample: Path | None, mend: str, *, as_json: bool) -> Recording:
    """The file named by `--sample`; without one exit status 1, with the mend."""
    if sample is None:
        refuse("no-sample", "there is nothing to learn from", mend, as_json=as_json)
    try:
        return Recording(sample.read_bytes(), str(sample))
    except OSError as error:
        said = f"cannot be read: {(error.strerror or 'an error').lower()}"
        refuse("unreadable-file", said, "check the path", str(sample), as_json=as_json)


def password(asked: Asked) -> str:
    """From the environment, so that it stands in no history of commands; without it exit status 1."""
    from hub.scaffold.source_files import variable

    wanted = f"{variable(asked.name)}_PASSWORD"
    found = os.environ.get(wanted)
    if found is None:
        said = f"--username needs a password: the environment variable {wanted} is not set"
        mend = f"set {wanted}; the source that is written takes it from there too"
        refuse("undefined-variable", said, mend, as_json=asked.as_json)
    return found


def offer(asked: Asked, operations: Sequence[Operation | RestOperation], option: str, place: str, note: str) -> None:
    """List what a description offers."""
    if asked.as_json:
        print_json({"ok": True, option: place, "operations": list(operations)})
        return
    out = console()
    for one in operations:
        out.print(f"{one}   ({one.place})", markup=False, soft_wrap=True)
    shown = operations[0].name if operations else "OPERATION"
    shown = f'"{shown}"' if " " in shown else shown
    out.print(f"{counted(len(operations), 'operation')}{note}; choose one:", markup=False)
    command = f"  hub new source {asked.name} --{option} {place} --operation {shown} --call"
    out.print(command, markup=False, soft_wrap=True)
