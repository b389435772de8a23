"""Text that a record may hold."""

from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from schemas.fields import clean_text


@pytest.mark.parametrize("text", ["", "plain", "Đường Phạm Hồng Thái", "hai\ndòng\tcột\r\n", "emoji 😀", "\u00a0"])
def test_takes_composed_text(text: str) -> None:
    assert clean_text(text) is text


@pytest.mark.parametrize("text", ["a\x00", "\x0b", "\x1f", "\x7f", "Đ\ufffe"])
def test_refuses_what_xml_or_a_database_cannot_carry(text: str) -> None:
    with pytest.raises(PydanticCustomError, match="control character"):
        clean_text(text)


def test_refuses_decomposed_text() -> None:
    with pytest.raises(PydanticCustomError, match="NFC"):
        clean_text("Tra\u0300 Vinh")
