//! `crit completions`: what a shell completes. Names of the schema in use are among it: magics and
//! messages, those of a checkout with `--schema-dir`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{CommandFactory as _, ValueEnum as _};
use clap_complete::{generate, shells};

use super::args::{Args, Completions, Shell, Topic};
use super::options::SchemaArgs;
use super::output::Output;
use super::source;
use crate::error::Result;

/// The kinds of areas that `--region` takes; a path is no name to complete.
const REGIONS: [&str; 8] = [
    "anon", "file", "heap", "memfd", "shmem", "stack", "sysv", "vdso",
];

pub(super) fn run(args: &Completions, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let contents = schema.contents()?;
    let messages: Vec<String> = contents.messages.into_keys().collect();
    let kinds = schema.kinds().iter().map(|kind| kind.name.clone());
    let magics: BTreeSet<String> = kinds.collect();
    let mut names = magics.clone();
    names.extend(messages.iter().cloned());
    names.extend(contents.enums.into_keys());
    let shown: Vec<String> = names.iter().cloned().collect();
    let crit = Args::command();
    let commands = crit.get_subcommands().map(|c| c.get_name().to_owned());
    let commands: Vec<String> = commands.collect();
    let mut crit = crit
        .mut_arg("message", |arg| {
            arg.value_parser(PossibleValuesParser::new(messages))
        })
        .mut_subcommand("export", |command| {
            command.mut_arg("magic", |arg| {
                arg.value_parser(PossibleValuesParser::new(magics))
            })
        })
        .mut_subcommand("mem", |command| {
            command.mut_arg("region", |arg| {
                arg.value_parser(PossibleValuesParser::new(REGIONS))
            })
        })
        .mut_subcommand("man", |command| {
            command.mut_arg("command", |arg| {
                arg.value_parser(PossibleValuesParser::new(&commands))
            })
        })
        .mut_subcommand("schema", |command| {
            command.mut_subcommand("show", |command| {
                command.mut_arg("name", |arg| {
                    arg.value_parser(PossibleValuesParser::new(names))
                })
            })
        });
    let mut text = Vec::new();
    match args.shell {
        Shell::Bash => {
            generate(shells::Bash, &mut crit, "crit", &mut text);
            let generated = String::from_utf8_lossy(&text).into_owned();
            let below = crit.find_subcommand("schema").into_iter();
            let below = below.flat_map(clap::Command::get_subcommands);
            let below: Vec<&str> = below.map(clap::Command::get_name).collect();
            text = include_str!("completions.bash")
                .replace("@SCHEMA@", &below.join(" "))
                .into_bytes();
            let complete = "complete -F _crit -o";
            let own = generated.replace(complete, "complete -F _crit_words -o");
            text.extend(own.into_bytes());
        }
        Shell::Zsh => generate(shells::Zsh, &mut crit, "crit", &mut text),
        Shell::Fish => {
            generate(shells::Fish, &mut crit, "crit", &mut text);
            text.extend(fish_arguments(&shown, &commands).into_bytes());
        }
    }
    let mut output = Output::open(None)?;
    output.write_all(&text).map_err(|e| output.error(e))?;
    output.commit()?;
    Ok(ExitCode::SUCCESS)
}

/// For fish only options are generated: what stands without one is added.
fn fish_arguments(schema_names: &[String], commands: &[String]) -> String {
    let topics = Topic::value_variants().iter();
    let topics = topics.filter_map(|topic| Some(topic.to_possible_value()?.get_name().to_owned()));
    let topics: Vec<String> = topics.collect();
    let line = |condition: &str, words: &[String]| {
        format!(
            "complete -c crit -n \"{condition}\" -a \"{}\"\n",
            words.join(" ")
        )
    };
    line("__fish_crit_using_subcommand x", &topics)
        + &line("__fish_crit_using_subcommand man", commands)
        + &line(
            "__fish_crit_using_subcommand schema; and __fish_seen_subcommand_from show",
            schema_names,
        )
}
