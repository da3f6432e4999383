//! Sessions and process groups: whether each task can be put back into its own.
//!
//! A task gets its session when it is forked: its parent's, as that was before or after the parent
//! called `setsid`. CRIU finds out when each must be forked, and makes helper tasks for leaders that are
//! gone (`criu/pstree.c`, `prepare_pstree_ids`; `criu/cr-restore.c`, `restore_sid`, `restore_pgid`). The
//! same steps are taken here.

use std::collections::HashMap;

use super::checker::Checker;
use super::tree::{IMAGE, Member, Tree};

pub(super) fn check(checker: &Checker<'_>, tree: &Tree) {
    let members = tree.members();
    let root = members.iter().position(|member| member.ppid == 0);
    let Some(root) = root else {
        return;
    };
    // Without a sound tree, there is nobody to inherit from.
    if checker.has_error(IMAGE) {
        return;
    }
    let mut forest = Forest::new(members, root);
    shell_job(checker, forest.members, root);
    forest.add_session_helpers(checker);
    if forest.find_births(checker) {
        forest.inherit(checker);
    }
}

/// The init of a pid namespace has no session of outside.
const INIT: u32 = 1;

/// A root that does not lead its session or group was started from a shell.
fn shell_job(checker: &Checker<'_>, members: &[Member], root: usize) {
    let Some(root) = members.get(root).filter(|root| root.pid != INIT) else {
        return;
    };
    for (field, id, what) in [("sid", root.sid, "session"), ("pgid", root.pgid, "group")] {
        if id != root.pid && id != 0 {
            let what =
                format!("the root task does not lead its {what}, {id}: restore needs --shell-job");
            checker.warning("shell-job", IMAGE, (root.entry, field), what);
            return;
        }
    }
}

/// A process that restore forks: a task, or a helper.
struct Node {
    pid: u32,
    sid: u32,
    parent: Option<usize>,
    /// The session that it was born with, where its children need that one.
    born: Option<u32>,
    /// A helper that is connected to the tree after births are looked for.
    is_apart: bool,
    is_helper: bool,
}

struct Forest<'a> {
    members: &'a [Member],
    root: usize,
    /// The tasks in their order, then helpers.
    nodes: Vec<Node>,
    by_pid: HashMap<u32, usize>,
}

impl<'a> Forest<'a> {
    fn new(members: &'a [Member], root: usize) -> Self {
        let by_pid: HashMap<u32, usize> = members
            .iter()
            .enumerate()
            .map(|(index, member)| (member.pid, index))
            .collect();
        let node = |member: &Member| Node {
            pid: member.pid,
            sid: member.sid,
            parent: by_pid.get(&member.ppid).copied(),
            born: None,
            is_apart: false,
            is_helper: false,
        };
        Forest {
            nodes: members.iter().map(node).collect(),
            members,
            root,
            by_pid,
        }
    }

    /// Gives children of the root whose session is another's a helper to inherit it from.
    fn add_session_helpers(&mut self, checker: &Checker<'_>) {
        let root_sid = self.nodes.get(self.root).map_or(0, |root| root.sid);
        let mut helpers: HashMap<u32, usize> = HashMap::new();
        for index in 0..self.members.len() {
            let Some(node) = self.nodes.get(index) else {
                continue;
            };
            let sid = node.sid;
            if node.parent != Some(self.root) || sid == root_sid || sid == node.pid {
                continue;
            }
            if sid == 0 {
                let what = "the session 0 is outside, and the root task has another";
                self.error(checker, "session", index, "sid", what.to_owned());
                continue;
            }
            let leader = self.by_pid.get(&sid).copied();
            let helper = *helpers.entry(sid).or_insert_with(|| {
                self.nodes.push(Node {
                    pid: if leader.is_some() { 0 } else { sid },
                    sid,
                    parent: Some(leader.unwrap_or(self.root)),
                    born: None,
                    is_apart: leader.is_none(),
                    is_helper: true,
                });
                self.nodes.len() - 1
            });
            if let Some(node) = self.nodes.get_mut(index) {
                node.parent = Some(helper);
            }
        }
    }

