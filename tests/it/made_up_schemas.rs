//! Schemas that no CRIU has, with every type, label, map, oneof and group that protobuf has.

use std::panic::{AssertUnwindSafe, catch_unwind};

use criu_images::Schema;

use super::support::fresh_dir;
use super::support::properties;
use super::support::random_schema::RandomSchema;

#[test]
fn images_of_made_up_schemas_with_every_type_of_field_come_back_from_json() {
    for seed in 0..300 {
        let (mut made, text) = RandomSchema::new(seed);
        let dir = fresh_dir();
        std::fs::write(dir.path().join("pstree.proto"), &text).unwrap();
        let schema = Schema::open(dir.path()).unwrap_or_else(|e| panic!("{seed}: {e}\n{text}"));
        for turn in 0..40 {
            let image = made.image();
            let holds = catch_unwind(AssertUnwindSafe(|| {
                properties::image(&schema, &image);
            }));
            assert!(
                holds.is_ok(),
                "schema {seed}, image {turn}: {image:02x?}\n{text}"
            );
        }
    }
}
