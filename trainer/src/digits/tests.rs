use weighhouse_models::Builtin;

use super::*;

fn trained(seed: u64) -> Vec<u8> {
    let mut passes = 0;
    let trained = train(Recipe::Weak, seed, &mut |progress| passes = progress.pass).expect("trained");
    assert!(passes > 0 && trained.held_out_accuracy > 0.5);
    trained.file
}

#[test]
fn training_again_gives_the_same_file_and_another_seed_another() {
    assert_eq!(trained(1), trained(1));
    assert_ne!(trained(1), trained(2));
}

#[test]
fn the_shipped_weak_weights_are_what_training_makes() {
    let load = |file: &[u8]| Classifier::load(file).expect("loads");
    let (ours, shipped) = (load(&trained(1)), load(Builtin::Weak.bytes()));
    let pixels: Vec<f32> = digits::held_out().flat_map(digits::clean).collect();
    let rows = ours.forward(&pixels).expect("forward").concat();
    let shipped = shipped.forward(&pixels).expect("forward").concat();
    // Another processor, and another optimiser, may round another way on every one of some hundred steps.
    assert!(rows.iter().zip(&shipped).all(|(ours, shipped)| (ours - shipped).abs() < 0.02));
}
