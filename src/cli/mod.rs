//! The `crit` command: one file for each subcommand, and what they share.

mod args;
mod decode;
mod encode;
mod info;
mod input;
mod output;
mod report;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};
use report::report;

/// Runs the command that the process was started with.
///
/// Exit codes: 0 done, 1 the answer is no, 2 error. A closed pipe on stdout is no error.
#[must_use]
pub fn run() -> ExitCode {
    let args = Args::parse();
    if args.version {
        println!("{}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let Some(command) = args.command else {
        // As upstream: a usage line, not the whole help.
        let mut command = <Args as clap::CommandFactory>::command();
        eprintln!("{}", command.render_usage());
        eprintln!("crit: too few arguments: give a command, or --help");
        return ExitCode::from(2);
    };
    let result = match &command {
        Command::Decode(args) => decode::run(args),
        Command::Encode(args) => encode::run(args),
        Command::Show(args) => decode::show(args),
        Command::Info(args) => info::run(args),
    };
    match result {
        Ok(code) => code,
        // Whoever read the output has seen enough.
        Err(error) if error.is_io(std::io::ErrorKind::BrokenPipe) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(2)
        }
    }
}
