//! Which state files are relied on, who may read them, and what is noticed when one goes away.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use super::place::{self, beside};
use super::store::tests::{new_run, record, wipe};
use super::{Error, Journal as _, Store};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

/// Everything below a folder that anybody but its owner may use, with its mode.
fn open_to_others(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in path.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if mode(&path) & 0o077 != 0 {
            found.push(format!("{:o} {}", mode(&path), path.display()));
        }
        if path.is_dir() {
            found.extend(open_to_others(&path));
        }
    }
    found
}

#[tokio::test]
async fn w3_a_link_to_a_state_file_is_the_state_file() {
    let (_keep, dir) = folder();
    let real = dir.join("real");
    fs::create_dir(&real).unwrap();
    let path = real.join("state");
    let store = Store::open(&path).unwrap();
    let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
    // A great deal is in the log beside it by now, and in the file itself nothing yet.
    let many: Vec<String> = (0..4_000).map(|n| format!("server-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    drop(store.begin(new_run("run-0", &many)).await.unwrap());

    symlink(&real, dir.join("by-folder")).unwrap();
    symlink("real/state", dir.join("by-file")).unwrap();
    symlink("by-file", dir.join("by-link")).unwrap();
    for other in ["by-folder/state", "by-file", "by-link", "real/../real/./state"] {
        let other = dir.join(other);
        let looking = Store::open_to_look(&other).unwrap();
        let found = looking.find("run-1").await.unwrap();
        assert_eq!(found.alive, Some(std::process::id()), "{}", other.display());
        let store = Store::open(&other).unwrap();
        let error = store.begin(new_run("run-2", &["a"])).await.unwrap_err();
        assert!(matches!(error, Error::Claimed(_)), "{}: {error}", other.display());
        let error = store.take_over(&"run-1".into(), log_time()).await.unwrap_err();
        assert!(matches!(error, Error::RunAlive { .. }), "{}: {error}", other.display());
    }
    drop(log);
}

fn log_time() -> crate::domain::Timestamp {
    super::store::tests::NOW
}

#[test]
fn w3_a_state_file_that_is_not_there_yet_has_one_path_too() {
    let (_keep, dir) = folder();
    fs::create_dir(dir.join("real")).unwrap();
    symlink("real", dir.join("linked")).unwrap();
    assert_eq!(place::resolve(&dir.join("linked/state")).unwrap(), dir.join("real/state"));
    drop(Store::open(&dir.join("linked/state")).unwrap());
    assert!(dir.join("real/state").is_file());
}

#[test]
fn b5_a_file_that_cannot_be_relied_on_is_refused_with_its_mend() {
    let (_keep, dir) = folder();
    let check = |name: &str, spoil: &dyn Fn(&Path), why: &str, mend: &str| {
        let path = dir.join(name);
        spoil(&path);
        for open in [Store::open, Store::open_existing, Store::open_to_look] {
            let error = open(&path).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("use the state file /") && text.contains(why), "{text}");
            let Error::Unusable { mend: told, .. } = error else { panic!("{name}: {text}") };
            assert!(told.contains(mend), "{name}: {told}");
        }
    };
    let make = |path: &Path| drop(Store::open(path).unwrap());
    let elsewhere = "which does not exist";
    check("dangling", &|path| symlink("nowhere", path).unwrap(), elsewhere, "the link");
    let hard = |path: &Path| {
        make(path);
        fs::hard_link(path, dir.join("second name")).unwrap();
    };
    check("hard", &hard, "it has 2 names", "remove the other names");
    let open = |path: &Path| {
        make(path);
        set_mode(path, 0o666);
    };
    check("world", &open, "every user of this machine may write", "chmod o-w");
    check(
        "pipe",
        &|path| symlink("/dev/null", path).unwrap(),
        "not a regular file",
        "--state FILE",
    );
}

/// Only a superuser can make a file that is somebody else's.
#[test]
fn b5_a_file_of_another_owner_is_ours_only_through_a_group() {
    let (_keep, dir) = folder();
    let path = dir.join("state");
    drop(Store::open(&path).unwrap());
    if chown(&path, Some(65_533), Some(65_533)).is_err() {
        return;
    }
    let error = Store::open(&path).unwrap_err().to_string();
    assert!(error.contains("it belongs to another user (uid 65533)"), "{error}");
    set_mode(&path, 0o660);
    assert!(Store::open(&path).is_err(), "the group is none of ours");
    chown(&path, None, Some(rustix::process::getegid().as_raw())).unwrap();
    assert!(Store::open(&path).is_ok(), "this is how two people share one");
    set_mode(&path, 0o640);
    assert!(Store::open(&path).is_err(), "the group may not write");
}

#[tokio::test]
async fn m6_what_a_store_makes_is_for_its_owner_only() {
    let (_keep, dir) = folder();
    set_mode(&dir, 0o755);
    let path = dir.join("deep/er/state");
    let store = Store::open(&path).unwrap();
    let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
    log.append(vec![record(2, wipe(&["a"]))]).await.unwrap();
    assert!(beside(&path, "-wal").is_file() && beside(&path, ".locks").is_dir());
    assert_eq!(open_to_others(&dir), Vec::<String>::new());
}

#[tokio::test]
async fn m6_a_file_that_was_opened_to_a_group_stays_so_with_what_is_beside_it() {
    let (_keep, dir) = folder();
    let path = dir.join("state");
    let store = Store::open(&path).unwrap();
    drop(store.begin(new_run("run-1", &["a"])).await.unwrap());
    drop(store);
    set_mode(&path, 0o660);
    // Only a superuser is in every group.
    let group = if chown(&path, None, Some(65_532)).is_ok() {
        65_532
    } else {
        rustix::process::getegid().as_raw()
    };
    let store = Store::open(&path).unwrap();
    let _log = store.begin(new_run("run-2", &["b"])).await.unwrap();
    assert_eq!(mode(&path), 0o660);
    for (ending, want) in [("-wal", 0o660), ("-shm", 0o660), (".locks", 0o2770)] {
        let path = beside(&path, ending);
        let gid = std::os::unix::fs::MetadataExt::gid(&path.metadata().unwrap());
        assert_eq!((mode(&path), gid), (want, group), "{}", path.display());
    }
    for run in ["run-1", "run-2"] {
        let path = beside(&path, ".locks").join(format!("{run}.lock"));
        assert_eq!(mode(&path), 0o660, "{run}");
    }
}

#[tokio::test]
async fn b3_a_file_that_was_removed_or_replaced_under_a_run_ends_it() {
    type TakeAway<'a> = (&'a str, &'a dyn Fn(&Path));
    let take_away: [TakeAway<'_>; 5] = [
        ("the file is removed", &|path| fs::remove_file(path).unwrap()),
        ("it is moved", &|path| fs::rename(path, beside(path, ".old")).unwrap()),
        ("a copy is in its place", &|path| {
            fs::copy(path, beside(path, ".new")).unwrap();
            fs::rename(beside(path, ".new"), path).unwrap();
        }),
        ("the folder of the locks is removed", &|path| {
            fs::remove_dir_all(beside(path, ".locks")).unwrap();
        }),
        ("the lock is another file", &|path| {
            let lock = beside(path, ".locks").join("run-1.lock");
            fs::remove_file(&lock).unwrap();
            drop(File::create(lock).unwrap());
        }),
    ];
    for (what, take_away) in take_away {
        let (_keep, dir) = folder();
        let path = dir.join("state");
        let store = Store::open(&path).unwrap();
        let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
        assert!(log.asked().await.unwrap().is_empty());
        take_away(&path);
        let error = log.asked().await.unwrap_err();
        assert!(matches!(error, Error::Replaced { .. }), "{what}: {error}");
        let error = log.append(vec![record(2, wipe(&["a"]))]).await.unwrap_err();
        assert!(matches!(error, Error::Replaced { .. }), "{what}: {error}");
    }
}
