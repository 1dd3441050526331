//! Tells at a glance whether a text may hold one of many keys.

use std::fmt;

/// Letters of a key's end that are compared: as many as every echo shows, whole or masked.
const END: usize = 4;
/// Two ends of each of 256 keys fill a hundredth of these.
const BITS: u32 = 1 << 16;

/// The beginnings and ends of a set of keys, in whatever case. It holds no letter of them: one bit for each end, by its hash.
pub struct Ends {
    bits: Box<[u64]>,
    /// A key is too short to have ends.
    short: bool,
}

impl Ends {
    /// The ends of these keys.
    pub fn of<'a>(keys: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut ends = Self {
            bits: vec![0; BITS as usize / 64].into(),
            short: false,
        };
        for key in keys {
            match (key.first_chunk(), key.last_chunk()) {
                (Some(first), Some(last)) => [first, last].into_iter().for_each(|end| {
                    let (word, bit) = place(end);
                    if let Some(word) = ends.bits.get_mut(word) {
                        *word |= bit;
                    }
                }),
                _ => ends.short = true,
            }
        }
        ends
    }

    /// Whether `text` may hold one of the keys, which are those that this was made of. Most texts hold none, and are spared the thorough
    /// search at the price of one pass, however many keys there are.
    pub fn may_be_in<'a>(&self, text: &[u8], keys: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
        let windows = text.windows(END).filter_map(|window| window.first_chunk());
        let mut likely = windows.filter(|window| {
            let (word, bit) = place(window);
            self.bits.get(word).is_some_and(|word| word & bit != 0)
        });
        self.short
            || likely.any(|window| {
                let is = |end: Option<&[u8; END]>| end.is_some_and(|end| folded(end) == folded(window));
                keys.clone()
                    .any(|key| is(key.first_chunk()) || is(key.last_chunk()))
            })
    }
}

impl fmt::Debug for Ends {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ends")
    }
}

/// One bit makes letters of both cases equal; what else it makes equal only costs a search.
fn folded(end: &[u8; END]) -> u32 {
    u32::from_ne_bytes(*end) | 0x2020_2020
}

fn place(end: &[u8; END]) -> (usize, u64) {
    // The upper half of a product depends on all bits of the number.
    let hash = folded(end).wrapping_mul(0x9E37_79B1) >> 16;
    ((hash / 64) as usize, 1 << (hash % 64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn may_be_in(keys: &[&str], text: &str) -> bool {
        let keys = keys.iter().map(|key| key.as_bytes());
        Ends::of(keys.clone()).may_be_in(text.as_bytes(), keys)
    }

    #[test]
    fn an_echo_is_suspected_whole_masked_and_in_any_case() {
        let keys = ["sk-proj-abcdefghWXYZ", "sk-svca-0123456789ab"];
        for (text, want) in [
            ("sk-proj-abcdefghWXYZ", true),
            ("Bearer SK-PROJ-ABCD", true),
            ("key ***wxyz is wrong", true),
            ("...89AB", true),
            ("application/json", false),
            ("wxy", false),
            ("", false),
        ] {
            assert_eq!(may_be_in(&keys, text), want, "{text}");
        }
        assert!(may_be_in(&["abc"], "what may be a key"));
        assert!(!may_be_in(&[], "sk-proj-abcdefghWXYZ"));
    }

    proptest! {
        #[test]
        fn no_end_is_missed(keys in prop::collection::vec("[!-~]{4,40}", 1..300), which in any::<prop::sample::Index>(), around in "[ -~]{0,20}", first in any::<bool>()) {
            let key = which.get(&keys);
            let end = if first { &key[..END] } else { &key[key.len() - END..] };
            let text = format!("{around}{}{around}", end.to_ascii_uppercase());
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            prop_assert!(may_be_in(&keys, &text));
        }
    }
}
