//! User data: what a template inserts, and every problem of it at its place.

use std::collections::BTreeMap;

use super::*;
use crate::domain::MAX_USER_DATA;

/// A playbook in `ops/` that names files; its problems with file, line and column.
fn with_files(text: &str, files: &[(&str, &[u8])]) -> (Option<Playbook>, Vec<String>) {
    let files: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    let parsed = parse(&Source::new("ops/p.yaml", text), &files);
    let told = parsed.problems.iter().map(|problem| {
        let view = problem.view();
        let code = view.code.trim_start_matches("playbook::");
        format!("{code} {}:{}:{}", view.file, view.line, view.column)
    });
    (parsed.playbook, told.collect())
}

/// A playbook whose fleet `web` has this user data.
fn with_user_data(vars: &str, user_data: &str) -> String {
    format!(
        "version: 1\ncloud: c\nvars: {{ {vars} }}\nfleets:\n  web:\n    hosts: [{{ tag: a=b }}]\n    \
         reinstall: {{ user_data: {user_data} }}\n"
    )
}

#[test]
fn a_template_says_what_it_inserts_and_keeps_no_text() {
    let template = "hostname: {{ host.name }}.{{zone}}\nfqdn: {{ host.name }}\n{% raw %}\n";
    let text = with_user_data("zone: eu, n: 3", "{ file: t.yaml, template: true }");
    let (playbook, told) = with_files(&text, &[("t.yaml", template.as_bytes())]);
    assert_eq!(told, ["unused_variable ops/p.yaml:3:19"], "`zone` is used in the template only");
    let user_data = playbook.unwrap().fleets["web"].treatment.reinstall.user_data.clone().unwrap();
    assert_eq!(user_data.file.sha256, source::sha256(template.as_bytes()));
    let names = [("host.name", 2), ("zone", 1)].map(|(name, times)| (name.to_owned(), times));
    let inserts = Inserts {
        bytes: template.len() - 2 * "{{ host.name }}".len() - "{{zone}}".len(),
        names: names.into(),
        values: [("zone".to_owned(), "eu".to_owned())].into(),
    };
    assert_eq!(user_data.inserts, Some(inserts));
}

#[test]
fn without_template_braces_are_nobodys_business() {
    let jinja: &[u8] = b"{{ v1.region }} {{ unclosed {{ host.nmae }} \xff";
    for user_data in ["{ file: t.yaml }", "{ file: t.yaml, template: false }"] {
        let (playbook, told) = with_files(
            &with_user_data("", user_data).replace("vars: {  }\n", ""),
            &[("t.yaml", jinja)],
        );
        assert!(told.is_empty(), "{told:?}");
        let user_data = playbook.unwrap().fleets["web"].treatment.reinstall.user_data.clone();
        assert_eq!(user_data.unwrap().inserts, None);
    }
}

#[test]
fn every_problem_of_a_template_is_told_at_its_place_in_the_template() {
    let template = "#cloud-config\nhostname: {{ host.nmae }}\n- {{ host.ip }} {{ relase }}\n\
                    - é {{ vars.release }}\n- {{ matrix.az }}\n- {{ host.name | upper }}\n- {{ v1.region }}\n- {{ host.id\n";
    let text = with_user_data("release: a", "{ file: lib/t.yaml, template: true }")
        + "    wait: { setle: 1m }\n";
    let (playbook, told) = with_files(&text, &[("lib/t.yaml", template.as_bytes())]);
    assert!(playbook.is_none());
    assert_eq!(
        told,
        [
            "unknown_key ops/p.yaml:8:13",
            "unknown_host_value ops/lib/t.yaml:2:11",
            "unknown_variable ops/lib/t.yaml:3:17",
            "unknown_variable ops/lib/t.yaml:4:5",
            "not_available_here ops/lib/t.yaml:5:3",
            "bad_insert ops/lib/t.yaml:6:3",
            "unknown_variable ops/lib/t.yaml:7:3",
            "bad_insert ops/lib/t.yaml:8:3",
        ]
    );
    let files = BTreeMap::from([("lib/t.yaml".to_owned(), template.as_bytes().to_vec())]);
    let problems = parse(&Source::new("ops/p.yaml", text.as_str()), &files).problems;
    let helps: Vec<&str> =
        problems[1..4].iter().filter_map(|problem| problem.help.as_deref()).collect();
    assert_eq!(helps[0], "did you mean `host.name`?");
    assert!(helps[1].starts_with("did you mean `release`?"), "{}", helps[1]);
    assert_eq!(helps[2], "a variable is inserted by its name alone: `{{ release }}`");
}

#[test]
fn s16_user_data_is_not_shown_by_the_problems_of_a_template() {
    let template = "users:\n- echo hunter2 {{ host.nmae }} hunter3\n- {{ hunter4 'x' }}\n{{ hunter 5\nhunter6\n";
    let text = with_user_data("n: 1", "{ file: t.yaml, template: true }");
    let files = BTreeMap::from([("t.yaml".to_owned(), template.as_bytes().to_vec())]);
    let problems = parse(&Source::new("p.yaml", text.as_str()), &files).problems;
    assert_eq!(problems.len(), 3, "and `n` may have been meant by one of them: {problems:?}");
    for problem in &problems {
        let told = format!(
            "{} {:?} {:?} {}",
            problem.message, problem.help, problem.labels, problem.source.text
        );
        assert!(!told.contains("hunter") && !told.contains("users"), "{told}");
    }
}

