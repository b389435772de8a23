"""XML that wants to harm, and XML that is only broken, is refused with its place; what is sound is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.decode import xml
from mappings.decode.source import MAX_BYTES, MAX_DEPTH
from schemas.errors import UndecodableError

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + b"".join(
        b'<!ENTITY lol%d "%s">' % (n, b"&lol%s;" % (str(n - 1).encode() if n > 1 else b"") * 10) for n in range(1, 10)
    )
    + b"]><lolz>&lol9;</lolz>"
)


def refused(body: bytes, charset: str | None = None) -> str:
    with pytest.raises(UndecodableError) as caught:
        xml.parse(body, charset, limit=MAX_BYTES)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"", "the body is empty (0 bytes)", id="empty"),
        pytest.param(b" \n\t ", "the body is empty (4 bytes)", id="blank"),
        pytest.param(b"\xef\xbb\xbf", "the body is empty (3 bytes)", id="only a byte order mark"),
        pytest.param(b"<a><b></a>", "line 1, column 11", id="crossed"),
        pytest.param(b"<a>\n<b>x", "not well-formed XML: ", id="truncated"),
        pytest.param(b"not xml", "not well-formed XML: ", id="text"),
        pytest.param(b"<a/><b/>", "not well-formed XML: ", id="two roots"),
        pytest.param(
            b"<br />\n<b>Warning</b>: no key in <b>a.php</b><br />\n<?xml version='1.0'?><a/>",
            "not well-formed XML: before it stands 'Warning : no key in a.php'",
            id="after a warning",
        ),
        pytest.param(b"Notice: x\n<?xml version='1.0'?><a/>", "before it stands 'Notice: x'", id="after a notice"),
        pytest.param(b"<a><?xml version='1.0'?></a>", "line 1, column ", id="a declaration inside"),
        pytest.param(b"<a>\x00</a>", "a NUL character at line 1, column 4", id="NUL"),
        pytest.param(
            b"<a>\n\xff\xfe</a>", "byte 5 (line 2, byte 1 of it) is not valid in the encoding utf-8", id="not UTF-8"
        ),
        pytest.param(b"<a>\xc3</a>", "byte 4 (line 1, byte 4 of it)", id="half a character"),
        pytest.param(b"<a>&unknown;</a>", "'unknown' not defined", id="undeclared entity"),
        pytest.param(b"<x:a/>", "Namespace prefix x", id="undeclared prefix"),
        pytest.param(b"<a b='1' b='2'/>", "Attribute b redefined", id="attribute twice"),
    ],
)
def test_broken_is_refused_with_its_place(body: bytes, said: str) -> None:
    assert said in refused(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<!DOCTYPE a><a/>", id="bare"),
        pytest.param(
            b'<?xml version="1.0"?>\n<!-- \xe1\xba\xa1 -->\n<?x y?> <!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>',
            id="external",
        ),
        pytest.param(b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', id="external entity"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/p"> %p;]><a/>', id="parameter entity"),
        pytest.param(LAUGHS, id="billion laughs"),
        pytest.param('<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'.encode("utf-16"), id="hidden in UTF-16"),
        pytest.param('<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'.encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param(b"\xef\xbb\xbf  <!doctype a><a/>", id="after a byte order mark and blanks"),
    ],
)
def test_every_document_type_is_refused_before_parsing(body: bytes) -> None:
    assert "DOCTYPE" in refused(body)


def test_a_document_type_is_told_with_its_line() -> None:
    assert "at line 3, column 2" in refused("<!-- ạ -->\n\n <!DOCTYPE a><a/>".encode())


def test_a_web_page_is_told_as_one() -> None:
    assert "a web page" in refused(b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>")


def test_the_name_of_a_document_type_in_text_is_harmless() -> None:
    assert xml.parse(b"<a><![CDATA[<!DOCTYPE x>]]></a>", None, limit=MAX_BYTES).text == "<!DOCTYPE x>"


def test_an_external_file_is_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden", encoding="utf-8")
    body = f'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{secret}" parse="text"/></a>'
    assert "hidden" not in "".join(map(str, xml.parse(body.encode(), None, limit=MAX_BYTES).itertext()))


def test_nesting_has_a_limit() -> None:
    deep = b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH
    assert xml.parse(deep, None, limit=MAX_BYTES) is not None
    for depth in (MAX_DEPTH + 1, 255, 2_000, 200_000):
        assert "nested deeper than 200 elements" in refused(b"<a>" * depth + b"</a>" * depth)


def test_size_has_a_limit() -> None:
    with pytest.raises(UndecodableError, match="has 1,001 bytes, at most 1,000 are read"):
        xml.parse(b"<a>" + b"x" * 994 + b"</a>", None, limit=1_000)


def test_the_number_of_elements_has_a_limit() -> None:
    assert "more than 2,000,000 tags" in refused(b"<a>" + b"<b/>" * 2_000_000 + b"</a>")


def test_a_text_above_ten_megabytes_is_read() -> None:
    assert len(xml.parse(b"<a>" + b"x" * 11_000_000 + b"</a>", None, limit=MAX_BYTES).text or "") == 11_000_000


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ("<a>ạ</a>".encode(), None),
        ("<a>ạ</a>".encode("utf-8-sig"), None),
        ("<a>ạ</a>".encode("utf-8-sig"), "iso-8859-1"),
        ("<a>ạ</a>".encode("utf-16"), None),
        ("<a>ạ</a>".encode("utf-16-be"), None),
        ('<?xml version="1.0" encoding="utf-16"?><a>ạ</a>'.encode(), None),
        ('\n<?xml version="1.0" encoding="UTF-8"?><a>ạ</a>'.encode(), None),
    ],
)
def test_encodings_are_known_by_mark_declaration_and_shape(body: bytes, charset: str | None) -> None:
    assert xml.parse(body, charset, limit=MAX_BYTES).text == "ạ"


def test_the_declared_encoding_is_believed_unless_the_transport_knows_better() -> None:
    body = '<?xml version="1.0" encoding="windows-1252"?><a>é</a>'.encode("cp1252")
    assert xml.parse(body, None, limit=MAX_BYTES).text == "é"
    assert "not valid in the encoding utf-8" in refused(body, "utf-8")


@pytest.mark.parametrize("charset", ["utf-7", "rot13", "x-viet-tcvn", "idna", "\x00", "u" * 100, "bz2"])
def test_an_encoding_that_is_not_read_is_named(charset: str) -> None:
    assert "which is not read here" in refused(b"<a/>", charset)


def test_comments_and_instructions_do_not_split_a_text() -> None:
    assert xml.parse(b"<a>one <!-- x -->two <?y z?>three</a>", None, limit=MAX_BYTES).text == "one two three"
