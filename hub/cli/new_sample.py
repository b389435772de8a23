"""`hub new source --sample FILE`: a drop folder, or with `--url` an address, from one recorded answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.cli.new_origin import Asked, Recording, read_sample
from hub.cli.output import refuse

if TYPE_CHECKING:
    from hub.scaffold.guess import Guesses
    from hub.scaffold.sample import Sample


@dataclass(frozen=True, slots=True)
class SampleOrigin:
    """A file that somebody recorded."""

    asked: Asked

    def recording(self) -> Recording:
        mend = "name a file by --sample, a service by --wsdl or --openapi, or a database by --sql"
        return read_sample(self.asked.sample, mend, as_json=self.asked.as_json)

    def section(self, sample: Sample, guesses: Guesses) -> str:
        from hub.scaffold.source_files import files_section, mapping_name, rest_section

        asked, media = self.asked, sample.place.spec.format
        mapping = mapping_name(asked.name, guesses.kind)
        if asked.url is None:
            return files_section(asked.name, mapping, media, agency_name=asked.agency_name)
        plain_json(sample, "leave --url out; what is no plain JSON is read from a drop folder or over SOAP", asked)
        return rest_section(asked.name, mapping, asked.url, sample, guesses, agency_name=asked.agency_name)


def plain_json(sample: Sample, mend: str, asked: Asked) -> None:
    """Exit status 1 where the adapter `rest` could not read such an answer."""
    media = sample.place.spec.format
    if media != "json" or sample.place.spec.unwrap:
        said = f"the adapter rest reads plain JSON, this is {media}"
        refuse("wrong-sample", said, mend, as_json=asked.as_json)
