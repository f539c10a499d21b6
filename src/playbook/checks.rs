//! One entry of `verify`, read from the tree.

use http::Uri;

use crate::domain::{Millis, SshProgram, Template};
use crate::yaml::Node;

use super::lower::Desk;
use super::merge::CheckItem;
use super::problem::{Code, Problem};
use super::scalars;
use super::spec::{Check, HostKeyRule, SshCheck};
use super::treatment::{number, text};

/// How long a look from outside may take to pass where the check does not say: a first boot with
/// cloud-init.
const WITHIN: Millis = Millis::mins(10);

/// How long the password of a Windows server may take: five to ten minutes are usual after a start
/// (`ecs.md`, section 10).
const INJECTED: Millis = Millis::mins(15);

/// Reads one entry; `None`: what is wrong with it was told.
pub(super) fn check(desk: &mut Desk<'_>, node: &Node) -> Option<CheckItem> {
    let check = match text(node) {
        Some("defaults") => return Some(CheckItem::Inherited),
        Some("fresh") => Check::Fresh,
        Some("unchanged") => Check::Unchanged,
        Some(_) => return None,
        None => {
            let entry = node.entries()?.first()?;
            written(desk, &entry.key.text, &entry.value)?
        }
    };
    Some(CheckItem::Check(check))
}

fn written(desk: &mut Desk<'_>, word: &str, node: &Node) -> Option<Check> {
    Some(match word {
        "tcp" => Check::Tcp { port: port(node)?, within: within(node, WITHIN)? },
        "password_ready" => Check::PasswordReady { within: within(node, INJECTED)? },
        "http" => Check::Http {
            url: url(desk, node.get("url")?)?,
            status: node.get("status").map_or(Some(200), small)?,
            within: within(node, WITHIN)?,
        },
        "command" => Check::Command {
            run: program(desk, node.get("run").unwrap_or(node))?,
            within: within(node, WITHIN)?,
        },
        "ssh" => Check::Ssh(Box::new(ssh(desk, node)?)),
        "stable_for" => Check::StableFor { time: scalars::duration(text(node)?)? },
        _ => return None,
    })
}

fn ssh(desk: &mut Desk<'_>, node: &Node) -> Option<SshCheck> {
    let template = |key| Some(Template::new(text(node.get(key)?)?));
    Some(SshCheck {
        user: template("user")?,
        run: template("run")?,
        port: node.get("port").map_or(Some(22), small)?,
        within: within(node, WITHIN)?,
        key_file: node.get("key_file").and_then(text).map(|path| match path {
            // The user's home, which is for those to find who read the file.
            _ if path.starts_with("~/") => path.to_owned(),
            _ => desk.seen_from_here(path),
        }),
        host_key: match node.get("host_key") {
            None => HostKeyRule::default(),
            Some(node) => host_key(desk, node)?,
        },
        program: match node.get("program").map(|node| spoken_by(node, SshProgram::HAS_OWN)) {
            None => SshProgram::usual(),
            Some(Ok(program)) => program,
            Some(Err(problem)) => {
                desk.report(problem);
                return None;
            }
        },
    })
}

/// Who logs in, in a refleet that can by itself or not.
fn spoken_by(node: &Node, has_own: bool) -> Result<SshProgram, Problem> {
    match text(node) {
        Some("refleet") if !has_own => Err(Problem::error(
            Code::UnknownWord,
            "this refleet was built without an SSH client of its own",
        )
        .label(node.span, "nobody to log in")
        .help("write `program: ssh`, or leave it out: the ssh of this machine; or build refleet with its feature `ssh`")),
        Some("ssh") => Ok(SshProgram::Ssh),
        // Other words were refused before.
        Some(_) | None => Ok(SshProgram::Refleet),
    }
}

fn host_key(desk: &mut Desk<'_>, node: &Node) -> Option<HostKeyRule> {
    match text(node)? {
        "changed" => Some(HostKeyRule::Changed),
        "any" => Some(HostKeyRule::Any),
        wanted if filled(wanted).starts_with("SHA256:") || wanted.starts_with("{{") => {
            Some(HostKeyRule::Is(Template::new(wanted)))
        }
        _ => {
            desk.report(
                Problem::error(
                    Code::UnknownWord,
                    "`host_key` is none of its words, nor a fingerprint",
                )
                .label(node.span, "not known here")
                .help("changed, any, or a fingerprint such as SHA256:… or {{ host.tag.host_key }}"),
            );
            None
        }
    }
}

