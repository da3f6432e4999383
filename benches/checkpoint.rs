//! Questions to a whole checkpoint: what `crit x` and `crit mem` ask.

#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::unwrap_used,
    missing_docs
)]

#[path = "support/big.rs"]
mod big;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use criu_images::explore::ProcessOptions;
use criu_images::memory::{Pattern, Selection};
use criu_images::{Checkpoint, Explorer, Schema};

/// A real dump of a dozen processes in namespaces of their own.
const REAL: &str = "tests/images/full-ns";

fn explore(c: &mut Criterion) {
    let mut group = c.benchmark_group("x");
    let schema = Schema::bundled().unwrap();
    let checkpoint = || Checkpoint::open_with(&schema, REAL).unwrap();
    group.bench_function("ps", |b| {
        b.iter(|| {
            let checkpoint = checkpoint();
            Explorer::new(&checkpoint)
                .ps(&ProcessOptions::default())
                .unwrap()
        });
    });
    group.bench_function("fds", |b| {
        b.iter(|| Explorer::new(&checkpoint()).fds().unwrap());
    });
    group.bench_function("mems", |b| {
        b.iter(|| Explorer::new(&checkpoint()).mems().unwrap());
    });
    group.bench_function("check", |b| {
        b.iter(|| criu_images::check::check(&checkpoint()));
    });
    group.finish();
}

fn search(c: &mut Criterion) {
    const BYTES: u64 = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    big::memory(BYTES, folder.path()).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let memory = checkpoint.memory(1).unwrap();
    let mut group = c.benchmark_group("memory");
    group.throughput(Throughput::Bytes(BYTES));
    group.sample_size(10);
    for (name, pattern) in [
        ("search bytes", Pattern::bytes("needle").unwrap()),
        ("search regex", Pattern::regex("ne+dle [0-9]+").unwrap()),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut hits = 0;
                let everywhere = Selection::default();
                memory
                    .search(&pattern, &everywhere, &mut |_| (), &mut |_| {
                        hits += 1;
                        Ok(())
                    })
                    .unwrap();
                assert_eq!(black_box(hits), 1);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, explore, search);
criterion_main!(benches);
