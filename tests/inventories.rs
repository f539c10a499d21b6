//! Files that list servers, in every format: what is read of them, with which places, and what is
//! refused. Whatever else they hold is never shown.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

use std::collections::BTreeMap;

use miette::{GraphicalReportHandler, GraphicalTheme};
use refleet::domain::Millis;
use refleet::playbook::{Hosts, LoginSpec, Parsed, Playbook, Problem, Source, parse};

fn read_as(entry: &str, files: &[(&str, &str)]) -> Parsed {
    let text = format!(
        "version: 1\ncloud: c\nfleets:\n  web:\n    hosts: [{{ {entry} }}]\n    wait: {{ settle: 1m, timeout: 20m }}\n"
    );
    let files: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    parse(&Source::new("ops/p.yaml", text), &files)
}

fn read(path: &str, entry: &str, inventory: &str) -> Parsed {
    read_as(&format!("file: {path}{entry}"), &[(path, inventory)])
}

fn pictures(parsed: &Parsed) -> String {
    let theme = GraphicalTheme::unicode_nocolor();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    let mut text = String::new();
    for problem in &parsed.problems {
        handler.render_report(&mut text, problem).unwrap();
    }
    text
}

fn good(parsed: Parsed) -> Playbook {
    assert!(parsed.problems.is_empty(), "{}", pictures(&parsed));
    parsed.playbook.unwrap()
}

