//! The stock OpenAI SDK, by the scripts in `tests/sdk`.

use serde::Deserialize;
use serde_json::json;

use crate::{python, tools};

use super::{Caller, Scene};

/// What `tests/sdk/chat.py` is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Sdk {
    pub count: usize,
    /// Number of the first request; each prompt holds its request's.
    pub first: usize,
    pub at_once: usize,
    /// `None`: the SDK's own default, two retries.
    pub max_retries: Option<u32>,
    /// `none`, `half` or `all`.
    pub streamed: &'static str,
}

/// One request of the SDK.
#[derive(Clone, Debug, Deserialize)]
pub struct Chat {
    pub number: usize,
    /// Whether the SDK gave an answer without raising.
    pub ok: bool,
    pub error: Option<String>,
    pub text: Option<String>,
    /// HTTP exchanges, retries included; the following are of the last.
    pub attempts: usize,
    pub sha256: String,
    pub bytes: u64,
    pub status: Option<u16>,
    pub member: Option<String>,
}

impl Sdk {
    /// `count` requests, half of them streamed, without retries.
    pub fn without_retries(count: usize, at_once: usize) -> Self {
        Self {
            count,
            first: 0,
            at_once,
            max_retries: Some(0),
            streamed: "half",
        }
    }

    /// Runs the script with the address and key of `caller`, as an application
    /// that has the Secret in its environment.
    pub async fn run(&self, scene: &Scene, caller: &Caller, model: &str) -> anyhow::Result<Vec<Chat>> {
        let asked = json!({
            "model": model,
            "count": self.count,
            "first": self.first,
            "atOnce": self.at_once,
            "maxRetries": self.max_retries,
            "streamed": self.streamed,
        });
        let base = format!("{}/v1", caller.base());
        let environment = [
            ("OPENAI_BASE_URL", base.as_str()),
            ("OPENAI_API_KEY", caller.key()),
        ];
        let script = tools::repository().join("tests/sdk/chat.py");
        let output = python::run(&script, &[&asked.to_string()], &environment).await?;
        scene.told("what the SDK gave", output.clone());
        output
            .lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }
}

impl Chat {
    /// The number of the request whose body this is, as the prompts say.
    pub fn number_in(body: &str) -> Option<usize> {
        let (_, after) = body.split_once("question ")?;
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    }
}
