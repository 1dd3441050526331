//! Blocking traffic between pods, to take one delivery path away.
//!
//! The volume path is blocked by pausing the kubelet:
//! `node.component("kubelet").pause()`. Nothing is refreshed or probed until
//! it is resumed; running pods go on.

use std::net::IpAddr;

use super::{Error, run};

/// What happens to blocked traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Connections are refused at once.
    Reject,
    /// Nothing answers, established connections included.
    Drop,
}

/// Blocks new and established TCP traffic until it is dropped.
#[derive(Debug)]
pub struct Block {
    rules: Vec<Vec<String>>,
}

impl Block {
    /// Blocks what anybody (`from` a pod or the node) sends to `port` of `to`.
    pub fn new(from: Option<IpAddr>, to: IpAddr, port: u16, manner: Manner) -> Result<Self, Error> {
        let mut block = Self { rules: Vec::new() };
        // Between pods the node forwards; to its own pods it sends.
        for chain in ["FORWARD", "OUTPUT"] {
            let rule = rule(chain, from, to, port, manner);
            iptables("-I", &rule)?;
            block.rules.push(rule);
        }
        Ok(block)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        for rule in &self.rules {
            // The namespaces' end removes what could not be removed here.
            let _ = iptables("-D", rule);
        }
    }
}

fn rule(chain: &str, from: Option<IpAddr>, to: IpAddr, port: u16, manner: Manner) -> Vec<String> {
    let mut rule = vec![chain.to_owned()];
    if let Some(from) = from {
        rule.extend(["-s".to_owned(), from.to_string()]);
    }
    rule.extend(["-d".to_owned(), to.to_string(), "-p".to_owned(), "tcp".to_owned()]);
    rule.extend(["--dport".to_owned(), port.to_string(), "-j".to_owned()]);
    match manner {
        Manner::Drop => rule.push("DROP".to_owned()),
        Manner::Reject => rule.extend(["REJECT", "--reject-with", "tcp-reset"].map(str::to_owned)),
    }
    rule
}

fn iptables(act: &str, rule: &[String]) -> Result<(), Error> {
    let mut arguments = vec!["--wait", act];
    arguments.extend(rule.iter().map(String::as_str));
    run("iptables", &arguments)
}
