//! Which call a request is, by method and path (`ecs.md`, `storage-image-kms.md`, `auth.md`).

use super::identity::IdentityCall;
use super::native::NativeCall;
use super::vaults::VaultCall;
use crate::domain::{ImageId, InstallCall, JobId, ServerId, VolumeId};

/// A call of the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Identity.
    Identity(IdentityCall),
    /// Servers.
    Servers(ServerCall),
    /// Native Nova.
    Native(NativeCall),
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
    /// Tags of all servers.
    AllTags,
    /// Flavors.
    Flavors,
    /// v1.1 list of servers.
    ShortServers,
    /// One disk of a server.
    BlockDevice(ServerId, VolumeId),
    /// Its disks, told shortly.
    Attachments(ServerId),
    /// Whether its password can be reset.
    ResetFlag(ServerId),
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
    /// What may be used, and what is.
    Limits,
    /// Types of disks.
    Types,
    /// One snapshot less.
    DeleteSnapshot(String),
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
    /// Images, as native Glance lists them.
    NativeImages,
    /// One image.
    ShowImage(ImageId),
    /// Quota of images.
    Quota,
}

/// Key pairs and KMS keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyCall {
    /// Key pairs.
    KeyPairs,
    /// One key pair.
    KeyPair(String),
    /// A new key pair.
    CreateKeyPair,
    /// One key pair less.
    DeleteKeyPair(String),
    /// Other names of KMS keys.
    Aliases,
    /// Quota of KMS keys.
    KeyQuota,
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
    let at_root = IdentityCall::route(method, &path).map(Call::Identity);
    if let Some(call) = at_root.or_else(|| images(method, &path).map(Call::Images)) {
        return Some((call, None));
    }
    let [version, project, rest @ ..] = &path[..] else { return None };
    let request = (method, *version, rest);
    let call = servers(request)
        .map(Call::Servers)
        .or_else(|| NativeCall::route(request).map(Call::Native))
        .or_else(|| power(request).map(Call::Power))
        .or_else(|| storage(request).map(Call::Storage))
        .or_else(|| VaultCall::route(request).map(Call::Vaults))
        .or_else(|| keys(request).map(Call::Keys))
        .or_else(|| others(request));
    call.map(|call| (call, Some((*project).to_owned())))
}

/// Method, version, and the path behind the project.
pub(super) type Request<'a> = (&'a str, &'a str, &'a [&'a str]);

fn images(method: &str, path: &[&str]) -> Option<ImageCall> {
    Some(match (method, path) {
        ("GET", ["v2", "cloudimages"]) => ImageCall::ListImages,
        ("GET", ["v2", "images"]) => ImageCall::NativeImages,
        ("GET", ["v1", "cloudimages", "quota"]) => ImageCall::Quota,
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
        ("GET", "v1", ["cloudservers", "tags"]) => ServerCall::AllTags,
        ("GET", "v1", ["cloudservers", "flavors"]) => ServerCall::Flavors,
        ("GET", "v1.1", ["cloudservers", "detail"]) => ServerCall::ShortServers,
        ("GET", "v1", ["cloudservers", id]) => ServerCall::ShowServer(of(id)),
        ("GET", "v1", ["cloudservers", id, rest @ ..]) => return of_server(of(id), rest),
        ("GET", "v2" | "v2.1", ["servers", id, "os-server-password"]) => {
            ServerCall::Password(of(id))
        }
        _ => return None,
    })
}

/// What belongs to one server.
fn of_server(id: ServerId, path: &[&str]) -> Option<ServerCall> {
    Some(match path {
        ["block_device"] => ServerCall::BlockDevices(id),
        ["block_device", volume] => ServerCall::BlockDevice(id, VolumeId::from(*volume)),
        ["os-volume_attachments"] => ServerCall::Attachments(id),
        ["os-interface"] => ServerCall::Interfaces(id),
        ["tags"] => ServerCall::Tags(id),
        ["os-server-password"] => ServerCall::Password(id),
        ["os-resetpwd-flag"] => ServerCall::ResetFlag(id),
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
        (_, ["limits"]) => StorageCall::Limits,
        (_, ["types"]) => StorageCall::Types,
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
        ("DELETE", "v2" | "v3", ["cloudsnapshots" | "snapshots", id]) => {
            Some(StorageCall::DeleteSnapshot((*id).to_owned()))
        }
        _ => None,
    }
}

fn keys(request: Request<'_>) -> Option<KeyCall> {
    Some(match request {
        ("GET", "v2.1", ["os-keypairs"]) => KeyCall::KeyPairs,
        ("GET", "v2.1", ["os-keypairs", name]) => KeyCall::KeyPair((*name).to_owned()),
        ("POST", "v2.1", ["os-keypairs"]) => KeyCall::CreateKeyPair,
        ("DELETE", "v2.1", ["os-keypairs", name]) => KeyCall::DeleteKeyPair((*name).to_owned()),
        ("GET", "v1.0", ["kms", "aliases"]) => KeyCall::Aliases,
        ("GET", "v1.0", ["kms", "user-quotas"]) => KeyCall::KeyQuota,
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
            Self::Native(call) => call.operation(),
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
            Self::Identity(call) => call.realm(),
            Self::Power(_) => Realm::Mutating,
            Self::Servers(_)
            | Self::Native(_)
            | Self::ShowJob(_)
            | Self::Storage(_)
            | Self::Vaults(_)
            | Self::Images(_)
            | Self::Keys(_)
            | Self::Traces => Realm::Reading,
        }
    }
}

impl ServerCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::ListServers | Self::ShortServers => "list_servers",
            Self::ShowServer(_) => "show_server",
            Self::BlockDevices(_) | Self::BlockDevice(..) | Self::Attachments(_) => {
                "list_block_devices"
            }
            Self::Interfaces(_) => "list_interfaces",
            Self::Tags(_) | Self::AllTags => "list_tags",
            Self::Flavors => "list_flavors",
            Self::Password(_) => "show_password",
            Self::ResetFlag(_) => "show_reset_flag",
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
            Self::Quota | Self::Limits => "show_quota",
            Self::ListVolumes => "list_volumes",
            Self::ShowVolume(_) => "show_volume",
            Self::Types => "list_volume_types",
            Self::DeleteSnapshot(_) => "delete_snapshot",
            Self::Snapshots => "list_snapshots",
            Self::ShowSnapshot(_) => "show_snapshot",
            Self::CreateSnapshot => "create_snapshot",
        }
    }
}

impl ImageCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::ListImages | Self::NativeImages => "list_images",
            Self::Quota => "show_image_quota",
            Self::ShowImage(_) => "show_image",
        }
    }
}

impl KeyCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::KeyPairs => "list_key_pairs",
            Self::KeyPair(_) => "show_key_pair",
            Self::CreateKeyPair => "create_key_pair",
            Self::DeleteKeyPair(_) => "delete_key_pair",
            Self::Aliases => "list_aliases",
            Self::KeyQuota => "show_key_quota",
            Self::ListKeys => "list_keys",
            Self::DescribeKey => "show_key",
        }
    }
}
