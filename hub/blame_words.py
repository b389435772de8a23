"""The words of a refusal translated back, in Vietnamese and in English. Pure: from facts to sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.titles import noun, title


@dataclass(frozen=True, slots=True)
class Spot:
    """One field of the record and where it is read from."""

    field: str
    paths: tuple[str, ...]
    """In the agency's row, several where one stands in for another; none for a constant, or where it is not known."""
    value: str | None
    """What the mapping takes there, as it may be shown."""
    read: bool
    """Whether the row could be read."""
    filled: bool
    """False where the inbound mapping does not fill the field."""
    coded: bool
    """Whether a code table or the register of agencies stands between."""
    otherwise: str | None
    """The constant, or what stands for no value."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one refusal; every text as it may be shown."""

    portal: str
    kind: str
    event: bool
    number: str
    letter: int
    unsent: bool
    fault: str
    attempts: int
    said: str
    member: str | None
    sent: str | None
    constant: str | None
    """What the outbound mapping writes whatever the record holds; None where it does not."""
    coded: bool
    spots: Sequence[Spot]
    configured: bool
    outbound: str
    inbound: str
    changed: bool
    """Whether the inbound mapping is another one than when the row was read."""

    @property
    def tables(self) -> Sequence[str]:
        """The mappings whose code tables stand between the agency's value and the portal's."""
        named = [self.inbound] if any(spot.coded for spot in self.spots) else []
        return [*named, self.outbound] if self.coded else named

    @property
    def of_a_dossier(self) -> bool:
        return self.kind.startswith("dossier")

    @property
    def of_the_agency(self) -> Sequence[Spot]:
        return [spot for spot in self.spots if spot.paths]


def vietnamese(f: Facts) -> tuple[str, str]:
    """What happened, and what is to be done."""
    record = noun(f.kind).vi
    what = [_refusal_vi(f, record)]
    if f.constant is not None:
        what.append(
            f"Bảng ánh xạ {f.outbound} luôn ghi '{f.constant}' vào trường này, không lấy từ dữ liệu của đơn vị."
        )
    elif f.member is None and not f.spots:
        what.append("Lời từ chối không nêu trường nào.")
    elif not f.configured:
        what.append("Không có cấu hình để truy ngược về dữ liệu của đơn vị.")
    elif not f.spots:
        what.append(f"Bảng ánh xạ hiện dùng không ghi trường {f.member}, nên không rõ trường này lấy từ đâu.")
    what += [_spot_vi(f, spot) for spot in f.spots if f.configured]
    if f.changed and f.of_the_agency:
        what.append(f"Bảng ánh xạ {f.inbound} đã đổi từ khi đọc {_thing_vi(f)}; chỗ nêu trên là theo bảng hiện dùng.")
    return " ".join(what), _mend_vi(f, record)


def _refusal_vi(f: Facts, record: str) -> str:
    value = "" if f.sent is None else f" ('{f.sent}')"
    if f.unsent:
        where = f" cho trường {f.member}" if f.member else ""
        return _sentence(f"Hub không lập được dữ liệu gửi {f.portal}{where}{value}: {f.said}")
    if f.fault != "data":
        return _sentence(f"{f.portal} không nhận {record} {f.number} sau {f.attempts} lần gửi: {f.said}")
    if f.member:
        return _sentence(f"{f.portal} từ chối trường {f.member}{value}: {f.said}")
    return _sentence(f"{f.portal} từ chối {record} {f.number}{value}: {f.said}")


def _spot_vi(f: Facts, spot: Spot) -> str:
    name = title(f.kind, spot.field).vi
    if not f.inbound:
        return f"Trường này là {name} của {_thing_vi(f)}; không rõ hệ thống nguồn ghi ở đâu."
    if not spot.filled:
        return f"Trường này là {name}; bảng ánh xạ {f.inbound} không đọc mục này từ dữ liệu của đơn vị."
    if not spot.paths:
        written = f"bảng ánh xạ {f.inbound} luôn ghi '{spot.otherwise}'"
        return f"Trường này là {name}; {written}, không lấy từ dữ liệu của đơn vị."
    table = " qua bảng mã" if spot.coded or f.coded else ""
    said = f"Trường này lấy từ {', '.join(spot.paths)} ({name}) trong dữ liệu của đơn vị{table}"
    if not spot.read:
        return f"{said}; dữ liệu gốc không còn đọc được nên không rõ giá trị hiện có."
    if spot.value is not None:
        return f"{said}, giá trị hiện có: '{spot.value}'."
    default = f", nên hub dùng giá trị mặc định '{spot.otherwise}'" if spot.otherwise is not None else ""
    return f"{said}; chỗ này đang để trống{default}."


