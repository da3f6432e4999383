//! The credentials of every thread.

use std::borrow::Cow;

use serde::Serialize;

use super::{Explorer, names};
use crate::error::Result;
use crate::message::Record;
use crate::text::Text;

/// The credentials of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ThreadCredentials {
    /// The task.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// Its credentials.
    #[serde(flatten)]
    pub creds: Credentials,
}

/// Who a thread is, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Credentials {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The effective user.
    pub euid: u32,
    /// The effective group.
    pub egid: u32,
    /// The saved user.
    pub suid: u32,
    /// The saved group.
    pub sgid: u32,
    /// The user for access to files.
    pub fsuid: u32,
    /// The group for access to files.
    pub fsgid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
    /// Capabilities that programs may inherit.
    pub cap_inh: Vec<String>,
    /// Capabilities that may be used.
    pub cap_prm: Vec<String>,
    /// Capabilities in effect.
    pub cap_eff: Vec<String>,
    /// Capabilities that can still be gained.
    pub cap_bnd: Vec<String>,
    /// Capabilities that programs without any of their own get.
    pub cap_amb: Vec<String>,
    /// Secure bits by name.
    pub securebits: Vec<String>,
    /// Whether no program gains privileges.
    pub no_new_privs: bool,
    /// The seccomp mode: `disabled`, `strict`, `filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<String>,
    /// Which filter of `seccomp.img`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp_filter: Option<u32>,
    /// The profile or context of the security module (AppArmor, SELinux).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsm_profile: Option<Text>,
    /// What sockets are labelled with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsm_sockcreate: Option<Text>,
}

impl Explorer<'_> {
    /// The credentials of every thread.
    ///
    /// # Errors
    ///
    /// There is no task.
    pub fn creds(&self) -> Result<Vec<ThreadCredentials>> {
        let mut all = Vec::new();
        for task in self.living("credentials")? {
            for tid in &task.threads {
                let found = self.thread_creds(*tid);
                if found.is_none() {
                    let what = format!("the credentials of thread {tid} are unknown");
                    self.gap(&format!("core-{tid}.img"), what);
                }
                all.extend(found.map(|creds| ThreadCredentials {
                    pid: task.pid,
                    tid: *tid,
                    creds,
                }));
            }
        }
        Ok(all)
    }

    fn thread_creds(&self, tid: u32) -> Option<Credentials> {
        let core = self.first(&format!("core-{tid}.img"));
        let core = core.as_ref().map(|core| core.record());
        let thread = core.and_then(|core| core.record("thread_core"));
        let tc = core.and_then(|core| core.record("tc"));
        let seccomp = thread
            .and_then(|thread| thread.enum_name("seccomp_mode"))
            .or_else(|| tc.and_then(|tc| tc.enum_name("old_seccomp_mode")))
            .map(Cow::into_owned);
        let filter = thread
            .and_then(|thread| thread.word("seccomp_filter"))
            .or_else(|| tc.and_then(|tc| tc.word("old_seccomp_filter")));
        if let Some(creds) = thread.and_then(|thread| thread.record("creds")) {
            return Some(credentials(creds, seccomp, filter));
        }
        // Before CRIU 2.0 they had an image of their own, one for each task.
        let own = self.first(&format!("creds-{tid}.img"))?;
        Some(credentials(own.record(), seccomp, filter))
    }
}

fn credentials(record: Record<'_>, seccomp: Option<String>, filter: Option<u32>) -> Credentials {
    let id = |name: &str| record.word(name).unwrap_or(0);
    let capabilities = |name: &str| {
        let words = record.words(name);
        let low = words.first().copied().unwrap_or(0);
        let high = words.get(1).copied().unwrap_or(0);
        names::flags("capability", u64::from(high) << 32 | u64::from(low))
    };
    Credentials {
        uid: id("uid"),
        gid: id("gid"),
        euid: id("euid"),
        egid: id("egid"),
        suid: id("suid"),
        sgid: id("sgid"),
        fsuid: id("fsuid"),
        fsgid: id("fsgid"),
        groups: record.words("groups"),
        cap_inh: capabilities("cap_inh"),
        cap_prm: capabilities("cap_prm"),
        cap_eff: capabilities("cap_eff"),
        cap_bnd: capabilities("cap_bnd"),
        cap_amb: capabilities("cap_amb"),
        securebits: names::flags("securebits", record.number("secbits").unwrap_or(0)),
        no_new_privs: record.is("no_new_privs"),
        seccomp_filter: filter.filter(|_| seccomp.as_deref() == Some("filter")),
        seccomp,
        lsm_profile: record.text("lsm_profile"),
        lsm_sockcreate: record.text("lsm_sockcreate"),
    }
}
