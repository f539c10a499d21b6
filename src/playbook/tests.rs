//! What a playbook means: defaults, merging, counting.

use std::collections::BTreeMap;

use super::grammar::DEFAULTS;
use super::shape::{Key, Needed, Null, Shape, Table};
use super::*;
use crate::domain::{FleetName, Millis, SecretSource, SshProgram, StopMode};

fn read(text: &str) -> Playbook {
    let files = BTreeMap::from([("init.yaml".to_owned(), b"#cloud-config\n".to_vec())]);
    let parsed = parse(&Source::new("ops/p.yaml", text), &files);
    let codes: Vec<_> =
        parsed.problems.iter().map(|problem| (problem.code(), &problem.message)).collect();
    assert!(codes.is_empty(), "{codes:?}");
    parsed.playbook.unwrap()
}

/// The fleet `web` of a playbook with these defaults and these keys of the fleet.
fn web(defaults: &str, fleet: &str) -> FleetSpec {
    let text = format!(
        "version: 1\ncloud: c\ndefaults: {{ {defaults} }}\nfleets:\n  web: {{ hosts: [{{ tag: a=b }}], {fleet} }}\n"
    );
    read(&text).fleets["web"].clone()
}

#[test]
fn the_smallest_playbook_has_the_documented_defaults() {
    let playbook = read("version: 1\ncloud: c\nfleets: { web: { hosts: [{ name: web-* }] } }\n");
    let fleet = &playbook.fleets["web"];
    assert_eq!((playbook.name.as_str(), playbook.cloud.as_str()), ("p", "c"));
    assert_eq!(playbook.limits, Limits::default());
    assert_eq!(fleet.strategy, Strategy::default());
    assert_eq!(fleet.treatment, Treatment::default());
    let words: Vec<_> = fleet.steps.iter().map(|step| step.word).collect();
    assert_eq!(words, StepWord::ALL);
    assert_eq!(playbook.origin.sha256.len(), 64);
}

#[test]
fn maps_merge_key_by_key_and_lists_replace() {
    let fleet = web(
        "strategy: { canary: 3, serial: [10%, 5], max_failures: 2 }, wait: { settle: 5m, timeout: 1h }, \
         retry: { busy: { attempts: 7, delay: 10s } }",
        "strategy: { serial: 50%, bake_time: 90s }, wait: { settle: 1m }, retry: { busy: { delay: 20s } }",
    );
    assert_eq!((fleet.strategy.canary, fleet.strategy.max_failures), (3, 2));
    assert_eq!(fleet.strategy.serial, [Size::Share(Share(50))]);
    assert_eq!((fleet.strategy.bake_time, fleet.strategy.written), (Millis::secs(90), true));
    assert_eq!(fleet.treatment.wait, Wait { settle: Millis::mins(1), timeout: Millis::mins(60) });
    let busy = &fleet.treatment.retry.busy;
    assert_eq!(
        (busy.attempts, busy.delay, busy.backoff.to_bits()),
        (7, Millis::secs(20), 1f64.to_bits())
    );
}

#[test]
fn null_goes_back_to_what_is_built_in() {
    let fleet = web(
        "reinstall: { key_name: ops, leave: stopped, encryption: none }, start_back: false, \
         strategy: { canary: 3 }, verify: [fresh], wait: { settle: 9m }, retry: { busy: { attempts: 2 } }",
        "reinstall: { key_name: null, leave: null }, start_back: null, strategy: null, verify: ~, wait: null, \
         retry: { busy: null }",
    );
    let treatment = &fleet.treatment;
    assert_eq!(treatment.reinstall.login, LoginSpec::ServerKey);
    assert_eq!(treatment.reinstall.leave, Leave::Running);
    assert_eq!(treatment.reinstall.encryption, EncryptionSpec::None);
    assert_eq!(fleet.strategy, Strategy::default());
    let built_in = Treatment::default();
    assert_eq!(
        (treatment.start_back, &treatment.verify, treatment.wait, &treatment.retry),
        (built_in.start_back, &built_in.verify, built_in.wait, &built_in.retry)
    );
}

