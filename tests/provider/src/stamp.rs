//! Send times inside events, so that a benchmark can tell how long an event was on its way through a hop.
//!
//! An event gets a first JSON member with the machine's monotonic clock in nanoseconds, of fixed width, written when the
//! event is handed to the connection. Answers with stamps are not deterministic.

use bytes::Bytes;

/// The member up to its digits.
pub(crate) const MEMBER: &str = r#""sent_ns":""#;
/// How many digits follow.
pub(crate) const DIGITS: usize = 20;

const START: &[u8] = b"data: {";

/// The event with the send time; one that is no JSON object (`[DONE]`) stays as it is.
pub(crate) fn stamped(event: &Bytes, now_ns: u64) -> Bytes {
    let Some(rest) = event.strip_prefix(START) else {
        return event.clone();
    };
    let member = format!("{MEMBER}{now_ns:0DIGITS$}\",");
    [START, member.as_bytes(), rest].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_stamped_and_the_end_is_not() {
        let event = stamped(&Bytes::from_static(b"data: {\"a\":1}\n\n"), 42);
        assert_eq!(
            event,
            b"data: {\"sent_ns\":\"00000000000000000042\",\"a\":1}\n\n".as_slice()
        );
        let done = Bytes::from_static(b"data: [DONE]\n\n");
        assert_eq!(stamped(&done, 42), done);
    }
}
