//! What servers can do is found out before they are used, and again when they change.

use std::sync::Mutex;

use serde_json::Value;

use super::server::Asked;
use super::*;

/// A small server that takes some fields, as a vLLM does.
#[derive(Clone, Debug)]
struct Fake {
    takes: Vec<&'static str>,
    /// Whether a refusal says which field it is for.
    names_fields: bool,
    stop_words_max: usize,
    says_stop_word: bool,
    model: &'static str,
}

const PLAIN: [&str; 8] =
    ["model", "prompt", "max_tokens", "temperature", "stream", "stop", "logprobs", "echo"];

impl Fake {
    fn strict() -> Self {
        let takes = PLAIN.into_iter().chain(["top_p", "n", "presence_penalty", "return_tokens_as_token_ids"]);
        Self {
            takes: takes.collect(),
            names_fields: true,
            stop_words_max: 4,
            says_stop_word: true,
            model: "m",
        }
    }

    fn answer(&self, asked: &Asked) -> Served {
        if asked.path != "/v1/completions" {
            return Served::bytes(status("404 Not Found", "no such path"));
        }
        let body = asked.body.as_object().expect("a request");
        if let Some(field) = body.keys().find(|key| !self.takes.contains(&key.as_str())) {
            let why =
                if self.names_fields { format!("extra field: {field}") } else { "bad request".to_owned() };
            return Served::bytes(status("400 Bad Request", &why));
        }
        let stop: Vec<&str> = body
            .get("stop")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if stop.len() > self.stop_words_max || body["prompt"].as_str().is_some_and(|prompt| prompt.len() > 50)
        {
            return Served::bytes(status("400 Bad Request", "too much of it"));
        }
        let logprobs = body.get("logprobs").map(|_| {
            json!({ "tokens": ["token_id:5"], "token_logprobs": [-0.5], "top_logprobs": [{ "token_id:5": -0.5 }] })
        });
        let is_stopped = stop.iter().any(|word| "fox".ends_with(word));
        let reason = (is_stopped && self.says_stop_word).then_some("x");
        let (text, finish) = if is_stopped { ("fo", "stop") } else { ("fox", "length") };
        let choice =
            json!({ "text": text, "logprobs": logprobs, "finish_reason": finish, "stop_reason": reason });
        let usage = json!({ "prompt_tokens": 4, "completion_tokens": 1 });
        let event = json!({ "model": self.model, "choices": [choice], "usage": usage });
        Served::bytes(stream(&[&event.to_string(), "[DONE]"]))
    }
}

/// A server whose nature a test can change.
async fn changing(fake: Fake) -> (OpenAi, Server, Arc<Mutex<Fake>>) {
    let fake = Arc::new(Mutex::new(fake));
    let shared = fake.clone();
    let server = Server::start(move |asked| shared.lock().expect("not poisoned").answer(asked)).await;
    (OpenAi::new(server.address(), Digest::of(b"tiny")), server, fake)
}

fn request() -> TextRequest {
    TextRequest { log_probs: true, ..TextRequest::greedy("count", 4) }
}

#[tokio::test]
async fn a_strict_server_is_met_without_the_fields_that_it_refuses() {
    for names_fields in [true, false] {
        let (backend, server, _) = changing(Fake { names_fields, ..Fake::strict() }).await;
        let found = whole(&backend, request()).await.expect("answered");
        assert_eq!((found.tokens, found.text.as_str()), (vec![5], "fox"));
        let last = server.asked().pop().expect("asked").body;
        let mut sent: Vec<_> = last.as_object().expect("a request").keys().map(String::as_str).collect();
        sent.sort_unstable();
        let expected = [
            "echo",
            "logprobs",
            "max_tokens",
            "model",
            "n",
            "presence_penalty",
            "prompt",
            "return_tokens_as_token_ids",
            "stream",
            "temperature",
            "top_p",
        ];
        assert_eq!(sent, expected);
    }
}

