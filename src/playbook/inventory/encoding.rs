//! Bytes of a file as text: UTF-8, and UTF-16 where its mark says so.

/// Why bytes are not read, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) why: String,
    pub(super) help: &'static str,
}

/// The text, without the mark that some programs put in front.
pub(super) fn text(bytes: &[u8]) -> Result<String, Unread> {
    let unread = |why: &str, help| Err(Unread { why: why.to_owned(), help });
    match bytes {
        [0xff, 0xfe, rest @ ..] => return wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return wide(rest, u16::from_be_bytes),
        [b'P', b'K', 3, 4, ..] => {
            return unread(
                "is an archive, such as a spreadsheet or a saved plan of Terraform",
                "save a spreadsheet as \"CSV UTF-8\"; of Terraform, write `terraform show -json > servers.json`",
            );
        }
        _ => {}
    }
    if bytes.contains(&0) {
        return unread(
            "is UTF-16 without its mark, or no text",
            "write it again as UTF-8: `iconv -f UTF-16LE -t UTF-8 FILE > NEW`",
        );
    }
    match std::str::from_utf8(bytes) {
        // Replaced, not removed: every place keeps its line and its bytes.
        Ok(text) => Ok(text.replacen('\u{feff}', "   ", usize::from(text.starts_with('\u{feff}')))),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            Err(Unread {
                why: format!("is not UTF-8 in line {line}: probably Windows-1252 or Latin-1"),
                help: "save it in Excel as \"CSV UTF-8\", or write it again: `iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW`",
            })
        }
    }
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Unread> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.ok().filter(|text| rest.is_empty() && !text.contains('\0')).ok_or_else(|| Unread {
        why: "begins as UTF-16 and is broken further on".to_owned(),
        help: "write the file again; in PowerShell, with `| Out-File -Encoding utf8 FILE`",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_believed_and_the_rest_is_named() {
        let le: Vec<u8> = "\u{feff}wéb\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = "\u{feff}wéb\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(text(&le).as_deref(), Ok("wéb\n"));
        assert_eq!(text(&be).as_deref(), Ok("wéb\n"));
        assert_eq!(text("\u{feff}web".as_bytes()).as_deref(), Ok("   web"));
        for (bytes, word) in [
            (&b"a\nB\xfcro\n"[..], "line 2: probably Windows-1252"),
            (&le[2..], "UTF-16"),
            (&le[..5], "UTF-16"),
            (b"PK\x03\x04", "archive"),
        ] {
            let why = text(bytes).unwrap_err().why;
            assert!(why.contains(word), "{why}");
        }
    }
}
