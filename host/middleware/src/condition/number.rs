//! Numbers, compared as the numbers they are and not as what a float makes of them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// The longest text of a hexadecimal integer whose digits are looked at. A longer one is beyond every
/// float and every number that a policy can name, so its sign decides.
const MAX_HEX_DIGITS: usize = 512;
/// The most digits that a number in a policy has; fewer than those of [`MAX_HEX_DIGITS`].
pub(super) const MAX_LITERAL_DIGITS: usize = 400;

/// A finite or infinite number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number<'a> {
    Int(i128),
    /// An integer beyond `i128`, by its decimal digits without leading zeros.
    Big {
        negative: bool,
        digits: Cow<'a, str>,
    },
    /// An integer that is farther from zero than everything it can be compared with.
    Huge {
        negative: bool,
    },
    /// Never NaN.
    Float(f64),
}

impl<'a> Number<'a> {
    /// A float, unless it is NaN: that is before, after and beside no number.
    pub(super) fn float(value: f64) -> Option<Self> {
        (!value.is_nan()).then_some(Self::Float(value))
    }

    /// An integer in one of the two forms that the guest writes: decimal, or `0x` hexadecimal.
    pub(super) fn integer(text: &'a str) -> Option<Self> {
        let (negative, magnitude) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if let Some(hex) = magnitude.strip_prefix("0x") {
            return Self::hexadecimal(negative, hex);
        }
        let is_decimal = !magnitude.is_empty()
            && magnitude.bytes().all(|byte| byte.is_ascii_digit())
            && (magnitude == "0" || !magnitude.starts_with('0'));
        if !is_decimal {
            return None;
        }
        Some(match text.parse() {
            Ok(small) => Self::Int(small),
            Err(_) => Self::Big { negative, digits: Cow::Borrowed(magnitude) },
        })
    }

    fn hexadecimal(negative: bool, hex: &str) -> Option<Self> {
        let is_hex = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || (hex.len() > 1 && hex.starts_with('0')) {
            return None;
        }
        if hex.len() > MAX_HEX_DIGITS {
            return Some(Self::Huge { negative });
        }
        // Digits of the decimal form, the lowest first.
        let mut digits = vec![0_u8];
        for digit in hex.chars() {
            let mut carry = digit.to_digit(16)?;
            for place in &mut digits {
                let value = u32::from(*place) * 16 + carry;
                *place = u8::try_from(value % 10).ok()?;
                carry = value / 10;
            }
            while carry > 0 {
                digits.push(u8::try_from(carry % 10).ok()?);
                carry /= 10;
            }
        }
        let digits: String = digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
        let sign = if negative { "-" } else { "" };
        Some(match format!("{sign}{digits}").parse() {
            Ok(small) => Self::Int(small),
            Err(_) => Self::Big { negative, digits: Cow::Owned(digits) },
        })
    }

    /// None where it cannot be said.
    pub(super) fn compare(&self, other: &Number<'_>) -> Option<Ordering> {
        use Number::{Float, Huge, Int};
        match (self, other) {
            (Int(left), Int(right)) => Some(left.cmp(right)),
            (Float(left), Float(right)) => left.partial_cmp(right),
            (Float(float), whole) => Some(whole.compare_float(*float).reverse()),
            (whole, Float(float)) => Some(whole.compare_float(*float)),
            (Huge { negative }, Huge { negative: other }) => {
                // Of two that are so far out on the same side, nothing is known.
                (negative != other).then(|| other.cmp(negative))
            }
            (Huge { negative }, right) => right.is_comparable_to_huge().then_some(sign(*negative)),
            (left, Huge { negative }) => {
                left.is_comparable_to_huge().then_some(sign(*negative).reverse())
            }
            (left, right) => Some(compare_digits(&left.parts(), &right.parts())),
        }
    }

    fn is_comparable_to_huge(&self) -> bool {
        match self {
            Self::Big { digits, .. } => digits.len() <= MAX_LITERAL_DIGITS,
            _ => true,
        }
    }

