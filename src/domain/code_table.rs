//! The rows of [`CloudCode`]: code, class, what happened, who can mend it and how.
//!
//! `PerhapsDone` stands where a task was begun or a service below did not answer: nobody knows how
//! far it came. `ByStatus` stands where the code comes with several statuses, or where the reference
//! has no meaning for it. `after` is a wait that the code itself asks for.

use super::{CloudCode, FaultClass, Meaning, Millis};

macro_rules! meaning {
    (PerhapsDone) => {
        Meaning::PerhapsDone
    };
    (ByStatus) => {
        Meaning::ByStatus
    };
    ($class:ident) => {
        Meaning::Is(FaultClass::$class)
    };
}

macro_rules! wait {
    () => {
        None
    };
    ($secs:literal) => {
        Some(Millis::secs($secs))
    };
}

macro_rules! codes {
    ($($code:literal $meaning:ident $(after $secs:literal)?, $title:literal: $mend:literal;)*) => {
        /// Every code that is known.
        pub(super) static CODES: &[CloudCode] = &[$(CloudCode {
            code: $code,
            meaning: meaning!($meaning),
            wait: wait!($($secs)?),
            title: $title,
            mend: $mend,
        },)*];
    };
}

codes! {
    // The gateway, and who we are (`errors-and-limits.md`, section 3).
    "APIGW.0101" Invalid, "there is no such call on this host":
        "check endpoint, region and project of this cloud in clouds.yaml";
    "APIGW.0201" ByStatus, "the gateway refused the request, or the service behind it did not answer":
        "with a 4xx the request is wrong or too large: make the user data smaller, check the endpoint; with a 5xx try again later";
    "APIGW.0202" PerhapsDone, "the service behind the gateway cannot be reached":
        "try again later; if it stays so, ask the cloud's support";
    "APIGW.0203" PerhapsDone, "the service behind the gateway took too long":
        "try again later; if it stays so, ask the cloud's support";
    "APIGW.0301" Unauthorised, "the signature, the access key or the token was not accepted":
        "check the credentials of this cloud and the clock of this machine; after five wrong signatures the key is locked for five minutes";
    "APIGW.0302" Forbidden, "the user may not use this call":
        "ask the project's IAM administrator for the right to use this service";
    "APIGW.0303" Unauthorised, "the signature was not accepted, or the clocks differ by more than 15 minutes":
        "set the clock of this machine, then check access key and secret key";
    "APIGW.0305" ByStatus, "the credentials were not accepted":
        "check the credentials of this cloud, and that they belong to this project";
    "APIGW.0306" ByStatus, "access was denied":
        "check the credentials of this cloud, then ask the project's IAM administrator for access";
    "APIGW.0307" Unauthorised, "the token has ended or was revoked":
        "give user name and password so that refleet can renew it, or a new token";
    "APIGW.0308" Throttled, "the limit of requests was reached":
        "lower `limits.rate`, or ask the cloud's support for a higher limit";
    "APIGW.0310" Forbidden, "the project cannot be used":
        "check the project in clouds.yaml; the account's administrator can say whether it is suspended";
    "APIGW.0601" PerhapsDone, "the gateway failed inside":
        "try again later; if it stays so, ask the cloud's support";
    "APIGW.0602" Invalid, "the gateway does not understand the request":
        "check the endpoint of this cloud in clouds.yaml";
    "APIGW.0605" PerhapsDone, "the gateway failed inside":
        "try again later; if it stays so, ask the cloud's support";
    "APIGW.0606" PerhapsDone, "the gateway failed inside":
        "try again later; if it stays so, ask the cloud's support";
    "APIGW.0608" PerhapsDone, "the gateway failed inside":
        "try again later; if it stays so, ask the cloud's support";
    "APIGW.0610" PerhapsDone, "the gateway has no service to hand the request to":
        "try again later; if it stays so, check the endpoint, then ask the cloud's support";
    "APIGW.0613" Transient, "the gateway could not ask IAM who we are":
        "try again later; if it stays so, ask the cloud's support";
    "APIGW.0802" Forbidden, "the user is disabled in this region":
        "ask the account's IAM administrator to enable the user here";

    // ECS in general.
    "Common.0001" PerhapsDone, "the service failed inside":
        "try again later; if it stays so, ask the cloud's support";
    "Common.0002" Invalid, "the request arrived without a body":
        "look at proxies between this machine and the cloud; else this is a bug of refleet";
    "Common.0011" NotFound, "the cloud does not know the job":
        "the cloud may have forgotten it: the server itself says what came of it";
    "Common.0013" Unauthorised, "the token is not valid":
        "give user name and password so that refleet can renew it, or a new token";
    "Common.0018" Invalid, "the token belongs to another project than the request":
        "set the project of this cloud in clouds.yaml to the one of the servers";
    "Common.0020" PerhapsDone, "the task could not be handed in":
        "look at the server in the console, then plan again";
    "Common.0021" PerhapsDone, "the job could not be looked up":
        "try again later; the job goes on by itself";
    "Common.0022" PerhapsDone, "the task broke off":
        "look at the server in the console, then plan again";
    "Common.0024" Throttled, "too many requests at once":
        "lower `limits.rate` and `limits.reinstalls`, or try again later";
    "Common.0025" PerhapsDone, "the job could not be looked up":
        "try again later; the job goes on by itself";
    "Common.0026" Transient, "the cloud could not read the data of its region":
        "try again later; if it stays so, ask the cloud's support";
    "Common.0999" PerhapsDone, "the task broke off":
        "look at the server in the console, then plan again";
    "Common.1503" Throttled, "too many calls of this kind are running":
        "lower `limits.rate` and `limits.reinstalls`, or try again later";
    "Pdp.0001" Forbidden, "a policy forbids the action":
        "ask the project's IAM administrator for the action that the message names; a run needs ecs:cloudServers:list, showServer, stop, start and rebuild";
    "Ecs.0000" Invalid, "the request is wrong":
        "correct what the message names; if the playbook is right, this is a bug of refleet";
    "Ecs.0002" PerhapsDone, "the task could not be handed in":
        "look at the server in the console, then plan again";
    "Ecs.0003" Forbidden, "the account may not do this":
        "ask the account's administrator: a right is missing, or the account is restricted";
    "Ecs.0004" Transient, "the task was not let in":
        "try again later; if it stays so, check the rights of the user";
    "Ecs.0005" Invalid, "a value of the request is wrong":
        "correct what the message names; if the playbook is right, this is a bug of refleet";
    "Ecs.0023" Invalid, "the token belongs to another project than the request":
        "set the project of this cloud in clouds.yaml to the one of the servers";
    "Ecs.0066" Forbidden, "the account is restricted":
        "ask the account's administrator: balance, budget, real-name check or a suspension stand in the way";
    "Ecs.0067" Forbidden, "the account is restricted":
        "ask the account's administrator: balance, budget, real-name check or a suspension stand in the way";
    "Ecs.0068" Forbidden, "the account is restricted":
        "ask the account's administrator: balance, budget, real-name check or a suspension stand in the way";
    "Ecs.0069" Forbidden, "the account is restricted":
        "ask the account's administrator: balance, budget, real-name check or a suspension stand in the way";
    "Ecs.0070" Forbidden, "the account is restricted":
        "ask the account's administrator: balance, budget, real-name check or a suspension stand in the way";
    "Ecs.0071" Forbidden, "the account is restricted":
        "ask the account's administrator: balance, budget, real-name check or a suspension stand in the way";
    "Ecs.0110" Forbidden, "the user may not do this":
        "ask the project's IAM administrator for full access to ECS: of the system policies only that covers a reinstall";
    "Ecs.0118" Invalid, "too many servers in one request":
        "lower `limits.stop_batch`";
    "Ecs.0122" Invalid, "an idempotency token was used twice":
        "refleet sends none: look at proxies between this machine and the cloud";
    "Ecs.0123" Invalid, "an idempotency token is malformed":
        "refleet sends none: look at proxies between this machine and the cloud";
    "Ecs.0124" Invalid, "an idempotency token is too old":
        "refleet sends none: look at proxies between this machine and the cloud";
    "Ecs.0611" Invalid, "the batch was refused":
        "look which server of it the message names, and take that one out with `exclude`";
    "Ecs.1000" PerhapsDone, "a call below the service failed":
        "look at the server in the console, then plan again";
    "Ecs.1001" PerhapsDone, "a call below the service failed":
        "look at the server in the console, then plan again";
    "Ecs.1002" PerhapsDone, "a call below the service took too long":
        "look at the server in the console: the reinstall may still be running";
    "Ecs.1100" PerhapsDone, "the service could not reach IAM":
        "try again later; if it stays so, ask the cloud's support";
    "Ecs.1200" PerhapsDone, "the service could not reach VPC":
        "try again later; if it stays so, ask the cloud's support";
    "Ecs.1201" PerhapsDone, "the service could not reach VPC":
        "try again later; if it stays so, ask the cloud's support";
    "Ecs.1300" PerhapsDone, "the service could not reach EVS":
        "try again later; if it stays so, ask the cloud's support";

    // Stop and reinstall.
    "Ecs.0001" Quota, "the quota of servers is used up":
        "remove servers that nobody needs, or have the project's administrator raise the ECS quota: a reinstall may need one for its temporary server";
    "Ecs.0007" Invalid, "the image does not fit the server":
        "take the server out with `exclude`, or have the image's owner correct its attributes";
    "Ecs.0011" Invalid, "the password is too weak":
        "put a stronger one where `reinstall.admin_pass` points to";
    "Ecs.0021" Quota, "the quota of disks is used up":
        "free disks, or have the project's administrator raise the EVS quota: each reinstall needs room for one more system disk";
    "Ecs.0025" Invalid, "EVS may not use KMS keys":
        "a user with Security Administrator rights creates the agency EVSAccessKMS once for the project (console: \"Create Xrole\"); refleet never does";
    "Ecs.0030" Invalid, "the server is frozen":
        "the cloud's operator froze it, for example over an unpaid bill: the account's administrator asks there";
    "Ecs.0031" Invalid, "the image is not there":
        "have its owner restore or share the image again, or change the OS of the server to another image in the console";
    "Ecs.0032" Invalid, "the image is not active":
        "look at the image in IMS: its owner can finish or repair it";
    "Ecs.0034" Invalid, "the backup behind the full-ECS image is gone":
        "take the server out with `exclude`: an image whose backup is deleted cannot be installed";
    "Ecs.0046" Invalid, "a data disk is not of the type that the full-ECS image needs":
        "take the server out with `exclude`, or have its owner change the data disk";
    "Ecs.0048" Transient, "the full-ECS image is still being made":
        "wait until the image is active in IMS";
    "Ecs.0058" Invalid, "the rules of a third party's image forbid it":
        "take the server out with `exclude`, and ask the seller of the image";
    "Ecs.0073" Busy, "the system disk is being backed up":
        "wait until the backup is done, or move its schedule";
    "Ecs.0074" Invalid, "the rules of a Windows image forbid it":
        "take the server out with `exclude`, or give a password in place of a key pair";
    "Ecs.0075" Invalid, "the rules of a partner's image forbid it":
        "take the server out with `exclude`, and ask the seller of the image";
    "Ecs.0090" Invalid, "this region has no bring-your-own-licence":
        "write `reinstall.license: system`";
    "Ecs.0100" State, "the server's status does not allow it":
        "look at the server in the console: it must be stopped, and nothing may be running on it";
    "Ecs.0101" State, "something is wrong with the system disk":
        "look at the disk in EVS: it must be in-use; the cloud's support can repair it";
    "Ecs.0102" State, "the system disk cannot be detached":
        "look at the disk in EVS: nothing may be running on it";
    "Ecs.0105" Invalid, "the server has no system disk":
        "leave it alone while a reinstall runs: the cloud's temporary server has no system disk; plan again when that is over, and ask the cloud's support if it stays so";
    "Ecs.0114" NotFound, "the cloud does not know the server":
        "look whether somebody deleted it, then plan again";
    "Ecs.0119" Invalid, "the key of an encrypted disk cannot be used":
        "a KMS administrator enables the key of the disk, or cancels its deletion";
    "Ecs.0120" Invalid, "this cannot be done to a yearly or monthly server":
        "take the server out with `exclude`";
    "Ecs.0202" PerhapsDone, "the new system disk could not be made":
        "look at the EVS quota and at the server in the console; the cloud's support can say more";
    "Ecs.0204" PerhapsDone, "the temporary server could not be made":
        "look at the ECS quota and at the server in the console; the cloud's support can say more";
    "Ecs.0208" PerhapsDone, "the image's data could not be written":
        "look at the server in the console; the cloud's support can say more";
    "Ecs.0217" PerhapsDone, "a disk could not be attached":
        "look in the console whether the server has its system disk; the cloud's support can put it back";
    "Ecs.0219" PerhapsDone, "the temporary server could not be made":
        "look at the ECS quota and at the server in the console; the cloud's support can say more";
    "Ecs.0226" PerhapsDone, "the server could not be started":
        "look at the server in the console and start it there";
    "Ecs.0301" Transient, "the service could not look up the server":
        "try again later; if it stays so, ask the cloud's support";
    "Ecs.0303" Transient, "the service could not look up the flavor":
        "try again later; if it stays so, ask the cloud's support";
    "Ecs.0304" Transient, "the service could not look up the image":
        "try again later; if it stays so, look at the image in IMS";
    "Ecs.0306" Transient, "the service could not look up the backup":
        "try again later; if it stays so, look at the backup in CBR";
    "Ecs.0311" Transient, "the service could not look up the disk type":
        "try again later; if it stays so, ask the cloud's support";
    "Ecs.0314" Invalid, "the key pair is not visible to the user that was named":
        "a key pair is visible only to its owner: set `reinstall.key_owner` to the owner's user id, or name a key pair of your own";
    "Ecs.0319" Transient after 300, "the cloud has no capacity for the flavor":
        "try again in some hours, or ask the cloud's support when there is room in this zone";
    "Ecs.0401" PerhapsDone, "a disk could not be attached":
        "look in the console whether the server has its system disk; the cloud's support can put it back";
    "Ecs.0402" PerhapsDone, "a disk could not be attached":
        "look in the console whether the server has its system disk; the cloud's support can put it back";
    "Ecs.0403" PerhapsDone, "a disk could not be attached":
        "look in the console whether the server has its system disk; the cloud's support can put it back";
    "Ecs.0501" PerhapsDone, "a step that takes changes back failed":
        "look in the console whether the server has its system disk; the cloud's support can put it back";
    "Ecs.0503" PerhapsDone, "a step that takes changes back failed":
        "look in the console whether the server has its system disk; the cloud's support can put it back";
    "Ecs.0510" Invalid, "a market image on a yearly or monthly server cannot be installed anew":
        "take the server out with `exclude`";
    "Ecs.0603" Busy after 60, "another command is running on the server":
        "wait until it has ended; a backup, a resize or a colleague may be at work";
    "Ecs.0605" State, "the server is locked, or another command is running on it":
        "wait until the command has ended; whoever locked the server unlocks it in the console, refleet never does";
    "Ecs.0614" NotFound, "the cloud does not know the server":
        "look whether somebody deleted it, then plan again";
    "Ecs.0912" Invalid, "there is no such encryption key":
        "correct `reinstall.encryption`; evs/default appears with the first encrypted disk";

    // Disks, backups, images, keys, audit (`storage-image-kms.md`).
    "EVS.1034" Quota, "the quota of disks is used up":
        "free disks, or have the project's administrator raise the EVS quota";
    "EVS.1042" Quota, "the quota of gigabytes is used up":
        "free disks, or have the project's administrator raise the EVS quota";
    "EVS.2040" Invalid, "the KMS key is not enabled":
        "a KMS administrator enables the key, or name another with `encryption: { kms_key: … }`";
    "EVS.2055" Invalid, "EVS may not use KMS keys":
        "a user with Security Administrator rights creates the agency EVSAccessKMS once for the project (console: \"Create Xrole\"); refleet never does";
    "EVS.2130" Busy, "the disk is being backed up":
        "wait until the backup is done, or move its schedule";
    "EVS.2143" Invalid, "EVS may not use KMS keys":
        "a user with Security Administrator rights creates the agency EVSAccessKMS once for the project (console: \"Create Xrole\"); refleet never does";
    "EVS.5404" NotFound, "there is no such disk":
        "look whether somebody deleted it, then plan again";
    "EVS.5413" Quota, "a quota of EVS is used up":
        "free disks, or have the project's administrator raise the EVS quota";
    "BackupService.0001" Invalid, "there is nothing to back up":
        "add the server to a vault in CBR";
    "BackupService.6113" State, "the vault's state does not allow it":
        "look at the vault in CBR: it may be locked or frozen";
    "BackupService.6114" Quota, "the vault is full":
        "have the vault's owner enlarge it, or delete old backups";
    "IMG.0001" ByStatus, "IMS refused the request":
        "correct what the cloud's message names; the image's owner can say more";
    "IMG.0024" ByStatus, "IMS refused the request":
        "correct what the cloud's message names; the image's owner can say more";
    "KMS.0205" NotFound, "there is no such key":
        "correct `reinstall.encryption`; the key may belong to another project or region";
    "KMS.0209" Invalid, "the key is disabled":
        "a KMS administrator enables the key, or name another with `encryption: { kms_key: … }`";
    "IAM.0011" ByStatus, "IAM did not accept the request":
        "check user, account and password of this cloud in clouds.yaml";
}
