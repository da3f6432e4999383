//! The `crit` command: see `crit --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    criu_images::cli::run()
}
