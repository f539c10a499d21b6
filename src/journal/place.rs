//! Where a state file is, whether it can be relied on, and who may read what lies beside it.
//!
//! Start with [`resolve`] and [`check`]. A file has one path here, however it was named: claims and
//! locks follow from it, so two names of one file must not lead to two sets of them.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown,
};
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid, getgroups};

use super::Error;

/// The one path of a file, with every link followed. The file need not be there, but a link to a
/// file that is not there is refused: whoever made it means another file than the one we would make.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Error> {
    let trouble = |source| Error::Files { path: path.to_owned(), source };
    match path.symlink_metadata() {
        Ok(found) => path.canonicalize().map_err(|source| {
            if found.is_symlink() && source.kind() == io::ErrorKind::NotFound {
                dangling(path)
            } else {
                trouble(source)
            }
        }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).canonicalize().map_err(trouble)?;
            let name = path
                .file_name()
                .ok_or_else(|| trouble(io::Error::from(io::ErrorKind::IsADirectory)))?;
            Ok(folder.join(name))
        }
        Err(source) => Err(trouble(source)),
    }
}

fn dangling(path: &Path) -> Error {
    let target = path.read_link().unwrap_or_default();
    refuse(
        path,
        format!("it is a link to {}, which does not exist", target.display()),
        "correct or remove the link, or name another state file with --state FILE",
    )
}

fn refuse(path: &Path, why: String, mend: impl Into<String>) -> Error {
    Error::Unusable { path: path.to_owned(), why, mend: mend.into() }
}

/// Refuses a file that cannot be relied on: others could change it, or open it in a way in which
/// their claims and ours would not meet.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    let trouble = |source| Error::Files { path: path.to_owned(), source };
    let found = path.metadata().map_err(trouble)?;
    if found.is_dir() {
        return Err(trouble(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    if !found.is_file() {
        let mend = "name a file on a disk, with --state FILE or REFLEET_STATE";
        return Err(refuse(path, "it is not a regular file".to_owned(), mend));
    }
    if found.nlink() > 1 {
        let why = format!(
            "it has {} names (hard links): runs that open it by different names do not see each \
             other's claims",
            found.nlink()
        );
        let mend = "remove the other names; `find -samefile FILE` lists those on the same disk. To \
                    keep a copy, copy the file instead";
        return Err(refuse(path, why, mend));
    }
    if found.mode() & 0o002 != 0 {
        let mend = format!("chmod o-w {}, after a look at who changed it", path.display());
        return Err(refuse(path, "every user of this machine may write to it".to_owned(), mend));
    }
    if !is_ours_to_write(&found) {
        let why = format!(
            "it belongs to another user (uid {}), and none of our groups may write to it",
            found.uid()
        );
        let mend = "work as that user, or let its owner share it with a group that you are in: \
                    chgrp GROUP FILE; chmod g+rw FILE";
        return Err(refuse(path, why, mend));
    }
    Ok(())
}

/// Whether the file is ours, or its owner opened it to a group of ours. What a superuser could do
/// besides does not count: what is made beside the file would shut its owner out.
fn is_ours_to_write(found: &Metadata) -> bool {
    let ours = getgroups().unwrap_or_default();
    let is_member = |gid| getegid().as_raw() == gid || ours.iter().any(|one| one.as_raw() == gid);
    found.uid() == geteuid().as_raw() || (found.mode() & 0o020 != 0 && is_member(found.gid()))
}

/// Makes a folder, with those above it, that only its owner may enter.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes an empty file that only its owner may read, unless there is one.
pub(super) fn make_file(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(source),
    }
}

/// A file's path with more at the end of its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(OsStr::new(ending));
    name.into()
}

/// Who may use what lies beside a state file: whoever may use the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Its owner.
    Owner,
    /// A group that its owner opened it to.
    Group(u32),
}

impl Access {
    /// That of a state file.
    pub(super) fn of(path: &Path) -> Self {
        let group = path.metadata().ok().filter(|found| found.mode() & 0o020 != 0);
        group.map_or(Self::Owner, |found| Self::Group(found.gid()))
    }

    fn folder(self) -> u32 {
        match self {
            Self::Owner => 0o700,
            // Files in it belong to its group.
            Self::Group(_) => 0o2770,
        }
    }

    fn file(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group(_) => 0o660,
        }
    }

    /// Makes the folder of the locks; one that is there is opened to the group that the state file
    /// was opened to since.
    pub(super) fn folder_of_locks(self, path: &Path) -> Result<(), Error> {
        let trouble = |source| Error::Files { path: path.to_owned(), source };
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => self.open_up(path, self.folder()).map_err(trouble),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                let found = path.metadata().map_err(trouble)?;
                if found.mode() & 0o1002 == 0o002 {
                    let why = "every user of this machine may remove the locks in it".to_owned();
                    let mend = format!("chmod o-w {}", path.display());
                    return Err(refuse(path, why, mend));
                }
                if let Self::Group(_) = self
                    && found.uid() == geteuid().as_raw()
                    && found.mode() & 0o020 == 0
                {
                    for file in path.read_dir().map_err(trouble)? {
                        let file = file.map_err(trouble)?.path();
                        self.open_up(&file, self.file()).map_err(trouble)?;
                    }
                    self.open_up(path, self.folder()).map_err(trouble)?;
                }
                Ok(())
            }
            Err(source) => Err(trouble(source)),
        }
    }

    /// Opens a file of locks, and makes it if there is none.
    pub(super) fn lock_file(self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        match options.clone().create_new(true).open(path) {
            Ok(file) => self.open_up(path, self.file()).map(|()| file),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => options.open(path),
            Err(source) => Err(source),
        }
    }

    /// Lets the group use the log that `SQLite` made beside a state file. Its mode follows the
    /// file's, its group does not.
    pub(super) fn open_log(self, path: &Path) {
        let Self::Group(group) = self else { return };
        for ending in ["-wal", "-shm"] {
            let path = beside(path, ending);
            let ours = path.metadata().ok().filter(|log| log.uid() == geteuid().as_raw());
            if ours.is_some_and(|log| log.gid() != group) {
                // Who is not in the group any more has written to the file before: it goes on.
                drop(chown(&path, None, Some(group)));
            }
        }
    }

    /// The mode is independent of the umask of whoever made the file.
    fn open_up(self, path: &Path, mode: u32) -> io::Result<()> {
        if let Self::Group(group) = self
            && path.metadata()?.gid() != group
        {
            chown(path, None, Some(group))?;
        }
        std::fs::set_permissions(path, Permissions::from_mode(mode))
    }
}

/// Which file a path led to: a path can lead to another one later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Watched {
    /// The file that the path leads to now.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::new(path, &path.metadata()?))
    }

    /// The file that was opened by that path.
    pub(super) fn opened(path: &Path, file: &File) -> io::Result<Self> {
        Ok(Self::new(path, &file.metadata()?))
    }

    fn new(path: &Path, found: &Metadata) -> Self {
        Self { path: path.to_owned(), device: found.dev(), inode: found.ino() }
    }

    /// Whether the path still leads to the file.
    pub(super) fn check(&self) -> Result<(), Error> {
        let why = match Self::at(&self.path) {
            Ok(now) if now == *self => return Ok(()),
            Ok(_) => "it was replaced by another file".to_owned(),
            Err(source) if source.kind() == io::ErrorKind::NotFound => "it was removed".to_owned(),
            Err(source) => format!("it cannot be reached any more: {source}"),
        };
        Err(Error::Replaced { path: self.path.clone(), why })
    }
}
