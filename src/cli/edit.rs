//! `crit edit`: an image as pretty JSON in an editor.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args as ClapArgs;
use tempfile::NamedTempFile;

use super::backup::Backup;
use super::messages::{caution, say};
use super::options::SchemaArgs;
use super::output::Output;
use super::progress::Progress;
use super::source;
use crate::edit::{self, Implausible};
use crate::error::{Error, ErrorKind, Result};
use crate::image::ImageReader;
use crate::json::{DecodeOptions, EncodeOptions, decode, encode};
use crate::render::printable;
use crate::schema::Schema;

/// Lines in front of the text that begin with this are ours.
const REMARK: &str = "# ";

#[derive(Debug, ClapArgs)]
pub(super) struct Edit {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    #[command(flatten)]
    backup: Backup,
}

pub(super) fn run(args: &Edit, source: &SchemaArgs) -> Result<ExitCode> {
    let schema = source::schema(source)?;
    let label = args.image.display().to_string();
    let image = File::open(&args.image).map_err(|e| Error::from(e).in_file(&label))?;
    let mut reader = ImageReader::named(&schema, image, &label)?;
    let mut text = Vec::new();
    let progress = Progress::waiting("reading the image");
    decode(
        &mut reader,
        &mut text,
        &DecodeOptions::default().pretty(true),
    )?;
    drop(progress);
    text.push(b'\n');
    let original = text.clone();
    let mut remarks = Vec::new();
    loop {
        let edited = in_editor(&args.image, &[remarks.as_slice(), text.as_slice()].concat())?;
        let edited = without_remarks(&edited);
        if edited == original {
            say("crit: nothing was changed");
            return Ok(ExitCode::SUCCESS);
        }
        let error = match write(args, &schema, edited) {
            Ok(()) => return Ok(ExitCode::SUCCESS),
            Err(error) if error.is_write() => return Err(keep(edited, error)),
            Err(error) => error,
        };
        // Closing the editor without a further change is how one gives up.
        if edited == text {
            return Err(keep(edited, error));
        }
        remarks = remarks_about(&error);
        text = edited.to_vec();
    }
}

/// Makes an image of the text, and puts it in place of the other.
fn write(args: &Edit, schema: &Schema, text: &[u8]) -> Result<()> {
    let _progress = Progress::waiting("writing the image");
    let mut output = Output::open(Some(&args.image))?;
    encode(
        schema,
        text,
        &mut output,
        &EncodeOptions::default().written(true),
    )?;
    let before = implausible(schema, &args.image)?;
    args.backup.keep(&args.image)?;
    output.commit()?;
    // Only the person who typed it knows whether it was meant.
    for (entry, wrong) in implausible(schema, &args.image)? {
        if !before.iter().any(|(_, known)| *known == wrong) {
            let name = printable(&args.image.display().to_string());
            let field = printable(&wrong.field);
            caution(&format!(
                "{name}: entry {entry}, field {field}: {}",
                wrong.reason
            ));
        }
    }
    Ok(())
}

/// The values of an image that cannot be right.
fn implausible(schema: &Schema, image: &Path) -> Result<Vec<(u64, Implausible)>> {
    let label = image.display().to_string();
    let file = File::open(image).map_err(|error| Error::from(error).in_file(&label))?;
    edit::implausible(schema, file).map_err(|error| error.in_file(label))
}

/// Lets people edit a text, in the program that `VISUAL` or `EDITOR` names.
fn in_editor(image: &Path, text: &[u8]) -> Result<Vec<u8>> {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let suffix = format!("-{name}.json");
    let mut file = tempfile::Builder::new()
        .prefix("crit-")
        .suffix(&suffix)
        .tempfile()
        .map_err(Error::temporary)?;
    file.write_all(text)
        .and_then(|()| file.flush())
        .map_err(Error::temporary)?;
    let named = ["VISUAL", "EDITOR"].iter().find_map(std::env::var_os);
    let editor = named.unwrap_or_else(|| "vi".into());
    // It may have options, as in `code --wait`: the shell takes it apart, as git does it.
    let mut command = Command::new("sh");
    command.arg("-c").arg({
        let mut script = editor.clone();
        script.push(" \"$@\"");
        script
    });
    let status = command.arg(&editor).arg(file.path()).status();
    let status = status.map_err(|error| Error::from(error).in_file("sh"))?;
    if !status.success() {
        let what = format!(
            "the editor {} failed: nothing was changed",
            editor.display()
        );
        return Err(Error::new(ErrorKind::Value(what)));
    }
    read_back(file)
}

/// What is in the file now. Editors may have put another file in its place.
fn read_back(file: NamedTempFile) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(file.path())
        .and_then(|mut file| file.read_to_end(&mut text))
        .map_err(Error::temporary)?;
    Ok(text)
}

/// What is wrong, as lines in front of the text; the line in question is counted with them.
fn remarks_about(error: &Error) -> Vec<u8> {
    let mut lines = vec![error.to_string().replace('\n', " ")];
    lines.extend(error.hint().map(|hint| format!("hint: {hint}")));
    lines.push("Mend it and save; save it as it is to give up.".to_owned());
    if let Some((line, column)) = error.location().line {
        let shown = format!("line {} column {column}", line + lines.len() as u64);
        if let Some(first) = lines.first_mut() {
            *first = first.replace(&format!("line {line} column {column}"), &shown);
        }
    }
    let lines = lines.iter().map(|line| format!("{REMARK}{line}\n"));
    lines.collect::<String>().into_bytes()
}

fn without_remarks(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while rest.starts_with(REMARK.as_bytes()) {
        let end = rest.iter().position(|byte| *byte == b'\n');
        rest = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default();
    }
    rest
}

/// Keeps what was typed: it is lost work otherwise.
fn keep(text: &[u8], error: Error) -> Error {
    let kept = tempfile::Builder::new()
        .prefix("crit-edit-")
        .suffix(".json")
        .tempfile()
        .and_then(|mut file| {
            file.write_all(text)?;
            file.keep().map_err(|error| error.error)
        });
    if let Ok((_, path)) = kept {
        say(&format!("crit: what was typed is in {}", path.display()));
    }
    error
}
