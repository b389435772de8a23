<?php
// The dossiers of the three systems; every person is invented.

const PEOPLE = ['Nguyễn Thị Bích Thủy', 'Thạch Sa Rươl', 'Công ty TNHH Thủy sản Cửu Long', 'Kim Sô Phanh', 'Trần Văn Đệ',
    'Hộ kinh doanh Út Hiền', 'Lâm Thị Xuân Đào'];
const PROCEDURES = [['1.001193.000.00.00.H59', 'Đăng ký khai sinh'], ['1.000894.000.00.00.H59', 'Đăng ký kết hôn'],
    ['2.000635.000.00.00.H59', 'Cấp bản sao trích lục hộ tịch']];
const STATES = ['Mới tiếp nhận', 'Đang xử lý', 'Đã trả kết quả', 'Đang xử lý', 'Yêu cầu bổ sung', 'Đã có kết quả',
    'Đang xử lý'];

/** The dossiers of an agency, in the order of their change; times as Unix seconds, null where there is none. */
function dossiers(string $agency): array
{
    $made = [];
    foreach (PEOPLE as $n => $person) {
        $received = strtotime('2026-03-02T08:15:00+07:00') + $n * 5400;
        $done = in_array(STATES[$n], ['Đã trả kết quả', 'Đã có kết quả']);
        [$code, $procedure] = PROCEDURES[$n % 3];
        $made[] = [
            'number' => sprintf('%s-260302-%04d', $agency, $n + 1), 'code' => $code, 'procedure' => $procedure,
            'person' => $person, 'company' => (bool) preg_match('/^(Công ty|Hộ kinh doanh)/u', $person),
            'phone' => $n % 3 ? sprintf('09990001%02d', $n) : null, 'online' => $n % 2 === 1, 'state' => STATES[$n],
            'received' => $received, 'due' => $received + 5 * 86400,
            'finished' => $done ? $received + 2 * 86400 : null, 'changed' => $received + ($done ? 2 * 86400 : 3600),
        ];
    }
    usort($made, fn ($a, $b) => $a['changed'] <=> $b['changed']);
    return $made;
}

/** Seconds as a legacy system writes them, in Viet Nam; null stays null. */
function written(?int $at, string $format): ?string
{
    return $at === null ? null : (new DateTime("@$at"))->setTimezone(new DateTimeZone('Asia/Ho_Chi_Minh'))->format($format);
}
