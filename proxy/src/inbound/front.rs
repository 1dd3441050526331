//! The rules of HTTP that a request must keep, before anything else is looked at.
//!
//! Model APIs need none of what is refused here, and each of it has made a proxy and the server behind it disagree about
//! where a request goes or where it ends. Refuse, do not normalise.

use http::header::{CONTENT_ENCODING, EXPECT, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};
use keypool_dialect::answer::Code;

use super::lint::Flaw;
use crate::forward::Refusal;

/// The largest head that is served: request line and headers.
const HEAD_LIMIT: usize = 16 * 1024;
/// What the parser takes, so that a head between the two limits gets an answer with words.
pub(super) const PARSER_HEAD_LIMIT: usize = 2 * HEAD_LIMIT;
/// The longest path and query.
const TARGET_LIMIT: usize = 4 * 1024;
/// `connection: close`, on every answer after which the next request's beginning is in doubt.
pub(crate) const AFTER_ERROR: HeaderValue = HeaderValue::from_static("close");

/// Refuses what breaks a rule.
pub(super) fn check(request: &Parts, flaw: Option<Flaw>) -> Result<(), Refusal> {
    let broken = |message: &'static str| Err(Refusal::new(Code::InvalidRequest, message).closing());
    match flaw {
        None => {}
        Some(Flaw::BareLineFeed) => return broken("Lines of the request must end in CR LF."),
        Some(Flaw::Fragment) => return broken("The request target must not hold a fragment."),
        Some(Flaw::TwoLengths) => {
            return broken("Content-Length and Transfer-Encoding must not stand together.");
        }
        Some(Flaw::Length) => return broken("Content-Length must be a plain number."),
    }
    if request.version != Version::HTTP_11 {
        return broken("HTTP/1.1 is required.");
    }
    if head_length(request) > HEAD_LIMIT {
        let message = format!("The request's head is larger than {HEAD_LIMIT} bytes.");
        return Err(Refusal::new(Code::HeaderTooLarge, message).closing());
    }
    if !known(&request.method) {
        return Err(Refusal::new(Code::UnsupportedMethod, "This method is not supported.").closing());
    }
    if request.uri.scheme().is_some()
        || request.uri.authority().is_some()
        || !is_plain_path(request.uri.path())
    {
        return broken(
            "The request target must be a plain path, without dot segments, empty segments or encoded separators.",
        );
    }
    let query = request.uri.query().unwrap_or_default();
    if !query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return broken("The query holds characters that must be encoded.");
    }
    if !has_one_host(&request.headers) {
        return broken("Exactly one valid Host header is required.");
    }
    let mut codings = request.headers.get_all(TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|coding| coding != "chunked") || codings.next().is_some() {
        return broken("Transfer-Encoding must be exactly chunked.");
    }
    if request
        .headers
        .get(EXPECT)
        .is_some_and(|expect| !expect.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        return broken("This expectation is not supported.");
    }
    let encoded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if request.headers.get_all(CONTENT_ENCODING).iter().any(encoded) {
        let message = "Compressed request bodies are not supported: send the body without Content-Encoding.";
        return Err(Refusal::new(Code::CompressedBody, message).closing());
    }
    Ok(())
}

fn head_length(request: &Parts) -> usize {
    // Four bytes of each header line are separators.
    let headers = request
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    let target = request
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    // A target beyond its own limit is as bad as a head beyond its limit.
    let target = if target > TARGET_LIMIT { HEAD_LIMIT } else { target };
    headers.sum::<usize>() + target + request.method.as_str().len() + " HTTP/1.1\r\n\r\n ".len()
}

fn known(method: &Method) -> bool {
    [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ]
    .contains(method)
}

/// Begins with one slash; visible ASCII; no empty and no dotted segment; nothing encoded that separates or ends a text.
fn is_plain_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    if !path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'))
    {
        return false;
    }
    let encodings_are_plain = path.split('%').skip(1).all(|after| {
        let digits = after.get(..2).map(|digits| u8::from_str_radix(digits, 16));
        matches!(digits, Some(Ok(byte)) if !byte.is_ascii_control() && !matches!(byte, b'/' | b'\\' | b'.' | b'%'))
    });
    let segments_are_plain =
        rest.is_empty() || rest.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    encodings_are_plain && segments_are_plain
}

