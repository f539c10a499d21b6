//! Secrets that are planted wherever one can be given, on a cloud that quotes everything it was sent:
//! afterwards none of them is in any byte that refleet said or wrote.
//!
//! Start with [`Trap`].

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use refleet::simulator::Account;
use rusqlite::types::ValueRef;

use crate::harness::{AT_ONCE, Bench, Ended, Simulator};

/// Everything that was said, and where secrets were planted.
struct Trap {
    bench: Bench,
    /// What each is, and how it may be spelt.
    planted: Vec<(String, Vec<String>)>,
    /// Written by the user, or by the simulator for him.
    own: BTreeSet<PathBuf>,
    /// What tokens and signatures of the simulated cloud begin with.
    marks: &'static [&'static str],
    variables: Vec<(&'static str, String)>,
    said: Vec<(String, Vec<u8>)>,
}

impl Trap {
    fn new() -> Self {
        let bench = Bench::new();
        let own = BTreeSet::from([bench.path("clouds.yaml")]);
        let marks = &["SIM", "SIMS", "Signature="];
        let (planted, variables, said) = (Vec::new(), Vec::new(), Vec::new());
        Self { bench, planted, own, marks, variables, said }
    }

    /// This must be found nowhere.
    fn plant(&mut self, what: &str, secret: &str) {
        self.planted.push((what.to_owned(), spellings(secret)));
    }

    fn file(&mut self, name: &str, text: impl AsRef<[u8]>) {
        self.own.insert(self.bench.path(name));
        let path = self.bench.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn variable(&mut self, name: &'static str, secret: &str) {
        self.plant(name, secret);
        self.variables.push((name, secret.to_owned()));
    }

    fn run(&mut self, words: &[&str]) -> Ended {
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        let output = self.bench.command(words).envs(variables).output().unwrap();
        self.said.push((format!("stdout of {words:?}"), output.stdout.clone()));
        self.said.push((format!("stderr of {words:?}"), output.stderr.clone()));
        Ended::from(output)
    }

    /// The newest run.
    fn newest(&mut self) -> String {
        let runs = self.run(&["runs", "--format", "json"]).with_code(0).json();
        runs.as_array().unwrap().last().unwrap()["run"].as_str().unwrap().to_owned()
    }

    /// Everything that can be asked about a run and a server of it.
    fn ask_about(&mut self, run: &str, server: &str) {
        for words in [
            &["status", run][..],
            &["status", run, "--format", "json"],
            &["runs", "-v"],
            &["watch", run],
            &["resume", run],
            &["explain", server, "--run", run],
            &["support", run, server, "--out", "case.tar.gz"],
        ] {
            self.run(words);
        }
        for format in ["text", "json", "junit", "markdown", "html"] {
            self.run(&["report", run, "--format", format]).with_code(0);
            self.run(&["report", run, "--format", format, "--out", format]).with_code(0);
        }
    }

    /// Demands that none of the secrets was said or written; and that `word`, which proves that the
    /// cloud's sentences were kept, was.
    #[track_caller]
    fn is_empty(&self, word: &str) {
        let mut all = self.said.clone();
        files(&self.bench.path(""), &self.own, &mut all);
        assert!(all.iter().any(|(_, bytes)| holds(bytes, word)), "`{word}` is nowhere");
        let mut found = Vec::new();
        for (place, bytes) in &all {
            for (what, spellings) in &self.planted {
                let spelt = spellings.iter().filter(|spelling| holds(bytes, spelling));
                found.extend(spelt.map(|it| format!("{what} in {place}: {}", around(bytes, it))));
            }
            let tokens = self.marks.iter().filter(|mark| is_marked(bytes, mark));
            found.extend(tokens.map(|mark| format!("{mark}… in {place}")));
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

/// A secret as it is, as JSON and an address have it, and in base64, alone and within other text.
fn spellings(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let json = json[1..json.len() - 1].to_owned();
    let mut all = vec![
        secret.to_owned(),
        serde_json::to_string(&json).unwrap().trim_matches('"').to_owned(),
        json,
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        page(secret).replace('/', "&#x2f;"),
        page(secret),
    ];
    for shift in 0..3 {
        let encoded = STANDARD.encode([&b"xyz"[..shift], secret.as_bytes()].concat());
        // Without what depends on the text around it.
        all.push(encoded[4.min(shift * 4)..encoded.len() - 4].to_owned());
    }
    all.retain(|spelling| spelling.len() > 5);
    all
}

/// As reports in XML and HTML have it.
fn page(secret: &str) -> String {
    let secret = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    secret.replace('"', "&quot;").replace('\'', "&#x27;")
}

/// Every file below a folder; archives unpacked, and of a journal every value as well.
fn files(folder: &Path, own: &BTreeSet<PathBuf>, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, own, found);
            continue;
        }
        if own.contains(&path) {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).unwrap();
            found.push((format!("{name}, unpacked"), unpacked));
        }
        if bytes.starts_with(b"SQLite format 3") {
            found.push((format!("values of {name}"), values(&path)));
        }
        found.push((name, bytes));
    }
}