/// Some value of that shape that is not what is built in.
fn example(shape: Shape) -> String {
    let first = |table: &Table| {
        let needed = table.keys.iter().filter(|key| key.needed == Needed::Yes);
        let keys: Vec<_> = needed.chain(&table.keys[..1]).take(1).collect();
        format!("{{ {}: {} }}", keys[0].name, example(keys[0].shape))
    };
    match shape {
        Shape::Text | Shape::Template | Shape::Id | Shape::Plain => "x1".to_owned(),
        Shape::EnvName => "X".to_owned(),
        Shape::Tag => "a=b".to_owned(),
        Shape::Whole(least, most) => (least + 7).min(most).to_string(),
        Shape::Flag => "false".to_owned(),
        Shape::Duration => "77s".to_owned(),
        Shape::Rate => "7/s".to_owned(),
        Shape::Share => "33%".to_owned(),
        Shape::Above(_) | Shape::Size => "3".to_owned(),
        Shape::Word(words) | Shape::WordOr(words, _) => words[words.len() - 1].to_owned(),
        Shape::Map(table) | Shape::TextOr(table) => first(table),
        Shape::Named(item) => format!("{{ x: {} }}", example(*item)),
        Shape::List(item) | Shape::Some(item) | Shape::OneOrMany(item) | Shape::SomeOr(item, _) => {
            format!("[{}]", example(*item))
        }
    }
}

/// Every inherited key of a table, as `a: { b: { HERE } }` with the keys that have to be beside it.
fn inherited(table: &'static Table, around: &str, found: &mut Vec<(String, &'static Key)>) {
    for key in table.keys {
        let beside = table.keys.iter().filter(|it| it.needed == Needed::Yes && it.name != key.name);
        let beside: String =
            beside.map(|it| format!("{}: {}, ", it.name, example(it.shape))).collect();
        let here = around.replace("HERE", &format!("{beside}HERE"));
        if key.null == Null::Removes {
            found.push((here.clone(), key));
        }
        if let Shape::Map(below) = key.shape {
            inherited(below, &here.replace("HERE", &format!("{}: {{ HERE }}", key.name)), found);
        }
    }
}

#[test]
fn null_drops_the_default_of_every_key_that_can_be_inherited() {
    let files = BTreeMap::from([("x1".to_owned(), Vec::new())]);
    let web = |defaults: &str, fleet: &str| {
        let text = format!(
            "version: 1\ncloud: c\ndefaults: {{ {defaults} }}\nfleets:\n  web: {{ hosts: [{{ tag: a=b }}], {fleet} }}\n"
        );
        let parsed = parse(&Source::new("p.yaml", text.as_str()), &files);
        let playbook = parsed.playbook.unwrap_or_else(|| panic!("{:?}\n{text}", parsed.problems));
        let FleetSpec { treatment, strategy, .. } = playbook.fleets["web"].clone();
        (treatment, Strategy { written: true, ..strategy })
    };
    let mut keys = Vec::new();
    inherited(&DEFAULTS, "HERE", &mut keys);
    assert!(keys.len() > 40, "{}", keys.len());
    for (around, key) in keys {
        let with = |said: &str| around.replace("HERE", said);
        // An owner says nothing without a key.
        let owned = if key.name == "key_owner" { "key_name: k, " } else { "" };
        let (dropped, without) = (format!("{}: null", key.name), with(owned));
        let whole = web(&without, "");
        let values: Vec<String> = if let Shape::Word(words) = key.shape {
            words.iter().map(|word| (*word).to_owned()).collect()
        } else {
            vec![example(key.shape), "true".to_owned()]
        };
        // Both values of a switch; there is only one example of everything else.
        let most = if matches!(key.shape, Shape::Flag | Shape::Word(_)) { values.len() } else { 1 };
        let mut said =
            values.iter().take(most).map(|value| with(&format!("{owned}{}: {value}", key.name)));
        let said = said.find(|said| web(said, "") != whole);
        let said = said.unwrap_or_else(|| panic!("{}: nothing but what is built in", key.name));
        assert_eq!(web(&said, &with(&dropped)), whole, "{said}");
    }
}

