"""The code lists of dossiers and documents, each code with its Vietnamese and English label.

The numbers of `DossierStatus` are the national portal's TrangThaiHoSo; the words of a legacy system belong to a
mapping's table, never here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple


class Label(NamedTuple):
    """What people read for a code."""

    vi: str
    en: str


class Bucket(StrEnum):
    """The groups in which reports count dossiers of dossier handling."""

    PROCESSING = "processing"
    FINISHED = "finished"
    WITHDRAWN = "withdrawn"
    SUPPLEMENT = "supplement"
    SUSPENDED = "suspended"
    NOT_ACCEPTED = "not-accepted"


class DossierStatus(IntEnum):
    """Where a dossier stands: the national portal's ten states."""

    FILED = 1
    ACCEPTED = 2
    NOT_ACCEPTED = 3
    IN_PROGRESS = 4
    SUPPLEMENT_ASKED = 5
    PAYMENT_ASKED = 6
    WITHDRAWN = 7
    STOPPED = 8
    PROCESSED = 9
    RETURNED = 10

    @property
    def bucket(self) -> Bucket:
        return BUCKETS[self]

    @property
    def finished(self) -> bool:
        """True for 9 and 10: the work on it is done, whether or not the citizen has fetched the result."""
        return self >= DossierStatus.PROCESSED


class AgencyLevel(StrEnum):
    """The four levels of administration."""

    CENTRAL = "central"
    PROVINCE = "province"
    DISTRICT = "district"
    COMMUNE = "commune"


class ApplicantKind(StrEnum):
    """Who files: LoaiDoiTuong 1 to 4 of the national portal, in this order."""

    CITIZEN = "citizen"
    ENTERPRISE = "enterprise"
    STATE_AGENCY = "state-agency"
    OTHER = "other"


class Channel(StrEnum):
    """How it was filed: KenhThucHien 1 to 3 of the national portal, in this order."""

    COUNTER = "counter"
    ONLINE = "online"
    POST = "post"


class Priority(StrEnum):
    """How urgent a document is: OtherInfo/Priority 0 to 4 of edXML, in this order."""

    NORMAL = "normal"
    URGENT = "urgent"
    VERY_URGENT = "very-urgent"
    EXPRESS = "express"
    EXPRESS_AT_HOUR = "express-at-hour"


class Medium(StrEnum):
    """How a document was sent: the reports of provinces count these apart."""

    ELECTRONIC = "electronic"
    PARALLEL = "parallel"
    PAPER = "paper"


BUCKETS: Mapping[DossierStatus, Bucket] = MappingProxyType(
    {
        DossierStatus.FILED: Bucket.NOT_ACCEPTED,
        DossierStatus.ACCEPTED: Bucket.PROCESSING,
        DossierStatus.NOT_ACCEPTED: Bucket.NOT_ACCEPTED,
        DossierStatus.IN_PROGRESS: Bucket.PROCESSING,
        DossierStatus.SUPPLEMENT_ASKED: Bucket.SUPPLEMENT,
        DossierStatus.PAYMENT_ASKED: Bucket.SUSPENDED,
        DossierStatus.WITHDRAWN: Bucket.WITHDRAWN,
        DossierStatus.STOPPED: Bucket.SUSPENDED,
        DossierStatus.PROCESSED: Bucket.FINISHED,
        DossierStatus.RETURNED: Bucket.FINISHED,
    }
)

LABELS: Mapping[type[Enum], Mapping[Any, Label]] = MappingProxyType(
    {
        DossierStatus: {
            DossierStatus.FILED: Label("Mới đăng ký", "Newly filed"),
            DossierStatus.ACCEPTED: Label("Được tiếp nhận", "Accepted"),
            DossierStatus.NOT_ACCEPTED: Label("Không được tiếp nhận", "Not accepted"),
            DossierStatus.IN_PROGRESS: Label("Đang xử lý", "In progress"),
            DossierStatus.SUPPLEMENT_ASKED: Label("Yêu cầu bổ sung giấy tờ", "Supplement asked"),
            DossierStatus.PAYMENT_ASKED: Label("Yêu cầu thực hiện nghĩa vụ tài chính", "Payment asked"),
            DossierStatus.WITHDRAWN: Label("Công dân yêu cầu rút hồ sơ", "Withdrawn by the citizen"),
            DossierStatus.STOPPED: Label("Dừng xử lý", "Stopped"),
            DossierStatus.PROCESSED: Label("Đã xử lý xong", "Processed"),
            DossierStatus.RETURNED: Label("Đã trả kết quả", "Result returned"),
        },
        Bucket: {
            Bucket.PROCESSING: Label("Đang giải quyết", "Being processed"),
            Bucket.FINISHED: Label("Đã giải quyết", "Finished"),
            Bucket.WITHDRAWN: Label("Trả lại, rút hồ sơ", "Returned or withdrawn"),
            Bucket.SUPPLEMENT: Label("Chờ bổ sung", "Waiting for a supplement"),
            Bucket.SUSPENDED: Label("Tạm dừng", "Suspended"),
            Bucket.NOT_ACCEPTED: Label("Chưa tiếp nhận", "Not accepted"),
        },
        AgencyLevel: {
            AgencyLevel.CENTRAL: Label("Trung ương", "Central"),
            AgencyLevel.PROVINCE: Label("Cấp tỉnh", "Province"),
            AgencyLevel.DISTRICT: Label("Cấp huyện", "District"),
            AgencyLevel.COMMUNE: Label("Cấp xã", "Commune"),
        },
        ApplicantKind: {
            ApplicantKind.CITIZEN: Label("Công dân", "Citizen"),
            ApplicantKind.ENTERPRISE: Label("Doanh nghiệp", "Enterprise"),
            ApplicantKind.STATE_AGENCY: Label("Cơ quan nhà nước", "State agency"),
            ApplicantKind.OTHER: Label("Tổ chức khác", "Other organisation"),
        },
        Channel: {
            Channel.COUNTER: Label("Trực tiếp", "At the counter"),
            Channel.ONLINE: Label("Trực tuyến", "Online"),
            Channel.POST: Label("Bưu chính", "By post"),
        },
        Priority: {
            Priority.NORMAL: Label("Thường", "Normal"),
            Priority.URGENT: Label("Khẩn", "Urgent"),
            Priority.VERY_URGENT: Label("Thượng khẩn", "Very urgent"),
            Priority.EXPRESS: Label("Hỏa tốc", "Express"),
            Priority.EXPRESS_AT_HOUR: Label("Hỏa tốc hẹn giờ", "Express, at an hour"),
        },
        Medium: {
            Medium.ELECTRONIC: Label("Điện tử", "Electronic"),
            Medium.PARALLEL: Label("Điện tử và giấy", "Electronic and paper in parallel"),
            Medium.PAPER: Label("Giấy", "Paper"),
        },
    }
)


def label(code: Enum) -> Label:
    """The label of a code of this module. Raises: KeyError for an enum that has none (a defect)."""
    return LABELS[type(code)][code]
