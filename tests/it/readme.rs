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

/// What a fresh machine may lack; a recipe that needs it is tried where it is.
const OPTIONAL: &[&str] = &["gdb"];

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// The commands of the `sh` blocks, without the comments behind them.
fn plain_commands(readme: &str) -> Vec<&str> {
    let blocks = readme.split("```sh\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines);
    lines
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
        .collect()
}

#[test]
fn every_command_in_the_readme_prints_what_it_shows() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(repository.join("README.md")).unwrap();
    let examples = examples(&readme);
    assert!(examples.len() > 10);
    // The commands write files: they run in a directory of their own, which is home to them.
    let dir = super::support::fresh_dir();
    std::os::unix::fs::symlink(repository.join("tests"), dir.path().join("tests")).unwrap();
    let folder = Path::new(env!("CARGO_BIN_EXE_crit")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    for Example { command, output } in examples {
        let program = command.split(' ').next().unwrap();
        if OPTIONAL.contains(&program) && !is_installed(program) {
            eprintln!("skipped: {program} is not installed: {command}");
            continue;
        }
        let run = Command::new("sh")
            .args(["-c", &format!("{command} 2>&1")])
            .current_dir(dir.path())
            .env("HOME", dir.path())
            .env("PATH", format!("{}:{path}", folder.display()))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&run.stdout), output, "{command}");
    }
}

#[test]
fn the_two_commands_for_a_fresh_machine_are_a_run_of_crit_and_the_tests() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(repository.join("README.md")).unwrap();
    let [run, test] = plain_commands(&readme)[..] else {
        panic!("the README shows more commands without what they print");
    };
    assert_eq!(test, "cargo test");
    // What builds it is the build that this test is of.
    let arguments = run.strip_prefix("cargo run --release -- ").unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_crit"))
        .args(arguments.split(' '))
        .current_dir(repository)
        .output()
        .unwrap();
    assert!(run.status.success());
    let shown = String::from_utf8_lossy(&run.stdout);
    assert!(shown.starts_with("{\n    \"magic\": \"PSTREE\""), "{shown}");
}
