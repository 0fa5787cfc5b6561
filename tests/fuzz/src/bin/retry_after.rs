//! Whatever an endpoint asks for, it is waited for whole seconds, up to the bound.
#![no_main]

use bellhop_model::limits::RETRY_AFTER_MAX;
use bellhop_model::parse_retry_after;
use libfuzzer_sys::fuzz_target;
use time::OffsetDateTime;

/// The moments from 0001 to 9999.
const MOMENTS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

fuzz_target!(|input: (i64, &[u8])| {
    let (seconds, value) = input;
    let span = MOMENTS.end() - MOMENTS.start();
    let now =
        OffsetDateTime::from_unix_timestamp(MOMENTS.start() + seconds.rem_euclid(span)).expect("in range");
    if let Ok(wait) = parse_retry_after(value, now, RETRY_AFTER_MAX) {
        assert!(wait <= RETRY_AFTER_MAX && wait.subsec_nanos() == 0, "{wait:?}");
    }
});
