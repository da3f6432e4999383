//! Whole runs of the command on small images: how long until it has answered.

#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs)]

use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};

fn start(c: &mut Criterion) {
    let mut group = c.benchmark_group("whole run");
    for words in [
        "decode -i tests/images/simple/pstree.img",
        "decode -i tests/images/simple/core-100.img",
        "decode -i tests/images/full-ns/files.img",
        "info tests/images/simple/pstree.img",
        "x tests/images/simple ps",
        "--version",
    ] {
        group.bench_function(words, |b| {
            b.iter(|| {
                let mut crit = Command::new(env!("CARGO_BIN_EXE_crit"));
                let run = crit.args(words.split(' ')).stdout(Stdio::null());
                assert!(run.status().unwrap().success());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, start);
criterion_main!(benches);
