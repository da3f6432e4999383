//! Compiling CRIU 4.2's schema: what each image kind costs before its first entry is read.

#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use criu_images::Schema;

fn compile(c: &mut Criterion) {
    let names: Vec<String> = {
        let schema = Schema::open("schemas").unwrap();
        let kinds = schema.kinds().iter();
        kinds
            .filter(|kind| matches!(schema.message_of(kind), Ok(Some(_))))
            .map(|kind| kind.name.clone())
            .collect()
    };
    let mut group = c.benchmark_group("compile");
    // A schema keeps what it compiled: each turn opens a new one, which looks the files up in their
    // folder. That alone is "no message"; the command has the same text in itself.
    group.bench_function("no message", |b| {
        b.iter(|| Schema::open("schemas").unwrap());
    });
    for name in names {
        group.bench_function(&name, |b| {
            b.iter(|| {
                let schema = Schema::open("schemas").unwrap();
                let kind = schema.kind(&name).unwrap();
                black_box(schema.message_of(&kind).unwrap())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, compile);
criterion_main!(benches);
