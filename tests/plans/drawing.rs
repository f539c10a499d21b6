//! From a playbook and a project to a plan that the checker lets through.

use std::collections::BTreeMap;

use refleet::domain::{
    AgencyState, Encryption, InstallCall, KeyState, Login, Millis, PinnedFile, QuotaLine,
    SecretRef, SecretSource, ServerId, Template,
};
use refleet::fleet::Selector;
use refleet::plan::{
    Inventory, Narrowing, Plan, Provider, Refusal, Unread, check, differences, dot, draw, explain,
    mermaid, protection,
};
use refleet::playbook::{
    DependsOn, EncryptionSpec, Exclude, HostEntry, Hosts, Leave, License, LoginSpec, Playbook,
    Program, ReinstallSpec, RunSpec, Share, Size, Spread, StepSpec, StepWord, Strategy, UserData,
};

use crate::world::{
    MADE, cloud, drawn, fleet, image, inventory, key_pair, kms_key, line, named, playbook,
    web_and_db,
};

const KEY: &str = "83cd0466-e727-4d9c-b35d-f84bb474a37f";

#[test]
fn a_small_playbook_becomes_a_plan_that_holds() {
    let playbook = playbook(vec![fleet("web", 4, &["web-*"])]);
    let plan = drawn(&playbook, &inventory(web_and_db(3, 2))).unwrap();
    let plan = check(plan).unwrap();
    assert!(plan.is_runnable());
    assert_eq!(plan.targets.len(), 3);
    assert_eq!(plan.treatments.len(), 1, "one treatment is kept once");
    assert_eq!(sizes(&plan, "web"), [1, 1, 1]);
    assert_eq!(plan.expires.since(plan.made), Millis::mins(24 * 60));
    let target = &plan.targets["s-0001"];
    assert_eq!(target.because, ("name: web-*".to_owned(), line(6)));
    assert_eq!(target.wiped.id, target.found.system_volume);
    assert_eq!(target.kept[0].id.as_str(), "v-0001-data");
    let login = Login::KeyPair { name: "ops".to_owned(), owner: "u-1".into() };
    assert_eq!(target.reinstall.login, login);
    assert_eq!(target.reinstall.encryption, Encryption::None);
}

#[test]
fn s4_a_plan_holds_no_larger_share_of_the_project_than_the_guard_lets_it() {
    let mut playbook = playbook(vec![fleet("web", 4, &["web-*"])]);
    playbook.guards.max_share = Some((Share(20), line(3)));
    assert!(drawn(&playbook, &inventory(web_and_db(2, 8))).is_ok(), "2 of 10");
    let refusals = drawn(&playbook, &inventory(web_and_db(3, 9))).unwrap_err();
    assert_eq!(codes(&refusals), ["!too_large_a_share"], "3 of 12 are more than 20 %");
    assert_eq!(refusals[0].place, Some(line(3)));
}

#[test]
fn s5_the_machine_it_runs_on_is_left_out() {
    let mut playbook = playbook(vec![fleet("web", 4, &["web-*"])]);
    let mut world = inventory(web_and_db(3, 0));
    world.here.ids = vec!["S-0002".to_owned()];
    let plan = drawn(&playbook, &world).unwrap();
    assert!(!plan.targets.contains_key("s-0002"));
    assert_eq!(plan.left_out.len(), 1);
    assert!(plan.left_out[0].rule.starts_with("guards.not_self: "), "{}", plan.left_out[0].rule);
    assert_eq!(check(plan).unwrap().targets.len(), 2);

    playbook.guards.not_self = false;
    assert_eq!(drawn(&playbook, &world).unwrap().targets.len(), 3);
}

#[test]
fn s10_one_zone_after_another_is_drawn_so_and_checked() {
    let mut web = fleet("web", 4, &["web-*"]);
    let serial = vec![Size::Share(Share(100))];
    web.strategy = Strategy { serial, spread: Spread::Zonal, written: true, ..web.strategy };
    let mut servers = web_and_db(6, 0);
    for (n, server) in servers.iter_mut().enumerate() {
        server.az = ["zone-b", "zone-a", "zone-c"][n % 3].to_owned();
    }
    let plan = drawn(&playbook(vec![web]), &inventory(servers)).unwrap();
    assert_eq!(sizes(&plan, "web"), [1, 1, 2, 2]);
    let zones: Vec<&str> = plan.targets.values().map(|target| target.found.az.as_str()).collect();
    assert!(zones.is_sorted(), "targets are in the order of their waves: {zones:?}");
    check(plan.clone()).unwrap();

    let mut mixed = plan;
    let last = mixed.fleets["web"].waves[3].servers.pop().unwrap();
    mixed.fleets["web"].waves[1].servers.push(last);
    let violations = check(mixed.seal().unwrap()).unwrap_err();
    assert!(!violations.is_empty());
    let all = violations.iter().all(|violation| violation.rule == "one zone after another");
    assert!(all, "{violations:?}");
}

