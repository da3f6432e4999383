//! A graph as arcs: nodes one below the other, in the order of the process tree, and an arc for each
//! two that are connected. It stays readable where a free layout is a tangle, and is the same on every run.
//! What more than two have ends of is a node of its own, with an arc to each of them.

use std::collections::{BTreeMap, BTreeSet};

use super::connections::{Connection, End, Kind};
use super::html::{Html, short};

/// As many processes are drawn; of what they share, and of what is outside, half of it each.
const NODES: usize = 150;
/// As many connections are named in the table.
const ROWS: usize = 200;
/// As many processes of a row of it.
const HOLDERS: usize = 20;
/// The height of a line.
const LINE: f64 = 20.0;
/// Where the arcs begin.
const LEFT: f64 = 330.0;
/// As many characters of a name fit before them.
const LABEL: usize = 40;

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Kind::Pipe => "pipe",
            Kind::Fifo => "fifo",
            Kind::Unix => "unix",
            Kind::Inet => "tcp",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Pipe => "pipe",
            Kind::Fifo => "FIFO",
            Kind::Unix => "unix socket",
            Kind::Inet => "TCP or UDP",
        }
    }
}

/// A line of the drawing, in this order from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node<'c> {
    /// A process, by its place in the tree.
    Process(usize, u32),
    /// Connections by one kind that the same more than two have ends of.
    Shared(Kind, &'c BTreeSet<End>),
    /// What is not in the checkpoint.
    Outside(&'c str),
}

/// The lines of the drawing, and between which of them are how many connections.
struct Graph<'c> {
    /// From top to bottom, each with the connections that it stands for.
    nodes: Vec<(Node<'c>, u64)>,
    arcs: BTreeMap<(u32, u32, Kind), u64>,
    left_out: usize,
}

impl<'c> Graph<'c> {
    fn of(connections: &'c [Connection], order: &[u32]) -> Self {
        let places: BTreeMap<u32, usize> = order.iter().copied().zip(0..).collect();
        let node = |end: &'c End| match end {
            End::Process(pid) => {
                Node::Process(places.get(pid).copied().unwrap_or(usize::MAX), *pid)
            }
            End::Outside(name) => Node::Outside(name),
        };
        let mut shared: BTreeMap<(Kind, &BTreeSet<End>), u64> = BTreeMap::new();
        for connection in connections {
            *shared
                .entry((connection.kind, &connection.ends))
                .or_default() += 1;
        }
        let mut all: BTreeMap<Node<'_>, u64> = BTreeMap::new();
        for ((kind, ends), count) in &shared {
            all.extend(ends.iter().map(|end| (node(end), 0)));
            if ends.len() > 2 {
                all.insert(Node::Shared(*kind, ends), *count);
            }
        }
        let (mut processes, mut hubs, mut outside) = (0, 0, 0);
        let count = all.len();
        let nodes: Vec<_> = all
            .into_iter()
            .filter(|(node, _)| {
                let (drawn, most) = match node {
                    Node::Process(..) => (&mut processes, NODES),
                    Node::Shared(..) => (&mut hubs, NODES / 2),
                    Node::Outside(_) => (&mut outside, NODES / 2),
                };
                *drawn += 1;
                *drawn <= most
            })
            .collect();
        let lines: BTreeMap<&Node<'_>, u32> = nodes.iter().map(|(node, _)| node).zip(0..).collect();
        let mut arcs = BTreeMap::new();
        for ((kind, ends), count) in &shared {
            let mut arc = |a: &Node<'_>, b: &Node<'_>| {
                if let (Some(a), Some(b)) = (lines.get(a), lines.get(b)) {
                    *arcs.entry((*a.min(b), *a.max(b), *kind)).or_default() += count;
                }
            };
            if ends.len() > 2 {
                let hub = Node::Shared(*kind, ends);
                ends.iter().for_each(|end| arc(&hub, &node(end)));
            } else if let (Some(a), Some(b)) = (ends.first(), ends.last()) {
                // With itself, if it has both ends.
                arc(&node(a), &node(b));
            }
        }
        Graph {
            left_out: count - nodes.len(),
            nodes,
            arcs,
        }
    }

    fn draw(&self, page: &mut Html, name: &impl Fn(u32) -> String) {
        page.raw("<svg class=graph role=img viewBox=\"0 0 900 ");
        page.number(self.nodes.len() as u64 * 20 + 10).raw("\">\n");
        for ((node, count), line) in self.nodes.iter().zip(0u32..) {
            let y = middle(line);
            page.raw("<text text-anchor=end x=")
                .length(LEFT - 12.0)
                .raw(" y=")
                .length(y + 4.0);
            match node {
                Node::Process(_, pid) => page.raw(">").text(&short(&name(*pid), LABEL)),
                Node::Shared(kind, ends) => {
                    page.raw(" class=quiet>").number(*count).raw(" by ");
                    page.raw(kind.name()).raw(", shared by ");
                    let is_process = |end: &&End| matches!(end, End::Process(_));
                    page.number(ends.iter().filter(is_process).count() as u64)
                }
                Node::Outside(name) => page.raw(" class=quiet>").text(&short(name, LABEL)),
            };
            let class = match node {
                Node::Shared(kind, _) => kind.class(),
                Node::Process(..) | Node::Outside(_) => "other",
            };
            page.raw("</text><circle class=\"dot ")
                .raw(class)
                .raw("\" r=3 cx=");
            page.length(LEFT - 4.0).raw(" cy=").length(y).raw(" />\n");
        }
        for ((a, b, kind), count) in &self.arcs {
            arc(page, *a, *b, *kind, *count);
        }
        page.raw("</svg>\n");
        page.left_out(self.left_out, "processes and peers");
    }
}

