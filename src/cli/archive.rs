//! Several small files as one: a compressed tar archive. Start with [`pack`].
//!
//! The same files give the same bytes, whoever packs them, wherever and whenever: nothing of this
//! machine and of its people is in an archive that is sent away.

use std::io;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// Packs these files, named in order, into one folder of the archive; all are as old as that, in
/// seconds since 1970.
pub(super) fn pack(folder: &str, files: &[(&str, Vec<u8>)], age: u64) -> io::Result<Vec<u8>> {
    let packed = GzBuilder::new().write(Vec::new(), Compression::default());
    let mut archive = Builder::new(packed);
    for (name, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(age);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice())?;
    }
    archive.into_inner()?.finish()
}
