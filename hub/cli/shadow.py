"""`hub shadow`: what a changed mapping would make otherwise of everything that was recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson, LedgerOption, Reveal
from hub.cli.output import guarded, print_json, progress, refuse, warn
from hub.cli.since import Since, Until, since, until

if TYPE_CHECKING:
    from hub.ledger.read import Reader
    from hub.ledger.recorded import RecordedFilter
    from hub.shadow import Tally, Version

EXAMPLE = "Example: hub shadow one-stop-csv/dossier new/dossier.yaml --limit 200"

_USUAL = 1000


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is compared, by source, and where the ledger is."""

    versions: dict[str, tuple[Version, Version]]
    names: tuple[str, str]


@guarded
def shadow(
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="The mapping in force, a name or file; or a configuration's folder.")
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The changed one, likewise.")],
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="NAME", help="Only what came from this source; may be given several times."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help=f"At most so many pages, the newest; {_USUAL:,} unless --since is given.",
        ),
    ] = None,
    since_: Since = None,
    until_: Until = None,
    agencies: Annotated[
        Path | None,
        typer.Option("--agencies", metavar="FILE", help="The register, instead of that of the configuration."),
    ] = None,
    fail_on_difference: Annotated[
        bool, typer.Option("--fail-on-difference", help="Exit status 1 if anything comes out otherwise.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="HUB_CONFIG",
            metavar="FILE",
            help="The configuration: its ledger, register and sources. By default hub.yaml here, or that of OLD.",
        ),
    ] = None,
    ledger: LedgerOption = None,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Run the recorded arrivals through two versions of a mapping and count what differs, field by field.

    Reads the ledger only, and changes nothing; the same page that came several times counts once. Exit status 0 when it
    was compared, whatever came out, unless --fail-on-difference is given.
    """
    from hub.cli import shadow_show
    from hub.cli.masking import Mask
    from hub.ledger.read import open_reader
    from hub.ledger.recorded import RecordedFilter
    from hub.settings import locate_ledger
    from hub.shadow import Tally

    begin, end = since(since_), until(until_)
    by_folder = Path(old).is_dir() and Path(new).is_dir()
    file = config or (Path(old) / DEFAULT_CONFIG.name if by_folder else DEFAULT_CONFIG)
    tally, seen = Tally(), Counter[str]()
    with open_reader(locate_ledger(file, ledger)) as reader:
        if by_folder:
            asked = _configurations(Path(old), Path(new), agencies)
        else:
            asked = _mappings(old, new, file, agencies, reader, source, as_json=as_json)
        chosen = [name for name in asked.versions if source is None or name in source]
        _known(source, asked, reader, as_json=as_json)
        wanted = RecordedFilter(chosen, begin, end, limit or (None if begin else _USUAL))
        span = _run(reader, wanted, asked, tally, seen)
    differs = tally.differs
    if as_json:
        told = shadow_show.as_json(tally, Mask([], reveal=reveal))
        counts = {"sources": chosen, "pages": tally.pages, "repeats": seen["repeats"], "pruned": seen["pruned"]}
        ok = not (differs and fail_on_difference)
        print_json({"ok": ok, "old": old, "new": new, "differs": differs, **counts, "span": span, **told})
    else:
        shadow_show.show(asked.names, chosen, tally, seen, span, Mask([], reveal=reveal))
    raise typer.Exit(1 if differs and fail_on_difference else 0)


def _run(
    reader: Reader, wanted: RecordedFilter, asked: _Asked, tally: Tally, seen: Counter[str]
) -> tuple[datetime, datetime] | None:
    """Compare page by page; the times of the oldest and the newest page."""
    from hub.shadow import Page, compare

    oldest: datetime | None = None
    newest: datetime | None = None
    with progress("comparing") as steps:
        for number, one in enumerate(reader.recorded(wanted), 1):
            steps.say(f"page {number:,}, {tally.rows:,} rows")
            seen["repeats"] += one.times - 1
            if one.body is None:
                seen["pruned"] += 1
                continue
            oldest = one.received_at if oldest is None else min(oldest, one.received_at)
            newest = one.received_at if newest is None else max(newest, one.received_at)
            compare(Page(one.id, one.label, one.charset, one.body), *asked.versions[one.source], tally)
    return None if oldest is None or newest is None else (oldest, newest)


# --- what is compared -------------------------------------------------------------------------------------------------


def _known(source: list[str] | None, asked: _Asked, reader: Reader, *, as_json: bool) -> None:
    """Refuse a source that nothing is known of."""
    from mappings.notation import nearest

    there = reader.recorded_sources()
    for name in source or ():
        if name not in there:
            refuse(
                "unknown-source", f"nothing was recorded of a source {name!r}", nearest(name, there), as_json=as_json
            )
        if name not in asked.versions:
            mend = "compare two mappings, or add the source"
            refuse("unknown-source", f"not both configurations have the source {name!r}", mend, as_json=as_json)


def _mappings(
    old: str,
    new: str,
    file: Path,
    agencies: Path | None,
    reader: Reader,
    source: list[str] | None,
    *,
    as_json: bool,
) -> _Asked:
    """Two mappings. Raises: ConfigError, also for one of the other direction or for another kind."""
    from hub.shadow import Version
    from mappings.inbound import InboundMapping
    from mappings.load import load
    from schemas.errors import ConfigError, Problem

    folders = (file.parent / "mappings", file.parent, Path("mappings"), Path())
    loaded: list[InboundMapping] = []
    for name in (old, new):
        if Path(name).is_dir():
            mend = "name two mappings, or two folders that have a hub.yaml"
            raise ConfigError([Problem("unlike", f"{name} is a folder, the other is none", mend)])
        one = load(name, folders=folders)
        if not isinstance(one, InboundMapping):
            said, mend = f"{name} leads from a record to a portal", "name one that reads: it has 'to: <kind>'"
            raise ConfigError([Problem("wrong-direction", said, mend)])
        loaded.append(one)
    was, now = loaded
    if was.kind != now.kind:
        said = f"{old} makes {was.kind}, and {new} makes {now.kind}"
        raise ConfigError([Problem("wrong-kind", said, "compare two that make the same kind")])
    registers = _registers(file, agencies)
    chosen = source or _readers(file, {was.name, now.name}, folders)
    if not chosen:
        there = reader.recorded_sources()
        if len(there) != 1:
            said = f"no source of {file} reads with {was.name}"
            refuse("which-source", said, f"say --source: {', '.join(there) or 'nothing is recorded'}", as_json=as_json)
        chosen = there
    if not len(registers.agencies) and any("agency" in one.made_by for mapping in loaded for one in mapping.fields):
        warn("the register of agencies is empty: --agencies FILE names one")
    versions = (Version([was], *registers), Version([now], *registers))
    return _Asked(dict.fromkeys(chosen, versions), (old, new))


def _readers(file: Path, names: set[str], folders: tuple[Path, ...]) -> list[str]:
    """The sources of a configuration that read with a mapping of one of these names."""
    from hub.named_mappings import by_source
    from hub.yaml_lines import read
    from mappings.load import find
    from schemas.errors import ConfigError

    if not file.is_file():
        return []
    found = []
    for source, listed in by_source(read(file)).items():
        for name in listed:
            try:
                known = find(name, folders)[1]
            except ConfigError:
                continue
            if known in names:
                found.append(source)
                break
    return found


def _configurations(old: Path, new: Path, agencies: Path | None) -> _Asked:
    """Two folders. Raises: ConfigError where a configuration or one of its mappings cannot be used."""
    from hub.shadow import Version

    read = [(_sources(folder), _registers(folder / DEFAULT_CONFIG.name, agencies)) for folder in (old, new)]
    (was, old_registers), (now, new_registers) = read
    versions = {
        name: (Version(was[name], *old_registers), Version(now[name], *new_registers)) for name in was if name in now
    }
    for name in was.keys() ^ now.keys():
        warn(f"the source {name} is in {old if name in was else new} only, and is left out")
    return _Asked(versions, (str(old), str(new)))


def _sources(folder: Path) -> dict[str, list[Any]]:
    from hub.named_mappings import by_source
    from hub.yaml_lines import read
    from mappings.inbound import InboundMapping
    from mappings.load import load
    from schemas.errors import ConfigError, Problem

    folders = (folder / "mappings", folder)
    problems: list[Problem] = []
    found: dict[str, list[Any]] = {}
    for source, names in by_source(read(folder / DEFAULT_CONFIG.name)).items():
        found[source] = []
        for name in names:
            try:
                one = load(name, folders=folders)
            except ConfigError as error:
                problems += error.problems
                continue
            if isinstance(one, InboundMapping):
                found[source].append(one)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return found


def _registers(file: Path, agencies: Path | None) -> Any:
    """The register of `--agencies`, and else those of a configuration, else empty ones. Raises: ConfigError."""
    from hub.draft import read_agencies
    from hub.registers.stored import registers_at

    known = registers_at(file)
    return known if agencies is None else known._replace(agencies=read_agencies(agencies))
