"""`hub test`: the tests that stand beside the mappings of a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import DEFAULT_CONFIG, AsJson
from hub.cli.output import console, counted, guarded, print_json, progress

if TYPE_CHECKING:
    from rich.console import Console

    from hub.named_mappings import Named, Project
    from mappings.testing import CaseResult, Difference
    from schemas.errors import Problem

EXAMPLE = "Example: hub test hub.yaml --mapping cau-ngang/step"


@guarded
def run_tests(
    config: Annotated[
        Path,
        typer.Argument(
            envvar="HUB_CONFIG", metavar="CONFIG", help="The configuration file, or its folder.", show_default=True
        ),
    ] = DEFAULT_CONFIG,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--mapping", metavar="NAME", help="Only this one, a name or a file; may be given several times."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the `_test.yaml` beside every mapping that the configuration names or that lies in its folder `mappings`.

    Says of each failing case what was expected and what came. A mapping without a test is a failure too. Nothing is
    masked, and nothing is connected to. Exit status 0 only when every case passed.
    """
    from hub.named_mappings import Project, project

    with progress("running the tests") as steps:
        # What is named as a file needs no configuration around it.
        alone = mapping and not config.exists() and all(Path(one).is_file() for one in mapping)
        made = Project(Path(), None) if alone else project(config)
        found, problems = _chosen(made, mapping)
        results: list[CaseResult] = []
        for number, one in enumerate(found):
            steps.say(one.name, number, len(found))
            ran, wrong = _run(one, made)
            results += ran
            problems += wrong
    failed = [one for one in results if not one.ok]
    ok = not failed and not problems and bool(found)
    if as_json:
        told = {"mappings": len(found), "cases": len(results), "passed": len(results) - len(failed)}
        cases = [_as_json(one) for one in results]
        print_json({"ok": ok, **told, "failed": len(failed), "problems": problems, "results": cases})
        raise typer.Exit(0 if ok else 1)
    out = console()
    for result in failed:
        _show(result, out)
    for problem in problems:
        out.print("[red]error[/]: ", end="")
        out.print(str(problem), markup=False, soft_wrap=True)
    line = f"{counted(len(found), 'mapping')}, {counted(len(results), 'case')}: {len(results) - len(failed)} passed"
    line += f", {len(failed)} failed"
    if problems:
        line += f", {counted(len(problems), 'other problem')}"
    if not found and not problems:
        line = f"{config}: there is no mapping here; name one in the configuration, or put one into mappings/"
    out.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(0 if ok else 1)


def _chosen(made: Project, wanted: list[str] | None) -> tuple[list[Named], list[Problem]]:
    """Which mappings to test, and what is wrong with names. Raises: ConfigError for one asked for that is not there."""
    from hub.named_mappings import Named, of_project
    from mappings.load import find

    if not wanted:
        return of_project(made)
    found: dict[Path, Named] = {}
    for name in wanted:
        path, known = find(name, made.folders)
        found.setdefault(path.resolve(), Named(known, path))
    return list(found.values()), []


def _run(one: Named, made: Project) -> tuple[list[CaseResult], list[Problem]]:
    """The results of one mapping's test, or why there are none."""
    from mappings.load import load
    from mappings.testing import place_of_test, run
    from schemas.errors import ConfigError, Problem

    test = place_of_test(one.file)
    try:
        if test.is_file():
            return run(test, folders=made.folders), []
        load(one.file, folders=made.folders)
    except ConfigError as error:
        return [], error.problems
    mend = f"write {test.name} beside it; docs/mapping.md, Tests, has an example"
    return [], [Problem("no-test", "the mapping has no test", mend, str(one.file))]


def _as_json(result: CaseResult) -> dict[str, Any]:
    told = [
        {
            "row": one.row,
            "field": one.field,
            "expected": one.expected,
            "got": one.got,
            "said": one.said,
            "refusals": [_refusal(refused) for refused in one.refusals],
        }
        for one in result.differences
    ]
    where = {"file": result.file, "line": result.line, "name": result.name}
    return {**where, "ok": result.ok, "differences": told}


def _refusal(refused: Any) -> dict[str, Any]:
    return {name: getattr(refused, name) for name in ("field", "reason", "path", "value", "verdict")}


def _show(result: CaseResult, out: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    out.print(Text(f"failed  {result.file}:{result.line}: {result.name}", style="bold red"), soft_wrap=True)
    row: int | None = None
    for one in result.differences:
        if one.row is not None and one.row != row:
            out.print(Text(f"  row {one.row}", style="bold"))
            row = one.row
        if one.field is None or one.refusals:
            out.print(Text(f"    {one.said.split(': ')[0] if one.refusals else one.said}"), soft_wrap=True)
            for refused in one.refusals:
                where = f" at {refused.path}" if refused.path else ""
                value = f" (found {refused.value!r})" if refused.value is not None else ""
                out.print(Text(f"      {refused.field}: {refused.reason}{where}{value}", style="red"), soft_wrap=True)
            continue
        grid = Table.grid(padding=(0, 2))
        grid.add_row(f"    {one.field}", "expected", Text(_value(one.expected), style="green", overflow="fold"))
        grid.add_row("", "got", Text(_value(one.got) + _why(one), style="red", overflow="fold"))
        out.print(grid)
    out.print()


def _value(value: Any) -> str:
    return "nothing" if value is None else repr(value)


def _why(one: Difference) -> str:
    """What two values that look alike differ in."""
    from unicodedata import normalize

    if isinstance(one.expected, str) and isinstance(one.got, str):
        if normalize("NFC", one.expected) == normalize("NFC", one.got):
            return "  (the same letters, composed otherwise: save the test in NFC)"
    elif str(one.expected) == str(one.got):
        return f"  ({_kind(one.got)}, not {_kind(one.expected)})"
    return ""


def _kind(value: Any) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", type(None): "nothing"}
    return names.get(type(value), "a list" if isinstance(value, list) else "a mapping")
