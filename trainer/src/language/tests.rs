use super::*;

fn documents() -> Vec<String> {
    let line = |index: usize| format!("The {index}th miner answers and the validator weighs its answer. ");
    (0..80).map(|document| (0..12).map(|index| line(document % 7 + index)).collect()).collect()
}

#[test]
fn a_model_learns_its_text_and_comes_out_the_same_again() {
    let tokenizer = tokenizer(&documents(), 320).expect("a tokenizer");
    let recipe = LanguageRecipe { size: Size::Weak, steps: 12, seed: 1 };
    let train = || {
        let mut losses = Vec::new();
        let mut keep = |progress: LanguageProgress| losses.push(progress.loss);
        let trained = train_language(&recipe, &documents(), &tokenizer, &|| Duration::ZERO, &mut keep);
        (trained.expect("trained"), losses)
    };
    let (first, losses) = train();
    assert_eq!(losses.len(), 1);
    assert!(first.held_out_perplexity < Size::VOCABULARY as f64 / 8.0, "{}", first.held_out_perplexity);
    assert_eq!(train().0.weights, first.weights);
    assert_eq!(tokenizer, super::tokenizer(&documents(), 320).expect("a tokenizer"));
}

#[test]
fn too_little_text_is_refused() {
    let documents = vec!["Short.".to_owned()];
    let tokenizer = tokenizer(&documents, 300).expect("a tokenizer");
    let recipe = LanguageRecipe { size: Size::Weak, steps: 1, seed: 1 };
    let trained = train_language(&recipe, &documents, &tokenizer, &|| Duration::ZERO, &mut |_| {});
    assert!(matches!(trained, Err(TrainError::TooLittle { .. })));
}
