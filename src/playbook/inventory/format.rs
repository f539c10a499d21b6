//! Which format a file has: its name says so, or else its first line.

/// A format of inventories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One id or name a line.
    Lines,
    /// A header, then a row for each server.
    Csv,
    /// Ansible, INI.
    Ini,
    /// Ansible, YAML.
    Yaml,
    /// `terraform show -json`.
    Terraform,
}

impl Format {
    /// The format of a file. An ending that means one decides; otherwise the first line does, where
    /// it can be nothing else.
    pub(super) fn of(path: &str, text: &str) -> Self {
        let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let ending = file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("csv" | "tsv") => Self::Csv,
            Some("ini" | "cfg") => Self::Ini,
            Some("yaml" | "yml") => Self::Yaml,
            Some("json") => Self::Terraform,
            Some(_) | None => Self::by_content(text),
        }
    }

    fn by_content(text: &str) -> Self {
        let mut lines = text.lines().map(str::trim);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
        let content = first.map(|line| line.split(" #").next().unwrap_or(line).trim_end());
        match content {
            Some(line) if line.starts_with('{') => Self::Terraform,
            Some(line) if line.starts_with('[') && line.ends_with(']') => Self::Ini,
            Some(line) if line == "---" || line.ends_with(':') => Self::Yaml,
            Some(_) | None => Self::Lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_and_else_the_first_line() {
        let check = |path: &str, text: &str, format| {
            assert_eq!(Format::of(path, text), format, "{path} {text}");
        };
        check("a/web.CSV", "[web]", Format::Csv);
        check("web.tsv", "", Format::Csv);
        check("hosts.ini", "{", Format::Ini);
        check("a.b/hosts", "# ours\n\n[web]\nweb-1\n", Format::Ini);
        check("hosts.txt", "all:\n  hosts:\n", Format::Yaml);
        check("hosts", "---\nweb: {}\n", Format::Yaml);
        check("state", "\n{\"values\": {}}", Format::Terraform);
        check("hosts.txt", "web-1\nweb-2\n", Format::Lines);
        check("hosts.txt", "id,name\n", Format::Lines);
        check("hosts.txt", "", Format::Lines);
    }
}
