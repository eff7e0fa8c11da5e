//! The gateway on a real socket, before real miners.

mod client;
mod miner;

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};
use weighhouse_wallet::keypair::Keypair;

use crate::limits::REQUESTS_MAX;
use client::Gateway;
use miner::Miner;

fn key(uri: &str) -> Arc<Keypair> {
    Arc::new(Keypair::from_uri(uri).expect("a key"))
}

#[tokio::test]
async fn a_completion_comes_whole_with_its_usage_and_its_miner() {
    let miner = Miner::start("//Bob").await;
    let gateway = Gateway::before(&[&miner]).await;
    let asked = json!({"model": "tale", "prompt": "once upon a time", "max_tokens": 3, "user": "me", "n": 1});
    let reply = gateway.post("/v1/completions", &asked).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.headers["x-weighhouse-miner"], miner.target.hotkey.to_string());
    let mut found = reply.json();
    assert!(
        found["id"].as_str().expect("an id").starts_with("cmpl-")
            && found["created"].as_u64() > Some(1 << 30)
    );
    found["id"].take();
    found["created"].take();
    let choice = json!({"index": 0, "text": " once upon a", "logprobs": null, "finish_reason": "length"});
    let usage = json!({"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7});
    let expected = json!({"id": null, "object": "text_completion", "created": null, "model": "tale",
        "choices": [choice], "usage": usage});
    assert_eq!(found, expected);
    let ids = gateway.post("/v1/completions", &json!({"model": "tale", "prompt": [7, 8]})).await.json();
    assert_eq!(ids["choices"][0]["text"], " 7 8");
    assert_eq!(ids["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_stream_gives_a_chunk_for_each_piece_then_the_usage_then_its_end() {
    let miner = Miner::start("//Bob").await;
    let gateway = Gateway::before(&[&miner]).await;
    let asked =
        json!({"model": "tale", "prompt": "a b", "stream": true, "stream_options": {"include_usage": true}});
    let reply = gateway.post("/v1/completions", &asked).await;
    assert_eq!(
        (reply.status, &reply.headers["content-type"]),
        (StatusCode::OK, &"text/event-stream".parse().expect("one"))
    );
    let events = reply.events();
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|event| serde_json::from_str(event).expect("JSON")).collect();
    let told: Vec<_> = chunks
        .iter()
        .map(|chunk| (chunk["choices"][0]["text"].as_str(), chunk["choices"][0]["finish_reason"].as_str()))
        .collect();
    assert_eq!(told, [(Some(" a"), None), (Some(" b"), None), (Some(""), Some("stop")), (None, None)]);
    assert_eq!(chunks[0]["usage"], Value::Null);
    assert_eq!(chunks[3]["usage"], json!({"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}));
    assert!(
        chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["object"] == "text_completion")
    );
}

#[tokio::test]
async fn a_chat_is_written_by_the_models_template() {
    let miner = Miner::start("//Bob").await;
    let gateway = Gateway::before(&[&miner]).await;
    let messages = json!([{"role": "system", "content": "be"}, {"role": "user", "content": [{"type": "text", "text": "hi"}]}]);
    let asked = json!({"model": "tale", "messages": messages, "logprobs": true, "top_logprobs": 2});
    let reply = gateway.post("/v1/chat/completions", &asked).await.json();
    assert_eq!(reply["object"], "chat.completion");
    let choice = &reply["choices"][0];
    assert_eq!(
        choice["message"],
        json!({"role": "assistant", "content": " system: be user: hi", "refusal": null})
    );
    let first = &choice["logprobs"]["content"][0];
    let top = json!([{"token": "token_id:7", "logprob": -0.5, "bytes": null}, {"token": "token_id:99", "logprob": -2.0, "bytes": null}]);
    assert_eq!(*first, json!({"token": "token_id:7", "logprob": -0.5, "bytes": null, "top_logprobs": top}));

    let asked = json!({"model": "tale", "messages": [{"role": "user", "content": "hi"}], "stream": true});
    let events = gateway.post("/v1/chat/completions", &asked).await.events();
    let deltas: Vec<Value> = events[..events.len() - 1]
        .iter()
        .map(|event| serde_json::from_str::<Value>(event).expect("JSON")["choices"][0]["delta"].take())
        .collect();
    let expected = [
        json!({"role": "assistant", "content": ""}),
        json!({"content": " user:"}),
        json!({"content": " hi"}),
        json!({}),
    ];
    assert_eq!(deltas, expected);

    let refused = json!({"model": "tale", "messages": [{"role": "tool", "content": "hi"}]});
    let reply = gateway.post("/v1/chat/completions", &refused).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["param"]),
        (StatusCode::BAD_REQUEST, &json!("messages"))
    );
    assert!(reply.body.contains("no tools here"), "{}", reply.body);
}

#[tokio::test]
async fn log_probabilities_name_tokens_by_their_ids() {
    let miner = Miner::start("//Bob").await;
    let gateway = Gateway::before(&[&miner]).await;
    let asked = json!({"model": "tale", "prompt": "one", "logprobs": 2});
    let found = gateway.post("/v1/completions", &asked).await.json()["choices"][0]["logprobs"].take();
    let expected = json!({"tokens": ["token_id:3"], "token_logprobs": [-0.5],
        "top_logprobs": [{"token_id:3": -0.5, "token_id:99": -2.0}]});
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_end_may_come_behind_all_tokens() {
    let miner = Miner::start("//Bob").await;
    let gateway = Gateway::before(&[&miner]).await;
    let asked = json!({"model": "tale", "prompt": "late one two", "max_tokens": 2, "logprobs": 1});
    let reply = gateway.post("/v1/completions", &asked).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let choice = reply.json()["choices"][0].take();
    assert_eq!((&choice["text"], &choice["finish_reason"]), (&json!(" late one"), &json!("length")));
}

#[tokio::test]
async fn models_are_those_that_miners_describe() {
    let (one, other) = (Miner::start("//Bob").await, Miner::serve("//Dave", "verse", false).await);
    let gateway = Gateway::before(&[&one, &other]).await;
    let listed = gateway.get("/v1/models").await.json();
    let ids: Vec<&str> =
        listed["data"].as_array().expect("a list").iter().filter_map(|model| model["id"].as_str()).collect();
    assert_eq!(ids, ["tale", "vectors", "verse"]);
    assert_eq!(gateway.get("/v1/models/verse").await.json()["object"], "model");
    assert_eq!(gateway.get("/v1/models/prose").await.status, 404);
    let reply = gateway.post("/v1/completions", &json!({"model": "verse", "prompt": "a"})).await;
    assert_eq!(reply.headers["x-weighhouse-miner"], other.target.hotkey.to_string());
}

#[tokio::test]
async fn rows_come_in_the_order_of_their_texts_however_many_a_miner_takes_at_once() {
    let miner = Miner::start("//Bob").await;
    let gateway = Gateway::before(&[&miner]).await;
    let asked = json!({"model": "vectors", "input": ["a", "bb", "ccc", "dddd", ""]});
    let reply = gateway.post("/v1/embeddings", &asked).await.json();
    let rows: Vec<&Value> =
        reply["data"].as_array().expect("a list").iter().map(|row| &row["embedding"]).collect();
    assert_eq!(json!(rows), json!([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 1.0], [0.0, 1.0]]));
    assert_eq!(reply["data"][4]["index"], 4);
    let wrong = gateway.post("/v1/embeddings", &json!({"model": "tale", "input": "a"})).await;
    assert_eq!(
        (wrong.status, &wrong.json()["error"]["code"]),
        (StatusCode::NOT_FOUND, &json!("model_not_found"))
    );
}

#[tokio::test]
async fn the_next_miner_by_weight_is_asked_where_one_fails_before_the_first_byte() {
    let (busy, good) = (Miner::busy("//Bob").await, Miner::start("//Dave").await);
    let gone = Miner::start("//Eve").await;
    let gateway = Gateway::before(&[&gone, &busy, &good]).await;
    // Described, and gone before it is asked.
    assert_eq!(gateway.get("/v1/models").await.status, 200);
    drop(gone);
    for stream in [false, true] {
        let reply =
            gateway.post("/v1/completions", &json!({"model": "tale", "prompt": "a", "stream": stream})).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.headers["x-weighhouse-miner"], good.target.hotkey.to_string());
    }
    let alone = Gateway::before(&[&busy]).await;
    let reply = alone.post("/v1/completions", &json!({"model": "tale", "prompt": "a", "stream": true})).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(reply.json()["error"]["type"], "rate_limit_error");
}

#[tokio::test]
async fn an_error_after_the_first_byte_ends_the_stream_and_another_miner_does_a_whole_answer() {
    let (one, other) = (Miner::start("//Bob").await, Miner::start("//Dave").await);
    let gateway = Gateway::before(&[&one, &other]).await;
    let asked = json!({"model": "tale", "prompt": "a ! b", "stream": true});
    let events = gateway.post("/v1/completions", &asked).await.events();
    assert_eq!(events.len(), 2, "{events:?}");
    let error: Value = serde_json::from_str(&events[1]).expect("JSON");
    assert_eq!(error["error"]["type"], "server_error");
    let whole = gateway.post("/v1/completions", &json!({"model": "tale", "prompt": "a ! b"})).await;
    // Both break off; nothing of it is given out as an answer.
    assert_eq!(
        (whole.status, &whole.json()["error"]["type"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("server_error"))
    );
}

#[tokio::test]
async fn what_a_client_has_to_change_is_told_at_once_with_its_parameter() {
    let miner = Miner::start("//Bob").await;
    let gateway = Gateway::before(&[&miner]).await;
    let with = |extra: Value| {
        let mut asked = json!({"model": "tale", "prompt": "a"});
        asked.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        asked
    };
    let cases = [
        (with(json!({"n": 2})), 400, "n"),
        (with(json!({"temprature": 2})), 400, "temprature"),
        (with(json!({"temperature": 0.5})), 400, "temperature"),
        (with(json!({"stream_options": {}})), 400, "stream_options"),
        (json!({"prompt": "a"}), 400, "model"),
        (json!({"model": "prose", "prompt": "a"}), 404, "model"),
    ];
    for (asked, status, param) in cases {
        let reply = gateway.post("/v1/completions", &asked).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["error"]["param"]),
            (status, &json!(param)),
            "{asked}"
        );
    }
    let chat = json!({"model": "tale", "messages": [{"role": "user", "content": "hi"}], "logprobs": true, "top_logprobs": 21});
    let reply = gateway.post("/v1/chat/completions", &chat).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]["param"]), (400, &json!("top_logprobs")));
    // The miner's own limit, in its own words.
    let reply = gateway.post("/v1/completions", &with(json!({"max_tokens": 2_000}))).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["error"]["message"], "`max_tokens` is 2000, allowed is 1 to 1024");
}

