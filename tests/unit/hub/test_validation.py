"""From pydantic's errors to problems: places, lines, mends, and no secret quoted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.paging import Start
from hub.validation import secret_places, validate
from hub.yaml_lines import parse
from schemas.errors import Problem


class Login(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["login"]
    token: str = "token"
    password: SecretStr


class Bearer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["bearer"]
    token: SecretStr


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    size: int = Field(1, ge=1, le=9)
    names: list[str] = []
    code: str | None = None
    auth: Annotated[Login | Bearer, Field(discriminator="type")] | None = None
    start: Start = None


def look(text: str) -> tuple[Settings | None, list[Problem]]:
    document = parse(text, "f.yaml")
    return validate(Settings, document.data, place=(), file="f.yaml", lines=document)


@pytest.mark.parametrize(
    ("text", "line", "message", "mend"),
    [
        ("names: [a]\nsiz: 2", 2, "siz is not a setting", "did you mean 'size'?"),
        ("size: 12", 1, "size: input should be less than or equal to 9 (found '12')", "of at most 9"),
        ("size: many", 1, "(found 'many')", "write a number"),
        ("names: a", 1, "names: input should be a valid list", "write a list"),
        ("names:\n- a\n- {b: 1}", 3, "names.1: ", "in quotes"),
        ("code: 5", 1, "code: ", "in quotes"),
        ("auth:\n  type: login\n  pasword: x", 3, "auth.pasword is not a setting", "did you mean 'password'?"),
        ("auth:\n  type: login", 1, "auth.password is missing", "add 'password:'"),
        ("auth: {type: basic}", 1, "auth: ", "correct"),
        (
            "start: 1/7/2025",
            1,
            "start: is no date or time of the calendar (found '1/7/2025')",
            "write a day like 2025-07",
        ),
        (
            "start: 2025-02-30",
            1,
            "start: is no date or time of the calendar",
            "or a time like 2025-07-01T08:30:00+07:00",
        ),
    ],
)
def test_a_problem_names_place_line_and_mend(text: str, line: int, message: str, mend: str) -> None:
    _, problems = look(text)
    matching = [problem for problem in problems if message in problem.message]
    assert matching, problems
    assert matching[0].line == line
    assert mend in matching[0].mend


def test_a_secret_is_never_quoted() -> None:
    _, problems = look("auth:\n  type: bearer\n  token: 987654")
    [problem] = problems
    assert "987654" not in str(problem)


def test_what_is_right_beside_a_mistake_can_still_be_used() -> None:
    found, problems = look("size: 3\ncode: 5\nnames: [a, {b: 1}, c, {d: 1}]\nmore: 1")
    assert len(problems) == 4
    assert found is not None
    assert (found.size, found.names) == (3, ["a", "c"])


def test_numbers_may_come_as_texts_even_where_the_model_is_strict() -> None:
    found, problems = look('size: "3"')
    assert problems == []
    assert found is not None
    assert found.size == 3


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"type": "login", "token": "t", "password": "p"}, [("auth", "password")]),
        ({"type": "bearer", "token": "t"}, [("auth", "token")]),
        (None, []),
    ],
)
def test_secrets_are_those_of_the_member_of_a_union_that_is_meant(auth: Any, expected: list[Any]) -> None:
    assert list(secret_places(Settings, {"auth": auth, "size": 1, "unknown": 1})) == expected
