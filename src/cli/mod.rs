//! The `crit` command: one file for each subcommand, and what they share.

mod args;
mod backup;
mod beside;
mod check;
mod colour;
mod completions;
mod coredump;
mod decode;
mod diff;
mod edit;
mod encode;
mod examples;
mod export;
mod folder;
mod get;
mod info;
mod input;
mod ls;
mod man;
mod mem;
mod messages;
mod options;
mod output;
mod progress;
mod recode;
mod replace;
mod report;
mod schema;
mod set;
mod source;
mod stats;
mod whole;
mod x;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue};

use crate::error::{Result, nearest};
use args::{Args, Command};
use colour::has_colour;
use messages::{Verbosity, detail, hint, is_lost, report, say, set_verbosity};
use output::Output;

/// Runs the command that the process was started with.
///
/// Exit codes: 0 done, 1 the answer is no, 2 error. A closed pipe on stdout is no error.
#[must_use]
pub fn run() -> ExitCode {
    let result = match Args::try_parse() {
        Ok(args) => {
            set_verbosity(match (args.quiet, args.verbose) {
                (true, _) => Verbosity::Quiet,
                (_, true) => Verbosity::Verbose,
                _ => Verbosity::Normal,
            });
            let started = Instant::now();
            let result = dispatch(&args);
            detail(&format!("{:.3} s", started.elapsed().as_secs_f64()));
            result
        }
        Err(error) => usage(&error),
    };
    match result {
        // What was answered is an answer about a part.
        Ok(_) if is_lost() => ExitCode::from(2),
        Ok(code) => code,
        // Whoever read the output has seen enough.
        Err(error) if error.is_io(std::io::ErrorKind::BrokenPipe) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(2)
        }
    }
}

/// Help goes to stdout; a mistake on the command line is said as any other error.
fn usage(error: &clap::Error) -> Result<ExitCode> {
    let text = error.render();
    if !error.use_stderr() {
        let text = if has_colour(std::io::stdout().is_terminal()) {
            text.ansi().to_string()
        } else {
            text.to_string()
        };
        let mut output = Output::open(None)?;
        output
            .write_all(text.as_bytes())
            .map_err(|e| output.error(e))?;
        output.commit()?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = text.to_string();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    say(&format!(
        "crit: {}",
        first.strip_prefix("error: ").unwrap_or(first)
    ));
    let near = suggestion(error);
    if let Some(near) = &near {
        hint(near);
    }
    for line in lines {
        match line.trim().strip_prefix("tip: ") {
            Some(_) if near.is_some() => {}
            Some(tip) => hint(tip),
            None => say(line),
        }
    }
    Ok(ExitCode::from(2))
}

/// What a mistyped command or topic may have been.
fn suggestion(error: &clap::Error) -> Option<String> {
    let given = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let crit = <Args as clap::CommandFactory>::command();
    let near = if let Some(name) = given(ContextKind::InvalidSubcommand) {
        nearest(name, crit.get_subcommands().map(clap::Command::get_name)).map(str::to_owned)
    } else if given(ContextKind::InvalidArg) == Some("<WHAT>") {
        args::Topic::like(given(ContextKind::InvalidValue)?)
    } else {
        None
    };
    near.map(|near| format!("did you mean `{near}`?"))
}

fn dispatch(args: &Args) -> Result<ExitCode> {
    if args.version {
        let mut output = Output::open(None)?;
        writeln!(output, "{}", env!("CARGO_PKG_VERSION")).map_err(|e| output.error(e))?;
        output.commit()?;
        return Ok(ExitCode::SUCCESS);
    }
    match &args.command {
        Some(Command::Decode(decode)) => decode::run(decode, &args.schema),
        Some(Command::Encode(encode)) => encode::run(encode, &args.schema),
        Some(Command::Show(show)) => decode::show(show, &args.schema),
        Some(Command::Info(info)) => info::run(info, &args.schema),
        Some(Command::X(explore)) => x::run(explore, &args.schema),
        Some(Command::Stats(stats)) => stats::run(stats, &args.schema),
        Some(Command::Ls(list)) => ls::run(list, &args.schema),
        Some(Command::Check(check)) => check::run(check, &args.schema),
        Some(Command::Diff(diff)) => diff::run(diff, &args.schema),
        Some(Command::Edit(edit)) => edit::run(edit, &args.schema),
        Some(Command::Recode(recode)) => recode::run(recode, &args.schema),
        Some(Command::Replace(replace)) => replace::run(replace, &args.schema),
        Some(Command::Get(get)) => get::run(get, &args.schema),
        Some(Command::Set(set)) => set::run(set, &args.schema),
        Some(Command::Coredump(coredump)) => coredump::run(coredump, &args.schema),
        Some(Command::Mem(mem)) => mem::run(mem, &args.schema),
        Some(Command::Schema(command)) => schema::run(command, &args.schema),
        Some(Command::Export(export)) => export::run(export, &args.schema),
        Some(Command::Report(report)) => report::run(report, &args.schema),
        Some(Command::Man(man)) => man::run(man),
        Some(Command::Completions(completions)) => completions::run(completions, &args.schema),
        None => {
            // As upstream: a usage line, not the whole help.
            let mut command = <Args as clap::CommandFactory>::command();
            say(&command.render_usage().to_string());
            say("crit: too few arguments: give a command, or --help");
            Ok(ExitCode::from(2))
        }
    }
}
