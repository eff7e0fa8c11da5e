//! Pareto fronts: dominance, the non-dominated points of a set, and thinning by crowding distance.

/// True if `one` is nowhere worse than `other` and somewhere better; smaller is better.
pub fn dominates(one: &[f64], other: &[f64]) -> bool {
    let mut better = false;
    for (a, b) in one.iter().zip(other) {
        if a > b {
            return false;
        }
        better |= a < b;
    }
    better
}

/// Finds the indices of the non-dominated among `values`, in order; of equals, the first.
pub fn non_dominated(values: &[&[f64]]) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for (at, value) in values.iter().enumerate() {
        if kept.iter().any(|&other| values[other] == *value || dominates(values[other], value)) {
            continue;
        }
        kept.retain(|&other| !dominates(value, values[other]));
        kept.push(at);
    }
    kept
}

/// Thins `kept` to `most` indices: again and again the one goes whose neighbours are nearest, by the crowding distance of
/// NSGA-II (Deb et al., 2002), so that the ends of the front stay.
pub fn thin<'a>(values: impl Fn(usize) -> &'a [f64], kept: &mut Vec<usize>, most: usize) {
    while kept.len() > most.max(1) {
        let distances = crowding_distance(&values, kept);
        let least = (0..kept.len())
            .min_by(|&a, &b| distances[a].total_cmp(&distances[b]))
            .expect("more places than at least one");
        kept.remove(least);
    }
}

fn crowding_distance<'a>(values: &impl Fn(usize) -> &'a [f64], kept: &[usize]) -> Vec<f64> {
    let mut distances = vec![0.0; kept.len()];
    let objectives = kept.first().map_or(0, |&at| values(at).len());
    for objective in 0..objectives {
        let mut order: Vec<usize> = (0..kept.len()).collect();
        order.sort_by(|&a, &b| values(kept[a])[objective].total_cmp(&values(kept[b])[objective]));
        let of = |place: usize| values(kept[order[place]])[objective];
        let last = order.len() - 1;
        let range = of(last) - of(0);
        distances[order[0]] = f64::INFINITY;
        distances[order[last]] = f64::INFINITY;
        for place in 1..last {
            if range > 0.0 {
                distances[order[place]] += (of(place + 1) - of(place - 1)) / range;
            }
        }
    }
    distances
}
