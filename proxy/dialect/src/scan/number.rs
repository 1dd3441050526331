//! The grammar of a JSON number.

/// What of a number has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Number {
    /// `-`
    #[default]
    Minus,
    /// `0` as the whole integer part.
    Zero,
    /// Digits of the integer part.
    Integer,
    /// The point.
    Point,
    /// Digits after the point.
    Fraction,
    /// `e`
    Exponent,
    /// The exponent's sign.
    Sign,
    /// Digits of the exponent.
    Power,
}

impl Number {
    /// A number that begins with this byte.
    pub(super) fn begin(byte: u8) -> Option<Self> {
        match byte {
            b'-' => Some(Self::Minus),
            b'0' => Some(Self::Zero),
            b'1'..=b'9' => Some(Self::Integer),
            _ => None,
        }
    }

    /// The number goes on with this byte; `None` if it does not.
    pub(super) fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::Sign),
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Some(Self::Power),
            _ => None,
        }
    }

    /// May it end here?
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Power)
    }
}

/// A number as a count: whole and not negative, however it is written (`100`, `1e2`, `100.0`).
pub(super) fn count(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        // Above 2^53 not every whole number has a float.
        let whole = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
        whole.then_some(number as u64)
    })
}
