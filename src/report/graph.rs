//! A graph in two columns: the processes on the left, in the order of their tree, and on the right what
//! connects them, each with a line to everyone who has an end of it. It stays readable where a free
//! layout is a tangle, names both, and is the same on every run.

use std::collections::{BTreeMap, BTreeSet};

use super::connections::{Connection, End, Kind, Way};
use super::html::{Html, short};

/// As many processes are drawn, and as much of what connects them.
const NODES: usize = 80;
/// The height of a line.
const LINE: f64 = 20.0;
/// Where the lines begin and end.
const LEFT: f64 = 262.0;
const RIGHT: f64 = 500.0;
/// As many characters of a name fit beside them.
const LEFT_LABEL: usize = 32;
const RIGHT_LABEL: usize = 50;

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Kind::Pipe => "pipe",
            Kind::Fifo => "fifo",
            Kind::Unix => "unix",
            Kind::Inet => "tcp",
        }
    }
}

/// Connections of one kind that the same have the same ends of: a line on the right.
struct Group<'c> {
    kind: Kind,
    connections: Vec<&'c Connection>,
    /// The lines on the left, each with what its end is for.
    lines: Vec<(usize, Way)>,
    /// How many more processes have ends of it.
    undrawn: usize,
}

impl Group<'_> {
    fn label(&self) -> String {
        let first = self.connections.first();
        let what = first.map_or("", |connection| connection.what.as_str());
        let kind = match self.kind {
            // Their names say it.
            Kind::Pipe | Kind::Inet => String::new(),
            kind => format!("{} ", kind.name()),
        };
        let mut ends = first
            .into_iter()
            .flat_map(|connection| connection.ends.keys());
        let outside = match ends.any(|end| matches!(end, End::Outside(_))) {
            true => " (outside)",
            false => "",
        };
        let undrawn = match self.undrawn {
            0 => String::new(),
            count => format!(" (and {count} more processes)"),
        };
        match self.connections.len() {
            1 => format!("{kind}{what}{outside}{undrawn}"),
            count => format!("{count} × {kind}{what}, ...{outside}{undrawn}"),
        }
    }

    /// Where its ends are on the left, on the whole: there it is best placed on the right.
    fn place(&self) -> usize {
        let sum: usize = self.lines.iter().map(|(line, _)| line).sum();
        sum * 1000 / self.lines.len().max(1)
    }
}

/// What a process does with its ends.
fn way(descriptors: &BTreeSet<(u32, Way)>) -> Way {
    let ways: BTreeSet<Way> = descriptors.iter().map(|(_, way)| *way).collect();
    match ways.first() {
        Some(way) if ways.len() == 1 => *way,
        _ => Way::Both,
    }
}

/// What is drawn.
struct Graph<'c> {
    /// On the left: those that what is drawn leads to, and no others, as a process without a line would
    /// seem alone.
    processes: Vec<u32>,
    groups: Vec<Group<'c>>,
}

impl<'c> Graph<'c> {
    fn of(connections: &[&'c Connection], order: &[u32]) -> Self {
        let mut groups = grouped(connections, order);
        groups.sort_by_key(|group| (group.place(), group.kind));
        groups.truncate(NODES);
        let lines = groups.iter().flat_map(|group| &group.lines);
        let drawn: BTreeSet<usize> = lines.map(|(line, _)| *line).collect();
        let drawn: BTreeMap<usize, usize> = drawn.into_iter().take(NODES).zip(0..).collect();
        for group in &mut groups {
            let all = group.lines.len();
            group.lines.retain_mut(|(line, _)| match drawn.get(line) {
                Some(place) => {
                    *line = *place;
                    true
                }
                None => false,
            });
            group.undrawn = all - group.lines.len();
        }
        let processes = drawn.keys().filter_map(|line| order.get(*line).copied());
        Graph {
            processes: processes.collect(),
            groups,
        }
    }
}

/// Connections by what they have in common, each with its lines in the whole order.
fn grouped<'c>(connections: &[&'c Connection], order: &[u32]) -> Vec<Group<'c>> {
    type Ends<'c> = Vec<(&'c End, Way)>;
    let mut same: BTreeMap<(Kind, Ends<'_>), Vec<&Connection>> = BTreeMap::new();
    for connection in connections {
        let ends = connection.ends.iter();
        let ends = ends.map(|(end, descriptors)| (end, way(descriptors)));
        let key = (connection.kind, ends.collect());
        same.entry(key).or_default().push(connection);
    }
    let places: BTreeMap<u32, usize> = order.iter().copied().zip(0..).collect();
    let groups = same.into_iter().map(|((kind, ends), connections)| {
        let line = |(end, way): &(&End, Way)| match end {
            End::Process(pid) => Some((*places.get(pid)?, *way)),
            End::Outside(_) => None,
        };
        Group {
            kind,
            connections,
            lines: ends.iter().filter_map(line).collect(),
            undrawn: 0,
        }
    });
    groups.filter(|group| !group.lines.is_empty()).collect()
}

