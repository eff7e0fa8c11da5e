//! Journals that the last version before records of version 2 left, as they are audited since.

use weighhouse_types::Block;

use super::audit;

/// An epoch of completions of a localnet.
const GENERATE: &[u8] = include_bytes!("../../testdata/v1-generate.wj");

#[test]
fn an_old_epoch_gives_the_vector_it_gave_and_says_what_it_cannot_show() {
    let audited = audit(GENERATE, &[]).expect("auditable");
    assert_eq!(audited.problems, Vec::<String>::new());
    assert_eq!(audited.root.to_string(), "0d49149c58f2035e12a112d65bd64f275686e65b0d2be9473adf781ba4330b52");
    assert_eq!((audited.records, audited.challenges), (215, 36));
    assert_eq!((audited.answers, audited.verdicts), (33, 36));
    let vector = audited.vector.expect("a vector");
    let entries: Vec<_> = vector.entries().iter().map(|(uid, weight)| (uid.0, *weight)).collect();
    assert_eq!(entries, [(4, 65535), (5, 65535), (6, 65535)]);
    assert_eq!((audited.matches, audited.published_at), (Some(true), Some(Block(45))));
    assert_eq!(audited.not_shown.len(), 3, "{:?}", audited.not_shown);
}
