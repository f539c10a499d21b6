//! Every problem code with its example: the bad playbook gives the code, the mended one is clean,
//! and the picture of the problem is the one that was reviewed (`tests/problems/snapshots`).

#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::collections::BTreeMap;

use miette::{GraphicalReportHandler, GraphicalTheme};
use refleet::playbook::{NoFiles, Parsed, Problem, Severity, Source};
use refleet::playbook::{codes, explain, parse};

/// Codes that no stored playbook can show; each has a test of its own.
const TOLD: [&str; 4] = [
    "playbook::too_large",
    "playbook::not_utf8",
    "playbook::too_many_patterns",
    "playbook::too_many_includes",
];

fn read(name: &str, text: &str) -> Parsed {
    parse(&Source::new(name, text), &NoFiles)
}

/// The bad and the mended example of a code, read with the files that they name.
fn examples(code: &str) -> Option<[Parsed; 2]> {
    let explanation = explain(code).unwrap();
    let named = explanation.files.into_iter().flatten();
    let files: BTreeMap<String, Vec<u8>> =
        named.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).collect();
    let read = |text| parse(&Source::new("playbook.yaml", text), &files);
    Some([read(explanation.bad?), read(explanation.mended?)])
}

fn picture(problems: &[Problem]) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .with_links(false);
    problems
        .iter()
        .map(|problem| {
            let mut text = String::new();
            handler.render_report(&mut text, problem).unwrap();
            text
        })
        .collect()
}

fn found(parsed: &Parsed) -> Vec<&'static str> {
    parsed.problems.iter().map(Problem::code).collect()
}

#[test]
fn there_are_at_least_sixty_codes() {
    assert!(codes().count() >= 60, "{}", codes().count());
}

#[test]
fn every_code_has_an_example_that_gives_it_and_nothing_else() {
    for code in codes() {
        let Some([parsed, _]) = examples(code) else {
            assert!(TOLD.contains(&code), "{code} has no example");
            continue;
        };
        assert_eq!(found(&parsed), [code], "{}", picture(&parsed.problems));
        let refused = parsed.problems[0].severity == Severity::Error;
        assert_eq!(parsed.playbook.is_none(), refused, "{code}");
        assert!(parsed.problems[0].help.is_some(), "{code} offers no help");
        assert!(
            code == "playbook::empty" || !parsed.problems[0].labels.is_empty(),
            "{code} has no place"
        );
    }
}

#[test]
fn every_mended_example_is_clean() {
    for code in codes() {
        let Some([_, parsed]) = examples(code) else { continue };
        assert!(parsed.problems.is_empty(), "{code}\n{}", picture(&parsed.problems));
        assert!(parsed.playbook.is_some(), "{code}");
    }
}

#[test]
fn every_problem_looks_as_reviewed() {
    insta::with_settings!({ snapshot_path => "problems/snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        for code in codes() {
            let Some([bad, _]) = examples(code) else { continue };
            let name = code.trim_start_matches("playbook::");
            insta::assert_snapshot!(name, picture(&bad.problems));
        }
    });
}

#[test]
fn all_problems_of_a_file_are_told_at_once_and_in_its_order() {
    let text = "\
version: 1
cloud: simulator
limits:
  api: { rate: fast }
defaults:
  reinstall:
    key_nam: x
    license: mine
fleets:
  web:
    hosts: [{ tag: 'role: web' }]
    depends_on: [dv]
    strategy: { serial: [0], max_unavailable: 0 }
    steps: [stop, reinstall, validate, wait, verify]
    wait: { settle: '{{ tme }}' }
  db:
    hosts: []
    retry: { busy: { attempts: 0, delay: soon } }
";
    let parsed = read("p.yaml", text);
    assert_eq!(
        found(&parsed),
        [
            "playbook::bad_rate",
            "playbook::unknown_key",
            "playbook::unknown_word",
            "playbook::bad_tag",
            "playbook::unknown_fleet",
            "playbook::bad_number",
            "playbook::bad_number",
            "playbook::step_order",
            "playbook::unknown_variable",
            "playbook::no_hosts",
            "playbook::bad_number",
            "playbook::bad_duration",
        ],
        "{}",
        picture(&parsed.problems)
    );
}

