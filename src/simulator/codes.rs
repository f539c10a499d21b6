//! Every code that the cloud refuses with: its HTTP status, the shape of its body, its sentence, and
//! what it means for whoever hears it (`errors-and-limits.md`, section 3; `storage-image-kms.md`).
//!
//! The meanings are written from those tables on their own, so that our client's classifier is not
//! tested against itself. The sentences are ours: sentences are no contract.

use super::error::Shape;
use crate::domain::FaultClass;

/// What a code means for whoever hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// Not done, and why.
    Not(FaultClass),
    /// Perhaps done: look first, if it was to change something.
    Perhaps,
}

/// A code of the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// As it is written.
    pub(super) name: &'static str,
    /// The usual HTTP status.
    pub(super) status: u16,
    /// What it means.
    pub(super) means: Means,
    /// A sentence for it.
    pub(super) message: &'static str,
}

impl Code {
    /// The shape that its service writes errors in.
    pub(super) fn shape(self) -> Shape {
        match self.name.split('.').next() {
            Some("APIGW" | "APIG" | "BackupService" | "CTS") => Shape::Gateway,
            Some("KMS") => Shape::Kms,
            _ => Shape::Service,
        }
    }
}

/// The code of that name.
pub(super) fn find(code: &str) -> Option<&'static Code> {
    TABLES.iter().copied().flatten().find(|it| it.name == code)
}

/// All codes.
pub(super) fn all() -> impl Iterator<Item = &'static Code> {
    TABLES.iter().copied().flatten()
}

const TABLES: [&[Code]; 6] = [GATEWAY, GATEWAY_OTC, COMMON, ECS, TASKS, OTHERS];

const QUOTA: Means = Means::Not(FaultClass::Quota);
const STATE: Means = Means::Not(FaultClass::State);
const BUSY: Means = Means::Not(FaultClass::Busy);
const LATER: Means = Means::Not(FaultClass::Transient);
const SLOWER: Means = Means::Not(FaultClass::Throttled);
const WHO: Means = Means::Not(FaultClass::Unauthorised);
const MAY_NOT: Means = Means::Not(FaultClass::Forbidden);
const NO_SUCH: Means = Means::Not(FaultClass::NotFound);
const WRONG: Means = Means::Not(FaultClass::Invalid);
const PERHAPS: Means = Means::Perhaps;

const fn row(name: &'static str, status: u16, means: Means, message: &'static str) -> Code {
    Code { name, status, means, message }
}

/// Gateway and authentication.
macro_rules! gateway {
    ($prefix:literal) => {
        &[
            row(concat!($prefix, ".0101"), 404, WRONG, "The API does not exist or has not been published in the environment"),
            row(concat!($prefix, ".0201"), 502, PERHAPS, "Backend unavailable."),
            row(concat!($prefix, ".0202"), 502, PERHAPS, "Backend unavailable."),
            row(concat!($prefix, ".0203"), 504, PERHAPS, "Backend timeout."),
            row(concat!($prefix, ".0301"), 401, WHO, "Incorrect IAM authentication information."),
            row(concat!($prefix, ".0302"), 403, MAY_NOT, "The IAM user is not authorized to access the API."),
            row(concat!($prefix, ".0303"), 401, WHO, "Incorrect app authentication information."),
            row(concat!($prefix, ".0305"), 401, WHO, "Incorrect authentication information."),
            row(concat!($prefix, ".0306"), 403, MAY_NOT, "API access denied."),
            row(concat!($prefix, ".0307"), 401, WHO, "The token must be updated."),
            row(concat!($prefix, ".0308"), 429, SLOWER, "The throttling threshold has been reached: policy user over ratelimit,limit:200,time:1 minute"),
            row(concat!($prefix, ".0310"), 403, MAY_NOT, "The project is unavailable."),
            row(concat!($prefix, ".0601"), 500, PERHAPS, "Internal server error."),
            row(concat!($prefix, ".0602"), 400, WRONG, "Bad request."),
            row(concat!($prefix, ".0605"), 500, PERHAPS, "Domain name resolution failed."),
            row(concat!($prefix, ".0606"), 500, PERHAPS, "Failed to load the API configurations."),
            row(concat!($prefix, ".0608"), 500, PERHAPS, "Failed to initiate the request."),
            row(concat!($prefix, ".0610"), 502, LATER, "No backend is available."),
            row(concat!($prefix, ".0613"), 503, LATER, "IAM is unavailable."),
            row(concat!($prefix, ".0802"), 403, MAY_NOT, "The IAM user is forbidden in the current region."),
        ]
    };
}

/// As Huawei Cloud writes them.
const GATEWAY: &[Code] = gateway!("APIGW");
/// As the reference of OTC writes them.
const GATEWAY_OTC: &[Code] = gateway!("APIG");

