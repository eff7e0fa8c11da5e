use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use weighhouse_seams::{Clock, UnixNanos};

use super::*;
use crate::keypair::{Keypair, SignatureError};
use crate::testclock::ManualClock;
use crate::testdata::vectors;

struct Case {
    method: String,
    target: String,
    body: Vec<u8>,
    nonce: u64,
    sender: Hotkey,
    receiver: Option<Hotkey>,
    payload: String,
    signature: String,
}

fn cases() -> Vec<Case> {
    let file = vectors("bittensor/btauth.json");
    let cases = file["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    cases
        .iter()
        .map(|case| {
            let text = |key: &str| case[key].as_str().expect("text").to_owned();
            let nonce = case["nonce_ns"].as_str().map_or_else(|| case["nonce_ns"].to_string(), str::to_owned);
            Case {
                method: text("method"),
                target: text("path"),
                body: const_hex::decode(text("body_hex")).expect("hex"),
                nonce: nonce.parse().expect("a number"),
                sender: text("sender_ss58").parse().expect("ss58"),
                receiver: case["receiver_ss58"].as_str().map(|text| text.parse().expect("ss58")),
                payload: text("payload_utf8"),
                signature: text("signature_hex"),
            }
        })
        .collect()
}

impl Case {
    fn headers(&self) -> HeaderMap {
        let mut fields = vec![
            (header::VERSION, "1".to_owned()),
            (header::HOTKEY, self.sender.to_string()),
            (header::NONCE, self.nonce.to_string()),
            (header::SIGNATURE, format!("0x{}", self.signature.trim_start_matches("0x"))),
        ];
        fields.extend(self.receiver.map(|hotkey| (header::RECEIVER, hotkey.to_string())));
        to_map(fields)
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), AuthError> {
        Claims::parse(headers).expect("well-formed").check_signature(
            &self.method,
            &self.target,
            Digest::of(&self.body),
        )
    }
}

fn to_map(fields: Vec<(&'static str, String)>) -> HeaderMap {
    fields
        .into_iter()
        .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
        .collect()
}

fn key(uri: &str) -> Arc<Keypair> {
    Arc::new(Keypair::from_uri(uri).expect("a uri"))
}

#[test]
fn every_vector_has_our_payload_and_a_signature_we_accept() {
    for case in cases() {
        let payload = Payload {
            method: &case.method,
            target: &case.target,
            body: Digest::of(&case.body),
            nonce: case.nonce,
            sender: case.sender,
            receiver: case.receiver,
        };
        assert_eq!(String::from_utf8(payload.to_bytes()).expect("utf-8"), case.payload);
        assert_eq!(case.check(&case.headers()), Ok(()), "{}", case.payload);
    }
}

#[test]
fn changing_any_signed_field_of_any_vector_is_refused() {
    let wrong = Err(AuthError::Signature(SignatureError::Wrong));
    let eve = key("//Eve").hotkey();
    for case in cases() {
        let claims = Claims::parse(&case.headers()).expect("well-formed");
        let body = Digest::of(&case.body);
        let with_method = claims.check_signature("PUT", &case.target, body);
        let with_target = claims.check_signature(&case.method, &format!("{}x", case.target), body);
        let with_body =
            claims.check_signature(&case.method, &case.target, Digest::of(&[&case.body[..], b"x"].concat()));
        let check = |claims: Claims| claims.check_signature(&case.method, &case.target, body);
        let with_nonce = check(Claims { nonce: claims.nonce + 1, ..claims.clone() });
        let with_sender = check(Claims { hotkey: eve, ..claims.clone() });
        let with_receiver = check(Claims { receiver: Some(eve), ..claims.clone() });
        for refused in [with_method, with_target, with_body, with_nonce, with_sender, with_receiver] {
            assert_eq!(refused, wrong, "{}", case.payload);
        }
        if claims.receiver.is_some() {
            assert_eq!(check(Claims { receiver: None, ..claims }), wrong, "{}", case.payload);
        }
        let mut headers = case.headers();
        let flipped = format!("0x{}", "0".repeat(128));
        headers.insert(header::SIGNATURE, flipped.parse().expect("a value"));
        assert!(matches!(case.check(&headers), Err(AuthError::Signature(_))));
    }
}

#[test]
fn malformed_headers_are_refused_by_name() {
    let good = cases().into_iter().find(|case| case.receiver.is_some()).expect("a bound case").headers();
    let parse = |change: &dyn Fn(&mut HeaderMap)| {
        let mut headers = good.clone();
        change(&mut headers);
        Claims::parse(&headers)
    };
    assert!(parse(&|_| ()).is_ok());
    for name in [header::VERSION, header::HOTKEY, header::NONCE, header::SIGNATURE] {
        assert_eq!(parse(&|h| drop(h.remove(name))), Err(ClaimsError::Missing(name)));
    }
    for name in [header::VERSION, header::HOTKEY, header::RECEIVER, header::NONCE, header::SIGNATURE] {
        let doubled = |h: &mut HeaderMap| assert!(h.append(name, h[name].clone()));
        assert_eq!(parse(&doubled), Err(ClaimsError::Duplicate(name)));
    }
    let binary = HeaderValue::from_bytes(b"\xff").expect("opaque");
    assert_eq!(
        parse(&|h| drop(h.insert(header::NONCE, binary.clone()))),
        Err(ClaimsError::NotText(header::NONCE))
    );
    let set = |name: &'static str, value: &str| {
        parse(&|h| drop(h.insert(name, value.parse().expect("a value")))).map(|_| ())
    };
    assert_eq!(set(header::VERSION, "2"), Err(ClaimsError::Version("2".into())));
    assert_eq!(set(header::CRYPTO, "sr25519"), Ok(()));
    assert_eq!(set(header::CRYPTO, "ed25519"), Err(ClaimsError::Ed25519));
    assert_eq!(set(header::CRYPTO, "rot13"), Err(ClaimsError::Scheme("rot13".into())));
    for name in [header::HOTKEY, header::RECEIVER] {
        assert!(matches!(set(name, "5Bad"), Err(ClaimsError::Address { header, .. }) if header == name));
        assert!(matches!(set(name, ""), Err(ClaimsError::Address { header, .. }) if header == name));
    }
    for nonce in ["", "0", "-1", "+1", "01", "1.5", "1e9", " 1", "18446744073709551616", "0x10"] {
        assert_eq!(set(header::NONCE, nonce), Err(ClaimsError::Nonce), "{nonce:?}");
    }
    let signature = |text: &str| set(header::SIGNATURE, text);
    assert_eq!(signature(""), Err(ClaimsError::SignatureLength(0)));
    assert_eq!(signature("0x"), Err(ClaimsError::SignatureLength(0)));
    assert_eq!(signature(&"ab".repeat(63)), Err(ClaimsError::SignatureLength(63)));
    assert_eq!(signature(&"ab".repeat(65)), Err(ClaimsError::SignatureLength(65)));
    assert!(signature(&"0x".repeat(64)).is_err());
    assert_eq!(signature(&"zz".repeat(64)), Err(ClaimsError::SignatureHex));
}

#[test]
fn receiver_and_freshness_are_exact() {
    let case = cases().into_iter().find(|case| case.receiver.is_some()).expect("a bound case");
    let claims = Claims::parse(&case.headers()).expect("well-formed");
    let us = case.receiver.expect("bound");
    assert_eq!(claims.check_receiver(&us), Ok(()));
    assert_eq!(claims.check_receiver(&key("//Eve").hotkey()), Err(AuthError::WrongReceiver(us)));
    assert_eq!(Claims { receiver: None, ..claims.clone() }.check_receiver(&us), Err(AuthError::Unbound));

    let (age, ahead) = (10_000_000_000, 2_000_000_000);
    let at = |now: u64| claims.check_fresh(UnixNanos(now));
    assert_eq!(at(case.nonce), Ok(()));
    assert_eq!(at(case.nonce + age), Ok(()));
    assert_eq!(at(case.nonce + age + 1), Err(AuthError::Stale(Duration::from_nanos(age + 1))));
    assert_eq!(at(case.nonce - ahead), Ok(()));
    assert_eq!(at(case.nonce - ahead - 1), Err(AuthError::Ahead(Duration::from_nanos(ahead + 1))));
    assert!(matches!(at(0), Err(AuthError::Ahead(_))));
    assert!(matches!(at(u64::MAX), Err(AuthError::Stale(_))));
}

#[test]
fn what_we_sign_we_accept() {
    let clock = Arc::new(ManualClock::new(1_790_000_000_000_000_000));
    let signer = Signer::new(key("//Alice"), clock.clone());
    let bob = key("//Bob").hotkey();
    for receiver in [Some(&bob), None] {
        let headers = signer.headers("post", "/a?b=c", b"body", receiver);
        assert!(headers.iter().all(|(name, _)| *name == name.to_lowercase()));
        let claims = Claims::parse(&to_map(headers)).expect("well-formed");
        assert_eq!((claims.hotkey, claims.receiver), (signer.hotkey(), receiver.copied()));
        assert_eq!(claims.check_fresh(clock.now()), Ok(()));
        assert_eq!(claims.check_signature("POST", "/a?b=c", Digest::of(b"body")), Ok(()));
    }
}

#[test]
fn nonces_strictly_increase_within_a_tick_and_when_the_clock_steps_back() {
    let clock = Arc::new(ManualClock::new(1_000));
    let signer = Signer::new(key("//Alice"), clock.clone());
    let nonce = || Claims::parse(&to_map(signer.headers("POST", "/", b"", None))).expect("well-formed").nonce;
    let mut made = vec![nonce(), nonce(), nonce()];
    clock.set(10);
    made.extend([nonce(), nonce()]);
    clock.set(2_000);
    made.push(nonce());
    assert_eq!(made, [1_000, 1_001, 1_002, 1_003, 1_004, 2_000]);
    // After a clock that was an hour ahead they begin at it again: those of before were refused everywhere.
    clock.set(3_600_000_000_000);
    assert_eq!(nonce(), 3_600_000_000_000);
    clock.set(5_000);
    assert_eq!([nonce(), nonce()], [5_000, 5_001]);
    let racing = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..50).map(|_| nonce()).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("joined")).collect::<Vec<_>>()
    });
    let distinct: std::collections::BTreeSet<_> = racing.iter().collect();
    assert_eq!(distinct.len(), 200);
}
