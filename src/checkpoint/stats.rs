//! The statistics of a dump and of a restore (CRIU's `criu/stats.c` writes them).

use std::time::Duration;

use serde::Serialize;

use super::Checkpoint;
use crate::error::Result;
use crate::message::Record;

/// The statistics in a checkpoint: of the dump (`stats-dump`), and of a restore (`stats-restore`)
/// when one was made from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[non_exhaustive]
pub struct Stats {
    /// What the dump took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump: Option<DumpStats>,
    /// What the restore took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreStats>,
}

/// What a dump (or pre-dump) took. Times are in microseconds.
///
/// Every CRIU writes the fields that are plain numbers; one that is missing all the same is 0, and
/// named in `missing`. The others came with later versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[non_exhaustive]
pub struct DumpStats {
    /// How long it took until all tasks stood still.
    pub freezing_time: u64,
    /// How long the tasks then stood still.
    pub frozen_time: u64,
    /// How long the memory took to be read.
    pub memdump_time: u64,
    /// How long the memory took to be written.
    pub memwrite_time: u64,
    /// Pages that were looked at.
    pub pages_scanned: u64,
    /// Pages that were left out because the parent has them.
    pub pages_skipped_parent: u64,
    /// Pages that were written.
    pub pages_written: u64,
    /// How long the paths of watched inodes took to be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irmap_resolve: Option<u64>,
    /// Pages that were kept for the lazy server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages_lazy: Option<u64>,
    /// Pipes that carried pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_pipes: Option<u64>,
    /// Buffers of these pipes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_pipe_bufs: Option<u64>,
    /// Pages of shared memory that were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shpages_scanned: Option<u64>,
    /// Pages of shared memory that were left out because the parent has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shpages_skipped_parent: Option<u64>,
    /// Pages of shared memory that were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shpages_written: Option<u64>,
    /// Fields that every CRIU writes and that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<&'static str>,
}

/// What a restore took. Times are in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[non_exhaustive]
pub struct RestoreStats {
    /// Pages that were compared with those that a parent task shares (copy on write).
    pub pages_compared: u64,
    /// Pages that needed no copy since they were the same.
    pub pages_skipped_cow: u64,
    /// How long the tasks took to be made.
    pub forking_time: u64,
    /// How long the whole restore took.
    pub restore_time: u64,
    /// Pages that were put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages_restored: Option<u64>,
    /// Fields that every CRIU writes and that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<&'static str>,
}

impl DumpStats {
    /// How long the processes stood still, at the most: from the first that was stopped until they
    /// went on, or were gone.
    #[must_use]
    pub fn downtime(&self) -> Duration {
        Duration::from_micros(self.freezing_time.saturating_add(self.frozen_time))
    }
}

/// Takes numbers out of a message, and notes which are missing.
struct Numbers<'a> {
    record: Record<'a>,
    missing: Vec<&'static str>,
}

impl Numbers<'_> {
    fn take(&mut self, name: &'static str) -> u64 {
        self.record.number(name).unwrap_or_else(|| {
            self.missing.push(name);
            0
        })
    }
}

impl DumpStats {
    fn of(record: Record<'_>) -> Self {
        let missing = Vec::new();
        let mut always = Numbers { record, missing };
        DumpStats {
            freezing_time: always.take("freezing_time"),
            frozen_time: always.take("frozen_time"),
            memdump_time: always.take("memdump_time"),
            memwrite_time: always.take("memwrite_time"),
            pages_scanned: always.take("pages_scanned"),
            pages_skipped_parent: always.take("pages_skipped_parent"),
            pages_written: always.take("pages_written"),
            irmap_resolve: record.number("irmap_resolve"),
            pages_lazy: record.number("pages_lazy"),
            page_pipes: record.number("page_pipes"),
            page_pipe_bufs: record.number("page_pipe_bufs"),
            shpages_scanned: record.number("shpages_scanned"),
            shpages_skipped_parent: record.number("shpages_skipped_parent"),
            shpages_written: record.number("shpages_written"),
            missing: always.missing,
        }
    }
}

impl RestoreStats {
    fn of(record: Record<'_>) -> Self {
        let missing = Vec::new();
        let mut always = Numbers { record, missing };
        RestoreStats {
            pages_compared: always.take("pages_compared"),
            pages_skipped_cow: always.take("pages_skipped_cow"),
            forking_time: always.take("forking_time"),
            restore_time: always.take("restore_time"),
            pages_restored: record.number("pages_restored"),
            missing: always.missing,
        }
    }
}

impl Checkpoint {
    /// The statistics of the dump, and of a restore.
    ///
    /// They stand beside the images, or, in the archives that engines make, above them.
    ///
    /// # Errors
    ///
    /// A statistics image is malformed.
    pub fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        if let Some(entry) = self.first_entry_beside("stats-dump")? {
            stats.dump = entry.record().record("dump").map(DumpStats::of);
        }
        if let Some(entry) = self.first_entry_beside("stats-restore")? {
            stats.restore = entry.record().record("restore").map(RestoreStats::of);
        }
        Ok(stats)
    }
}
