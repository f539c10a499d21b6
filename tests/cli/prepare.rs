//! What a run needs is looked for before it begins, and the cloud is the one of its plan.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::harness::{AT_ONCE, Bench, Ended, Simulator, playbook};

const GATED: &str = "{ canary: 1, serial: [100%], max_unavailable: 100%, pause: after_canary }";

fn cloud(bench: &Bench) -> Simulator {
    Simulator::start(bench, &["--servers", "2", "--speed", "200"])
}

/// A playbook that reinstalls in that way.
fn reinstalling(how: &str, strategy: &str) -> String {
    format!("{}    reinstall: {how}\n", playbook("cloud: sim", strategy))
}

/// How many requests changed something, by the cloud's own count.
fn changes(cloud: &Simulator) -> u64 {
    let stats = cloud.stats();
    let by_operation = stats["requests"]["by_operation"].as_object().unwrap();
    let changing = ["stop", "start", "reinstall"].iter();
    changing.filter_map(|name| by_operation.get(*name)).filter_map(serde_json::Value::as_u64).sum()
}

fn only_run(bench: &Bench) -> String {
    let runs = bench.run(&["runs", "--format", "json"]).with_code(0).json();
    runs[0]["run"].as_str().unwrap().to_owned()
}

#[test]
fn b1_a_secret_that_is_not_there_is_found_before_anything_is_touched() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    let check = |place: &str, words: &str| {
        bench.file("p.yaml", reinstalling(&format!("{{ admin_pass: {place} }}"), AT_ONCE));
        let run = bench.run(&["apply", "p.yaml", "--confirm", "2"]).with_code(1).saying(words);
        let run = run.saying("the admin_pass of fleet web").saying("nothing was touched");
        assert!(!run.stderr.contains("the cloud refused"), "{}", run.stderr);
        assert_eq!(changes(&cloud), 0);
    };
    check("{ env: NO_SUCH_PASS }", "environment variable NO_SUCH_PASS is not set");
    check("{ file: none.txt }", "cannot read secret file none.txt");
    check("{ command: ['false'] }", "secret command false ended with exit status: 1");
    check("{ command: ['true'] }", "the first line of command true is empty");
}

#[test]
fn b1_a_plan_says_what_it_could_not_be_applied_without_and_runs_no_command() {
    let bench = Bench::new();
    let _cloud = cloud(&bench);
    let command = "{ command: [touch, was-run] }";
    for (place, words) in [
        ("{ env: NO_SUCH_PASS }", "warning: environment variable NO_SUCH_PASS is not set"),
        ("{ file: none.txt }", "warning: cannot read secret file none.txt"),
        (command, "note: command touch is not run for a plan"),
    ] {
        bench.file("p.yaml", reinstalling(&format!("{{ admin_pass: {place} }}"), AT_ONCE));
        bench.run(&["plan", "p.yaml"]).with_code(0).saying(words);
    }
    assert!(!bench.path("was-run").exists());
}

#[test]
fn b1_programs_and_keys_that_are_not_there_are_found_before_anything_is_touched() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    let check = |more: &str, words: &str| {
        bench.file("p.yaml", playbook("cloud: sim", AT_ONCE) + more);
        let apply = ["apply", "p.yaml", "--confirm", "2", "--real-hooks"];
        bench.run(&apply).with_code(1).saying(words);
        assert_eq!(changes(&cloud), 0);
    };
    let steps =
        |run: &str| format!("    steps: [{run}, stop, validate, reinstall, wait, verify]\n");
    check(&steps("{ run: [no-such-program] }"), "there is no program no-such-program in PATH");
    check(
        &steps("{ run: ['true'], undo: [no-such-undo] }"),
        "there is no program no-such-undo in PATH",
    );
    check(&steps("{ run: ['true'], cwd: none }"), "there is no folder none to run a step in");
    check("    verify: [fresh, command: [no-such-check]]\n", "there is no program no-such-check");
    check(
        "    verify: [{ ssh: { user: u, run: id, key_file: none.pem } }]\n",
        "cannot read key_file none.pem",
    );
}

/// A run that was paused after its canary, in a folder of its own with what it needs.
fn paused_elsewhere(bench: &Bench) -> String {
    fs::create_dir(bench.path("begun")).unwrap();
    fs::create_dir(bench.path("begun/pb")).unwrap();
    bench.file("begun/pb/init.yaml", "#cloud-config\n");
    let how = "{ key_name: sim-key, user_data: { file: init.yaml } }";
    bench.file("begun/pb/p.yaml", reinstalling(how, GATED));
    fs::copy(bench.path("clouds.yaml"), bench.path("begun/clouds.yaml")).unwrap();
    fs::remove_file(bench.path("clouds.yaml")).unwrap();
    in_folder(bench, "begun", &["apply", "pb/p.yaml", "--confirm", "2"]).with_code(5);
    let run = only_run(bench);
    bench.run(&["approve", &run]).with_code(0);
    run
}

