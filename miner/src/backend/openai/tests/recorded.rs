//! Bytes of real servers, which `cargo xtask suite servers --record` wrote down, played back over a socket.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::Value;
use weighhouse_models::language::{BuiltinLanguage, ForcedSequence, LanguageModel};
use weighhouse_models::sampling::log_probs;

use super::server::{Asked, request};
use super::*;

/// Tokens that the recorded task asks for.
const TOKENS: u64 = 48;
/// The largest difference of honest log-probabilities, and of a chosen token's logit from the largest.
const DIFFERENCE_MAX: f32 = 0.01;

/// A server, and what it was seen to do.
struct Recorded {
    exchanges: Vec<(Asked, Vec<u8>)>,
    server: Server,
    /// Questions that it was never asked before.
    unknown: Arc<Mutex<Vec<String>>>,
}

impl Recorded {
    async fn play(name: &str) -> Self {
        let exchanges = read(&folder().join(name));
        let (known, unknown) = (exchanges.clone(), Arc::<Mutex<Vec<String>>>::default());
        let missed = unknown.clone();
        let server = Server::start(move |asked| {
            let known =
                known.iter().find(|(known, _)| (&known.path, &known.body) == (&asked.path, &asked.body));
            if known.is_none() {
                missed.lock().expect("not poisoned").push(format!("{} {}", asked.path, asked.body));
            }
            Served::bytes(
                known.map_or_else(|| status("418 Not Recorded", "not recorded"), |(_, reply)| reply.clone()),
            )
        })
        .await;
        Self { exchanges, server, unknown }
    }

    fn backend(&self) -> OpenAi {
        let server = CompletionServer { model: "language".into(), key: None, ..self.server.address() };
        OpenAi::new(server, Digest::of(b"language"))
    }

    /// The prompts of recorded completions of the task.
    fn prompts(&self) -> Vec<String> {
        let is_of_task = |body: &Value| body["max_tokens"] == TOKENS || body["n_predict"] == TOKENS;
        let bodies = self.exchanges.iter().map(|(asked, _)| &asked.body).filter(|body| is_of_task(body));
        bodies.map(|body| body["prompt"].as_str().expect("a text").to_owned()).collect()
    }

    fn check_requests(&self) {
        let unknown = self.unknown.lock().expect("not poisoned");
        assert!(
            unknown.is_empty(),
            "the miner sends what isn't in the recording; make it anew with `cargo xtask suite servers --record`:\n{}",
            unknown.join("\n")
        );
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/servers")
}

fn read(folder: &Path) -> Vec<(Asked, Vec<u8>)> {
    let mut exchanges = Vec::new();
    for at in 0.. {
        let file = |what: &str| std::fs::read(folder.join(format!("{at:02}.{what}.http")));
        let Ok(asked) = file("request") else { break };
        let asked = request(&String::from_utf8(asked).expect("UTF-8")).expect("a whole request");
        exchanges.push((asked, file("reply").expect("a reply to each request")));
    }
    assert!(!exchanges.is_empty(), "{} has no exchanges", folder.display());
    exchanges
}

fn of_task(prompt: &str) -> TextRequest {
    TextRequest { log_probs: true, ignore_end: true, ..TextRequest::greedy(prompt, TOKENS as u32) }
}

/// Holds an answer against the model that the server was given.
fn check_answer(model: &LanguageModel, prompt: &str, answer: &TextAnswer) {
    let mut tokens = model.encode(prompt).expect("a prompt");
    let from = tokens.len();
    assert_eq!(answer.prompt_tokens as usize, from);
    assert_eq!((answer.finish, answer.tokens.len() as u64), (Some(Finish::Length), TOKENS));
    assert_eq!(answer.log_probs.len(), answer.tokens.len());
    let whole = |text: &str| text.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned();
    assert_eq!(whole(&answer.text), whole(&model.continuation(&tokens, &answer.tokens)));
    tokens.extend(&answer.tokens);
    let logits = model.forced(&[ForcedSequence { tokens: &tokens, from }]).expect("a sequence");
    for ((row, token), told) in
        logits[0].chunks(model.vocabulary()).zip(&answer.tokens).zip(&answer.log_probs)
    {
        let largest = row.iter().copied().fold(f32::MIN, f32::max);
        let below = largest - row[*token as usize];
        assert!(below < DIFFERENCE_MAX, "token {token} is {below} from the likeliest");
        let own = log_probs(row, *token, 0).chosen;
        assert!((own - told).abs() < DIFFERENCE_MAX, "token {token}: {told}");
    }
}

#[tokio::test]
async fn recorded_servers_are_understood_as_they_were() {
    let model = LanguageModel::builtin(BuiltinLanguage::Reference).expect("built in");
    let servers = [
        (
            "llama.cpp",
            "calls its model \"language\", tells token ids, all of them only by /completion without a stream, so answers \
             with ids come whole; its ignore_eos bans the end token, so it isn't sent and the miner goes on after an end \
             itself, up to 20 alternatives, doesn't say which stop word ended an answer (the miner applies them), doesn't \
             score prompts (can't be a validator's reference)",
        ),
        ("vllm", "calls its model \"language\", tells token ids, up to 20 alternatives, takes 4 stop words"),
    ];
    for (name, expected) in servers {
        let recorded = Recorded::play(name).await;
        let backend = recorded.backend();
        backend.prepare().await.expect("no reason to stop");
        let abilities = backend.behind.learn().await;
        recorded.check_requests();
        assert_eq!(abilities.expect("it answers").to_string(), expected, "{name}");
        let prompts = recorded.prompts();
        assert!(prompts.len() >= 2, "{name}: completions of the task");
        for prompt in prompts {
            let answer = whole(&backend, of_task(&prompt)).await;
            recorded.check_requests();
            check_answer(&model, &prompt, &answer.unwrap_or_else(|error| panic!("{name}: {error}")));
        }
    }
}

#[tokio::test]
async fn a_question_that_was_not_recorded_is_told() {
    let recorded = Recorded::play("llama.cpp").await;
    let backend = recorded.backend();
    backend.prepare().await.expect("no reason to stop");
    recorded.check_requests();
    whole(&backend, of_task("a prompt of which there is no recording")).await.expect_err("unknown");
    let unknown = recorded.unknown.lock().expect("not poisoned");
    assert!(unknown[0].contains("/completion") && unknown[0].contains("no recording"), "{unknown:?}");
}
