//! Floating point numbers in JSON: the shortest digits that give the number back. JSON has no word
//! for the rest, so they are strings: `"Infinity"`, `"-Infinity"` and `"NaN"` as Python spells them,
//! and `"NaN(0x7ff8000000000001)"` with all its bits (8 digits for a float) for a NaN that is not
//! the usual one.

use super::out::Out;

pub(super) fn print_float(out: &mut Out<'_>, value: f32) {
    if value.is_nan() {
        let bits = value.to_bits();
        print_nan(
            out,
            (bits != f32::NAN.to_bits()).then(|| format!("{bits:#010x}")),
        );
    } else {
        print_number(out, f64::from(value), &serde_json::to_string(&value));
    }
}

pub(super) fn print_double(out: &mut Out<'_>, value: f64) {
    if value.is_nan() {
        let bits = value.to_bits();
        print_nan(
            out,
            (bits != f64::NAN.to_bits()).then(|| format!("{bits:#018x}")),
        );
    } else {
        print_number(out, value, &serde_json::to_string(&value));
    }
}

fn print_nan(out: &mut Out<'_>, unusual: Option<String>) {
    match unusual {
        None => out.quoted("NaN"),
        Some(bits) => out.quoted(&format!("NaN({bits})")),
    }
}

fn print_number(out: &mut Out<'_>, value: f64, shortest: &serde_json::Result<String>) {
    match shortest {
        Ok(text) if value.is_finite() => out.raw(text),
        _ if value > 0.0 => out.quoted("Infinity"),
        _ => out.quoted("-Infinity"),
    }
}

/// The float of a text that is not digits; its bits are kept, where a conversion from a double would
/// make a signalling NaN quiet.
pub(super) fn parse_float(text: &str) -> Option<f32> {
    match infinity_or_nan(text) {
        #[allow(clippy::cast_possible_truncation)] // infinities and NaN are the same in both
        Some(value) => Some(value as f32),
        None => {
            let bits = u32::from_str_radix(nan_bits(text)?, 16).ok()?;
            Some(f32::from_bits(bits)).filter(|value| value.is_nan())
        }
    }
}

pub(super) fn parse_double(text: &str) -> Option<f64> {
    infinity_or_nan(text).or_else(|| {
        let bits = u64::from_str_radix(nan_bits(text)?, 16).ok()?;
        Some(f64::from_bits(bits)).filter(|value| value.is_nan())
    })
}

fn infinity_or_nan(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn nan_bits(text: &str) -> Option<&str> {
    text.strip_prefix("NaN(0x")?.strip_suffix(')')
}