#[test]
fn s14_a_plan_lives_as_long_as_the_guard_says() {
    let mut playbook = playbook(vec![fleet("web", 4, &["web-*"])]);
    playbook.guards.plan_ttl = Millis::mins(4 * 60);
    let plan = drawn(&playbook, &inventory(web_and_db(2, 0))).unwrap();
    assert_eq!(plan.expires.since(plan.made), Millis::mins(4 * 60));
}

fn sizes(plan: &Plan, fleet: &str) -> Vec<usize> {
    plan.fleets[fleet].waves.iter().map(|wave| wave.servers.len()).collect()
}

#[test]
fn the_same_project_gives_the_same_plan_whatever_order_it_is_listed_in() {
    let playbook = playbook(vec![fleet("web", 4, &["web-*"]), fleet("db", 9, &["db-*"])]);
    let mut shuffled = web_and_db(5, 3);
    shuffled.reverse();
    shuffled.swap(1, 4);
    let plan = drawn(&playbook, &inventory(web_and_db(5, 3))).unwrap();
    assert_eq!(plan.id, drawn(&playbook, &inventory(shuffled)).unwrap().id);
}

#[test]
fn a_need_is_a_share_of_what_is_planned_rounded_up() {
    let mut web = fleet("web", 9, &["web-*"]);
    web.depends_on = vec![DependsOn { fleet: "db".into(), verified: Share(80), place: line(10) }];
    let playbook = playbook(vec![fleet("db", 4, &["db-*"]), web]);
    let plan = drawn(&playbook, &inventory(web_and_db(2, 6))).unwrap();
    assert_eq!(plan.fleets["web"].needs[0].verified, 5);
    check(plan).unwrap();
}

/// The codes that block a server, or what is sent for it.
fn judged(
    provider: Provider,
    change: impl FnOnce(&mut Inventory, &mut ReinstallSpec),
) -> Result<(Plan, refleet::domain::ReinstallRequest), Vec<String>> {
    let mut world = inventory(web_and_db(2, 0));
    let mut web = fleet("web", 4, &["web-*"]);
    change(&mut world, &mut web.treatment.reinstall);
    let whole = Narrowing::default();
    let plan = draw(&playbook(vec![web]), &cloud(provider), &world, &whole, MADE);
    let plan = plan.map_err(|refusals| codes(&refusals))?;
    let blocked = plan.blocked.iter().filter(|blocked| blocked.id.as_str() == "s-0001");
    let codes: Vec<String> = blocked.map(|blocked| blocked.code.clone()).collect();
    if !codes.is_empty() {
        assert!(!plan.is_runnable());
        assert!(!plan.targets.contains_key("s-0001"));
        return Err(codes);
    }
    let request = plan.targets["s-0001"].reinstall.clone();
    Ok((check(plan).map(|plan| (*plan).clone()).unwrap(), request))
}

fn codes(refusals: &[Refusal]) -> Vec<String> {
    refusals.iter().map(|refusal| format!("!{}", refusal.code)).collect()
}

fn password() -> LoginSpec {
    LoginSpec::Password(SecretRef(SecretSource::Env("PASS".to_owned())))
}

fn user_data() -> UserData {
    let (path, sha256) = ("init.yaml".to_owned(), "ab".repeat(32));
    UserData::as_it_is(PinnedFile { path, sha256 })
}

fn set_image(world: &mut Inventory, change: impl FnOnce(&mut refleet::domain::Image)) {
    let mut other = image("img-other");
    change(&mut other);
    world.servers[0].image = "img-other".into();
    world.images.insert("img-other".into(), Some(other));
}

