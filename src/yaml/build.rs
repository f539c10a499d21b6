//! Parser events to a [`Tree`], inside limits.
//!
//! An alias shares the subtree of its anchor, so a bomb costs no memory; it is still *counted* as
//! what it stands for, because whoever walks the tree would pay for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_yaml::granit_parser::{self, Event, Parser, ScalarStyle, ScanError};

use super::tree::{Entry, Flaw, FlawKind, Key, Limits, Node, Scalar, Span, Tree, Value};

/// More flaws than that are not worth telling one by one.
const MAX_FLAWS: usize = 100;

/// Maps up to this size are searched for duplicates one by one, larger ones with a set.
const SMALL_MAP: usize = 16;

/// Builds the tree of a text of ours, or of another tool's, which may have more.
pub(super) fn build(text: &str, limits: Limits, theirs: bool) -> Tree {
    let mut builder = Builder { theirs, ..Builder::new(text, limits) };
    let root = match builder.run() {
        Ok(()) => builder.root,
        Err(flaw) => {
            builder.flaws.push(flaw);
            None
        }
    };
    Tree { root, flaws: builder.flaws }
}

struct Builder<'t> {
    text: &'t str,
    limits: Limits,
    /// Whether the text is another tool's: see [`Tree::read_theirs`].
    theirs: bool,
    open: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
    flaws: Vec<Flaw>,
}

/// A collection that is being read.
struct Frame {
    span: Span,
    anchor: usize,
    began_at: usize,
    height: usize,
    content: Content,
}

enum Content {
    Seq(Vec<Node>),
    Map { entries: Vec<Entry>, key: Pending, trapped: bool },
}

/// The key whose value comes next.
#[derive(Default)]
enum Pending {
    /// A key comes next.
    #[default]
    None,
    /// This key.
    Key(Key),
    /// A key that is none, which is told elsewhere; its value is dropped.
    Refused,
}

/// What an anchor names, and what it costs to use it.
struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

type Step = Result<(), Flaw>;

impl<'t> Builder<'t> {
    fn new(text: &'t str, limits: Limits) -> Self {
        Self {
            text,
            limits,
            theirs: false,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            root: None,
            nodes: 0,
            documents: 0,
            flaws: Vec::new(),
        }
    }

