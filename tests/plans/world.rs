//! A small project of a cloud, and playbooks for it, written down.

use std::collections::BTreeMap;

use refleet::domain::{
    Action, Address, AddressKind, AgencyState, Answer, Attachment, Backup, BackupState, Features,
    Image, KeyPair, KeyState, KmsKey, More, Origin, Page, Place, Quota, QuotaLine, Server,
    ServerId, Snapshot, Tags, Timestamp, Volume, WayBack,
};
use refleet::fleet::Selector;
use refleet::plan::{CloudIdentity, Inventory, Narrowing, Plan, Provider, Refusal, draw};
use refleet::playbook::{FleetSpec, Guards, HostEntry, Hosts, Limits, Playbook};

/// When every plan of the tests is made.
pub(crate) const MADE: Timestamp = Timestamp(1_767_323_045_000);

/// A line of the playbook.
pub(crate) fn line(line: u32) -> Place {
    Place { file: "web.yaml".into(), line }
}

/// A server at rest with one system disk and one data disk.
pub(crate) fn server(number: usize, name: &str) -> Server {
    Server {
        id: format!("s-{number:04}").into(),
        name: name.to_owned(),
        status: "ACTIVE".to_owned(),
        task_state: None,
        locked: false,
        frozen: false,
        fault: None,
        image: "img-ubuntu".into(),
        image_name: Some("ubuntu-24.04".to_owned()),
        key_name: Some("ops".to_owned()),
        user: "u-1".into(),
        flavor: "s3.large.2".to_owned(),
        ram_mib: Some(4_096),
        az: format!("eu-de-0{}", number % 3 + 1),
        tags: Tags::from([("role", "web")]),
        os_type: Some("Linux".to_owned()),
        from_iso: false,
        prepaid: false,
        local_disk_gib: None,
        volumes: vec![attachment(number, "sys"), attachment(number, "data")],
        addresses: vec![Address {
            addr: format!("10.0.{}.{}", number / 250, number % 250),
            mac: format!("fa:16:3e:00:{:02x}:{:02x}", number / 250, number % 250),
            port: format!("p-{number:04}"),
            kind: AddressKind::Fixed,
        }],
        created: Some(Timestamp(1_700_000_000_000)),
        updated: Some(Timestamp(1_760_000_000_000)),
    }
}

fn attachment(number: usize, kind: &str) -> Attachment {
    let boot = kind == "sys";
    let device = if boot { "/dev/vda" } else { "/dev/vdb" };
    Attachment { id: format!("v-{number:04}-{kind}").into(), device: device.to_owned(), boot }
}

/// An image with cloud-init and a free licence.
pub(crate) fn image(id: &str) -> Image {
    Image {
        id: id.into(),
        name: "ubuntu-24.04".to_owned(),
        status: "active".to_owned(),
        kind: "gold".to_owned(),
        registered: true,
        os_type: "Linux".to_owned(),
        platform: "Ubuntu".to_owned(),
        os_version: "Ubuntu 24.04 server 64bit".to_owned(),
        cloud_init: true,
        whole_server: false,
        backup: None,
        charged: false,
        key: None,
        min_disk_gib: 10,
        min_ram_mib: 0,
        made_for: Some("FusionCompute".to_owned()),
    }
}

/// The acting user's key pair of that name.
pub(crate) fn key_pair(name: &str) -> KeyPair {
    KeyPair { name: name.to_owned(), fingerprint: "aa:bb".to_owned(), user: Some("u-1".into()) }
}

/// An enabled KMS key.
pub(crate) fn kms_key(id: &str, alias: &str) -> KmsKey {
    KmsKey { id: id.to_owned(), alias: alias.to_owned(), state: KeyState::Enabled }
}

/// A snapshot of that disk.
pub(crate) fn snapshot(number: usize, volume: &str) -> Snapshot {
    Snapshot {
        id: format!("snap-{number:04}"),
        name: format!("before-{number}"),
        volume: volume.into(),
        status: "available".to_owned(),
    }
}

/// A project with these servers, and all that they rest on in order.
pub(crate) fn inventory(servers: Vec<Server>) -> Inventory {
    let volumes = servers.iter().flat_map(|server| {
        server.volumes.iter().map(|at| {
            let volume = Volume {
                id: at.id.clone(),
                size_gib: if at.boot { 40 } else { 100 },
                status: "in-use".to_owned(),
                kind: "SSD".to_owned(),
                key: None,
                server: Some(server.id.clone()),
                created: None,
            };
            (at.id.clone(), volume)
        })
    });
    let no_limit = QuotaLine { limit: None, used: 12 };
    Inventory {
        volumes: volumes.collect(),
        replaced_by: indexmap::IndexMap::new(),
        snapshots: Vec::new(),
        servers,
        images: [("img-ubuntu".into(), Some(image("img-ubuntu")))].into_iter().collect(),
        named_images: indexmap::IndexMap::new(),
        vaults: Vec::new(),
        backups: indexmap::IndexMap::new(),
        key_pairs: [("ops".to_owned(), Some(key_pair("ops")))].into_iter().collect(),
        keys: vec![kms_key("0d0466b0-e727-4d9c-b35d-f84bb474a37f", "evs/default")],
        quota: Some(Quota { volumes: no_limit, gigabytes: no_limit, by_kind: BTreeMap::new() }),
        agency: Some(AgencyState::Granted),
        unread: Vec::new(),
        here: refleet::plan::Machine::default(),
    }
}

/// Servers `web-01` … and `db-01` ….
pub(crate) fn web_and_db(web: usize, db: usize) -> Vec<Server> {
    let webs = (1..=web).map(|n| server(n, &format!("web-{n:02}")));
    let dbs = (1..=db).map(|n| {
        let mut server = server(web + n, &format!("db-{n:02}"));
        server.tags = Tags::from([("role", "db")]);
        server
    });
    webs.chain(dbs).collect()
}

