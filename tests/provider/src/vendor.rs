//! The vendor's own errors and headers: what OpenAI answers when a key or a limit stands in the way.

mod error;
mod go_duration;

pub use error::ErrorKind;
pub(crate) use error::{Rendered, html, shaped};
pub use go_duration::go_duration;

/// A key as OpenAI shows it in the message of a 401: the first eight and the last four characters.
pub fn masked(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    if chars.len() <= 12 {
        return "*".repeat(chars.len());
    }
    let head: String = chars[..8].iter().collect();
    let tail: String = chars[chars.len() - 4..].iter().collect();
    format!("{head}{}{tail}", "*".repeat(chars.len() - 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_key_shows_both_ends_only() {
        assert_eq!(masked("sk-proj-abcdefghWXYZ"), "sk-proj-********WXYZ");
        assert_eq!(masked("short"), "*****");
    }
}
