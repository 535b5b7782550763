//! What is found wrong.

use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::exports::partway::rows_check::checks;

/// More failures of one rule say nothing new.
const MOST_OF_A_RULE: usize = 5;

#[derive(Default)]
pub struct Report {
    failures: Vec<(&'static str, String)>,
    pub tables: u32,
    pub rows: u64,
}

impl Report {
    pub fn fail(&mut self, rule: &'static str, text: String) {
        if self.failures.iter().filter(|(other, _)| *other == rule).count() < MOST_OF_A_RULE {
            self.failures.push((rule, text));
        }
    }

    /// `text` is made only if the rule is broken. Returns whether it is kept.
    pub fn expect(
        &mut self,
        rule: &'static str,
        is_kept: bool,
        text: impl FnOnce() -> String,
    ) -> bool {
        if !is_kept {
            self.fail(rule, text());
        }
        is_kept
    }

    pub fn finish(self) -> checks::Report {
        let failures = self.failures.into_iter();
        let failures = failures.map(|(rule, text)| checks::Failure { rule: rule.into(), text });
        checks::Report { failures: failures.collect(), tables: self.tables, rows: self.rows }
    }
}
