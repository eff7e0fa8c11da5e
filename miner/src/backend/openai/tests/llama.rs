//! llama.cpp's own call, played by a model that always says the same.

use serde_json::Value;

use super::*;

const END: u32 = 0;
/// The tokens after any prompt: 20 and 21 are a character together, and the model goes on after its end if it must.
const SAYS: [(u32, &str); 6] = [(10, "a"), (20, ""), (21, "ß"), (END, ""), (30, "b"), (31, "c")];

/// A token with its alternatives; the likeliest is what the model says at this place.
fn entry(id: u32, place: usize) -> Value {
    let top = json!([{ "id": SAYS[place].0, "logprob": -0.25 }, { "id": 10, "logprob": -9.0 }]);
    json!({ "id": id, "token": "x", "logprob": if id == SAYS[place].0 { -0.25 } else { -9.0 }, "top_logprobs": top })
}

fn completed(prompt: &Value, body: &Value) -> Value {
    // Behind the prompt's text stand tokens that were said before.
    let place = prompt.as_array().map_or(0, |parts| parts.len() - 1);
    if let Some(bias) = body["logit_bias"].as_array() {
        let forced = bias[0][0].as_u64().expect("an id") as u32;
        return json!({ "content": "x", "tokens": [forced], "stop_type": "limit",
            "completion_probabilities": [entry(forced, place)] });
    }
    let count = body["n_predict"].as_u64().expect("a count") as usize;
    let said: Vec<_> = SAYS[place..].iter().take(count).collect();
    let end = said.iter().position(|(id, _)| *id == END);
    let said = &said[..end.map_or(said.len(), |at| at + 1)];
    let told = said.iter().enumerate().filter(|(_, (id, _))| *id != 20);
    let told: Vec<_> = told.map(|(at, (id, _))| entry(*id, place + at)).collect();
    json!({
        "content": said.iter().map(|(_, text)| *text).collect::<String>(),
        "tokens": said.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        "stop_type": if end.is_some() { "eos" } else { "limit" },
        "completion_probabilities": told,
        "tokens_evaluated": 3 + place,
        "model": body["model"].as_str().unwrap_or("gpt-3.5-turbo"),
    })
}

async fn llama() -> (OpenAi, Server) {
    let server = Server::start(|asked| {
        assert_eq!(asked.path, "/completion");
        let prompt = &asked.body["prompt"];
        let is_list = prompt
            .as_array()
            .is_some_and(|parts| parts.iter().all(|part| part.is_array() || part.is_string()));
        let answer = match prompt.as_array() {
            Some(prompts) if is_list => prompts.iter().map(|prompt| completed(prompt, &asked.body)).collect(),
            _ => completed(prompt, &asked.body),
        };
        Served::bytes(status("200 OK", &answer.to_string()))
    })
    .await;
    let mut abilities =
        Abilities { tokens: TokenForm::Llama { anchor: 10 }, model: Some("tiny".into()), ..able() };
    abilities.fields.retain(|(name, _)| *name != "ignore_eos");
    (backend(&server, abilities), server)
}

fn request(ignore_end: bool) -> TextRequest {
    TextRequest { log_probs: true, ignore_end, ..TextRequest::greedy("say", 6) }
}

#[tokio::test]
async fn tokens_within_a_character_have_their_log_probabilities_and_an_end_is_gone_on_after() {
    let (backend, server) = llama().await;
    let found = whole(&backend, request(true)).await.expect("answered");
    assert_eq!((found.text.as_str(), found.finish), ("aßbc", Some(Finish::Length)));
    assert_eq!(found.tokens, [10, 20, 21, END, 30, 31]);
    assert_eq!((found.log_probs, found.prompt_tokens), (vec![-0.25; 6], 3));
    let asked = server.asked();
    assert!(
        asked.iter().all(|asked| asked.body.get("ignore_eos").is_none() && asked.body["temperature"] == 0)
    );
    assert_eq!(asked.last().expect("asked").body["prompt"], json!(["say", 10, 20, 21, END]));
    let found = whole(&backend, request(false)).await.expect("answered");
    assert_eq!((found.tokens, found.finish), (vec![10, 20, 21, END], Some(Finish::End)));
}

#[tokio::test]
async fn an_answer_that_repeats_a_long_prompt_is_read() {
    let server = Server::start(|asked| {
        let answer = json!({ "content": "a", "tokens": [10], "stop_type": "limit", "prompt": asked.body["prompt"],
            "completion_probabilities": [entry(10, 0)] });
        Served::bytes(status("200 OK", &answer.to_string()))
    })
    .await;
    let backend = backend(&server, Abilities { tokens: TokenForm::Llama { anchor: 10 }, ..able() });
    let long = TextRequest { log_probs: true, ..TextRequest::greedy(&"x ".repeat(100_000), 1) };
    assert_eq!(whole(&backend, long).await.expect("answered").tokens, [10]);
}

#[tokio::test]
async fn an_answer_of_another_model_or_of_other_tokens_is_refused() {
    for (answer, why) in [
        (json!({ "tokens": [1], "stop_type": "limit", "model": "other" }), "is of model"),
        (json!({ "tokens": [1, 1, 1, 1, 1, 1, 1], "stop_type": "limit" }), "more tokens"),
        (json!({ "tokens": [1], "stop_type": "none" }), "it stopped for"),
        (
            json!({ "tokens": [1], "stop_type": "limit", "completion_probabilities": [{ "id": 2, "logprob": -1.0 }] }),
            "none of its tokens",
        ),
        (json!({ "error": { "code": 500, "message": "out of memory" } }), "out of memory"),
    ] {
        let answer = answer.to_string();
        let server = Server::start(move |_| Served::bytes(status("200 OK", &answer))).await;
        let (tokens, model) = (TokenForm::Llama { anchor: 10 }, Some("m".into()));
        let backend = backend(&server, Abilities { tokens, model, ..able() });
        let error = whole(&backend, request(true)).await.expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
}
