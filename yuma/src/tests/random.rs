//! Random states of a subnet, with what is rare on chains made common: ties, zeros, sole validators, unsorted rows, limits.

use super::*;

/// SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A proportion: often a limit, else anything.
    fn proportion(&mut self) -> u16 {
        match self.below(6) {
            0 => 0,
            1 => u16::MAX,
            2 => 32767,
            _ => self.next() as u16,
        }
    }
}

/// A state of `uids` uids and the rules to run it under.
pub(super) fn epoch_input(seed: u64, uids: usize) -> (Rules, EpochInput) {
    let random = &mut Random::new(seed);
    let blocks = random.pick(&[1, 4, 1000]);
    let block = move |random: &mut Random| if random.one_in(50) { u64::MAX } else { random.below(blocks) };
    let quiet_chain = random.one_in(2);
    let registered = |random: &mut Random| if quiet_chain { 0 } else { block(random) };
    let updated = |random: &mut Random| if quiet_chain { 2000 } else { block(random) };
    let validators = random.pick(&[1, 2, 4]);
    let (weights, bonds) = (RowStyle::new(random), RowStyle::new(random));
    let weighs: Vec<bool> = (0..uids).map(|_| random.one_in(validators)).collect();
    let input = EpochInput {
        block: 2000,
        stake: stakes(random, uids, validators),
        last_update: (0..uids).map(|_| updated(random)).collect(),
        block_at_registration: (0..uids).map(|_| registered(random)).collect(),
        validator_permit: weighs.iter().map(|&weighs| weighs || random.one_in(8)).collect(),
        weights: weighs.iter().map(|&weighs| weights.row(random, uids, weighs)).collect(),
        bonds: weighs.iter().map(|&weighs| bonds.row(random, uids, weighs)).collect(),
        hyperparameters: hyperparameters(random),
        earliest_commit_block: (0..uids).map(|_| (!random.one_in(3)).then(|| block(random))).collect(),
        last_step_boundary_block: if quiet_chain { 2000 } else { block(random) },
        owner_uid: random.one_in(2).then(|| random.below(uids as u64) as u16),
        emission_rao: random.pick(&[0, 1, 1_000_000_000, u64::MAX]),
    };
    (random.pick(&[Rules::Spec377, Rules::Spec425]), input)
}

fn stakes(random: &mut Random, uids: usize, validators: u64) -> Vec<u64> {
    let style = random.below(5);
    let stake = |random: &mut Random| match style {
        _ if random.one_in(6) || !random.one_in(validators) => 0,
        0 => 1_000_000_000_000,
        1 => 1 + random.below(3),
        2 => random.below(1 << 50),
        3 => 1 << random.below(50),
        _ => random.next(),
    };
    (0..uids).map(|_| stake(random)).collect()
}

fn hyperparameters(random: &mut Random) -> Hyperparameters {
    Hyperparameters {
        kappa: random.proportion(),
        bonds_penalty: random.proportion(),
        bonds_moving_average: match random.below(8) {
            0 => 0,
            1 => 1_000_000,
            2 => random.next(),
            3 => 1_000_001 + random.below(1_000_000),
            _ => random.below(1_000_001),
        },
        alpha_low: random.proportion(),
        alpha_high: random.proportion(),
        alpha_sigmoid_steepness: match random.below(4) {
            0 => random.next() as i16,
            1 => 100,
            _ => 1000,
        },
        max_allowed_validators: random.pick(&[0, 1, 3, 64, 128]),
        activity_cutoff: random.pick(&[0, 1000, 1999, 5000]),
        stake_threshold: random.pick(&[0, 0, 1, 2, 1_000_000_000_000, u64::MAX]),
        liquid_alpha: random.one_in(2),
        yuma3: random.one_in(2),
        commit_reveal: random.one_in(3),
    }
}

/// Traits that a subnet's rows have in common.
#[derive(Clone, Copy)]
struct RowStyle {
    /// Out of 16.
    density: u64,
    unsorted: bool,
    values: u64,
}

impl RowStyle {
    fn new(random: &mut Random) -> Self {
        Self { density: random.pick(&[1, 4, 12, 16]), unsorted: random.one_in(3), values: random.below(6) }
    }

    fn row(self, random: &mut Random, uids: usize, weighs: bool) -> Vec<(u16, u16)> {
        if !weighs || random.one_in(12) {
            return Vec::new();
        }
        if random.one_in(12) {
            return vec![(random.below(uids as u64) as u16, random.next() as u16)];
        }
        let value = |random: &mut Random| match self.values {
            _ if random.one_in(20) => 0,
            0 => u16::MAX,
            1 => random.below(3) as u16,
            2 => 1 << random.below(16),
            3 => 30_000 + random.below(10) as u16,
            _ => random.next() as u16,
        };
        let mut row = Vec::new();
        for uid in 0..uids as u16 {
            if random.below(16) < self.density {
                row.push((uid, value(random)));
            }
        }
        if self.unsorted {
            for end in (1..row.len()).rev() {
                row.swap(end, random.below(end as u64 + 1) as usize);
            }
        }
        row
    }
}
