//! The plan as a picture: DOT and Mermaid.
//!
//! Fleets are boxes, waves stand in them one after another, and beside them the steps that each
//! server goes through. Nodes are named by number, so that no name of anybody's is ever syntax;
//! names appear in labels only, escaped. However large the plan, the picture stays small.

use crate::domain::{FleetName, shown};

use super::{Plan, PlannedFleet, Wave};

/// Servers named in one wave.
const SERVERS: usize = 12;
/// Waves drawn of one fleet.
const WAVES: usize = 12;

/// The plan for Graphviz.
#[must_use]
pub fn dot(plan: &Plan) -> String {
    let mut text = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box];\n");
    for (index, (name, fleet)) in plan.fleets.iter().enumerate() {
        let title = dot_label(&[title(name, fleet)]);
        text.push_str(&format!("  subgraph cluster_f{index} {{\n    label={title};\n"));
        let picture = Picture::of(plan, index, fleet);
        for (node, lines) in &picture.waves {
            text.push_str(&format!("    {node} [label={}];\n", dot_label(lines)));
        }
        for (node, label) in &picture.steps {
            let label = dot_label(std::slice::from_ref(label));
            text.push_str(&format!("    {node} [label={label}, shape=ellipse];\n"));
        }
        for (from, to) in &picture.edges {
            text.push_str(&format!("    {from} -> {to};\n"));
        }
        text.push_str("  }\n");
    }
    for (from, to, label) in needs(plan) {
        text.push_str(&format!("  {from} -> {to} [label={}];\n", dot_label(&[label])));
    }
    text.push_str("}\n");
    text
}

/// The plan for Mermaid.
#[must_use]
pub fn mermaid(plan: &Plan) -> String {
    let mut text = String::from("flowchart LR\n");
    for (index, (name, fleet)) in plan.fleets.iter().enumerate() {
        let title = mermaid_label(&[title(name, fleet)]);
        text.push_str(&format!("  subgraph f{index}[{title}]\n"));
        let picture = Picture::of(plan, index, fleet);
        for (node, lines) in &picture.waves {
            text.push_str(&format!("    {node}[{}]\n", mermaid_label(lines)));
        }
        for (node, label) in &picture.steps {
            let label = mermaid_label(std::slice::from_ref(label));
            text.push_str(&format!("    {node}([{label}])\n"));
        }
        for (from, to) in &picture.edges {
            text.push_str(&format!("    {from} --> {to}\n"));
        }
        text.push_str("  end\n");
    }
    for (from, to, label) in needs(plan) {
        text.push_str(&format!("  {from} -->|{}| {to}\n", mermaid_label(&[label])));
    }
    text
}

/// The nodes and edges inside one fleet.
struct Picture {
    waves: Vec<(String, Vec<String>)>,
    steps: Vec<(String, String)>,
    edges: Vec<(String, String)>,
}

impl Picture {
    fn of(plan: &Plan, index: usize, fleet: &PlannedFleet) -> Self {
        let mut waves: Vec<(String, Vec<String>)> = fleet
            .waves
            .iter()
            .take(WAVES)
            .enumerate()
            .map(|(wave, servers)| (wave_node(index, wave), wave_lines(plan, wave, servers)))
            .collect();
        if waves.is_empty() {
            waves.push((wave_node(index, 0), vec!["every server is blocked".to_owned()]));
        }
        if fleet.waves.len() > WAVES {
            let more = format!("… and {} more waves", fleet.waves.len() - WAVES);
            waves.push((wave_node(index, WAVES), vec![more]));
        }
        let step_node = |step: usize| format!("f{index}_s{step}");
        let steps = fleet.steps.iter().enumerate();
        let steps: Vec<_> = steps.map(|(n, step)| (step_node(n), step.id.clone())).collect();
        let mut edges: Vec<(String, String)> =
            waves.windows(2).map(|pair| (pair[0].0.clone(), pair[1].0.clone())).collect();
        for (n, step) in fleet.steps.iter().enumerate() {
            let first = |id: &String| fleet.steps.iter().position(|step| step.id == *id);
            let firsts = step.after.iter().filter_map(first);
            edges.extend(firsts.map(|first| (step_node(first), step_node(n))));
        }
        Self { waves, steps, edges }
    }
}

fn wave_node(fleet: usize, wave: usize) -> String {
    format!("f{fleet}_w{wave}")
}

fn wave_lines(plan: &Plan, number: usize, wave: &Wave) -> Vec<String> {
    let kind = if wave.canary { ", canary" } else { "" };
    let mut lines = vec![format!("wave {}{kind}", number + 1)];
    let names = wave.servers.iter().take(SERVERS).map(|id| {
        plan.targets.get(id).map_or_else(|| id.to_string(), |target| target.found.name.clone())
    });
    lines.extend(names);
    if wave.servers.len() > SERVERS {
        lines.push(format!("… and {} more", wave.servers.len() - SERVERS));
    }
    lines
}

fn title(name: &FleetName, fleet: &PlannedFleet) -> String {
    let servers: usize = fleet.waves.iter().map(|wave| wave.servers.len()).sum();
    format!("{name}: {}", crate::domain::count(servers, "server"))
}

/// From the last wave of the fleet that comes first to the first wave of the one that waits.
fn needs(plan: &Plan) -> Vec<(String, String, String)> {
    let mut edges = Vec::new();
    for (index, fleet) in plan.fleets.values().enumerate() {
        for need in &fleet.needs {
            if let Some((first, _, needed)) = plan.fleets.get_full(&need.fleet) {
                let last = needed.waves.len().saturating_sub(1).min(WAVES);
                let label = format!("{} verified", need.verified);
                edges.push((wave_node(first, last), wave_node(index, 0), label));
            }
        }
    }
    edges
}

/// A quoted string of DOT: only `"` and `\` mean something in it.
fn dot_label(lines: &[String]) -> String {
    let lines: Vec<String> =
        lines.iter().map(|line| shown(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}

/// A quoted string of Mermaid, in which every character that could be markup is an entity.
fn mermaid_label(lines: &[String]) -> String {
    let lines: Vec<String> = lines
        .iter()
        .map(|line| shown(line).chars().map(mermaid_char).collect::<String>())
        .collect();
    format!("\"{}\"", lines.join("<br/>"))
}

fn mermaid_char(c: char) -> String {
    match c {
        '"' | '#' | '&' | ';' | '<' | '>' | '`' | '\\' | '*' | '_' | '$' | '|' | '[' | ']'
        | '{' | '}' | '(' | ')' => format!("#{};", u32::from(c)),
        c => c.to_string(),
    }
}