/// A change of a world that is in order, and the codes that it must lead to.
type Case = (&'static str, fn(&mut Inventory, &mut ReinstallSpec));

#[test]
fn what_the_cloud_would_refuse_is_known_before() {
    let cases: &[Case] = &[
        ("Ecs.0105", |w, _| w.servers[0].volumes.retain(|volume| !volume.boot)),
        ("Ecs.0101", |w, _| w.volumes["v-0001-sys"].status = "error".to_owned()),
        ("Ecs.0101", |w, _| drop(w.volumes.shift_remove("v-0001-sys"))),
        ("Ecs.0073", |w, _| w.volumes["v-0001-sys"].status = "backing-up".to_owned()),
        ("Ecs.0031", |w, _| w.servers[0].image = "img-gone".into()),
        ("Ecs.0032", |w, _| set_image(w, |image| image.status = "queued".to_owned())),
        ("Ecs.0032", |w, _| set_image(w, |image| image.registered = false)),
        ("Ecs.0100", |w, _| w.servers[0].status = "ERROR".to_owned()),
        ("Ecs.0100", |w, _| w.servers[0].status = "REBUILD".to_owned()),
        ("Ecs.0603", |w, _| w.servers[0].task_state = Some("powering-off".to_owned())),
        ("Ecs.0030", |w, _| w.servers[0].frozen = true),
        ("Ecs.0007", |w, _| w.servers[0].from_iso = true),
        ("X3", |w, _| w.servers[0].flavor = "d2.2xlarge.8".to_owned()),
        ("X3", |w, _| w.servers[0].flavor = "h2.3xlarge".to_owned()),
        ("Ecs.0314", |w, _| w.servers[0].key_name = Some("of-somebody".to_owned())),
        ("C10", |w, _| w.servers[0].key_name = None),
        ("C8", |w, _| set_image(w, |image| image.platform = "Red Hat".to_owned())),
        ("C8", |w, _| set_image(w, |image| image.platform = "Oracle Linux".to_owned())),
        ("C8", |w, _| set_image(w, |image| image.platform = "SUSE".to_owned())),
        ("X5", |w, spec| {
            set_image(w, |image| image.cloud_init = false);
            spec.user_data = Some(user_data());
        }),
        ("C10", |w, _| {
            set_image(w, |image| {
                image.cloud_init = false;
                image.os_type = "Windows".to_owned();
            });
        }),
        ("Ecs.0912", |w, _| w.volumes["v-0001-sys"].key = Some(KEY.to_owned())),
        ("EVS.2040", |w, _| {
            w.volumes["v-0001-sys"].key = Some(KEY.to_owned());
            w.keys.push(kms_key(KEY, "old"));
            w.keys[1].state = KeyState::Disabled;
        }),
    ];
    for (number, (code, change)) in cases.iter().enumerate() {
        let found = judged(Provider::Huawei, change).unwrap_err();
        assert_eq!(found, [*code], "case {number}");
    }
}

#[test]
fn what_concerns_every_server_alike_leaves_no_plan_at_all() {
    let cases: &[Case] = &[
        ("!all_blocked", |_, spec| spec.license = Some(License::Byol)),
        ("!all_blocked", |_, spec| {
            spec.login = password();
            spec.user_data = Some(user_data());
        }),
        ("!all_blocked", |_, spec| {
            spec.encryption = EncryptionSpec::KmsKey("no/such".to_owned());
        }),
        ("!all_blocked", |w, spec| {
            spec.encryption = EncryptionSpec::KmsKey("evs/default".to_owned());
            w.agency = Some(AgencyState::Missing);
        }),
        ("!Ecs.0021", |w, _| {
            w.quota.as_mut().unwrap().volumes = QuotaLine { limit: Some(4), used: 4 };
        }),
        ("!Ecs.0021", |w, _| {
            w.quota.as_mut().unwrap().gigabytes = QuotaLine { limit: Some(100), used: 61 };
        }),
        ("!Ecs.0021", |w, _| {
            let none = QuotaLine { limit: Some(0), used: 0 };
            let any = QuotaLine { limit: None, used: 0 };
            w.quota.as_mut().unwrap().by_kind.insert("SSD".to_owned(), (none, any));
        }),
    ];
    for (number, (code, change)) in cases.iter().enumerate() {
        assert_eq!(judged(Provider::Huawei, change).unwrap_err(), [*code], "case {number}");
    }
}

#[test]
fn the_calls_that_a_cloud_does_not_document_are_refused_there() {
    let no_cloud_init: fn(&mut Inventory, &mut ReinstallSpec) =
        |w, _| set_image(w, |image| image.cloud_init = false);
    assert_eq!(judged(Provider::Otc, no_cloud_init).unwrap_err(), ["X5"]);
    let (_, request) = judged(Provider::Huawei, no_cloud_init).unwrap();
    assert_eq!(request.call, InstallCall::V1);
    let (_, request) = judged(Provider::Otc, |w, spec| {
        no_cloud_init(w, spec);
        spec.allow_v1 = true;
    })
    .unwrap();
    assert_eq!(request.call, InstallCall::V1, "somebody insisted");
    let with_password = |_: &mut Inventory, spec: &mut ReinstallSpec| spec.login = password();
    assert_eq!(judged(Provider::Otc, with_password).unwrap_err(), ["!all_blocked"]);
    let (_, request) = judged(Provider::Huawei, with_password).unwrap();
    assert!(matches!(request.login, Login::Password(_)));
}

#[test]
fn encryption_is_kept_unless_somebody_says_otherwise() {
    let encrypted = |w: &mut Inventory| {
        w.volumes["v-0001-sys"].key = Some(KEY.to_owned());
        w.keys.push(kms_key(KEY, "old"));
    };
    let (_, request) = judged(Provider::Otc, |w, _| encrypted(w)).unwrap();
    assert_eq!(request.encryption, Encryption::Key(KEY.to_owned()));
    let (plan, request) = judged(Provider::Otc, |w, spec| {
        encrypted(w);
        spec.encryption = EncryptionSpec::None;
    })
    .unwrap();
    assert_eq!(request.encryption, Encryption::None);
    assert!(plan.warnings.iter().any(|warning| warning.contains("will not be encrypted")));
    let (_, request) = judged(Provider::Otc, |_, spec| {
        spec.encryption = EncryptionSpec::KmsKey("evs/default".to_owned());
    })
    .unwrap();
    let default = "0d0466b0-e727-4d9c-b35d-f84bb474a37f".to_owned();
    assert_eq!(request.encryption, Encryption::Key(default), "the alias became an id");
    let (plan, request) = judged(Provider::Otc, |w, _| {
        w.volumes["v-0001-sys"].key = Some(KEY.to_owned());
        w.unread.push(Unread::Keys);
    })
    .unwrap();
    assert_eq!(request.encryption, Encryption::Key(KEY.to_owned()), "an id can be sent unseen");
    assert!(plan.warnings.iter().any(|warning| warning.contains("KMS keys could not be read")));
}

#[test]
fn an_encrypted_image_gives_an_encrypted_disk_whatever_the_old_one_was() {
    let sealed = |w: &mut Inventory| {
        set_image(w, |image| image.key = Some(KEY.to_owned()));
        w.keys.push(kms_key(KEY, "image"));
    };
    let (_, request) = judged(Provider::Otc, |w, _| sealed(w)).unwrap();
    assert_eq!(request.encryption, Encryption::Key(KEY.to_owned()));
    let blocked = judged(Provider::Otc, |w, spec| {
        sealed(w);
        spec.encryption = EncryptionSpec::None;
    });
    assert_eq!(blocked.unwrap_err(), ["X8"]);
}

#[test]
fn the_forecast_names_the_limit_that_makes_the_run_as_long_as_it_is() {
    let check = |change: fn(&mut Playbook, &mut Inventory),
                 expected: &str,
                 abreast: u32,
                 peak: u32| {
        let mut web = fleet("web", 4, &["web-*"]);
        web.strategy = Strategy {
            canary: 0,
            serial: vec![Size::Share(Share(100))],
            max_unavailable: Size::Count(9),
            max_failures: 2,
            ..Strategy::default()
        };
        let (mut playbook, mut world) = (playbook(vec![web]), inventory(web_and_db(20, 0)));
        change(&mut playbook, &mut world);
        let plan = drawn(&playbook, &world).unwrap();
        let (forecast, waves) = (plan.forecast, plan.fleets["web"].waves.len() as u64);
        assert_eq!((forecast.binds.as_str(), forecast.peak), (expected, peak));
        // A job at least; at most with its stop, its settle time and the looks between them.
        let rounds = 20_u64.div_ceil(u64::from(abreast));
        assert!(forecast.duration >= Millis::secs(rounds * 120), "{}", forecast.duration);
        let in_line = forecast.requests * 60_000 / u64::from(plan.limits.api.per_minute);
        let most = Millis(rounds * 500_000 + in_line);
        assert!(forecast.duration <= most, "{}", forecast.duration);
        assert!((40..=20 * 16 + 2 * waves).contains(&forecast.requests), "{}", forecast.requests);
    };
    check(|_, _| {}, "strict_budget with max_failures of fleet `web`: 3 at once", 3, 3);
    let lenient: fn(&mut Playbook, &mut Inventory) =
        |playbook, _| playbook.fleets["web"].strategy.strict_budget = false;
    check(lenient, "max_unavailable of fleet `web`: 9 at once", 9, 9);
    check(
        |playbook, _| {
            playbook.fleets["web"].strategy.strict_budget = false;
            playbook.limits.reinstalls = 4;
        },
        "limits.reinstalls: 4 at once",
        4,
        9,
    );
    check(
        |_, world| {
            world.quota.as_mut().unwrap().volumes = QuotaLine { limit: Some(9), used: 7 };
        },
        "limits.reinstalls, lowered to the EVS quota `volumes`: 2 at once",
        2,
        3,
    );
    check(
        |playbook, _| playbook.fleets["web"].strategy.serial = vec![Size::Count(1)],
        "strategy.serial of fleet `web`: 1 at once",
        1,
        1,
    );
    check(
        |playbook, _| {
            playbook.fleets["web"].strategy.max_failures = 50;
            playbook.fleets["web"].strategy.max_unavailable = Size::Share(Share(100));
            playbook.limits.reinstalls = 20;
            playbook.limits.api.per_minute = 5;
        },
        "limits.api: 5 requests a minute",
        20,
        20,
    );
}

#[test]
fn the_peak_counts_every_fleet_that_may_be_open_together() {
    // `c` begins when a part of `b` is done: after all of `a`, if `b` needs all of it.
    let check = |a_before_b: u32, expected: u32| {
        let after = |fleet: &str, verified: u32| {
            vec![DependsOn { fleet: fleet.into(), verified: Share(verified), place: line(9) }]
        };
        let needs = [("a", 2, vec![]), ("b", 4, after("a", a_before_b)), ("c", 1, after("b", 50))];
        let fleets = needs.into_iter().map(|(name, away, needs)| {
            let mut fleet = fleet(name, 4, &[&format!("{name}-*")]);
            fleet.depends_on = needs;
            fleet.strategy = Strategy {
                canary: 0,
                serial: vec![Size::Share(Share(100))],
                max_unavailable: Size::Count(away),
                strict_budget: false,
                ..Strategy::default()
            };
            fleet
        });
        let mut playbook = playbook(fleets.collect());
        playbook.limits.reinstalls = 1;
        let names = ["a", "b", "c"].map(|name| (0..10).map(move |n| format!("{name}-{n}")));
        let names = names.into_iter().flatten();
        let servers = names.zip(1..).map(|(name, n)| crate::world::server(n, &name)).collect();
        let peak = drawn(&playbook, &inventory(servers)).unwrap().forecast.peak;
        assert_eq!(peak, expected, "{a_before_b} % of a before b");
    };
    check(50, 2 + 4 + 1);
    check(100, 4 + 1);
}

#[test]
fn logins_that_work_are_taken_as_they_are_written() {
    let foreign = LoginSpec::KeyPair { name: "theirs".to_owned(), owner: Some("u-9".into()) };
    let (plan, request) = judged(Provider::Otc, |_, spec| spec.login = foreign.clone()).unwrap();
    let login = Login::KeyPair { name: "theirs".to_owned(), owner: "u-9".into() };
    assert_eq!(request.login, login);
    assert!(plan.warnings.iter().any(|warning| warning.contains("belongs to user u-9")));
    let (_, request) = judged(Provider::Otc, |w, spec| {
        w.servers[0].key_name = None;
        spec.user_data = Some(user_data());
    })
    .unwrap();
    assert_eq!((request.login, request.user_data), (Login::UserData, Some(user_data().file)));
    let (_, request) = judged(Provider::Otc, |w, spec| {
        w.key_pairs.insert("new".to_owned(), Some(key_pair("new")));
        spec.login = LoginSpec::KeyPair { name: "new".to_owned(), owner: None };
    })
    .unwrap();
    let login = Login::KeyPair { name: "new".to_owned(), owner: "u-1".into() };
    assert_eq!(request.login, login, "the acting user is the owner");
}

#[test]
fn a_licence_is_sent_only_where_it_is_your_own() {
    let red_hat = |license| {
        judged(Provider::Otc, move |w, spec| {
            let mut red_hat = image("img-ubuntu");
            red_hat.platform = "Red Hat".to_owned();
            w.images.insert("img-ubuntu".into(), Some(red_hat));
            spec.license = Some(license);
        })
    };
    assert!(red_hat(License::Byol).unwrap().1.byol);
    assert!(!red_hat(License::System).unwrap().1.byol);
    let free = judged(Provider::Otc, |w, _| {
        set_image(w, |image| {
            image.platform = "SUSE".to_owned();
            image.os_version = "openSUSE Leap 15.6 64bit".to_owned();
        });
    });
    assert!(!free.unwrap().1.byol);
}

#[test]
fn a_server_is_left_as_the_playbook_says() {
    let check = |leave, status: &str, expected| {
        let (plan, _) = judged(Provider::Otc, |w, spec| {
            w.servers[0].status = status.to_owned();
            spec.leave = leave;
        })
        .unwrap();
        assert_eq!(plan.targets["s-0001"].leave_running, expected, "{leave:?} {status}");
    };
    check(Leave::Running, "SHUTOFF", true);
    check(Leave::Stopped, "ACTIVE", false);
    check(Leave::AsFound, "ACTIVE", true);
    check(Leave::AsFound, "SHUTOFF", false);
}

#[test]
fn a_tight_quota_lowers_what_may_be_in_flight() {
    let (plan, _) = judged(Provider::Otc, |w, _| {
        w.quota.as_mut().unwrap().gigabytes = QuotaLine { limit: Some(1_000), used: 900 };
    })
    .unwrap();
    assert_eq!(plan.limits.reinstalls, 2, "100 GiB free, 40 GiB each");
    assert!(plan.warnings.iter().any(|warning| warning.contains("has room for 2 at once")));
    let (plan, _) = judged(Provider::Otc, |w, _| w.quota = None).unwrap();
    assert_eq!(plan.limits.reinstalls, 10, "what is not known does not bind");
}

#[test]
fn no_other_word_outvotes_the_one_that_protects() {
    let tag = |tag: &str| Selector::try_new(None, None, Some(tag), None).unwrap();
    for other in ["ok", "yes", "a", "zzz", ""] {
        let mut world = inventory(web_and_db(5, 0));
        world.servers[1].tags.extend([("reinstall", "never"), ("reinstall", other)]);
        world.servers[2].tags.extend([("tier", other), ("tier", "gold")]);
        world.servers[3].tags.extend([("pool", "spare"), ("pool", other)]);
        // A server is selected by any of its words.
        world.servers[0].tags.extend([("role", other)]);
        let mut web = fleet("web", 4, &[]);
        web.hosts = vec![HostEntry::new(line(5), Hosts::Matching(tag("role=web")))];
        let exclude =
            |selector| Exclude { place: line(9), selector: tag(selector), allow_none: false };
        web.exclude = vec![exclude("pool=spare")];
        let mut playbook = playbook(vec![web]);
        playbook.guards.protected = vec![(tag("tier=gold"), line(20))];
        let plan = check(drawn(&playbook, &world).unwrap()).unwrap();
        let planned: Vec<&str> = plan.targets.keys().map(ServerId::as_str).collect();
        assert_eq!(planned, ["s-0001", "s-0005"], "{other:?}");

        // What protects is found again right before the wipe, and so is each word that came or went.
        let was = &plan.targets["s-0001"].found;
        let mut now = world.servers[0].clone();
        assert!(differences(was, &now).is_empty() && protection(&now).is_none());
        now.tags.extend([("reinstall", other)]);
        assert_eq!((differences(was, &now).len(), protection(&now)), (1, None), "{other:?}");
        now.tags.extend([("reinstall", "never")]);
        assert!(protection(&now).is_some(), "{other:?}");

        // A plan on disk keeps them.
        let text = serde_json::to_string(&*plan).unwrap();
        let read: Plan = serde_json::from_str(&text).unwrap();
        assert_eq!(read.targets["s-0001"].found.tags, was.tags);
    }
}

#[test]
fn s12_protected_and_locked_servers_are_left_out_whatever_selects_them() {
    let mut world = inventory(web_and_db(5, 0));
    world.servers[1].tags.insert("reinstall", "never");
    world.servers[2].locked = true;
    let mut web = fleet("web", 4, &["web-*"]);
    web.exclude = vec![Exclude { place: line(9), selector: named("web-05"), allow_none: false }];
    let mut playbook = playbook(vec![web]);
    playbook.guards.protected = vec![(named("web-04"), line(20))];
    let plan = check(drawn(&playbook, &world).unwrap()).unwrap();
    assert_eq!(plan.targets.keys().map(ServerId::as_str).collect::<Vec<_>>(), ["s-0001"]);
    let rules: Vec<String> = plan
        .left_out
        .iter()
        .map(|left_out| {
            let place = left_out.place.as_ref().map_or(String::new(), ToString::to_string);
            format!("{} {} {place}", left_out.name, left_out.rule)
        })
        .collect();
    assert_eq!(
        rules,
        [
            "web-05 exclude: name: web-05 web.yaml:9",
            "web-02 tag reinstall=never ",
            "web-03 locked; refleet never unlocks ",
            "web-04 guards.protected: name: web-04 web.yaml:20",
        ]
    );
}

#[test]
fn a_fleet_of_protected_servers_only_is_an_error() {
    let mut world = inventory(web_and_db(2, 1));
    world.servers[2].locked = true;
    let playbook = playbook(vec![fleet("web", 4, &["web-*"]), fleet("db", 9, &["db-*"])]);
    let refusals = drawn(&playbook, &world).unwrap_err();
    assert_eq!(
        refusals[0].to_string(),
        "web.yaml:9: fleet `db` ends empty: every server that it selects is protected or locked"
    );
}

#[test]
fn guards_cap_the_whole_plan_and_large_fleets_need_a_strategy() {
    let mut web = fleet("web", 4, &["web-*"]);
    let world = inventory(web_and_db(51, 0));
    let refused = |playbook: &Playbook| codes(&drawn(playbook, &world).unwrap_err());
    assert_eq!(refused(&playbook(vec![web.clone()])), ["!strategy_needed"]);
    web.strategy =
        Strategy { serial: vec![Size::Share(Share(50))], written: true, ..Strategy::default() };
    let mut playbook = playbook(vec![web]);
    assert_eq!(sizes(&drawn(&playbook, &world).unwrap(), "web"), [1, 26, 24]);
    playbook.guards.max_hosts = Some((50, line(3)));
    assert_eq!(refused(&playbook), ["!too_many_hosts"]);
    playbook.guards.max_hosts = Some((51, line(3)));
    drawn(&playbook, &world).unwrap();
}

#[test]
fn narrowing_only_narrows_and_every_word_of_it_must_match() {
    let mut web = fleet("web", 9, &["web-*"]);
    web.depends_on = vec![DependsOn { fleet: "db".into(), verified: Share(100), place: line(10) }];
    let playbook = playbook(vec![fleet("db", 4, &["db-*"]), web]);
    let world = inventory(web_and_db(4, 2));
    let narrowed = |fleets: &[&str], limits: &[&str]| {
        let narrowing = Narrowing {
            fleets: fleets.iter().map(|fleet| (*fleet).into()).collect(),
            limits: limits.iter().map(|limit| (*limit).to_owned()).collect(),
            ids: None,
        };
        draw(&playbook, &cloud(Provider::Otc), &world, &narrowing, MADE)
    };
    let names = |fleets: &[&str], limits: &[&str]| -> Vec<String> {
        let plan = check(narrowed(fleets, limits).unwrap()).unwrap();
        plan.targets.values().map(|target| target.found.name.clone()).collect()
    };
    assert_eq!(names(&[], &["web-02", "db-*"]), ["db-01", "db-02", "web-02"]);
    assert_eq!(names(&["web"], &["s-0003", "web-01"]), ["web-01", "web-03"]);
    assert_eq!(names(&["db"], &[]), ["db-01", "db-02"]);
    let plan = narrowed(&["web"], &["web-0[12]"]).unwrap();
    assert!(plan.fleets["web"].waves[0].canary, "the canary holds for a part too");
    assert!(plan.warnings.iter().any(|warning| warning.contains("will not be waited for")));
    let refused = |fleets: &[&str], limits: &[&str]| codes(&narrowed(fleets, limits).unwrap_err());
    assert_eq!(refused(&["wbe"], &[]), ["!unknown_fleet"]);
    assert_eq!(refused(&["db"], &["web-01"]), ["!limit_matches_nothing"]);
    assert_eq!(refused(&[], &["web-01", "web-99"]), ["!limit_matches_nothing"]);
    assert_eq!(refused(&[], &[""]), ["!limit_matches_nothing"]);
    assert_eq!(refused(&[], &["web-[1"]), ["!malformed_limit"]);
}

#[test]
fn a_plan_for_the_servers_of_an_earlier_run_has_no_other_and_keeps_its_canary() {
    let playbook = playbook(vec![fleet("db", 4, &["db-*"]), fleet("web", 9, &["web-*"])]);
    let world = inventory(web_and_db(4, 2));
    let of = |ids: &[&str]| {
        let ids = Some(ids.iter().map(|id| (*id).into()).collect());
        let narrowing = Narrowing { ids, ..Narrowing::default() };
        assert!(!narrowing.is_whole());
        draw(&playbook, &cloud(Provider::Otc), &world, &narrowing, MADE)
    };
    // Who is gone since then is no reason to refuse the others.
    let plan = check(of(&["s-0003", "s-0002", "s-9999"]).unwrap()).unwrap();
    let ids: Vec<&str> = plan.targets.keys().map(ServerId::as_str).collect();
    assert_eq!(ids, ["s-0002", "s-0003"]);
    assert!(plan.fleets.values().all(|fleet| fleet.waves[0].canary), "{:?}", plan.fleets);
    assert_eq!(codes(&of(&["s-9999"]).unwrap_err()), ["!nothing_selected"]);
}

#[test]
fn the_name_of_a_matrix_means_all_of_its_parts_and_that_of_a_part_this_one() {
    let part = |name: &str, glob: &str| {
        let mut part = fleet(name, 4, &[glob]);
        part.family = "web".into();
        part
    };
    let playbook = playbook(vec![
        part("web[a]", "web-01"),
        part("web[b]", "web-02"),
        fleet("db", 9, &["db-*"]),
    ]);
    let world = inventory(web_and_db(2, 1));
    let names = |fleet: &str| {
        let narrowing = Narrowing { fleets: vec![fleet.into()], ..Narrowing::default() };
        let plan = draw(&playbook, &cloud(Provider::Otc), &world, &narrowing, MADE).ok()?;
        let names = plan.targets.values().map(|target| target.found.name.clone());
        Some(names.collect::<Vec<_>>().join(" "))
    };
    assert_eq!(names("web").as_deref(), Some("web-01 web-02"));
    assert_eq!(names("web[b]").as_deref(), Some("web-02"));
    assert_eq!(names("web[c]"), None);
}

#[test]
fn a_cycle_is_shown_with_every_line_that_makes_it() {
    let needs =
        |fleet: &str, at| DependsOn { fleet: fleet.into(), verified: Share(100), place: line(at) };
    let mut web = fleet("web", 4, &["web-*"]);
    let mut db = fleet("db", 9, &["db-*"]);
    web.depends_on = vec![needs("db", 5)];
    db.depends_on = vec![needs("web", 10)];
    db.steps[0].after = vec![("verify".to_owned(), line(12))];
    let refusals = drawn(&playbook(vec![web, db]), &inventory(web_and_db(1, 1))).unwrap_err();
    let shown: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "web.yaml:10: these wait for each other: fleet `db` waits for fleet `web` (depends_on, \
         web.yaml:10); fleet `web` waits for fleet `db` (depends_on, web.yaml:5)",
            "web.yaml:12: these wait for each other: step `validate` of fleet `db` waits for step \
         `stop` of fleet `db` (the order of the list); step `reinstall` of fleet `db` waits for \
         step `validate` of fleet `db` (the order of the list); step `wait` of fleet `db` waits \
         for step `reinstall` of fleet `db` (the order of the list); step `verify` of fleet `db` \
         waits for step `wait` of fleet `db` (the order of the list); step `stop` of fleet `db` \
         waits for step `verify` of fleet `db` (after, web.yaml:12)",
        ]
    );
}