/// The servers that are listed, each with its line.
fn listed(parsed: Parsed) -> String {
    let playbook = good(parsed);
    let Hosts::Listed { lines, .. } = &playbook.fleets[0].hosts[0].hosts else {
        panic!("not a file");
    };
    lines
        .iter()
        .map(|line| format!("{}@{}", line.text, line.place.line))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The problems, each with its file and line.
fn found(parsed: &Parsed) -> Vec<String> {
    assert!(parsed.playbook.is_none(), "nothing is refused");
    let view = |problem: &Problem| {
        let view = problem.view();
        let code = view.code.trim_start_matches("playbook::");
        format!("{code} {}:{}", view.file.trim_start_matches("ops/"), view.line)
    };
    parsed.problems.iter().map(view).collect()
}

#[test]
fn one_a_line() {
    let text = "# all of them\nweb-1\n\n  web-2  # new\r\n";
    assert_eq!(listed(read("i.txt", "", text)), "web-1@2 web-2@4");
    assert_eq!(listed(read("hosts", "", "\u{feff}web-1\n")), "web-1@1");
    for (text, problem) in [
        ("# nothing\n\n", "empty_inventory p.yaml:5"),
        ("web-1\nweb-*\n", "pattern_in_inventory i.txt:2"),
        ("web-1\nweb-2\nweb-1\n", "listed_twice i.txt:3"),
        ("web-1,eu-de-01\n", "bad_inventory i.txt:1"),
        ("web-1 ansible_host=10.0.0.1\n", "bad_inventory i.txt:1"),
    ] {
        assert_eq!(found(&read("i.txt", "", text)), [problem], "{text}");
    }
    assert_eq!(found(&read("i.txt", ", group: web", "web-1\n")), ["lonely_group p.yaml:5"]);
}

#[test]
fn csv_lists_servers_by_id_or_name() {
    let text = "id;name\r\n\r\n# old ones\r\n7f0b;web-1\r\n\"8a\";\"web-2\"\r\n";
    assert_eq!(listed(read("i.csv", "", text)), "7f0b@4 8a@5");
    assert_eq!(listed(read("i.tsv", "", "name\twait.settle\nweb-1\t-\n")), "web-1@2");
    let playbook = good(read("i.csv", "", "id,name\na,web-1\n"));
    let Hosts::Listed { lines, .. } = &playbook.fleets[0].hosts[0].hosts else { panic!() };
    assert_eq!(lines[0].named.as_deref(), Some("web-1"));
    for (text, problems) in [
        ("", vec!["empty_inventory p.yaml:5"]),
        ("name\n", vec!["empty_inventory p.yaml:5"]),
        ("host\nweb-1\n", vec!["unknown_column i.csv:1"]),
        ("web-1\nweb-2\n", vec!["unknown_column i.csv:1"]),
        ("remark,host,x\na,b,c\n", vec!["unknown_column i.csv:1"]),
        ("wait.settle\n5m\n", vec!["bad_row i.csv:1"]),
        ("name,\nweb-1,note\n", vec!["unknown_column i.csv:1"]),
        ("sep=;\nname;x\nweb-1;1\n", vec!["unknown_column i.csv:2"]),
        ("Name,name\nweb-1,x\n", vec!["duplicate_key i.csv:1"]),
        ("name,verify\nweb-1,fresh\n", vec!["unknown_column i.csv:1"]),
        ("name,match.name\nweb-1,x\n", vec!["unknown_column i.csv:1"]),
        ("name,name\nweb-1,x\n", vec!["duplicate_key i.csv:1"]),
        ("name,wait.settle\nweb-1,\n", vec!["blank i.csv:2"]),
        ("name,wait.settle\n,5m\n", vec!["blank i.csv:2"]),
        (
            "name,wait.settle\nweb-1,soon\nweb-2,5x\n",
            vec!["bad_duration i.csv:2", "bad_duration i.csv:3"],
        ),
        ("name,reinstall.license\nweb-1,mine\n", vec!["unknown_word i.csv:2"]),
        ("name,wait.settle\nweb-1,5m,6m\n", vec!["bad_row i.csv:2"]),
        ("name\nweb-1\nweb-1\n", vec!["listed_twice i.csv:3"]),
        ("name\n\"web-1\n", vec!["bad_inventory i.csv:2"]),
        ("name,reinstall.user_data.file\nweb-1,none.yaml\n", vec!["file_unreadable i.csv:2"]),
    ] {
        assert_eq!(found(&read("i.csv", "", text)), problems, "{text}");
    }
}

#[test]
fn a_row_is_an_override_of_its_server_alone() {
    let text = "name,wait.settle,reinstall.key_name,start_back\n\
                web-1,5m,-,false\nweb-2,-,ops,-\nweb-3,null,-,-\nweb-4,5m,-,false\nweb-5,-,-,-\n";
    let playbook = good(read("i.csv", "", text));
    let fleet = &playbook.fleets[0];
    let Hosts::Listed { lines, .. } = &fleet.hosts[0].hosts else { panic!() };
    let rows: Vec<Option<usize>> = lines.iter().map(|line| line.row).collect();
    assert_eq!(rows, [Some(0), Some(1), Some(2), Some(0), None], "equal rows are one");
    let settle = |row| fleet.treatment_for(&[], Some(row)).wait.settle;
    assert_eq!(
        [settle(0), settle(1), settle(2)],
        [Millis::mins(5), Millis::mins(1), Millis::mins(3)]
    );
    let first = fleet.treatment_for(&[], Some(0));
    assert!(!first.start_back && first.wait.timeout == Millis::mins(20));
    let login = fleet.treatment_for(&[], Some(1)).reinstall.login;
    assert_eq!(login, LoginSpec::KeyPair { name: "ops".to_owned(), owner: None });
}

#[test]
fn files_of_a_row_are_seen_from_the_list_and_pinned() {
    let files = [
        ("lists/i.csv", "name,reinstall.user_data.file\nweb-1,init.yaml\n"),
        ("lists/init.yaml", "#cloud-config\n"),
    ];
    let playbook = good(read_as("file: lists/i.csv", &files));
    let pinned: Vec<&str> = playbook.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(pinned, ["ops/lists/i.csv", "ops/lists/init.yaml"]);
}

const INI: &str = "\
bastion ansible_host=10.0.0.9

[web]  # the front
web-[08:10].example.com:2222 ansible_user=ops
web-a
[db]
db-[a:b]
[prod:children]
web
db
[web:vars]
ansible_port=22
";

#[test]
fn an_ini_inventory_of_ansible_is_read_by_group() {
    let web = "web-08.example.com@4 web-09.example.com@4 web-10.example.com@4 web-a@5";
    let db = "db-a@7 db-b@7";
    assert_eq!(listed(read("i.ini", ", group: web", INI)), web);
    assert_eq!(listed(read("hosts", ", group: db", &INI.replacen("bastion", "# ", 1))), db);
    assert_eq!(listed(read("i.ini", ", group: prod", INI)), format!("{web} {db}"));
    assert_eq!(listed(read("i.ini", ", group: all", INI)), format!("bastion@1 {web} {db}"));
    assert_eq!(listed(read("i.ini", ", group: ungrouped", INI)), "bastion@1");
    assert_eq!(listed(read("i.ini", "", "[web]\nweb-1\n")), "web-1@2");
    for (group, text, problem) in [
        ("", INI, "group_needed p.yaml:5"),
        (", group: wbe", INI, "unknown_group p.yaml:5"),
        (", group: web", "[web]\nweb-[1:\n", "bad_range i.ini:2"),
        (", group: all", "[web:children]\ndb\n", "unknown_group i.ini:2"),
        (", group: all", "[web:host]\ndb\n", "bad_inventory i.ini:1"),
        (", group: all", "[web]\na=b\n", "bad_inventory i.ini:2"),
        (", group: web", "[web]\n[db]\ndb-1\n", "empty_inventory p.yaml:5"),
        (", group: web", "[web]\nweb-*\n", "pattern_in_inventory i.ini:2"),
    ] {
        assert_eq!(found(&read("i.ini", group, text)), [problem], "{text}");
    }
}

/// Lines are cut as Ansible cuts them; what it refuses is refused at its line.
#[test]
fn an_ini_line_is_cut_as_ansible_cuts_it() {
    for (text, want) in [
        ("[web]\n\"web-1\" a=1\n'web-2'\n", "web-1@2 web-2@3"),
        ("[web]#x\nweb-3# note\nweb-4 b='x y' #c\n", "web-3@2 web-4@3"),
        ("[web]\nweb-[:2]\nx-[1:5:2]:22\n", "web-0@2 web-1@2 web-2@2 x-1@3 x-3@3 x-5@3"),
        ("[db]\na\n[web:children]\ndb # x\n", "a@2"),
        ("[web:hosts]\na\n[all:vars]\nx=1\n", "a@2"),
        ("[web]\na\n[db]\nb\n[web]\nc\na\n", "a@2 c@6"),
        ("[web]\n2001:db8::1\n", "2001:db8::1@2"),
    ] {
        assert_eq!(listed(read("i.ini", ", group: web", text)), want, "{text}");
    }
    for (text, line) in [
        ("[web]\nweb 1\n", 2),
        ("[web]\na b=1 c\n", 2),
        ("[web]\na ;first\n", 2),
        ("[web]\na = 10.0.0.1\n", 2),
        ("[web]\n'a\n", 2),
        ("[web]\na:\n", 2),
        ("[web]\n---\n", 2),
        ("[web]\n''\n", 2),
        ("[web] x\na\n", 1),
        ("[we b]\na\n", 1),
        ("[web]\na\n[x:vars]\nb=1\n", 3),
        ("[web]\na\n[web:vars]\nb\n", 4),
        ("[a]\nx\n[b]\ny\n[web:children]\na b\n", 6),
        ("[web]\na\n[web:children]\nall\n", 4),
        ("[web]\na\u{c}b\n", 2),
        ("[web]\na\rb\n", 2),
        ("[web]\na[3:1]\n", 2),
    ] {
        let parsed = read("i.ini", ", group: web", text);
        let places: Vec<usize> =
            parsed.problems.iter().map(|problem| problem.view().line).collect();
        assert!(parsed.playbook.is_none(), "{text}");
        assert_eq!(places, [line], "{text}\n{}", pictures(&parsed));
    }
    let shown = pictures(&read("i.ini", "", "[web]\nweb 1\n"));
    assert!(shown.contains("`1` behind the host `web` is no `key=value`"), "{shown}");
}

/// `ungrouped` is who is in no group but `all`.
#[test]
fn ungrouped_is_never_wider() {
    let text = "[all]\na x=1\nb\nspare\n[ungrouped]\nb\nloose\n[web]\na\n[db]\nb\n";
    assert_eq!(listed(read("i.ini", ", group: ungrouped", text)), "spare@4 loose@7");
    let yaml = "all:\n  hosts: { a: , s: }\n  children: { web: { hosts: { a: } }, ungrouped: }\n";
    assert_eq!(listed(read("i.yml", ", group: ungrouped", yaml)), "s@2");
    let nobody = read("i.ini", ", group: ungrouped", "[all]\na\n[web]\na\n");
    assert_eq!(found(&nobody), ["empty_inventory p.yaml:5"]);
    assert!(pictures(&nobody).contains("the group `ungrouped` of"), "{}", pictures(&nobody));
}

/// A file is known by its lines, whatever its name; no advice makes an entry wider.
#[test]
fn an_inventory_is_known_by_its_lines() {
    let ini = "bastion ansible_host=10.0.0.9\n\n[web]\nweb-1\n";
    for path in ["hosts", "hosts.txt", "prod.inventory", "hosts.yml"] {
        assert_eq!(listed(read(path, ", group: web", ini)), "web-1@4", "{path}");
    }
    let yaml = "# ours\nweb: # front\n  hosts: { a: }\n";
    assert_eq!(listed(read("hosts", ", group: web", yaml)), "a@3");
    for (text, group) in [("a\nb\n", "web"), ("a x=1\nb\n", "web"), ("name\na\n", "web")] {
        let parsed = read("i.csv", &format!(", group: {group}"), text);
        let shown = pictures(&parsed) + &pictures(&read("hosts", ", group: web", text));
        assert!(parsed.playbook.is_none() && !shown.contains("remove `group`"), "{shown}");
    }
    assert_eq!(found(&read("i.toml", "", "[web.hosts.a]\n")), ["bad_inventory p.yaml:5"]);
}

const YAML: &str = "\
all:
  hosts:
    bastion:
  children:
    web:
      hosts:
        web-[1:2]: { ansible_host: 10.0.0.1 }
        web-a: ~
      vars: { ansible_port: !vault x }
    prod:
      children:
        web:
        db: { hosts: { db-1: {} } }
";

#[test]
fn a_yaml_inventory_of_ansible_is_read_by_group() {
    assert_eq!(listed(read("i.yml", ", group: web", YAML)), "web-1@7 web-2@7 web-a@8");
    assert_eq!(listed(read("i.txt", ", group: prod", YAML)), "web-1@7 web-2@7 web-a@8 db-1@13");
    assert_eq!(
        listed(read("i.yaml", ", group: all", YAML)),
        "bastion@3 web-1@7 web-2@7 web-a@8 db-1@13"
    );
    for (text, problem) in [
        ("web: [a]\n", "bad_inventory i.yaml:1"),
        ("web:\n  hosts: [a]\n", "bad_inventory i.yaml:2"),
        ("web:\n  host: { a: }\n", "bad_inventory i.yaml:2"),
        ("- [a]\n", "bad_inventory i.yaml:1"),
        ("web: {\n", "bad_inventory i.yaml:1"),
        ("web:\n  hosts:\n    1:\n", "bad_inventory i.yaml:3"),
        ("web:\n  hosts:\n    a: 10.0.0.1\n", "bad_inventory i.yaml:3"),
        ("web: { hosts: { a: } }\n---\nb:\n", "bad_inventory i.yaml:2"),
        ("plugin: x\nkeyed: [a]\nb: c\n", "bad_inventory i.yaml:1"),
        ("web:\n  hosts:\n    a:\n  vars:\n    b: c: d\n", "bad_inventory i.yaml:5"),
        ("web:\n  hosts: { 'a[1': }\n", "bad_range i.yaml:2"),
    ] {
        assert_eq!(found(&read("i.yaml", ", group: all", text)), [problem], "{text}");
    }
}

const STATE: &str = r#"{ "format_version": "1.0", "values": { "root_module": {
  "resources": [
    { "address": "huaweicloud_compute_instance.db", "mode": "managed", "type": "huaweicloud_compute_instance", "values": {
      "id": "aaaa-1", "admin_pass": "hunter2" } },
    { "address": "data.huaweicloud_compute_instance.x", "mode": "data", "type": "huaweicloud_compute_instance", "values": { "id": "no-1" } },
    { "address": "huaweicloud_vpc.x", "mode": "managed", "type": "huaweicloud_vpc", "values": { "id": "no-2" } } ],
  "child_modules": [ { "address": "module.web[\"a\"]", "resources": [
    { "address": "module.web[\"a\"].opentelekomcloud_compute_instance_v2.web[0]", "mode": "managed", "type": "opentelekomcloud_compute_instance_v2", "values": { "id": "bbbb-1" } },
    { "address": "module.web[\"a\"].opentelekomcloud_compute_instance_v2.web[1]", "mode": "managed", "type": "opentelekomcloud_compute_instance_v2", "values": { "id": "bbbb-2" } },
    { "address": "module.web[\"a\"].opentelekomcloud_ecs_instance_v1.y", "mode": "managed", "type": "opentelekomcloud_ecs_instance_v1", "values": { "id": "cccc-1" } }
  ] } ] } } }"#;

