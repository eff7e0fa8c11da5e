use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use tower::{Layer, ServiceExt};
use weighhouse_seams::CpuPool;

use super::*;
use crate::http::Authenticated;
use crate::keypair::Keypair;

fn alice() -> Keypair {
    Keypair::from_uri("//Alice").expect("alice")
}

fn digests(count: u8) -> Vec<Digest> {
    (0..count).map(|n| Digest::of(&[n])).collect()
}

#[test]
fn every_answer_of_a_batch_verifies_alone_and_for_itself_only() {
    let keypair = alice();
    for count in [1, 2, 3, 7, 8] {
        let answers = digests(count);
        let signatures = sign_batch(&keypair, &answers);
        assert_eq!(signatures.len(), answers.len());
        for (at, signature) in signatures.iter().enumerate() {
            for (other, answer) in answers.iter().enumerate() {
                let verdict = signature.verify(&keypair.hotkey(), answer);
                assert_eq!(verdict.is_ok(), at == other, "{at} of {count} against {other}");
            }
            assert_eq!(AnswerSignature::decode(&signature.encode()).as_ref(), Ok(signature));
        }
    }
    assert!(sign_batch(&keypair, &[]).is_empty());
}

#[test]
fn a_root_does_not_pass_for_an_answer_nor_another_position_or_size() {
    let keypair = alice();
    let answers = digests(4);
    let AnswerSignature::MerkleProof { signature, index, size, path } =
        sign_batch(&keypair, &answers)[1].clone()
    else {
        panic!("a batch of four has proofs");
    };
    let hotkey = keypair.hotkey();
    let check = |index, size, path: &[Digest]| {
        AnswerSignature::MerkleProof { signature, index, size, path: path.to_vec() }
            .verify(&hotkey, &answers[1])
    };
    assert_eq!(check(index, size, &path), Ok(()));
    assert!(check(index + 1, size, &path).is_err());
    assert!(check(index, size + 1, &path).is_err());
    assert!(check(u64::MAX, u64::MAX, &path).is_err());
    assert!(check(0, 0, &[]).is_err());
    assert!(check(index, size, &path[1..]).is_err());
    assert!(AnswerSignature::Single(signature).verify(&hotkey, &answers[1]).is_err());
    let single = AnswerSignature::single(&keypair, &answers[1]);
    let AnswerSignature::Single(bytes) = single else { panic!("one answer has no proof") };
    let posing = AnswerSignature::MerkleProof { signature: bytes, index: 0, size: 1, path: vec![] };
    assert!(posing.verify(&hotkey, &answers[1]).is_err());
}

#[test]
fn only_exact_encodings_decode() {
    for signature in sign_batch(&alice(), &digests(3)).into_iter().chain([AnswerSignature::Single([7; 64])]) {
        let bytes = signature.encode();
        for end in 0..bytes.len() {
            assert!(AnswerSignature::decode(&bytes[..end]).is_err(), "{end}");
        }
        assert_eq!(AnswerSignature::decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::Length));
    }
    assert_eq!(AnswerSignature::decode(&[]), Err(DecodeError::Empty));
    assert_eq!(AnswerSignature::decode(&[0, 0]), Err(DecodeError::Version(0)));
    assert_eq!(AnswerSignature::decode(&[1, 2]), Err(DecodeError::Tag(2)));
    let mut long = [&[1, 1][..], &[0; 80], &[65]].concat();
    long.extend([0; 65 * 32]);
    assert_eq!(AnswerSignature::decode(&long), Err(DecodeError::Path(65)));
}

#[test]
fn the_signed_digest_is_pinned() {
    let [request, answer, model] = [b"request", b"answer\0", b"model\0\0"].map(|bytes| Digest::of(bytes));
    let digest = answer_digest(&request, &answer, &model);
    assert_eq!(digest.to_string(), "c7b9dae474ef5911e73e120bcf1453020c0066fedc7b474a00b9c1e50bf23822");
    assert_ne!(digest, answer_digest(&answer, &request, &model));
}

fn trailers(signature: &[u8], model: &Digest) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert(trailer::SIGNATURE, const_hex::encode(signature).parse().expect("a value"));
    map.insert(trailer::MODEL, model.to_string().parse().expect("a value"));
    map
}

#[test]
fn an_answer_is_believed_for_its_own_bytes_model_and_miner_only() {
    let keypair = alice();
    let model = Digest::of(b"model");
    let digest = answer_digest(&Digest::of(b"q"), &Digest::of(b"a"), &model);
    let signature = AnswerSignature::single(&keypair, &digest);
    let good = trailers(&signature.encode(), &model);
    let us = keypair.hotkey();
    let expected = VerifiedAnswer { model, signature: signature.clone() };
    assert_eq!(verify_answer(&us, b"q", b"a", &good), Ok(expected));
    let bob = Keypair::from_uri("//Bob").expect("bob").hotkey();
    let other_model = trailers(&signature.encode(), &Digest::of(b"other"));
    for (hotkey, request, answer, trailers) in [
        (&bob, b"q", b"a", &good),
        (&us, b"x", b"a", &good),
        (&us, b"q", b"x", &good),
        (&us, b"q", b"a", &other_model),
    ] {
        let refused = verify_answer(hotkey, request, answer, trailers).expect_err("refused");
        assert!(matches!(refused, AnswerError::Verify(_)), "{refused}");
    }
}