#[test]
fn an_override_that_later_ones_undo_is_told() {
    let warned = |overrides: &str| -> usize {
        let text = format!(
            "version: 1\ncloud: c\nfleets:\n  web: {{ hosts: [{{ tag: a=b }}], overrides: [{overrides}] }}\n"
        );
        let problems = parse(&Source::new("p.yaml", text.as_str()), &NoFiles).problems;
        assert!(
            problems.iter().all(|it| it.code() == "playbook::unreachable_override"),
            "{problems:?}"
        );
        problems.len()
    };
    let of = |matching: &str, says: &str| format!("{{ match: {{ {matching} }}, {says} }}");
    let settle = |time: &str| format!("wait: {{ settle: {time} }}");
    let both = |one: String, other: String| format!("{one}, {other}");
    let narrow = of("tag: a=b, az: z", &settle("1m"));
    assert_eq!(warned(&both(narrow.clone(), of("tag: a=b", &settle("2m")))), 1);
    assert_eq!(warned(&both(narrow.clone(), of("tag: a=b", "wait: null"))), 1);
    assert_eq!(warned(&both(of("tag: a=b", &settle("2m")), narrow.clone())), 0, "in order");
    assert_eq!(warned(&both(narrow.clone(), of("tag: a=c", &settle("2m")))), 0, "others");
    assert_eq!(warned(&both(narrow.clone(), of("tag: a=b", "wait: { timeout: 1h }"))), 0, "beside");
    let dropped = of("tag: a=b", "wait: null");
    assert_eq!(warned(&both(dropped, of("tag: a=b", &settle("2m")))), 0, "timeout stays dropped");
    let checks = of("tag: a=b", "verify: [fresh]");
    assert_eq!(warned(&both(checks.clone(), of("tag: a=b", "verify: [defaults, unchanged]"))), 0);
    assert_eq!(warned(&both(checks, of("tag: a=b", "verify: [unchanged]"))), 1);
    let three =
        [of("tag: a=b", "start_back: false, wait: { settle: 1m }"), of("tag: a=b", &settle("2m"))];
    assert_eq!(warned(&three.join(", ")), 0);
    assert_eq!(warned(&[three.join(", "), of("tag: a=b", "start_back: true")].join(", ")), 1);
}

#[test]
fn defaults_in_a_list_stands_for_the_inherited_list() {
    let port = |port| Check::Tcp { port, within: Millis::mins(10) };
    let defaults = "verify: [defaults, { tcp: { port: 22 } }]";
    let inherited = web(defaults, "expect: 1");
    assert_eq!(inherited.treatment.verify, [Check::Fresh, Check::Unchanged, port(22)]);
    let added = web(defaults, "verify: [{ tcp: { port: 80 } }, defaults]");
    assert_eq!(added.treatment.verify, [port(80), Check::Fresh, Check::Unchanged, port(22)]);
    let replaced = web(defaults, "verify: [fresh]");
    assert_eq!(replaced.treatment.verify, [Check::Fresh]);
}

