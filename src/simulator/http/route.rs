//! Which call a request is, by method and path (`ecs.md`, `storage-image-kms.md`, `auth.md`).

use super::vaults::VaultCall;
use crate::domain::{ImageId, InstallCall, JobId, ServerId, VolumeId};

/// A call of the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Identity.
    Identity(IdentityCall),
    /// Servers.
    Servers(ServerCall),
    /// Stop, start, reinstall.
    Power(PowerCall),
    /// A job.
    ShowJob(JobId),
    /// Disks.
    Storage(StorageCall),
    /// Vaults and backups.
    Vaults(VaultCall),
    /// Images.
    Images(ImageCall),
    /// Keys.
    Keys(KeyCall),
    /// The audit log.
    Traces,
}

/// Identity, and the versions of native services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IdentityCall {
    /// The root: says nothing of versions.
    Root,
    /// The version of Identity.
    IdentityVersion,
    /// The version of native Nova.
    ComputeVersion,
    /// A token for a password.
    IssueToken,
    /// Is a token valid?
    CheckToken,
    /// Services and where they are.
    Catalog,
    /// Projects, by name.
    Projects,
    /// The domain.
    Domains,
    /// Who owns an access key.
    Credential(String),
    /// Agencies.
    Agencies,
}

/// Servers, without changing them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerCall {
    /// v1 list of servers.
    ListServers,
    /// v1 server.
    ShowServer(ServerId),
    /// Its disks.
    BlockDevices(ServerId),
    /// Its ports.
    Interfaces(ServerId),
    /// Its tags.
    Tags(ServerId),
    /// Its Windows password.
    Password(ServerId),
    /// ECS quota.
    Limits,
    /// Servers by tag.
    ByTag,
    /// Native list of servers.
    NativeServers,
    /// Native server.
    NativeServer(ServerId),
}

/// Everything that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PowerCall {
    /// Batch stop and start.
    Batch,
    /// Native stop and start.
    NativeAction(ServerId),
    /// Reinstall.
    Reinstall(ServerId, InstallCall),
    /// Change the OS.
    ChangeOs(ServerId, InstallCall),
}

/// Disks and their quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StorageCall {
    /// EVS quota.
    Quota,
    /// Disks.
    ListVolumes,
    /// One disk.
    ShowVolume(VolumeId),
    /// Snapshots of disks.
    Snapshots,
    /// One snapshot.
    ShowSnapshot(String),
    /// A new snapshot.
    CreateSnapshot,
}

/// Images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ImageCall {
    /// Images.
    ListImages,
    /// One image.
    ShowImage(ImageId),
}

/// Key pairs and KMS keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyCall {
    /// Key pairs.
    KeyPairs,
    /// One key pair.
    KeyPair(String),
    /// KMS keys.
    ListKeys,
    /// One KMS key.
    DescribeKey,
}

/// What a call needs and how it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Realm {
    /// Anybody may call it.
    Public,
    /// A user; no trouble is simulated there.
    Identity,
    /// A user with the project. What puts something into storage is here too: the troubles of
    /// servers do not concern it.
    Reading,
    /// The same, and it changes something.
    Mutating,
}

/// The call of a request, and the project in its path; `None`: there is no such call.
pub(super) fn route(method: &str, segments: &[String]) -> Option<(Call, Option<String>)> {
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let at_root = identity(method, &path).map(Call::Identity);
    if let Some(call) = at_root.or_else(|| images(method, &path).map(Call::Images)) {
        return Some((call, None));
    }
    let [version, project, rest @ ..] = &path[..] else { return None };
    let request = (method, *version, rest);
    let call = servers(request)
        .map(Call::Servers)
        .or_else(|| power(request).map(Call::Power))
        .or_else(|| storage(request).map(Call::Storage))
        .or_else(|| VaultCall::route(request).map(Call::Vaults))
        .or_else(|| keys(request).map(Call::Keys))
        .or_else(|| others(request));
    call.map(|call| (call, Some((*project).to_owned())))
}

