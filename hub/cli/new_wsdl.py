"""`hub new source --wsdl`: what a SOAP service offers, and a source from one of its operations."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.cli.new_origin import Asked, Recording, offer, password, read_sample
from hub.cli.output import progress, refuse, warn

if TYPE_CHECKING:
    from hub.scaffold.guess import Guesses
    from hub.scaffold.sample import Sample
    from hub.scaffold.service import Service


@dataclass(frozen=True)
class WsdlOrigin:
    """An operation of a WSDL."""

    asked: Asked
    wsdl: str

    @cached_property
    def service(self) -> Service:
        from hub.scaffold.service import describe

        auth = None if self.asked.username is None else (self.asked.username, password(self.asked))
        with progress("reading the WSDL"):
            return describe("wsdl", self.wsdl, timeout_s=self.asked.timeout_s, auth=auth)

    def recording(self) -> Recording | None:
        from mappings.notation import nearest

        asked, service = self.asked, self.service
        operation = asked.operation
        if operation is None:
            offer(asked, service.operations, "wsdl", self.wsdl, "")
            return None
        known = {one.name for one in service.operations}
        if operation not in known:
            said = f"the WSDL has no operation {operation!r}"
            refuse("unknown-operation", said, nearest(operation, known), as_json=asked.as_json)
        taken = {one.name for found in service.operations if found.name == operation for one in found.arguments}
        for name in asked.arguments.keys() - taken:
            said = f"--argument {name}: {operation} has no such argument"
            refuse("wrong-argument", said, nearest(name, taken), as_json=asked.as_json)
        if asked.call and asked.sample is None:
            endpoint = asked.endpoint
            if endpoint is None and (caution := service.caution(operation)) is not None:
                warn(caution)
            with progress(f"calling {operation}"):
                body = service.call(operation, asked.arguments, timeout_s=asked.timeout_s, endpoint=endpoint)
            return Recording(body, f"{operation}.xml")
        mend = "name a file by --sample, or let --call ask the service"
        return read_sample(asked.sample, mend, as_json=asked.as_json)

    def section(self, sample: Sample, guesses: Guesses) -> str:
        from hub.scaffold.soap_arguments import since_and_page
        from hub.scaffold.source_files import mapping_name, soap_section, variable

        asked, media = self.asked, sample.place.spec.format
        if media != "xml":
            mend = "give the envelope as it came"
            said = f"the answer of a SOAP service is XML, this is {media}"
            refuse("wrong-sample", said, mend, as_json=asked.as_json)
        described = next(one for one in self.service.operations if one.name == asked.operation)
        settings: dict[str, Any] = {"wsdl": _beside(self.wsdl, asked.into), "operation": described.name}
        settings |= self.service.settings(described.name)
        settings |= {} if asked.endpoint is None else {"endpoint": asked.endpoint}
        settings |= since_and_page(described, asked.arguments, guesses)
        constants = settings.get("arguments", {})
        values = {one: self.service.value(described.name, one, text) for one, text in constants.items()}
        settings |= {"arguments": values}
        if asked.username is not None:
            settings |= {"username": asked.username, "password": f"${{{variable(asked.name)}_PASSWORD}}"}
        mapping = mapping_name(asked.name, guesses.kind)
        return soap_section(asked.name, mapping, settings, sample, guesses, agency_name=asked.agency_name)


def _beside(wsdl: str, into: Path) -> str:
    """A file as the configuration names it, relative to its own folder; an address as it is."""
    return wsdl if "://" in wsdl else os.path.relpath(Path(wsdl).resolve(), into.parent.resolve())
