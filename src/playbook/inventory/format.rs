//! Which format a file has: its lines say so, or else its name.

use super::ansible_ini;

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
    /// JSON: Terraform's, or a list of another program.
    Json,
    /// A table with borders, as the `openstack` client prints it for people: not read.
    Table,
    /// Ansible, TOML: not read.
    Toml,
}

impl Format {
    /// The format of a file: what its lines can only be, else what its ending says.
    pub(super) fn of(path: &str, text: &str) -> Self {
        let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let ending = file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("csv" | "tsv") if !text.starts_with("+-") => Self::Csv,
            Some("ini" | "cfg") => Self::Ini,
            Some("json") => Self::Json,
            Some("toml") => Self::Toml,
            Some("yaml" | "yml") => match Self::by_content(text) {
                Self::Ini => Self::Ini,
                Self::Table => Self::Table,
                Self::Lines | Self::Csv | Self::Yaml | Self::Json | Self::Toml => Self::Yaml,
            },
            Some(_) | None => Self::by_content(text),
        }
    }

    fn by_content(text: &str) -> Self {
        let said = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with(['#', ';']);
        let first = text.lines().find(said).map(str::trim).unwrap_or_default();
        let first = first.split(" #").next().unwrap_or(first).trim_end();
        if first.starts_with("+-") {
            return Self::Table;
        }
        let json = || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if first.starts_with('{') || (first.starts_with('[') && json()) {
            return Self::Json;
        }
        let keys = ["id", "name"].map(|key| format!("- {key}:"));
        if keys.iter().any(|key| first.to_ascii_lowercase().starts_with(key)) {
            return Self::Yaml;
        }
        if first == "---" || first.starts_with("%YAML") || first.ends_with(':') {
            return Self::Yaml;
        }
        // One heading is enough: loose hosts may come first.
        if text.lines().any(|line| ansible_ini::heading(line.trim()).is_some()) {
            return Self::Ini;
        }
        let sign = |sign: char| matches!(sign, ',' | ';' | '\t');
        let is_key = |cell: &str| {
            let cell = cell.trim().trim_matches('"');
            ["id", "name"].iter().any(|key| cell.eq_ignore_ascii_case(key))
        };
        let first = if first.to_ascii_lowercase().starts_with("sep=") { "id," } else { first };
        let header = first.contains(sign) && first.split(sign).any(is_key);
        if header { Self::Csv } else { Self::Lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_decide_and_else_the_name() {
        let check = |path: &str, text: &str, format| {
            assert_eq!(Format::of(path, text), format, "{path} {text}");
        };
        check("a/web.CSV", "[web]", Format::Csv);
        check("web.tsv", "", Format::Csv);
        check("hosts.ini", "{", Format::Ini);
        check("a.b/hosts", "# ours\n\n[web]\nweb-1\n", Format::Ini);
        check("hosts.txt", "all:\n  hosts:\n", Format::Yaml);
        check("hosts", "---\nweb: {}\n", Format::Yaml);
        check("state", "\n{\"values\": {}}", Format::Json);
        check("hosts.txt", "web-1\nweb-2\n", Format::Lines);
        check("hosts.txt", "id,name\n", Format::Csv);
        check("hosts", "bastion a=1\n\n[web:children]#x\n", Format::Ini);
        check("hosts.yml", "[web]\nweb-1\n", Format::Ini);
        check("hosts.yml", "web:\n  vars: { x: |\n[a]\n", Format::Yaml);
        check("hosts", "[\"web-1\"]", Format::Json);
        check("hosts", "%YAML 1.1\n---\nweb:\n", Format::Yaml);
        check("servers.txt", "\n+----+\n| ID |\n", Format::Table);
        check("servers", "- ID: a\n  Name: b\n", Format::Yaml);
        check("hosts.toml", "[web.hosts]\n", Format::Toml);
        check("hosts.txt", "", Format::Lines);
    }
}
