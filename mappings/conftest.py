"""Lets pytest collect the catalogue: every case of a `_test.yaml` is a test, and so is that a mapping has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mappings.load import TABLES
from mappings.testing import SUFFIX, CaseResult, place_of_test, run


class _Unexpected(Exception):  # noqa: N818 - never seen: it carries the text of a failed case to the report
    pass


class _Test(pytest.Item):
    """One test of the catalogue; `problems` is what is wrong, nothing where nothing is."""

    def __init__(self, *, problems: tuple[str, ...], line: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.problems, self.line = problems, line

    def runtest(self) -> None:
        if self.problems:
            raise _Unexpected("\n".join(self.problems))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, _Unexpected):
            return f"{self.path}:{self.line}: {self.name}\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.line - 1, self.name


class _Cases(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        for result in run(self.path):
            yield self.test(result)

    def test(self, result: CaseResult) -> pytest.Item:
        return _Test.from_parent(self, name=result.name, problems=result.problems, line=result.line)


class _Mapping(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        test = place_of_test(self.path)
        problems = () if test.is_file() else (f"the mapping has no test: write {test.name} beside it",)
        yield _Test.from_parent(self, name="has a test", problems=problems, line=1)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect every YAML file below this folder that is a mapping or the test of one."""
    if file_path.suffix != ".yaml" or TABLES in file_path.parts:
        return None
    return (_Cases if file_path.stem.endswith(SUFFIX) else _Mapping).from_parent(parent, path=file_path)