fn in_folder(bench: &Bench, folder: &str, words: &[&str]) -> Ended {
    Ended::from(bench.command(words).current_dir(bench.path(folder)).output().unwrap())
}

#[test]
fn b1_a_run_is_resumed_from_any_folder() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    let run = paused_elsewhere(&bench);
    fs::create_dir(bench.path("elsewhere")).unwrap();
    in_folder(&bench, "elsewhere", &["resume", &run]).with_code(0);
    cloud.saw_a_careful_client(2);
}

#[test]
fn b1_a_run_whose_files_are_gone_or_others_is_not_taken_over_but_can_be_ended() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    let run = paused_elsewhere(&bench);
    let report = || bench.run(&["report", &run, "--format", "json"]).json();
    let (before, asked) = (report(), changes(&cloud));
    bench.file("begun/pb/init.yaml", "#cloud-config\nhostname: another\n");
    let refused = in_folder(&bench, "begun", &["resume", &run]).with_code(1);
    refused.saying("pb/init.yaml has changed since the plan was made").saying("refleet stop");
    fs::remove_file(bench.path("begun/pb/init.yaml")).unwrap();
    in_folder(&bench, ".", &["resume", &run, "--cloud", "sim"])
        .with_code(1)
        .saying("cannot read pb/init.yaml");
    assert_eq!((report(), changes(&cloud)), (before, asked));
    bench.run(&["stop", &run]).with_code(0);
    in_folder(&bench, "begun", &["resume", &run]).with_code(130);
    cloud.saw_a_careful_client(1);
}

#[test]
fn b1_a_secret_is_fetched_once_for_the_whole_run() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    bench.file("secret", "#!/bin/sh\necho x >>asked\necho only-For-this-test-1\n");
    fs::set_permissions(bench.path("secret"), fs::Permissions::from_mode(0o755)).unwrap();
    bench.file("p.yaml", reinstalling("{ admin_pass: { command: [./secret] } }", AT_ONCE));
    bench.run(&["apply", "p.yaml", "--confirm", "2"]).with_code(0);
    assert_eq!(fs::read_to_string(bench.path("asked")).unwrap(), "x\n");
    cloud.saw_a_careful_client(2);
}

#[test]
fn w7_an_entry_that_says_simulated_and_leads_elsewhere_is_told_nothing() {
    use std::io::{Read as _, Write as _};
    let bench = Bench::new();
    let _cloud = cloud(&bench);
    let stranger = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = stranger.local_addr().unwrap().port();
    let entry = fs::read_to_string(bench.path("clouds.yaml")).unwrap();
    let real = entry.split("http://127.0.0.1:").nth(1).unwrap();
    let real: String = real.chars().take_while(char::is_ascii_digit).collect();
    bench.file("clouds.yaml", entry.replace(&real, &port.to_string()));
    bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = stranger.accept().unwrap();
        let mut heard = [0; 4096];
        let n = stream.read(&mut heard).unwrap();
        let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        stream.write_all(answer).unwrap();
        String::from_utf8_lossy(&heard[..n]).to_lowercase()
    });
    let refused = bench.run(&["plan", "p.yaml"]).with_code(1);
    refused.saying("says `simulated: true`").saying("does not answer as a simulator of refleet");
    let heard = heard.join().unwrap();
    assert!(heard.starts_with("get /_refleet/stats") && !heard.contains("token"), "{heard}");
}

#[test]
fn w7_a_plan_is_for_the_cloud_that_it_was_made_with() {
    let bench = Bench::new();
    let first = cloud(&bench);
    bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    bench.run(&["plan", "p.yaml", "--out", "p.plan"]).with_code(0);
    let entry = fs::read_to_string(bench.path("clouds.yaml")).unwrap();

    // The same cloud is real now, as far as its entry says.
    bench.file("clouds.yaml", entry.replace("simulated: true", "simulated: false"));
    let refused = bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(1);
    refused.saying("kind: was simulated, is real");

    // Another cloud of the same project and region.
    let second = cloud(&bench);
    let refused = bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(1);
    let (was, is) = (first.field("endpoint"), second.field("endpoint"));
    refused.saying(&format!("address to log in at: was {was}, is {is}"));
    assert_eq!((changes(&first), changes(&second)), (0, 0));

    bench.file("clouds.yaml", entry);
    bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(0);
    first.saw_a_careful_client(2);
}

