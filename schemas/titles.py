"""What people call a record of a kind and its fields, in Vietnamese and in English."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schemas.codes import Label

NOUNS: Mapping[str, Label] = MappingProxyType(
    {
        "dossier.v1": Label("hồ sơ", "dossier"),
        "dossier-step.v1": Label("bước xử lý của hồ sơ", "step of dossier"),
        "document.v1": Label("văn bản", "document"),
        "indicator.v1": Label("chỉ tiêu", "indicator"),
    }
)
"""What one record of a kind is called, before its lane: `step of dossier H59…`."""

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
        "document.v1": {
            "document_id": Label("mã định danh văn bản", "document id"),
            "agency": Label("cơ quan ban hành", "sender"),
            "code_number": Label("số văn bản", "document number"),
            "code_notation": Label("ký hiệu văn bản", "notation"),
            "promulgated_at": Label("ngày ban hành", "day of issue"),
            "promulgation_place": Label("nơi ban hành", "place of issue"),
            "type_name": Label("loại văn bản", "type of document"),
            "subject": Label("trích yếu", "subject"),
            "signer_name": Label("người ký", "signer"),
            "signer_position": Label("chức vụ người ký", "signer's position"),
            "receivers": Label("nơi nhận", "receivers"),
            "priority": Label("độ khẩn", "priority"),
            "medium": Label("hình thức gửi", "medium"),
            "signed": Label("ký số", "digital signature"),
            "due_at": Label("hạn trả lời", "due date"),
            "changed_at": Label("ngày cập nhật", "time of change"),
        },
        "indicator.v1": {
            "code": Label("mã chỉ tiêu", "indicator code"),
            "name": Label("tên chỉ tiêu", "indicator"),
            "period": Label("kỳ báo cáo", "period"),
            "agency": Label("đơn vị báo cáo", "agency"),
            "value": Label("giá trị", "value"),
            "unit": Label("đơn vị tính", "unit"),
            "changed_at": Label("ngày cập nhật", "time of change"),
        },
    }
)
"""By kind and field; every field of every kind has its title."""


def title(kind: str, field: str) -> Label:
    """The title of one field; the field's own name in both languages where nobody has named it."""
    return TITLES.get(kind, {}).get(field) or Label(field, field)


def noun(kind: str) -> Label:
    """What a record of that kind is called; `bản ghi`, `record` for a kind that nobody has named."""
    return NOUNS.get(kind) or Label("bản ghi", "record")
