//! What a failed test's namespace looked like.

use std::any::Any;

use super::{Level, Test};
use crate::logs;

/// The objects, events and ends of logs in the test's namespaces.
pub(super) async fn namespaces(test: &Test) -> String {
    let mut text = String::new();
    for name in test.places().await {
        text += &namespace(test, &name).await;
    }
    if let Ok(directory) = test.directory() {
        text += &logs::tails(&directory, 40);
    }
    text
}

async fn namespace(test: &Test, name: &str) -> String {
    let Ok(kubectl) = test.kubectl_in(name) else {
        return String::new();
    };
    let show = async |command: &[&str]| {
        kubectl
            .run(command)
            .await
            .unwrap_or_else(|error| error.to_string())
    };
    let mut text = format!("=== namespace {name}\n");
    if test.world().level() >= Level::Cluster {
        text += &show(&["get", "all", "--output=wide"]).await;
        for pod in show(&["get", "pods", "--output=name"]).await.lines() {
            text += &format!("--- {pod}\n");
            text += &show(&["logs", pod, "--all-containers", "--prefix", "--tail=40"]).await;
        }
    }
    text += "--- events\n";
    text + &show(&["get", "events", "--sort-by=.lastTimestamp"]).await
}

/// An error with its causes, one a line; not its backtrace, which shows the
/// runtime and not the test.
pub(super) fn error_text(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n  because: ")
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("the test panicked").to_owned()
}
