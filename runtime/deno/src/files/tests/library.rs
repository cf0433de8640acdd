//! A library of WebAssembly as Emscripten links it, with two functions.
//!
//! ```wat
//! (module
//!   (@custom "dylink.0" "\01\04\00\00\00\00") ;; no memory, no table of its own
//!   (import "env" "PyLong_FromLong" (func $long (param i32) (result i32)))
//!   (import "env" "__indirect_function_table" (table 0 funcref))
//!   (import "GOT.func" "PyLong_FromLong" (global $address (mut i32)))
//!   (func (export "answer") (result i32) (call $long (i32.const 42)))
//!   (func (export "by_address") (result i32)
//!     (call_indirect (param i32) (result i32) (i32.const 43) (global.get $address))))
//! ```

#[rustfmt::skip]
pub(super) const BYTES: &[u8] = &[
    0x00, b'a', b's', b'm', 1, 0, 0, 0,
    0, 15, 8, b'd', b'y', b'l', b'i', b'n', b'k', b'.', b'0', 1, 4, 0, 0, 0, 0,
    1, 10, 2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 1, 0x7f,
    2, 85, 3,
    3, b'e', b'n', b'v',
    15, b'P', b'y', b'L', b'o', b'n', b'g', b'_', b'F', b'r', b'o', b'm', b'L', b'o', b'n', b'g',
    0, 0,
    3, b'e', b'n', b'v',
    25, b'_', b'_', b'i', b'n', b'd', b'i', b'r', b'e', b'c', b't', b'_', b'f', b'u', b'n', b'c',
    b't', b'i', b'o', b'n', b'_', b't', b'a', b'b', b'l', b'e',
    1, 0x70, 0, 0,
    8, b'G', b'O', b'T', b'.', b'f', b'u', b'n', b'c',
    15, b'P', b'y', b'L', b'o', b'n', b'g', b'_', b'F', b'r', b'o', b'm', b'L', b'o', b'n', b'g',
    3, 0x7f, 1,
    3, 3, 2, 1, 1,
    7, 23, 2,
    6, b'a', b'n', b's', b'w', b'e', b'r', 0, 1,
    10, b'b', b'y', b'_', b'a', b'd', b'd', b'r', b'e', b's', b's', 0, 2,
    10, 18, 2,
    6, 0, 0x41, 42, 0x10, 0, 0x0b,
    9, 0, 0x41, 43, 0x23, 0, 0x11, 0, 0, 0x0b,
];