/// Draws connections that have more than one end.
pub(super) fn draw(
    page: &mut Html,
    connections: &[&Connection],
    order: &[u32],
    name: impl Fn(u32) -> String,
) {
    let Graph { processes, groups } = Graph::of(connections, order);
    legend(page, connections);
    let height = processes.len().max(groups.len()) as u64 * 20 + 10;
    page.raw("<div class=wide><svg class=graph role=img viewBox=\"0 0 900 ");
    page.number(height).raw("\">\n");
    let left = Column::of(processes.len(), groups.len());
    let right = Column::of(groups.len(), processes.len());
    for (group, line) in groups.iter().zip(0..) {
        for (process, way) in &group.lines {
            edge(page, group.kind, left.y(*process), right.y(line), *way);
        }
    }
    for (pid, line) in processes.iter().zip(0..) {
        let y = left.y(line);
        page.raw("<text text-anchor=end x=")
            .length(LEFT - 9.0)
            .raw(" y=")
            .length(y + 4.0)
            .raw(">")
            .text(&short(&name(*pid), LEFT_LABEL))
            .raw("</text>");
        dot(page, "other", LEFT, y);
    }
    for (group, line) in groups.iter().zip(0..) {
        let y = right.y(line);
        let label = group.label();
        page.raw("<g><title>")
            .text(&label)
            .raw("</title><text x=")
            .length(RIGHT + 9.0);
        page.raw(" y=")
            .length(y + 4.0)
            .raw(">")
            .text(&short(&label, RIGHT_LABEL))
            .raw("</text></g>");
        dot(page, group.kind.class(), RIGHT, y);
    }
    page.raw("</svg></div>\n");
    let drawn: usize = groups.iter().map(|group| group.connections.len()).sum();
    page.left_out(connections.len() - drawn, "pipes and connections");
}

/// The kinds that there are.
fn legend(page: &mut Html, connections: &[&Connection]) {
    page.raw("<p class=key>");
    let there: BTreeSet<Kind> = connections.iter().map(|c| c.kind).collect();
    for kind in Kind::ALL.into_iter().filter(|kind| there.contains(kind)) {
        page.raw("<span><svg viewBox=\"0 0 10 10\"><rect width=10 height=10 class=\"dot ");
        page.raw(kind.class())
            .raw("\" /></svg>")
            .raw(kind.name())
            .raw("</span>");
    }
    if there.contains(&Kind::Pipe) {
        page.raw(
            "<span>arrows: who writes into a pipe, and who reads from it; without one: both</span>",
        );
    }
    page.raw("</p>\n");
}

/// A column; the shorter one is spread over the height of the other.
struct Column {
    step: f64,
}

impl Column {
    #[allow(clippy::cast_precision_loss)] // a picture
    fn of(own: usize, other: usize) -> Self {
        Column {
            step: own.max(other) as f64 * LINE / own.max(1) as f64,
        }
    }

    #[allow(clippy::cast_precision_loss)] // a picture
    fn y(&self, line: usize) -> f64 {
        5.0 + self.step * (line as f64 + 0.5)
    }
}

fn dot(page: &mut Html, class: &'static str, x: f64, y: f64) {
    page.raw("<circle class=\"dot ")
        .raw(class)
        .raw("\" r=3 cx=")
        .length(x)
        .raw(" cy=")
        .length(y)
        .raw(" />\n");
}

/// A line from a process to what it has an end of, with an arrow where it goes one way.
fn edge(page: &mut Html, kind: Kind, from: f64, to: f64, way: Way) {
    let third = (RIGHT - LEFT) / 2.2;
    page.raw("<path class=\"edge ").raw(kind.class());
    page.raw("\" d=\"M").length(LEFT).raw(" ").length(from);
    page.raw(" C").length(LEFT + third).raw(" ").length(from);
    page.raw(" ").length(RIGHT - third).raw(" ").length(to);
    page.raw(" ").length(RIGHT).raw(" ").length(to);
    page.raw("\" />");
    // On the line, where it is not yet among those of the others.
    let at = |t: f64| {
        let (u, bend) = (1.0 - t, 3.0 * (1.0 - t) * t);
        let (p, q) = (LEFT + third, RIGHT - third);
        let x = u.powi(3) * LEFT + bend * u * p + bend * t * q + t.powi(3) * RIGHT;
        let y = (u.powi(3) + bend * u) * from + (bend * t + t.powi(3)) * to;
        (x, y)
    };
    let ((tip, y), back) = match way {
        Way::Out => (at(0.82), -8.0),
        Way::In => (at(0.18), 8.0),
        Way::Both => return,
    };
    page.raw("<path class=\"dot ").raw(kind.class());
    page.raw("\" d=\"M").length(tip).raw(" ").length(y);
    page.raw(" l").length(back).raw(" -4 v8 z\" />\n");
}