#[test]
fn a_state_of_terraform_gives_its_servers_by_id() {
    assert_eq!(
        listed(read("i.json", ", group: all", STATE)),
        "aaaa-1@4 bbbb-1@8 bbbb-2@9 cccc-1@10"
    );
    assert_eq!(listed(read("state", ", group: module.web", STATE)), "bbbb-1@8 bbbb-2@9 cccc-1@10");
    let web = "module.web.opentelekomcloud_compute_instance_v2.web";
    assert_eq!(listed(read("i.json", &format!(", group: {web}"), STATE)), "bbbb-1@8 bbbb-2@9");
    let one = STATE.replace("module.web", "module.x").replace("opentelekomcloud_", "other_");
    let others = read("i.json", "", &one);
    let shown = pictures(&others);
    assert!(others.playbook.is_some() && shown.contains("is not known, left out"), "{shown}");
    let named = ", group: huaweicloud_compute_instance.db";
    assert_eq!(listed(read("i.json", named, &one)), "aaaa-1@4");
    for (group, text, problem) in [
        ("", STATE, "group_needed p.yaml:5"),
        (", group: web", STATE, "unknown_group p.yaml:5"),
        ("", "{ \"version\": 4, \"resources\": [] }", "bad_inventory p.yaml:5"),
        ("", "{ \"planned_values\": {} }", "bad_inventory p.yaml:5"),
        ("", "{ \"values\": { \"root_module\": {} } }", "empty_inventory p.yaml:5"),
        (
            "",
            "{ \"values\": { \"root_module\": { \"resources\": [ hunter2",
            "bad_inventory p.yaml:5",
        ),
        ("", "{}", "bad_inventory p.yaml:5"),
    ] {
        assert_eq!(found(&read("i.json", group, text)), [problem], "{text}");
    }
}

