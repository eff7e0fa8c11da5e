//! Replies as servers and the proxies before them write them.

use weighhouse_ask::completions::Events;

use super::*;
use crate::backend::openai::reply::{Read, Reader};

type Check = fn(&BackendError) -> bool;

fn request() -> TextRequest {
    TextRequest { log_probs: true, ..TextRequest::greedy("a", 4) }
}

#[tokio::test]
async fn replies_that_differ_where_nothing_depends_on_it_are_read_alike() {
    let head = r#"data: {"choices":[{"text":"Hel","finish_reason":null}]}"#;
    let tail = r#"data: {"choices":[{"text":"lo","finish_reason":"stop"}]}"#;
    let cases: Vec<Vec<u8>> = vec![
        format!("{head}\n\n{tail}\n\n").into(),
        // Finish reasons that are none, and fields that are null.
        format!("{head}\n\n{tail}\n\n").replace("null", r#""""#).into(),
        format!("{head}\n\n{tail}\n\n").replace("null", r#""null""#).into(),
        format!("{head}\n\ndata: null\n\n{tail}\n\n").into(),
        format!("{head}\n\ndata: {{\"choices\":null}}\n\n{tail}\n\n").into(),
        format!("{head}\n\n{tail}\n\n")
            .replace("stop\"", "stop\",\"logprobs\":null,\"usage\":null,\"new\":[{}]")
            .into(),
        [
            head,
            r#"data: {"choices":[{"text":"lo"}]}"#,
            r#"data: {"choices":[{"text":null,"finish_reason":"stop"}]}"#,
            "",
        ]
        .join("\n\n")
        .into(),
        format!("{head}\n\ndata: {{\"warning\":\"no usage\"}}\n\n{tail}\n\n").into(),
        // Framing.
        format!("\u{feff}{head}\n\n{tail}\n\n").into(),
        format!("{head}\r\n\r\n{tail}\r\n\r\n").into(),
        format!("{head}\n\n{tail}\n\n").replace("data: ", "data:").into(),
        format!(": ping\n\nevent: message\nid: 1\n{head}\n\ndata: \n\n{tail}\n\n").into(),
        format!("{head}\n\n{tail}").into(),
        format!("{head}\n\n{}\n\n", tail.replace("\"lo\",", "\"lo\",\ndata: ")).into(),
        // A whole answer in a stream's place, pretty-printed or not.
        r#"{"object":"text_completion","choices":[{"index":0,"text":"Hello","finish_reason":"stop"}]}"#
            .into(),
        "{\n  \"choices\": [\n    {\"text\": \"Hello\", \"finish_reason\": \"stop\"}\n  ]\n}\n".into(),
    ];
    for bytes in cases {
        let (backend, _server) = fronted(ok(&bytes)).await;
        let found = whole(&backend, TextRequest::greedy("a", 4)).await;
        assert_eq!(found, Ok(text("Hello", Some(Finish::End))), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[tokio::test]
async fn counts_that_come_behind_the_end_are_read() {
    let events = [
        r#"{"choices":[{"text":"a","finish_reason":"length"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#,
    ];
    for stays in [false, true] {
        let answer = stream(&events);
        let server = Server::start(move |_| Served { answer: answer.clone(), stays }).await;
        let found = whole(&backend(&server, able()), TextRequest::greedy("a", 1)).await.expect("answered");
        assert_eq!((found.prompt_tokens, found.text.as_str()), (3, "a"));
    }
}

#[tokio::test]
async fn an_answer_of_full_length_needs_no_reason_for_its_end() {
    let events = [
        r#"{"choices":[{"text":"a","finish_reason":null}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#,
        "[DONE]",
    ];
    let (backend, _server) = fronted(stream(&events)).await;
    let found = whole(&backend, TextRequest::greedy("a", 1)).await.expect("answered");
    assert_eq!((found.text.as_str(), found.finish), ("a", Some(Finish::Length)));
}

#[tokio::test]
async fn half_characters_and_bad_bytes_are_text() {
    let chunk = |text: &[u8], finish: &str| {
        [
            &br#"data: {"choices":[{"text":""#[..],
            text,
            format!("\",\"finish_reason\":{finish}}}]}}\n\n").as_bytes(),
        ]
        .concat()
    };
    let cases: [(&[u8], &[u8], &str); 4] = [
        (b"a\xe2\x82", b"\xac b", "a€ b"),
        (br"a\ud83d", br"\ude00 b", "a\u{1f600} b"),
        (br"a\ud83d", b" b", "a\u{fffd} b"),
        (b"a\xff", b" b", "a\u{fffd} b"),
    ];
    for (first, second, expected) in cases {
        let (backend, _server) =
            fronted(ok(&[chunk(first, "null"), chunk(second, "\"length\"")].concat())).await;
        let found = whole(&backend, TextRequest::greedy("a", 4)).await.expect("answered");
        assert_eq!(found.text, expected);
    }
}

#[tokio::test]
async fn alternatives_that_can_not_come_are_left_out() {
    let openai = |other: &str| {
        format!(
            r#"{{"choices":[{{"text":"a","logprobs":{{"tokens":["token_id:5"],"token_logprobs":[-0.5],
            "top_logprobs":[{{"token_id:5":-0.5,"token_id:6":{other}}}]}},"finish_reason":"length"}}]}}"#
        )
    };
    let llama = |other: &str| {
        format!(
            r#"{{"choices":[{{"text":"a","logprobs":{{"content":[{{"id":5,"logprob":-0.5,"top_logprobs":[
            {{"id":5,"logprob":-0.5}},{{"id":6,"logprob":{other}}}]}}]}},"finish_reason":"length"}}]}}"#
        )
    };
    for other in ["-Infinity", "null", "NaN", "-3.4028234663852886e+38"] {
        for event in [openai(other), llama(other)] {
            let (backend, _server) = fronted(stream(&[&event.replace('\n', "")])).await;
            let found =
                whole(&backend, TextRequest { top_log_probs: 2, ..request() }).await.expect("answered");
            assert_eq!((found.tokens, found.top), (vec![5], vec![vec![(5, -0.5)]]), "{event}");
        }
    }
}

