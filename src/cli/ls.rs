//! `crit ls`: the files of a checkpoint, or several checkpoints.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::args::List;
use super::messages::report;
use super::options::SchemaArgs;
use super::output::print;
use super::{folder, source};
use crate::checkpoint::{Container, Listed};
use crate::error::Result;
use crate::render::{Table, bytes, explore, printable_bytes};
use crate::schema::Schema;

/// A checkpoint with its files.
#[derive(Serialize)]
struct Files {
    checkpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Container>,
    total_size: u64,
    files: Vec<Listed>,
}

/// A checkpoint among others.
#[derive(Serialize)]
struct Row {
    checkpoint: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    container: Option<Container>,
    total_size: u64,
}

pub(super) fn run(args: &List, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let mut paths = Vec::new();
    let mut is_folder = false;
    for path in &args.paths {
        match folder::inside(path) {
            Ok(Some(checkpoints)) => {
                is_folder = true;
                paths.extend(checkpoints);
            }
            // What is wrong with it is said when it is opened.
            Ok(None) | Err(_) => paths.push(path.clone()),
        }
    }
    match paths.as_slice() {
        [path] if !is_folder => one(&schema, path, args),
        paths => several(&schema, paths, args),
    }
}

fn one(schema: &Schema, path: &Path, args: &List) -> Result<ExitCode> {
    let checkpoint = source::listed(schema, path)?;
    let mut files = checkpoint.list()?;
    if args.largest {
        files.sort_by_key(|file| std::cmp::Reverse(file.size));
    }
    let mut failed = false;
    let container = checkpoint.container().unwrap_or_else(|error| {
        report(&error);
        failed = true;
        None
    });
    let files = Files {
        checkpoint: checkpoint.name().to_owned(),
        container,
        total_size: files
            .iter()
            .map(|file| file.size)
            .fold(0, u64::saturating_add),
        files,
    };
    print(args.json.json.then_some(&files), || text(&files))?;
    Ok(ExitCode::from(if failed { 2 } else { 0 }))
}

fn text(files: &Files) -> String {
    let mut out = String::new();
    if let Some(container) = &files.container {
        let annotations = Default::default();
        // What an engine noted is long; `x metadata` shows it.
        let short = Container {
            annotations,
            ..container.clone()
        };
        out.push_str(&explore::metadata(&short));
        out.push('\n');
    }
    let mut table = Table::new(&[">SIZE", ">ENTRIES", "KIND", "NAME", "WHAT"]);
    for file in &files.files {
        table.row([
            file.size.to_string(),
            file.entries
                .map(|count| count.to_string())
                .unwrap_or_default(),
            file.kind.clone().unwrap_or_default(),
            printable_bytes(file.name.as_bytes()),
            match &file.error {
                Some(error) if file.about.is_empty() => error.clone(),
                Some(error) => format!("{}: {error}", file.about),
                None => file.about.clone(),
            },
        ]);
    }
    out.push_str(&table.text());
    out.push_str(&format!(
        "{} files, {}\n",
        files.files.len(),
        bytes(files.total_size)
    ));
    out
}

fn several(schema: &Schema, paths: &[PathBuf], args: &List) -> Result<ExitCode> {
    let mut rows = Vec::new();
    let mut failed = false;
    for path in paths {
        match row(schema, path) {
            Ok(row) => rows.push(row),
            // A bad one is reported and the others still looked at.
            Err(error) => {
                report(&error);
                failed = true;
            }
        }
    }
    if args.largest {
        rows.sort_by_key(|row| std::cmp::Reverse(row.total_size));
    }
    print(args.json.json.then_some(&rows), || {
        let mut table = Table::new(&[
            "NAMESPACE",
            "POD",
            "CONTAINER",
            "IMAGE",
            "ID",
            "RUNTIME",
            "ENGINE",
            "CREATED",
            "CHECKPOINTED",
            "IP",
            ">CHECKPOINT",
            ">ROOTFS DIFF",
            "NAME",
        ]);
        for row in &rows {
            table.row(cells(row));
        }
        table.text()
    })?;
    Ok(ExitCode::from(if failed { 2 } else { 0 }))
}

fn row(schema: &Schema, path: &Path) -> Result<Row> {
    let checkpoint = source::listed(schema, path)?;
    let members = checkpoint.members()?;
    let sizes = members.iter().map(|member| member.size);
    Ok(Row {
        checkpoint: checkpoint.name().to_owned(),
        container: checkpoint.container()?,
        total_size: sizes.fold(0, u64::saturating_add),
    })
}

fn cells(row: &Row) -> Vec<String> {
    let name = row.checkpoint.clone();
    let Some(container) = &row.container else {
        let mut cells = vec![String::new(); 10];
        cells.extend([bytes(row.total_size), String::new(), name]);
        return cells;
    };
    let diff = container.checkpoint_size.root_fs_diff_size;
    vec![
        container.kubernetes_namespace.clone(),
        container.pod_name.clone(),
        container.container_name.clone(),
        container.image.clone(),
        container.id.chars().take(12).collect(),
        container.runtime.clone(),
        container.engine.name().to_owned(),
        container.created.clone(),
        container.checkpointed.clone(),
        container.ip.join(","),
        bytes(container.checkpoint_size.total_size),
        if diff > 0 { bytes(diff) } else { String::new() },
        name,
    ]
}