fn port(node: &Node) -> Option<u16> {
    small(node.get("port")?)
}

fn small(node: &Node) -> Option<u16> {
    u16::try_from(number(node)?).ok()
}

fn within(check: &Node, usual: Millis) -> Option<Millis> {
    check.get("within").map_or(Some(usual), |within| scalars::duration(text(within)?))
}

/// The words of a program. One of the playbook's own is pinned: another program is another check.
fn program(desk: &mut Desk<'_>, node: &Node) -> Option<Vec<Template>> {
    let items = node.items()?;
    let words: Option<Vec<Template>> =
        items.iter().map(|item| Some(Template::new(text(item)?))).collect();
    let words = words.filter(|words| !words.is_empty())?;
    let name = words[0].as_str();
    if name.contains('/') && !name.starts_with('/') && !name.contains("{{") {
        desk.pin(&items[0])?;
    }
    Some(words)
}

fn url(desk: &mut Desk<'_>, node: &Node) -> Option<Template> {
    let url = text(node)?;
    if let Some((label, help)) = flaw(&filled(url)) {
        desk.report(
            Problem::error(Code::BadUrl, "this is not an address that can be looked at")
                .label(node.span, label)
                .help(help),
        );
    }
    Some(Template::new(url))
}

/// What is wrong with an address.
fn flaw(url: &str) -> Option<(&'static str, &'static str)> {
    let as_in = "such as http://{{ host.ip }}:8080/healthz";
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Some(("begins with neither http:// nor https://", as_in));
    }
    let uri: Option<Uri> = url.parse().ok();
    let Some(place) = uri.as_ref().and_then(Uri::authority).filter(|at| !at.host().is_empty())
    else {
        return Some(("not an address", as_in));
    };
    place.as_str().contains('@').then_some((
        "a user or a password in it",
        "take it out: the address is shown in plans and reports; ask for something without a login",
    ))
}

/// With something in the place of every insert that can be a host, a port and a part of a path.
fn filled(url: &str) -> String {
    let mut out = String::new();
    let mut rest = url;
    while let Some((before, inner)) = rest.split_once("{{") {
        out.push_str(before);
        out.push('1');
        rest = inner.split_once("}}").map_or("", |(_, after)| after);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Limits, Tree};

    #[test]
    fn an_address_is_refused_with_what_is_wrong_with_it() {
        let check = |url: &str, wanted: Option<&str>| {
            assert_eq!(flaw(&filled(url)).map(|(label, _)| label), wanted, "{url}");
        };
        check("http://{{ host.ip }}:8080/healthz", None);
        check("https://{{ host.name }}.example.test:{{ host.tag.port }}/x?y=1", None);
        check("http://[::1]/", None);
        check("{{ host.ip }}/healthz", Some("begins with neither http:// nor https://"));
        check("ftp://{{ host.ip }}/", Some("begins with neither http:// nor https://"));
        check("http://a b/", Some("not an address"));
        check("http:///x", Some("not an address"));
        check("http://u:p@{{ host.ip }}/", Some("a user or a password in it"));
    }

    #[test]
    fn a_refleet_without_a_client_refuses_to_be_the_one_who_logs_in() {
        let program = |text: &str, has_own| {
            let tree = Tree::read(text, Limits { nodes: 9, depth: 9, scalar: 99 });
            spoken_by(tree.root.as_ref().unwrap(), has_own)
        };
        assert_eq!(program("refleet", true).unwrap(), SshProgram::Refleet);
        for has_own in [true, false] {
            assert_eq!(program("ssh", has_own).unwrap(), SshProgram::Ssh);
        }
        let problem = program("refleet", false).unwrap_err();
        assert_eq!(problem.code(), "playbook::unknown_word");
        assert!(problem.help.unwrap().contains("program: ssh"));
    }
}
