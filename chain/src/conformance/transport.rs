//! Connect, sign, submit, watch, read, reconnect.

use weighhouse_types::{Block, Netuid, Rao};

use super::{Actors, CaseStop, CheckResult, Connect, Report, ensure, need, refused, same};
use crate::{Call, CallOutcome, Chain, ChainError};

/// Ahead of any chain's head.
const NEVER: Block = Block(u64::MAX / 2);
const MISSING: Netuid = Netuid(4_095);
/// Blocks within which a call must be in a block or be told to have expired.
const BLOCKS_MAX: u64 = 300;

/// Checks a chain over connections of its own.
pub async fn transport(connect: &dyn Connect, actors: &Actors) -> Report {
    let mut report = Report::default();
    let chain = match connect.connect().await {
        Ok(chain) => chain,
        Err(error) => {
            report.note("a connection is made", Err(CaseStop::Failed(error.to_string())));
            return report;
        }
    };
    let chain = &*chain;
    report.note("a connection is made", Ok(()));
    report.note("finalised blocks follow each other", follows(chain).await);
    report.note("a call is signed, included once and read back", transfers(chain, actors).await);
    report.note("a call without effect is refused by the chain's name", is_refused(chain, actors).await);
    report.note("a forged signature is not taken", forged(chain, actors).await);
    report.note("what is missing is said to be", missing(chain).await);
    report.note("a new connection sees what the first one did", reconnects(connect, chain, actors).await);
    report
}

async fn follows(chain: &dyn Chain) -> CheckResult {
    let head = chain.head().await?;
    let next = chain.next_block(head.number).await?;
    ensure(next.number > head.number, || format!("{next:?} after {head:?}"))?;
    ensure(next.hash != head.hash, || format!("{next:?} has its parent's hash"))?;
    ensure(chain.head().await?.number >= next.number, || "the head went back".to_owned())
}

fn transfer(actors: &Actors) -> Result<(&super::Actor, &super::Actor), CaseStop> {
    Ok((need("validator", actors.validators.first())?, need("miner", actors.miners.first())?))
}

async fn transfers(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let (from, to) = transfer(actors)?;
    let to = to.coldkey.coldkey();
    let amount = Rao(1_000_000);
    let before = chain.balance(to).await?;
    let signed = chain.sign(&from.coldkey, Call::Transfer { to, amount }).await?;
    same("the outcome before submission", chain.outcome(&signed).await?, CallOutcome::Pending)?;
    // Twice: the same bytes must have one effect.
    chain.submit(&signed).await?;
    chain.submit(&signed).await?;
    let block = watch(chain, &signed).await?;
    ensure(block <= signed.expires, || format!("included in {block}, after {}", signed.expires))?;
    same("the receiver's balance", chain.balance(to).await?, Rao(before.0 + amount.0))?;
    // Once more after inclusion: still one effect.
    let _ = chain.submit(&signed).await;
    chain.next_block(chain.head().await?.number).await?;
    same("the receiver's balance", chain.balance(to).await?, Rao(before.0 + amount.0))
}

async fn watch(chain: &dyn Chain, signed: &crate::SignedCall) -> Result<Block, CaseStop> {
    let mut head = chain.head().await?.number;
    let last = Block(head.0 + BLOCKS_MAX);
    loop {
        match chain.outcome(signed).await? {
            CallOutcome::Included { block, .. } => return Ok(block),
            CallOutcome::Pending if head < last => head = chain.next_block(head).await?.number,
            other => return Err(CaseStop::Failed(format!("{other:?} at block {head}"))),
        }
    }
}

async fn is_refused(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let (from, to) = transfer(actors)?;
    let call = Call::Transfer { to: to.coldkey.coldkey(), amount: Rao(u64::MAX / 4) };
    let refusal = match refused(chain, &from.coldkey, call).await {
        // Some development nodes leave out what they can't read the error of.
        Err(CaseStop::Expired) => {
            return Err(CaseStop::Unexecuted("the node left the call out of its blocks".to_owned()));
        }
        other => other?.to_string(),
    };
    ensure(!refusal.is_empty(), || "the refusal says nothing".to_owned())
}

async fn forged(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let (from, to) = transfer(actors)?;
    let call = Call::Transfer { to: to.coldkey.coldkey(), amount: Rao(1_000_000) };
    let mut signed = chain.sign(&from.coldkey, call).await?;
    // Somewhere in the middle of either chain's bytes stands the signature or what it covers.
    let middle = signed.bytes.len() / 2;
    signed.bytes[middle] ^= 1;
    match chain.submit(&signed).await {
        Err(ChainError::NotAccepted(_)) => Ok(()),
        other => Err(CaseStop::Failed(format!("{other:?}"))),
    }
}

async fn missing(chain: &dyn Chain) -> CheckResult {
    match chain.subnet(MISSING).await {
        Err(ChainError::NoSubnet(MISSING)) => {}
        Err(error @ ChainError::Unsupported { .. }) => return Err(error.into()),
        other => return Err(CaseStop::Failed(format!("{:?}", other.map(|state| state.head)))),
    }
    match chain.beacon(NEVER).await {
        Err(ChainError::NoBlock { block: NEVER, .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(beacon) => Err(CaseStop::Failed(format!("{beacon:?} is known before its block"))),
    }
}

async fn reconnects(connect: &dyn Connect, first: &dyn Chain, actors: &Actors) -> CheckResult {
    let (from, to) = transfer(actors)?;
    let call = Call::Transfer { to: to.coldkey.coldkey(), amount: Rao(1_000_000) };
    let signed = first.sign(&from.coldkey, call).await?;
    first.submit(&signed).await?;
    let second = connect.connect().await?;
    same("the genesis", second.genesis(), first.genesis())?;
    let block = watch(&*second, &signed).await?;
    match first.outcome(&signed).await? {
        CallOutcome::Included { block: other, .. } => same("the block of the call", block, other),
        other => Err(CaseStop::Failed(format!("{other:?} on the first connection, included on the second"))),
    }
}
