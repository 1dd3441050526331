//! Runs the tests of one file on what their ring needs.
//!
//! The file's `main` is made by [`ring!`](crate::ring!). It starts the ring's
//! components when the first test runs, gives every test a namespace and a
//! runtime of its own, and takes everything down at the end. It knows cargo's
//! options (`--list`, `--exact`, filters, `--test-threads`).
//!
//! * What this machine cannot carry is skipped with one line that says why;
//!   with `CI=true` that is a failure.
//! * `KEYPOOL_TEST_KUBECONFIG` names an existing cluster to use instead.
//! * A test listed under `alone` has the components to itself: one that stops
//!   or starves them.

mod evidence;
mod needs;
mod report;
mod test;
mod world;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use futures::future::{BoxFuture, FutureExt as _};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::node::namespaces;
use crate::say;

pub use test::{NotHere, Test};
pub use world::{EXISTING, World};

/// Tests of a cluster mostly wait, for pods and for cooldowns.
const AT_ONCE: usize = 3;

/// How much of Kubernetes a test needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// etcd and the API server.
    Api,
    /// And the controllers: ownership, Deployments, service accounts.
    Controllers,
    /// And a node that runs pods.
    Cluster,
}

/// One test function.
pub struct Case {
    pub name: &'static str,
    pub alone: bool,
    pub run: fn(Test) -> BoxFuture<'static, anyhow::Result<()>>,
}

/// Makes the `main` of a test file from its `async fn(Test) -> anyhow::Result<()>`.
///
/// ```ignore
/// keypool_tests::ring!(Cluster: quickstart, key_limited; alone: without_operator);
/// ```
///
/// The file is declared with `harness = false` in Cargo.toml.
#[macro_export]
macro_rules! ring {
    ($level:ident: $($case:ident),* $(,)? $(; alone: $($alone:ident),+ $(,)?)?) => {
        fn main() -> std::process::ExitCode {
            let cases = vec![
                $($crate::ring::Case {
                    name: stringify!($case), alone: false, run: |test| Box::pin($case(test)),
                },)*
                $($($crate::ring::Case {
                    name: stringify!($alone), alone: true, run: |test| Box::pin($alone(test)),
                },)+)?
            ];
            $crate::ring::main($crate::ring::Level::$level, cases)
        }
    };
}

/// What `main` of a test file does.
pub fn main(level: Level, cases: Vec<Case>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    if level == Level::Cluster {
        arguments.test_threads.get_or_insert(AT_ONCE);
    }
    if arguments.list {
        libtest_mimic::run(&arguments, trials(&Arc::new(Stage::new(level)), cases, false)).exit();
    }
    let needed = check(level);
    if let Err(lacking) = &needed {
        say::line(format_args!("the {level:?} ring is skipped: {lacking}"));
        if in_ci() {
            say::line("in CI no ring may be skipped");
            return ExitCode::FAILURE;
        }
    }
    if needed.is_ok() && level == Level::Cluster && World::own() && !namespaces::inside() {
        return namespaces::run_self().unwrap_or_else(|error| {
            say::line(format_args!("cannot start in own namespaces: {error}"));
            ExitCode::FAILURE
        });
    }
    let stage = Arc::new(Stage::new(level));
    let conclusion = libtest_mimic::run(&arguments, trials(&stage, cases, needed.is_err()));
    stage.close(!conclusion.has_failed());
    conclusion.exit_code()
}

/// Whether the ring can run here; `Err` says in one line why not. For tests
/// that use parts of the harness without [`ring!`](crate::ring!).
pub fn check(level: Level) -> Result<(), String> {
    // What is inside was checked outside.
    if namespaces::inside() {
        Ok(())
    } else {
        needs::check(level)
    }
}

fn trials(stage: &Arc<Stage>, cases: Vec<Case>, skipped: bool) -> Vec<Trial> {
    let trial = |case: Case| {
        let stage = Arc::clone(stage);
        Trial::ignorable_test(case.name, move || stage.perform(&case)).with_ignored_flag(skipped)
    };
    cases.into_iter().map(trial).collect()
}

/// The components, started by the first test that runs.
struct Stage {
    level: Level,
    world: OnceLock<Result<Arc<World>, String>>,
    turn: RwLock<()>,
}

impl Stage {
    fn new(level: Level) -> Self {
        Self {
            level,
            world: OnceLock::new(),
            turn: RwLock::new(()),
        }
    }

    fn world(&self) -> Result<Arc<World>, Failed> {
        let started = self.world.get_or_init(|| {
            let runtime = runtime().map_err(|error| error.to_string())?;
            runtime
                .block_on(World::start(self.level))
                .map(Arc::new)
                .map_err(|error| error.to_string())
        });
        started.clone().map_err(Failed::from)
    }

    fn perform(&self, case: &Case) -> Result<Completion, Failed> {
        let world = self.world()?;
        // A failed test says nothing about the components' state: a poisoned
        // lock is as good as any.
        let _together;
        let _alone;
        if case.alone {
            _alone = self.turn.write().unwrap_or_else(PoisonError::into_inner);
        } else {
            _together = self.turn.read().unwrap_or_else(PoisonError::into_inner);
        }
        runtime()?.block_on(async {
            let test = Test::set_up(world, case.name).await?;
            let outcome = AssertUnwindSafe((case.run)(test.clone())).catch_unwind().await;
            let failure = match outcome {
                Ok(Ok(())) => None,
                Ok(Err(error)) if error.is::<NotHere>() && !in_ci() => {
                    test.tear_down().await;
                    return Ok(Completion::ignored_with(error));
                }
                Ok(Err(error)) => Some(report::error_text(&error)),
                Err(panic) => Some(report::panic_text(panic.as_ref())),
            };
            let failure = match failure {
                Some(why) => Some(format!("{why}\n\n{}", report::namespaces(&test).await)),
                None => None,
            };
            test.tear_down().await;
            failure.map_or(Ok(Completion::Completed), |text| Err(Failed::from(text)))
        })
    }

    fn close(&self, passed: bool) {
        if let Some(Ok(world)) = self.world.get() {
            world.close(passed);
        }
    }
}

/// Where nothing may be skipped.
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}
