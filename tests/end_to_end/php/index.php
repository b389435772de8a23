<?php
// Three old one-stop systems on PHP's own SOAP server, for tests: php -S 127.0.0.1:PORT index.php
// /<system>.php answers calls, /<system>.php?wsdl the WSDL beside this file with the address that was asked. What a test
// wants to go wrong stands in the file that TROUBLE names, one word: fault and crash (inside an operation),
// html (for the WSDL), page (for an answer), warning (before it), half, die (in mid-answer), drift (the WSDL has changed).

require __DIR__ . '/dossiers.php';
require __DIR__ . '/systems.php';

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (!preg_match('#^/(document|encoded|string)\.php$#', $path, $found)) {
    http_response_code(404);
    exit("<html><body><h1>404 Not Found</h1></body></html>");
}
$system = $found[1];
$trouble = trim((string) @file_get_contents((string) getenv('TROUBLE')));
if (strtolower((string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_QUERY)) === 'wsdl') {
    header('Content-Type: text/xml; charset=utf-8');
    $wsdl = file_get_contents(__DIR__ . "/$system.wsdl");
    if ($trouble === 'html') {
        header('Content-Type: text/html; charset=utf-8');
        exit('<!DOCTYPE html><html><body><h1>Hệ thống đang bảo trì</h1></body></html>');
    }
    if ($trouble === 'drift') {
        $wsdl = str_replace(['name="kichThuoc"', 'name="trangThai"'], ['name="soDong"', 'name="tinhTrang"'], $wsdl);
    }
    exit(str_replace('http://localhost/motcua', "http://{$_SERVER['HTTP_HOST']}", $wsdl));
}
if ($trouble === 'page') {
    header('Content-Type: text/html; charset=utf-8');
    exit('<html><body><b>Fatal error</b>: Uncaught PDOException: không nối được cơ sở dữ liệu motcua</body></html>');
}
if ($trouble === 'warning') {
    echo "<br />\n<b>Warning</b>:  Undefined array key \"don_vi\" in <b>/var/www/motcua/ho_so.php</b> on line <b>59</b><br />\n";
}

$features = $system === 'document' ? SOAP_SINGLE_ELEMENT_ARRAYS : 0;
$server = new SoapServer(__DIR__ . "/$system.wsdl", ['cache_wsdl' => WSDL_CACHE_NONE, 'features' => $features]);
$server->setObject(new Troubled(['document' => new DocumentSystem, 'encoded' => new EncodedSystem,
    'string' => new StringSystem][$system], $trouble));
ob_start();
$server->handle();
$answer = ob_get_clean();
if ($trouble === 'half' || $trouble === 'die') {
    header('Content-Length: ' . strlen($answer));
    echo substr($answer, 0, intdiv(strlen($answer), 2));
    if ($trouble === 'die') {
        flush();
        exec('kill -9 ' . getmypid());
    }
    exit;
}
echo $answer;
