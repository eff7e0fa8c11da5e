//! From a file as written to a policy that is valid.
//!
//! Both versions of the file end in one [`Policy`], whose fields later code trusts. Decimals become billionths here, exactly.

use serde::Deserialize;
use weighhouse_types::Hotkey;

use super::{
    AverageKind, Averaging, ClusterPay, Expression, File, Fraction, POLICY_VERSION, Policy, PolicyError,
    Shape, ShapeKind, WINDOW_MAX,
};

/// Verdict rounds per epoch that a policy may ask for.
const ROUNDS_MAX: u32 = 1000;

/// Version 1 as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version1 {
    #[serde(rename = "version")]
    _version: u32,
    shape: String,
    memory: f64,
    min_mark: f64,
    min_attempts: u32,
    min_coverage: f64,
    min_miners: u16,
    max_score_age_epochs: u32,
}

pub(super) fn version_1(file: &Version1) -> Result<Policy, PolicyError> {
    let memory = fraction("memory", file.memory)?;
    if memory == Fraction::ONE {
        let wanted = "at least 0 and less than 1, so that new judgements count";
        return Err(PolicyError::Value { key: "memory", found: memory.to_string(), wanted });
    }
    if file.shape != "linear" {
        let found = format!("{:?}", file.shape);
        return Err(PolicyError::Value { key: "shape", found, wanted: "\"linear\"" });
    }
    Ok(Policy {
        version: 1,
        averaging: Averaging::Ema { rise: memory, fall: memory },
        floor: fraction("min_mark", file.min_mark)?,
        min_attempts: u64::from(file.min_attempts),
        min_coverage: fraction("min_coverage", file.min_coverage)?,
        min_miners: file.min_miners,
        max_age_epochs: u64::from(file.max_score_age_epochs),
        // Everything that version 1 didn't know has the default of version 2, which changes no old vector.
        ..version_2(&File::default())?
    })
}

pub(super) fn version_2(file: &File) -> Result<Policy, PolicyError> {
    if file.version != POLICY_VERSION {
        return Err(PolicyError::Version { found: file.version });
    }
    let mark_share = fraction("metrics.mark", file.metrics.mark)?;
    let answered_share = fraction("metrics.answered", file.metrics.answered)?;
    // Compared as integers: in floats 0.7 and 0.3 may not add up to 1.
    if mark_share.billionths() + answered_share.billionths() != Fraction::ONE.billionths() {
        let found = format!("{mark_share} beside `metrics.answered` of {answered_share}");
        return Err(PolicyError::Value { key: "metrics.mark", found, wanted: "such that they sum to 1" });
    }
    let positive = |key, value| match fraction(key, value)? {
        Fraction::ZERO => Err(bad(key, value, "above 0 and at most 1")),
        fraction => Ok(fraction),
    };
    if file.guards.min_samples == 0 {
        return Err(bad("guards.min_samples", 0, "at least 1"));
    }
    if file.audit.rounds > ROUNDS_MAX || file.audit.spot_rounds > ROUNDS_MAX {
        let most = file.audit.rounds.max(file.audit.spot_rounds);
        return Err(bad("audit.rounds", most, "at most 1000, and so `audit.spot_rounds`"));
    }
    Ok(Policy {
        version: file.version,
        mark_share,
        answered_share,
        deadline_us: match file.deadline.milliseconds {
            0 => None,
            milliseconds => Some(u64::from(milliseconds) * 1000),
        },
        capacity: file.deadline.capacity,
        averaging: averaging(file)?,
        standard_errors_milli: milli(file.significance.standard_errors)?,
        min_attempts: u64::from(file.newcomer.min_attempts),
        ramp_epochs: u64::from(file.newcomer.ramp_epochs),
        floor: fraction("shape.floor", file.shape.floor)?,
        shape: shape(file)?,
        cap: positive("caps.share", file.caps.share)?,
        burn: burn(file)?,
        cluster_pay: file.cluster.pay,
        cluster_agreement: match file.cluster.pay {
            ClusterPay::Each => fraction("cluster.agreement", file.cluster.agreement)?,
            ClusterPay::Split | ClusterPay::First => positive("cluster.agreement", file.cluster.agreement)?,
        },
        min_coverage: fraction("guards.min_coverage", file.guards.min_coverage)?,
        min_miners: file.guards.min_miners,
        min_samples: file.guards.min_samples,
        max_age_epochs: u64::from(file.guards.max_age_epochs),
        rounds: (file.audit.rounds > 0).then_some(file.audit.rounds),
        spot_rounds: file.audit.spot_rounds,
        spot_share: fraction("audit.spot_share", file.audit.spot_share)?,
        witness_share: match fraction("audit.witness_share", file.audit.witness_share)? {
            share if share < Fraction::HALF || share == Fraction::ONE => {
                return Err(bad("audit.witness_share", file.audit.witness_share, "at least 0.5 and below 1"));
            }
            share => share,
        },
        expression: file.expression.score.as_deref().map(Expression::compile).transpose()?,
    })
}

