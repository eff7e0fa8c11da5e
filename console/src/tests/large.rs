//! An epoch of as many neurons as a subnet can have.

#![expect(clippy::disallowed_methods, reason = "test folders need not survive a crash")]

use std::path::Path;

use weighhouse_journal::{Identity, SegmentHeader, sealed, segment_name};
use weighhouse_types::{
    Block, Epoch, EpochContext, Failure, Hotkey, Hyperparameters, Mark, Neuron, Reason, Record,
    RegistrationId, VerdictRecord, sample,
};

pub(super) const NEURONS: u16 = 4096;
const EPOCH: Epoch = Epoch(7);
const ROUNDS: u32 = 3;
const POLICY: &str = "version = 1\nshape = \"linear\"\nmemory = 0.25\nmin_mark = 0.0\nmin_attempts = 1\nmin_coverage = 0.5\n\
                      min_miners = 1\nmax_score_age_epochs = 2\n";

fn who(uid: u16) -> RegistrationId {
    let mut key = [0; 32];
    key[..2].copy_from_slice(&uid.to_le_bytes());
    RegistrationId { hotkey: Hotkey(key), registered_at: Block(10) }
}

fn judged(round: u32, uid: u16) -> Record {
    let (mark, reason) = match uid % 5 {
        0 => (Mark::ZERO, Reason::Silent { failure: Failure::DeadlineExceeded }),
        1 => (Mark::MIN, Reason::Deviates { items: 8, outside: 8, worst: 0 }),
        _ => (Mark::MAX, Reason::Conforms { items: 8 }),
    };
    Record::Judged(VerdictRecord { who: who(uid), ..sample::judged(EPOCH, round, uid, mark, reason) })
}

pub(super) fn write(dir: &Path) {
    let neuron =
        |uid: u16| Neuron { hotkey: who(uid).hotkey, registered_at: Block(10), ..sample::neuron(uid) };
    let mut state = sample::subnet(EPOCH, Block(100), (0..NEURONS).map(neuron).collect());
    state.hyperparameters = Hyperparameters { min_allowed_weights: 0, ..Hyperparameters::default() };
    let context = EpochContext { policy: POLICY.into(), validator: who(0).hotkey, ..sample::context(state) };
    let EpochContext { genesis, netuid, mechanism, validator, .. } = context;
    let header = SegmentHeader { epoch: EPOCH, identity: Identity { genesis, netuid, mechanism, validator } };
    let mut records = vec![Record::EpochOpened(Box::new(context))];
    records.extend((0..ROUNDS).flat_map(|round| (1..NEURONS).map(move |uid| judged(round, uid))));
    std::fs::write(dir.join(segment_name(EPOCH)), sealed(header, &records)).expect("written");
}