#[test]
fn later_overrides_win_key_by_key() {
    let fleet = web(
        "reinstall: { key_name: ops, key_owner: u1 }",
        "wait: { settle: 1m }, overrides: [\
           { match: { name: a-* }, wait: { timeout: 2h }, reinstall: { key_name: a } }, \
           { match: { name: b-* }, wait: { timeout: 3h, settle: null }, verify: [defaults, { tcp: { port: 22 } }] }]",
    );
    assert_eq!(fleet.treatment_for(&[], None), fleet.treatment);
    let first = fleet.treatment_for(&[0], None);
    assert_eq!(first.wait, Wait { settle: Millis::mins(1), timeout: Millis::mins(120) });
    let key = |name: &str| LoginSpec::KeyPair { name: name.to_owned(), owner: Some("u1".into()) };
    assert_eq!(
        (&first.reinstall.login, &fleet.treatment.reinstall.login),
        (&key("a"), &key("ops"))
    );
    let both = fleet.treatment_for(&[0, 1], None);
    assert_eq!(both.wait, Wait { settle: Millis::mins(3), timeout: Millis::mins(180) });
    assert_eq!((&both.reinstall.login, both.verify.len()), (&key("a"), 3));
}

#[test]
fn a_backup_is_inherited_whole_and_null_removes_it() {
    let backup = |defaults: &str, fleet: &str| web(defaults, fleet).treatment.backup;
    let spec = |vault: &str, hours: u64| {
        let (vault, timeout) = (vault.to_owned(), Millis::mins(60 * hours));
        Some(BackupSpec { vault, timeout })
    };
    assert_eq!(backup("backup: { vault: daily, wait: true }", ""), spec("daily", 4));
    assert_eq!(backup("backup: { vault: daily, timeout: 9h }", "backup: null"), None);
    assert_eq!(
        backup("backup: { vault: daily, timeout: 9h }", "backup: { vault: weekly }"),
        spec("weekly", 9)
    );
    let fleet = web(
        "backup: { vault: daily }",
        "overrides: [{ match: { name: a }, backup: null }, { match: { name: b }, backup: { vault: big } }]",
    );
    assert_eq!(fleet.treatment_for(&[0], None).backup, None);
    assert_eq!(fleet.treatment_for(&[1], None).backup, spec("big", 4));
}

#[test]
fn an_image_is_inherited_and_an_override_may_have_another() {
    let named = |name: &str| ImageChoice::Named(name.to_owned());
    let fleet = web(
        "reinstall: { image: Debian 12 }",
        "overrides: [{ match: { name: a }, reinstall: { image: current } }, \
         { match: { name: b }, reinstall: { image: null } }, { match: { name: c }, reinstall: { image: Arch } }]",
    );
    assert_eq!(fleet.treatment.reinstall.image, named("Debian 12"));
    let images = [0, 1, 2].map(|number| fleet.treatment_for(&[number], None).reinstall.image);
    assert_eq!(images, [ImageChoice::Current, ImageChoice::Current, named("Arch")]);
}

#[test]
fn one_way_to_log_in_replaces_the_inherited_other() {
    let password =
        web("reinstall: { key_name: ops, key_owner: u }", "reinstall: { admin_pass: { env: P } }");
    assert!(matches!(
        &password.treatment.reinstall.login,
        LoginSpec::Password(secret) if secret.0 == SecretSource::Env("P".to_owned())
    ));
    let key = web("reinstall: { admin_pass: { file: secret } }", "reinstall: { key_name: ops }");
    assert_eq!(
        key.treatment.reinstall.login,
        LoginSpec::KeyPair { name: "ops".to_owned(), owner: None }
    );
}

#[test]
fn files_are_pinned_by_hash_and_seen_from_where_we_are() {
    let playbook = read(
        "version: 1\ncloud: c\nfleets:\n  web:\n    hosts: [{ tag: a=b }]\n    reinstall: { user_data: { file: init.yaml } }\n",
    );
    let user_data = playbook.fleets["web"].treatment.reinstall.user_data.clone().unwrap();
    let UserData { file, inserts: None } = user_data else { panic!("it is no template") };
    assert_eq!(file.path, "ops/init.yaml");
    assert_eq!(file.sha256, source::sha256(b"#cloud-config\n"));
    assert_eq!(playbook.files, [file]);
}

