//! The state of one fake provider, shared by its workers and its control API.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::completion::DEFAULT_MODELS;
use crate::keys::KeyTable;
use crate::limits::Limiter;
use crate::record::{Counts, Entry, Recorder};
use crate::rulebook::RuleBook;
use crate::scenario::{Key, KeyState, Limit, Rule, Scenario, ScenarioError};

mod decide;
mod fixed;
mod quick;
mod shape;
mod work;

pub(crate) use decide::{Content, Incoming, Plan};
pub(crate) use fixed::{FixedAnswers, asks_for_stream};
pub(crate) use quick::Quick;
pub(crate) use shape::received_headers;

/// What a fake provider is and has seen. All methods may be called from any thread while it serves.
#[derive(Debug)]
pub struct Provider {
    initial: Scenario,
    current: ArcSwap<Current>,
    /// Serialises changes of `current`.
    changing: Mutex<()>,
    book: Mutex<RuleBook>,
    scripted: AtomicBool,
    limiter: Mutex<Limiter>,
    pub(crate) recorder: Arc<Recorder>,
}

/// A scenario made ready.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) scenario: Scenario,
    pub(crate) keys: KeyTable,
    pub(crate) fixed: FixedAnswers,
    quick: bool,
}

/// Why a change was refused.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The result would not be a valid scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// There is no key of this name.
    #[error("no key is named {0:?}")]
    NoSuchKey(String),
}

impl Provider {
    pub(crate) fn new(scenario: Scenario, recorder: Recorder) -> Result<Self, ScenarioError> {
        scenario.check()?;
        Ok(Self {
            current: ArcSwap::from_pointee(Current::new(scenario.clone())),
            changing: Mutex::default(),
            book: Mutex::new(RuleBook::new(&scenario.rules)),
            scripted: AtomicBool::new(!scenario.rules.is_empty()),
            limiter: Mutex::new(Limiter::new(scenario.limits.clone())),
            recorder: Arc::new(recorder),
            initial: scenario,
        })
    }

    /// The scenario as it stands, rules included.
    pub fn scenario(&self) -> Scenario {
        Scenario {
            rules: self.rules(),
            ..self.current.load().scenario.clone()
        }
    }

    /// Takes another scenario; rules and limits begin anew. Log and counters stay.
    pub fn set_scenario(&self, scenario: Scenario) -> Result<(), ChangeError> {
        scenario.check()?;
        let _changing = self.changing.lock();
        *self.limiter.lock() = Limiter::new(scenario.limits.clone());
        self.edit_rules(|book| *book = RuleBook::new(&scenario.rules));
        self.current.store(Arc::new(Current::new(scenario)));
        Ok(())
    }

    /// Back to the scenario of the start, with empty log and counters.
    pub fn reset(&self) -> Result<(), ChangeError> {
        self.set_scenario(self.initial.clone())?;
        self.recorder.clear();
        Ok(())
    }

    /// Adds a key, or puts it in the place of the one with its name.
    pub fn put_key(&self, key: Key) -> Result<(), ChangeError> {
        self.edit(|scenario| {
            match scenario.keys.iter_mut().find(|old| old.name == key.name) {
                Some(old) => *old = key,
                None => scenario.keys.push(key),
            }
            Ok(())
        })
    }

    /// Forgets a key, as if it had never existed.
    pub fn remove_key(&self, name: &str) -> Result<(), ChangeError> {
        self.edit(|scenario| {
            let before = scenario.keys.len();
            scenario.any_key = Some(scenario.accepts_any_key());
            scenario.keys.retain(|key| key.name != name);
            if scenario.keys.len() == before {
                Err(ChangeError::NoSuchKey(name.to_owned()))
            } else {
                Ok(())
            }
        })
    }

    /// Makes a key work or not.
    pub fn set_key_state(&self, name: &str, state: KeyState) -> Result<(), ChangeError> {
        self.edit_key(name, |key| key.state = state)
    }

    /// Gives a key a new value, and makes it active; the old value is unknown from now on.
    pub fn rotate_key(&self, name: &str, value: &str) -> Result<(), ChangeError> {
        self.edit_key(name, |key| {
            key.value = value.to_owned();
            key.state = KeyState::Active;
        })
    }

    /// Other limits; all buckets are full again.
    pub fn set_limits(&self, limits: Vec<Limit>) -> Result<(), ChangeError> {
        *self.limiter.lock() = Limiter::new(limits.clone());
        self.edit(|scenario| {
            scenario.limits = limits;
            Ok(())
        })
    }

    /// The rules, each with its name.
    pub fn rules(&self) -> Vec<Rule> {
        self.book.lock().rules()
    }

    /// Adds a rule at the end, or in the place of the one with its name; returns its name.
    pub fn add_rule(&self, rule: Rule) -> String {
        self.edit_rules(|book| book.add(rule))
    }

    /// Removes a rule; false when there is none of that name.
    pub fn remove_rule(&self, name: &str) -> bool {
        self.edit_rules(|book| book.remove(name))
    }

    /// Removes all rules.
    pub fn clear_rules(&self) {
        self.edit_rules(|book| *book = RuleBook::default());
    }

    /// The recorded requests after number `since`.
    pub fn log(&self, since: u64) -> Vec<Entry> {
        self.recorder.log(since)
    }

    /// Forgets recorded requests and counters.
    pub fn clear_log(&self) {
        self.recorder.clear();
    }

    /// Counters per key.
    pub fn counts(&self) -> Counts {
        self.recorder.counts()
    }

    /// Switches recording.
    pub fn record(&self, on: bool) {
        self.recorder.switch(on);
    }

    fn edit_rules<T>(&self, change: impl FnOnce(&mut RuleBook) -> T) -> T {
        let mut book = self.book.lock();
        let result = change(&mut book);
        self.scripted.store(!book.is_empty(), Ordering::Release);
        result
    }

    fn edit_key(&self, name: &str, change: impl FnOnce(&mut Key)) -> Result<(), ChangeError> {
        self.edit(|scenario| {
            let key = scenario.keys.iter_mut().find(|key| key.name == name);
            key.map(change)
                .ok_or_else(|| ChangeError::NoSuchKey(name.to_owned()))
        })
    }

    fn edit(&self, change: impl FnOnce(&mut Scenario) -> Result<(), ChangeError>) -> Result<(), ChangeError> {
        let _changing = self.changing.lock();
        let mut scenario = self.current.load().scenario.clone();
        change(&mut scenario)?;
        scenario.check()?;
        self.current.store(Arc::new(Current::new(scenario)));
        Ok(())
    }
}

impl Current {
    fn new(scenario: Scenario) -> Self {
        Self {
            keys: KeyTable::new(&scenario),
            fixed: FixedAnswers::new(&scenario),
            quick: Self::is_quick(&scenario),
            scenario,
        }
    }

    pub(crate) fn models(&self) -> impl Iterator<Item = &str> {
        let named = self.scenario.models.iter().map(String::as_str);
        let default = DEFAULT_MODELS
            .into_iter()
            .filter(|_| self.scenario.models.is_empty());
        named.chain(default)
    }

    pub(crate) fn has_model(&self, id: &str) -> bool {
        self.scenario.models.is_empty() || self.scenario.models.iter().any(|model| model == id)
    }
}
