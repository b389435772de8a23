<?php
// The operations of the three systems.

/** What a test wants to go wrong inside an operation; else the operation. */
final class Troubled
{
    public function __construct(private object $system, private string $trouble)
    {
    }

    public function __call(string $name, array $arguments): mixed
    {
        if ($this->trouble === 'fault') {
            throw new SoapFault('Server', 'Mã đơn vị không có quyền khai thác dữ liệu', null, ['maLoi' => 'E-403']);
        }
        if ($this->trouble === 'crash') {
            return $this->system->khongCo();
        }
        return $this->system->$name(...$arguments);
    }
}

/** Sở Tư pháp: document/literal, pages, `tuNgay` as a dateTime, dates that are nil. */
final class DocumentSystem
{
    public function LayDanhSachHoSo(object $asked): array
    {
        $since = isset($asked->tuNgay) ? strtotime($asked->tuNgay) : 0;
        $found = array_values(array_filter(dossiers('000.00.15.H59'), fn ($one) => $one['changed'] >= $since));
        $size = max(1, min(100, (int) $asked->kichThuoc));
        $rows = [];
        foreach (array_slice($found, ((int) $asked->trang - 1) * $size, $size) as $one) {
            $rows[] = [
                'MaHoSo' => $one['number'], 'MaThuTuc' => $one['code'], 'TenThuTuc' => $one['procedure'],
                'MaDonVi' => '000.00.15.H59', 'LoaiDoiTuong' => $one['company'] ? 'Doanh nghiệp' : 'Công dân',
                'ChuHoSo' => $one['person'], 'SoDienThoai' => $one['phone'],
                'HinhThucNop' => $one['online'] ? 'Trực tuyến' : 'Trực tiếp', 'TrangThai' => $one['state'],
                'NgayTiepNhan' => written($one['received'], 'c'), 'NgayHenTra' => written($one['due'], 'c'),
                'NgayKetThucXuLy' => written($one['finished'], 'c'), 'NgayCapNhat' => written($one['changed'], 'c'),
            ];
        }
        return ['LayDanhSachHoSoResult' => ['TongSoTrang' => (int) ceil(count($found) / $size), 'DanhSach' => ['HoSo' => $rows]]];
    }

    public function LayTrangThai(object $asked): array
    {
        return ['LayTrangThaiResult' => 'Đang xử lý'];
    }
}

/** UBND huyện Cầu Ngang: rpc/encoded, an array of structures; one and the same agency is an object of many rows. */
final class EncodedSystem
{
    public function danhSachHoSo(?string $tuNgay, int $trangThai): array
    {
        $since = $tuNgay ? DateTime::createFromFormat('d/m/Y', $tuNgay, new DateTimeZone('Asia/Ho_Chi_Minh'))->setTime(0, 0)->getTimestamp() : 0;
        $agency = (object) ['ma' => '000.00.32.H59', 'ten' => 'UBND huyện Cầu Ngang'];
        $rows = [];
        foreach (dossiers('000.00.32.H59') as $one) {
            if ($one['changed'] < $since || ($trangThai === 1 && $one['finished'] === null)) {
                continue;
            }
            $rows[] = (object) [
                'soHoSo' => $one['number'], 'maTTHC' => $one['code'], 'tenTTHC' => $one['procedure'], 'donVi' => $agency,
                'doiTuong' => $one['company'] ? 'DN' : 'CN', 'nguoiNop' => $one['person'], 'dienThoai' => $one['phone'],
                'kenh' => $one['online'] ? 2 : 1, 'tinhTrang' => $one['state'],
                'ngayNhan' => written($one['received'], 'd/m/Y H:i'), 'ngayHenTra' => written($one['due'], 'd/m/Y H:i'),
                'ngayXong' => written($one['finished'], 'd/m/Y H:i'), 'capNhat' => written($one['changed'], 'd/m/Y H:i'),
                'buoc' => [
                    (object) ['luc' => written($one['received'], 'd/m/Y H:i'), 'canBo' => 'Trương Thị Lệ', 'viec' => 'Tiếp nhận'],
                    (object) ['luc' => written($one['changed'], 'd/m/Y H:i'), 'canBo' => 'Sơn Minh Trí', 'viec' => 'Thẩm định'],
                ],
            ];
        }
        return $rows;
    }
}

/** Sở Y tế: one text that holds XML. */
final class StringSystem
{
    public function getHoSo(string $maDonVi, string $tuNgay): string
    {
        $since = DateTime::createFromFormat('YmdHis', $tuNgay, new DateTimeZone('Asia/Ho_Chi_Minh'));
        $rows = '';
        foreach (dossiers($maDonVi) as $one) {
            if ($since && $one['changed'] < $since->getTimestamp()) {
                continue;
            }
            $rows .= '<HoSo>';
            foreach ([
                'SO_BIEN_NHAN' => $one['number'], 'MA_TTHC' => $one['code'], 'TEN_TTHC' => $one['procedure'],
                'MA_DON_VI' => $maDonVi, 'LOAI_DOI_TUONG' => $one['company'] ? 'Doanh nghiệp' : 'Cá nhân',
                'HO_TEN' => $one['person'], 'DIEN_THOAI' => $one['phone'], 'KENH' => $one['online'] ? 'Qua mạng' : 'Tại quầy',
                'TINH_TRANG' => $one['state'] === 'Yêu cầu bổ sung' ? 'Trình lãnh đạo ký' : $one['state'],
                'NGAY_NHAN' => written($one['received'], 'YmdHis'), 'NGAY_HEN_TRA' => written($one['due'], 'YmdHis'),
                'NGAY_XONG' => written($one['finished'], 'YmdHis'), 'NGAY_CAP_NHAT' => written($one['changed'], 'YmdHis'),
            ] as $name => $value) {
                $rows .= "<$name>" . htmlspecialchars((string) $value, ENT_XML1) . "</$name>";
            }
            $rows .= '</HoSo>';
        }
        return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<DanhSachHoSo>$rows</DanhSachHoSo>";
    }
}
