//! A graph as arcs: nodes one below the other, in the order of the process tree, and an arc for each
//! two that are connected. It stays readable where a free layout is a tangle, and is the same on every run.

use std::collections::{BTreeMap, BTreeSet};

use super::connections::Node;
use super::html::Html;

/// As many nodes are drawn.
const NODES: usize = 150;
/// As many connections are named in the table.
const ROWS: usize = 200;
/// The height of a line.
const LINE: f64 = 20.0;
/// Where the arcs begin.
const LEFT: f64 = 330.0;

/// What connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Pipe,
    Fifo,
    Unix,
    Tcp,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Kind::Pipe => "pipe",
            Kind::Fifo => "fifo",
            Kind::Unix => "unix",
            Kind::Tcp => "tcp",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Pipe => "pipe",
            Kind::Fifo => "FIFO",
            Kind::Unix => "unix socket",
            Kind::Tcp => "TCP or UDP",
        }
    }
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) a: Node,
    pub(super) b: Node,
    pub(super) kind: Kind,
    pub(super) what: String,
}

impl Edge {
    /// Between two processes; seen from either side it is the same.
    pub(super) fn between(a: u32, b: u32, kind: Kind, what: String) -> Self {
        Edge {
            a: Node::Process(a.min(b)),
            b: Node::Process(a.max(b)),
            kind,
            what,
        }
    }
}

/// Draws the graph, and lists what is in it.
pub(super) fn draw(
    page: &mut Html,
    edges: &BTreeSet<Edge>,
    order: &[u32],
    name: impl Fn(u32) -> String,
) {
    let mut nodes: Vec<&Node> = edges.iter().flat_map(|edge| [&edge.a, &edge.b]).collect();
    let places: BTreeMap<u32, usize> = order.iter().copied().zip(0..).collect();
    let place = |node: &Node| match node {
        Node::Process(pid) => places.get(pid).copied().unwrap_or(usize::MAX - 1),
        Node::Outside(_) => usize::MAX,
    };
    nodes.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.cmp(b)));
    nodes.dedup();
    let label = |node: &Node| match node {
        Node::Process(pid) => name(*pid),
        Node::Outside(end) => end.clone(),
    };
    let drawn = nodes.len().min(NODES);
    let at: BTreeMap<&Node, u32> = nodes.iter().take(NODES).copied().zip(0..).collect();
    // The same two by the same kind are one arc.
    let mut arcs: BTreeMap<(u32, u32, Kind), u64> = BTreeMap::new();
    for edge in edges {
        if let (Some(a), Some(b)) = (at.get(&edge.a), at.get(&edge.b)) {
            *arcs.entry((*a.min(b), *a.max(b), edge.kind)).or_default() += 1;
        }
    }
    page.raw("<p class=key>");
    for kind in [Kind::Pipe, Kind::Fifo, Kind::Unix, Kind::Tcp] {
        page.raw("<span><svg viewBox=\"0 0 10 10\"><rect width=10 height=10 class=\"dot ");
        page.raw(kind.class())
            .raw("\" /></svg>")
            .raw(kind.name())
            .raw("</span>");
    }
    page.raw("</p>\n<svg class=graph role=img viewBox=\"0 0 900 ");
    page.number(drawn as u64 * 20 + 10).raw("\">\n");
    for (node, line) in nodes.iter().take(NODES).zip(0u32..) {
        let y = middle(line);
        page.raw("<text text-anchor=end x=")
            .length(LEFT - 12.0)
            .raw(" y=")
            .length(y + 4.0);
        page.raw(match node {
            Node::Process(_) => ">",
            Node::Outside(_) => " class=quiet>",
        });
        page.text(&label(node))
            .raw("</text><circle class=other r=3 cx=")
            .length(LEFT - 4.0);
        page.raw(" cy=").length(y).raw(" />\n");
    }
    for ((a, b, kind), count) in &arcs {
        arc(page, *a, *b, *kind, *count);
    }
    page.raw("</svg>\n");
    page.left_out(nodes.len().saturating_sub(NODES), "processes and peers");
    page.raw("<details><summary>")
        .number(edges.len() as u64)
        .raw(" pairs of ends</summary>\n");
    page.table(&["By", "One end", "Another", "What"]);
    for edge in edges.iter().take(ROWS) {
        page.raw("<tr><td>")
            .raw(edge.kind.name())
            .raw("</td>")
            .cell(&label(&edge.a));
        page.cell(&label(&edge.b)).cell(&edge.what).raw("</tr>\n");
    }
    page.end_table();
    page.left_out(edges.len().saturating_sub(ROWS), "connections");
    page.raw("</details>\n");
}

fn middle(line: u32) -> f64 {
    f64::from(line) * LINE + 13.0
}

/// An arc on the right of the nodes, the further out the further apart they are; a loop for a process
/// that is connected with itself.
fn arc(page: &mut Html, a: u32, b: u32, kind: Kind, count: u64) {
    let (from, to) = (middle(a), middle(b));
    let reach = if a == b {
        26.0
    } else {
        (f64::from(b - a) * LINE * 0.55).clamp(26.0, 540.0)
    };
    // Kinds stand apart where the same two have several.
    let shift = f64::from(kind as u8) * 5.0;
    let (from, to) = if a == b {
        (from - 5.0, to + 5.0)
    } else {
        (from, to)
    };
    page.raw("<path class=\"edge ")
        .raw(kind.class())
        .raw("\" d=\"M")
        .length(LEFT);
    page.raw(" ")
        .length(from)
        .raw(" C")
        .length(LEFT + reach + shift)
        .raw(" ")
        .length(from);
    page.raw(" ")
        .length(LEFT + reach + shift)
        .raw(" ")
        .length(to)
        .raw(" ")
        .length(LEFT);
    page.raw(" ")
        .length(to)
        .raw("\"><title>")
        .number(count)
        .raw(" by ");
    page.raw(kind.name()).raw("</title></path>\n");
}
