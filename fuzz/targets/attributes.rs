//! Fuzzes `targets::attributes` of the protocol's tests.

#![no_main]

#[path = "../../protocol/tests/fuzz/targets.rs"]
#[allow(dead_code, reason = "the other targets have programs of their own")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::attributes(bytes));
