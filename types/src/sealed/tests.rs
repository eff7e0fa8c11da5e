use super::*;

const SALT_BYTES: [u8; 32] = [7; 32];

fn author(hotkey: u8) -> Author {
    let challenge = question().id;
    let (netuid, hotkey) = (Netuid(3), Hotkey([hotkey; 32]));
    Author { genesis: Digest::of(b"genesis"), netuid, challenge, hotkey, root: None }
}

fn question() -> InferRequest {
    let question = InferRequest::asking(vec![Tensor::integers("item", &[4, 2])], &["label", "sure"]);
    InferRequest { id: "c0ffee".to_owned(), ..question }
}

fn outputs() -> Vec<Tensor> {
    vec![Tensor::integers("label", &[1, 0]), Tensor::numbers("sure", &[0.5, 1.0])]
}

fn revealed(salt: &[u8; 32], outputs: Vec<Tensor>) -> InferAnswer {
    question().answered([outputs, vec![output(SALT, salt)]].concat())
}

fn committed(author: &Author) -> InferAnswer {
    let commitment = author.commitment(&SALT_BYTES, &outputs());
    question().answered(vec![output(COMMITMENT, commitment.as_bytes())])
}

#[test]
fn what_was_committed_to_is_opened_and_nothing_else() {
    let mine = author(1);
    let open = |author: &Author, revealed: &InferAnswer| {
        author.open(&committed(&mine), revealed).map(|opened| opened.outputs)
    };
    assert_eq!(open(&mine, &revealed(&SALT_BYTES, outputs())), Ok(outputs()));

    let mut changed = outputs();
    changed[0] = Tensor::integers("label", &[1, 1]);
    let mut reshaped = outputs();
    reshaped[0] = Tensor::from_i64("label", vec![1, 2], &[1, 0]).expect("two values");
    let fewer = outputs()[..1].to_vec();
    for others in [changed, reshaped, fewer] {
        assert_eq!(open(&mine, &revealed(&SALT_BYTES, others)), Err(SealError::Other));
    }
    assert_eq!(open(&mine, &revealed(&[8; 32], outputs())), Err(SealError::Other));
    let of_another = Author { challenge: "decade".to_owned(), ..mine.clone() };
    assert_eq!(open(&of_another, &revealed(&SALT_BYTES, outputs())), Err(SealError::Other));
    assert_eq!(open(&mine, &question().answered(outputs())), Err(SealError::NoSalt));
    let bare = question().answered(outputs());
    assert_eq!(mine.open(&bare, &revealed(&SALT_BYTES, outputs())), Err(SealError::NoCommitment));
}

#[test]
fn a_commitment_of_somebody_else_or_of_another_subnet_opens_nothing() {
    let copied = committed(&author(1));
    let revealed = revealed(&SALT_BYTES, outputs());
    let elsewhere = Author { netuid: Netuid(4), ..author(1) };
    let on_another_chain = Author { genesis: Digest::of(b"another"), ..author(1) };
    for author in [author(2), elsewhere, on_another_chain] {
        assert_eq!(author.open(&copied, &revealed), Err(SealError::Other));
    }
}

fn commit_to(on_chain: bool) -> SealedRequest {
    SealedRequest::Commit { question: question(), on_chain }
}

#[test]
fn requests_are_recognised_and_give_the_question_back() {
    let commit = committing(question(), None).expect("short names");
    assert_eq!(commit.outputs, [COMMITMENT]);
    assert_eq!(SealedRequest::of(&commit), Some(commit_to(false)));
    let on_chain = committing(question(), Some(3)).expect("short names");
    assert_eq!(SealedRequest::of(&on_chain), Some(commit_to(true)));
    let reveal = revealing(question(), false).expect("short names");
    assert_eq!(reveal.outputs, ["label", "sure", SALT]);
    assert_eq!(revealing(question(), true).expect("short names").outputs, ["label", "sure", SALT, PROOF]);
    assert_eq!(SealedRequest::of(&reveal), Some(SealedRequest::Reveal { id: "c0ffee".to_owned() }));
    assert_eq!(SealedRequest::of(&question()), None);
    assert_eq!(SealedRequest::of(&InferRequest::asking(vec![], &[COMMITMENT])), None);
}
