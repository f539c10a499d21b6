//! N2 of the cloud's page: the system disk is cleared, so a backup comes first, where it is asked for.

use std::collections::BTreeSet;

use refleet::domain::{Millis, Timestamp, Vault, WayBack};
use refleet::plan::{Inventory, Plan, Refusal, Unread, check, explain, recheck};
use refleet::playbook::BackupSpec;

use crate::world::{MADE, drawn, fleet, inventory, line, playbook, web_and_db};

/// A vault that both servers are associated with.
fn vault(id: &str) -> Vault {
    Vault {
        id: id.to_owned(),
        name: "daily".to_owned(),
        status: "available".to_owned(),
        takes_servers: true,
        size_gib: 1_000,
        used_mib: 0,
        servers: ["s-0001".into(), "s-0002".into()].into(),
        left_out: BTreeSet::new(),
    }
}

/// A change of the world, and what is said of it.
type Case = (fn(&mut Inventory), &'static str);

fn backing_up(change: impl FnOnce(&mut Inventory)) -> Result<Plan, Vec<Refusal>> {
    let mut world = inventory(web_and_db(2, 0));
    world.vaults.push(vault("v-1"));
    change(&mut world);
    let mut web = fleet("web", 4, &["web-*"]);
    let timeout = Millis::mins(60);
    web.treatment.backup = Some(BackupSpec { vault: "daily".to_owned(), timeout });
    drawn(&playbook(vec![web]), &world)
}

#[test]
fn n2_a_backup_is_planned_into_the_one_vault_of_that_name() {
    let plan = backing_up(|world| {
        let made = Timestamp(MADE.0 - 3 * 3_600_000);
        world.backups.insert("s-0001".into(), WayBack { id: "b-1".to_owned(), made });
    });
    let plan = plan.unwrap();
    let backup = plan.treatments[0].backup.clone().unwrap();
    assert_eq!((backup.vault.as_str(), backup.name.as_str()), ("v-1", "daily"));
    let text = explain(&plan);
    for said in [
        "BACKED UP: each server, before it is stopped; without its backup none is wiped.",
        "a backup into vault daily (v-1) is taken first · the last one is 3 hours old",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    check(plan).unwrap();
}

#[test]
fn n2_what_the_last_backup_lacks_is_said_where_none_is_taken() {
    let mut world = inventory(web_and_db(2, 0));
    let made = Timestamp(MADE.0 - 72 * 3_600_000);
    world.backups.insert("s-0001".into(), WayBack { id: "b-1".to_owned(), made });
    let plan = drawn(&playbook(vec![fleet("web", 4, &["web-*"])]), &world).unwrap();
    let text = explain(&plan);
    assert!(
        text.contains("the last backup is 3 days old; what changed since then is lost"),
        "{text}"
    );
    assert!(text.contains("back  *no way back*"), "the other server: {text}");
}

#[test]
fn n2_a_vault_that_cannot_take_the_backup_blocks_its_servers() {
    let told = |change: fn(&mut Inventory)| {
        let refusal = backing_up(change).unwrap_err().remove(0);
        format!("{}; {}", refusal.message, refusal.help)
    };
    let cases: [Case; 7] = [
        (|world| world.vaults.clear(), "there is no vault daily"),
        (|world| world.vaults.push(vault("v-2")), "2 vaults are named daily: v-1, v-2"),
        (|world| world.vaults[0].takes_servers = false, "not one for backups of servers"),
        (|world| "frozen".clone_into(&mut world.vaults[0].status), "BackupService.6113"),
        (|world| world.vaults[0].used_mib = 1_024_000, "BackupService.6114"),
        (|world| world.vaults[0].servers.clear(), "not associated with vault daily (v-1)"),
        (
            |world| {
                world.vaults.clear();
                world.unread.push(Unread::Vaults);
            },
            "not allowed to list vaults",
        ),
    ];
    for (change, words) in cases {
        let told = told(change);
        assert!(told.contains(words), "{told:?} should say {words:?}");
    }
    let plan = backing_up(|world| {
        world.vaults[0].left_out.insert("v-0001-sys".into());
    });
    let plan = plan.unwrap();
    let [blocked] = plan.blocked.as_slice() else { panic!("{:?}", plan.blocked) };
    assert_eq!(blocked.code, "N2");
    assert!(blocked.cause.contains("leaves its system disk out"), "{}", blocked.cause);
    let small = backing_up(|world| world.vaults[0].used_mib = 990_000).unwrap();
    let warned = small.warnings.iter().any(|it| it.contains("vault daily has 33 GiB left"));
    assert!(warned, "{:?}", small.warnings);
}

#[test]
fn n2_a_vault_that_changed_after_the_plan_stops_the_run_before_its_first_stop() {
    let mut world = inventory(web_and_db(2, 0));
    world.vaults.push(vault("v-1"));
    let plan = check(backing_up(|_| ()).unwrap()).unwrap();
    assert!(recheck(&plan, &world).is_clean());
    world.vaults[0].servers.remove("s-0002");
    let refused = recheck(&plan, &world).refused;
    assert!(
        refused[0].contains("1 server no longer associated with vault daily: web-02"),
        "{refused:?}"
    );
    world.vaults[0] = vault("v-1");
    world.vaults[0].left_out.insert("v-0002-sys".into());
    let refused = recheck(&plan, &world).refused;
    assert!(
        refused[0].contains("vault daily leaves the system disks of 1 server out: web-02"),
        "{refused:?}"
    );
    world.vaults.clear();
    let refused = recheck(&plan, &world).refused;
    assert!(refused[0].contains("vault daily (v-1) is gone"), "{refused:?}");
}

#[test]
fn n2_a_guard_can_demand_a_backup_of_every_server() {
    let mut world = inventory(web_and_db(2, 0));
    world.vaults.push(vault("v-1"));
    let plan = |backup: Option<BackupSpec>| {
        let mut web = fleet("web", 4, &["web-*"]);
        web.treatment.backup = backup;
        let mut playbook = playbook(vec![web]);
        playbook.guards.backup = Some(line(3));
        drawn(&playbook, &world)
    };
    let refusal = plan(None).unwrap_err().remove(0);
    let text = refusal.to_string();
    assert!(text.contains("web.yaml:3") && text.contains("web.yaml:4"), "{text}");
    assert!(text.contains("2 servers of fleet `web` would be wiped without a backup"), "{text}");
    let timeout = Millis::mins(60);
    assert!(plan(Some(BackupSpec { vault: "v-1".to_owned(), timeout })).is_ok(), "by its id");
}
