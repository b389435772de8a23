"""Records to start from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from schemas.local_time import LOCAL


@pytest.fixture
def dossier_fields() -> dict[str, Any]:
    """Every field of a finished dossier, as Python objects."""
    return {
        "number": "000.00.05.H59-170301-0001",
        "procedure_code": "1.003560.000.00.00.H59",
        "procedure_name": "Cấp giấy chứng nhận quyền sử dụng đất",
        "field_code": "TNMT01",
        "field_name": "Đất đai",
        "agency": "H59.05",
        "agency_level": "province",
        "applicant_kind": "citizen",
        "applicant_name": "Nguyễn Thị Hồng Ánh",
        "applicant_id": "334455667",
        "applicant_address": "12 Phạm Hồng Thái, phường 2, thành phố Trà Vinh",
        "applicant_phone": "0912 345 678",
        "applicant_email": "anh@example.vn",
        "summary": "Đề nghị cấp giấy chứng nhận",
        "channel": "counter",
        "service_level": 2,
        "status": 9,
        "received_at": datetime(2017, 3, 1, 8, 0, tzinfo=LOCAL),
        "due_at": datetime(2017, 3, 22, 17, 0, tzinfo=LOCAL),
        "finished_at": datetime(2017, 3, 21, 15, 30, tzinfo=LOCAL),
        "returned_at": None,
        "note": "Đủ giấy tờ",
        "changed_at": datetime(2017, 3, 21, 15, 30, 5, tzinfo=LOCAL),
    }


@pytest.fixture
def step_fields() -> dict[str, Any]:
    return {
        "number": "000.00.05.H59-170301-0001",
        "at": datetime(2017, 3, 2, 9, 15, tzinfo=LOCAL),
        "person": "Lê Văn Bình",
        "position": "Chuyên viên",
        "unit": "Phòng Đăng ký đất đai",
        "content": "Thẩm định hồ sơ",
        "status": 4,
    }
