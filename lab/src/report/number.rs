//! Numbers as a reader wants them: three digits that count, and a dash for what is not a number.

/// Placeholder for a figure that is missing or not finite.
pub(super) const DASH: &str = "–";

/// From here on a number is written with an exponent.
const LONG: f64 = 1e9;

/// Three significant digits, whole numbers in full.
pub(super) fn number(value: Option<f64>) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else {
        return DASH.to_owned();
    };
    let size = value.abs();
    // Each limit is half a step below a power of ten: from there on rounding adds a digit.
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-4..LONG).contains(&size) {
        format!("{value:.2e}")
    } else if value.fract() == 0.0 || size >= 999.5 {
        grouped(&format!("{value:.0}"))
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else if size >= 0.9995 {
        format!("{value:.2}")
    } else if size >= 0.01 {
        format!("{value:.3}")
    } else {
        format!("{value:.5}")
    }
}

/// A share as percent.
pub(super) fn percent(share: Option<f64>) -> String {
    let Some(share) = share.filter(|share| (share * 100.0).is_finite()) else {
        return DASH.to_owned();
    };
    let hundredths = share * 100.0;
    let size = hundredths.abs();
    // A multiple such as 0.07 * 100 is not whole by a hair.
    let digits = if (hundredths - hundredths.round()).abs() < 1e-9 || size >= 99.95 {
        // Adding 0 takes the sign off a negative zero.
        if size >= LONG { number(Some(hundredths)) } else { grouped(&format!("{:.0}", hundredths + 0.0)) }
    } else if size >= 9.995 {
        format!("{hundredths:.1}")
    } else if size >= 0.005 {
        format!("{hundredths:.2}")
    } else {
        number(Some(hundredths))
    };
    format!("{digits} %")
}

/// A share of bad miners as a column's head; at 0 a single operator attacks.
pub(super) fn bad(fraction: f64) -> String {
    if fraction == 0.0 { "one".to_owned() } else { percent(Some(fraction)) }
}

/// The same in a sentence.
pub(super) fn among(fraction: f64) -> String {
    if fraction == 0.0 {
        "by a single attacker".to_owned()
    } else {
        format!("at {} bad miners", bad(fraction))
    }
}

/// A ratio in few characters, for a cell.
pub(super) fn ratio(value: Option<f64>) -> String {
    short(value, 2)
}

/// A ratio with one digit more, for a sentence.
pub(super) fn precise(value: Option<f64>) -> String {
    short(value, 3)
}

fn short(value: Option<f64>, decimals: usize) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else {
        return DASH.to_owned();
    };
    let size = value.abs();
    let text = if size < 9.995 {
        format!("{value:.decimals$}")
    } else if size < 99.95 {
        format!("{value:.1}")
    } else if size < 9999.5 {
        format!("{value:.0}")
    } else {
        format!("{value:.0e}")
    };
    // What rounds to nothing is not negative.
    let zero = text.strip_prefix('-').filter(|rest| rest.chars().all(|digit| matches!(digit, '0' | '.')));
    zero.map_or(text.clone(), str::to_owned)
}

/// A difference of shares, in percentage points, with its sign.
pub(super) fn points(difference: f64) -> String {
    let text = percent(Some(difference));
    let text = text.trim_end_matches(" %");
    if difference > 0.0 { format!("+{text}") } else { text.to_owned() }
}

/// A value of this unit, unit included.
pub(super) fn with_unit(value: Option<f64>, unit: &str) -> String {
    match unit {
        "%" => percent(value),
        "" => number(value),
        _ if !value.is_some_and(f64::is_finite) => DASH.to_owned(),
        _ => format!("{} {unit}", number(value)),
    }
}

/// Commas between thousands.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    text.push_str(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    // What rounds to nothing has no sign.
    if text == "-0" { "0".to_owned() } else { text }
}
