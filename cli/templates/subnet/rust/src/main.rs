//! The judge: what this subnet pays for. Here: values of a curve of which miners see some points, with noise.

use weighhouse_judge::rand_core::Rng;
use weighhouse_judge::{ChaCha20Rng, Challenge, InferAnswer, Judge, ServeError, Tensor, Verdict, serve};

const SEEN: usize = 64;
const NOISE: f32 = 0.1;

struct Curve;

/// In [0, 1), with the same bits on every machine.
fn unit(rng: &mut ChaCha20Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

fn vector(name: &str, values: &[f32]) -> Tensor {
    Tensor::from_f32(name, vec![values.len() as u64], values).expect("as many values as the shape says")
}

impl Judge for Curve {
    const NAME: &'static str = "Curve";

    /// All chance comes from `rng`: an auditor draws the same bits again.
    fn draw(&self, rng: &mut ChaCha20Rng, items: u32) -> Challenge {
        let (slope, bend) = (unit(rng), unit(rng));
        let x: Vec<f32> = (0..SEEN + items as usize).map(|_| unit(rng)).collect();
        let truth: Vec<f32> = x.iter().map(|x| slope * x - (1.0 + bend) * x * x).collect();
        let seen: Vec<f32> = truth[..SEEN].iter().map(|y| y + NOISE * (unit(rng) - 0.5)).collect();
        Challenge {
            inputs: vec![vector("x", &x[..SEEN]), vector("y", &seen), vector("ask", &x[SEEN..])],
            outputs: vec!["y".to_owned()],
            secret: vector("truth", &truth[SEEN..]).data().to_vec(),
        }
    }

    /// R squared: 1 for the truth itself, 0 for its mean.
    fn judge(&self, challenge: &Challenge, answer: &InferAnswer) -> Verdict {
        let bytes = challenge.secret.chunks_exact(4);
        let truth: Vec<f64> =
            bytes.map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect();
        let y = match answer.output("y").and_then(Tensor::to_f32) {
            Ok(y) if y.len() != truth.len() => {
                return Verdict::malformed(format!("{} values instead of {}", y.len(), truth.len()));
            }
            Ok(y) if !y.iter().all(|y| y.is_finite()) => {
                return Verdict::malformed("a number that is not finite");
            }
            Ok(y) => y,
            Err(error) => return Verdict::malformed(error.to_string()),
        };
        let mean = truth.iter().sum::<f64>() / truth.len() as f64;
        let missed: f64 = truth.iter().zip(&y).map(|(truth, y)| (truth - f64::from(*y)).powi(2)).sum();
        let spread: f64 = truth.iter().map(|truth| (truth - mean).powi(2)).sum();
        let score = 1.0 - missed / spread;
        if score > 0.0 {
            Verdict::accepted(score, format!("R squared {score:.3}"))
        } else {
            // What is worse than guessing costs something, or guesses would earn by their luck.
            Verdict::wrong(score.max(-1.0), "no better than the mean")
        }
    }
}

fn main() -> Result<(), ServeError> {
    serve(Curve, env!("CARGO_MANIFEST_DIR"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_judge::rand_core::SeedableRng;

    fn judged(answer: impl Fn(&Challenge) -> Vec<f32>) -> Verdict {
        let challenge = Curve.draw(&mut ChaCha20Rng::from_seed([1; 32]), 32);
        let outputs = vec![vector("y", &answer(&challenge))];
        let (model, version, id) = (String::new(), String::new(), String::new());
        Curve.judge(&challenge, &InferAnswer { model, version, id, outputs })
    }

    fn truth(challenge: &Challenge) -> Vec<f32> {
        challenge.secret.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }

    #[test]
    fn the_truth_is_worth_everything() {
        assert_eq!(judged(truth), Verdict::accepted(1.0, "R squared 1.000"));
    }

    #[test]
    fn cheats_are_worth_nothing_or_less() {
        assert_eq!(judged(|_| vec![50.0; 32]), Verdict::wrong(-1.0, "no better than the mean"));
        assert_eq!(judged(|_| vec![f32::NAN; 32]), Verdict::malformed("a number that is not finite"));
        assert_eq!(judged(|_| vec![0.0; 3]), Verdict::malformed("3 values instead of 32"));
    }
}
