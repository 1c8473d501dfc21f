//! Numbers as words of a page.

use crate::bench::interval::Estimate;

/// The ends of an interval.
pub fn interval(estimate: &Estimate, show: fn(f64) -> String) -> String {
    format!("{}–{}", show(estimate.low), show(estimate.high))
}

/// A time in the unit that suits it, to three digits.
pub fn time(ns: f64) -> String {
    match ns.abs() {
        v if v < 999.5 => format!("{} ns", number(ns)),
        v if v < 999.5e3 => format!("{} µs", number(ns / 1e3)),
        v if v < 999.5e6 => format!("{} ms", number(ns / 1e6)),
        _ => format!("{} s", number(ns / 1e9)),
    }
}

/// Three digits.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A whole number with its thousands apart.
pub fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(
            [5.0, 999.6, -2_500.0, 1.234e7, 2e9].map(time),
            ["5.00 ns", "1.00 µs", "-2.50 µs", "12.3 ms", "2.00 s"]
        );
        assert_eq!([0.0, 999.0, 1000.0, 1_234_567.0].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