fn has_one_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else { return false };
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
            _ => return false,
        },
        None => host.find(':').map_or((host, ""), |colon| host.split_at(colon)),
    };
    let port_is_plain = match port.strip_prefix(':') {
        Some(digits) => {
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok()
        }
        None => port.is_empty(),
    };
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    !name.is_empty() && name.bytes().all(of_a_name) && port_is_plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn code(request: http::request::Builder, flaw: Option<Flaw>) -> Option<Code> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, flaw).err().map(|refusal| refusal.code())
    }

    fn get(path: &str) -> http::request::Builder {
        Request::get(path).header(HOST, "keypool:8080")
    }

    #[test]
    fn plain_requests_pass() {
        for path in [
            "/v1/models",
            "/g/chat/v1/chat/completions",
            "/v1/models/gpt-4.1",
            "/v1/models/a%20b",
            "/",
            "/v1/x?a=b%2Fc",
        ] {
            assert_eq!(code(get(path), None), None, "{path}");
        }
        for host in [
            "a",
            "a:80",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:80",
            "chat.team-a.svc.cluster.local",
            "a_b",
        ] {
            assert_eq!(code(Request::get("/v1").header(HOST, host), None), None, "{host}");
        }
        assert_eq!(code(get("/v1").header(TRANSFER_ENCODING, "chunked"), None), None);
        assert_eq!(code(get("/v1").header(CONTENT_ENCODING, "identity"), None), None);
    }

    #[test]
    fn targets_that_are_not_plain_paths_are_refused() {
        for path in [
            "//v1/models",
            "/v1//models",
            "/v1/../models",
            "/v1/./models",
            "/..",
            "/v1/..",
            "/v1/%2e%2e/models",
            "/v1/%2E/x",
            "/v1%2fmodels",
            "/v1%2Fmodels",
            "/v1%5cmodels",
            "/v1/%00",
            "/v1/%0a",
            "/v1/%zz",
            "/v1/%2",
            "/v1/%25%32e",
            "/v1/models/",
            "http://other.example/v1/models",
            "http://user@keypool/v1/models",
            "/v1/\\models",
            "/v1/models?a=\\",
        ] {
            assert_eq!(code(get(path), None), Some(Code::InvalidRequest), "{path}");
        }
        assert_eq!(
            code(Request::options("*").header(HOST, "a"), None),
            Some(Code::InvalidRequest)
        );
    }

    #[test]
    fn there_is_exactly_one_valid_host() {
        assert_eq!(code(Request::get("/v1"), None), Some(Code::InvalidRequest));
        assert_eq!(
            code(get("/v1").header(HOST, "keypool:8080"), None),
            Some(Code::InvalidRequest)
        );
        for host in [
            "", "a/b", "x/#@y", "a@b", "a b", "a:", "a:b", "a:99999", "a:80:80", "[::1", "[x]", "[::1]x",
            "a,b", "a?b", "a\\b",
        ] {
            let bad = Request::get("/v1").header(HOST, host);
            assert_eq!(code(bad, None), Some(Code::InvalidRequest), "{host:?}");
        }
    }

    #[test]
    fn framing_must_be_beyond_doubt() {
        for coding in [
            "identity",
            "gzip, chunked",
            "Chunked ",
            "xchunked",
            "chunked, chunked",
            "",
        ] {
            let bad = get("/v1").header(TRANSFER_ENCODING, coding);
            assert_eq!(code(bad, None), Some(Code::InvalidRequest), "{coding:?}");
        }
        let twice = get("/v1")
            .header(TRANSFER_ENCODING, "identity")
            .header(TRANSFER_ENCODING, "chunked");
        assert_eq!(code(twice, None), Some(Code::InvalidRequest));
        for flaw in [Flaw::BareLineFeed, Flaw::Fragment, Flaw::TwoLengths, Flaw::Length] {
            assert_eq!(
                code(get("/v1"), Some(flaw)),
                Some(Code::InvalidRequest),
                "{flaw:?}"
            );
        }
        assert_eq!(
            code(get("/v1").version(Version::HTTP_10), None),
            Some(Code::InvalidRequest)
        );
        assert_eq!(
            code(get("/v1").header(EXPECT, "something"), None),
            Some(Code::InvalidRequest)
        );
    }

    #[test]
    fn methods_sizes_and_encodings_have_their_own_codes() {
        for method in ["TRACE", "get", "BREW"] {
            let bad = get("/v1").method(method);
            assert_eq!(code(bad, None), Some(Code::UnsupportedMethod), "{method}");
        }
        for coding in ["gzip", "br", "identity, gzip"] {
            let bad = get("/v1").header(CONTENT_ENCODING, coding);
            assert_eq!(code(bad, None), Some(Code::CompressedBody), "{coding}");
        }
        let long = "x".repeat(HEAD_LIMIT);
        assert_eq!(
            code(get("/v1").header("x-long", &long), None),
            Some(Code::HeaderTooLarge)
        );
        let long = "x".repeat(TARGET_LIMIT);
        assert_eq!(
            code(get(&format!("/v1/{long}")), None),
            Some(Code::HeaderTooLarge)
        );
    }
}
