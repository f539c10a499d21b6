//! Files that users name: read whole, written whole. Start with [`read_text`].

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::yaml::MAX_BYTES;

use super::failure::Failure;

/// The bytes of a file that is not larger than any file of ours may be.
pub(super) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    read_up_to(path, MAX_BYTES as u64)
}

/// The bytes of a file that is not larger than that.
pub(super) fn read_up_to(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {} MiB", most / 1024 / 1024),
        ));
    }
    Ok(bytes)
}

/// The text of a file.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    let trouble = |source| Failure::Read { path: path.to_owned(), source };
    let bytes = read_bytes(path).map_err(trouble)?;
    String::from_utf8(bytes).map_err(|error| {
        trouble(io::Error::new(io::ErrorKind::InvalidData, error.utf8_error().to_string()))
    })
}

/// Writes a file that only its owner may read, or leaves what was there: never a half.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let trouble = |source| Failure::Write { path: path.to_owned(), source };
    let draft = draft_of(path);
    let written = write_new(&draft, bytes).and_then(|()| std::fs::rename(&draft, path));
    written.map_err(|source| {
        // It may not even be there.
        drop(std::fs::remove_file(&draft));
        trouble(source)
    })
}

/// Where a file is written before it takes its name: beside it, and under the name of no other.
fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.draft", std::process::id()));
    path.with_file_name(name)
}

/// Writes a file that only its owner may read, and that is not there yet: never a half.
pub(super) fn write_fresh(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let trouble = |source| Failure::Write { path: path.to_owned(), source };
    let mut file = create_new(path).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            let help = "move it away, or name another file with --out";
            Failure::refused(format!("{} is there already", path.display()), help)
        } else {
            trouble(source)
        }
    })?;
    fill(&mut file, bytes).map_err(|source| {
        // Ours since the line above; what is left of it is of no use.
        drop(std::fs::remove_file(path));
        trouble(source)
    })
}

/// A file to add lines to. One that is not there is made so that only its owner may read it; one that
/// is there keeps its mode, since its owner may have opened it to others on purpose.
pub(super) fn append_private(path: &Path) -> io::Result<File> {
    match OpenOptions::new().append(true).create_new(true).mode(0o600).open(path) {
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path)
        }
        made => made,
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fill(&mut create_new(path)?, bytes)
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn fill(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_written_file_is_whole_private_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.plan");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(read_bytes(&path).unwrap(), b"two");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_fresh_file_takes_the_place_of_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.tar.gz");
        write_fresh(&path, b"one").unwrap();
        let refused = write_fresh(&path, b"two").unwrap_err();
        assert!(refused.to_string().ends_with("case.tar.gz is there already"), "{refused}");
        assert_eq!(read_bytes(&path).unwrap(), b"one");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_bytes(folder.path()).is_err());
        assert!(write_private(&folder.path().join("none/x"), b"").is_err());
    }
}
