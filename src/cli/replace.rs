//! `crit replace`: something replaced in all images of a checkpoint at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::backup::Backup;
use super::messages::caution;
use super::options::{Json, SchemaArgs};
use super::output::{Output, print};
use super::progress::Progress;
use super::set::differences;
use super::source;
use crate::checkpoint::Checkpoint;
use crate::edit::Changed;
use crate::error::{Error, ErrorKind, Result};
use crate::json::written_number;
use crate::render::printable;
use crate::replace::{Mention, Mounts, Replaced, Replacement, Replacer, Tarball, mentions};

#[derive(Debug, ClapArgs)]
pub(super) struct Replace {
    /// The directory of images
    #[arg(value_name = "DIR")]
    checkpoint: PathBuf,
    /// An IP address of sockets, theirs or their peers'
    #[arg(long, value_name = "OLD=NEW")]
    ip: Vec<String>,
    /// A file or directory, and everything below it, wherever a path is
    #[arg(long, value_name = "OLD=NEW")]
    path: Vec<String>,
    /// The host name of UTS namespaces
    #[arg(long, value_name = "[OLD=]NEW")]
    hostname: Vec<String>,
    /// The command name of tasks and threads
    #[arg(long, value_name = "OLD=NEW")]
    comm: Vec<String>,
    /// A cgroup, and everything below it
    #[arg(long, value_name = "OLD=NEW")]
    cgroup: Vec<String>,
    /// A user, by the id inside the user namespace that was dumped
    #[arg(long, value_name = "OLD=NEW")]
    uid: Vec<String>,
    /// A group, likewise
    #[arg(long, value_name = "OLD=NEW")]
    gid: Vec<String>,
    /// Only print what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backup: Backup,
    #[command(flatten)]
    json: Json,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Answer {
    /// What changed, by the images.
    changed: BTreeMap<String, Vec<Changed>>,
    /// The files that mention what was replaced, and are as they were.
    mentioned: Vec<Mention>,
}

pub(super) fn run(args: &Replace, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let checkpoint = source::checked(&schema, &args.checkpoint)?;
    if !args.checkpoint.is_dir() {
        let what = "an archive is not changed in place".to_owned();
        let error = Error::new(ErrorKind::Value(what)).in_file(checkpoint.name());
        return Err(error.with_hint("unpack it, and give the directory"));
    }
    if checkpoint.images()?.is_empty() {
        return Err(checkpoint.no_images());
    }
    // What is not read would keep what is to be replaced.
    if let Some(loss) = checkpoint.losses()?.into_iter().next() {
        return Err(Error::new(ErrorKind::Value(loss.message)).in_file(checkpoint.name()));
    }
    let replacements = args.replacements()?;
    let mounts = Arc::new(Mounts::read(&checkpoint)?);
    let replacer = Replacer::new(replacements.clone())?.with_mounts(Arc::clone(&mounts));
    let mut replacer = replacer.map_err(|error| error.in_file(checkpoint.name()))?;
    let directory = args.checkpoint.join(checkpoint.images_folder());
    let mut changed = BTreeMap::new();
    let mut unknown = BTreeMap::new();
    // All images are written before the first takes its place: each is a file that is open.
    raise_open_files();
    let progress = Progress::waiting("looking for it");
    let mut outputs = Vec::new();
    for name in checkpoint.images()? {
        let path = directory.join(&name);
        let label = path.display().to_string();
        let image = Image {
            path: &path,
            label: &label,
            tarball: Tarball::named(&name, &mounts),
        };
        let replaced = image.replace(&checkpoint, &mut replacer, args.dry_run);
        let (replaced, output) = replaced.map_err(|error| error.in_file(&label))?;
        if !replaced.unknown.is_empty() {
            unknown.insert(name.clone(), replaced.unknown);
        }
        if !replaced.changed.is_empty() {
            changed.insert(name, replaced.changed);
            outputs.extend(output.map(|output| (path, output)));
        }
    }
    drop(progress);
    let mentioned = mentions(&checkpoint, &searched(&replacements, &changed))?;
    for (image, fields) in &unknown {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let path = printable(&directory.join(image).display().to_string());
        let fields = printable(&fields.join(", "));
        caution(&format!(
            "{path}: fields unknown to the schema were not searched: {fields}; --schema-dir of a newer CRIU names them"
        ));
    }
    for mention in &mentioned {
        let file = printable(&args.checkpoint.join(&mention.file).display().to_string());
        let text = printable(&mention.text);
        caution(&format!(
            "{file}: it mentions {text}, and is left as it was"
        ));
    }
    // A slip of the hand: better nothing than half of what was meant. What an interrupted run has done
    // already is none.
    for (replacement, is_done) in replacer.not_found() {
        let what = format!("no image has {}", describe(replacement));
        if !is_done {
            let error = Error::new(ErrorKind::Value(what)).in_file(checkpoint.name());
            return Err(error.with_hint("nothing was changed"));
        }
        let name = printable(checkpoint.name());
        caution(&format!("{name}: {what}: its replacement is there already"));
    }
    for (path, _) in &outputs {
        args.backup.keep(path)?;
    }
    for (_, output) in outputs {
        output.commit()?;
    }
    let answer = Answer { changed, mentioned };
    print(args.json.json.then_some(&answer), || {
        text(&answer, args.dry_run)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The replacements with the host names that were found, where any was wanted: other files may have them.
fn searched(
    replacements: &[Replacement],
    changed: &BTreeMap<String, Vec<Changed>>,
) -> Vec<Replacement> {
    let mut all = replacements.to_vec();
    for replacement in replacements {
        let Replacement::Hostname { old: None, new } = replacement else {
            continue;
        };
        let names = changed
            .iter()
            .filter(|(image, _)| image.starts_with("utsns-"));
        let names = names.flat_map(|(_, changed)| changed);
        all.extend(names.filter_map(|change| {
            Some(Replacement::Hostname {
                old: Some(change.before.as_str()?.to_owned()),
                new: new.clone(),
            })
        }));
    }
    all
}

/// An image of the checkpoint, or the tarball of a tmpfs.
struct Image<'a> {
    path: &'a Path,
    label: &'a str,
    tarball: Option<Tarball<'a>>,
}

impl Image<'_> {
    fn open(&self) -> Result<File> {
        File::open(self.path).map_err(Error::from)
    }

    /// Writes the image with everything replaced beside it, unless it has nothing of it.
    fn replace(
        &self,
        checkpoint: &Checkpoint,
        replacer: &mut Replacer,
        dry_run: bool,
    ) -> Result<(Replaced, Option<Output>)> {
        let is_concerned = match &self.tarball {
            Some(_) => replacer.concerns_tarballs(),
            None => is_concerned(replacer, checkpoint, self.label, self.open()?)?,
        };
        if !is_concerned {
            return Ok((Replaced::default(), None));
        }
        let mut output = match dry_run {
            true => None,
            false => Some(Output::open_inside(self.path)?),
        };
        let mut sink = std::io::sink();
        let out: &mut dyn std::io::Write = match &mut output {
            Some(output) => output,
            None => &mut sink,
        };
        let mut out = BufWriter::with_capacity(64 << 10, out);
        let replaced = match &self.tarball {
            Some(tarball) => tarball.apply(replacer, self.open()?, &mut out)?,
            None => replacer.apply(checkpoint.schema(), self.label, self.open()?, &mut out)?,
        };
        out.flush().map_err(Error::writing)?;
        drop(out);
        Ok((replaced, output))
    }
}

/// Lets as many files be open as may be.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it may not be raised, there are as many as there were.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// The name of a file in its directory.
fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns true if an image has anything that may be replaced; a file that is no image has not.
fn is_concerned(
    replacer: &Replacer,
    checkpoint: &Checkpoint,
    name: &str,
    file: File,
) -> Result<bool> {
    match replacer.concerns(checkpoint.schema(), name, file) {
        Err(error) if error.kind().is_of_no_messages(name) => Ok(false),
        // CRIU reads no image of an unknown name.
        Err(error)
            if checkpoint
                .schema()
                .kinds()
                .by_file_name(base_name(name))
                .is_none() =>
        {
            caution(&format!(
                "{}: not searched: {}",
                printable(name),
                error.kind()
            ));
            Ok(false)
        }
        concerned => concerned,
    }
}

impl Replace {
    fn replacements(&self) -> Result<Vec<Replacement>> {
        let mut all = Vec::new();
        for text in &self.ip {
            let (old, new) = pair(text)?;
            all.push(Replacement::Address {
                old: address(&old)?,
                new: address(&new)?,
            });
        }
        for text in &self.path {
            let (old, new) = pair(text)?;
            all.push(Replacement::Path { old, new });
        }
        for text in &self.hostname {
            let (old, new) = match text.split_once('=') {
                Some((old, new)) => (Some(old.to_owned()), new),
                None => (None, text.as_str()),
            };
            let new = new.to_owned();
            all.push(Replacement::Hostname { old, new });
        }
        for text in &self.comm {
            let (old, new) = pair(text)?;
            all.push(Replacement::Comm { old, new });
        }
        for text in &self.cgroup {
            let (old, new) = pair(text)?;
            all.push(Replacement::Cgroup { old, new });
        }
        for text in &self.uid {
            let (old, new) = ids(text)?;
            all.push(Replacement::Uid { old, new });
        }
        for text in &self.gid {
            let (old, new) = ids(text)?;
            all.push(Replacement::Gid { old, new });
        }
        if all.is_empty() {
            let what = "nothing to replace is given".to_owned();
            let hint = "--ip, --path, --hostname, --comm, --cgroup, --uid, --gid";
            return Err(Error::new(ErrorKind::Value(what)).with_hint(hint));
        }
        Ok(all)
    }
}

/// Old and new. An `=` in the old one has a backslash in front.
fn pair(text: &str) -> Result<(String, String)> {
    let mut old = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '=' => return Ok((old, rest.as_str().to_owned())),
            '\\' if rest.as_str().starts_with('=') => old.extend(rest.next()),
            c => old.push(c),
        }
    }
    let error = Error::new(ErrorKind::Value(format!("`{text}` replaces nothing")));
    Err(error.with_hint("OLD=NEW; an `=` in OLD is written `\\=`"))
}

