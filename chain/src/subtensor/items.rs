//! The storage items that are read: their names, keys and the shapes they are read as.

use std::marker::PhantomData;

use subxt::dynamic::Value;
use subxt::ext::frame_decode::storage::{StorageTypeInfo, encode_storage_key_with_info};
use subxt::ext::scale_decode::DecodeAsType;
use subxt::ext::scale_type_resolver::{TypeResolver, visitor};

use super::metadata::{self, Demand, PALLET};
use super::runtime::Runtime;
use super::stored::{
    AccountInfo, AxonInfo, BeaconConfig, CertificateInfo, Commitment, HashCommit, PendingChildren, Pulse,
    TimelockedCommit,
};
use crate::ChainError;

/// One part of a storage key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    /// A netuid, a uid or a storage index.
    Small(u16),
    Large(u64),
    Account([u8; 32]),
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Small(number) => Self::u128(number.into()),
            Key::Large(number) => Self::u128(number.into()),
            Key::Account(bytes) => Self::from_bytes(bytes),
        }
    }
}

/// A storage item, read as `T`: newtypes and fields that `T` doesn't name are passed over.
#[derive(Debug)]
pub(super) struct Item<T> {
    pub(super) pallet: &'static str,
    pub(super) name: &'static str,
    keys: usize,
    shape: PhantomData<fn() -> T>,
}

impl<T> Clone for Item<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Item<T> {}

impl<T: DecodeAsType> Item<T> {
    const fn new(pallet: &'static str, name: &'static str, keys: usize) -> Self {
        Self { pallet, name, keys, shape: PhantomData }
    }

    pub(super) fn exists(&self, runtime: &Runtime) -> bool {
        metadata::has_storage(runtime.metadata(), self.pallet, self.name)
    }

    /// The key under which the node stores it.
    pub(super) fn key(&self, runtime: &Runtime, keys: &[Key]) -> Result<Vec<u8>, ChainError> {
        let info = runtime.metadata().storage_info(self.pallet, self.name);
        let info = info.map_err(|_| self.missing(runtime))?;
        let keys: Vec<Value> = keys.iter().map(|key| Value::from(*key)).collect();
        encode_storage_key_with_info(self.pallet, self.name, keys, &info, runtime.metadata().types())
            .map_err(|error| runtime.differs(format_args!("other keys in {}: {error}", self.path())))
    }

    /// Decodes what is stored: the bytes, or the item's default where there are none.
    pub(super) fn read(&self, runtime: &Runtime, bytes: Option<&[u8]>) -> Result<Option<T>, ChainError> {
        let info = runtime.metadata().storage_info(self.pallet, self.name);
        let info = info.map_err(|_| self.missing(runtime))?;
        let Some(bytes) = bytes.or(info.default_value.as_deref()) else { return Ok(None) };
        runtime.decode(&self.path(), info.value_id, bytes).map(Some)
    }

    /// Checks that the runtime has the item in the shape it is read as.
    fn check(&self, runtime: &Runtime, needed: bool) -> Result<(), ChainError> {
        let Ok(info) = runtime.metadata().storage_info(self.pallet, self.name) else {
            return if needed { Err(self.missing(runtime)) } else { Ok(()) };
        };
        if info.keys.len() != self.keys {
            let what = format!("{} keys in {}, expected {}", info.keys.len(), self.path(), self.keys);
            return Err(runtime.differs(what));
        }
        // All zeros are a value of every shape that is read here; so are the zeros of one element of a list.
        let types = runtime.metadata().types();
        let is_list = visitor::new((), |(), _| false).visit_sequence(|(), _, _| true);
        let is_list = types.resolve_type(info.value_id, is_list).unwrap_or(false);
        for first in [Some(0), is_list.then_some(ONE_ELEMENT)].into_iter().flatten() {
            let mut bytes = [0; PROBE_BYTES];
            bytes[0] = first;
            T::decode_as_type(&mut &bytes[..], info.value_id, types)
                .map_err(|error| runtime.differs(format_args!("another {}: {error}", self.path())))?;
        }
        Ok(())
    }

    fn missing(&self, runtime: &Runtime) -> ChainError {
        runtime.differs(format_args!("no storage {}", self.path()))
    }

    fn path(&self) -> String {
        format!("{}.{}", self.pallet, self.name)
    }
}

// Enough for every shape below; zeros that are left over are not looked at.
const PROBE_BYTES: usize = 512;
/// The compact length 1.
const ONE_ELEMENT: u8 = 4;

#[cfg(test)]
pub(super) type EncodedKey = Result<Vec<u8>, ChainError>;