#[test]
fn broken_trailers_are_refused_by_name() {
    let model = Digest::of(b"model");
    let good = trailers(&AnswerSignature::Single([0; 64]).encode(), &model);
    let check = |change: &dyn Fn(&mut HeaderMap)| {
        let mut map = good.clone();
        change(&mut map);
        verify_answer(&alice().hotkey(), b"q", b"a", &map).expect_err("refused")
    };
    let set = |name: &'static str, value: &str| {
        check(&|map| drop(map.insert(name, value.parse().expect("a value"))))
    };
    for name in [trailer::SIGNATURE, trailer::MODEL] {
        assert_eq!(check(&|map| drop(map.remove(name))), AnswerError::Missing(name));
        assert_eq!(check(&|map| assert!(map.append(name, map[name].clone()))), AnswerError::Duplicate(name));
        assert_eq!(set(name, "zz"), AnswerError::NotHex(name));
    }
    assert_eq!(set(trailer::MODEL, "00"), AnswerError::Model);
    assert_eq!(set(trailer::SIGNATURE, ""), AnswerError::Decode(DecodeError::Empty));
    assert!(matches!(check(&|_| ()), AnswerError::Verify(VerifyError::Signature(_))));
}

const CAP: usize = 100;

/// Sends a request through the layer to a handler that answers with `body` and `status`.
async fn answered(
    verified: bool,
    model: Option<Digest>,
    status: &'static str,
    body: Bytes,
) -> (HeaderMap, Bytes, HeaderMap) {
    sent(verified, model, status, vec![body], false).await
}

/// As [`answered`], in so many pieces, which may be a stream.
async fn sent(
    verified: bool,
    model: Option<Digest>,
    status: &'static str,
    pieces: Vec<Bytes>,
    streamed: bool,
) -> (HeaderMap, Bytes, HeaderMap) {
    let layer = SignAnswerLayer::new(Arc::new(alice()), CpuPool::new(1, 1), CAP);
    let handler = tower::service_fn(move |_: Request<()>| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", status.parse().expect("a value"));
        let frames = pieces.clone().into_iter().map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
        let frames = frames.chain([Ok(Frame::trailers(trailers))]);
        let mut response = Response::new(StreamBody::new(futures::stream::iter(frames)));
        if let Some(model) = model {
            let signable = if streamed { Signable::streamed((), model) } else { Signable::whole((), model) };
            response.extensions_mut().extend(signable.into_parts().1);
        }
        async move { Ok::<_, Infallible>(response) }
    });
    let mut request = Request::new(());
    if verified {
        request.extensions_mut().insert(Authenticated::for_test(alice().hotkey(), Bytes::from_static(b"q")));
    }
    let response = layer.layer(handler).oneshot(request).await.expect("infallible");
    let (head, body) = response.into_parts();
    // Clients of grpc-core take a status among the headers only where these end the stream.
    assert_eq!(body.is_end_stream(), head.headers.contains_key("grpc-status"));
    let read = body.collect().await.expect("whole");
    let trailers = read.trailers().cloned().unwrap_or_default();
    (head.headers, read.to_bytes(), trailers)
}

#[tokio::test]
async fn an_answer_leaves_with_a_signature_that_verifies() {
    let model = Digest::of(b"model");
    let answer = Bytes::from_static(b"answer");
    let (_, body, trailers) = answered(true, Some(model), "0", answer.clone()).await;
    assert_eq!((&body, &trailers["grpc-status"]), (&answer, &"0".parse().expect("a value")));
    let verified = verify_answer(&alice().hotkey(), b"q", &body, &trailers).expect("signed");
    assert_eq!(verified.model, model);
}

#[tokio::test]
async fn what_is_no_verified_answer_passes_unsigned() {
    let model = Some(Digest::of(b"model"));
    for (verified, model, status) in [(false, model, "0"), (false, None, "0"), (true, model, "13")] {
        let (_, body, trailers) = answered(verified, model, status, Bytes::from_static(b"a")).await;
        assert_eq!((&body[..], trailers.len()), (&b"a"[..], 1));
        assert_eq!(trailers["grpc-status"], status);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_say_its_model_never_leaves() {
    let (headers, body, _) = answered(true, None, "0", Bytes::from_static(b"a")).await;
    assert_eq!((&headers["grpc-status"], body.len()), (&"13".parse().expect("a value"), 0));
}

#[tokio::test]
async fn an_answer_beyond_the_cap_becomes_a_refusal() {
    let (headers, body, _) =
        answered(true, Some(Digest::of(b"model")), "0", Bytes::from(vec![0; CAP + 1])).await;
    assert_eq!((&headers["grpc-status"], body.len()), (&"8".parse().expect("a value"), 0));
}

#[tokio::test]
async fn a_stream_is_signed_over_all_its_pieces_once_it_ended_well() {
    let model = Digest::of(b"model");
    let pieces = || vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")];
    let (_, body, trailers) = sent(true, Some(model), "0", pieces(), true).await;
    assert_eq!(&body[..], b"onetwo");
    let verified = verify_answer(&alice().hotkey(), b"q", &body, &trailers).expect("signed");
    assert_eq!(verified.model, model);
    let (_, _, trailers) = sent(true, Some(model), "14", pieces(), true).await;
    assert_eq!((trailers.len(), &trailers["grpc-status"]), (1, &"14".parse().expect("a value")));
}

#[tokio::test]
async fn a_stream_beyond_the_cap_ends_there_with_a_refusal() {
    let pieces = vec![Bytes::from(vec![0; CAP]), Bytes::from_static(b"!")];
    let (_, body, trailers) = sent(true, Some(Digest::of(b"model")), "0", pieces, true).await;
    assert_eq!((body.len(), &trailers["grpc-status"]), (CAP, &"8".parse().expect("a value")));
    assert!(!trailers.contains_key(trailer::SIGNATURE));
}
