//! Figures for people.

use crate::Unit;

/// A figure with three digits and its unit.
pub(crate) fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => seconds(value),
        Unit::Bytes => format!("{} MiB", digits(value / f64::from(1 << 20))),
        Unit::PerSecond => format!("{}/s", thousands(value)),
    }
}

/// The same for what may not be there.
pub(crate) fn optional(value: Option<f64>, unit: Unit) -> String {
    value.map_or_else(|| "-".to_owned(), |value| figure(value, unit))
}

/// A number with three digits.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        large if large >= 99.95 => format!("{value:.0}"),
        middle if middle >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn seconds(value: f64) -> String {
    match value.abs() {
        long if long >= 0.9995 => format!("{} s", digits(value)),
        milli if milli >= 0.000_999_5 => format!("{} ms", digits(value * 1e3)),
        _ => format!("{} µs", digits(value * 1e6)),
    }
}

fn thousands(value: f64) -> String {
    let whole = format!("{value:.0}");
    let mut text = String::new();
    for (number, digit) in whole.chars().enumerate() {
        if number > 0 && (whole.len() - number).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_the_unit_that_fits() {
        for (value, unit, expected) in [
            (0.000_000_45, Unit::Seconds, "0.45 µs"),
            (0.000_047_12, Unit::Seconds, "47.1 µs"),
            (0.000_999_9, Unit::Seconds, "1.00 ms"),
            (0.161, Unit::Seconds, "161 ms"),
            (2.1, Unit::Seconds, "2.10 s"),
            (734_003.0, Unit::Bytes, "0.70 MiB"),
            (21_345.6, Unit::PerSecond, "21 346/s"),
            (999.0, Unit::PerSecond, "999/s"),
        ] {
            assert_eq!(figure(value, unit), expected);
        }
        assert_eq!(optional(None, Unit::Seconds), "-");
    }
}
