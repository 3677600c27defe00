//! Any bytes as a request to any carrier; `CONTRIBUTING.md` says how to run it.

#![no_main]

mod any_request;

libfuzzer_sys::fuzz_target!(|input: &[u8]| any_request::survive(input));