    /// Finds the tasks that must fork children before they call `setsid`; false if there is no way.
    fn find_births(&mut self, checker: &Checker<'_>) -> bool {
        let mut is_sound = true;
        // What is below a helper that is connected to the tree late is not gone through. Parents stand
        // before their children, except for helpers.
        let mut apart: Vec<bool> = self.nodes.iter().map(|node| node.is_apart).collect();
        for index in 0..self.members.len() {
            let Some(node) = self.nodes.get(index) else {
                continue;
            };
            let (sid, parent) = (node.sid, node.parent);
            let is_apart = parent.and_then(|at| apart.get(at)) == Some(&true);
            if let Some(of_node) = apart.get_mut(index) {
                *of_node = is_apart;
            }
            if parent.is_none() || sid == node.pid || is_apart {
                continue;
            }
            let parent_sid = parent
                .and_then(|at| self.nodes.get(at))
                .map(|node| node.sid);
            if parent_sid == Some(sid) {
                continue;
            }
            let mut at = parent;
            loop {
                let Some(node) = at.and_then(|at| self.nodes.get_mut(at)) else {
                    let what = format!("no task above it leads the session {sid}");
                    self.error(checker, "session-leader", index, "sid", what);
                    is_sound = false;
                    break;
                };
                match node.born {
                    _ if node.pid == sid => break,
                    // The way up from here is known.
                    Some(born) if born == sid => break,
                    Some(born) => {
                        let what = format!(
                            "task {} would have to be born in the session {born} and in {sid}",
                            node.pid
                        );
                        self.error(checker, "session-leader", index, "sid", what);
                        is_sound = false;
                        break;
                    }
                    None => node.born = Some(sid),
                }
                at = node.parent;
            }
        }
        is_sound
    }

    /// Follows sessions and groups from the root down.
    fn inherit(&self, checker: &Checker<'_>) {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(of_parent) = node.parent.and_then(|parent| children.get_mut(parent)) {
                of_parent.push(index);
            }
        }
        let Some(root) = self.nodes.get(self.root) else {
            return;
        };
        // Outside of a pid namespace the root's session is that of CRIU, or with --shell-job becomes it.
        let outside = if root.pid == INIT { 0 } else { root.sid };
        let mut sessions: Vec<Option<Session>> = vec![None; self.nodes.len()];
        let mut todo = vec![(self.root, outside, None)];
        while let Some((index, born_in, group)) = todo.pop() {
            let Some(node) = self.nodes.get(index) else {
                continue;
            };
            let session = if node.pid == node.sid {
                Session {
                    sid: node.pid,
                    group: Some(node.pid),
                }
            } else {
                if born_in != node.sid {
                    let what = match self.by_pid.get(&node.sid) {
                        Some(_) => format!(
                            "it can't be in the session {}: it inherits the session {born_in}",
                            node.sid
                        ),
                        None => format!("no task leads the session {}", node.sid),
                    };
                    let of = self.task_of(index, &children);
                    self.error(checker, "session", of, "sid", what);
                }
                Session {
                    sid: born_in,
                    group,
                }
            };
            if let Some(place) = sessions.get_mut(index) {
                *place = Some(session);
            }
            for child in children.get(index).into_iter().flatten() {
                let Some(of_child) = self.nodes.get(*child) else {
                    continue;
                };
                let needed = of_child.born.unwrap_or(of_child.sid);
                // Forked before this one calls setsid, if this one was born with what the child needs.
                todo.push(match node.born == Some(needed) {
                    true => (*child, born_in, group),
                    false => (*child, session.sid, session.group),
                });
            }
        }
        self.groups(checker, &sessions);
    }

    /// Joins each task to its group.
    fn groups(&self, checker: &Checker<'_>, sessions: &[Option<Session>]) {
        let session_of = |index: usize| sessions.get(index).copied().flatten();
        for (index, member) in self.members.iter().enumerate() {
            let Some(session) = session_of(index) else {
                continue;
            };
            let pgid = member.pgid;
            if session.group == Some(pgid) || pgid == 0 && member.pid != member.sid {
                continue;
            }
            if member.pid == member.sid {
                let what = format!("a session leader can't be in another group, {pgid}");
                self.error(checker, "group", index, "pgid", what);
                continue;
            }
            if pgid == member.pid {
                continue;
            }
            let Some(leader) = self.by_pid.get(&pgid).copied() else {
                continue;
            };
            let Some(of_leader) = self.members.get(leader) else {
                continue;
            };
            if of_leader.pgid != pgid {
                let what = format!(
                    "task {pgid} does not lead a group: it is in the group {}",
                    of_leader.pgid
                );
                self.error(checker, "group", index, "pgid", what);
            } else if session_of(leader).is_some_and(|other| other.sid != session.sid) {
                let what = format!("the leader of the group, {pgid}, is in another session");
                self.error(checker, "group", index, "pgid", what);
            }
        }
    }

    /// A task that a finding is about: itself, or of a helper the first that it was made for.
    fn task_of(&self, index: usize, children: &[Vec<usize>]) -> usize {
        match self.nodes.get(index) {
            Some(node) if node.is_helper => {
                let first = children.get(index).and_then(|children| children.first());
                first.copied().unwrap_or(self.root)
            }
            _ => index,
        }
    }

    fn error(
        &self,
        checker: &Checker<'_>,
        rule: &'static str,
        index: usize,
        field: &str,
        what: String,
    ) {
        let Some(member) = self.members.get(index) else {
            return;
        };
        let what = format!("task {}: {what}", member.pid);
        checker.error(rule, IMAGE, (member.entry, field), what);
    }
}

/// The session of a process after its children were forked, and its group until groups are joined.
#[derive(Clone, Copy)]
struct Session {
    sid: u32,
    group: Option<u32>,
}