#[test]
fn values_are_inserted_and_keep_their_kind() {
    let playbook = read(
        "version: 1\ncloud: c\nvars: { n: 3, r: '2026.10', on: true }\nfleets:\n  web:\n    expect: '{{ n }}'\n    \
         hosts: [{ name: 'web-{{r}}-{{ n }}*' }]\n    start_back: '{{ on }}'\n    strategy: { serial: '{{ n }}0%' }\n",
    );
    let fleet = &playbook.fleets["web"];
    assert_eq!(fleet.expect.as_ref().map(|(n, _)| *n), Some(3));
    assert_eq!(fleet.strategy.serial, [Size::Share(Share(30))]);
    let Hosts::Matching(selector) = &fleet.hosts[0].hosts else { panic!("not a selector") };
    assert_eq!(selector.name(), Some("web-2026.10-3*"));
    assert!(fleet.treatment.start_back);
}

#[test]
fn every_place_is_a_line_of_the_file() {
    let playbook = read(
        "version: 1\ncloud: c\nguards:\n  max_hosts: 9\n  protected:\n    - name: x\nfleets:\n  db:\n    hosts:\n      - id: a\n      - { tag: t }\n  \
         web:\n    hosts: [{ tag: a=b }]\n    depends_on:\n      - fleet: db\n        verified: 80%\n    \
         steps: [{ stop: { mode: hard, force_after: 5m } }, validate, reinstall, wait, { verify: {}, id: v, after: [stop] }]\n",
    );
    let guards = &playbook.guards;
    assert_eq!((playbook.cloud_place.line, guards.max_hosts.as_ref().unwrap().1.line), (2, 4));
    assert_eq!(guards.protected[0].1.line, 6);
    let lines: Vec<_> = playbook.fleets["db"].hosts.iter().map(|host| host.place.line).collect();
    assert_eq!(lines, [10, 11]);
    let web = &playbook.fleets["web"];
    assert_eq!(
        (web.place.line, web.depends_on[0].place.line, web.depends_on[0].verified),
        (12, 15, Share(80))
    );
    assert_eq!(
        web.steps[0].stop,
        StopSpec { mode: StopMode::Hard, force_after: Some(Millis::mins(5)), skip: false }
    );
    assert_eq!((web.steps[4].id.as_str(), web.steps[4].after[0].0.as_str()), ("v", "stop"));
}

#[test]
fn a_step_of_the_playbooks_own_is_read_whole() {
    let text = "version: 1\ncloud: c\nvars: { site: eu }\nfleets:\n  db:\n    hosts: [{ tag: a=b }]\n    steps:\n      \
        - run: [./init.yaml, '{{ host.name }} in {{ site }}', a b]\n        id: demote\n        timeout: 2m\n        \
        undo: [promote, '{{ host.ip }}']\n        env: { SITE: '{{ site }}' }\n        cwd: .\n        once: true\n      \
        - stop\n      - validate\n      - reinstall\n      - wait\n      - verify\n      \
        - { run: [notify], after: reinstall }\n";
    let playbook = read(text);
    let steps = &playbook.fleets["db"].steps;
    let demote = steps[0].run.as_deref().unwrap();
    assert_eq!(
        (demote.run.shown().as_str(), demote.undo.as_ref().unwrap().shown().as_str()),
        ("./init.yaml \"{{ host.name }} in eu\" \"a b\"", "promote \"{{ host.ip }}\"")
    );
    assert_eq!(
        (steps[0].word, demote.timeout, demote.once),
        (StepWord::Run, Millis::mins(2), true)
    );
    assert_eq!(demote.env["SITE"].as_str(), "eu");
    assert_eq!(demote.cwd, "ops");
    // Named by its path, and so pinned; the other is looked for in PATH.
    assert_eq!(demote.run.file.as_ref().unwrap().path, "ops/init.yaml");
    assert_eq!(playbook.files, [demote.run.file.clone().unwrap()]);
    assert_eq!(demote.undo.as_ref().unwrap().file, None);
    let notify = steps[6].run.as_deref().unwrap();
    assert_eq!((steps[6].id.as_str(), steps[6].after[0].0.as_str()), ("run", "reinstall"));
    assert_eq!(
        (notify.timeout, notify.once, notify.cwd.as_str()),
        (Millis::mins(10), false, "ops")
    );
}

