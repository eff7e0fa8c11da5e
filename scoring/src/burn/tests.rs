use super::*;
use crate::fixture::{context, judged, records, who};
use crate::path::path;
use crate::weigh::weigh;

#[test]
fn a_burn_to_a_miner_is_told_with_what_it_gets_in_all() {
    let mut context = context(2);
    let burning = |uid: u16| format!("version = 2\n[burn]\nshare = 0.5\nhotkey = \"{}\"\n", who(uid).hotkey);
    context.policy = burning(1).into_bytes();
    let all = records(&context, &[judged(1, 0, 800_000_000), judged(2, 0, 800_000_000)]);
    let policy = Policy::parse(&context.policy).expect("valid");
    let found = MiningBurn::of(&policy, &weigh(&all).expect("weighed")).expect("it mines");
    assert_eq!((found.uid, (found.gets * 100.0).round()), (Uid(1), 75.0));
    assert!(
        found.to_string().starts_with("the policy burns 0.5 to uid 1, which mines as well and gets 0.75"),
        "{found}"
    );
    assert_eq!(path(&all, Uid(1)).expect("judged").mining_burn, Some(found));
    assert_eq!(path(&all, Uid(2)).expect("judged").mining_burn, None);

    // The validator's own hotkey answers nobody.
    context.policy = burning(0).into_bytes();
    let all = records(&context, &[judged(1, 0, 800_000_000), judged(2, 0, 800_000_000)]);
    let policy = Policy::parse(&context.policy).expect("valid");
    assert_eq!(MiningBurn::of(&policy, &weigh(&all).expect("weighed")), None);
}
