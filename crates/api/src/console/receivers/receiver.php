<?php
// Receives webhooks and verifies who signed them, with PHP 8.0 or newer and nothing else.
//
//   WEBHOOK_SECRET=whsec_… php -S 127.0.0.1:8000 receiver.php

declare(strict_types=1);

const TOLERANCE_SECONDS = 5 * 60;
const BODY_BYTES_MAX = 1024 * 1024;

/** Whether exactly these bytes were signed with the secret, and lately. */
function is_genuine(string $secret, string $id, string $timestamp, string $signatures, string $body): bool
{
    if (!preg_match('/^[0-9]{1,12}$/D', $timestamp)) {
        return false;
    }
    if (TOLERANCE_SECONDS < abs(time() - (int) $timestamp)) {
        return false;
    }
    $key = base64_decode(substr($secret, strlen('whsec_')), true);
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    // There are several, separated by spaces, while a secret is rotated.
    foreach (explode(' ', $signatures) as $signature) {
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}

// The bytes as they came: JSON that was parsed and written again has another signature.
$body = file_get_contents('php://input', false, null, 0, BODY_BYTES_MAX);
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
$timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
$signatures = $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '';

if (is_genuine(getenv('WEBHOOK_SECRET'), $id, $timestamp, $signatures, $body)) {
    // Keep it, answer, and work later. The same id may come again: drop repeats by it.
    error_log("verified $id");
    http_response_code(204);
} else {
    http_response_code(401);
}