/// A step of the playbook's own that runs `program`.
fn own(id: &str, program: &[&str], after: &[&str]) -> StepSpec {
    let run = RunSpec {
        run: Program {
            argv: program.iter().map(|word| Template::new(*word)).collect(),
            file: None,
        },
        undo: None,
        timeout: Millis::mins(1),
        cwd: ".".to_owned(),
        env: BTreeMap::new(),
        once: false,
    };
    let after = after.iter().map(|id| ((*id).to_owned(), line(7))).collect();
    let run = Some(Box::new(run));
    StepSpec { id: id.to_owned(), after, run, ..StepSpec::by_default(StepWord::Run) }
}

#[test]
fn own_steps_wait_for_the_list_or_for_what_they_name() {
    let mut web = fleet("web", 4, &["web-*"]);
    web.steps.insert(0, own("branch", &["b"], &["late", "stop"]));
    web.steps.insert(1, own("drain", &["d"], &[]));
    web.steps.insert(3, own("copy", &["c"], &[]));
    web.steps.push(own("late", &["l"], &["reinstall"]));
    let plan = drawn(&playbook(vec![web, fleet("db", 9, &["db-*"])]), &inventory(web_and_db(1, 1)));
    let plan = plan.unwrap();
    let steps = plan.fleets["web"].steps.iter();
    let shown: Vec<String> =
        steps.map(|step| format!("{} after {}", step.id, step.after.join(" "))).collect();
    assert_eq!(
        shown,
        [
            "drain after ",
            "stop after drain",
            "copy after stop",
            "validate after copy",
            "reinstall after validate",
            "wait after reinstall",
            "verify after wait",
            "late after reinstall",
            "branch after late stop",
        ]
    );
    assert!(dot(&plan).contains("drain") && mermaid(&plan).contains("branch"));
    assert!(
        explain(&plan).contains("step late of fleet web after reinstall"),
        "{}",
        explain(&plan)
    );
}

