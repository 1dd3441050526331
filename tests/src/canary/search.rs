//! Many needles in one pass: a test of hundreds of keys gives thousands of
//! them, and what to look through is tens of megabytes.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;

use super::dresses::Dress;

/// Needles that are looked for together.
#[derive(Debug)]
pub(super) struct Search {
    /// None when it could not be built; then nothing counts as looked at, and
    /// the scan does not end well.
    automaton: Option<AhoCorasick>,
    needles: Vec<(String, Dress)>,
}

/// Where a needle was found first.
pub(super) struct Found<'a> {
    pub(super) key: &'a str,
    pub(super) form: &'static str,
    pub(super) offset: usize,
}

impl Search {
    pub(super) fn new(needles: Vec<(String, Dress)>, any_case: bool) -> Self {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(any_case)
            .build(needles.iter().map(|(_, dress)| &dress.bytes))
            .ok();
        Self { automaton, needles }
    }

    pub(super) fn works(&self) -> bool {
        self.automaton.is_some()
    }

    /// Each needle that is in `content`, once.
    pub(super) fn find(&self, content: &[u8]) -> impl Iterator<Item = Found<'_>> {
        let mut first = BTreeMap::new();
        for found in self
            .automaton
            .iter()
            .flat_map(|automaton| automaton.find_overlapping_iter(content))
        {
            first.entry(found.pattern().as_usize()).or_insert(found.start());
        }
        first.into_iter().filter_map(|(number, offset)| {
            let (key, dress) = self.needles.get(number)?;
            Some(Found {
                key,
                form: dress.form,
                offset,
            })
        })
    }
}