    fn run(&mut self) -> Step {
        let mut options = granit_parser::options! {
            disallow_directives: !self.theirs,
            emit_unresolved_aliases: true,
            flow_nesting_limit: self.limits.depth,
            block_nesting_limit: self.limits.depth,
        };
        options.set_emit_comments(false);
        for event in Parser::new_from_str_with_options(self.text, options) {
            let (event, span) = event.map_err(|error| self.scan_error(&error))?;
            let span = self.span(span);
            self.event(event, span)?;
            if self.flaws.len() >= MAX_FLAWS {
                self.root = None;
                return Ok(());
            }
        }
        Ok(())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser's enum may grow; what we do not ask for does not come"
    )]
    fn event(&mut self, event: Event<'_>, span: Span) -> Step {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Flaw { span, kind: FlawKind::SeveralDocuments });
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let as_text = self.tag(tag.as_deref(), span);
                if text.len() > self.limits.scalar {
                    let first = Span { end: span.start, ..span };
                    let bytes = text.len();
                    return Err(Flaw { span: first, kind: FlawKind::LongScalar { bytes } });
                }
                let plain = style == ScalarStyle::Plain && !as_text;
                // The parser writes `~` where nothing is written; nothing is not null to us.
                let blank = plain && span.start == span.end;
                let text = if blank { "" } else { text.as_ref() };
                let value = Value::Scalar(Scalar { text: Arc::from(text), plain });
                self.count(1, span)?;
                self.finish(Node { span, value }, anchor, (1, 0));
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), span);
                self.push(span, anchor, Content::Seq(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), span);
                let map = Content::Map { entries: Vec::new(), key: Pending::None, trapped: false };
                self.push(span, anchor, map)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, span)?,
            Event::UnresolvedAlias(name) => {
                let kind =
                    FlawKind::UnknownAlias { name: name.into_owned(), anchors: self.anchors.len() };
                self.flaws.push(Flaw { span, kind });
                self.finish(Node { span, value: Value::Broken }, 0, (1, 0));
            }
            // Ends of documents and of the stream; comments and names of anchors are not asked for.
            _ => {}
        }
        Ok(())
    }

    /// Counts nodes, and refuses a text that has too many.
    fn count(&mut self, nodes: usize, span: Span) -> Step {
        self.nodes = self.nodes.saturating_add(nodes);
        let fits = self.nodes <= self.limits.nodes;
        if fits { Ok(()) } else { Err(Flaw { span, kind: FlawKind::TooManyNodes }) }
    }

    fn push(&mut self, span: Span, anchor: usize, content: Content) -> Step {
        self.count(1, span)?;
        if self.open.len() >= self.limits.depth {
            return Err(Flaw { span, kind: FlawKind::TooDeep });
        }
        let began_at = self.nodes - 1;
        self.open.push(Frame { span, anchor, began_at, height: 0, content });
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Step {
        let Some(anchored) = self.anchors.get(&id) else {
            let message = "this alias stands inside what it refers to".to_owned();
            return Err(Flaw { span, kind: FlawKind::Syntax { message } });
        };
        let cost = (anchored.nodes, anchored.height);
        let node = Node { span, value: anchored.node.value.clone() };
        self.count(cost.0, span)?;
        if self.open.len() + cost.1 > self.limits.depth {
            return Err(Flaw { span, kind: FlawKind::TooDeep });
        }
        self.finish(node, 0, cost);
        Ok(())
    }

    fn close(&mut self) {
        let Some(frame) = self.open.pop() else { return };
        let (span, cost) = (frame.span, (self.nodes - frame.began_at, frame.height + 1));
        let value = match frame.content {
            Content::Seq(items) => Value::Seq(Arc::new(items)),
            Content::Map { trapped: true, .. } => {
                self.flaws
                    .push(Flaw { span: self.insert_span(span), kind: FlawKind::UnquotedInsert });
                Value::Broken
            }
            Content::Map { entries, .. } => Value::Map(Arc::new(self.settle(entries))),
        };
        self.finish(Node { span, value }, frame.anchor, cost);
    }

    /// Hands a finished node to the collection around it.
    fn finish(&mut self, node: Node, anchor: usize, (nodes, height): (usize, usize)) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, height });
        }
        let text = self.text;
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        frame.height = frame.height.max(height);
        match &mut frame.content {
            Content::Seq(items) => items.push(node),
            Content::Map { entries, key, trapped } => match std::mem::take(key) {
                Pending::None => {
                    *key = as_key(&node, text, trapped, &mut self.flaws)
                        .map_or(Pending::Refused, Pending::Key);
                }
                Pending::Key(key) => entries.push(Entry { key, value: node }),
                Pending::Refused => {}
            },
        }
    }

    /// Checks a finished map for duplicates, and puts merged keys (`<<`) behind its own.
    fn settle(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        if self.theirs {
            last_of_each(&mut entries);
        } else {
            self.duplicates(&entries);
        }
        if !entries.iter().any(|entry| &*entry.key.text == "<<") {
            entries.shrink_to_fit();
            return entries;
        }
        let (merges, mut own): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| &*entry.key.text == "<<");
        let mut known: BTreeSet<Arc<str>> =
            own.iter().map(|entry| Arc::clone(&entry.key.text)).collect();
        for Entry { value: source, .. } in merges {
            let single = std::slice::from_ref(&source);
            for map in source.items().unwrap_or(single) {
                let Some(inherited) = map.entries() else {
                    self.flaws.push(Flaw { span: map.span, kind: FlawKind::BadMerge });
                    continue;
                };
                for entry in inherited {
                    if known.insert(Arc::clone(&entry.key.text)) {
                        own.push(entry.clone());
                    }
                }
            }
        }
        own
    }

    fn duplicates(&mut self, entries: &[Entry]) {
        let flaws = &mut self.flaws;
        let mut report = |again: &Key, first: Span| {
            if flaws.len() < MAX_FLAWS {
                let kind = FlawKind::DuplicateKey { name: again.text.to_string(), first };
                flaws.push(Flaw { span: again.span, kind });
            }
        };
        if entries.len() <= SMALL_MAP {
            for (index, entry) in entries.iter().enumerate() {
                let before = &entries[..index];
                if let Some(first) = before.iter().find(|had| had.key.text == entry.key.text) {
                    report(&entry.key, first.key.span);
                }
            }
            return;
        }
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for entry in entries {
            match seen.get(&*entry.key.text) {
                Some(first) => report(&entry.key, *first),
                None => _ = seen.insert(&entry.key.text, entry.key.span),
            }
        }
    }

    /// Whether a tag asks for text; other tags are flaws.
    fn tag(&mut self, tag: Option<&granit_parser::Tag>, span: Span) -> bool {
        let Some(tag) = tag else { return false };
        let as_text = tag.core_suffix() == Some("str");
        if !as_text && !self.theirs {
            self.flaws.push(Flaw { span, kind: FlawKind::Tag { name: tag.original() } });
        }
        as_text
    }

    /// From `{{` to the `}}` on the same line.
    fn insert_span(&self, span: Span) -> Span {
        let rest = self.text.get(span.start as usize..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let length = line.find("}}").map_or(line.len(), |at| at + 2);
        Span::new(span.start as usize, span.start as usize + length)
    }

    fn span(&self, span: granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or(0..0);
        let end = range.end.min(self.text.len());
        Span::new(range.start.min(end), end)
    }

    fn scan_error(&self, error: &ScanError) -> Flaw {
        let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        let deep = *error.kind() == granit_parser::ErrorKind::RecursionLimitExceeded;
        let kind =
            if deep { FlawKind::TooDeep } else { FlawKind::Syntax { message: error.info() } };
        Flaw { span: Span::new(at, at), kind }
    }
}

