//! Sums in a written order, with the error of each step carried on.

/// A compensated sum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    pub(super) fn add(&mut self, value: f64) {
        let value = value - self.lost;
        let next = self.total + value;
        self.lost = (next - self.total) - value;
        self.total = next;
    }

    pub(super) fn total(self) -> f64 {
        self.total
    }
}
