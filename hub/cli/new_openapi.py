"""`hub new source --openapi`: what a described REST service offers, and a source from one of its addresses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hub.cli.new_origin import Asked, Recording, offer, password, read_sample
from hub.cli.new_sample import plain_json
from hub.cli.output import progress, refuse

if TYPE_CHECKING:
    from hub.scaffold.guess import Guesses
    from hub.scaffold.sample import Sample
    from hub.scaffold.service import LogIn, Request, RestOperation, RestService

_WEB = ("http", "https")


@dataclass(frozen=True)
class OpenApiOrigin:
    """An address that an OpenAPI file describes."""

    asked: Asked
    openapi: str

    @cached_property
    def service(self) -> RestService:
        from hub.scaffold.service import describe_rest

        auth = None if self.asked.username is None else (self.asked.username, password(self.asked))
        with progress("reading the OpenAPI file"):
            return describe_rest(self.openapi, timeout_s=self.asked.timeout_s, auth=auth)

    @cached_property
    def operation(self) -> RestOperation:
        from mappings.notation import nearest
        from schemas.errors import ConfigError, Problem

        wanted = self.asked.operation or ""
        found = next((one for one in self.service.operations if wanted in (one.name, one.place)), None)
        if found is None:
            known = [name for one in self.service.operations for name in {one.name, one.place}]
            said = f"the description has no operation {wanted!r} that is a GET"
            raise ConfigError([Problem("unknown-operation", said, nearest(wanted, known), self.openapi)])
        return found

    @cached_property
    def request(self) -> Request:
        from hub.scaffold.rest_section import request

        return request(self.operation, self.asked.arguments, self.openapi)

    @cached_property
    def answer(self) -> Recording:
        asked = self.asked
        if asked.sample is not None:
            return read_sample(asked.sample, "", as_json=asked.as_json)
        if asked.call:
            base, log_in = self._base(), self._log_in()
            with progress(f"asking {base}{self.request.path}"):
                body = self.service.call(base, self.request, log_in, timeout_s=asked.timeout_s)
            return Recording(body, f"{self.operation.place}.json")
        shown = self.service.sample(self.operation.name)
        if shown is None:
            mend = "name a recorded answer by --sample, or let --call ask the service"
            said = f"the description shows no answer of {self.operation.name} in JSON"
            refuse("no-sample", said, mend, self.openapi, as_json=asked.as_json)
        return Recording(shown[0], f"{self.operation.name}.json", made_of=shown[1])

    def recording(self) -> Recording | None:
        if self.asked.operation is None:
            left = self.service.left_out
            note = f" ({left} more that are no GET are left out)" if left else ""
            offer(self.asked, self.service.operations, "openapi", self.openapi, note)
            return None
        # What is asked wrongly is said before anybody is asked.
        _ = self.request, self._base()
        return self.answer

    def section(self, sample: Sample, guesses: Guesses) -> str:
        from hub.scaffold.rest_section import described_section
        from hub.scaffold.source_files import mapping_name, variable

        asked = self.asked
        plain_json(sample, "leave --openapi out; what is no plain JSON is read from a drop folder or over SOAP", asked)
        if sample.place.spec.each == ".":
            said = f"the answer has one object at {sample.place.path}, and the adapter rest reads lists of rows"
            mend = "choose an operation that gives a list; details of one dossier cannot be polled"
            refuse("wrong-sample", said, mend, as_json=asked.as_json)
        log_in = self._log_in()
        begins = variable(asked.name)
        auth = None
        if log_in.username is not None:
            auth = {"type": "basic", "username": log_in.username, "password": f"${{{begins}_PASSWORD}}"}
        elif log_in.token is not None:
            auth = {"type": "bearer", "token": f"${{{begins}_TOKEN}}"}
        return described_section(
            asked.name,
            mapping_name(asked.name, guesses.kind),
            self._base(),
            self.operation,
            asked.arguments,
            self.request,
            self.service.schemes,
            auth,
            self.answer.body,
            sample,
            guesses,
            agency_name=asked.agency_name,
            made_of=self.answer.made_of,
        )

    def _base(self) -> str:
        """The address below which everything is: as told, else as described. Nobody else gets the password."""
        from schemas.errors import ConfigError, Problem

        asked = self.asked
        if asked.url is not None:
            if not _is_base(asked.url):
                mend = "write an address like https://motcua.example.vn/api"
                refuse("wrong-value", f"--url {asked.url}: is no base address", mend, as_json=asked.as_json)
            return asked.url.rstrip("/")
        if not self.service.base:
            mend = "say by --url below which address it is, such as --url https://motcua.example.vn/api"
            said = "the description does not say where the service is"
            raise ConfigError([Problem("no-address", said, mend, self.openapi)])
        here, there = urlsplit(self.openapi), urlsplit(self.service.base)
        known = self._log_in()
        secret = known.username is not None or known.token is not None
        if asked.call and secret and here.scheme in _WEB and here.hostname != there.hostname:
            said = f"the description lies on {here.hostname} and names {there.hostname}, which would get the log-in"
            mend = f"say that it is meant: --url {self.service.base}"
            raise ConfigError([Problem("other-host", said, mend, self.openapi)])
        return self.service.base

    def _log_in(self) -> LogIn:
        """Who asks: `--username` with its password, else the token of the environment, else nobody."""
        from hub.scaffold.service import LogIn
        from hub.scaffold.source_files import variable

        if self.asked.username is not None:
            return LogIn(self.asked.username, password(self.asked))
        return LogIn(token=os.environ.get(f"{variable(self.asked.name)}_TOKEN") or None)


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that hold no address
        return False
    return parts.scheme in _WEB and bool(parts.hostname) and not parts.query and not parts.fragment
