//! Hot paths, measured against the limit that matters, as ratios taken in one run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use weighhouse_scoring::yuma::{self, EpochInput, Hyperparameters, Rules};
use weighhouse_types::{Digest, Hotkey};
use weighhouse_wallet::btauth::Payload;
use weighhouse_wallet::keypair::{self, Keypair};

use crate::result;

const SAMPLES: usize = 30;

/// The median time of a call.
fn median(mut run: impl FnMut()) -> Duration {
    run();
    let mut times: Vec<_> = (0..SAMPLES)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[SAMPLES / 2]
}

pub(crate) fn yuma() -> anyhow::Result<()> {
    let input = busy_subnet(256, 64);
    yuma::epoch(Rules::Spec425, &input).context("the epoch runs")?;
    let ours = median(|| {
        black_box(yuma::epoch(Rules::Spec425, black_box(&input))).ok();
    });
    let limit = Duration::from_millis(120);
    result(&serde_json::json!({
        "name": "yuma", "ours": ours.as_secs_f64(), "limit": limit.as_secs_f64(),
        "ratio": ours.as_secs_f64() / limit.as_secs_f64(), "goal": "at most 1", "unit": "seconds per epoch",
    }));
    Ok(())
}

/// Every validator weighs every miner, each a little differently, on top of bonds from an epoch before.
fn busy_subnet(uids: u16, validators: u16) -> EpochInput {
    let count = usize::from(uids);
    let row = |uid: u16, salt: u32| -> Vec<(u16, u16)> {
        let weight =
            |miner: u16| ((u32::from(uid) * 7919 + u32::from(miner) * 104_729 + salt) % 65_535) as u16 + 1;
        if uid < validators {
            (validators..uids).map(|miner| (miner, weight(miner))).collect()
        } else {
            Vec::new()
        }
    };
    EpochInput {
        block: 1000,
        stake: (0..uids)
            .map(|uid| if uid < validators { u64::from(uid + 1) * 1_000_000_000_000 } else { 0 })
            .collect(),
        last_update: vec![990; count],
        block_at_registration: vec![1; count],
        validator_permit: (0..uids).map(|uid| uid < validators).collect(),
        weights: (0..uids).map(|uid| row(uid, 11)).collect(),
        bonds: (0..uids).map(|uid| row(uid, 23)).collect(),
        hyperparameters: Hyperparameters {
            kappa: 32_767,
            bonds_penalty: 65_535,
            bonds_moving_average: 900_000,
            alpha_low: 45_875,
            alpha_high: 58_982,
            alpha_sigmoid_steepness: 1000,
            max_allowed_validators: validators,
            activity_cutoff: 5000,
            stake_threshold: 0,
            liquid_alpha: true,
            yuma3: true,
            commit_reveal: false,
        },
        earliest_commit_block: vec![None; count],
        last_step_boundary_block: 640,
        owner_uid: None,
        emission_rao: 1_000_000_000,
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
    let bare = median(|| {
        black_box(keypair::verify(&public, black_box(&bytes), &signature)).ok();
    });
    let ours = median(|| {
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
