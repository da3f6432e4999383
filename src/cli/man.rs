//! `crit man`: manual pages, made of the same command line as the help.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory as _};

use super::args::{Args, Man};
use super::output::Output;
use crate::error::{Error, ErrorKind, Result, nearest};

pub(super) fn run(args: &Man) -> Result<ExitCode> {
    let mut crit = Args::command();
    crit.build();
    if let Some(dir) = &args.output {
        std::fs::create_dir_all(dir)
            .map_err(|e| Error::writing(e).in_file(dir.display().to_string()))?;
        write_all(&crit, dir)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut command = &crit;
    for name in &args.command {
        command = command.find_subcommand(name).ok_or_else(|| {
            let full = command.get_bin_name().unwrap_or("crit");
            let what = format!("{full} has no command `{name}`");
            let error = Error::new(ErrorKind::Value(what));
            match nearest(name, commands(command).map(Command::get_name)) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            }
        })?;
    }
    write(command, Output::open(None)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The commands below one, but `help`, which has no page.
fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    let commands = command.get_subcommands();
    commands.filter(|command| command.get_name() != "help")
}

/// The page of a command and those of the commands below it.
fn write_all(command: &Command, dir: &Path) -> Result<()> {
    let path = dir.join(format!("{}.1", full_name(command)));
    write(command, Output::open_own(&path)?)?;
    for below in commands(command) {
        write_all(below, dir)?;
    }
    Ok(())
}

fn write(command: &Command, mut output: Output) -> Result<()> {
    let page = clap_mangen::Man::new(command.clone())
        .title(full_name(command).to_uppercase())
        .source(concat!("criu-images ", env!("CARGO_PKG_VERSION")))
        .manual("CRIU images");
    let mut text = Vec::new();
    page.render(&mut text).map_err(|e| output.error(e))?;
    // Sections have the names that pages have.
    let text =
        String::from_utf8_lossy(&text).replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n.nf\n");
    let text = with_usage(&text, &command.clone().render_usage().to_string());
    let written = output.write_all(text.as_bytes());
    written.map_err(|e| output.error(e))?;
    output.commit()
}

/// The page with the line of usage that the help has as its synopsis, instead of all options without
/// what they take: they have a section of their own.
fn with_usage(page: &str, usage: &str) -> String {
    const SYNOPSIS: &str = ".SH SYNOPSIS\n";
    let Some((before, rest)) = page.split_once(SYNOPSIS) else {
        return page.to_owned();
    };
    let after = rest.find("\n.SH ").and_then(|end| rest.get(end..));
    let lines = usage.trim_start_matches("Usage:").trim().lines();
    let lines = lines.map(|line| line.trim().replace('-', "\\-"));
    let lines = lines.collect::<Vec<_>>().join("\n.br\n");
    format!("{before}{SYNOPSIS}{lines}{}", after.unwrap_or_default())
}

/// `crit-schema-show`, as the names of pages are.
fn full_name(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or("crit");
    name.replace(' ', "-")
}
