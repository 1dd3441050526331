//! Why a child was not written.

/// Why a child was not written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// An object of that name exists that this owner did not make.
    #[error("{kind} {name} exists and does not belong to this resource; delete or rename it")]
    NameConflict {
        /// Kind of the child.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// One of an earlier resource of the same name is still being collected.
    #[error("{kind} {name} of a deleted resource of the same name is still there; waiting for its removal")]
    Leftover {
        /// Kind of the child.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The request failed.
    #[error("{kind} {name} could not be {operation} (status {code}{})", told(text))]
    Request {
        /// Kind of the child.
        kind: &'static str,
        /// Its name.
        name: String,
        /// `read`, `created` or `applied`.
        operation: &'static str,
        /// HTTP status, 0 when there was no answer.
        code: u16,
        /// What the API server said; empty for a Secret, whose refusal may quote a key.
        text: String,
    },
}

fn told(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

impl ApplyError {
    /// A request that failed.
    pub fn request(kind: &'static str, name: String, operation: &'static str, error: &kube::Error) -> Self {
        let (code, text) = match error {
            kube::Error::Api(status) if kind == "Secret" => (status.code, String::new()),
            kube::Error::Api(status) => (status.code, one_line(&status.message)),
            _ => (0, String::new()),
        };
        Self::Request {
            kind,
            name,
            operation,
            code,
            text,
        }
    }
}

/// Characters of the API server's text that are kept.
const MAX_TEXT: usize = 400;

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_refusal_is_kept_but_for_secrets() {
        let refusal = || {
            kube::core::Status::failure("quota:\n exceeded", "Forbidden")
                .with_code(403)
                .boxed()
        };
        let of = |kind| {
            ApplyError::request(kind, "chat".into(), "applied", &kube::Error::Api(refusal())).to_string()
        };
        assert_eq!(
            of("Deployment"),
            "Deployment chat could not be applied (status 403: quota: exceeded)"
        );
        assert_eq!(of("Secret"), "Secret chat could not be applied (status 403)");
    }
}
