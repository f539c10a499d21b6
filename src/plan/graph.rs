//! What comes before what: steps of a fleet, and fleets. The only place that knows the graph crate.
//!
//! Nodes are the steps of each fleet, as a template that all its servers share, and a gate in
//! front of each fleet's first step; edges are the order of a list, a step's own `after`, and
//! `depends_on`. A graph for 100,000 servers is as small as one for ten.

use indexmap::IndexMap;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::domain::{FleetName, Place};
use crate::fleet::{Refusal, did_you_mean};
use crate::playbook::{FleetSpec, Playbook, StepSpec, StepWord};

use super::Step;

/// Steps of each fleet in topological order.
pub(super) type StepOrder = IndexMap<FleetName, Vec<Step>>;

/// One thing that has to come before or after others.
#[derive(Clone, Debug)]
struct Node {
    label: String,
}

/// Why one comes before the other: a sentence's end, and the line that says so.
#[derive(Clone, Debug)]
struct Edge {
    why: &'static str,
    place: Option<Place>,
}

type Graph = DiGraph<Node, Edge>;

/// The steps of every fleet in order; or every cycle, with the lines that make it, and every name
/// that does not exist.
pub(super) fn order(playbook: &Playbook) -> Result<StepOrder, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let graph = build(playbook, &mut refusals);
    refusals.extend(cycles(&graph));
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let fleets = playbook.fleets.iter();
    Ok(fleets.map(|(name, fleet)| (name.clone(), sorted(&fleet.steps))).collect())
}

/// The steps of a fleet, none before what it waits for, and otherwise in the order of the list: so
/// `validate` stays where it is, directly before `reinstall`.
fn sorted(specs: &[StepSpec]) -> Vec<Step> {
    let mut open: Vec<Step> = (0..specs.len()).map(|index| planned(specs, index)).collect();
    let mut steps: Vec<Step> = Vec::with_capacity(open.len());
    let is_next = |step: &Step, steps: &[Step]| {
        step.after.iter().all(|id| steps.iter().any(|before| before.id == *id))
    };
    while let Some(next) = open.iter().position(|step| is_next(step, &steps)) {
        steps.push(open.remove(next));
    }
    steps
}

/// The step before it in the list, if there is one that it waits for. A step of the playbook's own
/// that says what it comes after is a branch: it waits for nothing else, and nobody waits for it
/// who does not say so.
fn before(steps: &[StepSpec], index: usize) -> Option<&StepSpec> {
    let branches = |step: &StepSpec| step.word == StepWord::Run && !step.after.is_empty();
    let trunk = || steps[..index].iter().rev().find(|step| !branches(step));
    if branches(&steps[index]) { None } else { trunk() }
}

/// A step of the plan: the one before it in the list, and those it names itself, come first.
fn planned(steps: &[StepSpec], index: usize) -> Step {
    let spec = &steps[index];
    let mut after: Vec<String> =
        before(steps, index).map(|before| before.id.clone()).into_iter().collect();
    for (id, _) in &spec.after {
        if !after.contains(id) {
            after.push(id.clone());
        }
    }
    Step {
        id: spec.id.clone(),
        word: spec.word,
        after,
        run: spec.run.clone(),
        place: spec.place.clone(),
    }
}

fn build(playbook: &Playbook, refusals: &mut Vec<Refusal>) -> Graph {
    let mut graph = Graph::new();
    let mut gates: IndexMap<&FleetName, NodeIndex> = IndexMap::new();
    for (name, fleet) in &playbook.fleets {
        let label = format!("fleet `{name}`");
        let gate = graph.add_node(Node { label });
        gates.insert(name, gate);
        add_steps(&mut graph, fleet, refusals);
    }
    for (name, fleet) in &playbook.fleets {
        for needed in &fleet.depends_on {
            let Some(first) = gates.get(&needed.fleet) else {
                let known = playbook.fleets.keys().map(FleetName::as_str);
                let message =
                    format!("fleet `{name}` depends on `{}`: no such fleet", needed.fleet);
                refusals.push(unknown(message, &needed.fleet.to_string(), known, &needed.place));
                continue;
            };
            let why = Edge { why: "depends_on", place: Some(needed.place.clone()) };
            graph.add_edge(*first, gates[name], why);
        }
    }
    graph
}