#[cfg(test)]
pub(super) struct Probe<'a> {
    pub(super) value: u32,
    pub(super) keys: usize,
    pub(super) key: &'a dyn Fn(&[Key]) -> EncodedKey,
    pub(super) read: &'a dyn Fn(&[u8]) -> Result<String, ChainError>,
}

macro_rules! items {
    ($($need:literal $item:ident: $shape:ty = $pallet:expr, $name:literal, $keys:literal;)*) => {
        $(pub(super) const $item: Item<$shape> = Item::new($pallet, $name, $keys);)*

        /// Checks that every item has its shape, and that those which are needed are there.
        pub(super) fn check(runtime: &Runtime, demand: Demand) -> Result<(), ChainError> {
            let is_asked_for = |pallet: &str| demand == Demand::Subtensor || pallet == "System";
            $($item.check(runtime, $need == "needed" && is_asked_for($pallet))?;)*
            Ok(())
        }

        /// Every item with its value's type, and what reading bytes as it says; `None` where the runtime lacks it.
        #[cfg(test)]
        pub(super) fn each(runtime: &Runtime, mut visit: impl FnMut(&'static str, bool, Option<Probe<'_>>)) {
            $({
                let info = runtime.metadata().storage_info($item.pallet, $item.name).ok();
                let key = |keys: &[Key]| $item.key(runtime, keys);
                let read = |bytes: &[u8]| $item.read(runtime, Some(bytes)).map(|value| format!("{value:?}"));
                let probe = info.map(|info| Probe { value: info.value_id, keys: $item.keys, key: &key, read: &read });
                visit($item.name, $need == "needed", probe);
            })*
        }
    };
}

