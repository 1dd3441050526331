//! What a failed test's namespace looked like.

use std::any::Any;

use super::{Level, Test};

/// The namespace's objects, events and the ends of its pods' logs.
pub(super) async fn namespace(test: &Test) -> String {
    let Ok(kubectl) = test.kubectl() else {
        return String::new();
    };
    let mut commands: Vec<Vec<&str>> = vec![vec!["get", "events", "--sort-by=.lastTimestamp"]];
    if test.world().level() >= Level::Cluster {
        commands.insert(0, vec!["get", "all", "--output=wide"]);
    }
    let mut text = String::new();
    for command in &commands {
        let shown = kubectl
            .run(command)
            .await
            .unwrap_or_else(|error| error.to_string());
        text += &format!("--- kubectl {}\n{shown}\n", command.join(" "));
    }
    if test.world().level() >= Level::Cluster {
        let pods = kubectl
            .run(&["get", "pods", "--output=name"])
            .await
            .unwrap_or_default();
        for pod in pods.lines() {
            let command = ["logs", pod, "--all-containers", "--tail=40"];
            let shown = kubectl
                .run(&command)
                .await
                .unwrap_or_else(|error| error.to_string());
            text += &format!("--- {pod}\n{shown}\n");
        }
    }
    text
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