/// Of each key its last entry, `<<` aside.
fn last_of_each(entries: &mut Vec<Entry>) {
    let mut seen: BTreeSet<Arc<str>> = BTreeSet::new();
    entries.reverse();
    entries.retain(|entry| &*entry.key.text == "<<" || seen.insert(Arc::clone(&entry.key.text)));
    entries.reverse();
}

/// A node as a key. A map that is the key of a map is mostly an insert without quotes.
fn as_key(node: &Node, text: &str, trapped: &mut bool, flaws: &mut Vec<Flaw>) -> Option<Key> {
    if let Value::Scalar(scalar) = &node.value {
        return Some(Key { text: Arc::clone(&scalar.text), span: node.span });
    }
    let before = text.get(..node.span.start as usize).unwrap_or_default();
    if before.ends_with('{') {
        *trapped = true;
    } else if !matches!(node.value, Value::Broken) {
        flaws.push(Flaw { span: node.span, kind: FlawKind::ComplexKey });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { nodes: 1_000, depth: 8, scalar: 100 };

    fn flaws(text: &str) -> Vec<FlawKind> {
        Tree::read(text, LIMITS).flaws.into_iter().map(|flaw| flaw.kind).collect()
    }

    fn root(text: &str) -> Node {
        let tree = Tree::read(text, LIMITS);
        assert!(tree.flaws.is_empty(), "{:?}", tree.flaws);
        tree.root.unwrap()
    }

    #[test]
    fn nothing_and_null_are_two_things() {
        let node = root("a:\nb: ~\nc: null\nd: ''\ne: '~'\nf: &x\ng: {h: , i: null}\n");
        let kind = |key| (node.get(key).unwrap().is_blank(), node.get(key).unwrap().is_null());
        assert_eq!(
            ["a", "b", "c", "d", "e", "f"].map(kind),
            [
                (true, false),
                (false, true),
                (false, true),
                (true, false),
                (false, false),
                (true, false),
            ]
        );
        let inner = node.get("g").unwrap();
        assert!(inner.get("h").unwrap().is_blank() && inner.get("i").unwrap().is_null());
    }

    #[test]
    fn every_scalar_and_key_knows_its_bytes() {
        let text = "ä: \"ö ü\"\nlist: [x, 'y']\n";
        let node = root(text);
        let at = |span: Span| &text[span.range()];
        let entries = node.entries().unwrap();
        assert_eq!((at(entries[0].key.span), at(entries[0].value.span)), ("ä", "\"ö ü\""));
        let items: Vec<_> = entries[1].value.items().unwrap().iter().map(|n| at(n.span)).collect();
        assert_eq!(items, ["x", "'y'"]);
    }

    #[test]
    fn an_alias_shows_where_it_is_used() {
        let text = "a: &x value\nb: *x\n";
        let node = root(text);
        let alias = node.get("b").unwrap();
        assert_eq!((&text[alias.span.range()], &*alias.scalar().unwrap().text), ("*x", "value"));
    }

    #[test]
    fn merged_keys_come_behind_own_ones_and_never_replace_them() {
        let node = root("a: &x { k: 1, l: 2 }\nb: { <<: *x, k: 3 }\n");
        let texts: Vec<String> = (node.get("b").unwrap().entries().unwrap().iter())
            .map(|entry| format!("{}={}", entry.key.text, entry.value.scalar().unwrap().text))
            .collect();
        assert_eq!(texts, ["k=3", "l=2"]);
    }

    #[test]
    fn a_duplicate_is_found_in_small_and_in_large_maps() {
        let large: String = (0..40).map(|n| format!("k{n}: 1\n")).collect();
        for text in ["k1: 1\nk1: 2\n".to_owned(), format!("{large}k1: 2\n")] {
            let found = flaws(&text);
            assert!(
                matches!(found.as_slice(), [FlawKind::DuplicateKey { name, .. }] if name == "k1"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_text_of_another_tool_may_have_directives_tags_and_keys_again() {
        let text = "%YAML 1.1\n---\na: 1\nb: !vault x\na: 2\n";
        let tree = Tree::read_theirs(text, LIMITS);
        assert_eq!(tree.flaws, []);
        let root = tree.root.unwrap();
        let texts: Vec<String> = (root.entries().unwrap().iter())
            .map(|entry| format!("{}={}", entry.key.text, entry.value.scalar().unwrap().text))
            .collect();
        assert_eq!(texts, ["b=x", "a=2"]);
    }

    #[test]
    fn what_an_alias_stands_for_is_counted_and_measured() {
        let wide = "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n";
        assert_eq!(flaws(wide), [FlawKind::TooManyNodes]);
        let deep = "a: &a [[[x]]]\nb: &b [[[*a]]]\nc: [[*b]]\n";
        assert_eq!(flaws(deep), [FlawKind::TooDeep]);
        assert!(matches!(flaws("a: &a [*a]\n").as_slice(), [FlawKind::Syntax { .. }]));
    }

    #[test]
    fn traps_and_oddities_are_named() {
        for (text, want) in [
            ("a: {{ x }}\n", FlawKind::UnquotedInsert),
            ("[a, b]: 1\n", FlawKind::ComplexKey),
            ("a: 1\n---\nb: 2\n", FlawKind::SeveralDocuments),
            ("a: &x 1\nb: { <<: *x }\n", FlawKind::BadMerge),
            ("a: *b\n", FlawKind::UnknownAlias { name: "b".to_owned(), anchors: 0 }),
        ] {
            assert_eq!(flaws(text), [want], "{text}");
        }
        assert!(matches!(flaws("a: !include x\n").as_slice(), [FlawKind::Tag { .. }]));
        assert!(matches!(flaws("a: [1\n").as_slice(), [FlawKind::Syntax { .. }]));
        let long = format!("a: {}\n", "x".repeat(101));
        assert_eq!(flaws(&long), [FlawKind::LongScalar { bytes: 101 }]);
    }
}