#[test]
fn rates_and_limits_are_read() {
    let limits = read(
        "version: 1\ncloud: c\nlimits: { api: { rate: 2000/s, burst: 500 }, reinstalls: 1000, per_az: 7, stop_batch: 1000 }\nfleets: { w: { hosts: [{ id: a }] } }\n",
    )
    .limits;
    let api = ApiLimit { per_minute: 120_000, burst: 500 };
    assert_eq!(limits, Limits { api, reinstalls: 1000, per_az: Some(7), stop_batch: 1000 });
}

/// What a playbook with these fleets is refused for, with the line of each.
fn refused(fleets: &str) -> Vec<String> {
    let source = Source::new("p.yaml", format!("version: 1\ncloud: c\nfleets:\n{fleets}"));
    let parsed = parse(&source, &NoFiles);
    assert!(parsed.playbook.is_none(), "nothing is refused");
    let view = |problem: &Problem| format!("{} {}", problem.code(), problem.view().line);
    parsed.problems.iter().map(|problem| view(problem).replace("playbook::", "")).collect()
}

#[test]
fn a_matrix_makes_fleets_that_go_one_after_another() {
    let playbook = read(
        "version: 1\ncloud: c\nvars: { second: b }\nfleets:\n  web:\n    matrix: { az: [a, '{{ second }}'], n: [1, 2] }\n    \
         hosts: [{ tag: role=web, az: '{{ matrix.az }}' }]\n    expect: '{{ matrix.n }}'\n    depends_on: [db]\n  \
         db: { hosts: [{ tag: role=db }] }\n  front: { hosts: [{ id: x }], depends_on: [{ fleet: web, verified: 80% }] }\n  \
         last: { hosts: [{ id: y }], depends_on: ['web[b,2]'] }\n",
    );
    let names: Vec<&str> = playbook.fleets.keys().map(FleetName::as_str).collect();
    assert_eq!(names, ["web[a,1]", "web[a,2]", "web[b,1]", "web[b,2]", "db", "front", "last"]);
    let second = &playbook.fleets["web[b,1]"];
    assert_eq!((second.family.as_str(), second.expect.as_ref().unwrap().0), ("web", 1));
    let Hosts::Matching(selector) = &second.hosts[0].hosts else { panic!("not a selector") };
    assert_eq!(selector.to_string(), "tag: role=web, az: b");
    let needs = |fleet: &str| -> Vec<String> {
        let needs = playbook.fleets[fleet].depends_on.iter();
        needs.map(|need| format!("{} {}%", need.fleet, need.verified.0)).collect()
    };
    assert_eq!(needs("web[a,1]"), ["db 100%"]);
    assert_eq!(needs("web[b,1]"), ["db 100%", "web[a,2] 100%"]);
    assert_eq!(needs("front"), ["web[a,1] 80%", "web[a,2] 80%", "web[b,1] 80%", "web[b,2] 80%"]);
    assert_eq!(needs("last"), ["web[b,2] 100%"]);
}