/// Draws the connections, and lists them.
pub(super) fn draw(
    page: &mut Html,
    connections: &[Connection],
    order: &[u32],
    name: impl Fn(u32) -> String,
) {
    page.raw("<p class=key>");
    for kind in [Kind::Pipe, Kind::Fifo, Kind::Unix, Kind::Inet] {
        page.raw("<span><svg viewBox=\"0 0 10 10\"><rect width=10 height=10 class=\"dot ");
        page.raw(kind.class())
            .raw("\" /></svg>")
            .raw(kind.name())
            .raw("</span>");
    }
    page.raw("</p>\n");
    Graph::of(connections, order).draw(page, &name);
    page.raw("<details><summary>Pipes and connections: ");
    page.number(connections.len() as u64).raw("</summary>\n");
    page.table(&["By", "What", "Processes", "Outside"]);
    for connection in connections.iter().take(ROWS) {
        let (mut processes, mut outside) = (Vec::new(), Vec::new());
        for end in &connection.ends {
            match end {
                End::Process(_) if processes.len() == HOLDERS => (),
                End::Process(pid) => processes.push(name(*pid)),
                End::Outside(name) => outside.push(name.clone()),
            }
        }
        let more = connection.ends.len() - processes.len() - outside.len();
        if more > 0 {
            processes.push(format!("and {more} more"));
        }
        page.raw("<tr><td>")
            .raw(connection.kind.name())
            .raw("</td>")
            .cell(&connection.what);
        page.cell(&processes.join(", "))
            .cell(&outside.join(", "))
            .raw("</tr>\n");
    }
    page.end_table();
    page.left_out(connections.len().saturating_sub(ROWS), "connections");
    page.raw("</details>\n");
}

fn middle(line: u32) -> f64 {
    f64::from(line) * LINE + 13.0
}

/// An arc on the right of the nodes, the further out the further apart they are; a loop for a process
/// that is connected with itself.
fn arc(page: &mut Html, a: u32, b: u32, kind: Kind, count: u64) {
    let (from, to, reach) = if a == b {
        (middle(a) - 5.0, middle(b) + 5.0, 26.0)
    } else {
        let reach = (f64::from(b - a) * LINE * 0.55).clamp(26.0, 540.0);
        (middle(a), middle(b), reach)
    };
    // Kinds stand apart where the same two have several.
    let out = LEFT + reach + f64::from(kind as u8) * 5.0;
    page.raw("<path class=\"edge ").raw(kind.class());
    page.raw("\" d=\"M").length(LEFT).raw(" ").length(from);
    page.raw(" C").length(out).raw(" ").length(from);
    page.raw(" ").length(out).raw(" ").length(to);
    page.raw(" ").length(LEFT).raw(" ").length(to);
    page.raw("\"><title>").number(count).raw(" by ");
    page.raw(kind.name()).raw("</title></path>\n");
}