#[test]
fn w7_a_run_is_not_resumed_on_another_cloud() {
    let bench = Bench::new();
    let first = cloud(&bench);
    bench.file("p.yaml", playbook("cloud: sim", GATED));
    bench.run(&["apply", "p.yaml", "--confirm", "2"]).with_code(5);
    let run = only_run(&bench);
    bench.run(&["approve", &run]).with_code(0);
    let entry = fs::read_to_string(bench.path("clouds.yaml")).unwrap();
    let before = bench.run(&["report", &run, "--format", "json"]).json();
    let second = cloud(&bench);
    bench.run(&["resume", &run]).with_code(1).saying("address to log in at: was ");
    assert_eq!(bench.run(&["report", &run, "--format", "json"]).json(), before);
    assert_eq!(changes(&second), 0);
    bench.file("clouds.yaml", entry);
    bench.run(&["resume", &run]).with_code(0);
    first.saw_a_careful_client(2);
}

#[test]
fn m2_another_user_may_apply_a_plan_that_installs_no_key_of_its_maker() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    bench.file("pass.txt", "only-For-this-test-1\n");
    bench.file("p.yaml", reinstalling("{ admin_pass: { file: pass.txt } }", AT_ONCE));
    bench.run(&["plan", "p.yaml", "--out", "p.plan"]).with_code(0);
    let text = fs::read_to_string(bench.path("p.plan")).unwrap();
    let mut plan: refleet::plan::Plan = serde_json::from_str(&text).unwrap();
    plan.cloud.user_id = "u-9".into();
    bench.file("p.plan", serde_json::to_string(&plan.seal().unwrap()).unwrap());
    let applied = bench.run(&["apply", "p.plan", "--confirm", "2"]).with_code(0);
    applied.saying("the plan was made by user").saying("(u-9); you are");
    cloud.saw_a_careful_client(2);
}

#[test]
fn m2_a_plan_without_its_pins_and_one_of_an_unknown_format_are_refused_by_name() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    let key = format!("{{ key_name: {} }}", cloud.field("key_name"));
    bench.file("p.yaml", reinstalling(&key, AT_ONCE));
    bench.run(&["plan", "p.yaml", "--out", "p.plan"]).with_code(0);
    let text = fs::read_to_string(bench.path("p.plan")).unwrap();
    let plan: refleet::plan::Plan = serde_json::from_str(&text).unwrap();
    let pin = plan.key_pairs.get(cloud.field("key_name")).unwrap();
    assert_eq!(pin.owner.as_str(), cloud.field("user_id"));
    assert!(!pin.fingerprint.is_empty());

    let apply = |plan: refleet::plan::Plan, words: &str| {
        let plan = serde_json::to_string(&plan.seal().unwrap()).unwrap();
        bench.file("other.plan", plan);
        bench.run(&["apply", "other.plan", "--confirm", "2"]).with_code(1).saying(words);
    };
    let unpinned = refleet::plan::Plan { key_pairs: [].into_iter().collect(), ..plan.clone() };
    apply(unpinned, "does not say which keys its key pairs are");
    let mut unplaced = plan.clone();
    unplaced.cloud.auth_host.clear();
    apply(unplaced, "does not say at which address its cloud is");
    let mut another = plan.clone();
    another.key_pairs.values_mut().for_each(|pin| pin.fingerprint = "00:11".to_owned());
    apply(another, "is another key than in the plan: its fingerprint was 00:11");
    let mut of_another = plan.clone();
    of_another.cloud.user_id = "u-9".into();
    for target in of_another.targets.values_mut() {
        if let refleet::domain::Login::KeyPair { owner, .. } = &mut target.reinstall.login {
            *owner = "u-9".into();
        }
    }
    apply(of_another, "installs key pairs of that user");
    apply(refleet::plan::Plan { format: 99, ..plan }, "its format is 99, this refleet knows 1");
    assert_eq!(changes(&cloud), 0);
}

#[test]
fn m3_nobody_who_reads_changes_no_exit_code() {
    let bench = Bench::new();
    let cloud = cloud(&bench);
    bench.file("p.yaml", playbook("cloud: sim", AT_ONCE));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = bench.command(&["apply", "p.yaml", "--confirm", "2"]);
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("warning: failed to write to stdout"), "{said}");
    cloud.saw_a_careful_client(2);
}