#[test]
fn a_matrix_that_cannot_be_used_is_told_once() {
    let fleet = |matrix: &str, rest: &str| {
        refused(&format!(
            "  web:\n    matrix: {matrix}\n    hosts: [{{ name: '{{{{ matrix.az }}}}-*' }}]\n{rest}"
        ))
    };
    assert_eq!(fleet("{ az: [a, b] }", "    wait: { settle: soon }\n"), ["bad_duration 7"]);
    assert_eq!(fleet("{ az: [a, b] }", "    expect: '{{ matrix.az }}'\n").len(), 2);
    assert_eq!(fleet("{ az: [a, b] }", "    expect: '{{ matrix.n }}'\n"), ["unknown_variable 7"]);
    assert_eq!(fleet("{ az: [] }", ""), ["empty_list 5"]);
    assert_eq!(fleet("{ az: a }", ""), ["wrong_type 5"]);
    assert_eq!(fleet("{ az: [a, ''] }", ""), ["blank 5"]);
    assert_eq!(fleet("{ az: [a, 'b]'] }", ""), ["bad_name 5"]);
    assert_eq!(fleet("{ az: ['{{ host.az }}'] }", ""), ["bad_name 5"]);
    assert_eq!(fleet("{ az: [a, b] }", "    depends_on: [web]\n"), ["depends_on_itself 7"]);
    assert_eq!(fleet("{ az: [a, b] }", "    depends_on: ['web[a]']\n"), ["depends_on_itself 7"]);
    let outside = "  db: { hosts: [{ az: '{{ matrix.az }}' }] }\n";
    assert_eq!(fleet("{ az: [a, b] }", outside), ["not_available_here 7"]);
    let twice = "  db: { hosts: [{ id: x }], depends_on: [web, 'web[a]'] }\n";
    assert_eq!(fleet("{ az: [a, b] }", twice), ["depends_twice 7"]);
    assert_eq!(refused("  'web[a]': { hosts: [{ id: x }] }\n"), ["bad_name 4"]);
}

/// A playbook beside files that it includes.
fn with_files(text: &str, files: &[(&str, &str)]) -> Parsed {
    let files: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    parse(&Source::new("ops/p.yaml", text), &files)
}

const HEAD: &str = "version: 1\ncloud: c\ninclude: [lib/team.yaml]\n";
const WEB: &str = "fleets: { web: { hosts: [{ tag: role=web }] } }\n";

#[test]
fn an_included_file_brings_fleets_defaults_and_guards() {
    let team = "version: 1\nvars: { role: db }\nguards: { max_hosts: 9, protected: [{ tag: tier=core }] }\n\
        defaults: { wait: { settle: 9m }, reinstall: { key_name: team, user_data: { file: init.yaml } } }\n\
        fleets: { db: { hosts: [{ tag: \"role={{ role }}\" }] } }\n";
    let own = format!(
        "{HEAD}guards: {{ max_hosts: 5 }}\ndefaults: {{ reinstall: {{ key_name: own }} }}\n\
         fleets: {{ web: {{ hosts: [{{ tag: role=web }}], depends_on: [db] }} }}\n"
    );
    let parsed = with_files(&own, &[("lib/team.yaml", team), ("lib/init.yaml", "#cloud-config\n")]);
    assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
    let playbook = parsed.playbook.unwrap();
    let names: Vec<&str> = playbook.fleets.keys().map(FleetName::as_str).collect();
    assert_eq!(names, ["db", "web"]);
    assert_eq!(playbook.fleets["db"].place.to_string(), "ops/lib/team.yaml:5");
    for fleet in playbook.fleets.values() {
        let treatment = &fleet.treatment;
        assert_eq!(treatment.wait.settle, Millis::mins(9), "{}", fleet.name);
        let LoginSpec::KeyPair { name, .. } = &treatment.reinstall.login else { panic!() };
        assert_eq!(name, "own", "the playbook has the last word");
        assert_eq!(treatment.reinstall.user_data.as_ref().unwrap().file.path, "ops/lib/init.yaml");
    }
    assert_eq!(playbook.guards.max_hosts.as_ref().map(|(most, _)| *most), Some(5));
    assert_eq!(playbook.guards.protected.len(), 1);
    let pinned: Vec<&str> = playbook.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(pinned, ["ops/lib/team.yaml", "ops/lib/init.yaml"]);
}