#[tokio::test]
async fn what_is_no_request_is_refused_as_openai_does() {
    let gateway = Gateway::before(&[]).await;
    assert_eq!(gateway.get("/v2/models").await.status, 404);
    assert_eq!(gateway.get("/v1/completions").await.status, 405);
    assert_eq!(gateway.send("POST", "/v1/completions", &[], "{}").await.status, 415);
    let kind = ("content-type", "application/json; charset=utf-8");
    assert_eq!(gateway.send("POST", "/v1/completions", &[kind], "{").await.status, 400);
    let long = format!("{{\"prompt\": \"{}\"}}", "a".repeat(client::BODY_BYTES_MAX));
    assert_eq!(gateway.send("POST", "/v1/completions", &[kind], &long).await.status, 413);
    let reply = gateway.post("/v1/completions", &json!({"model": "tale", "prompt": "a"})).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]["type"]), (503, &json!("server_error")));
    assert_eq!(gateway.get("/v1/models").await.json()["data"], json!([]));
}

#[tokio::test]
async fn a_gateway_with_a_key_answers_only_who_has_it() {
    let gateway = Gateway::with_key("sk-one").await;
    for headers in [&[][..], &[("authorization", "Bearer sk-two")]] {
        let reply = gateway.send("GET", "/v1/models", headers, "").await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    }
    assert_eq!(
        gateway.send("GET", "/v1/models", &[("authorization", "Bearer sk-one")], "").await.status,
        200
    );
}

#[tokio::test]
async fn requests_beyond_the_places_are_refused_until_one_is_given_back() {
    let gateway = Gateway::before(&[]).await;
    let mut held = Vec::new();
    for _ in 0..REQUESTS_MAX {
        held.push(gateway.begin_request().await);
    }
    // Those held are let in as the server comes to them.
    let turned = async |status: u16| while gateway.get("/v1/models").await.status != status {};
    turned(429).await;
    held.truncate(REQUESTS_MAX - 2);
    turned(200).await;
}
