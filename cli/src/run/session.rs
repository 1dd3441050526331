//! One run, from the first manifests to the end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use keypool_contract::Encoded;
use keypool_contract::exchange::{Acknowledgement, ClearCooldown, ExchangeResponse};
use keypool_operator::clock::Clock;
use kube::ResourceExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::counts::Counts;
use super::greeting::{self, ClientKey};
use super::manifests::{self, Manifests, Seen};
use super::once::{self, Script, Story};
use super::screen::{Screen, View, clock};
use super::signals::{Asked, Signals};
use super::status;
use super::world::{Row, Survey, World};
use crate::args;

/// How often files and the clock are looked at. A change is read at the second look that finds it the same, so that nobody reads a
/// file that is being written.
const TICK: Duration = Duration::from_millis(150);
/// For the proxy to take over the first document: milliseconds, on a machine that is not starved.
const FIRST_DOCUMENT: Duration = Duration::from_secs(5);
const HELP: &str = "s Enter: status as YAML · Ctrl-C: end";

/// What reaches a run from outside.
pub(crate) struct Feeds {
    /// What the proxy learned.
    pub(crate) answers: mpsc::UnboundedReceiver<ExchangeResponse>,
    /// What the proxy runs.
    pub(crate) acknowledged: watch::Receiver<Acknowledgement>,
    /// Requests of each key.
    pub(crate) counts: watch::Receiver<Counts>,
    /// The person.
    pub(crate) signals: Signals,
}

/// Where scripted traffic goes.
pub(crate) struct Traffic {
    /// The clients' side.
    pub(crate) clients: SocketAddr,
    /// Its key.
    pub(crate) key: String,
}

/// One run.
pub(crate) struct Session {
    paths: Vec<PathBuf>,
    namespace: String,
    environment: BTreeMap<String, String>,
    status: Option<PathBuf>,
    client_key: ClientKey,
    files: Files,
    world: World,
    clock: Clock,
    documents: watch::Sender<Option<Encoded>>,
    wishes: watch::Sender<Vec<ClearCooldown>>,
    rows: watch::Sender<Vec<Row>>,
    screen: Screen<std::io::Stdout>,
    survey: Survey,
    /// Statuses as they were last written.
    written: String,
    /// When the running manifests were taken over.
    since: String,
}

/// What is known about the files.
struct Files {
    /// What was read last, good or not.
    read: Seen,
    /// What the last look found.
    found: Seen,
    /// What is wrong with them.
    problems: Vec<String>,
}

impl Session {
    pub(crate) fn new(
        args: &args::Run,
        environment: BTreeMap<String, String>,
        seen: Seen,
        world: World,
        clock: Clock,
        documents: watch::Sender<Option<Encoded>>,
    ) -> Self {
        let aside = args.status.as_deref().is_some_and(is_output);
        Self {
            paths: args.filename.clone(),
            namespace: args.namespace.clone(),
            environment,
            status: args.status.clone(),
            client_key: ClientKey::of(&args.client_key),
            files: Files {
                read: seen.clone(),
                found: seen,
                problems: Vec::new(),
            },
            world,
            clock,
            documents,
            wishes: watch::Sender::new(Vec::new()),
            rows: watch::Sender::new(Vec::new()),
            screen: Screen::of_process(aside),
            survey: Survey::default(),
            written: String::new(),
            since: String::new(),
        }
    }

    /// What persons wish by annotation, as it changes.
    pub(crate) fn wishes(&self) -> watch::Receiver<Vec<ClearCooldown>> {
        self.wishes.subscribe()
    }

