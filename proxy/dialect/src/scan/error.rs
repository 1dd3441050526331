//! Why a body is refused.

use super::{DEPTH_LIMIT, Field};

/// Why a body is refused with 400; `duplicate_field` for [`ScanError::Duplicate`], otherwise `invalid_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The body is empty or its first byte begins no object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// Not JSON.
    #[error("the body is not valid JSON at byte {at}")]
    Syntax {
        /// Offset of the first byte that cannot be.
        at: usize,
    },
    /// Ends before the object does.
    #[error("the body ends inside the JSON object")]
    Truncated,
    /// Nested deeper than [`DEPTH_LIMIT`].
    #[error("the body is nested deeper than {DEPTH_LIMIT} levels")]
    TooDeep,
    /// A field that we read stands twice.
    #[error("the field {} stands twice", .0.name())]
    Duplicate(Field),
    /// A name that some servers read as one of our fields and others do not.
    #[error("a name differs from {} only by case", .0.name())]
    Lookalike(Field),
    /// A field that we read has a value of the wrong type.
    #[error("{} must be {}", .0.name(), .0.wants())]
    WrongType(Field),
    /// A name or a value that we read is longer than any real one.
    #[error("a name or value is too long at byte {at}")]
    TooLong {
        /// Offset of its end.
        at: usize,
    },
    /// A name or a value that we read is no text: not UTF-8, or half a surrogate pair.
    #[error("a name or value is not valid text before byte {at}")]
    NotText {
        /// Offset of its end.
        at: usize,
    },
}

impl ScanError {
    /// The field to name in the answer's `param`.
    pub fn field(&self) -> Option<Field> {
        match self {
            Self::Duplicate(field) | Self::Lookalike(field) | Self::WrongType(field) => Some(*field),
            _ => None,
        }
    }
}