/// What all task calls of ECS share.
#[rustfmt::skip]
const COMMON: &[Code] = &[
    row("Common.0001", 500, PERHAPS, "System error."),
    row("Common.0002", 400, WRONG, "The request body is empty."),
    row("Common.0011", 400, NO_SUCH, "The job id is invalid."),
    row("Common.0013", 401, WHO, "The token is invalid."),
    row("Common.0018", 400, WRONG, "The project ID in the URL does not match that of the token."),
    row("Common.0020", 400, PERHAPS, "The task could not be submitted."),
    row("Common.0021", 400, LATER, "The job could not be queried."),
    row("Common.0022", 400, PERHAPS, "The task could not be carried out."),
    row("Common.0024", 202, SLOWER, "Too many concurrent requests."),
    row("Common.0025", 400, LATER, "The job could not be queried."),
    row("Common.0026", 400, LATER, "The data of the region could not be read."),
    row("Common.0999", 400, PERHAPS, "The task ended with an error."),
    row("Common.1503", 429, SLOWER, "The flow control threshold of the API has been reached."),
    row("Pdp.0001", 403, MAY_NOT, "Policy doesn't allow ecs:cloudServers:rebuild to be performed."),
];

/// What has to do with requests, accounts and services behind ECS.
#[rustfmt::skip]
const ECS: &[Code] = &[
    row("Ecs.0000", 400, WRONG, "The request is wrong."),
    row("Ecs.0001", 400, QUOTA, "The ECS quota is insufficient."),
    row("Ecs.0002", 400, PERHAPS, "The task could not be submitted."),
    row("Ecs.0003", 403, MAY_NOT, "The account is restricted."),
    row("Ecs.0004", 400, LATER, "The task could not be authenticated."),
    row("Ecs.0005", 400, WRONG, "A parameter is invalid."),
    row("Ecs.0023", 400, WRONG, "The project ID in the URL does not match that of the token."),
    row("Ecs.0066", 403, MAY_NOT, "The balance of the account is insufficient."),
    row("Ecs.0067", 403, MAY_NOT, "The account is not real-name authenticated."),
    row("Ecs.0068", 403, MAY_NOT, "The account is in arrears."),
    row("Ecs.0069", 403, MAY_NOT, "The budget of the enterprise project is spent."),
    row("Ecs.0070", 403, MAY_NOT, "The account is suspended."),
    row("Ecs.0071", 403, MAY_NOT, "The account is restricted by its parent."),
    row("Ecs.0110", 403, MAY_NOT, "The user has no permission."),
    row("Ecs.0118", 400, WRONG, "The batch names too many servers."),
    row("Ecs.0122", 400, WRONG, "The idempotency token is used for another request."),
    row("Ecs.0123", 400, WRONG, "The idempotency token is malformed."),
    row("Ecs.0124", 400, WRONG, "The idempotency token has expired."),
    row("Ecs.0611", 400, WRONG, "The batch is rejected."),
    row("Ecs.1000", 400, PERHAPS, "A call of Nova failed."),
    row("Ecs.1001", 400, PERHAPS, "OpenStack answered with an error."),
    row("Ecs.1002", 400, PERHAPS, "OpenStack did not answer in time."),
    row("Ecs.1100", 400, PERHAPS, "IAM did not answer in time."),
    row("Ecs.1200", 400, PERHAPS, "VPC did not answer in time."),
    row("Ecs.1201", 400, PERHAPS, "A call of VPC failed."),
    row("Ecs.1300", 400, PERHAPS, "EVS did not answer in time."),
];