#[tokio::test]
async fn replies_that_would_be_signed_and_wrong_are_refused() {
    let good = r#"{"model":"m","choices":[{"text":"a","finish_reason":null}]}"#;
    let row = |token: &str, value: &str, top: &str| {
        format!(
            r#"{{"choices":[{{"text":"a","logprobs":{{"tokens":["{token}"],"token_logprobs":[{value}],
            "top_logprobs":[{top}]}},"finish_reason":null}}]}}"#
        )
        .replace('\n', "")
    };
    let (named, worded) = (row("token_id:5", "-0.5", "null"), row("a", "-0.5", "null"));
    let malformed: Check = |error| matches!(error, BackendError::Malformed(_));
    let misconfigured: Check = |error| matches!(error, BackendError::Misconfigured(_));
    let cases: [(Vec<u8>, Check); 13] = [
        (stream(&[good, r#"{"choices":[{"index":1,"text":"b"}]}"#]), malformed),
        (stream(&[good, r#"{"choices":[{"text":"b"},{"text":"c"}]}"#]), malformed),
        (stream(&[good, r#"{"model":"other","choices":[{"text":"b"}]}"#]), misconfigured),
        (stream(&[r#"{"choices":[{"delta":{"content":"a"}}]}"#]), misconfigured),
        (
            stream(&[r#"{"object":"chat.completion.chunk","choices":[{"finish_reason":"stop"}]}"#]),
            misconfigured,
        ),
        (stream(&[r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#]), misconfigured),
        (stream(&[&named, &worded]), malformed),
        (stream(&[&row("token_id:5", "null", "null")]), malformed),
        (stream(&[&row("token_id:5", "-Infinity", "null")]), malformed),
        (stream(&[&row("token_id:5", "-2.5", r#"{"token_id:6":-0.5}"#)]), misconfigured),
        (
            stream(&[r#"{"choices":[{"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[]}}]}"#]),
            malformed,
        ),
        (stream(&[r#"{"choices":[{"text":7}]}"#]), malformed),
        (stream(&["[]"]), malformed),
    ];
    for (answer, check) in cases {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let (backend, _server) = fronted(answer).await;
        let error = whole(&backend, request()).await.expect_err(&shown);
        assert!(check(&error), "{shown}: {error}");
    }
}

#[tokio::test]
async fn tokens_that_a_stream_leaves_out_are_missed() {
    let events = [
        r#"{"choices":[{"text":"a","logprobs":{"tokens":["token_id:5"],"token_logprobs":[-0.5]}}]}"#,
        r#"{"choices":[{"text":"","finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
    ];
    let (_, server) = fronted(stream(&events)).await;
    let error = whole(&backend(&server, Abilities { counts: true, ..able() }), request()).await;
    assert_eq!(error, Err(BackendError::Malformed("it named 1 of 2 tokens".into())));
    // A server whose count was never that of its tokens proves nothing by it.
    assert_eq!(whole(&backend(&server, able()), request()).await.expect("answered").tokens, [5]);
}

#[tokio::test]
async fn a_token_that_is_lost_or_comes_twice_does_not_pass_for_the_end() {
    let row = |id: u32, finish: &str| {
        format!(
            r#"{{"choices":[{{"text":"a","logprobs":{{"tokens":["token_id:{id}"],"token_logprobs":[-0.5]}},"finish_reason":{finish}}}]}}"#
        )
    };
    let bare = r#"{"choices":[{"text":"a","logprobs":null}]}"#.to_owned();
    let usage =
        |count: u32| format!(r#"{{"choices":[],"usage":{{"prompt_tokens":1,"completion_tokens":{count}}}}}"#);
    let stop = "\"stop\"";
    for (events, is_sound) in [
        ([row(5, "null"), row(2, stop), usage(2)], true),
        ([row(5, "null"), row(2, stop), usage(1)], true),
        ([row(5, "null"), row(6, stop), usage(3)], true),
        ([row(5, "null"), row(5, stop), usage(1)], false),
        ([bare.clone(), row(5, stop), usage(2)], false),
        ([bare, row(5, "\"length\""), usage(2)], false),
    ] {
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let (_, server) = fronted(stream(&events)).await;
        let abilities = Abilities { counts: true, tokens: TokenForm::Ids, ..able() };
        let found = whole(&backend(&server, abilities), request()).await;
        assert_eq!(found.is_ok(), is_sound, "{events:?}: {found:?}");
    }
    // A server whose first token never has a name counts one more than it names each time.
    let (_, server) = fronted(stream(&[&row(5, "\"length\""), &usage(2)])).await;
    let found = whole(&backend(&server, Abilities { tokens: TokenForm::Ids, ..able() }), request()).await;
    assert!(matches!(found, Err(BackendError::Malformed(_))), "{found:?}");
}

#[tokio::test]
async fn whatever_ends_an_answer_early_is_told_with_its_cause() {
    let good = "data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":null}]}\n\n";
    let after = |rest: &str| ok(format!("{good}{rest}").as_bytes());
    let refused: Check =
        |error| matches!(error, BackendError::Refused(why) if why.contains("context of 4096"));
    let failed: Check = |error| matches!(error, BackendError::Failed(why) if why.contains("out of memory"));
    let malformed: Check = |error| matches!(error, BackendError::Malformed(_));
    let disconnected: Check = |error| matches!(error, BackendError::Disconnected);
    let misconfigured: Check = |error| matches!(error, BackendError::Misconfigured(_));
    let long = "prompt of 6009 tokens is over the maximum, a context of 4096";
    let cases: Vec<(Vec<u8>, Check)> = vec![
        (ok(format!("error: {{\"code\":400,\"message\":\"{long}\"}}\n\n").as_bytes()), refused),
        (ok(format!("{{\"error\":{{\"code\":400,\"message\":\"{long}\"}}}}").as_bytes()), refused),
        (
            ok(format!("data: {{\"object\":\"error\",\"message\":\"{long}\",\"code\":400}}\n\n").as_bytes()),
            refused,
        ),
        (ok(format!("data: {{\"error\":{{\"message\":\"{long}\",\"code\":500}}}}\n\n").as_bytes()), refused),
        (ok(format!("event: error\ndata: {{\"error\":{{\"message\":\"{long}\"}}}}\n\n").as_bytes()), refused),
        (after("data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n"), failed),
        (after("data: {\"error\":\"out of memory\"}\n\n"), failed),
        (after("error: out of memory\n\n"), failed),
        (after("RuntimeError: out of memory\n"), failed),
        (after("{\"detail\":\"out of memory\"}"), failed),
        (after("data: {\"error\":{\"code\":429}}\n\n"), |error| matches!(error, BackendError::Busy)),
        (after("data: {\"error\":{\"code\":503}}\n\n"), |error| {
            matches!(error, BackendError::Unreachable(_))
        }),
        (
            after("data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"abort\"}]}\n\n"),
            |error| matches!(error, BackendError::Failed(why) if why.contains("abort")),
        ),
        (ok(b"<html><h1>502 Bad Gateway</h1></html>"), misconfigured),
        (ok(b""), disconnected),
        (after(""), disconnected),
        (
            after("data: [DONE]\n\n"),
            |error| matches!(error, BackendError::Malformed(why) if why.contains("why its answer ended")),
        ),
        (after("data: {\"choices\""), disconnected),
        (after("data: {\"choices\":\n\n"), malformed),
        (ok(&[b"data: ", &b"x".repeat(1 << 20)[..], b"\n\n"].concat()), malformed),
        (b"SMTP ready\r\n\r\n".to_vec(), disconnected),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n\x1f\x8b".to_vec(),
            misconfigured,
        ),
    ];
    for (answer, check) in cases {
        let shown: String = String::from_utf8_lossy(&answer).chars().take(200).collect();
        let (backend, _server) = fronted(answer).await;
        let error = whole(&backend, TextRequest::greedy("a", 4)).await.expect_err(&shown);
        assert!(check(&error), "{shown}: {error}");
    }
}

#[test]
fn no_byte_that_is_changed_panics_or_unsettles_the_lists() {
    let stream = "\u{feff}data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"text\":\"aß\",\"logprobs\":{\"tokens\":[\"token_id:5\"],\
        \"token_logprobs\":[-0.5],\"top_logprobs\":[{\"token_id:5\":-0.5}]},\"finish_reason\":null}]}\n\n\
        data: {\"choices\":[{\"text\":\"b\",\"logprobs\":{\"content\":[{\"id\":7,\"token\":\"b\",\"logprob\":-1e-3,\
        \"top_logprobs\":[]}]},\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n";
    let request = TextRequest { top_log_probs: 1, ..request() };
    for at in 0..stream.len() {
        for byte in [b'"', b'{', b'}', b'[', b'\\', b'\n', b'9', b'-', 0xed, 0xff] {
            let mut bytes = stream.as_bytes().to_vec();
            bytes[at] = byte;
            let mut events = Events::new(1 << 16);
            events.push(&bytes).expect("small");
            events.end();
            let mut reader = Reader::new(&request, None);
            while let Some(event) = events.next() {
                let Ok(Read::Piece(piece)) = reader.read(&event) else { continue };
                assert!(piece.tokens.is_empty() || piece.tokens.len() == piece.log_probs.len());
                assert!(piece.log_probs.iter().all(|value| value.is_finite()));
            }
        }
    }
}
