//! The script at work: which rule is for a request, and how often it was already.

use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::scenario::{Answer, Match, Rule};

/// What rules may look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) key: &'a str,
    pub(crate) group: &'a str,
    pub(crate) model: Option<&'a str>,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) stream: bool,
    pub(crate) headers: &'a HeaderMap,
    /// The body is not read yet: only rules that want it so.
    pub(crate) early: bool,
}

/// The rules with their counters.
#[derive(Debug, Default)]
pub(crate) struct RuleBook {
    rules: Vec<Line>,
    named: u64,
}

#[derive(Debug)]
struct Line {
    rule: Rule,
    name: String,
    answer: Arc<Answer>,
    seen: u64,
    used: u64,
}

/// The rule that is for a request.
#[derive(Debug, Clone)]
pub(crate) struct Picked {
    pub(crate) name: String,
    pub(crate) answer: Arc<Answer>,
}

impl RuleBook {
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut book = Self::default();
        for rule in rules {
            book.add(rule.clone());
        }
        book
    }

    /// Appends a rule, or puts it in the place of the one with its name; counters begin anew. Returns its name.
    pub(crate) fn add(&mut self, rule: Rule) -> String {
        self.named += 1;
        let name = rule
            .name
            .clone()
            .unwrap_or_else(|| format!("rule-{}", self.named));
        let line = Line {
            answer: Arc::new(rule.answer.clone()),
            name: name.clone(),
            rule,
            seen: 0,
            used: 0,
        };
        match self.rules.iter_mut().find(|old| old.name == name) {
            Some(old) => *old = line,
            None => self.rules.push(line),
        }
        name
    }

    /// Removes a rule; false when there is none of that name.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.rules.len();
        self.rules.retain(|line| line.name != name);
        self.rules.len() < before
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.rules
            .iter()
            .map(|line| Rule {
                name: Some(line.name.clone()),
                ..line.rule.clone()
            })
            .collect()
    }

    /// The first rule that is for this request and not used up. Rules before it that match but wait (`skip`, `every`)
    /// count the request as seen.
    pub(crate) fn pick(&mut self, facts: &Facts<'_>) -> Option<Picked> {
        self.rules.iter_mut().find_map(|line| line.claim(facts))
    }
}

impl Line {
    fn claim(&mut self, facts: &Facts<'_>) -> Option<Picked> {
        if self.answer.early != facts.early
            || !matches(&self.rule.when, facts)
            || self.rule.times.is_some_and(|times| self.used >= times)
        {
            return None;
        }
        self.seen += 1;
        let turn = self.seen.checked_sub(self.rule.skip + 1)?;
        if !turn.is_multiple_of(self.rule.every.unwrap_or(1).max(1)) {
            return None;
        }
        self.used += 1;
        Some(Picked {
            name: self.name.clone(),
            answer: self.answer.clone(),
        })
    }
}

fn matches(when: &Match, facts: &Facts<'_>) -> bool {
    let header = |name: &str| facts.headers.get(name).and_then(|value| value.to_str().ok());
    when.key.allow(facts.key)
        && when.group.allow(facts.group)
        && (when.model.is_empty() || facts.model.is_some_and(|model| when.model.allow(model)))
        && when.path.allow(facts.path)
        && when.method.allow(facts.method.as_str())
        && when.stream.is_none_or(|stream| stream == facts.stream)
        && when
            .headers
            .iter()
            .all(|(name, wanted)| header(name).is_some_and(|value| wanted.allow(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(rules: &[Rule], key: &str, model: Option<&str>, times: usize) -> Vec<Option<String>> {
        let mut book = RuleBook::new(rules);
        let headers = HeaderMap::new();
        let facts = Facts {
            key,
            group: "g",
            model,
            method: &Method::POST,
            path: "/v1/x",
            stream: false,
            headers: &headers,
            early: false,
        };
        (0..times)
            .map(|_| book.pick(&facts).map(|picked| picked.name))
            .collect()
    }

    fn rule(name: &str) -> Rule {
        Rule::new(Answer::status(500)).named(name)
    }

    #[test]
    fn so_often_and_then_the_next_rule_or_normal() {
        let rules = [rule("once").times(1), rule("twice").times(2)];
        let picked = picks(&rules, "a", None, 4);
        assert_eq!(
            picked,
            [
                Some("once".into()),
                Some("twice".into()),
                Some("twice".into()),
                None
            ]
        );
    }

    #[test]
    fn skip_and_every_count_matching_requests_only() {
        let rules = [Rule {
            skip: 1,
            every: Some(2),
            ..rule("r")
        }];
        let hits: Vec<bool> = picks(&rules, "a", None, 6).iter().map(Option::is_some).collect();
        assert_eq!(hits, [false, true, false, true, false, true]);
    }

    #[test]
    fn all_conditions_must_hold() {
        let rules = [rule("r").key("a").model("gpt-*")];
        assert_eq!(picks(&rules, "a", Some("gpt-4o"), 1), [Some("r".into())]);
        assert_eq!(picks(&rules, "b", Some("gpt-4o"), 1), [None]);
        assert_eq!(picks(&rules, "a", Some("o1"), 1), [None]);
        assert_eq!(picks(&rules, "a", None, 1), [None]);
    }

    #[test]
    fn a_rule_of_the_same_name_takes_the_place_and_counts_anew() {
        let mut book = RuleBook::new(&[rule("r").times(1), rule("s")]);
        book.add(rule("r").times(5));
        assert_eq!(
            book.rules().iter().map(|r| r.times).collect::<Vec<_>>(),
            [Some(5), None]
        );
        assert!(book.remove("r") && !book.remove("r"));
        assert_eq!(book.add(Rule::default()), "rule-4");
    }
}
