"""Every code has its words, in both languages, and its bucket."""

from __future__ import annotations

from enum import Enum
from unicodedata import is_normalized

import pytest

from schemas import codes, deadline
from schemas.codes import LABELS, AgencyLevel, Bucket, DossierStatus, label

ENUMS = [
    thing
    for thing in vars(codes).values()
    if isinstance(thing, type) and issubclass(thing, Enum) and thing.__module__ == codes.__name__
]


@pytest.mark.parametrize("codes_of", ENUMS)
def test_every_code_has_a_label(codes_of: type[Enum]) -> None:
    assert set(LABELS[codes_of]) == set(codes_of)
    for code in codes_of:
        assert all(label(code))
        assert is_normalized("NFC", label(code).vi)
    assert len({label(code).vi for code in codes_of}) == len(codes_of)


def test_every_timeliness_has_a_label() -> None:
    assert set(deadline.LABELS) == set(deadline.Timeliness)


def test_labels_of_status() -> None:
    assert [int(status) for status in DossierStatus] == list(range(1, 11))
    assert label(DossierStatus.PROCESSED) == ("Đã xử lý xong", "Processed")
    assert label(AgencyLevel.COMMUNE).vi == "Cấp xã"


def test_buckets() -> None:
    by_bucket = {bucket: [int(s) for s in DossierStatus if s.bucket is bucket] for bucket in Bucket}
    assert by_bucket == {
        Bucket.PROCESSING: [2, 4],
        Bucket.FINISHED: [9, 10],
        Bucket.WITHDRAWN: [7],
        Bucket.SUPPLEMENT: [5],
        Bucket.SUSPENDED: [6, 8],
        Bucket.NOT_ACCEPTED: [1, 3],
    }
    assert [int(s) for s in DossierStatus if s.finished] == [9, 10]