    /// A whole number against a float, by the float's exact value.
    fn compare_float(&self, float: f64) -> Ordering {
        if float.is_infinite() {
            return sign(float > 0.0);
        }
        if let Self::Huge { negative } = self {
            return sign(*negative);
        }
        // With no places after the point, the digits of a whole float are all of them, exactly.
        let whole = format!("{:.0}", float.trunc());
        let (negative, digits) = match whole.strip_prefix('-') {
            Some(digits) => (digits != "0", digits),
            None => (false, whole.as_str()),
        };
        compare_digits(&self.parts(), &(negative, Cow::Borrowed(digits)))
            .then_with(|| 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
    }

    /// Sign and digits of a whole number.
    fn parts(&self) -> (bool, Cow<'_, str>) {
        match self {
            Self::Int(value) => (*value < 0, Cow::Owned(value.unsigned_abs().to_string())),
            Self::Big { negative, digits } => (*negative, Cow::Borrowed(digits)),
            // Those two are compared before this is asked.
            Self::Huge { negative } => (*negative, Cow::Borrowed("")),
            Self::Float(_) => (false, Cow::Borrowed("0")),
        }
    }
}

/// How a number far out on one side compares to everything else.
fn sign(negative: bool) -> Ordering {
    if negative { Ordering::Less } else { Ordering::Greater }
}

fn compare_digits(left: &(bool, Cow<'_, str>), right: &(bool, Cow<'_, str>)) -> Ordering {
    let magnitudes = || left.1.len().cmp(&right.1.len()).then_with(|| left.1.cmp(&right.1));
    match (left.0, right.0) {
        (false, false) => magnitudes(),
        (true, true) => magnitudes().reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

impl fmt::Display for Number<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(formatter, "{value}"),
            Self::Big { negative, digits } => {
                write!(formatter, "{}{digits}", if *negative { "-" } else { "" })
            }
            Self::Huge { negative } => formatter.write_str(if *negative {
                "a huge negative number"
            } else {
                "a huge number"
            }),
            Self::Float(value) => write!(formatter, "{value:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compared(left: &str, right: f64) -> Option<Ordering> {
        Number::integer(left)?.compare(&Number::float(right)?)
    }

    #[test]
    fn a_float_does_not_blur_an_integer() {
        assert_eq!(compared("9007199254740993", 9_007_199_254_740_992.0), Some(Ordering::Greater));
        assert_eq!(compared("9007199254740992", 9_007_199_254_740_992.0), Some(Ordering::Equal));
        assert_eq!(compared("100000000000000000000000", 1e23), Some(Ordering::Greater));
        assert_eq!(
            compared("18446744073709551616", 18_446_744_073_709_551_616.0),
            Some(Ordering::Equal)
        );
        assert_eq!(compared("1000", 1000.0), Some(Ordering::Equal));
        assert_eq!(compared("1000", 1_000.000_000_1), Some(Ordering::Less));
        assert_eq!(compared("-1000", -1000.5), Some(Ordering::Greater));
        assert_eq!(compared("0", -0.0), Some(Ordering::Equal));
        assert_eq!(compared("0", -0.5), Some(Ordering::Greater));
        assert_eq!(compared("1", f64::INFINITY), Some(Ordering::Less));
        assert_eq!(compared("1", f64::NEG_INFINITY), Some(Ordering::Greater));
    }

    #[test]
    fn integers_have_no_size() {
        let compare = |left: &str, right: &str| {
            Number::integer(left).zip(Number::integer(right)).and_then(|(a, b)| a.compare(&b))
        };
        let big = format!("1{}", "0".repeat(60));
        assert_eq!(compare(&big, "1000"), Some(Ordering::Greater));
        assert_eq!(compare(&format!("-{big}"), "-1000"), Some(Ordering::Less));
        assert_eq!(compare("0x10", "16"), Some(Ordering::Equal));
        assert_eq!(compare("-0x10", "-16"), Some(Ordering::Equal));
        assert_eq!(
            compare(
                "0x100000000000000000000000000000000",
                "340282366920938463463374607431768211456"
            ),
            Some(Ordering::Equal)
        );
        let huge = format!("0x{}", "f".repeat(100_000));
        assert_eq!(compare(&huge, "1000"), Some(Ordering::Greater));
        assert_eq!(compare(&format!("-{huge}"), &big), Some(Ordering::Less));
        assert_eq!(compare(&huge, &huge), None);
        assert_eq!(compare(&huge, &"9".repeat(10_000)), None);
        assert_eq!(compared(&huge, f64::MAX), Some(Ordering::Greater));
        assert_eq!(compared(&huge, f64::INFINITY), Some(Ordering::Less));
    }

    #[test]
    fn other_spellings_of_integers_are_none() {
        for text in [
            "", "-", "+1", "01", "1_000", " 1", "1 ", "0X10", "0b1", "0o7", "0x", "0x01", "１",
            "--1",
        ] {
            assert_eq!(Number::integer(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn small_integers_compare_with_floats_as_they_do_in_rust(left: i32, right: f64) {
            prop_assert_eq!(compared(&left.to_string(), right), f64::from(left).partial_cmp(&right));
        }

        #[test]
        fn hexadecimal_and_decimal_are_the_same_numbers(value: i128) {
            let sign = if value < 0 { "-" } else { "" };
            let hex = format!("{sign}0x{:x}", value.unsigned_abs());
            let decimal = value.to_string();
            prop_assert_eq!(Number::integer(&hex), Number::integer(&decimal));
        }
    }
}
