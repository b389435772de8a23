"""What people call the fields of a record, in Vietnamese and in English."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schemas.codes import Label

_EVERYWHERE = {"number": Label("mã hồ sơ", "dossier number"), "status": Label("trạng thái", "status")}

TITLES: Mapping[str, Mapping[str, Label]] = MappingProxyType(
    {
        "dossier.v1": {
            **_EVERYWHERE,
            "procedure_code": Label("mã thủ tục", "procedure code"),
            "procedure_name": Label("tên thủ tục", "procedure name"),
            "field_code": Label("mã lĩnh vực", "code of the field of administration"),
            "field_name": Label("tên lĩnh vực", "field of administration"),
            "agency": Label("đơn vị xử lý", "agency"),
            "agency_level": Label("cấp của đơn vị", "level of the agency"),
            "applicant_kind": Label("loại đối tượng", "kind of applicant"),
            "applicant_name": Label("chủ hồ sơ", "applicant"),
            "applicant_id": Label("số giấy tờ", "identity number"),
            "applicant_address": Label("địa chỉ", "address"),
            "applicant_phone": Label("điện thoại", "telephone"),
            "applicant_email": Label("thư điện tử", "e-mail address"),
            "summary": Label("trích yếu", "summary"),
            "channel": Label("kênh thực hiện", "channel"),
            "service_level": Label("mức độ", "service level"),
            "received_at": Label("ngày tiếp nhận", "time of receipt"),
            "due_at": Label("ngày hẹn trả", "due date"),
            "finished_at": Label("ngày kết thúc xử lý", "finish time"),
            "returned_at": Label("ngày trả kết quả", "time of return"),
            "note": Label("ghi chú", "note"),
            "changed_at": Label("ngày cập nhật", "time of change"),
        },
        "dossier-step.v1": {
            **_EVERYWHERE,
            "at": Label("thời điểm xử lý", "time of the step"),
            "person": Label("người xử lý", "official"),
            "position": Label("chức danh", "position"),
            "unit": Label("phòng ban xử lý", "unit"),
            "content": Label("nội dung xử lý", "content of the step"),
            "started_at": Label("ngày bắt đầu", "start"),
            "due_at": Label("ngày kết thúc theo quy định", "due date"),
        },
    }
)
"""By kind and field; every field of every kind has its title."""


def title(kind: str, field: str) -> Label:
    """The title of one field; the field's own name in both languages where nobody has named it."""
    return TITLES.get(kind, {}).get(field) or Label(field, field)