#[test]
fn a_server_without_what_a_step_inserts_is_blocked() {
    let mut web = fleet("web", 4, &["web-*"]);
    web.steps.insert(0, own("drain", &["d", "{{ host.name }}", "{{ host.tag.pool }}"], &[]));
    let mut world = inventory(web_and_db(2, 1));
    world.servers[0].tags.insert("pool", "a");
    let plan = drawn(&playbook(vec![web, fleet("db", 9, &["db-*"])]), &world).unwrap();
    let blocked: Vec<(&str, &str)> =
        plan.blocked.iter().map(|it| (it.name.as_str(), it.cause.as_str())).collect();
    assert_eq!(
        blocked,
        [("web-02", "step `drain` cannot be filled in: it has no `host.tag.pool`")]
    );
}

#[test]
fn a_fleet_or_step_that_is_waited_for_must_exist() {
    let mut web = fleet("web", 4, &["web-*"]);
    web.depends_on = vec![DependsOn { fleet: "dv".into(), verified: Share(100), place: line(5) }];
    web.steps[3].after = vec![("reinstal".to_owned(), line(7))];
    let playbook = playbook(vec![web, fleet("db", 9, &["db-*"])]);
    let refusals = drawn(&playbook, &inventory(web_and_db(1, 1))).unwrap_err();
    let shown: Vec<String> =
        refusals.iter().map(|refusal| format!("{refusal}: {}", refusal.help)).collect();
    assert_eq!(
        shown,
        [
            "web.yaml:7: fleet `web` has no step `reinstal`: did you mean `reinstall`?",
            "web.yaml:5: fleet `web` depends on `dv`: no such fleet: did you mean `db`?",
        ]
    );
}
