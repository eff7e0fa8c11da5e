//! Hot paths, measured against the limit that matters, as ratios taken in one run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use weighhouse_types::{Digest, Hotkey};
use weighhouse_wallet::btauth::Payload;
use weighhouse_wallet::keypair::{self, Keypair};
use weighhouse_yuma::{self as yuma, EpochInput, Hyperparameters, Rules};

use crate::median::median;
use crate::result;

const SAMPLES: usize = 301;

/// The median time of a call.
fn median_time(mut run: impl FnMut()) -> Duration {
    // Caches and branch predictors warm up; this call isn't counted.
    run();
    let timed = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    median((0..SAMPLES).map(timed).collect())
}

/// Seconds that an epoch of the goal's size may take.
const YUMA_LIMIT_S: f64 = 300e-6;

/// One line per case, and the goal's case last: both versions on 64 validators x 192 miners, the slower one counts.
pub(crate) fn yuma() -> anyhow::Result<()> {
    let seconds = |name: &str, subnet: BenchSubnet| -> anyhow::Result<f64> {
        let input = subnet.busy();
        let mut workspace = yuma::Workspace::default();
        // Once for its error, which the timed calls drop.
        workspace.epoch(Rules::Spec425, &input).context("the epoch runs")?;
        let seconds = median_time(|| {
            black_box(workspace.epoch(Rules::Spec425, black_box(&input))).ok();
        })
        .as_secs_f64();
        let nonzeros: usize = input.weights.iter().map(Vec::len).sum();
        result(&serde_json::json!({
            "name": format!("yuma {name}"), "ours": seconds, "uids": subnet.uids, "nonzeros": nonzeros,
            "per_nonzero": seconds / nonzeros as f64, "unit": "seconds per epoch",
        }));
        Ok(seconds)
    };
    let goal = BenchSubnet { uids: 256, one_in: 1, yuma3: false, liquid_alpha: false };
    let yuma2 = seconds("2", goal)?;
    let yuma3 = seconds("3", BenchSubnet { yuma3: true, ..goal })?;
    let liquid_alpha =
        seconds("3 with liquid alpha", BenchSubnet { yuma3: true, liquid_alpha: true, ..goal })?;
    let mut sparse = Vec::new();
    for one_in in [4, 8, 16, 32, 64] {
        let subnet = BenchSubnet { uids: 2048, one_in, ..goal };
        sparse.push(serde_json::json!({ "one_in": one_in, "ours": seconds("2 sparse", subnet)? }));
    }
    let uids_4096 = seconds("2 of 4096 uids", BenchSubnet { uids: 4096, ..goal })?;
    let ours = yuma2.max(yuma3);
    result(&serde_json::json!({
        "name": "yuma", "ours": ours, "limit": YUMA_LIMIT_S, "ratio": ours / YUMA_LIMIT_S, "goal": "at most 1",
        "unit": "seconds per epoch", "yuma2": yuma2, "yuma3": yuma3, "liquid_alpha": liquid_alpha, "sparse": sparse,
        "uids_4096": uids_4096,
    }));
    Ok(())
}

const VALIDATORS: u16 = 64;

#[derive(Clone, Copy)]
struct BenchSubnet {
    uids: u16,
    /// Miners for each one that a validator weighs.
    one_in: u16,
    yuma3: bool,
    liquid_alpha: bool,
}

impl BenchSubnet {
    /// Every validator weighs its miners, each a little differently, on top of bonds from an epoch before.
    fn busy(self) -> EpochInput {
        let uids = self.uids;
        let count = usize::from(uids);
        let row = |uid: u16, salt: u32| -> Vec<(u16, u16)> {
            let weight = |miner: u16| {
                // Never 0, so that rows are as dense as `one_in` says.
                ((u32::from(uid) * 7919 + u32::from(miner) * 104_729 + salt) % 65_535) as u16 + 1
            };
            let weighs = |&miner: &u16| (miner + uid).is_multiple_of(self.one_in);
            let miners = (VALIDATORS..uids).filter(weighs).map(|miner| (miner, weight(miner)));
            if uid < VALIDATORS { miners.collect() } else { Vec::new() }
        };
        EpochInput {
            block: 1000,
            stake: (0..uids)
                .map(|uid| if uid < VALIDATORS { u64::from(uid + 1) * 1_000_000_000_000 } else { 0 })
                .collect(),
            last_update: vec![990; count],
            block_at_registration: vec![1; count],
            validator_permit: (0..uids).map(|uid| uid < VALIDATORS).collect(),
            weights: (0..uids).map(|uid| row(uid, 11)).collect(),
            bonds: (0..uids).map(|uid| row(uid, 23)).collect(),
            hyperparameters: Hyperparameters {
                kappa: 32_767,
                bonds_penalty: 65_535,
                bonds_moving_average: 900_000,
                alpha_low: 45_875,
                alpha_high: 58_982,
                alpha_sigmoid_steepness: 1000,
                max_allowed_validators: VALIDATORS,
                activity_cutoff: 5000,
                stake_threshold: 0,
                liquid_alpha: self.liquid_alpha,
                yuma3: self.yuma3,
                commit_reveal: false,
            },
            earliest_commit_block: vec![None; count],
            last_step_boundary_block: 640,
            owner_uid: None,
            emission_rao: 1_000_000_000,
        }
    }
}

pub(crate) fn btauth() -> anyhow::Result<()> {
    let key = |uri| Keypair::from_uri(uri).context("a development key");
    let (sender, receiver) = (key("//Alice")?, key("//Bob")?.hotkey());
    let body = vec![7_u8; 2048];
    let payload = |body: &[u8]| signed_bytes(body, sender.hotkey(), receiver);
    let signature = sender.sign(&payload(&body));
    keypair::verify(&sender.public(), &payload(&body), &signature).context("our own signature")?;
    let (public, bytes) = (sender.public(), payload(&body));
    let bare = median_time(|| {
        black_box(keypair::verify(&public, black_box(&bytes), &signature)).ok();
    });
    let ours = median_time(|| {
        black_box(keypair::verify(&public, &payload(black_box(&body)), &signature)).ok();
    });
    result(&serde_json::json!({
        "name": "btauth", "ours": ours.as_secs_f64(), "limit": bare.as_secs_f64(),
        "ratio": ours.as_secs_f64() / bare.as_secs_f64(), "goal": "at most 1.25", "unit": "seconds per request",
    }));
    Ok(())
}

fn signed_bytes(body: &[u8], sender: Hotkey, receiver: Hotkey) -> Vec<u8> {
    let target = "/inference.GRPCInferenceService/ModelInfer";
    let body = Digest::of(body);
    Payload {
        method: "POST",
        target,
        body,
        nonce: 1_790_000_000_000_000_000,
        sender,
        receiver: Some(receiver),
    }
    .to_bytes()
}
