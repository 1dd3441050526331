//! The forms in which key bytes have got out of programs: as they are, as
//! Secrets carry them, escaped in URLs and logs, printed as a list of numbers
//! by a derived `Debug`, reversed, or cut short.

use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// A cut this long is no longer a hint for the reader, it is a search term.
const TELLING: usize = 12;

/// One form of one key.
#[derive(Debug)]
pub(super) struct Dress {
    pub(super) form: &'static str,
    pub(super) bytes: Vec<u8>,
    /// Upper and lower case are the same.
    pub(super) any_case: bool,
}

impl Dress {
    fn new(form: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            form,
            bytes: bytes.into(),
            any_case: false,
        }
    }

    fn any_case(mut self) -> Self {
        self.any_case = true;
        self
    }
}

pub(super) fn of(key: &str) -> Vec<Dress> {
    let start = random_part(key);
    let mut dresses = vec![
        Dress::new("plain", key),
        Dress::new("the random part's first characters", start),
        Dress::new("reversed", key.bytes().rev().collect::<Vec<_>>()),
        Dress::new("hexadecimal", hex(start.as_bytes(), "")).any_case(),
        Dress::new("hexadecimal with \\x", hex(start.as_bytes(), "\\x")).any_case(),
        Dress::new("percent-encoded", hex(start.as_bytes(), "%")).any_case(),
        Dress::new("decimal bytes", decimal(start.as_bytes(), ", ")),
        Dress::new("decimal bytes without spaces", decimal(start.as_bytes(), ",")),
        Dress::new("decimal bytes in Go's form", decimal(start.as_bytes(), " ")),
    ];
    for shift in 0..3 {
        let standard = encoded(start.as_bytes(), shift, &STANDARD);
        let url_safe = encoded(start.as_bytes(), shift, &URL_SAFE);
        if url_safe != standard {
            dresses.push(Dress::new("URL-safe base64", url_safe));
        }
        dresses.push(Dress::new("base64", standard));
    }
    dresses
}

/// The first characters after the vendor's prefix, which is the same for all
/// keys and stands in documentation: `sk-proj-` and its like.
fn random_part(key: &str) -> &str {
    let start = key.rfind('-').map_or(0, |dash| dash + 1);
    // A dash may occur in the random part as well.
    let start = if key.len() - start < TELLING { 0 } else { start };
    let end = (start + TELLING).min(key.len());
    key.get(start..end).unwrap_or(key)
}

/// What base64 of a longer text holds of `bytes` when they begin `shift` bytes
/// into a group of three; characters shared with neighbours are left out.
fn encoded(bytes: &[u8], shift: usize, engine: &impl base64::Engine) -> String {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(bytes);
    let whole = padded.len() / 3 * 3;
    let text = engine.encode(&padded[..whole]);
    text[(shift * 8).div_ceil(6)..].to_owned()
}

fn hex(bytes: &[u8], before: &str) -> String {
    bytes.iter().map(|byte| format!("{before}{byte:02x}")).collect()
}

fn decimal(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(between)
}
