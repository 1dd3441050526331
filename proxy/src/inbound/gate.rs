//! Who calls which operation of which group: the one way in.

use std::sync::Arc;

use http::request::Parts;
use keypool_dialect::answer::Code;
use keypool_dialect::auth::{ClientKeyError, client_key};
use keypool_dialect::operation::{Operation, Unsupported};

use super::front;
use super::pulse::Pulse;
use crate::forward::{Advice, Refusal};
use crate::runtime::{Denied, Group, Runtime, Snapshot};
use crate::telemetry::Record;

/// A request that may go on.
pub(crate) struct Passed {
    /// What runs, for the whole request.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The group that is asked.
    pub(crate) group: Arc<Group>,
    /// What is asked of it.
    pub(crate) operation: Operation,
}

impl Passed {
    /// Checks a request's head. Strict HTTP comes first, then the key, and only then the path, so that nothing is told
    /// to strangers.
    pub(crate) fn check(
        runtime: &Runtime,
        request: &Parts,
        pulse: &Pulse,
        record: &mut Record,
    ) -> Result<Self, Refusal> {
        front::check(request, pulse.flaw())?;
        let Some(snapshot) = runtime.current() else {
            let message = "This proxy has no configuration yet.";
            return Err(Refusal::new(Code::NoUsableKey, message)
                .advising(Advice::after_secs(1))
                .closing());
        };
        let (path_group, path) = split(request.uri.path());
        let key = match client_key(&request.headers) {
            Ok(key) => Some(key),
            Err(ClientKeyError::Missing) => None,
            Err(error) => return Err(unauthenticated(&error.to_string())),
        };
        let admitted = snapshot.admit(path_group, key).map_err(denied)?;
        record.admitted(&admitted.group, admitted.client);
        let operation = Operation::recognise(&request.method, path).map_err(unsupported)?;
        record.operation(operation.clone());
        Ok(Self {
            group: admitted.group,
            snapshot,
            operation,
        })
    }
}

/// `/g/<group>/v1/…` → the group's name and `/v1/…`.
fn split(path: &str) -> (Option<&str>, &str) {
    let named = path.strip_prefix("/g/").and_then(|rest| {
        let slash = rest.find('/')?;
        let (name, path) = rest.split_at_checked(slash)?;
        (!name.is_empty()).then_some((name, path))
    });
    named.map_or((None, path), |(name, path)| (Some(name), path))
}

fn unauthenticated(why: &str) -> Refusal {
    Refusal::new(Code::InvalidClientKey, format!("Invalid client key: {why}.")).closing()
}

fn denied(why: Denied) -> Refusal {
    match why {
        Denied::NoKey => unauthenticated("send the group's key as Authorization: Bearer"),
        Denied::UnknownKey => unauthenticated("no group that is asked for accepts it"),
        Denied::UnknownGroup => {
            Refusal::new(Code::UnsupportedPath, "There is no group of this name here.").closing()
        }
        Denied::AmbiguousGroup => {
            let message = "More than one group could be meant: use the path /g/<group>/v1/….";
            Refusal::new(Code::InvalidRequest, message).closing()
        }
    }
}

fn unsupported(why: Unsupported) -> Refusal {
    match why {
        Unsupported::Path => {
            let message = "Keypool does not serve this path. It serves /v1/chat/completions, /v1/embeddings and /v1/models.";
            Refusal::new(Code::UnsupportedPath, message).closing()
        }
        Unsupported::Method { allow } => {
            let message = format!("This path takes {allow} only.");
            Refusal::new(Code::UnsupportedMethod, message)
                .allowing(allow)
                .closing()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_name_the_group() {
        for (path, want) in [
            ("/v1/models", (None, "/v1/models")),
            ("/g/chat/v1/models", (Some("chat"), "/v1/models")),
            ("/g/chat", (None, "/g/chat")),
            ("/g//v1/models", (None, "/g//v1/models")),
            ("/g/a/g/b/v1", (Some("a"), "/g/b/v1")),
        ] {
            assert_eq!(split(path), want, "{path}");
        }
    }
}