def _mend_vi(f: Facts, record: str) -> str:
    if f.of_the_agency:
        paths = _listed([_listed(spot.paths, "hoặc") for spot in f.of_the_agency], "và")
        mend = f"Sửa {paths} của {record} {f.number} trong {_system_vi(f)} rồi lưu lại; "
        mend += (
            f"sau đó người vận hành gửi lại hoặc bỏ bước đã hỏng (#{f.letter})."
            if f.event
            else "hệ thống sẽ tự gửi lại."
        )
        if f.tables:
            mend += f" Nếu giá trị của đơn vị đã đúng thì phải sửa bảng mã của ánh xạ {_listed(f.tables, 'hoặc')}."
        return mend
    if f.constant is not None or (any(not spot.paths for spot in f.spots) and f.inbound):
        name = f.outbound if f.constant is not None else f.inbound
        return f"Đơn vị không phải làm gì; người vận hành sửa bảng ánh xạ {name} rồi gửi lại #{f.letter}."
    if f.unsent:
        return f"Đơn vị không phải làm gì; người vận hành sửa bảng ánh xạ rồi gửi lại #{f.letter}."
    if f.fault != "data":
        return f"Đơn vị không phải làm gì; khi hết nguyên nhân, người vận hành gửi lại #{f.letter}."
    return (
        f"Đối chiếu lời từ chối với {record} {f.number}; nếu có giá trị sai, sửa trong {_system_vi(f)} rồi lưu lại, "
        "hệ thống sẽ tự gửi lại."
    )


def english(f: Facts) -> tuple[str, str]:
    """What happened, and what is to be done."""
    record = f"the {noun(f.kind).en}" if f.event else noun(f.kind).en
    what = [_refusal_en(f, record)]
    if f.constant is not None:
        what.append(
            f"The mapping {f.outbound} always writes '{f.constant}' there; no data of the agency has a part in it."
        )
    elif f.member is None and not f.spots:
        what.append("The refusal names no field.")
    elif not f.configured:
        what.append("There is no configuration at hand to find it in the agency's data.")
    elif not f.spots:
        what.append(f"The mapping in force writes no {f.member}, so it is not known what that was made of.")
    what += [_spot_en(f, spot) for spot in f.spots if f.configured]
    if f.changed and f.of_the_agency:
        what.append(f"The mapping {f.inbound} has changed since the row was read; this is as it reads now.")
    return " ".join(what), _mend_en(f, record)


def _refusal_en(f: Facts, record: str) -> str:
    value = "" if f.sent is None else f" ('{f.sent}')"
    if f.unsent:
        where = f" in {f.member}" if f.member else ""
        return _sentence(f"The hub could not write what {f.portal} takes{where}{value}: {f.said}")
    if f.fault != "data":
        return _sentence(f"{f.portal} did not take {record} {f.number} in {f.attempts} attempts: {f.said}")
    if f.member:
        return _sentence(f"{f.portal} refused {f.member}{value}: {f.said}")
    return _sentence(f"{f.portal} refused {record} {f.number}{value}: {f.said}")


def _spot_en(f: Facts, spot: Spot) -> str:
    name = title(f.kind, spot.field).en
    if not f.inbound:
        return f"It is the {name} of the {_thing_en(f)}; where the source has it is not known."
    if not spot.filled:
        return f"It is the {name}, which the mapping {f.inbound} does not read from the agency's data."
    if not spot.paths:
        return f"It is the {name}, for which the mapping {f.inbound} always writes '{spot.otherwise}'."
    table = " by a code table" if spot.coded or f.coded else ""
    said = f"It comes from {', '.join(spot.paths)} ({name}) in the agency's data{table}"
    if not spot.read:
        return f"{said}; the original data cannot be read any more, so what stands there is not known."
    if spot.value is not None:
        return f"{said}, where '{spot.value}' stands."
    default = f", so the hub takes '{spot.otherwise}' for it" if spot.otherwise is not None else ""
    return f"{said}, where nothing stands{default}."


def _mend_en(f: Facts, record: str) -> str:
    if f.of_the_agency:
        paths = _listed([_listed(spot.paths, "or") for spot in f.of_the_agency], "and")
        mend = f"Correct {paths} of {record} {f.number} in {_system_en(f)} and save it; "
        mend += (
            f"then an operator replays or discards the dead step (#{f.letter})."
            if f.event
            else "it is then sent again by itself."
        )
        if f.tables:
            mend += f" Where the agency's value is right, the code table of {_listed(f.tables, 'or')} has to be mended."
        return mend
    if f.constant is not None or (any(not spot.paths for spot in f.spots) and f.inbound):
        name = f.outbound if f.constant is not None else f.inbound
        return f"Nothing for the agency to do; an operator mends the mapping {name} and replays #{f.letter}."
    if f.unsent:
        return f"Nothing for the agency to do; an operator mends the mapping and replays #{f.letter}."
    if f.fault != "data":
        return f"Nothing for the agency to do; once the cause is gone, an operator replays #{f.letter}."
    return (
        f"Compare the refusal with {record} {f.number}; what is wrong is corrected in {_system_en(f)} and saved, "
        "and is then sent again by itself."
    )


def _thing_vi(f: Facts) -> str:
    """Whose field it is: a step's are those of its dossier."""
    return "hồ sơ" if f.of_a_dossier else noun(f.kind).vi


def _thing_en(f: Facts) -> str:
    return "dossier" if f.of_a_dossier else noun(f.kind).en


def _system_vi(f: Facts) -> str:
    """Where the agency corrects it."""
    return "phần mềm một cửa" if f.of_a_dossier else "phần mềm của đơn vị"


def _system_en(f: Facts) -> str:
    return "the one-stop system" if f.of_a_dossier else "the agency's own system"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _listed(names: Sequence[str], word: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
