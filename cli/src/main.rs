//! `keypool`: Keypool on your machine.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

mod args;
mod run;

use args::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code for a command line that cannot be understood (`EX_USAGE`).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    keep_memory_private();
    // Before anything makes a TLS setting of its own: there is one provider.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return fail("the TLS provider is installed already");
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            // --help and --version.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            return ExitCode::from(USAGE);
        }
        Err(error) => {
            let text = error.to_string();
            let lines: Vec<&str> = text
                .lines()
                .take_while(|line| !line.is_empty())
                .map(str::trim)
                .collect();
            let told = lines.join(" ");
            fail(&format!("{} (see --help)", told.trim_start_matches("error: ")));
            return ExitCode::from(USAGE);
        }
    };
    let outcome = match cli.command {
        Command::Run(args) => run::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{error:#}")),
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "keypool: {why}");
    ExitCode::FAILURE
}

/// Keys are in this process's memory: no core dumps, and others of our user cannot read it.
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // A kernel or sandbox that refuses these refuses a safety net, not the service.
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