/// Method, version, and the path behind the project.
type Request<'a> = (&'a str, &'a str, &'a [&'a str]);

fn identity(method: &str, path: &[&str]) -> Option<IdentityCall> {
    Some(match (method, path) {
        ("GET", []) => IdentityCall::Root,
        ("GET", ["v3"]) => IdentityCall::IdentityVersion,
        ("GET", ["v2.1"]) => IdentityCall::ComputeVersion,
        ("POST", ["v3", "auth", "tokens"]) => IdentityCall::IssueToken,
        ("GET" | "HEAD", ["v3", "auth", "tokens"]) => IdentityCall::CheckToken,
        ("GET", ["v3", "auth", "catalog"]) => IdentityCall::Catalog,
        ("GET", ["v3", "projects"] | ["v3", "auth", "projects"]) => IdentityCall::Projects,
        ("GET", ["v3", "auth", "domains"]) => IdentityCall::Domains,
        ("GET", ["v3.0", "OS-CREDENTIAL", "credentials", key]) => {
            IdentityCall::Credential((*key).to_owned())
        }
        ("GET", ["v3.0", "OS-AGENCY", "agencies"]) => IdentityCall::Agencies,
        _ => return None,
    })
}

fn images(method: &str, path: &[&str]) -> Option<ImageCall> {
    Some(match (method, path) {
        ("GET", ["v2", "cloudimages" | "images"]) => ImageCall::ListImages,
        ("GET", ["v2", "images", id]) => ImageCall::ShowImage(ImageId::from(*id)),
        _ => return None,
    })
}

fn servers(request: Request<'_>) -> Option<ServerCall> {
    let of = |id: &str| ServerId::from(id);
    Some(match request {
        ("GET", "v1", ["cloudservers", "detail"]) => ServerCall::ListServers,
        ("GET", "v1", ["cloudservers", "limits"]) => ServerCall::Limits,
        ("POST", "v1", ["servers" | "cloudservers", "resource_instances", "action"]) => {
            ServerCall::ByTag
        }
        ("GET", "v1", ["cloudservers", id]) => ServerCall::ShowServer(of(id)),
        ("GET", "v1", ["cloudservers", id, "block_device"]) => ServerCall::BlockDevices(of(id)),
        ("GET", "v1", ["cloudservers", id, "os-interface"]) => ServerCall::Interfaces(of(id)),
        ("GET", "v1", ["cloudservers", id, "tags"]) => ServerCall::Tags(of(id)),
        ("GET", "v1", ["cloudservers", id, "os-server-password"])
        | ("GET", "v2" | "v2.1", ["servers", id, "os-server-password"]) => {
            ServerCall::Password(of(id))
        }
        ("GET", "v2.1", ["servers", "detail"]) => ServerCall::NativeServers,
        ("GET", "v2.1", ["servers", id]) => ServerCall::NativeServer(of(id)),
        _ => return None,
    })
}

fn power(request: Request<'_>) -> Option<PowerCall> {
    let of = |id: &str| ServerId::from(id);
    Some(match request {
        ("POST", "v1", ["cloudservers", "action"]) => PowerCall::Batch,
        ("POST", "v1", ["cloudservers", id, "reinstallos"]) => {
            PowerCall::Reinstall(of(id), InstallCall::V1)
        }
        ("POST", "v2", ["cloudservers", id, "reinstallos"]) => {
            PowerCall::Reinstall(of(id), InstallCall::V2)
        }
        ("POST", "v1", ["cloudservers", id, "changeos"]) => {
            PowerCall::ChangeOs(of(id), InstallCall::V1)
        }
        ("POST", "v2", ["cloudservers", id, "changeos"]) => {
            PowerCall::ChangeOs(of(id), InstallCall::V2)
        }
        ("POST", "v2.1", ["servers", id, "action"]) => PowerCall::NativeAction(of(id)),
        _ => return None,
    })
}

fn storage(request: Request<'_>) -> Option<StorageCall> {
    let ("GET", version @ ("v2" | "v3"), rest) = request else { return storing(request) };
    Some(match (version, rest) {
        (_, ["os-quota-sets", _]) => StorageCall::Quota,
        (_, ["cloudvolumes" | "os-vendor-volumes" | "volumes", "detail"]) => {
            StorageCall::ListVolumes
        }
        (_, ["cloudvolumes" | "os-vendor-volumes" | "volumes", id]) => {
            StorageCall::ShowVolume(VolumeId::from(*id))
        }
        (_, ["cloudsnapshots" | "snapshots", "detail"]) => StorageCall::Snapshots,
        (_, ["cloudsnapshots" | "snapshots", id]) => StorageCall::ShowSnapshot((*id).to_owned()),
        _ => return None,
    })
}

/// What puts something into storage.
fn storing(request: Request<'_>) -> Option<StorageCall> {
    match request {
        ("POST", "v2" | "v3", ["cloudsnapshots" | "snapshots"]) => {
            Some(StorageCall::CreateSnapshot)
        }
        _ => None,
    }
}

fn keys(request: Request<'_>) -> Option<KeyCall> {
    Some(match request {
        ("GET", "v2.1", ["os-keypairs"]) => KeyCall::KeyPairs,
        ("GET", "v2.1", ["os-keypairs", name]) => KeyCall::KeyPair((*name).to_owned()),
        ("POST", "v1.0", ["kms", "list-keys"]) => KeyCall::ListKeys,
        ("POST", "v1.0", ["kms", "describe-key"]) => KeyCall::DescribeKey,
        _ => return None,
    })
}

fn others(request: Request<'_>) -> Option<Call> {
    match request {
        ("GET", "v1", ["jobs", id]) => Some(Call::ShowJob(JobId::from(*id))),
        ("GET", "v3", ["traces"]) => Some(Call::Traces),
        _ => None,
    }
}

impl Call {
    /// The name that it is counted under; a batch is told apart by its body.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Identity(call) => call.operation(),
            Self::Servers(call) => call.operation(),
            Self::Power(call) => call.operation(),
            Self::ShowJob(_) => "show_job",
            Self::Storage(call) => call.operation(),
            Self::Vaults(call) => call.operation(),
            Self::Images(call) => call.operation(),
            Self::Keys(call) => call.operation(),
            Self::Traces => "list_traces",
        }
    }

    /// What it needs.
    pub(super) fn realm(&self) -> Realm {
        match self {
            Self::Identity(
                IdentityCall::Root
                | IdentityCall::IdentityVersion
                | IdentityCall::ComputeVersion
                | IdentityCall::IssueToken,
            ) => Realm::Public,
            Self::Identity(
                IdentityCall::CheckToken
                | IdentityCall::Catalog
                | IdentityCall::Projects
                | IdentityCall::Domains
                | IdentityCall::Credential(_)
                | IdentityCall::Agencies,
            ) => Realm::Identity,
            Self::Power(_) => Realm::Mutating,
            Self::Servers(_)
            | Self::ShowJob(_)
            | Self::Storage(_)
            | Self::Vaults(_)
            | Self::Images(_)
            | Self::Keys(_)
            | Self::Traces => Realm::Reading,
        }
    }
}