fn add_steps(graph: &mut Graph, fleet: &FleetSpec, refusals: &mut Vec<Refusal>) {
    let mut nodes: IndexMap<&str, NodeIndex> = IndexMap::new();
    for (index, step) in fleet.steps.iter().enumerate() {
        let label = format!("step `{}` of fleet `{}`", step.id, fleet.name);
        let node = graph.add_node(Node { label });
        let first = before(&fleet.steps, index).and_then(|step| nodes.get(step.id.as_str()));
        if let Some(first) = first {
            let place = step.place.clone();
            graph.add_edge(*first, node, Edge { why: "the order of the list", place });
        }
        if nodes.insert(&step.id, node).is_some() {
            let message = format!("fleet `{}` has two steps `{}`", fleet.name, step.id);
            let refusal = Refusal::new("two_steps", message, "give one of them another `id`");
            refusals.push(refusal.at(step.place.as_ref().unwrap_or(&fleet.place)));
        }
    }
    for step in &fleet.steps {
        for (id, place) in &step.after {
            let (Some(first), Some(node)) = (nodes.get(id.as_str()), nodes.get(step.id.as_str()))
            else {
                let message = format!("fleet `{}` has no step `{id}`", fleet.name);
                refusals.push(unknown(message, id, nodes.keys().copied(), place));
                continue;
            };
            graph.add_edge(*first, *node, Edge { why: "after", place: Some(place.clone()) });
        }
    }
}

fn unknown<'a>(
    message: String,
    got: &str,
    known: impl IntoIterator<Item = &'a str>,
    place: &Place,
) -> Refusal {
    let help = did_you_mean(got, known)
        .map_or_else(|| "correct the name".to_owned(), |name| format!("did you mean `{name}`?"));
    Refusal::new("unknown_reference", message, help).at(place)
}

/// One refusal for each knot of the graph; it names one whole way around, line by line.
fn cycles(graph: &Graph) -> Vec<Refusal> {
    let mut found = Vec::new();
    for component in tarjan_scc(graph) {
        let Some(start) = component.iter().copied().min() else { continue };
        let way = way_around(graph, start, &component);
        if way.is_empty() {
            continue;
        }
        let links: Vec<String> = way.iter().map(|edge| link(graph, *edge)).collect();
        let place = way.iter().find_map(|edge| graph[edge.2].place.clone());
        let message = format!("these wait for each other: {}", links.join("; "));
        let mut refusal = Refusal::new("cycle", message, "take out one of these lines");
        refusal.place = place;
        found.push(refusal);
    }
    found.sort_by(|a, b| a.place.cmp(&b.place));
    found
}

type Hop = (NodeIndex, NodeIndex, petgraph::graph::EdgeIndex);

fn link(graph: &Graph, (from, to, edge): Hop) -> String {
    let Edge { why, place } = &graph[edge];
    let place = place.as_ref().map_or_else(String::new, |place| format!(", {place}"));
    format!("{} waits for {} ({why}{place})", graph[to].label, graph[from].label)
}

/// The shortest way from `start` back to it, inside its component.
fn way_around(graph: &Graph, start: NodeIndex, component: &[NodeIndex]) -> Vec<Hop> {
    let mut came: IndexMap<NodeIndex, Hop> = IndexMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for edge in graph.edges(node) {
            let hop = (node, edge.target(), edge.id());
            if edge.target() == start {
                return unwind(&came, start, hop);
            }
            if component.contains(&edge.target()) && !came.contains_key(&edge.target()) {
                came.insert(edge.target(), hop);
                queue.push_back(edge.target());
            }
        }
    }
    Vec::new()
}

fn unwind(came: &IndexMap<NodeIndex, Hop>, start: NodeIndex, last: Hop) -> Vec<Hop> {
    let mut way = vec![last];
    let mut node = last.0;
    while node != start {
        let Some(hop) = came.get(&node) else { break };
        way.push(*hop);
        node = hop.0;
    }
    way.reverse();
    way
}

/// Whether what each names as coming first can come first: nothing waits for itself.
pub(super) fn is_acyclic<'a>(edges: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
    let mut graph: petgraph::graphmap::DiGraphMap<&str, ()> = petgraph::graphmap::DiGraphMap::new();
    for (first, then) in edges {
        graph.add_edge(first, then, ());
    }
    !petgraph::algo::is_cyclic_directed(&graph)
}

/// Whether `validate` stands directly before `reinstall`, wherever that stands.
pub(super) fn validate_is_last_look(words: &[StepWord]) -> bool {
    words.iter().enumerate().all(|(index, word)| {
        *word != StepWord::Reinstall
            || index.checked_sub(1).is_some_and(|before| words[before] == StepWord::Validate)
    })
}
