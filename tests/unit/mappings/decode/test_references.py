"""References in SOAP envelopes become copies; hostile ones are refused within fixed memory."""

from __future__ import annotations

import pytest
from lxml import etree

from mappings.decode import xml
from schemas.errors import UndecodableError

OLD, NEW = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
ENCODING12 = "http://www.w3.org/2003/05/soap-encoding"


def read(body: str, envelope: str = OLD) -> str:
    """What is in the body of an envelope, without its namespaces."""
    whole = f'<e:Envelope xmlns:e="{envelope}"><e:Body>{body}</e:Body></e:Envelope>'
    root = xml.parse(whole.encode(), None, limit=1 << 30)
    text = "".join(etree.tostring(one, encoding="unicode") for one in root[0])
    return text.replace(f' xmlns:e="{envelope}"', "").replace(f' xmlns:c="{ENCODING12}"', "")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # PHP: an object that two rows share.
        (
            '<r><a><dv id="ref1"><ma>15</ma></dv></a><a><dv href="#ref1"/></a></r>',
            "<r><a><dv><ma>15</ma></dv></a><a><dv><ma>15</ma></dv></a></r>",
        ),
        # Axis: every structure stands behind the answer, also one that another one refers to.
        (
            '<r><item href="#id0"/></r><m id="id0" t="HS"><so>H-1</so><dv href="#id1"/></m><m id="id1"><ma>15</ma></m>',
            '<r><item t="HS"><so>H-1</so><dv><ma>15</ma></dv></item></r>',
        ),
        ('<r><a href="#x"/></r><m id="x">một chữ</m>', "<r><a>một chữ</a></r>"),
        ('<r><a href="#y"/></r><m id="y" href="#x"/><m id="x">b</m>', "<r><a>b</a></r>"),
        # Nothing is meant: an address, something that holds text, an id that is not there.
        ('<r><a href="#o">x</a><a href="http://h/"/><a href="#none"/><b id="o"/></r>', None),
    ],
)
def test_a_reference_becomes_what_it_stands_for(body: str, expected: str | None) -> None:
    assert read(body) == (body if expected is None else expected)


def test_soap_12_has_names_of_its_own() -> None:
    body = f'<r xmlns:c="{ENCODING12}"><a c:id="x"><so>1</so></a><a c:ref="x"/></r>'
    assert read(body, NEW) == "<r><a><so>1</so></a><a><so>1</so></a></r>"


def test_outside_an_envelope_nothing_is_a_reference() -> None:
    body = b'<r><a id="x"><b/></a><a href="#x"/></r>'
    assert etree.tostring(xml.parse(body, None, limit=1000)) == body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<a id="x"><b href="#x"/></a>', "<a> holds itself"),
        ('<a id="x"><b href="#y"/></a><a id="y"><b href="#x"/></a>', "<a> holds itself"),
        ('<a href="#x" id="x"/>', "<a> holds itself"),
        ('<a id="x"/><a id="x"/><b href="#x"/>', "the id 'x' stands twice"),
        (
            "".join(f"<m id='i{n}'>" + f"<a href='#i{n + 1}'/>" * 10 + "</m>" for n in range(12))
            + "<m id='i12'>ha</m>",
            "would make more of it than is read",
        ),
        (f'<m id="x">{"a" * 40_000}</m>' + "<r href='#x'/>" * 1000, "would make more of it than is read"),
        (
            "".join(f"<m id='i{n}'><a href='#i{n + 1}'/></m>" for n in range(5000)) + "<m id='i5000'/>",
            "nested deeper than 200 elements by its references",
        ),
    ],
)
def test_what_is_hostile_is_refused(body: str, said: str) -> None:
    with pytest.raises(UndecodableError, match=said):
        read(body)
