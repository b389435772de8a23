"""What a configuration says of registers, held against what its mappings and its adapters need and can do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hub.draft import Draft
from hub.registers.keeping import no_catalogues
from mappings.inbound import InboundMapping
from mappings.outbound import OutboundMapping
from schemas.errors import Problem


def register_problems(
    made: Draft,
    adapters: Mapping[tuple[str, str], tuple[type[Any], Any]],
    inbound: Mapping[str, Sequence[tuple[str, InboundMapping]]],
    outbound: Mapping[tuple[str, str], OutboundMapping],
) -> Iterator[Problem]:
    """A portal that shows no catalogues, and look-ups in a register that there is not."""
    section = made.registers
    if section is not None:
        adapter, _ = adapters.get(("destinations", section.source), (None, None))
        if adapter is not None and not hasattr(adapter, "catalogue"):
            found = no_catalogues(section, made.destinations[section.source].adapter)
            yield made.located(found.rule, found.message, found.mend, ("registers", "from"))
    if _procedures(made):
        return
    mend = "add 'procedures: procedures.yaml', or 'registers: {from: …}'; or say `register: optional` in the mapping"
    for name, mappings in inbound.items():
        for written, mapping in mappings:
            if "procedures" in mapping.requires:
                said = f"sources.{name}: {written} looks procedures up, and none are registered"
                place = ("sources", name, "mappings", made.sources[name].mappings.index(written))
                yield made.located("no-register", said, mend, place)
    for (name, kind), out in outbound.items():
        if "procedures" in out.requires:
            said = f"destinations.{name}: {out.name} looks procedures up, and none are registered"
            yield made.located("no-register", said, mend, ("destinations", name, "mappings", kind))


def register_warnings(made: Draft, inbound: Mapping[str, Sequence[tuple[str, InboundMapping]]]) -> Iterator[Problem]:
    """A register that dossiers are not held against: a wrong code is then found out by the portal."""
    if not _procedures(made):
        return
    for name, mappings in inbound.items():
        for written, mapping in mappings:
            looked = [field for field in mapping.fields if field.name == "procedure_code"]
            if looked and "procedure" not in looked[0].made_by:
                said = f"sources.{name}: {written} does not look procedure_code up in the register of procedures"
                place = ("sources", name, "mappings", made.sources[name].mappings.index(written))
                yield made.located("procedure-unchecked", said, "add `procedure: code` to procedure_code", place)


def _procedures(made: Draft) -> bool:
    """Whether procedures are registered, or will be; also where the file could not be read, which was said already."""
    taken = made.registers is not None and "procedures" in made.registers.take
    return taken or made.procedures is None or len(made.procedures) > 0