/// Who acts, on a cloud of that family.
pub(crate) fn cloud(provider: Provider) -> CloudIdentity {
    CloudIdentity {
        name: "prod".to_owned(),
        provider,
        auth_host: "https://iam.example.test:443".to_owned(),
        region: "eu-de".to_owned(),
        project_id: "p-1".to_owned(),
        project_name: "eu-de_shop".to_owned(),
        user_id: "u-1".into(),
        user_name: "ops-bot".to_owned(),
        simulated: false,
        features: Features::default(),
    }
}

/// A selector by name.
pub(crate) fn named(glob: &str) -> Selector {
    Selector::try_new(None, Some(glob), None, None).unwrap()
}

/// A fleet whose hosts are these globs, written from that line on.
pub(crate) fn fleet(name: &str, at: u32, globs: &[&str]) -> FleetSpec {
    let entries = globs
        .iter()
        .zip(at + 2..)
        .map(|(glob, at)| HostEntry::new(line(at), Hosts::Matching(named(glob))));
    FleetSpec::new(name.into(), line(at), entries.collect())
}

/// A playbook of these fleets.
pub(crate) fn playbook(fleets: Vec<FleetSpec>) -> Playbook {
    Playbook {
        name: "web".to_owned(),
        cloud: "prod".to_owned(),
        cloud_place: line(2),
        provider: None,
        region: Some("eu-de".to_owned()),
        guards: Guards::default(),
        limits: Limits::default(),
        fleets: fleets.into_iter().map(|fleet| (fleet.name.clone(), fleet)).collect(),
        simulator: None,
        files: Vec::new(),
        origin: Origin {
            path: "web.yaml".to_owned(),
            sha256: "00".repeat(32),
            commit: Some("4f2c1d9e8b7a".to_owned()),
            dirty: Some(false),
            files: Vec::new(),
        },
    }
}

/// The plan of the whole playbook on the usual cloud.
pub(crate) fn drawn(playbook: &Playbook, inventory: &Inventory) -> Result<Plan, Vec<Refusal>> {
    draw(playbook, &cloud(Provider::Huawei), inventory, &Narrowing::default(), MADE)
}

/// What a cloud with this inventory answers.
pub(crate) fn answer(inventory: &Inventory, action: &Action) -> Answer {
    match action {
        Action::ListServers { page: Page::Number(page), limit } => Answer::Servers {
            more: More::Total(u32::try_from(inventory.servers.len()).unwrap()),
            servers: page_of(&inventory.servers, (page - 1) * limit, *limit),
        },
        Action::ListServers { page: Page::After(_), .. } => panic!("pages have numbers here"),
        Action::ListVolumes { offset, limit } => {
            let volumes: Vec<Volume> = inventory.volumes.values().cloned().collect();
            Answer::Volumes(page_of(&volumes, *offset, *limit))
        }
        Action::ShowServer { server } => {
            let found = inventory.servers.iter().find(|found| found.id == *server);
            Answer::Server(Box::new(found.unwrap().clone()))
        }
        Action::ShowImage { image } => {
            let found = inventory.images.get(image).and_then(Option::as_ref);
            Answer::Image(found.cloned().map(Box::new))
        }
        Action::FindImages { name } => {
            Answer::Images(inventory.named_images.get(name).cloned().unwrap_or_default())
        }
        Action::ShowKeyPair { name } => {
            Answer::KeyPair(inventory.key_pairs.get(name).cloned().flatten())
        }
        Action::ShowKey { key } => Answer::Key(inventory.key(key).cloned()),
        Action::ListKeys => Answer::Keys(inventory.keys.clone()),
        Action::ShowQuota => Answer::Quota(inventory.quota.clone().unwrap()),
        Action::ListSnapshots { offset, limit } => {
            Answer::Snapshots(page_of(&inventory.snapshots, *offset, *limit))
        }
        Action::ListVaults { offset, limit } => {
            Answer::Vaults(page_of(&inventory.vaults, *offset, *limit))
        }
        Action::ListBackups { .. } => {
            let backup = |(server, backup): (&ServerId, &WayBack)| Backup {
                id: backup.id.clone(),
                checkpoint: "cp".into(),
                name: "daily".to_owned(),
                server: server.clone(),
                state: BackupState::Available,
                has_system_disk: true,
                created: Some(backup.made),
            };
            Answer::Backups(inventory.backups.iter().map(backup).collect())
        }
        Action::ShowAgency => Answer::Agency {
            state: match inventory.agency.unwrap() {
                AgencyState::Powerless | AgencyState::Granted => AgencyState::Granted,
                state @ (AgencyState::Missing | AgencyState::Unknown) => state,
            },
            id: Some("agency-1".to_owned()),
        },
        Action::ListAgencyRoles { .. } => {
            let granted = inventory.agency == Some(AgencyState::Granted);
            let role = if granted { "KMS Administrator" } else { "Server Administrator" };
            Answer::AgencyRoles(Some(vec![role.to_owned()]))
        }
        other @ (Action::ShowJob { .. }
        | Action::ListTraces { .. }
        | Action::ShowPassword { .. }
        | Action::Probe { .. }
        | Action::Run { .. }
        | Action::Stop { .. }
        | Action::Start { .. }
        | Action::Backup { .. }
        | Action::Reinstall { .. }) => panic!("a survey never asks for {other:?}"),
    }
}

fn page_of<T: Clone>(all: &[T], offset: u32, limit: u32) -> Vec<T> {
    all.iter().skip(offset as usize).take(limit as usize).cloned().collect()
}