fn averaging(file: &File) -> Result<Averaging, PolicyError> {
    let average = &file.average;
    let epochs = usize::try_from(average.epochs).unwrap_or(usize::MAX);
    if epochs == 0 || epochs > WINDOW_MAX {
        return Err(bad("average.epochs", average.epochs, "from 1 to 64"));
    }
    let rise = memory("average.half_life", average.half_life)?;
    let fall = match average.fall_half_life {
        Some(half_life) => memory("average.fall_half_life", half_life)?,
        None => rise,
    };
    let trim = fraction("average.trim", average.trim)?;
    // At a half or more nothing would be left to average.
    if trim.billionths() * 2 >= Fraction::ONE.billionths() {
        return Err(bad("average.trim", average.trim, "below 0.5"));
    }
    Ok(match average.kind {
        AverageKind::Ema => Averaging::Ema { rise, fall },
        AverageKind::Window => Averaging::Window { epochs },
        AverageKind::MedianOfMeans => Averaging::MedianOfMeans { epochs },
        AverageKind::Trimmed => Averaging::Trimmed { epochs, trim },
    })
}

/// The share of an average that an epoch leaves: 2^(-1 / half-life), to the nearest billionth.
fn memory(key: &'static str, half_life: f64) -> Result<Fraction, PolicyError> {
    if !(0.0..=1000.0).contains(&half_life) {
        return Err(bad(key, half_life, "from 0 to 1000 epochs"));
    }
    if half_life == 0.0 {
        return Ok(Fraction::ZERO);
    }
    // libm and not the platform's: the same policy must have the same memory on every machine.
    let share = libm::exp2(-1.0 / half_life) * 1e9;
    Ok(Fraction::from_billionths(libm::round(share) as u64)
        .expect("a power of 2 to a negative number is below one"))
}

fn milli(standard_errors: f64) -> Result<u64, PolicyError> {
    let key = "significance.standard_errors";
    let scaled = standard_errors * 1000.0;
    let rounded = libm::round(scaled);
    // Multiplying by 1000 errs by about 1e-12, which is no fourth decimal.
    if !(0.0..=10.0).contains(&standard_errors) || libm::fabs(scaled - rounded) > 1e-6 {
        return Err(bad(key, standard_errors, "from 0 to 10 with at most three decimals"));
    }
    Ok(rounded as u64)
}

fn shape(file: &File) -> Result<Shape, PolicyError> {
    let keys = &file.shape;
    let hysteresis = fraction("shape.hysteresis", keys.hysteresis)?;
    // Comparisons that NaN fails.
    let within = |key, value: f64, low: f64, high: f64, wanted| {
        if (low..=high).contains(&value) { Ok(value) } else { Err(bad(key, value, wanted)) }
    };
    let least = f64::MIN_POSITIVE;
    Ok(match keys.kind {
        ShapeKind::Linear => Shape::Linear,
        ShapeKind::Power => Shape::Power {
            exponent: within("shape.exponent", keys.exponent, least, 16.0, "above 0 and at most 16")?,
        },
        ShapeKind::Softmax => Shape::Softmax {
            temperature: within("shape.temperature", keys.temperature, 0.01, 100.0, "from 0.01 to 100")?,
        },
        ShapeKind::Rank => Shape::Rank {
            ratio: within("shape.ratio", keys.ratio, least, 1.0, "above 0 and at most 1")?,
            hysteresis,
        },
        ShapeKind::WinnerTakesAll => Shape::WinnerTakesAll { hysteresis },
        ShapeKind::TopK => match usize::try_from(keys.keep) {
            Ok(keep) if keep > 0 => Shape::TopK { keep },
            _ => return Err(bad("shape.keep", keys.keep, "at least 1")),
        },
    })
}

fn burn(file: &File) -> Result<Option<(Fraction, Hotkey)>, PolicyError> {
    let share = fraction("burn.share", file.burn.share)?;
    if share == Fraction::ONE {
        return Err(bad("burn.share", share, "less than 1, so that miners are paid"));
    }
    let hotkey = file.burn.hotkey.as_deref().map(|address| {
        address.parse::<Hotkey>().map_err(|error| {
            let found = format!("{address:?} ({error})");
            PolicyError::Value { key: "burn.hotkey", found, wanted: "an SS58 address" }
        })
    });
    match (share, hotkey.transpose()?) {
        (Fraction::ZERO, _) => Ok(None),
        (share, Some(hotkey)) => Ok(Some((share, hotkey))),
        (share, None) => {
            let found = format!("{share} without `burn.hotkey`");
            Err(PolicyError::Value { key: "burn.share", found, wanted: "0 unless a hotkey gets it" })
        }
    }
}

fn fraction(key: &'static str, value: f64) -> Result<Fraction, PolicyError> {
    Fraction::from_f64(value).ok_or_else(|| bad(key, value, "a decimal in [0, 1] with at most nine places"))
}

fn bad(key: &'static str, found: impl std::fmt::Display, wanted: &'static str) -> PolicyError {
    PolicyError::Value { key, found: found.to_string(), wanted }
}