/// A value that is missing is never a default: whichever line of a playbook loses its value, the
/// playbook is refused, and by name.
#[test]
fn s9_a_blank_value_is_an_error_wherever_it_stands() {
    let lines = [
        "version: 1",
        "cloud: simulator",
        "guards:",
        "  max_hosts: 60",
        "limits:",
        "  reinstalls: 5",
        "defaults:",
        "  reinstall:",
        "    key_name: ops",
        "fleets:",
        "  web:",
        "    expect: 6",
        "    hosts:",
        "      - tag: role=web",
        "    exclude:",
        "      - name: web-9",
        "    strategy:",
        "      canary: 1",
        "      max_failures: 2",
        "    wait:",
        "      settle: 3m",
    ];
    assert!(read("p.yaml", &lines.join("\n")).playbook.is_some());
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !line.ends_with(':')) {
        for blank in ["", " \"\""] {
            let mut blanked: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            blanked[number] = format!("{}:{blank}", line.split_once(':').unwrap().0);
            let parsed = read("p.yaml", &blanked.join("\n"));
            assert!(parsed.playbook.is_none(), "{line} with {blank:?} is taken");
            assert!(found(&parsed).contains(&"playbook::blank"), "{line}: {:?}", found(&parsed));
        }
    }
}

/// Wherever a secret stands, and whatever else is wrong, it is in nothing that we say.
#[test]
fn s16_a_secret_in_a_playbook_is_never_shown() {
    let heads = ["version: 1\ncloud: simulator\nfleets:\n  web:\n    hosts: [{ tag: a=b }]\n"];
    let tails = [
        "    reinstall:\n      admin_pass: hunter2\n      levae: x\n",
        "    reinstall: { levae: x, admin_pass: hunter2 }\n",
        "    reinstall: { admin_pass: hunter2, levae: x }\n",
        "    reinstall:\n      admin_pass: |\n        hunter2\n      levae: x\n",
        "    reinstall:\n      admin_pass: 'hunter2'\n    x: [\n",
        "    reinstall:\n      admin_pass: { value: hunter2 }\n",
        "    reinstall:\n      admin_pass: [hunter2]\n",
        "    reinstall:\n      admin_pass: { env: 'hunter2!' }\n",
        "    reinstall: { admin_pass: { env: hunter2 # } }\n",
        "    reinstall:\n      admin_password: hunter2\n",
        "    reinstall:\n      admin_pass: |\n        hunter2\n      levae: [\n",
        "    reinstall:\n      admin_pass: \"{{ hunter2\n",
        "    reinstall:\n      levae: x\n      admin_pass: hunter2   # the old one\n",
        "    reinstall: { root_passwd: hunter2 }\n    secret: {a: [hunter2]}\n",
    ];
    for head in heads {
        for tail in tails {
            let parsed = read("p.yaml", &format!("{head}{tail}"));
            let shown = picture(&parsed.problems);
            assert!(parsed.playbook.is_none(), "{tail}");
            assert!(!shown.contains("hunter2"), "{tail}\n{shown}");
            let views: Vec<_> = parsed.problems.iter().map(Problem::view).collect();
            assert!(!serde_json::to_string(&views).unwrap().contains("hunter2"), "{tail}");
        }
    }
}

/// The only problem of a playbook with this `reinstall`.
fn reinstall_problem(reinstall: &str) -> Option<String> {
    let text = format!(
        "version: 1\ncloud: simulator\nfleets:\n  web:\n    hosts: [{{ tag: role=web }}]\n    \
         reinstall: {reinstall}\n"
    );
    let parsed = read("playbook.yaml", &text);
    assert!(parsed.problems.len() < 2, "{}", picture(&parsed.problems));
    assert_eq!(parsed.playbook.is_some(), parsed.problems.is_empty());
    parsed.problems.first().map(|problem| format!("{}: {:?}", problem.code(), problem.help))
}

