//! Targets for numbers, to be printed next to them.

/// A target for a number.
#[derive(Clone, Copy)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub fn holds(self, number: f64) -> bool {
        match self {
            Self::AtLeast(bound) => number >= bound,
            Self::AtMost(bound) => number <= bound,
        }
    }

    /// A number with its target.
    pub fn beside(self, number: f64) -> String {
        match self {
            Self::AtLeast(bound) => format!("{number:.2} (≥ {bound})"),
            Self::AtMost(bound) => format!("{number:.2} (≤ {bound})"),
        }
    }

    /// The same, with a word if the target is missed.
    pub fn judged(self, number: f64) -> String {
        let beside = self.beside(number);
        if self.holds(number) { beside } else { beside.replace(')', ", missed)") }
    }
}

#[cfg(test)]
mod tests {
    use super::Bound::*;

    #[test]
    fn what_is_asked_stands_beside_a_number() {
        assert_eq!(AtLeast(2.5).judged(3.111), "3.11 (≥ 2.5)");
        assert_eq!(AtLeast(2.5).judged(2.4), "2.40 (≥ 2.5, missed)");
        assert_eq!(AtMost(1.0).judged(1.0), "1.00 (≤ 1)");
        assert_eq!(AtMost(1.2).judged(1.21), "1.21 (≤ 1.2, missed)");
        assert!(!AtMost(1.0).holds(f64::NAN) && !AtLeast(1.0).holds(f64::NAN));
    }
}
