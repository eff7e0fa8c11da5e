use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use weighhouse_models::LoadLimits;
use weighhouse_models::language::LanguageModel;

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub on the loopback with one model.
struct Hub {
    files: BTreeMap<String, Vec<u8>>,
    asked: Mutex<Vec<String>>,
}

impl Hub {
    fn with_model() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/llama");
        let read = |name: &str| (name.to_owned(), std::fs::read(folder.join(name)).expect("a golden file"));
        let files = [CONFIG, TOKENIZER, WHOLE].map(read).into_iter().collect();
        Self { files, asked: Mutex::default() }
    }

    /// Serves until the test ends; the address.
    fn serve(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let hub = self.clone();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| hub.answer(stream)));
        format!("http://{address}")
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
        let (mut head, mut from) = (String::new(), 0);
        reader.read_line(&mut head).expect("a request");
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a header");
            if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
                from = range.split('-').next().and_then(|from| from.parse().ok()).expect("a range");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let path = head.split(' ').nth(1).expect("a path").to_owned();
        self.asked.lock().expect("kept").push(path.clone());
        let (status, body) = self.look(&path);
        let part = body.get(from..).unwrap_or_default();
        let (total, last) = (body.len(), body.len().saturating_sub(1));
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\ncontent-range: bytes {from}-{last}/{total}\r\n\
             etag: \"{}\"\r\nx-repo-commit: {COMMIT}\r\nconnection: close\r\n\r\n",
            part.len(),
            path.rsplit('/').next().unwrap_or_default().replace('.', "-"),
        );
        let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(part));
        // A client that only wants the headers hangs up.
        drop(sent);
    }

    fn look(&self, path: &str) -> (&'static str, Vec<u8>) {
        if path == "/api/models/someone/tiny/revision/main" || path == "/api/models/someone/tiny" {
            let siblings: Vec<_> =
                self.files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
            let info = serde_json::json!({ "sha": COMMIT, "siblings": siblings });
            return ("200 OK", info.to_string().into_bytes());
        }
        let file = path.strip_prefix(&format!("/someone/tiny/resolve/{COMMIT}/"));
        match file.and_then(|file| self.files.get(file)) {
            Some(bytes) => ("206 Partial Content", bytes.clone()),
            None => ("404 Not Found", Vec::new()),
        }
    }
}

fn name() -> HubName {
    HubName::parse("someone/tiny").expect("a name")
}

#[test]
fn a_model_is_fetched_once_and_used_from_the_cache_when_the_hub_is_away() {
    let hub = Arc::new(Hub::with_model());
    let dir = tempfile::tempdir().expect("a folder");
    let cache = || Cache::new(dir.path().join("hub"));
    let endpoint = hub.serve();
    let folder = fetch_into(&name(), cache(), Some(endpoint.clone())).expect("fetched");
    LanguageModel::load(&folder, &LoadLimits::STANDARD).expect("a model");
    let asked = hub.asked.lock().expect("kept").len();
    assert_eq!(fetch_into(&name(), cache(), Some(endpoint)).expect("again"), folder);
    assert_eq!(hub.asked.lock().expect("kept").len(), asked + 1, "only what the newest commit is");
    let away = Some("http://127.0.0.1:1".to_owned());
    assert_eq!(fetch_into(&name(), cache(), away.clone()).expect("from the cache"), folder);
    let other = HubName::parse("someone/other").expect("a name");
    let error = fetch_into(&other, cache(), away).expect_err("nowhere").to_string();
    assert!(error.contains("no such folder here") && error.contains("127.0.0.1:1"), "{error}");
}

#[test]
fn what_a_repository_lacks_is_named_and_pickles_are_refused() {
    let files = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let say = |names: &[&str]| wanted(&files(names)).expect_err("refused").to_string();
    assert!(say(&[CONFIG, WHOLE]).contains(TOKENIZER));
    assert!(say(&[CONFIG, TOKENIZER]).contains(WHOLE));
    assert!(say(&[CONFIG, TOKENIZER, "pytorch_model.bin"]).contains("pytorch_model.bin"));
    let beside = files(&[OPTIONAL[1], WHOLE, "training_args.bin", TOKENIZER, OPTIONAL[0], CONFIG]);
    assert_eq!(wanted(&beside).expect("whole"), [CONFIG, TOKENIZER, OPTIONAL[0], OPTIONAL[1], WHOLE]);
    let shards = files(&[
        CONFIG,
        TOKENIZER,
        INDEX,
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model-/../../evil.safetensors",
        "onnx/model.onnx",
        "README.md",
    ]);
    let expected =
        [CONFIG, TOKENIZER, INDEX, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    assert_eq!(wanted(&shards).expect("whole"), expected);
}

#[test]
fn names_of_the_hub_are_told_from_paths() {
    assert_eq!(name().to_string(), "someone/tiny@main");
    let pinned = format!("Qwen/Qwen2-0.5B@{COMMIT}");
    assert_eq!(HubName::parse(&pinned).map(|name| name.to_string()), Some(pinned));
    for path in ["model", "./model", "../x/y", "/a/b", "a/b/c", "a/", "/b", "a/b@", "a/.b", "a b/c", "~/m"] {
        assert_eq!(HubName::parse(path), None, "{path}");
    }
}