/// Every text of a database, whole: in the file it may lie in pieces.
fn values(path: &Path) -> Vec<u8> {
    let journal = rusqlite::Connection::open(path).unwrap();
    let mut names = journal.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(names.iter().any(|name| name == "event"), "{names:?}");
    let mut all = Vec::new();
    for name in names {
        let mut rows = journal.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(column).unwrap()
                {
                    all.extend_from_slice(bytes);
                    all.push(b'\n');
                }
            }
        }
    }
    all
}

fn position(bytes: &[u8], word: &str) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word.as_bytes())
}

fn holds(bytes: &[u8], word: &str) -> bool {
    position(bytes, word).is_some()
}

fn around(bytes: &[u8], word: &str) -> String {
    let at = position(bytes, word).unwrap_or_default();
    let end = bytes.len().min(at + word.len() + 60);
    String::from_utf8_lossy(&bytes[at.saturating_sub(60)..end]).into_owned()
}

/// Whether sixteen digits of a token or a signature follow that mark.
fn is_marked(bytes: &[u8], mark: &str) -> bool {
    bytes.windows(mark.len() + 16).any(|window| {
        let (head, digits) = window.split_at(mark.len());
        head == mark.as_bytes() && digits.iter().all(u8::is_ascii_hexdigit)
    })
}

const ADMIN_PASS: &str = "Adm1n/%cAnArY+of=env";
const IN_USER_DATA: &str = "canary-in-user-data-7f3a";
const IN_TEMPLATE: &str = "canary-in-more-user-data-91c2";

fn user_data(secret: &str) -> String {
    format!(
        "#cloud-config\nchpasswd:\n  list: |\n    root:{secret}\nruncmd: [[echo, \"{secret}\"]]\n"
    )
}

const WORLD: &str = "servers:
  - { name: web-1, tags: { role: web } }
  - { name: db-1, tags: { role: db } }
  - { name: win-1, tags: { role: win }, os_type: Windows, image: windows }
