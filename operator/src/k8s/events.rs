//! Kubernetes Events about our resources.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

/// The API server refuses longer notes.
const MAX_NOTE: usize = 1000;

/// Writes Events in the operator's name; repeated ones become a series.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

/// Whether a person has to act.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// For information.
    Normal,
    /// Somebody must mend something.
    Warning,
}

impl Events {
    /// Reports as `keypool-operator`, instance `identity`.
    pub fn new(client: Client, identity: &str) -> Self {
        let reporter = Reporter {
            controller: "keypool-operator".into(),
            instance: Some(identity.into()),
        };
        Self {
            recorder: Recorder::new(client, reporter),
        }
    }

    /// Publishes one Event. A failure is logged: an Event is news, the status is the truth.
    pub async fn publish(&self, about: &ObjectReference, severity: Severity, reason: &str, mut note: String) {
        if note.len() > MAX_NOTE {
            let end = (0..=MAX_NOTE - 3)
                .rev()
                .find(|end| note.is_char_boundary(*end))
                .unwrap_or(0);
            note.truncate(end);
            note.push('…');
        }
        let event = Event {
            type_: if severity == Severity::Warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: reason.into(),
            note: Some(note),
            action: "Observe".into(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, about).await {
            tracing::warn!(%error, reason, object = about.name.as_deref(), "an Event could not be written");
        }
    }
}
