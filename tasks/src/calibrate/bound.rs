//! Bounds on rates, and figures with as many digits as they are worth.

use serde::Serialize;

/// The rate of honest answers beyond the limits that other honest answers set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RateBound {
    pub checks: u32,
    pub beyond: u32,
    /// With 95 % confidence the rate of false alarms is below this.
    pub rate_max: f64,
}

pub(crate) fn bounded(checks: u32, beyond: u32) -> RateBound {
    // None in n: the rule of three (J. Hanley and A. Lippman-Hand, 1983); else the normal approximation.
    let count = f64::from(beyond);
    let most = if beyond == 0 { 3.0 } else { count + 1.645 * count.sqrt() + 1.35 };
    RateBound { checks, beyond, rate_max: most / f64::from(checks.max(1)) }
}

/// To four digits: more would be noise.
pub(crate) fn significant(value: f64) -> f64 {
    // Adding 0 makes a negative zero positive: its sign would look as if it meant something.
    format!("{value:.3e}").parse::<f64>().map_or(value, |value| value + 0.0)
}

/// Up to two digits.
pub(crate) fn rounded_up(value: f64) -> f64 {
    let near = format!("{value:.1e}").parse::<f64>().unwrap_or(value);
    // Two digits are at most 5 % too low, so that 5 % more rounds to the value or above.
    if near >= value { near } else { format!("{:.1e}", value * 1.05).parse::<f64>().unwrap_or(value) }
}
