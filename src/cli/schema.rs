//! `crit schema`: list, show, diff, check, export.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::args::{SchemaCheck, SchemaCommand, SchemaDiff, SchemaExport, SchemaShow};
use super::messages::caution;
use super::options::SchemaArgs;
use super::output::{Output, print, print_marked};
use super::source;
use crate::error::{Error, ErrorKind, Result};
use crate::render::{Table, printable};
use crate::schema::{EnumInfo, KindInfo, MessageInfo, Schema, diff};

pub(super) fn run(command: &SchemaCommand, source: &SchemaArgs) -> Result<ExitCode> {
    match command {
        SchemaCommand::List(args) => list(&source::schema(source)?, args.json),
        SchemaCommand::Show(args) => show(&source::schema(source)?, args),
        SchemaCommand::Diff(args) => differences(args),
        SchemaCommand::Check(args) => check(args, source),
        SchemaCommand::Export(args) => export(&source::schema(source)?, args),
    }
}

fn list(schema: &Schema, json: bool) -> Result<ExitCode> {
    let kinds = schema.kind_infos();
    for error in kinds
        .iter()
        .filter_map(|kind| kind.error.as_ref())
        .collect::<BTreeSet<_>>()
    {
        caution(&error.to_string());
    }
    print(json.then_some(&kinds), || {
        let mut table = Table::new(&[
            "MAGIC", "VALUE", "FAMILY", "MESSAGE", "FROM", "FILES", "PAYLOAD",
        ]);
        for kind in &kinds {
            let alias = kind.alias_of.as_ref().map(|of| format!("is {of}"));
            table.row([
                kind.name.clone(),
                kind.magic.clone().unwrap_or_default(),
                kind.family.to_owned(),
                kind.message.clone().or(alias).unwrap_or_default(),
                kind.from
                    .map(|from| from.name())
                    .unwrap_or_default()
                    .to_owned(),
                kind.files.join(" "),
                kind.payload.clone().unwrap_or_default(),
            ]);
        }
        table.text()
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What a name may stand for.
#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<KindInfo>,
    messages: Vec<MessageInfo>,
    enums: Vec<EnumInfo>,
}

fn show(schema: &Schema, args: &SchemaShow) -> Result<ExitCode> {
    let magic = args
        .name
        .strip_prefix("0x")
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let kind = match magic {
        Some(magic) => schema.kinds().by_magic(magic),
        None => schema.kinds().by_name(&args.name),
    };
    if kind.is_none() && magic.is_some() {
        return Err(Error::new(ErrorKind::UnknownKind(args.name.clone())));
    }
    let kind = kind.map(|kind| schema.kind_info(kind));
    let name = match &kind {
        Some(kind) => kind.message.clone(),
        None => Some(args.name.clone()),
    };
    let mut shown = Shown {
        kind,
        messages: Vec::new(),
        enums: Vec::new(),
    };
    if let Some(name) = name {
        messages(schema, &name, args.nested, &mut shown)?;
    }
    print(args.json.json.then_some(&shown), || {
        let mut text = String::new();
        if let Some(kind) = &shown.kind {
            text.push_str(&kind_text(kind));
        }
        for message in &shown.messages {
            text.push_str(&format!("message {} ({})\n", message.name, message.file));
            for field in &message.fields {
                text.push_str(&format!("  {}\n", printable(&field.declaration())));
            }
        }
        for desc in &shown.enums {
            text.push_str(&format!("enum {} ({})\n", desc.name, desc.file));
            for (name, number) in &desc.values {
                text.push_str(&format!("  {name} = {number}\n"));
            }
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

fn kind_text(kind: &KindInfo) -> String {
    let mut text = format!(
        "magic {} {}",
        kind.name,
        kind.magic.as_deref().unwrap_or("(raw)")
    );
    if let Some(alias) = &kind.alias_of {
        text.push_str(&format!(", another name for {alias}"));
    }
    text.push_str(&format!(", family {}\n", kind.family));
    for (what, value) in [
        ("files", Some(kind.files.join(" "))),
        ("about", Some(kind.about.clone())),
        ("payload", kind.payload.clone()),
        ("message from", kind.from.map(|from| from.name().to_owned())),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text.push_str(&format!("  {what}: {}\n", printable(&value)));
        }
    }
    text
}

/// Collects a message or enum, and on request what stands inside.
fn messages(schema: &Schema, name: &str, nested: bool, shown: &mut Shown) -> Result<()> {
    let message = match schema.message_info(name) {
        Ok(message) => message,
        Err(error) if matches!(error.kind(), ErrorKind::UnknownMessage(_)) => {
            let contents = schema.contents()?;
            match contents.enums.get(name) {
                Some(desc) if !shown.enums.contains(desc) => shown.enums.push(desc.clone()),
                Some(_) => {}
                None => {
                    let kinds = schema.kinds().iter().map(|kind| kind.name.as_str());
                    let known = contents.messages.keys().chain(contents.enums.keys());
                    return Err(error.did_you_mean(name, known.map(String::as_str).chain(kinds)));
                }
            }
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let types: Vec<String> = message
        .fields
        .iter()
        .map(|field| field.ty.clone())
        .collect();
    if shown.messages.contains(&message) {
        return Ok(());
    }
    shown.messages.push(message);
    if nested {
        // Scalar types are no names that the schema knows.
        for ty in types.iter().filter(|ty| ty.contains(['_', '.'])) {
            messages(schema, ty, true, shown)?;
        }
    }
    Ok(())
}

fn differences(args: &SchemaDiff) -> Result<ExitCode> {
    let changes = diff(&source::named(&args.a)?, &source::named(&args.b)?)?;
    print(args.json.json.then_some(&changes), || {
        let lines = changes.iter().map(|change| {
            let values = match (&change.old, &change.new) {
                (Some(old), Some(new)) => format!(": {old} -> {new}"),
                (Some(value), None) | (None, Some(value)) => format!(": {value}"),
                (None, None) => String::new(),
            };
            printable(&format!(
                "{} {} {}{values}",
                change.what, change.name, change.change
            )) + "\n"
        });
        lines.collect()
    })?;
    Ok(ExitCode::from(u8::from(!changes.is_empty())))
}

fn check(args: &SchemaCheck, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = match &args.dir {
        Some(dir) => source::named(Path::new(dir))?,
        None => source::schema(source)?,
    };
    let findings = schema.examine()?;
    let errors = findings.iter().filter(|finding| finding.error).count();
    print_marked(args.json.json.then_some(&findings), || {
        let lines = findings.iter().map(|finding| {
            let severity = if finding.error { "error" } else { "note" };
            printable(&format!("{severity}: {}", finding.message)) + "\n"
        });
        let total = format!(
            "{}: {errors} errors, {} notes\n",
            schema.describe(),
            findings.len() - errors
        );
        lines.chain([printable(total.trim_end()) + "\n"]).collect()
    })?;
    Ok(ExitCode::from(u8::from(errors > 0)))
}

/// What was exported.
#[derive(Serialize)]
struct Exported<'a> {
    bytes: usize,
    /// Files, and why each is left out.
    left_out: &'a [(String, String)],
}

fn export(schema: &Schema, args: &SchemaExport) -> Result<ExitCode> {
    let set = schema.to_descriptor_set()?;
    let mut output = Output::open_binary(args.output.as_deref())?;
    output.write_all(&set.bytes).map_err(|e| output.error(e))?;
    let is_stdout = output.is_stdout();
    output.commit()?;
    if args.json.json && !is_stdout {
        let exported = Exported {
            bytes: set.bytes.len(),
            left_out: &set.left_out,
        };
        print(Some(&exported), String::new)?;
    }
    for (file, why) in &set.left_out {
        caution(&format!("{file} is left out: {why}"));
    }
    Ok(ExitCode::SUCCESS)
}
