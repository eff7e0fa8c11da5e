//! The parsers of bytes that strangers, disks and servers hand over, each as far as its caller takes it.

use http::{HeaderMap, HeaderName, HeaderValue};
use weighhouse_ask::completions::Events;
use weighhouse_merkle::{Checkpoint, KeyKind, SignedNote, VerifierKey};
use weighhouse_proto::inference::ModelInferRequest;
use weighhouse_types::InferRequest;
use weighhouse_types::text::{TextLimits, TextRequest};

/// One parser.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The name of its corpus folder as well.
    pub(crate) name: &'static str,
    /// Inputs that lie elsewhere in the repository.
    pub(crate) seeds: &'static [&'static str],
    pub(crate) parse: fn(&[u8]),
}

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "request", seeds: &[], parse: request },
    Target { name: "headers", seeds: &[], parse: headers },
    Target { name: "keyfile", seeds: &[], parse: keyfile },
    Target { name: "journal", seeds: &["journal/testdata/v1.wj", "journal/testdata/v2.wj"], parse: journal },
    Target {
        name: "task",
        seeds: &[
            "tasks/files/digits-conformance.toml",
            "tasks/files/digits-quality.toml",
            "tasks/files/embed.toml",
            "tasks/files/generate.toml",
        ],
        parse: task,
    },
    Target { name: "policy", seeds: &["scoring/policies/default.toml"], parse: policy },
    Target { name: "events", seeds: &[], parse: events },
    Target { name: "statement", seeds: &[], parse: statement },
    Target { name: "labels", seeds: &[], parse: labels },
    Target { name: "note", seeds: &[], parse: note },
    Target { name: "safetensors", seeds: &["models/testdata/python.safetensors"], parse: safetensors },
];

const LIMITS: TextLimits = TextLimits { prompt_bytes: 4_096, prompt_tokens: 256, max_tokens: 64 };

/// A labelling config of Label Studio, and a model's words for a class.
fn labels(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let classes =
        weighhouse_label::classes_of_config(text).unwrap_or_else(|_| vec!["yes".to_owned(), "no".to_owned()]);
    let class = weighhouse_label::ask::read_answer(text, &classes).and_then(weighhouse_label::Answer::class);
    assert!(class.is_none_or(|class| class < classes.len()), "a class of the job");
}

/// A checkpoint, as a witness and an audit read it.
fn note(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(note) = SignedNote::parse(text) else { return };
    assert_eq!(SignedNote::parse(&note.to_string()).as_ref(), Ok(&note), "it reads back as it is written");
    let key = VerifierKey::new("subnet.example/receipts", KeyKind::Log, [7; 32]);
    drop(key.map(|key| key.verify(&note)));
    if let Ok(checkpoint) = Checkpoint::of(&note) {
        assert!(note.text().starts_with(&checkpoint.to_string()), "a checkpoint is written in one way");
    }
}

/// A framed `ModelInfer`, as a miner reads it.
fn request(bytes: &[u8]) {
    let Ok(message) = weighhouse_ask::unframe::<ModelInferRequest>(bytes) else { return };
    let Ok(request) = InferRequest::try_from(message) else { return };
    let _ = TextRequest::from_infer(&request, &LIMITS);
    let _ = weighhouse_tasks::pixels(&request);
}

/// The headers of a signed request, a line each: `name: value`.
fn headers(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii()))
        {
            headers.append(name, value);
        }
    }
    let _ = weighhouse_wallet::btauth::Claims::parse(&headers);
}

fn keyfile(bytes: &[u8]) {
    let _ = weighhouse_wallet::keyfile::encryption(bytes);
    let _ = weighhouse_wallet::keyfile::parse_public(bytes);
}

/// A segment, its records, and every record's bytes under both of the versions that are read.
fn journal(bytes: &[u8]) {
    let _ = weighhouse_journal::Segment::read(bytes);
    // Behind the seals, which no mutation gets past, stand the records' own bytes.
    let _ = weighhouse_journal::read_record(bytes);
    let _ = weighhouse_journal::read_record(&[&[1, 0], bytes].concat());
    let _ = weighhouse_journal::read_record(&[&[2, 0], bytes].concat());
}

fn task(bytes: &[u8]) {
    let _ = weighhouse_tasks::Task::load(bytes, &weighhouse_tasks::OnRecord);
}

fn policy(bytes: &[u8]) {
    let _ = weighhouse_scoring::Policy::parse(bytes);
}

/// Server-sent events, in two reads.
fn events(bytes: &[u8]) {
    let mut events = Events::new(1 << 20);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for part in [first, second] {
        if events.push(part).is_err() {
            return;
        }
        while events.next().is_some() {}
    }
    events.end();
    while events.next().is_some() {}
}

/// A validator's statement, as a miner reads and prints it.
fn statement(bytes: &[u8]) {
    if let Ok(statement) = weighhouse_proto::decode_statement(bytes) {
        let _ = statement.sentence();
    }
}

fn safetensors(bytes: &[u8]) {
    let _ = weighhouse_models::safetensors::read(bytes);
}
