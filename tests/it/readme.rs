//! Every command in the README prints what the README shows.

use std::path::Path;
use std::process::Command;

/// A command of a `console` block, and what is shown below it.
struct Example {
    command: String,
    output: String,
}

fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            examples.push(Example {
                command: command.to_owned(),
                output: String::new(),
            });
        } else if let Some(example) = examples.last_mut().filter(|_| inside) {
            example.output.push_str(line);
            example.output.push('\n');
        }
    }
    examples
}

#[test]
fn every_command_in_the_readme_prints_what_it_shows() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(repository.join("README.md")).unwrap();
    let examples = examples(&readme);
    assert!(examples.len() > 10);
    // The commands write files: they run in a directory of their own.
    let dir = super::support::fresh_dir();
    std::os::unix::fs::symlink(repository.join("tests"), dir.path().join("tests")).unwrap();
    let folder = Path::new(env!("CARGO_BIN_EXE_crit")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    for Example { command, output } in examples {
        let run = Command::new("sh")
            .args(["-c", &format!("{command} 2>&1")])
            .current_dir(dir.path())
            .env("PATH", format!("{}:{path}", folder.display()))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&run.stdout), output, "{command}");
    }
}
