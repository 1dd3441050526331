use std::net::Ipv4Addr;

use keypool_contract::Encoded;
use keypool_contract::document::Stamp;
use keypool_contract::exchange::FirstValidation;
use keypool_contract::limits::SCHEMA_VERSION;
use keypool_contract::verdict::{Finding, Verdict, VerdictId};
use tokio::sync::mpsc;

use super::{
    Acknowledgement, Arc, Briefing, Desired, ExchangeRequest, ExchangeResponse, Knowledge, Leader, ObjectId,
    PodAddress, PodExchange, Term, Told, watch,
};
use crate::clock::Clock;
use crate::ledger::tests::P;
use crate::ledger::tests::unproven::used;
use crate::ledger::{DocumentScope, Proof};

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
    exchange.request(&desired(), told, &Briefing::default())
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
    exchange.take_in(&desired(), told, Briefing::default(), request, response);
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

/// A pod forgets what it knew of a provider that leaves its document, and says nothing of that.
#[test]
fn a_pod_whose_document_gains_values_tells_everything_once_it_runs_it() {
    let (exchange, mut told) = (exchange(), Told::default());
    let mut turn = |desired: &Desired, runs: bool, findings: Vec<Finding>| -> ExchangeRequest {
        let request = exchange.request(desired, &told, &Briefing::default());
        let verdict = |finding| Verdict {
            id: VerdictId {
                instance: "i".into(),
                sequence: 1,
            },
            provider: P.into(),
            finding,
            age_ms: 0,
        };
        let response = ExchangeResponse {
            instance: "i".into(),
            acknowledgement: Acknowledgement {
                hash: runs.then(|| desired.document.hash().clone()),
                ..Acknowledgement::default()
            },
            snapshot: request.instance.is_empty(),
            sequence: 1,
            verdicts: findings.into_iter().map(verdict).collect(),
        };
        exchange.take_in(desired, &mut told, Briefing::default(), &request, response);
        request
    };
    let document = |bytes: &[u8], values: &[(&str, Option<&str>)]| Desired {
        document: Encoded::from_bytes(bytes.to_vec()),
        scope: DocumentScope::of(&used(values)),
        ..desired()
    };
    let with = document(b"{}", &[("f", None), ("g", None)]);
    let without = document(b"{ }", &[("g", None)]);
    let dead = Finding::Invalid {
        fingerprint: "f".into(),
    };
    turn(&with, true, vec![dead]);
    assert!(!turn(&with, true, Vec::new()).instance.is_empty());
    let holds = || {
        let now = exchange.knowledge.clock.now().monotonic;
        let standing = exchange
            .knowledge
            .ledger(|ledger| ledger.standing(P, "f", &[], now));
        (standing.holds.len(), standing.proof)
    };
    for _ in 0..2 {
        assert!(!turn(&without, true, Vec::new()).instance.is_empty());
    }
    let offer = turn(&with, false, Vec::new());
    assert!(offer.document.is_some() && !offer.instance.is_empty());
    assert!(!turn(&with, true, Vec::new()).instance.is_empty());
    assert_eq!(
        holds(),
        (1, Proof::None),
        "it runs the document only since this answer"
    );
    assert!(turn(&with, true, Vec::new()).instance.is_empty());
    assert_eq!(
        holds(),
        (0, Proof::None),
        "and what went by itself proves nothing"
    );
    assert!(!turn(&with, true, Vec::new()).instance.is_empty());

    // One that does not take the next document is not asked at every turn: it would answer each at once.
    turn(&without, true, Vec::new());
    turn(&with, true, Vec::new());
    let other = document(b"{  }", &[("f", None), ("g", None)]);
    turn(&other, false, Vec::new());
    assert!(!turn(&other, false, Vec::new()).instance.is_empty());
}

#[test]
fn a_request_bears_the_term_that_the_lease_holds() {
    let (exchange, told) = (exchange(), Told::default());
    exchange.leader.term.rise_above(7);
    assert_eq!(next(&exchange, &told).term, 1);
}

/// A pod's side as far as the leader sees it, and what it was told last.
struct Pod {
    exchange: PodExchange,
    told: Told,
    instance: &'static str,
    named: Option<Vec<FirstValidation>>,
}