fn address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| {
        let what = format!("`{text}` is no IP address");
        Error::new(ErrorKind::Value(what))
    })
}

fn ids(text: &str) -> Result<(u32, u32)> {
    let (old, new) = pair(text)?;
    let id = |text: &str| {
        let number = written_number(text).map_err(|what| Error::new(ErrorKind::Value(what)))?;
        u32::try_from(number).map_err(|_| {
            let what = format!("`{text}` is not a user or group id");
            Error::new(ErrorKind::Value(what))
        })
    };
    Ok((id(&old)?, id(&new)?))
}

fn describe(replacement: &Replacement) -> String {
    match replacement {
        Replacement::Address { old, .. } => format!("the address {old}"),
        Replacement::Path { old, .. } => format!("the path {old}, or below it"),
        Replacement::Hostname { old: Some(old), .. } => format!("the host name {old}"),
        Replacement::Hostname { new, .. } => format!("a host name other than {new}"),
        Replacement::Comm { old, .. } => format!("the command name {old}"),
        Replacement::Cgroup { old, .. } => format!("the cgroup {old}, or below it"),
        Replacement::Uid { old, .. } => format!("the user {old}"),
        Replacement::Gid { old, .. } => format!("the group {old}"),
    }
}

fn text(answer: &Answer, dry_run: bool) -> String {
    let would = if dry_run { "would change: " } else { "" };
    let mut text = String::new();
    for (image, changed) in &answer.changed {
        for line in differences(changed).lines() {
            let _ = writeln!(text, "{would}{}: {line}", printable(image));
        }
    }
    text
}