#[test]
fn guards_of_included_files_only_get_stricter() {
    let check = |team: &str, own: &str, looser: Option<&str>| {
        let text = format!("{HEAD}guards: {own}\n{WEB}");
        let parsed =
            with_files(&text, &[("lib/team.yaml", &format!("version: 1\nguards: {team}\n"))]);
        let told: Vec<_> = parsed.problems.iter().map(|p| (p.code(), p.message.as_str())).collect();
        match looser {
            None => assert!(told.is_empty(), "{team} {own}: {told:?}"),
            Some(message) => {
                assert_eq!(told, [("playbook::looser_guard", message)], "{team} {own}");
            }
        }
    };
    check("{ max_hosts: 9 }", "{ max_hosts: 9 }", None);
    check("{ max_hosts: 9 }", "{ max_share: 10% }", None);
    let place = "ops/lib/team.yaml:2";
    let of = |what: &str| format!("{what} {place}");
    check("{ max_hosts: 9 }", "{ max_hosts: 10 }", Some(&of("`max_hosts` is looser than at")));
    check("{ max_share: 9% }", "{ max_share: 10% }", Some(&of("`max_share` is looser than at")));
    check("{ plan_ttl: 1h }", "{ plan_ttl: 2h }", Some(&of("`plan_ttl` is looser than at")));
    check(
        "{ require: { saved_plan: true } }",
        "{ require: { saved_plan: false } }",
        Some(&format!("`saved_plan: false`, and {place} requires one")),
    );
    check(
        "{ require: { backup: true } }",
        "{ require: { backup: false } }",
        Some(&format!("`backup: false`, and {place} requires one")),
    );
    check(
        "{ not_self: true }",
        "{ not_self: false }",
        Some(&format!("`not_self: false`, and {place} says true")),
    );
    let switched = "`not_self: false` in a file that is included";
    check("{ not_self: false }", "{ max_hosts: 9 }", Some(switched));
}

#[test]
fn what_is_wrong_in_an_included_file_is_told_with_the_rest_and_without_its_secret() {
    let team = "version: 1\nlimits: { reinstalls: 3 }\n\
        defaults: { reinstall: { admin_pass: hunter2 }, wait: { settle: soon } }\n";
    let text = format!("{HEAD}{WEB}oops: 1\n");
    let parsed = with_files(&text, &[("lib/team.yaml", team)]);
    let told: Vec<_> = parsed.problems.iter().map(|p| (p.source.name.as_str(), p.code())).collect();
    assert_eq!(
        told,
        [
            ("ops/p.yaml", "playbook::unknown_key"),
            ("ops/lib/team.yaml", "playbook::unknown_key"),
            ("ops/lib/team.yaml", "playbook::inline_secret"),
            ("ops/lib/team.yaml", "playbook::bad_duration"),
        ]
    );
    assert!(!format!("{:?}", parsed.problems).contains("hunter2"));
    let gone = with_files(&text.replace("oops: 1", ""), &[]);
    let told: Vec<_> = gone.problems.iter().map(Problem::code).collect();
    assert_eq!(told, ["playbook::file_unreadable"]);
}

fn ssh(keys: &str) -> SshCheck {
    let fleet = web("", &format!("verify: [{{ ssh: {{ user: ubuntu, run: 'true'{keys} }} }}]"));
    let Check::Ssh(ssh) = &fleet.treatment.verify[0] else {
        unreachable!("it is a check over SSH")
    };
    (**ssh).clone()
}

#[test]
fn refleet_logs_in_by_itself_unless_ssh_is_to() {
    assert_eq!(ssh("").program, SshProgram::usual());
    assert_eq!(ssh(", program: ssh").program, SshProgram::Ssh);
    assert_eq!(SshProgram::usual() == SshProgram::Refleet, SshProgram::HAS_OWN);
    if SshProgram::HAS_OWN {
        assert_eq!(ssh(", program: refleet").program, SshProgram::Refleet);
    }
}

#[test]
fn a_key_file_is_seen_from_the_playbook_or_from_home() {
    assert_eq!(ssh(", key_file: keys/ops").key_file.as_deref(), Some("ops/keys/ops"));
    assert_eq!(ssh(", key_file: ~/.ssh/ops").key_file.as_deref(), Some("~/.ssh/ops"));
}
