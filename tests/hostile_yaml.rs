//! Hostile files: each is refused, or read, without the machine noticing. They are made here and
//! stored nowhere. Time and memory are not asserted (a busy machine would make them lie); they are
//! measured by hand, with such a file: `/usr/bin/time -v target/release/refleet validate FILE`. A
//! second and 200 MB are the budget; the slowest known takes half a second and 60 MB.

#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::fmt::Write;

use refleet::playbook::{NoFiles, Problem, Source, parse};

/// The codes of what is wrong.
fn codes(bytes: Vec<u8>) -> Vec<&'static str> {
    let source = match Source::from_bytes("p.yaml", bytes) {
        Ok(source) => source,
        Err(problem) => return vec![problem.code()],
    };
    let parsed = parse(&source, &NoFiles);
    assert_eq!(
        parsed.playbook.is_none(),
        !parsed.problems.is_empty(),
        "refused exactly with a reason"
    );
    for problem in &parsed.problems {
        let shown = miette_length(problem);
        assert!(shown < 4_000, "{} shows {shown} bytes", problem.code());
    }
    parsed.problems.iter().map(Problem::code).collect()
}

/// How much a problem would print: a line without an end must not come back.
fn miette_length(problem: &Problem) -> usize {
    let mut text = String::new();
    miette::GraphicalReportHandler::new().render_report(&mut text, problem).unwrap();
    text.len()
}

fn check(what: &str, text: impl Into<Vec<u8>>, want: &str) {
    let found = codes(text.into());
    assert!(found.contains(&want), "{what}: {found:?}");
}

#[test]
fn brackets_without_an_end() {
    for (what, text) in [
        ("nested lists", "[".repeat(200_000)),
        ("nested and closed", "[".repeat(100_000) + &"]".repeat(100_000)),
        ("nested maps", "{a: ".repeat(100_000)),
        ("lists in a value", format!("version: {}", "[".repeat(200_000))),
        ("dashes", "- ".repeat(200_000)),
        ("explicit keys", "? ".repeat(100_000)),
    ] {
        check(what, text, "playbook::too_deep");
    }
    let mut blocks = String::new();
    for level in 0..1_000 {
        writeln!(blocks, "{}a:", " ".repeat(level)).unwrap();
    }
    check("nested blocks", blocks, "playbook::too_deep");
}

#[test]
fn aliases_of_aliases() {
    let mut wide = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut merges = "m0: &m0 { k: 1 }\n".to_owned();
    let mut deep = "d0: &d0 [x]\n".to_owned();
    for n in 1..60 {
        let last = n - 1;
        let ten = vec![format!("*a{last}"); 10].join(", ");
        writeln!(wide, "a{n}: &a{n} [{ten}]").unwrap();
        let two = vec![format!("*m{last}"); 2].join(", ");
        writeln!(merges, "m{n}: &m{n} {{ <<: [{two}], k{n}: *m{last} }}").unwrap();
    }
    for n in 1..10_000 {
        writeln!(deep, "d{n}: &d{n} [*d{}]", n - 1).unwrap();
    }
    check("a bomb", wide, "playbook::too_many_values");
    check("a bomb of merges", merges, "playbook::too_many_values");
    check("a chain", deep, "playbook::too_deep");
    check("a circle", "a: &a { b: *a }\n", "playbook::syntax");
}

#[test]
fn sheer_size() {
    check(
        "50 MB in one text",
        b"a: "
            .iter()
            .chain([b'x'; 1].iter().cycle().take(50_000_000))
            .copied()
            .collect::<Vec<u8>>(),
        "playbook::too_large",
    );
    check("2 MB in one text", format!("a: {}", "x".repeat(2_000_000)), "playbook::too_large");
    check("1 MB in quotes", format!("a: \"{}", "x".repeat(1_000_000)), "playbook::syntax");
    check("2 MB in a block", format!("a: |\n  {}", "x\n  ".repeat(600_000)), "playbook::too_large");
    check("a long key", format!("{}: 1", "x".repeat(3_000_000)), "playbook::too_large");
    let keys: String = (0..1_000_000).map(|n| format!("k{n}: 1\n")).collect();
    check("a million keys", keys, "playbook::too_large");
    let keys: String = (0..400_000).map(|n| format!("{n:x}: 1\n")).collect();
    check("400,000 keys", keys, "playbook::too_many_values");
    let keys: String = (0..40_000).map(|n| format!("{n:x}: 1\n")).collect();
    check("40,000 unknown keys", keys, "playbook::unknown_key");
    check("40,000 equal keys", "a: 1\n".repeat(40_000), "playbook::duplicate_key");
    check("500,000 documents", "--- a\n".repeat(500_000), "playbook::several_documents");
    check("500,000 empty documents", "---\n".repeat(500_000), "playbook::several_documents");
    let anchors: String = (0..40_000).map(|n| format!("{n:x}: &k{n} 1\n")).collect();
    check("40,000 anchors", anchors, "playbook::unknown_key");
    check("blanks", " ".repeat(4_000_000), "playbook::empty");
    check("comments", "# nothing\n".repeat(400_000), "playbook::empty");
    check("line breaks", "\n".repeat(1_000_000), "playbook::empty");
}

#[test]
fn patterns_that_cost_too_much() {
    let of = |names: &mut dyn Iterator<Item = String>| {
        let head = "version: 1\ncloud: c\nfleets:\n  web:\n    hosts:\n".to_owned();
        names.fold(head, |text, name| text + "      - name: '" + &name + "'\n")
    };
    let one = |name: String| of(&mut std::iter::once(name));
    check("a long pattern", one("*a".repeat(100_000)), "playbook::bad_glob");
    let nested = "{a,".repeat(20_000) + "b" + &"}".repeat(20_000);
    check("a deep pattern", one(nested), "playbook::bad_glob");
    let many = of(&mut (0..60_000).map(|n| format!("web-{n}-[a-z]*")));
    check("60,000 patterns", many, "playbook::too_many_patterns");
    let longest = of(&mut (0..20).map(|n| format!("{}{n:02}", "*a?".repeat(170))));
    assert_eq!(codes(longest.into_bytes()), [""; 0], "the longest are read");
}

#[test]
fn bytes_that_are_no_text() {
    check("latin-1", b"name: caf\xe9\n".to_vec(), "playbook::not_utf8");
    check("utf-16", b"\xff\xfen\x00a\x00".to_vec(), "playbook::not_utf8");
    check("half a character", b"name: \xc3".to_vec(), "playbook::not_utf8");
    check("a zero byte", b"name: a\x00b\n".to_vec(), "playbook::syntax");
    check("control bytes", b"name: \x01\x02\n".to_vec(), "playbook::syntax");
    check("directives", "%TAG ! tag:x,2000:\n---\na: !x b\n", "playbook::syntax");
    check("nothing", "", "playbook::empty");
}

#[test]
fn an_honest_large_playbook_is_read() {
    let mut text =
        "version: 1\ncloud: c\nfleets:\n  web:\n    strategy: &s { canary: 1 }\n    hosts:\n"
            .to_owned();
    for n in 0..20_000 {
        writeln!(text, "      - {{ id: 7f0b0c1e-6d5a-4a0e-9f55-{n:012} }}").unwrap();
    }
    let parsed = parse(&Source::new("p.yaml", text), &NoFiles);
    assert!(parsed.problems.is_empty(), "{:?}", parsed.problems.first());
    assert_eq!(parsed.playbook.unwrap().fleets["web"].hosts.len(), 20_000);
}
