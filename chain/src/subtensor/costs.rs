//! What things cost: a subnet's token, an account's being, a call's inclusion.

use subxt::ext::codec::Encode as _;
use subxt::ext::scale_decode::DecodeAsType;
use weighhouse_types::{Digest, Netuid, Rao};

use super::calls::{self, Payload};
use super::endpoints::Endpoints;
use super::fetch::{self, StorageBatch};
use super::items::{self, Key};
use super::runtime::Runtime;
use super::socket::Hex;
use crate::ChainError;

pub(super) const PRICE_API: (&str, &str) = ("SwapRuntimeApi", "current_alpha_price");
pub(super) const FEE_API: (&str, &str) = ("TransactionPaymentCallApi", "query_call_info");
const BALANCES: (&str, &str) = ("Balances", "ExistentialDeposit");
/// Bytes of an extrinsic around its call: signer, signature, era, nonce and the other extensions.
const ENVELOPE_BYTES: usize = 128;

/// A call's cost, as far as it is looked at.
#[derive(Clone, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct DispatchInfo {
    partial_fee: u64,
}

/// The type of a runtime function's answer, where the runtime has it.
pub(super) fn answer((api, method): (&str, &str), runtime: &Runtime) -> Option<u32> {
    Some(runtime.metadata().runtime_api_trait_by_name(api)?.method_by_name(method)?.output_ty())
}

async fn ask<T: DecodeAsType>(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
    api: (&str, &str),
    arguments: Vec<u8>,
) -> Result<Option<T>, ChainError> {
    let Some(ty) = answer(api, runtime) else { return Ok(None) };
    let function = format!("{}_{}", api.0, api.1);
    let bytes = fetch::call(endpoints, &function, Hex(arguments), at).await?;
    runtime.decode(&function, ty, &bytes).map(Some)
}

/// By the runtime's own function, or in runtimes without one by the pool's reserves.
pub(super) async fn alpha_price(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
    netuid: Netuid,
) -> Result<Rao, ChainError> {
    let own = &[Key::Small(netuid.0)];
    let mut batch = StorageBatch::new(runtime);
    let added = batch.add(items::NETWORKS_ADDED, own)?;
    let mechanism = batch.add_optional(items::SUBNET_MECHANISM, own)?;
    let tao = batch.add_optional(items::SUBNET_TAO, own)?;
    let alpha = batch.add_optional(items::SUBNET_ALPHA_IN, own)?;
    let values = batch.fetch(endpoints, at).await?;
    if !values.need(&added)? {
        return Err(ChainError::NoSubnet(netuid));
    }
    if let Some(price) = ask(runtime, endpoints, at, PRICE_API, netuid.0.encode()).await? {
        return Ok(Rao(price));
    }
    // A subnet without a pool of its own has no token of its own.
    if values.get_or(&mechanism, 0)? == 0 {
        return Ok(Rao::from_tao(1));
    }
    let (tao, alpha) = (values.get_or(&tao, 0)?, values.get_or(&alpha, 0)?);
    reserves_price(tao, alpha)
        .ok_or(ChainError::Unsupported { what: "the price of a token whose pool is empty" })
}

fn reserves_price(tao: u64, alpha: u64) -> Option<Rao> {
    let price = (u128::from(tao) * u128::from(Rao::PER_TAO)).checked_div(u128::from(alpha))?;
    u64::try_from(price).ok().map(Rao)
}

/// A constant of the runtime.
pub(super) fn existential_deposit(runtime: &Runtime) -> Result<Rao, ChainError> {
    let (pallet, name) = BALANCES;
    let constant = runtime.metadata().pallet_by_name(pallet).and_then(|pallet| pallet.constant_by_name(name));
    let constant = constant.ok_or_else(|| runtime.differs(format_args!("no constant {pallet}.{name}")))?;
    runtime.decode(&format!("{pallet}.{name}"), constant.ty(), constant.value()).map(Rao)
}

/// Asked of the runtime by the call alone: nothing is signed.
pub(super) async fn fee(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
    payload: &Payload,
) -> Result<Rao, ChainError> {
    let mut arguments = calls::encode(runtime, payload)?;
    let length = u32::try_from(arguments.len() + ENVELOPE_BYTES).unwrap_or(u32::MAX);
    arguments.extend(length.encode());
    let info: Option<DispatchInfo> = ask(runtime, endpoints, at, FEE_API, arguments).await?;
    info.map(|info| Rao(info.partial_fee)).ok_or(ChainError::Unsupported { what: "fees" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pools_price_is_its_tao_for_one_of_its_tokens() {
        assert_eq!(reserves_price(2_000_000_000, 8_000_000_000), Some(Rao(250_000_000)));
        assert_eq!(reserves_price(1, 0), None);
        assert_eq!(reserves_price(u64::MAX, 1), None);
    }
}