#[test]
fn a_template_that_cannot_be_filled_in_is_a_problem_where_it_is_named() {
    let large = vec![b'x'; MAX_USER_DATA + 1];
    let most = [&large[1..], b"{{ host.name }}"].concat();
    let check = |user_data: &str, bytes: &[u8], told: &[&str]| {
        let text = with_user_data("", user_data).replace("vars: {  }\n", "");
        assert_eq!(with_files(&text, &[("t.yaml", bytes)]).1, told, "{user_data}");
    };
    check("{ file: t.yaml, template: true }", b"\xff", &["not_utf8 ops/p.yaml:6:37"]);
    check("{ file: none.yaml, template: true }", b"", &["file_unreadable ops/p.yaml:6:37"]);
    check("{ file: t.yaml, template: true }", &large, &["too_large ops/p.yaml:6:37"]);
    check("{ file: t.yaml }", &large, &["too_large ops/p.yaml:6:37"]);
    check("{ file: t.yaml, template: true }", &most, &[]);
    check("{ template: true }", b"", &["missing_key ops/p.yaml:6:18"]);
    check("{ file: t.yaml, template: yes }", b"", &["not_a_flag ops/p.yaml:6:55"]);
    check("{ file: t.yaml, template: [] }", b"", &["wrong_type ops/p.yaml:6:45"]);
    check("{ file: t.yaml, template: null }", b"", &["null_here ops/p.yaml:6:55"]);
}

#[test]
fn a_template_inserts_values_of_the_file_and_the_matrix_that_name_it() {
    let playbook = "\
version: 1
cloud: c
vars: { site: ours }
include: [lib/inc.yaml]
fleets:
  web:
    matrix: { az: [one, two] }
    hosts: [{ az: '{{ matrix.az }}' }]
    reinstall: { user_data: { file: t.yaml, template: true } }
  list:
    hosts: [{ file: l.csv }]
";
    let included = "version: 1\nvars: { site: theirs }\nfleets:\n  db:\n    hosts: [{ tag: a=b }]\n    \
                    reinstall: { user_data: { file: t.yaml, template: true } }\n";
    let list = "name,reinstall.user_data.file,reinstall.user_data.template\nhost-1,s.yaml,true\n";
    let files: &[(&str, &[u8])] = &[
        ("t.yaml", b"{{ site }} {{ matrix.az }}"),
        ("lib/t.yaml", b"{{ site }}"),
        ("s.yaml", b"{{ site }}"),
        ("l.csv", list.as_bytes()),
        ("lib/inc.yaml", included.as_bytes()),
    ];
    let (read, told) = with_files(playbook, files);
    assert!(told.is_empty(), "{told:?}");
    let read = read.unwrap();
    let values = |treatment: Treatment| {
        let values = treatment.reinstall.user_data.unwrap().inserts.unwrap().values;
        values.into_values().collect::<Vec<_>>().join(" ")
    };
    let fleet = |name: &str| values(read.fleets[name].treatment.clone());
    assert_eq!(fleet("db"), "theirs");
    assert_eq!((fleet("web[one]"), fleet("web[two]")), ("one ours".into(), "two ours".into()));
    assert_eq!(values(read.fleets["list"].treatment_for(&[], Some(0))), "ours");
}

#[test]
fn a_key_of_a_matrix_that_only_a_template_inserts_is_used() {
    let text = "version: 1\ncloud: c\nfleets:\n  web:\n    matrix: { az: [one], n: [1] }\n    \
                hosts: [{ az: '{{ matrix.az }}' }]\n    reinstall: { user_data: { file: t, template: true } }\n";
    let told = |template: &str| with_files(text, &[("t", template.as_bytes())]).1;
    assert!(told("{{ matrix.n }}").is_empty());
    assert_eq!(told("{{ host.id }}"), ["unused_matrix_key ops/p.yaml:5:26"]);
    assert_eq!(told("{{ matrix.m }}"), ["unknown_variable ops/t:1:1"]);
}

#[test]
fn values_of_a_server_say_that_user_data_is_a_template() {
    let shown = |user_data: &str| {
        let text = with_user_data("", user_data).replace("vars: {  }\n", "");
        let playbook = with_files(&text, &[("t", b"x")]).0.unwrap();
        let values = playbook.fleets["web"].values_for(&[], None);
        let value = values.into_iter().find(|value| value.key == "reinstall.user_data").unwrap();
        (value.value, value.by.to_string())
    };
    let by = || "fleet at ops/p.yaml:6".to_owned();
    assert_eq!(
        shown("{ file: t, template: true }"),
        ("ops/t (template, sha256 2d711642b726)".to_owned(), by())
    );
    assert_eq!(shown("{ file: t }"), ("ops/t (sha256 2d711642b726)".to_owned(), by()));
}
