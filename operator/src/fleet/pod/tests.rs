use std::net::Ipv4Addr;

use keypool_contract::Encoded;
use keypool_contract::document::Stamp;
use keypool_contract::limits::SCHEMA_VERSION;
use tokio::sync::mpsc;

use super::{
    Acknowledgement, Advisories, Arc, Desired, ExchangeRequest, ExchangeResponse, Knowledge, Leader,
    ObjectId, PodAddress, PodExchange, Term, Told, watch,
};
use crate::clock::Clock;
use crate::ledger::DocumentScope;

fn desired() -> Desired {
    Desired {
        stamp: Stamp {
            schema_version: SCHEMA_VERSION,
            lineage: "l".into(),
            generation: 2,
        },
        document: Encoded::from_bytes(b"{}".to_vec()),
        scope: DocumentScope::default(),
        certificate: String::new(),
        token: String::new().into(),
        clear_cooldowns: Vec::new(),
    }
}

fn exchange() -> PodExchange {
    let (news, _) = mpsc::unbounded_channel();
    PodExchange {
        pod: PodAddress {
            uid: "u".into(),
            name: "p".into(),
            ip: Ipv4Addr::LOCALHOST.into(),
        },
        group: ObjectId {
            uid: "g".into(),
            namespace: "n".into(),
            name: "g".into(),
        },
        leader: Leader {
            identity: "me".into(),
            term: Term::new(1),
        },
        knowledge: Arc::new(Knowledge::new(Clock::default(), news)),
        desired: watch::Sender::new(None).subscribe(),
    }
}

fn next(exchange: &PodExchange, told: &Told) -> ExchangeRequest {
    exchange.request(&desired(), told, &Advisories::default(), 0)
}

fn answered(
    exchange: &PodExchange,
    told: &mut Told,
    request: &ExchangeRequest,
    acknowledgement: Acknowledgement,
) {
    let response = ExchangeResponse {
        instance: "i".into(),
        acknowledgement,
        snapshot: true,
        verdicts: Vec::new(),
        sequence: 0,
    };
    exchange.take_in(&desired(), told, Advisories::default(), request, response);
}

/// A request whose answer did not come is as if it had never been made: the pod may not have got the document.
#[test]
fn a_document_is_offered_until_the_pod_answered() {
    let (exchange, mut told) = (exchange(), Told::default());
    let first = next(&exchange, &told);
    assert!(
        first.document.is_none() && first.wait_ms == 0,
        "the pod is not known yet"
    );
    answered(&exchange, &mut told, &first, Acknowledgement::default());

    for _ in 0..3 {
        let offer = next(&exchange, &told);
        assert!(offer.document.is_some());
        assert_eq!(
            offer.wait_ms, 0,
            "an answer that is not held cannot be overtaken by news"
        );
    }
    let offer = next(&exchange, &told);
    let taken = Acknowledgement {
        hash: Some(desired().document.hash().clone()),
        ..Acknowledgement::default()
    };
    let mut refused = told;
    let mut told = Told {
        instance: "i".into(),
        ..Told::default()
    };
    answered(&exchange, &mut told, &offer, taken);
    let held = next(&exchange, &told);
    assert!(held.document.is_none() && held.wait_ms > 0);

    // One that the pod refused is not offered again at once.
    answered(&exchange, &mut refused, &offer, Acknowledgement::default());
    assert!(next(&exchange, &refused).document.is_none());
}

#[test]
fn a_request_bears_the_term_that_the_lease_holds() {
    let (exchange, told) = (exchange(), Told::default());
    exchange.leader.term.rise_above(7);
    assert_eq!(next(&exchange, &told).term, 1);
}