impl Pod {
    fn new(instance: &'static str, knowledge: &Arc<Knowledge>) -> Self {
        let mut exchange = exchange();
        exchange.pod.uid = format!("uid-{instance}");
        exchange.knowledge = Arc::clone(knowledge);
        Self {
            exchange,
            told: Told::default(),
            instance,
            named: None,
        }
    }

    /// One exchange: the pod runs what is desired, and tells these.
    fn turn(&mut self, desired: &Desired, verdicts: Vec<Finding>) -> ExchangeRequest {
        let briefing = self.briefing(desired);
        let request = self.exchange.request(desired, &self.told, &briefing);
        if let Some(named) = &request.first_validations {
            self.named = Some(named.clone());
        }
        let verdict = |(sequence, finding)| Verdict {
            id: VerdictId {
                instance: self.instance.into(),
                sequence,
            },
            provider: P.into(),
            finding,
            age_ms: 0,
        };
        let response = ExchangeResponse {
            instance: self.instance.into(),
            acknowledgement: Acknowledgement {
                hash: Some(desired.document.hash().clone()),
                ..Acknowledgement::default()
            },
            snapshot: false,
            sequence: u64::try_from(verdicts.len()).unwrap(),
            verdicts: (1..).zip(verdicts).map(verdict).collect(),
        };
        self.exchange
            .take_in(desired, &mut self.told, briefing, &request, response);
        request
    }

    fn briefing(&self, desired: &Desired) -> Briefing {
        let runs = self.told.acknowledged.hash.as_ref() == Some(desired.document.hash());
        self.exchange
            .knowledge
            .briefing(&self.told.instance, &desired.scope, runs)
    }

    /// Whether a held poll would end now.
    fn has_news(&self, desired: &Desired) -> bool {
        let told = self.told.briefing.as_ref();
        told.is_none_or(|told| !self.briefing(desired).known_from(told))
    }
}

#[test]
fn one_of_two_pods_is_named_with_the_first_word_and_the_other_when_it_is_gone() {
    let (news, _news) = mpsc::unbounded_channel();
    let knowledge = Arc::new(Knowledge::new(Clock::default(), news));
    let key = |name: &str| FirstValidation {
        provider: P.into(),
        fingerprint: name.into(),
    };
    let mut desired = desired();
    desired.scope = DocumentScope::of(&used(&[("f", None), ("g", None)]));
    let mut versions = knowledge.versions();
    let [mut a, mut b] = ["a", "b"].map(|instance| Pod::new(instance, &knowledge));
    for pod in [&mut a, &mut b] {
        assert!(pod.turn(&desired, Vec::new()).first_validations.is_none());
        let told = pod.turn(&desired, Vec::new());
        assert!(told.advisories.is_some() && told.wait_ms == 0);
    }
    assert_eq!(a.named, Some(vec![key("f"), key("g")]));
    assert_eq!(b.named, Some(Vec::new()), "that it has none is told too");
    assert!(a.turn(&desired, Vec::new()).wait_ms > 0 && b.turn(&desired, Vec::new()).wait_ms > 0);

    // What is proven is nobody's any more.
    let proven = Finding::Proven {
        fingerprint: "f".into(),
    };
    a.turn(&desired, vec![proven]);
    assert!(a.has_news(&desired) && !b.has_news(&desired));
    a.turn(&desired, Vec::new());
    assert_eq!(a.named, Some(vec![key("g")]));

    // The pod goes: every held poll looks again, and the other pod's ends.
    versions.borrow_and_update();
    knowledge.keep_pods(&["uid-b".to_owned()].into());
    assert!(versions.has_changed().unwrap());
    assert!(b.has_news(&desired));
    b.turn(&desired, Vec::new());
    assert_eq!(b.named, Some(vec![key("g")]));

    // It comes back, and the one that was named begins anew as another process.
    let mut a = Pod::new("a", &knowledge);
    (0..2).for_each(|_| drop(a.turn(&desired, Vec::new())));
    assert_eq!(a.named, Some(Vec::new()));
    versions.borrow_and_update();
    b.instance = "b2";
    b.turn(&desired, Vec::new());
    assert!(versions.has_changed().unwrap() && a.has_news(&desired));
    a.turn(&desired, Vec::new());
    b.turn(&desired, Vec::new());
    assert_eq!((a.named, b.named), (Some(vec![key("g")]), Some(Vec::new())));
}