    /// Runs until the person, or the script, ends it.
    pub(crate) async fn run(
        mut self,
        manifests: Manifests,
        feeds: Feeds,
        traffic: Option<Traffic>,
    ) -> anyhow::Result<()> {
        let Feeds {
            mut answers,
            mut acknowledged,
            mut counts,
            mut signals,
        } = feeds;
        self.take_over(manifests);
        // What is greeted with can be used at once.
        let judged = acknowledged.wait_for(|told| told.hash.is_some() || told.last_error.is_some());
        let _ = timeout(FIRST_DOCUMENT, judged).await;
        self.greet()?;
        let mut playing = self.play(traffic);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            tokio::select! {
                Some(answer) = answers.recv() => self.world.receive(answer, self.clock.now()),
                Ok(()) = counts.changed() => {}
                _ = ticks.tick() => self.follow_files()?,
                Some(played) = playing.join_next() => {
                    break played.context("the script ended by a panic").and_then(|story| story.map(Some).map_err(Into::into));
                }
                asked = signals.next() => match asked {
                    Asked::End if playing.is_empty() => break Ok(None),
                    Asked::End => break Err(anyhow!("it was ended before a key came back")),
                    Asked::Status => self.show_status()?,
                    Asked::Typed { status } => {
                        self.screen.typed();
                        if status {
                            self.show_status()?;
                        }
                    }
                },
            }
            let footer = self.footer();
            self.look(&counts.borrow(), footer)?;
        };
        self.look(&counts.borrow(), String::new())?;
        self.screen.finish()?;
        if let Some(story) = outcome? {
            self.screen.say(&[format!("keypool: {story}")])?;
        }
        Ok(())
    }

    fn play(&self, traffic: Option<Traffic>) -> JoinSet<Result<Story, once::OnceError>> {
        let mut playing = JoinSet::new();
        if let Some(Traffic { clients, key }) = traffic {
            let groups = self.world.served().map(ResourceExt::name_any).collect();
            playing.spawn(once::play(Script {
                clients,
                key,
                groups,
                rows: self.rows.subscribe(),
            }));
        }
        playing
    }

    fn take_over(&mut self, manifests: Manifests) {
        let now = self.clock.now();
        if let Some(document) = self.world.load(manifests, now) {
            self.documents.send_replace(Some(document));
        }
        let wishes = self.world.wishes();
        self.wishes
            .send_if_modified(|old| std::mem::replace(old, wishes.clone()) != wishes);
        self.since = clock(now.wall);
    }

    fn greet(&mut self) -> anyhow::Result<()> {
        let mut lines = vec![format!(
            "keypool: {}: {}",
            manifests::listed(&self.paths),
            greeting::size(&self.world)
        )];
        lines.extend(greeting::groups(&self.world, self.client_key));
        Ok(self.screen.say(&lines)?)
    }

    /// Takes over files that changed and are good; keeps what runs otherwise.
    fn follow_files(&mut self) -> anyhow::Result<()> {
        let now = Seen::look(&self.paths);
        let settled = now == self.files.found;
        self.files.found = now.clone();
        if !settled || now == self.files.read {
            return Ok(());
        }
        self.files.read = now;
        match manifests::read(&self.paths, &self.namespace, &self.environment) {
            Ok(manifests) => {
                let before = greeting::groups(&self.world, self.client_key);
                self.take_over(manifests);
                self.files.problems.clear();
                let paths = manifests::listed(&self.paths);
                let mut said = vec![format!(
                    "{} {paths}: taken over: {}",
                    self.since,
                    greeting::size(&self.world)
                )];
                let after = greeting::groups(&self.world, self.client_key);
                if after != before {
                    said.extend(after);
                }
                self.screen.say(&said)?;
            }
            Err(problems) => {
                self.files.problems = problems.0.iter().map(ToString::to_string).collect();
                self.files.problems.push(format!(
                    "nothing of this is taken over; what was read at {} still serves",
                    self.since
                ));
            }
        }
        Ok(())
    }

    fn footer(&self) -> String {
        format!(
            "read at {} · generation {} · {HELP}",
            self.since,
            self.world.generation()
        )
    }

    /// Looks at everything and shows what is new.
    fn look(&mut self, counts: &Counts, footer: String) -> anyhow::Result<()> {
        let now = self.clock.now();
        self.survey = self.world.survey(now);
        counts.fill(&mut self.survey.rows);
        let rows = &self.survey.rows;
        self.rows.send_if_modified(|old| {
            let changed = old != rows;
            old.clone_from(rows);
            changed
        });
        let mut concerns = self.files.problems.clone();
        concerns.extend(self.survey.concerns.iter().cloned());
        concerns.extend(self.write_status()?);
        if self.world.settled() {
            let view = View {
                rows: self.survey.rows.clone(),
                concerns,
                footer,
            };
            let size = self.screen.size();
            self.screen.draw(&view, size, now.wall)?;
        }
        Ok(())
    }

    /// Writes the statuses where they are wanted, when they changed. Returns why that failed.
    fn write_status(&mut self) -> anyhow::Result<Option<String>> {
        let Some(path) = self.status.clone() else {
            return Ok(None);
        };
        let text = status::yaml(&self.survey)?;
        if text == self.written || !self.world.settled() {
            return Ok(None);
        }
        if is_output(&path) {
            self.screen.print(&text)?;
        } else if let Err(error) = status::replace(&path, &text) {
            return Ok(Some(format!(
                "the status cannot be written to {}: {error}",
                path.display()
            )));
        }
        self.written = text;
        Ok(None)
    }

    fn show_status(&mut self) -> anyhow::Result<()> {
        let text = status::yaml(&self.survey)?;
        Ok(self.screen.print(&text)?)
    }
}

fn is_output(path: &Path) -> bool {
    path == Path::new("-")
}