items! {
    "needed" ACCOUNT: AccountInfo = "System", "Account", 1;
    "needed" EVENTS: Value = "System", "Events", 0;
    "needed" TEMPO: u16 = PALLET, "Tempo", 1;
    "needed" KAPPA: u16 = PALLET, "Kappa", 1;
    "needed" MAX_ALLOWED_UIDS: u16 = PALLET, "MaxAllowedUids", 1;
    "needed" MAX_ALLOWED_VALIDATORS: u16 = PALLET, "MaxAllowedValidators", 1;
    "needed" MIN_ALLOWED_WEIGHTS: u16 = PALLET, "MinAllowedWeights", 1;
    "optional" MAX_WEIGHTS_LIMIT: u16 = PALLET, "MaxWeightsLimit", 1;
    "needed" WEIGHTS_SET_RATE_LIMIT: u64 = PALLET, "WeightsSetRateLimit", 1;
    "needed" WEIGHTS_VERSION_KEY: u64 = PALLET, "WeightsVersionKey", 1;
    "needed" IMMUNITY_PERIOD: u16 = PALLET, "ImmunityPeriod", 1;
    "optional" MIN_NON_IMMUNE_UIDS: u16 = PALLET, "MinNonImmuneUids", 1;
    "optional" ACTIVITY_CUTOFF: u16 = PALLET, "ActivityCutoff", 1;
    "optional" ACTIVITY_CUTOFF_FACTOR: u32 = PALLET, "ActivityCutoffFactorMilli", 1;
    "needed" BONDS_MOVING_AVERAGE: u64 = PALLET, "BondsMovingAverage", 1;
    "optional" BONDS_PENALTY: u16 = PALLET, "BondsPenalty", 1;
    "needed" LIQUID_ALPHA_ON: bool = PALLET, "LiquidAlphaOn", 1;
    "needed" ALPHA_VALUES: (u16, u16) = PALLET, "AlphaValues", 1;
    "optional" ALPHA_SIGMOID_STEEPNESS: i16 = PALLET, "AlphaSigmoidSteepness", 1;
    "optional" YUMA3_ON: bool = PALLET, "Yuma3On", 1;
    "needed" COMMIT_REVEAL_ENABLED: bool = PALLET, "CommitRevealWeightsEnabled", 1;
    "needed" REVEAL_PERIOD_EPOCHS: u64 = PALLET, "RevealPeriodEpochs", 1;
    "needed" SERVING_RATE_LIMIT: u64 = PALLET, "ServingRateLimit", 1;
    "needed" STAKE_THRESHOLD: u64 = PALLET, "StakeThreshold", 0;
    "needed" MIN_BURN: u64 = PALLET, "MinBurn", 1;
    "needed" MAX_BURN: u64 = PALLET, "MaxBurn", 1;
    "optional" BURN_HALF_LIFE: u16 = PALLET, "BurnHalfLife", 1;
    "optional" BURN_INCREASE: u128 = PALLET, "BurnIncreaseMult", 1;
    "needed" MAX_REGISTRATIONS_PER_BLOCK: u16 = PALLET, "MaxRegistrationsPerBlock", 1;
    "needed" REGISTRATION_ALLOWED: bool = PALLET, "NetworkRegistrationAllowed", 1;
    "needed" NETWORKS_ADDED: bool = PALLET, "NetworksAdded", 1;
    "needed" BURN: u64 = PALLET, "Burn", 1;
    "optional" SUBNET_MECHANISM: u16 = PALLET, "SubnetMechanism", 1;
    "optional" SUBNET_TAO: u64 = PALLET, "SubnetTAO", 1;
    "optional" SUBNET_ALPHA_IN: u64 = PALLET, "SubnetAlphaIn", 1;
    "needed" BLOCKS_SINCE_LAST_STEP: u64 = PALLET, "BlocksSinceLastStep", 1;
    "optional" LAST_EPOCH_BLOCK: u64 = PALLET, "LastEpochBlock", 1;
    "optional" PENDING_EPOCH_AT: u64 = PALLET, "PendingEpochAt", 1;
    "optional" SUBNET_EPOCH_INDEX: u64 = PALLET, "SubnetEpochIndex", 1;
    // The runtime spells it so.
    "optional" LAST_STEP_BLOCK: u64 = PALLET, "LastMechansimStepBlock", 1;
    "optional" MECHANISM_COUNT: u8 = PALLET, "MechanismCountCurrent", 1;
    "needed" SUBNET_OWNER_HOTKEY: [u8; 32] = PALLET, "SubnetOwnerHotkey", 1;
    "needed" VALIDATOR_TRUST: Vec<u16> = PALLET, "ValidatorTrust", 1;
    "needed" SUBNETWORK_N: u16 = PALLET, "SubnetworkN", 1;
    "needed" KEYS: [u8; 32] = PALLET, "Keys", 2;
    "needed" BLOCK_AT_REGISTRATION: u64 = PALLET, "BlockAtRegistration", 2;
    "needed" OWNER: [u8; 32] = PALLET, "Owner", 1;
    "needed" AXONS: AxonInfo = PALLET, "Axons", 2;
    "needed" CERTIFICATES: CertificateInfo = PALLET, "NeuronCertificates", 2;
    "needed" ACTIVE: Vec<bool> = PALLET, "Active", 1;
    "needed" VALIDATOR_PERMIT: Vec<bool> = PALLET, "ValidatorPermit", 1;
    "needed" LAST_UPDATE: Vec<u64> = PALLET, "LastUpdate", 1;
    "needed" EMISSION: Vec<u64> = PALLET, "Emission", 1;
    "needed" DIVIDENDS: Vec<u16> = PALLET, "Dividends", 1;
    "needed" INCENTIVE: Vec<u16> = PALLET, "Incentive", 1;
    "needed" CONSENSUS: Vec<u16> = PALLET, "Consensus", 1;
    "needed" TOTAL_HOTKEY_ALPHA: u64 = PALLET, "TotalHotkeyAlpha", 2;
    "needed" TAO_WEIGHT: u64 = PALLET, "TaoWeight", 0;
    "needed" WEIGHTS: Vec<(u16, u16)> = PALLET, "Weights", 2;
    "needed" BONDS: Vec<(u16, u16)> = PALLET, "Bonds", 2;
    "optional" MECHANISM_SPLIT: Vec<u16> = PALLET, "MechanismEmissionSplit", 1;
    "needed" WEIGHT_COMMITS: Vec<HashCommit> = PALLET, "WeightCommits", 2;
    "optional" TIMELOCKED_COMMITS: Vec<TimelockedCommit> = PALLET, "TimelockedWeightCommits", 2;
    "optional" COMMIT_REVEAL_VERSION: u16 = PALLET, "CommitRevealWeightsVersion", 0;
    "needed" PROMETHEUS: AxonInfo = PALLET, "Prometheus", 2;
    "needed" DELEGATES: u16 = PALLET, "Delegates", 1;
    "needed" CHILDKEY_TAKE: u16 = PALLET, "ChildkeyTake", 2;
    "needed" CHILD_KEYS: Vec<(u64, [u8; 32])> = PALLET, "ChildKeys", 2;
    "needed" PARENT_KEYS: Vec<(u64, [u8; 32])> = PALLET, "ParentKeys", 2;
    "needed" PENDING_CHILD_KEYS: PendingChildren = PALLET, "PendingChildKeys", 2;
    "optional" BEACON_CONFIG: BeaconConfig = "Drand", "BeaconConfig", 0;
    "optional" COMMITMENT_OF: Commitment = "Commitments", "CommitmentOf", 2;
    "optional" LAST_STORED_ROUND: u64 = "Drand", "LastStoredRound", 0;
    "optional" PULSES: Pulse = "Drand", "Pulses", 1;
}
