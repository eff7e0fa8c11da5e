use serde::Deserialize;

use super::*;
use crate::language::golden_folders;

/// Greatest difference of an embedding's number from that of `transformers`.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    kind: String,
    #[serde(default)]
    texts: Vec<String>,
    #[serde(default)]
    embeddings: Vec<Vec<f32>>,
}

#[test]
fn embeddings_are_those_of_transformers_alone_and_together() {
    let mut models = 0;
    for folder in golden_folders() {
        let golden = std::fs::read(folder.join("golden.json")).expect("golden.json");
        let golden: Golden = serde_json::from_slice(&golden).expect("golden figures");
        if golden.kind != "encoder" {
            continue;
        }
        let model = Embedder::load(&folder, &LoadLimits::STANDARD).expect("an encoder");
        let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
        let together = model.embed(&texts).expect("embeddings");
        for ((text, together), expected) in texts.iter().zip(together.rows()).zip(&golden.embeddings) {
            let alone = model.embed(&[text]).expect("an embedding");
            assert_eq!(alone.len(), model.dimensions());
            assert!(alone.iter().eq(together), "what shares a pass changes no bit");
            for ((alone, together), expected) in alone.iter().zip(together).zip(expected) {
                assert!((alone - expected).abs() <= TOLERANCE, "{alone} for {expected}");
                assert!((together - expected).abs() <= TOLERANCE, "{together} for {expected}");
            }
        }
        models += 1;
    }
    assert!(models > 0);
}

#[test]
fn a_text_is_cut_where_the_model_was_published_to_cut_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/language/bert");
    let model = Embedder::load(&folder, &LoadLimits::STANDARD).expect("an encoder");
    let long = "a chain pays for them ".repeat(100);
    assert_eq!(model.embed(&[&long]).expect("an embedding").dim(), (1, model.dimensions()));
    assert_eq!(model.embed(&[]).expect("none").dim(), (0, model.dimensions()));
}
