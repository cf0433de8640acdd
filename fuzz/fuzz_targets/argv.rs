//! `pcm_fuzz::argv`, which says what has to hold.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| pcm_fuzz::argv(data));
