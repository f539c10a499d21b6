//! The credentials file of Huawei's SDK: sections, and `key = value` in them (`auth.md`, section 7).
//! Start with [`read`].

use super::config_entry::{Entry, Login, Setting};

/// A line that is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadLine {
    /// Counted from 1; the line itself may be a secret.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// `[basic]` is for a project, `[global]` for an account; the first wins where both say something.
pub(super) fn read(text: &str) -> Result<Entry, BadLine> {
    let (mut basic, mut global) = (Login::default(), Login::default());
    let mut section = None;
    for (at, line) in text.lines().enumerate() {
        let bad = |what| BadLine { line: at + 1, what };
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            section = Some(name.trim_end_matches(']').trim());
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| bad("it should be `key = value`"))?;
        let login = match section {
            Some("basic") => &mut basic,
            Some("global") => &mut global,
            Some(_) => continue,
            None => return Err(bad("it is in no section: write [basic] above")),
        };
        set(login, key.trim(), value.trim());
    }
    // The keys of one section only: those of two may be of two users.
    let auth = if basic.ak.is_some() { basic } else { global };
    Ok(Entry { auth, ..Entry::default() })
}

fn set(login: &mut Login, key: &str, value: &str) {
    let field = match key {
        "ak" => &mut login.ak,
        "sk" => &mut login.sk,
        "security_token" => &mut login.security_token,
        "project_id" => &mut login.project_id,
        "domain_id" => &mut login.domain_id,
        "iam_endpoint" => &mut login.auth_url,
        _ => return,
    };
    *field = Setting::of(value);
}
