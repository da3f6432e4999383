//! `crit x`: explore a checkpoint.

use std::io::{BufWriter, IsTerminal as _, Write};
use std::mem::ManuallyDrop;
use std::process::ExitCode;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::Serialize;

use super::args::{Explore, Topic};
use super::messages::warn;
use super::options::SchemaArgs;
use super::output::{Output, print_json};
use super::progress::Progress;
use super::source;
use crate::checkpoint::Container;
use crate::error::{Error, ErrorKind, Result, nearest};
use crate::explore::{
    Cgroups, Explorer, Mounts, Namespaces, Process, ProcessOptions, TaskFiles, TaskMappings,
    TaskResident, TaskSignals, TaskSockets, TaskThreads, TaskTimers, ThreadCredentials,
};
use crate::render::{Style, explore as text, json};

/// Everything that `x` shows, for `all`.
const TOPICS: [Topic; 13] = [
    Topic::Metadata,
    Topic::Ps,
    Topic::Threads,
    Topic::Fds,
    Topic::Sk,
    Topic::Mems,
    Topic::Rss,
    Topic::Creds,
    Topic::Ns,
    Topic::Cgroups,
    Topic::Mounts,
    Topic::Timers,
    Topic::Signals,
];

impl Topic {
    /// The name of the topic that a word may mean: one that begins so, or is nearly the same.
    pub(super) fn like(word: &str) -> Option<String> {
        let topics: Vec<PossibleValue> = Topic::value_variants()
            .iter()
            .filter_map(ValueEnum::to_possible_value)
            .collect();
        let names = |topic: &PossibleValue| -> Vec<String> {
            let names = topic.get_name_and_aliases();
            names.map(str::to_owned).collect()
        };
        let begins = |topic: &&PossibleValue| {
            let is_long = word.len() > 2;
            is_long && names(topic).iter().any(|name| name.starts_with(word))
        };
        let is_near = |topic: &&PossibleValue| {
            let names = names(topic);
            nearest(word, names.iter().map(String::as_str)).is_some()
        };
        let found = topics.iter().find(begins);
        let found = found.or_else(|| topics.iter().find(is_near))?;
        Some(found.get_name().to_owned())
    }
}

/// An answer: as JSON it is what is inside.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Ps(Vec<Process>),
    Fds(Vec<TaskFiles>),
    Mems(Vec<TaskMappings>),
    Rss(Vec<TaskResident>),
    Sk(Vec<TaskSockets>),
    Threads(Vec<TaskThreads>),
    Mounts(Mounts),
    Creds(Vec<ThreadCredentials>),
    Ns(Namespaces),
    Cgroups(Cgroups),
    Timers(Vec<TaskTimers>),
    Signals(Vec<TaskSignals>),
    Metadata(Option<Box<Container>>),
}

pub(super) fn run(args: &Explore, source: &SchemaArgs) -> Result<ExitCode> {
    let only_for_ps = [
        (args.tree, "--tree"),
        (args.args, "--args"),
        (args.env, "--env"),
    ];
    if let Some((_, option)) = only_for_ps.iter().find(|(given, _)| *given)
        && !matches!(args.what, Topic::Ps | Topic::All)
    {
        let what = format!("{option} goes with `ps`");
        return Err(Error::new(ErrorKind::Value(what)));
    }
    let schema = source::schema(source)?;
    let checkpoint = source::checkpoint(&schema, &args.checkpoint)?;
    let mut explorer = Explorer::new(&checkpoint);
    for pid in &args.pid {
        explorer = explorer.subtree(*pid);
    }
    // The process ends after this: taking tables of thousands of files apart would be time lost.
    let explorer = ManuallyDrop::new(explorer);
    let style = Style {
        raw_names: !std::io::stdout().is_terminal(),
    };
    let mut output = Output::open(None)?;
    let result = {
        let mut out = BufWriter::with_capacity(64 << 10, &mut output);
        show(args, &explorer, style, &mut out).and_then(|()| out.flush().map_err(Error::writing))
    };
    // What is missing is said even when the reader of the answer has gone.
    warn(
        &explorer.warnings(),
        explorer.more_warnings(),
        checkpoint.name(),
    );
    result.map_err(|error| output.locate(error, checkpoint.name()))?;
    output.commit()?;
    Ok(ExitCode::SUCCESS)
}