#[tokio::test]
async fn a_second_neutral_value_is_tried_where_the_first_is_refused() {
    let server = Server::start(|asked| {
        if asked.body["top_k"] == json!(-1) {
            return Served::bytes(status("400 Bad Request", "top_k must be at least 0"));
        }
        Served::bytes(stream(&[r#"{"choices":[{"text":"a","finish_reason":"length"}]}"#]))
    })
    .await;
    let backend = OpenAi::new(server.address(), Digest::of(b"tiny"));
    let abilities = backend.behind.learn().await.expect("it answers");
    assert_eq!(abilities.field("top_k"), Some(&json!(0)));
    assert_eq!(abilities.field("min_p"), Some(&json!(0)));
}

#[tokio::test]
async fn a_question_that_a_server_fails_at_is_one_that_it_refuses() {
    let given = r#"{"choices":[{"text":"fox","logprobs":{"tokens":["token_id:5"],"token_logprobs":[-0.5],
        "top_logprobs":[{"token_id:5":-0.5}]},"finish_reason":"length"}]}"#
        .replace('\n', "");
    for failure in [
        Vec::new(),
        ok(b""),
        stream(&[r#"{"error":{"message":"boom","code":500}}"#]),
        stream(&[r#"{"choices":[{"text":"a"},{"text":"b"}]}"#]),
    ] {
        let given = given.clone();
        let server = Server::start(move |asked| {
            let is_much = asked.body["logprobs"].as_u64().is_some_and(|count| count > 10);
            Served::bytes(if is_much { failure.clone() } else { stream(&[&given]) })
        })
        .await;
        let backend = OpenAi::new(server.address(), Digest::of(b"tiny"));
        let abilities = backend.behind.learn().await.expect("it answers");
        assert_eq!((abilities.tokens, abilities.alternatives), (TokenForm::Ids, 5));
    }
}

#[tokio::test]
async fn alternatives_without_the_chosen_tokens_name_none() {
    let server = Server::start(|_| {
        Served::bytes(stream(&[
            r#"{"choices":[{"text":"a","logprobs":{"top_logprobs":[{"a":-0.5}]},"finish_reason":"length"}]}"#,
        ]))
    })
    .await;
    let backend = OpenAi::new(server.address(), Digest::of(b"tiny"));
    assert_eq!(backend.behind.learn().await.expect("it answers").tokens, TokenForm::Text);
}

#[tokio::test]
async fn a_server_that_answers_whole_is_given_the_time_for_it() {
    let server = Server::start(|_| {
        Served::bytes(status("200 OK", r#"{"choices":[{"text":"a","finish_reason":"length"}]}"#))
    })
    .await;
    let backend = OpenAi::new(server.address(), Digest::of(b"tiny"));
    backend.prepare().await.expect("it answers");
    assert!(backend.answers_whole(&request()));
    assert_eq!(whole(&backend, request()).await, Ok(text("a", Some(Finish::Length))));
    assert_eq!(server.asked().pop().expect("asked").body["stream"], json!(false));
}

#[tokio::test]
async fn a_prompt_that_comes_back_is_no_part_of_an_answer() {
    let server = Server::start(|asked| {
        let said = format!("{} dog", asked.body["prompt"].as_str().unwrap_or_default());
        let event = json!({ "choices": [{ "text": said, "finish_reason": "length" }] });
        Served::bytes(stream(&[&event.to_string()]))
    })
    .await;
    let backend = OpenAi::new(server.address(), Digest::of(b"tiny"));
    let error = whole(&backend, TextRequest::greedy("count", 4)).await.expect_err("repeated");
    assert!(matches!(&error, BackendError::Misconfigured(why) if why.contains("echo")), "{error}");
}

#[tokio::test]
async fn a_long_list_of_models_is_an_answer() {
    let server = Server::start(|_| Served::bytes(status("200 OK", &"x".repeat(2 << 20)))).await;
    let backend = OpenAi::new(server.address(), Digest::of(b"tiny"));
    assert_eq!(backend.look().await, Some(Ok(())));
}

#[tokio::test]
async fn what_a_server_can_do_is_said_in_a_line() {
    let (backend, _server, _) = changing(Fake::strict()).await;
    let told = backend.upstream().await.expect("a server").expect("it answers");
    let expected = "calls its model \"m\", tells token ids, up to 20 alternatives, takes 4 stop words, takes no prompts as ids";
    // This one takes any prompt.
    let expected = expected.replace(", takes no prompts as ids", ", doesn't score prompts");
    assert!(told.contains(&expected), "{told}");
    assert!(told.contains("refuses stream_options ignore_eos best_of"), "{told}");
    let (backend, _server, _) = changing(Fake { says_stop_word: false, ..Fake::strict() }).await;
    let told = backend.upstream().await.expect("a server").expect("it answers");
    assert!(told.contains("doesn't say which stop word ended an answer"), "{told}");
}

#[tokio::test]
async fn a_server_that_tells_only_text_is_said_to_earn_nothing_where_ids_count() {
    let server = Server::start(|asked| {
        let refuses = asked.body.get("logprobs").is_some();
        Served::bytes(if refuses {
            status("422 Unprocessable", "logprobs: unsupported")
        } else {
            stream(&[r#"{"choices":[{"text":"a","finish_reason":"length"}]}"#])
        })
    })
    .await;
    let backend = OpenAi::new(server.address(), Digest::of(b"tiny"));
    let told = backend.upstream().await.expect("a server").expect("it answers");
    assert!(told.contains("tells no tokens, no log-probabilities"), "{told}");
    assert!(told.contains("can't earn on tasks that need token ids"), "{told}");
    // It answers what it can, and isn't asked for more.
    assert_eq!(whole(&backend, request()).await, Ok(text("a", Some(Finish::Length))));
}

#[tokio::test]
async fn a_refusal_of_what_the_miner_adds_is_not_the_callers_fault() {
    let (backend, server, fake) = changing(Fake::strict()).await;
    whole(&backend, request()).await.expect("answered");
    let before = server.asked().len();
    // The server is set up anew and takes less.
    fake.lock().expect("not poisoned").takes.retain(|field| *field != "top_p");
    assert_eq!(whole(&backend, request()).await.expect("answered").tokens, [5]);
    assert!(server.asked().len() > before + 2, "it was asked again what it can do");
    // Nothing that the miner could leave out helps.
    fake.lock().expect("not poisoned").takes.retain(|field| *field != "temperature");
    let error = whole(&backend, request()).await.expect_err("refused");
    assert!(matches!(error, BackendError::Misconfigured(_)), "{error}");
}

#[tokio::test]
async fn what_a_server_never_could_do_and_being_away_are_no_reason_to_ask_it_anew() {
    let server = Server::start(|_| Served::bytes(status("503 Service Unavailable", "loading"))).await;
    let backend = backend(&server, Abilities { prompt_ids: false, ..able() });
    let as_ids = TextRequest { prompt: Prompt::Ids(vec![1]), ..request() };
    assert!(matches!(whole(&backend, as_ids).await, Err(BackendError::Unsuited(_))));
    assert!(matches!(whole(&backend, request()).await, Err(BackendError::Unreachable(_))));
    assert!(backend.behind.known().is_some(), "nothing was forgotten");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_wish_that_is_always_refused_is_probed_for_once() {
    let server = Server::start(|asked| {
        let stop = asked.body.get("stop");
        if stop.is_some_and(|words| *words == json!([" "])) {
            return Served::bytes(status("400 Bad Request", "stop must not be blank"));
        }
        let choice = json!({ "text": "a", "finish_reason": "stop", "stop_reason": stop.map(|_| "a") });
        Served::bytes(stream(&[&json!({ "choices": [choice] }).to_string()]))
    })
    .await;
    let backend = OpenAi::new(server.address(), Digest::of(b"tiny"));
    let blank = TextRequest { stop: vec![" ".into()], ..TextRequest::greedy("a", 4) };
    let first = whole(&backend, blank.clone()).await.expect_err("refused");
    let before = server.asked().len();
    assert_eq!(whole(&backend, blank).await.expect_err("refused"), first);
    assert_eq!(
        server.asked().len(),
        before + 2,
        "the question, and whether the server refuses it from anybody"
    );
}

#[tokio::test]
async fn a_caller_that_leaves_takes_no_probe_with_it() {
    let (backend, _server, _) = changing(Fake::strict()).await;
    let mut generation = backend.generate(request());
    assert!(tokio::time::timeout(Duration::ZERO, generation.next()).await.is_err(), "not yet");
    drop(generation);
    let known = async {
        while backend.behind.known().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), known).await.expect("found out by itself");
}

#[tokio::test]
async fn a_refusal_of_the_prompt_is_the_callers() {
    let (backend, _server, _) = changing(Fake::strict()).await;
    let long = TextRequest { prompt: Prompt::Text("x".repeat(60)), ..request() };
    let error = whole(&backend, long).await.expect_err("refused");
    assert_eq!(error, BackendError::Refused("400 Bad Request: too much of it".into()));
}

#[tokio::test]
async fn a_server_that_comes_back_with_another_model_is_not_signed_for() {
    let (backend, _server, fake) = changing(Fake::strict()).await;
    whole(&backend, request()).await.expect("answered");
    fake.lock().expect("not poisoned").model = "other";
    let error = whole(&backend, request()).await.expect_err("another model");
    assert!(matches!(error, BackendError::Misconfigured(_)), "{error}");
    backend.prepare().await.expect("no reason to stop");
    let error = whole(&backend, request()).await.expect_err("still another model");
    assert!(matches!(error, BackendError::Misconfigured(_)), "{error}");
    // The first one is back: what was found wrong before counts no more.
    fake.lock().expect("not poisoned").model = "m";
    backend.prepare().await.expect("no reason to stop");
    assert!(backend.behind.known().is_some(), "found out again");
    whole(&backend, request()).await.expect("answered");
}