#[test]
fn an_image_is_the_current_one_or_any_by_name_or_id() {
    let fine = ["{ image: current }", "{ image: c71b64e7-4767-4406-afde-2ab2a2c0b4a2 }"];
    for fine in
        fine.into_iter().chain(["{ image: Standard Ubuntu 24.04 }", "{ image: null }", "{}"])
    {
        assert_eq!(reinstall_problem(fine), None, "{fine}");
    }
    let blank = reinstall_problem("{ image: '' }").unwrap();
    assert!(blank.starts_with("playbook::blank"), "{blank}");
}

/// The code of each problem of these steps.
fn step_problems(steps: &str) -> Vec<&'static str> {
    let text = format!(
        "version: 1\ncloud: simulator\nfleets:\n  web:\n    hosts: [{{ tag: role=web }}]\n    \
         steps: [{steps}]\n"
    );
    found(&read("playbook.yaml", &text))
}

#[test]
fn nothing_comes_between_the_last_look_and_the_wipe() {
    let order = "playbook::step_order";
    for (steps, problems) in [
        ("stop, { run: [a] }, validate, reinstall, { run: [b], id: b }, wait, verify", vec![]),
        ("stop, validate, { run: [a] }, reinstall, wait, verify", vec![order]),
        ("stop, validate, { run: [a], after: stop }, reinstall, wait, verify", vec![order]),
        ("stop, validate, reinstall, wait, verify, { run: [a], after: validate }", vec![order]),
        (
            "stop, validate, { reinstall: {}, after: run }, wait, verify, { run: [a], after: stop }",
            vec![order],
        ),
    ] {
        assert_eq!(step_problems(steps), problems, "{steps}");
    }
}

#[test]
fn what_a_step_runs_is_the_same_program_for_every_server_and_holds_no_secret() {
    let around =
        |step: &str| step_problems(&format!("{step}, stop, validate, reinstall, wait, verify"));
    for (step, problems) in [
        ("{ run: [a, '{{ host.name }}'], env: { A: '{{ host.tag.x }}' } }", vec![]),
        ("{ run: ['{{ host.name }}'] }", vec!["playbook::not_available_here"]),
        ("{ run: [a], undo: ['{{ host.tag.x }}'] }", vec!["playbook::not_available_here"]),
        ("{ run: [a], cwd: '{{ host.name }}' }", vec!["playbook::not_available_here"]),
        ("{ run: [a, '{{ host.nam }}'] }", vec!["playbook::unknown_host_value"]),
        ("{ run: [] }", vec!["playbook::empty_list"]),
        ("{ run: [a], undo: [''] }", vec!["playbook::blank"]),
        ("{ run: a }", vec!["playbook::wrong_type"]),
        ("run", vec!["playbook::wrong_type"]),
        ("{ run: [a], timeout: 0s }", vec!["playbook::bad_duration"]),
        ("{ run: [a], stop: {} }", vec!["playbook::not_one"]),
        ("{ run: [a], env: { REFLEET_RUN: x } }", vec!["playbook::bad_name"]),
        ("{ run: [a], env: { A-B: x } }", vec!["playbook::bad_name"]),
        ("{ run: [a], env: { DB_PASSWORD: x } }", vec!["playbook::inline_secret"]),
        ("{ run: [a], env: { DB_PASSWORD_FILE: x } }", vec![]),
        ("{ run: [a] }, { run: [b] }", vec!["playbook::step_id_taken"]),
        ("{ run: [./none.sh] }", vec!["playbook::file_unreadable"]),
    ] {
        assert_eq!(around(step), problems, "{step}");
    }
}

#[test]
fn a_secret_in_the_environment_of_a_step_is_never_shown() {
    let text = "version: 1\ncloud: simulator\nfleets:\n  web:\n    hosts: [{ tag: role=web }]\n    \
        steps: [{ run: [a], env: { DB_PASSWORD: hunter2 }, cwd: [] }, stop]\n";
    let shown = picture(&read("playbook.yaml", text).problems);
    assert!(shown.contains("inline_secret") && !shown.contains("hunter2"), "{shown}");
}
