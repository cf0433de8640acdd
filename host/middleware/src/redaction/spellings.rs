//! The forms that a secret may turn up in.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::canonical::hex;

/// A shorter piece of base64 turns up by chance.
const MIN_BASE64: usize = 8;

/// The secret as it is, in JSON (once and twice, with and without escapes beyond ASCII), in URLs and
/// forms, in hexadecimal, and in base64 wherever in the encoded bytes it begins.
pub(super) fn spellings(secret: &str) -> Vec<String> {
    let once = json_escaped(secret, false);
    let mut all = vec![
        secret.to_owned(),
        json_escaped(&once, false),
        json_escaped(secret, true),
        once.replace('/', "\\/"),
        percent(secret, Percent::Everything, false),
        percent(secret, Percent::Everything, true),
        percent(secret, Percent::Paths, false),
        percent(secret, Percent::Paths, true),
        percent(secret, Percent::Forms, false),
        percent(secret, Percent::Forms, true),
        hex(secret.as_bytes()),
        hex(secret.as_bytes()).to_ascii_uppercase(),
        html_escaped(secret),
    ];
    all.push(once);
    for offset in 0..3 {
        let standard = base64_core(secret.as_bytes(), offset);
        if standard.len() >= MIN_BASE64 {
            all.push(standard.replace('+', "-").replace('/', "_"));
            all.push(standard);
        }
    }
    all.push(STANDARD_NO_PAD.encode(secret));
    all.push(URL_SAFE_NO_PAD.encode(secret));
    all.sort_unstable();
    all.dedup();
    all
}

/// What stands inside the quotes of a JSON text.
fn json_escaped(text: &str, ascii: bool) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if !ascii {
        return inner.to_owned();
    }
    let mut escaped = String::with_capacity(inner.len());
    for one in inner.chars() {
        if one.is_ascii() {
            escaped.push(one);
        } else {
            for unit in one.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                write!(escaped, "\\u{unit:04x}").ok();
            }
        }
    }
    escaped
}

fn html_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Percent {
    /// All but letters, digits and `-._~`.
    Everything,
    /// The same, and `/` stays.
    Paths,
    /// As forms do: a space is `+`.
    Forms,
}

fn percent(text: &str, style: Percent, lower: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let stays = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~')
            || (style == Percent::Paths && byte == b'/');
        match byte {
            byte if stays => encoded.push(char::from(byte)),
            b' ' if style == Percent::Forms => encoded.push('+'),
            byte => {
                let digits = hex(&[byte]);
                encoded.push('%');
                encoded.push_str(&if lower { digits } else { digits.to_ascii_uppercase() });
            }
        }
    }
    encoded
}

/// What base64 makes of the bytes wherever they stand `offset` bytes (of three) into the encoded
/// text, without the digits that their neighbours have a part in.
fn base64_core(bytes: &[u8], offset: usize) -> String {
    let mut padded = vec![0; offset];
    padded.extend_from_slice(bytes);
    let encoded = STANDARD_NO_PAD.encode(&padded);
    // Six bits are a digit.
    let first = (offset * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    encoded.get(first..last).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    fn is_found(secret: &str, text: &str) -> bool {
        spellings(secret).iter().any(|one| text.contains(one.as_str()))
    }

    proptest! {
        #[test]
        fn base64_is_found_wherever_the_secret_stands(
            before in ".{0,9}", secret in "[ -~]{8,40}", after in ".{0,9}",
        ) {
            let text = format!("{before}{secret}{after}");
            prop_assert!(is_found(&secret, &STANDARD.encode(&text)));
            prop_assert!(is_found(&secret, &URL_SAFE.encode(&text)));
        }

        #[test]
        fn other_encodings_are_found(secret in ".{4,20}") {
            let json = serde_json::Value::from(secret.as_str()).to_string();
            let twice = serde_json::Value::from(json.as_str()).to_string();
            let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            prop_assert!(is_found(&secret, &json));
            prop_assert!(is_found(&secret, &twice));
            prop_assert!(is_found(&secret, &hex(secret.as_bytes())));
            if !secret.contains(['*', '~']) {
                prop_assert!(is_found(&secret, &form), "{}", form);
            }
        }
    }
}