images:
  - {}
  - { name: windows, os_type: Windows, platform: Windows, os_version: \"Windows Server 2022\" }
";

/// The same, switched off: a client in real time waits half a minute for a stop and a job.
fn switched_off() -> String {
    WORLD
        .replace("- { name: web-1", "- { status: SHUTOFF, name: web-1")
        .replace("- { name: db-1", "- { status: SHUTOFF, name: db-1")
        .replace("- { name: win-1", "- { status: SHUTOFF, name: win-1")
}

/// A fleet for each way to hand a secret to a server.
fn playbook(cloud: &str, admin_pass: &str) -> String {
    format!(
        "version: 1\nname: secrets\n{cloud}\n\
         defaults: {{ strategy: {AT_ONCE}, wait: {{ settle: 100ms }}, retry: {{ job_failed: {{ attempts: 1 }} }} }}\n\
         fleets:\n  web:\n    hosts: [{{ tag: role=web }}]\n    \
         reinstall: {{ admin_pass: {admin_pass} }}\n  \
         db:\n    hosts: [{{ tag: role=db }}]\n    reinstall: {{ user_data: {{ file: init.yaml }} }}\n  \
         win:\n    hosts: [{{ tag: role=win }}]\n    \
         reinstall: {{ key_name: sim-key, user_data: {{ file: more/init.yaml.j2 }} }}\n"
    )
}

const BUILT_IN: &str =
    "cloud: simulator\nsimulator: { world: world.yaml, faults: faults.yaml, speed: 1000 }";

/// A built-in cloud that quotes, and everything that can be planted for a run on it.
fn on_the_built_in_cloud(admin_pass: &str, faults: &str) -> Trap {
    let mut trap = Trap::new();
    trap.file("world.yaml", WORLD);
    trap.file("faults.yaml", format!("quotes: 1.0\n{faults}"));
    trap.file("init.yaml", user_data(IN_USER_DATA));
    trap.file("more/init.yaml.j2", user_data(IN_TEMPLATE));
    trap.file("p.yaml", playbook(BUILT_IN, admin_pass));
    trap.plant("the password of the user", &Account::from_seed(0).password);
    trap.plant("user data", IN_USER_DATA);
    trap.plant("more user data", IN_TEMPLATE);
    let encoded = STANDARD.encode(user_data(IN_USER_DATA));
    trap.plant("user data in base64", &encoded[8..40]);
    trap
}

#[test]
fn s16_what_a_cloud_quotes_is_neither_shown_nor_written() {
    let mut trap = on_the_built_in_cloud("{ env: ADMIN_PASS }", "job_failure_after_swap: 1.0\n");
    trap.variable("ADMIN_PASS", ADMIN_PASS);
    trap.variable("UNUSED_PASSWORD", "canary-of-a-variable-that-nobody-asks-for");
    for words in [
        &["validate", "p.yaml"][..],
        &["validate", "p.yaml", "--format", "json"],
        &["plan", "p.yaml", "-v", "--out", "p.plan"],
        &["plan", "p.yaml", "--format", "json"],
        &["plan", "p.yaml", "--format", "dot"],
        &["plan", "p.yaml", "--format", "mermaid"],
        &["plan", "p.yaml", "--diff", "p.plan"],
        &["explain", "web-1", "--playbook", "p.yaml"],
        &["simulate", "p.yaml", "--seeds", "2"],
    ] {
        trap.run(words).with_code(0);
    }
    let applied = trap.run(&["apply", "p.plan", "--confirm", "3", "-v", "--events", "events"]);
    assert_eq!(applied.with_code(3).last_line(), "3 needs_support");
    let run = trap.newest();
    trap.ask_about(&run, "web-1");
    for server in ["db-1", "win-1"] {
        trap.run(&["support", &run, server, "--out", &format!("{server}.tgz")]).with_code(0);
    }
    trap.run(&["plan", "p.yaml", "--format", "text"]).with_code(0);
    trap.run(&["retry", &run, "--out", "retry.plan"]);
    trap.run(&["retry", &run, "--confirm", "3", "-v"]);
    trap.is_empty("[redacted]");
}

#[test]
fn s16_a_refusal_that_quotes_is_neither_shown_nor_written() {
    let answers = "answers:
  - { operation: reinstall, code: Ecs.0005, times: 2 }
  - { operation: reinstall, status: 500, shape: flat, times: 2 }
  - { operation: reinstall, status: 400, shape: native }
  - { operation: stop, code: Common.0001, times: 1 }
  - { operation: show_server, code: APIGW.0308, probability: 0.2, times: 10 }
";
    for (admin_pass, weak) in [("{ env: ADMIN_PASS }", false), ("{ env: WEAK }", true)] {
        let mut trap = on_the_built_in_cloud(admin_pass, if weak { "" } else { answers });
        trap.variable("ADMIN_PASS", ADMIN_PASS);
        trap.variable("WEAK", "wéak\"canary\\of/env");
        trap.run(&["apply", "p.yaml", "--confirm", "3", "-v", "--events", "events"]);
        let run = trap.newest();
        trap.ask_about(&run, "web-1");
        trap.is_empty("[redacted]");
    }
}

#[test]
fn s16_no_way_to_log_in_shows_what_it_was_given() {
    let secret = "Canary \"of\"/a+login&é";
    let mut ways = 0;
    for (auth, beside) in [
        ("username: ops, user_domain_name: d, password: SECRET", ""),
        ("user_id: u, password: SECRET, passcode: '918273'", ""),
        ("ak: CANARYACCESSKEY00001, sk: SECRET", ""),
        ("ak: CANARYACCESSKEY00001, sk: SECRET, security_token: canary-of-a-security-token", ""),
        ("token: canary-of-a-token", ""),
        ("username: ops, user_domain_name: d", "password: SECRET"),
    ] {
        let mut trap = Trap::new();
        // Every answer is a refusal that quotes: what is really checked would never be heard of.
        trap.file("faults.yaml", "quotes: 1.0\nanswers: [{ operation: '*', code: APIGW.0301 }]\n");
        let cloud = Simulator::start(&trap.bench, &["--faults", "faults.yaml"]);
        let quoted = serde_json::to_string(secret).unwrap();
        let entry = |auth: &str| {
            let auth = auth.replace("SECRET", &quoted);
            format!("{{ clouds: {{ sim: {{ auth: {{ {auth} }}, region_name: eu-de }} }} }}\n")
        };
        let url = format!("auth_url: '{}/v3', project_name: eu-de_sim, ", cloud.field("endpoint"));
        trap.file("clouds.yaml", entry(&format!("{url}{auth}")));
        if !beside.is_empty() {
            trap.file("secure.yaml", entry(beside));
        }
        trap.file("p.yaml", crate::harness::playbook("cloud: sim", AT_ONCE));
        trap.plant("a password or a secret key", secret);
        for (what, value) in [
            ("an access key", "CANARYACCESSKEY00001"),
            ("a security token", "canary-of-a-security-token"),
            ("a token", "canary-of-a-token"),
            ("a passcode", "918273"),
        ] {
            trap.plant(what, value);
        }
        trap.run(&["plan", "p.yaml", "-v"]).with_code(1).saying("[redacted]");
        trap.run(&["init", "--cloud", "sim"]).with_code(1);
        trap.run(&["apply", "p.yaml", "--confirm", "9", "--events", "events"]).with_code(1);
        trap.is_empty("[redacted]");
        ways += 1;
    }
    assert_eq!(ways, 6);
}

#[test]
fn s16_no_variable_shows_what_it_holds() {
    let secret = "Canary of a \"variable\"";
    let users = [("OS_USERNAME", "ops"), ("OS_USER_DOMAIN_NAME", "d")];
    for (plain, secrets) in [
        (&users[..], &[("OS_PASSWORD", secret)][..]),
        (&[("OS_USER_ID", "u")], &[("OS_PASSWORD", secret), ("OS_PASSCODE", "918273")]),
        (&[], &[("OS_TOKEN", "canary-of-a-token-of-os")]),
        (&[], &[("OS_ACCESS_KEY", "CANARYACCESSKEY00002"), ("OS_SECRET_KEY", secret)]),
        (&[], &[("HUAWEICLOUD_SDK_AK", "CANARYACCESSKEY00003"), ("HUAWEICLOUD_SDK_SK", secret)]),
    ] {
        let mut trap = Trap::new();
        trap.file("faults.yaml", "quotes: 1.0\nanswers: [{ operation: '*', code: APIGW.0301 }]\n");
        let cloud = Simulator::start(&trap.bench, &["--faults", "faults.yaml"]);
        std::fs::remove_file(trap.bench.path("clouds.yaml")).unwrap();
        let url = format!("{}/v3", cloud.field("endpoint"));
        trap.variables.extend([("OS_AUTH_URL", url), ("OS_PROJECT_NAME", "eu-de_sim".to_owned())]);
        trap.variables.extend(plain.iter().map(|(name, value)| (*name, (*value).to_owned())));
        for (name, value) in secrets {
            trap.variable(name, value);
        }
        trap.file("p.yaml", crate::harness::playbook("cloud: sim", AT_ONCE));
        trap.run(&["plan", "p.yaml", "-v"]).with_code(1).saying("[redacted]");
        trap.is_empty("[redacted]");
    }
}

#[test]
fn s16_keys_that_are_let_in_are_in_no_plan_and_in_no_journal() {
    let mut trap = Trap::new();
    trap.file("world.yaml", switched_off());
    trap.file("faults.yaml", "quotes: 1.0\njob_failure_after_swap: 1.0\n");
    trap.file("init.yaml", user_data(IN_USER_DATA));
    trap.file("more/init.yaml.j2", user_data(IN_TEMPLATE));
    let words = ["--world", "world.yaml", "--faults", "faults.yaml", "--speed", "400"];
    let cloud = Simulator::start(&trap.bench, &words);
    let (url, access) = (cloud.field("endpoint").to_owned(), cloud.field("access_key").to_owned());
    let secret = cloud.field("secret_key").to_owned();
    let entry = format!(
        "clouds: {{ sim: {{ auth: {{ auth_url: '{url}/v3', ak: {access}, project_name: eu-de_sim }}, \
         x_refleet: {{ simulated: true }} }} }}\n"
    );
    trap.file("clouds.yaml", entry);
    trap.file("secure.yaml", format!("clouds: {{ sim: {{ auth: {{ sk: '{secret}' }} }} }}\n"));
    trap.plant("the access key", &access);
    trap.plant("the secret key", &secret);
    trap.plant("user data", IN_USER_DATA);
    trap.plant("more user data", IN_TEMPLATE);
    trap.variable("ADMIN_PASS", ADMIN_PASS);
    trap.file("p.yaml", playbook("cloud: sim", "{ env: ADMIN_PASS }"));
    let planned = trap.run(&["plan", "p.yaml", "--out", "p.plan"]).with_code(0);
    let end = &access[access.len() - 4..];
    assert!(planned.stdout.contains(&format!("access key …{end} (")), "{}", planned.stdout);
    trap.run(&["apply", "p.plan", "--confirm", "3", "-v", "--events", "events"]).with_code(3);
    let run = trap.newest();
    trap.ask_about(&run, "db-1");
    trap.is_empty("[redacted]");
}

#[test]
fn s16_files_and_commands_keep_their_secrets_even_if_they_chatter() {
    let (of_file, of_command) = ("F1le-canary=of+file", "C0mmand-canary=of");
    for admin_pass in ["{ file: pass.txt }", "{ command: [./chatter] }", "{ command: [./fails] }"] {
        let mut trap = on_the_built_in_cloud(admin_pass, "job_failure: 1.0\n");
        trap.file("pass.txt", format!("{of_file}\nsecond line\n"));
        let script = format!("#!/bin/sh\necho 'opening {of_command}' >&2\necho '{of_command}'\n");
        trap.file("chatter", &script);
        trap.file("fails", script + "exit 3\n");
        for name in ["chatter", "fails"] {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(trap.bench.path(name), mode).unwrap();
        }
        trap.plant("the secret of a file", of_file);
        trap.plant("the secret of a command", of_command);
        let applied = trap.run(&["apply", "p.yaml", "--confirm", "3", "-v", "--events", "events"]);
        if admin_pass.contains("command") {
            applied.saying("opening [redacted]");
        }
        // A run whose secret cannot be had never begins.
        if !admin_pass.contains("fails") {
            let run = trap.newest();
            trap.ask_about(&run, "web-1");
        }
        trap.is_empty("[redacted]");
    }
}

#[test]
fn s16_a_resumed_run_knows_what_the_dead_one_sent() {
    let mut trap = Trap::new();
    trap.file("world.yaml", switched_off());
    trap.file("faults.yaml", "quotes: 1.0\njob_failure_after_swap: 1.0\n");
    trap.file("init.yaml", user_data(IN_USER_DATA));
    trap.file("more/init.yaml.j2", user_data(IN_TEMPLATE));
    trap.file("pass.txt", ADMIN_PASS);
    let words = ["--world", "world.yaml", "--faults", "faults.yaml", "--speed", "100"];
    let cloud = Simulator::start(&trap.bench, &words);
    trap.plant("the password of the user", cloud.field("password"));
    trap.plant("user data", IN_USER_DATA);
    trap.plant("more user data", IN_TEMPLATE);
    trap.plant("the admin password", ADMIN_PASS);
    trap.file("p.yaml", playbook("cloud: sim", "{ file: pass.txt }"));
    let mut run = trap.bench.start(&["apply", "p.yaml", "--confirm", "3"]);
    for _ in 0..3 {
        run.until(&["accepted", "reinstall"]);
    }
    run.signal("KILL");
    assert_eq!(run.code(), None, "killed");
    let before = trap.newest();
    trap.run(&["resume", "-v", "--events", "events"]).with_code(3);
    trap.ask_about(&before, "web-1");
    // The token of a process that is dead is known to nobody; docs/clouds.md says so.
    trap.marks = &[];
    trap.is_empty("[redacted]");
}

#[test]
fn s16_a_file_with_a_secret_that_cannot_be_read_is_told_without_it() {
    let secret = "canary-in-a-broken-file";
    for (name, text) in [
        ("clouds.yaml", "clouds: { sim: { auth: { password: SECRET, password: x } } }"),
        ("clouds.yaml", "clouds: { sim: { auth: SECRET } }"),
        ("clouds.yaml", "clouds: { sim: { auth: { password: [SECRET] } } }"),
        ("clouds.yaml", "clouds: { sim: { auth: { password: !!int SECRET } } }"),
        ("clouds.yaml", "clouds: { sim: { auth: { password: *SECRET } } }"),
        ("clouds.yaml", "clouds: { sim: { auth: { password: \"SECRET\\q\" } } }"),
        ("clouds.yaml", "clouds: { sim: { auth: { password: !SECRET x } } }"),
        (
            "clouds.yaml",
            "clouds: { sim: { auth: { auth_url: 'ftp://u:SECRET@iam.test/', token: t } } }",
        ),
        (
            "clouds.yaml",
            "clouds: { sim: { auth: { auth_url: 'http://u:SECRET@iam.test/', token: t } } }",
        ),
        ("clouds.yaml", "clouds: { sim: { auth: { username: u, password: SECRET } } }"),
        ("secure.yaml", "clouds:\n  sim:\n    auth:\n      password: SECRET\n     x: y\n"),
        ("secure.yaml", "clouds: { sim: { auth: { password: SECRET"),
        ("secure.yaml", "password: SECRET\nclouds: SECRET"),
        (".huaweicloud/credentials", "[basic]\nak = A\nsk SECRET\n"),
    ] {
        let mut trap = Trap::new();
        trap.file("p.yaml", crate::harness::playbook("cloud: sim", AT_ONCE));
        if name == "secure.yaml" {
            trap.file(
                "clouds.yaml",
                "clouds: { sim: { auth: { auth_url: 'http://127.0.0.1:1' } } }",
            );
        }
        trap.file(name, text.replace("SECRET", secret));
        trap.plant("a secret", secret);
        trap.run(&["plan", "p.yaml", "-v"]).with_code(1);
        trap.is_empty("error:");
    }
}

#[test]
fn s16_a_secret_in_a_playbook_is_refused_and_not_shown() {
    let secret = "canary-in-a-playbook";
    for inline in [
        "{ admin_pass: SECRET }",
        "{ admin_pass: { env: 'SECRET' } }",
        "{ admin_pass: { value: SECRET }, user_data: { inline: SECRET } }",
        "{ admin_pass: [SECRET], key_name: x",
        "{ admin_pass: !SECRET }",
        "{ admin_pass: !SECRET x }",
        "{ admin_pass: &SECRET }",
        "{ admin_pass: *SECRET }",
        "{ user_data: SECRET }",
        "{ user_data: { file: init.yaml, content: SECRET } }",
    ] {
        let mut trap = Trap::new();
        let text = playbook(BUILT_IN, "{ env: X }").replace("{ admin_pass: { env: X } }", inline);
        trap.file("p.yaml", text.replace("SECRET", secret));
        trap.plant("a secret", secret);
        for words in [
            &["validate", "p.yaml"][..],
            &["validate", "p.yaml", "--format", "json"],
            &["plan", "p.yaml", "-v"],
            &["apply", "p.yaml", "--confirm", "1"],
        ] {
            trap.run(words).with_code(1);
        }
        trap.is_empty("p.yaml");
    }
}