fn state(resources: &str) -> String {
    format!(
        "{{\"format_version\":\"1.0\",\"values\":{{\"root_module\":{{\"resources\":[{resources}]}}}}}}"
    )
}

fn instance(address: &str, kind: &str, more: &str) -> String {
    format!("{{\"address\":\"{address}\",\"mode\":\"managed\",\"type\":\"{kind}\",{more}}}")
}

/// What changes the meaning of an entry of a state is looked at, and said.
#[test]
fn what_is_no_server_of_its_address_is_told() {
    let kind = "openstack_compute_instance_v2";
    let sound = instance("openstack_compute_instance_v2.w", kind, r#""values":{"id":"a"}"#);
    for (more, word, want) in [
        (r#""deposed_key":"0bad","values":{"id":"b"}"#, "deposed object (0bad)", "a@1"),
        (r#""values":{"id":null}"#, "is not made yet", "a@1"),
        (r#""tainted":true,"values":{"id":"b"}"#, "is tainted", "a@1 b@1"),
    ] {
        let odd = instance("openstack_compute_instance_v2.w", kind, more);
        let mut parsed = read("i.json", "", &state(&format!("{sound},{odd}")));
        let shown = pictures(&parsed);
        assert!(shown.contains(word), "{shown}");
        parsed.problems.clear();
        assert_eq!(listed(parsed), want, "{word}");
    }
    let alone = instance("t.w", kind, r#""values":{"id":null}"#);
    assert_eq!(found(&read("i.json", "", &state(&alone))), ["bad_inventory p.yaml:5"]);
    let foreign = instance("aws_instance.w", "aws_instance", r#""values":{"id":"i-1"}"#);
    let parsed = read("i.json", "", &state(&foreign));
    assert!(pictures(&parsed).contains("aws_instance.w"), "{}", pictures(&parsed));
    for (text, word) in [
        ("{\"version\":3,\"modules\":[]}", "of terraform 0.11 or older"),
        ("{\"version\":4,\"lineage\":\"x\",\"resources\":[]}", "this is the state itself"),
        ("{\"format_version\":\"1.0\"}", "is empty"),
    ] {
        let shown = pictures(&read("i.json", "", text));
        assert!(shown.contains(word), "{shown}");
    }
}

#[test]
fn one_instance_is_chosen_by_its_address_with_its_keys() {
    let one = |group: &str| read("i.json", &format!(", group: '{group}'"), STATE);
    let address = "module.web[\"a\"].opentelekomcloud_compute_instance_v2.web";
    assert_eq!(listed(one(&format!("{address}[1]"))), "bbbb-2@9");
    assert_eq!(listed(one(address)), "bbbb-1@8 bbbb-2@9");
    assert_eq!(listed(one("module.web[\"a\"]")), "bbbb-1@8 bbbb-2@9 cccc-1@10");
    assert_eq!(found(&one(&format!("{address}[2]"))), ["bad_inventory p.yaml:5"]);
    assert_eq!(found(&one("module.web[\"b\"]")), ["bad_inventory p.yaml:5"]);
}

/// Lists that other programs print are read, or the command is told that writes one that is.
#[test]
fn lists_of_other_programs_are_read() {
    let ansible = r#"{"_meta":{"hostvars":{"web-1":{"p":"hunter2"}}},"all":{"children":["ungrouped","web","none"]},
        "web":{"hosts":["web-1","web-[2]"]},"ungrouped":{"hosts":["spare"]}}"#;
    assert_eq!(listed(read("i.json", ", group: web", ansible)), "web-1@2 web-[2]@2");
    assert_eq!(listed(read("i.json", ", group: ungrouped", ansible)), "spare@2");
    assert_eq!(found(&read("i.json", ", group: none", ansible)), ["empty_inventory p.yaml:5"]);
    let json = r#"[{"ID":"aa","Name":"web-1","Networks":{"n":["10.0.0.3"]}},{"id":"bb"}]"#;
    assert_eq!(listed(read("i.json", "", json)), "aa@1 bb@1");
    assert_eq!(listed(read("i", "", &format!("{{\"servers\": {json}}}"))), "aa@1 bb@1");
    assert_eq!(listed(read("i.json", "", "[\"web-1\", \"web-2\"]")), "web-1@1 web-2@1");
    assert_eq!(listed(read("i.yaml", "", "- ID: aa\n  Name: w\n- Name: b\n")), "aa@1 b@3");
    assert_eq!(listed(read("i.json", "", r#"{"all":{"hosts":{"a":{"x":1}}}}"#)), "a@1");
    let table = "+----+\n| ID |\n+----+\n| aa |\n+----+\n";
    for (text, word) in [
        (table, "openstack server list -f csv"),
        ("[{\"Status\": \"x\"}]", "neither id nor name"),
        ("{\"a\": 1}", "ansible-inventory -i FILE --list"),
        ("{\"a\": ", "line 1, column 6"),
        ("resource \"x\" \"y\" {\n", "terraform show -json"),
    ] {
        let path = if text.starts_with(['{', '[']) { "i.json" } else { "i.txt" };
        let parsed = read(path, "", text);
        assert!(parsed.playbook.is_none(), "{text}");
        assert!(
            pictures(&parsed).replace(['\n', '│'], " ").contains(word),
            "{}",
            pictures(&parsed)
        );
        assert_eq!(parsed.problems.len(), 1, "{}", pictures(&parsed));
    }
}

#[test]
fn tables_of_other_programs_are_read() {
    for (text, want) in [
        ("\"ID\",\"Name\",\"Status\",\"Image\"\n\"aa\",\"w\",\"ACTIVE\",\"\"\n", "aa@2"),
        ("Name,ID\nw,aa\n", "aa@2"),
        ("name,x-remark\nw,\n", "w@2"),
        ("sep=;\r\nname;wait.settle\r\nw;5m\r\n", "w@3"),
        ("name,wait.settle,\nw,5m,\n", "w@2"),
        ("name,wait.settle\nw,5m,,\n", "w@2"),
    ] {
        assert_eq!(listed(read("i.csv", "", text)), want, "{text}");
    }
}

/// What Ansible's YAML takes is taken as it takes it.
#[test]
fn yaml_of_ansible_may_have_directives_tags_and_keys_again() {
    let twice = "all:\n  hosts:\n    a: { x: 1 }\n    a: { x: 2 }\n";
    assert_eq!(listed(read("i.yml", "", twice)), "a@4");
    assert_eq!(listed(read("i.yml", "", "%YAML 1.1\n---\nall:\n  hosts:\n    a:\n")), "a@5");
    let last = "all:\n  children:\n    web: { hosts: { a: } }\n    web: { hosts: { b: } }\n";
    assert_eq!(listed(read("i.yml", ", group: web", last)), "b@4");
    let vars: String = (0..150).map(|n| format!("    v{n}: !vault x\n")).collect();
    assert_eq!(listed(read("i.yml", "", &format!("web:\n  hosts: a\n  vars:\n{vars}"))), "a@2");
    assert_eq!(
        listed(read("i.yml", "", "web:\n  hosts: { 'a:22': , 'b[1:2]': }\n")),
        "a@2 b1@2 b2@2"
    );
    let bad = format!("all:\n  hosts:\n{}  vars:\n    n: p: hunter2\n", "    h:\n".repeat(9));
    let shown = pictures(&read("i.yml", "", &bad));
    assert!(shown.contains("i.yml:13") && !shown.contains("hunter2"), "{shown}");
}

/// Inventories of other tools hold passwords; ours must not, and neither is ever shown.
#[test]
fn s16_nothing_secret_of_an_inventory_is_shown() {
    for (path, text) in [
        ("i.csv", "name,reinstall.admin_pass\nweb-1,hunter2\n"),
        ("i.csv", "name,password,wait.settle\nweb-1,hunter2,soon\n"),
        ("i.csv", "name,admin_pass,wait.settle\nweb-1,\"hunter2\n"),
        ("i.csv", "name,reinstall.admin_pass.env\nweb-1,hunter2!\n"),
        ("i.csv", "name,reinstall.admin_pass.env,wait.settle\nweb-1,PASS,x\n"),
        ("i.ini", "[web]\nweb-[ ansible_password=hunter2\nweb-1 x=hunter2 # hunter2\n"),
        ("i.ini", "[web]\nansible_password=hunter2\n"),
        ("i.ini", "[web]\nweb-[\n[web:vars]\npw=hunter2\nweb hunter2\n# hunter2\n"),
        ("i.yaml", "web:\n  hosts: { 'a[': { p: hunter2 } }\n  vars: [hunter2]\n"),
        ("i.yaml", "web:\n  hosts: { 'a[': }\n  vras: hunter2\n"),
        ("i.yaml", "web:\n  vars:\n    ansible_password: hunter2\n  hosts: [\n"),
        ("i.json", "{ \"values\": \"hunter2\" }"),
        ("i.txt", "web-1 ansible_password=hunter2\n"),
    ] {
        let parsed = read(path, "", text);
        assert!(parsed.playbook.is_none(), "{text}");
        let shown = pictures(&parsed);
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
        let views: Vec<_> = parsed.problems.iter().map(Problem::view).collect();
        assert!(!serde_json::to_string(&views).unwrap().contains("hunter2"), "{text}");
    }
}

/// A file of somebody else must not use up the memory or the day.
#[test]
fn a_hostile_inventory_ends_early() {
    let ranges = "web-[0:99999]\n".repeat(50);
    assert_eq!(found(&read("i.ini", "", &format!("[web]\n{ranges}"))).len(), 1);
    let rows: String = (0..10_050).map(|n| format!("web-{n},{n}s\n")).collect();
    let many = read("i.csv", "", &format!("name,wait.settle\n{rows}"));
    assert_eq!(found(&many), ["too_many_values i.csv:10002"]);
    let bad: String = (0..5_000).map(|n| format!("web-{n},x{n}\n")).collect();
    assert_eq!(found(&read("i.csv", "", &format!("name,wait.settle\n{bad}"))).len(), 10);
    let columns: Vec<String> = (0..150).map(|n| format!("column{n}")).collect();
    assert!(found(&read("i.csv", "", &format!("name,{}\n", columns.join(",")))).len() <= 10);
    let circle = "[a:children]\nb\n[b:children]\na\n[a]\nweb-1\n";
    assert_eq!(found(&read("i.ini", ", group: b", circle)), ["bad_inventory i.ini:4"]);
    let deep = "{\"values\":".repeat(5_000);
    assert_eq!(found(&read("i.json", "", &deep)).len(), 1);
}

#[test]
fn must_match_is_read_with_its_place() {
    let playbook = good(read("i.txt", ", must_match: { tag: role=web, az: a }", "web-1\n"));
    let (selector, place) = playbook.fleets[0].hosts[0].must_match.clone().unwrap();
    assert_eq!((selector.to_string().as_str(), place.line), ("tag: role=web, az: a", 5));
    assert_eq!(found(&read("i.txt", ", must_match: {}", "web-1\n")), ["empty_selector p.yaml:5"]);
    assert_eq!(found(&read_as("must_match: { tag: a=b }", &[])), ["empty_selector p.yaml:5"]);
    assert_eq!(found(&read_as("group: web", &[])), ["empty_selector p.yaml:5"]);
    assert_eq!(found(&read_as("name: a, must_match: { id: x }", &[])), ["unknown_key p.yaml:5"]);
}