fn show(args: &Explore, explorer: &Explorer<'_>, style: Style, out: &mut impl Write) -> Result<()> {
    if args.what != Topic::All {
        let answer = ManuallyDrop::new(patiently(args.what, args, explorer)?);
        return if args.json.json {
            print_json(out, &*answer)
        } else {
            print(&answer, args, style, out).map_err(Error::writing)
        };
    }
    let mut first = true;
    for topic in TOPICS {
        let answer = patiently(topic, args, explorer)?;
        let is_absent = matches!(answer, Answer::Metadata(None));
        let head = std::mem::take(&mut first);
        if args.json.json {
            write!(
                out,
                "{}\n  \"{}\": ",
                if head { "{" } else { "," },
                name(topic)
            )
            .map_err(Error::writing)?;
            json(out, &answer, 1).map_err(Error::writing)?;
        } else if !is_absent {
            let blank = if head { "" } else { "\n" };
            writeln!(out, "{blank}== {}", name(topic)).map_err(Error::writing)?;
            print(&answer, args, style, out).map_err(Error::writing)?;
        } else {
            first = true;
        }
    }
    if args.json.json {
        out.write_all(b"\n}\n").map_err(Error::writing)?;
    }
    Ok(())
}

/// An answer, with a sign of life when it takes more than a second.
fn patiently(topic: Topic, args: &Explore, explorer: &Explorer<'_>) -> Result<Answer> {
    let _progress = Progress::waiting("exploring");
    ask(topic, args, explorer)
}

fn name(topic: Topic) -> &'static str {
    match topic {
        Topic::Ps => "ps",
        Topic::Fds => "fds",
        Topic::Mems => "mems",
        Topic::Rss => "rss",
        Topic::Sk => "sk",
        Topic::Threads => "threads",
        Topic::Mounts => "mounts",
        Topic::Creds => "creds",
        Topic::Ns => "ns",
        Topic::Cgroups => "cgroups",
        Topic::Timers => "timers",
        Topic::Signals => "signals",
        Topic::Metadata => "metadata",
        Topic::All => "all",
    }
}

fn ask(topic: Topic, args: &Explore, explorer: &Explorer<'_>) -> Result<Answer> {
    Ok(match topic {
        Topic::Ps => {
            let options = ProcessOptions::default().args(args.args).env(args.env);
            Answer::Ps(explorer.ps(&options)?)
        }
        Topic::Fds => Answer::Fds(explorer.fds()?),
        Topic::Mems => Answer::Mems(explorer.mems()?),
        Topic::Rss => Answer::Rss(explorer.rss()?),
        Topic::Sk => Answer::Sk(explorer.sockets()?),
        Topic::Threads => Answer::Threads(explorer.threads()?),
        Topic::Mounts => Answer::Mounts(explorer.mounts()?),
        Topic::Creds => Answer::Creds(explorer.creds()?),
        Topic::Ns => Answer::Ns(explorer.namespaces()?),
        Topic::Cgroups => Answer::Cgroups(explorer.cgroups()?),
        Topic::Timers => Answer::Timers(explorer.timers()?),
        Topic::Signals => Answer::Signals(explorer.signals()?),
        Topic::Metadata | Topic::All => {
            let container = explorer.checkpoint().container()?;
            if container.is_none() && topic == args.what {
                let what = "no container engine wrote about this checkpoint: it has no config.dump or spec.dump";
                return Err(Error::new(ErrorKind::NotACheckpoint(what.to_owned())));
            }
            Answer::Metadata(container.map(Box::new))
        }
    })
}

fn print(
    answer: &Answer,
    args: &Explore,
    style: Style,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let text = match answer {
        Answer::Ps(roots) if args.tree || args.args || args.env => {
            return text::ps_tree(out, roots);
        }
        Answer::Ps(roots) => return text::ps(out, style, roots),
        Answer::Fds(tasks) => return text::fds(out, style, tasks),
        Answer::Mems(tasks) => return text::mems(out, style, tasks),
        Answer::Rss(tasks) => return text::rss(out, style, tasks),
        Answer::Sk(tasks) => text::sockets(tasks),
        Answer::Threads(tasks) => text::threads(tasks),
        Answer::Mounts(mounts) => text::mounts(mounts),
        Answer::Creds(threads) => text::creds(threads),
        Answer::Ns(namespaces) => text::namespaces(namespaces),
        Answer::Cgroups(cgroups) => text::cgroups(cgroups),
        Answer::Timers(tasks) => text::timers(tasks),
        Answer::Signals(tasks) => text::signals(tasks),
        Answer::Metadata(container) => container.as_deref().map(text::metadata).unwrap_or_default(),
    };
    out.write_all(text.as_bytes())
}