impl IdentityCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::Root | Self::IdentityVersion | Self::ComputeVersion => "versions",
            Self::IssueToken => "issue_token",
            Self::CheckToken => "check_token",
            Self::Catalog => "catalog",
            Self::Projects => "list_projects",
            Self::Domains => "list_domains",
            Self::Credential(_) => "show_credential",
            Self::Agencies => "show_agency",
        }
    }
}

impl ServerCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::ListServers | Self::NativeServers => "list_servers",
            Self::ShowServer(_) | Self::NativeServer(_) => "show_server",
            Self::BlockDevices(_) => "list_block_devices",
            Self::Interfaces(_) => "list_interfaces",
            Self::Tags(_) => "list_tags",
            Self::Password(_) => "show_password",
            Self::Limits => "show_limits",
            Self::ByTag => "list_servers_by_tag",
        }
    }
}

impl PowerCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::NativeAction(_) => "server_action",
            Self::Reinstall(..) => "reinstall",
            Self::ChangeOs(..) => "change_os",
        }
    }
}

impl StorageCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::Quota => "show_quota",
            Self::ListVolumes => "list_volumes",
            Self::ShowVolume(_) => "show_volume",
            Self::Snapshots => "list_snapshots",
            Self::ShowSnapshot(_) => "show_snapshot",
            Self::CreateSnapshot => "create_snapshot",
        }
    }
}

impl ImageCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::ListImages => "list_images",
            Self::ShowImage(_) => "show_image",
        }
    }
}

impl KeyCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::KeyPairs => "list_key_pairs",
            Self::KeyPair(_) => "show_key_pair",
            Self::ListKeys => "list_keys",
            Self::DescribeKey => "show_key",
        }
    }
}