/// Reinstall and stop.
#[rustfmt::skip]
const TASKS: &[Code] = &[
    row("Ecs.0007", 400, WRONG, "The image does not fit this call."),
    row("Ecs.0011", 400, WRONG, "The password is too weak."),
    row("Ecs.0021", 400, QUOTA, "The EVS disk quota is insufficient."),
    row("Ecs.0025", 400, WRONG, "EVS is not authorized to use KMS."),
    row("Ecs.0030", 400, WRONG, "The server is frozen."),
    row("Ecs.0031", 400, WRONG, "The image does not exist."),
    row("Ecs.0032", 400, WRONG, "The image is not active."),
    row("Ecs.0034", 400, WRONG, "The backup of the full-ECS image does not exist."),
    row("Ecs.0046", 400, WRONG, "The type of a data disk is not what the full-ECS image needs."),
    row("Ecs.0048", 400, LATER, "The full-ECS image cannot be used yet."),
    row("Ecs.0058", 400, WRONG, "The image of a third party cannot be used here."),
    row("Ecs.0073", 400, BUSY, "The system disk is being backed up."),
    row("Ecs.0074", 400, WRONG, "The Windows image cannot be used here."),
    row("Ecs.0075", 400, WRONG, "The image of a partner cannot be used here."),
    row("Ecs.0090", 400, WRONG, "The region does not support the image license type BYOL."),
    row("Ecs.0100", 400, STATE, "The server status does not allow this operation."),
    row("Ecs.0101", 400, STATE, "The system disk is abnormal."),
    row("Ecs.0102", 400, STATE, "The system disk cannot be detached."),
    row("Ecs.0105", 400, WRONG, "The server has no system disk."),
    row("Ecs.0114", 404, NO_SUCH, "The server does not exist."),
    row("Ecs.0119", 400, WRONG, "The key of an encrypted disk is unavailable."),
    row("Ecs.0120", 400, WRONG, "A yearly/monthly server does not support this operation."),
    row("Ecs.0202", 400, PERHAPS, "Failed to create the system disk."),
    row("Ecs.0204", 400, PERHAPS, "Failed to create the server."),
    row("Ecs.0208", 400, PERHAPS, "Failed to update the metadata of the image."),
    row("Ecs.0217", 400, PERHAPS, "Failed to attach the system disk."),
    row("Ecs.0219", 400, PERHAPS, "Failed to create the server."),
    row("Ecs.0226", 400, STATE, "Failed to start the ECS."),
    row("Ecs.0301", 400, LATER, "Failed to query the server."),
    row("Ecs.0303", 400, LATER, "Failed to query the flavor."),
    row("Ecs.0304", 400, LATER, "Failed to query the image."),
    row("Ecs.0306", 400, LATER, "Failed to query the backup."),
    row("Ecs.0311", 400, LATER, "Failed to query the disk type."),
    row("Ecs.0314", 400, WRONG, "The key pair does not exist."),
    row("Ecs.0319", 400, LATER, "There is not enough capacity for the flavor."),
    row("Ecs.0401", 400, PERHAPS, "Failed to roll back."),
    row("Ecs.0402", 400, PERHAPS, "Failed to roll back the disk."),
    row("Ecs.0403", 400, PERHAPS, "Failed to roll back the network."),
    row("Ecs.0501", 400, PERHAPS, "Failed to attach a disk."),
    row("Ecs.0503", 400, PERHAPS, "Failed to attach a NIC."),
    row("Ecs.0510", 400, WRONG, "A yearly/monthly server with an image of the market does not support this operation."),
    row("Ecs.0603", 501, BUSY, "Another command is running. Try again in 1 minute."),
    row("Ecs.0605", 400, STATE, "The server is locked."),
    row("Ecs.0614", 404, NO_SUCH, "The server does not exist."),
    row("Ecs.0912", 400, WRONG, "The encryption key is invalid."),
];

/// Disks, backups, images, keys and the audit log.
#[rustfmt::skip]
const OTHERS: &[Code] = &[
    row("EVS.1008", 400, WRONG, "A parameter is invalid."),
    row("EVS.1034", 413, QUOTA, "The quota of disks is exceeded."),
    row("EVS.1042", 413, QUOTA, "The quota of capacity is exceeded."),
    row("EVS.2040", 400, WRONG, "The key is not enabled."),
    row("EVS.2055", 400, WRONG, "EVS is not authorized to use KMS."),
    row("EVS.2130", 400, BUSY, "The disk is being backed up."),
    row("EVS.2143", 400, WRONG, "EVS is not authorized to use the key."),
    row("EVS.5404", 404, NO_SUCH, "The disk could not be found."),
    row("EVS.5413", 413, QUOTA, "The quota is exceeded."),
    row("BackupService.0001", 400, WRONG, "There is no resource to back up."),
    row("BackupService.0003", 400, WRONG, "A parameter is invalid."),
    row("BackupService.6001", 404, NO_SUCH, "The vault does not exist."),
    row("BackupService.6101", 404, NO_SUCH, "The checkpoint does not exist."),
    row("BackupService.6113", 400, STATE, "The vault status does not allow this operation."),
    row("BackupService.6114", 400, QUOTA, "The vault is full."),
    row("BackupService.6201", 404, NO_SUCH, "The backup does not exist."),
    row("IMG.0001", 400, WRONG, "The request is wrong."),
    row("IMG.0024", 400, WRONG, "The image is wrong."),
    row("IMG.0027", 404, NO_SUCH, "The image does not exist."),
    row("KMS.0205", 400, NO_SUCH, "The key id is invalid."),
    row("KMS.0209", 400, WRONG, "The key is disabled."),
    row("CTS.0013", 400, WRONG, "The query is invalid."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_there_twice_and_each_looks_like_a_code() {
        let mut codes: Vec<&str> = all().map(|it| it.name).collect();
        let count = codes.len();
        assert!(codes.iter().all(|code| {
            let number = code.split_once('.').map(|(_, number)| number);
            number.is_some_and(|number| number.len() == 4 && number.parse::<u16>().is_ok())
        }));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
