use super::*;
use crate::Builtin;
use crate::safetensors::NewTensor;

fn load(builtin: Builtin) -> Classifier {
    Classifier::load(builtin.bytes()).expect("built-in weights load")
}

/// A tensor's name and shape.
type Named<'a> = (&'a str, &'a [usize]);

/// A file with the given tensors, all zeros.
fn file(tensors: &[Named<'_>]) -> Vec<u8> {
    let zeros = vec![0.0; WIDTH_MAX * PIXELS * 2];
    let tensors = tensors.iter().map(|(name, shape)| NewTensor {
        name: (*name).to_owned(),
        shape: shape.to_vec(),
        values: &zeros[..shape.iter().product()],
    });
    safetensors::write(&tensors.collect::<Vec<_>>(), &BTreeMap::new())
}

fn refusal(tensors: &[Named<'_>]) -> ModelError {
    Classifier::load(&file(tensors)).expect_err("refused")
}

#[test]
fn the_reference_names_97_percent_of_held_out_scans_and_the_weak_set_does_not() {
    let accuracy = |builtin| held_out_accuracy(&load(builtin)).expect("forward");
    assert!(accuracy(Builtin::Reference) >= 0.97);
    assert!(accuracy(Builtin::Better) >= accuracy(Builtin::Reference));
    assert!((0.6..0.8).contains(&accuracy(Builtin::Weak)));
}

#[test]
fn probabilities_sum_to_one_and_nan_harms_only_its_own_row() {
    let model = load(Builtin::Reference);
    let mut pixels: Vec<f32> = crate::digits::held_out().take(32).flat_map(crate::digits::clean).collect();
    let clean = model.forward(&pixels).expect("forward");
    for row in &clean {
        assert!((row.iter().map(|p| f64::from(*p)).sum::<f64>() - 1.0).abs() < 1e-5);
    }
    pixels[5 * PIXELS + 3] = f32::NAN;
    pixels[6 * PIXELS] = f32::INFINITY;
    pixels[7 * PIXELS] = f32::MAX;
    let dirty = model.forward(&pixels).expect("forward");
    for row in (0..32).filter(|row| !(5..=7).contains(row)) {
        assert_eq!(clean[row], dirty[row], "row {row}");
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours_or_its_place_in_a_batch() {
    for builtin in Builtin::ALL {
        let model = load(builtin);
        let pixels: Vec<f32> = crate::digits::held_out().take(256).flat_map(crate::digits::clean).collect();
        let forward = model.forward(&pixels).expect("forward");
        let mut turned = pixels.clone();
        turned.rotate_left(7 * PIXELS);
        let mut back = model.forward(&turned).expect("forward");
        back.rotate_right(7);
        assert_eq!(forward, back);
    }
}

#[test]
fn threads_that_share_a_model_get_the_same_bits() {
    let model = load(Builtin::Better);
    let pixels: Vec<f32> = crate::digits::held_out().take(64).flat_map(crate::digits::clean).collect();
    let alone = model.forward(&pixels).expect("forward");
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| model.forward(&pixels))).collect();
        for run in runs {
            assert_eq!(run.join().expect("no panic"), Ok(alone.clone()));
        }
    });
}

#[test]
fn a_pass_takes_whole_scans_up_to_its_limit() {
    let model = load(Builtin::Weak);
    assert_eq!(model.forward(&[]), Ok(Vec::new()));
    assert_eq!(model.forward(&[0.0; 65]), Err(ModelError::Ragged { values: 65 }));
    let rows = ROWS_MAX + 1;
    assert_eq!(model.forward(&vec![0.0; rows * PIXELS]), Err(ModelError::TooManyRows { rows }));
}

#[test]
fn missing_surplus_and_misshapen_tensors_are_named() {
    let (weight, bias): (Named<'_>, Named<'_>) = (("layers.0.weight", &[10, 64]), ("layers.0.bias", &[10]));
    assert!(Classifier::load(&file(&[weight, bias])).is_ok());
    assert_eq!(refusal(&[weight]), ModelError::Missing { name: "layers.0.bias".into() });
    assert_eq!(refusal(&[bias]), ModelError::Missing { name: "layers.0.weight".into() });
    assert_eq!(refusal(&[weight, bias, ("extra", &[1])]), ModelError::Surplus { name: "extra".into() });
    let shape = |tensors: &[Named<'_>], culprit: &str| {
        let error = refusal(tensors);
        assert!(matches!(&error, ModelError::Shape { name, .. } if name == culprit), "{error}");
    };
    shape(&[("layers.0.weight", &[64, 10]), bias], "layers.0.weight");
    shape(&[("layers.0.weight", &[640]), bias], "layers.0.weight");
    shape(&[("layers.0.weight", &[WIDTH_MAX + 1, 64]), bias], "layers.0.weight");
    shape(&[weight, ("layers.0.bias", &[10, 1])], "layers.0.bias");
    shape(&[("layers.0.weight", &[9, 64]), ("layers.0.bias", &[9])], "layers.0.weight");
}

#[test]
fn a_fifth_layer_and_weights_that_are_not_finite_are_refused() {
    let names: Vec<(String, String)> = (0..=LAYERS_MAX).map(names).collect();
    let tensors: Vec<Named<'_>> = names
        .iter()
        .enumerate()
        .flat_map(|(index, (weight, bias))| {
            let shape: &[usize] = if index == 0 { &[10, 64] } else { &[10, 10] };
            [(&weight[..], shape), (&bias[..], &[10][..])]
        })
        .collect();
    assert!(Classifier::load(&file(&tensors[..2 * LAYERS_MAX])).is_ok());
    assert!(matches!(refusal(&tensors), ModelError::Surplus { name } if name.starts_with("layers.4")));
    let mut file = file(&tensors[..2]);
    let last = file.len() - 4;
    file[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = Classifier::load(&file).expect_err("refused");
    assert_eq!(error, ModelError::NotFinite { name: "layers.0.bias".into(), index: 9 });
}
