//! The exchange's messages as they stand on the wire.

#![allow(clippy::unwrap_used)]

use keypool_contract::Encoded;
use keypool_contract::exchange::{Acknowledgement, ExchangeRequest, ExchangeResponse, NotARequest};
use keypool_contract::verdict::{CoolingReason, EndpointState, Finding, Scope, Verdict, VerdictId};
use serde_json::json;

#[test]
fn a_request_needs_four_fields_and_ignores_unknown_ones() {
    let request: ExchangeRequest =
        serde_json::from_value(json!({"term": 3, "reader": "a", "confirmed": 9, "waitMs": 0, "later": {}}))
            .unwrap();
    assert_eq!((request.term, request.confirmed, request.wait_ms), (3, 9, 0));
    assert!(request.instance.is_empty() && request.document.is_none() && request.advisories.is_none());
    assert!(request.clear_cooldowns.is_empty());
    assert!(request.first_validations.is_none());
    // "No advisories" and "nothing changed" are two things.
    let request: ExchangeRequest = serde_json::from_value(
        json!({"term": 3, "reader": "a", "confirmed": 9, "waitMs": 0, "advisories": []}),
    )
    .unwrap();
    assert_eq!(request.advisories, Some(Vec::new()));
    let named = json!([{"provider": "uid", "fingerprint": "7f3a91c2"}]);
    let request: ExchangeRequest = serde_json::from_value(
        json!({"term": 3, "reader": "a", "confirmed": 9, "waitMs": 0, "firstValidations": named}),
    )
    .unwrap();
    assert_eq!(serde_json::to_value(&request).unwrap()["firstValidations"], named);
}

#[test]
fn a_document_travels_beside_the_request_as_it_is() {
    let line = json!({"term": 3, "reader": "a\nb", "confirmed": 9, "waitMs": 0});
    let request = ExchangeRequest::from_body(line.to_string().as_bytes()).unwrap();
    assert!(request.document.is_none());
    let alone = request.to_body().unwrap();
    assert!(
        !alone.contains(&b'\n'),
        "a line feed in a name is not the line's end"
    );
    for bytes in [&b"{\"key\": \"sk-1\"}\n"[..], b"\n\n{", b"\xff\0 no text"] {
        let offer = ExchangeRequest {
            document: Some(Encoded::from_bytes(bytes.to_vec())),
            ..request.clone()
        };
        let body = offer.to_body().unwrap();
        assert!(body.ends_with(bytes));
        assert_eq!(
            body.capacity(),
            body.len(),
            "it did not grow, which would leave a copy behind"
        );
        let read = ExchangeRequest::from_body(&body).unwrap();
        assert_eq!(read.reader, "a\nb");
        assert_eq!(read.document.unwrap().bytes(), bytes);
    }
    for broken in [&b""[..], b"\n{}", b"{\"term\":3}", b"\xff"] {
        assert_eq!(ExchangeRequest::from_body(broken).err(), Some(NotARequest));
    }
}

#[test]
fn a_rest_of_which_nobody_says_that_it_is_soft_is_a_vendors_word() {
    let scope = json!({"fingerprint": "7f3a91c2", "quotaGroup": true});
    let said = json!({"type": "Cooling", "reason": "RateLimited", "remainingMs": 1, "scope": scope});
    let read: Finding = serde_json::from_value(said).unwrap();
    assert!(matches!(read, Finding::Cooling { soft: false, .. }));
}

#[test]
fn every_finding_reads_back() {
    let scope = Scope {
        fingerprint: "7f3a91c2".into(),
        quota_group: true,
        model: Some("gpt".into()),
    };
    let id = VerdictId {
        instance: "status".into(),
        sequence: 4,
    };
    let fingerprint = || "7f3a91c2".to_owned();
    let findings = [
        (
            Finding::Proven {
                fingerprint: fingerprint(),
            },
            json!({"type": "Proven", "fingerprint": "7f3a91c2"}),
        ),
        (
            Finding::NotVerifiable {
                fingerprint: fingerprint(),
            },
            json!({"type": "NotVerifiable", "fingerprint": "7f3a91c2"}),
        ),
        (
            Finding::Cooling {
                scope: scope.clone(),
                reason: CoolingReason::RateLimited,
                remaining_ms: 45_000,
                soft: true,
            },
            json!({
                "type": "Cooling", "reason": "RateLimited", "remainingMs": 45_000, "soft": true,
                "scope": {"fingerprint": "7f3a91c2", "quotaGroup": true, "model": "gpt"}
            }),
        ),
        (
            Finding::Exhausted {
                scope: Scope { model: None, ..scope },
                remaining_ms: 1,
            },
            json!({
                "type": "Exhausted", "remainingMs": 1,
                "scope": {"fingerprint": "7f3a91c2", "quotaGroup": true}
            }),
        ),
        (
            Finding::Invalid {
                fingerprint: fingerprint(),
            },
            json!({"type": "Invalid", "fingerprint": "7f3a91c2"}),
        ),
        (
            Finding::Refuted {
                verdicts: vec![id.clone()],
            },
            json!({"type": "Refuted", "verdicts": [{"instance": "status", "sequence": 4}]}),
        ),
        (
            Finding::Endpoint {
                state: EndpointState::TlsInvalid,
            },
            json!({"type": "Endpoint", "state": "TlsInvalid"}),
        ),
    ];
    for (finding, wire) in findings {
        let verdict = Verdict {
            id: id.clone(),
            provider: "uid".into(),
            finding,
            age_ms: 7,
        };
        let written = serde_json::to_value(&verdict).unwrap();
        assert_eq!(written["finding"], wire);
        assert_eq!(serde_json::from_value::<Verdict>(written).unwrap(), verdict);
    }
}

#[test]
fn an_answer_reads_back() {
    let response = ExchangeResponse {
        instance: "i".into(),
        acknowledgement: Acknowledgement::default(),
        snapshot: true,
        verdicts: Vec::new(),
        sequence: 0,
    };
    let written = serde_json::to_value(&response).unwrap();
    assert_eq!(
        written["acknowledgement"],
        json!({"lineage": "", "generation": 0, "hash": null, "lastError": null})
    );
    let read: ExchangeResponse = serde_json::from_value(written).unwrap();
    assert_eq!(read.acknowledgement, response.acknowledgement);
}
