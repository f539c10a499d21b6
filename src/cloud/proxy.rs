//! Which proxies stand between us and a cloud, as the environment says. Start with [`Proxies::of`].
//!
//! The variables are those of curl: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, and the
//! same in lower case, which win.

use std::collections::BTreeMap;
use std::fmt;

use http::Uri;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use super::Sent;

/// This machine is reached without a proxy: the simulated cloud is there, and a proxy elsewhere
/// would look for it on itself.
pub(super) const ALWAYS_DIRECT: &str = "localhost,127.0.0.0/8,::1";

/// The proxies of a network; their addresses may hold passwords.
#[derive(Clone, Default)]
pub struct Proxies {
    pub(super) https: Option<SecretString>,
    pub(super) http: Option<SecretString>,
    pub(super) except: String,
}

/// A proxy that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use the proxy of {variable}: {what}")]
pub struct ProxyError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong, without the address: it may hold a password.
    pub what: &'static str,
}

impl Proxies {
    /// What the variables say.
    pub fn of(variables: &BTreeMap<String, String>) -> Result<Self, ProxyError> {
        Ok(Self {
            https: first(variables, &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            http: first(variables, &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])?,
            except: set(variables, "no_proxy")
                .or_else(|| set(variables, "NO_PROXY"))
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// Tells the passwords in the addresses, as they are written and as they are sent.
    pub(super) fn tell(&self, sent: &Sent) {
        for address in self.https.iter().chain(&self.http) {
            let login = login(address.expose_secret());
            let password = login.and_then(|login| login.split_once(':')).map_or("", |(_, it)| it);
            sent.learn(password);
            sent.learn(&percent_decode_str(password).decode_utf8_lossy());
        }
    }
}

/// Name and password in an address.
fn login(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(login, _)| login)
}

/// An address as it may be shown: without name and password.
#[must_use]
pub fn without_login(address: &str) -> String {
    match (address.split_once("://"), login(address)) {
        (Some((scheme, rest)), Some(login)) => format!("{scheme}://{}", &rest[login.len() + 1..]),
        (Some(_), None) => address.to_owned(),
        // One that is no address: what stands before the last sign may be anything.
        (None, _) => address.rsplit_once('@').map_or(address, |(_, rest)| rest).to_owned(),
    }
}

fn set<'v>(variables: &'v BTreeMap<String, String>, name: &str) -> Option<&'v str> {
    variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

fn first(
    variables: &BTreeMap<String, String>,
    names: &[&'static str],
) -> Result<Option<SecretString>, ProxyError> {
    let found = names.iter().find_map(|name| Some((*name, set(variables, name)?)));
    found
        .map(|(variable, text)| address(text).map_err(|what| ProxyError { variable, what }))
        .transpose()
}

/// With a scheme: `proxy:3128` means plain HTTP to the proxy, as everywhere.
fn address(text: &str) -> Result<SecretString, &'static str> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: Uri = text.parse().map_err(|_| "it is not an address, as http://proxy:3128")?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(host)) if !host.is_empty() => Ok(text.into()),
        (Some("http" | "https"), _) => Err("it is not an address, as http://proxy:3128"),
        (_, _) => Err("only http and https proxies are known, not SOCKS"),
    }
}

/// Hosts without names and passwords.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |address: &Option<SecretString>| {
            let uri: Option<Uri> = address.as_ref()?.expose_secret().parse().ok();
            Some(uri?.host()?.to_owned())
        };
        f.debug_struct("Proxies")
            .field("https", &host(&self.https))
            .field("http", &host(&self.http))
            .field("except", &self.except)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Proxies, ProxyError> {
        Proxies::of(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn the_variables_of_curl_are_read_and_lower_case_wins() {
        let check = |pairs: &[(&str, &str)], https: Option<&str>, http: Option<&str>| {
            let found = of(pairs).expect("good proxies");
            let text =
                |one: &Option<SecretString>| one.as_ref().map(|one| one.expose_secret().to_owned());
            assert_eq!(text(&found.https).as_deref(), https, "{pairs:?}");
            assert_eq!(text(&found.http).as_deref(), http, "{pairs:?}");
        };
        check(&[], None, None);
        check(&[("HTTPS_PROXY", "proxy:3128")], Some("http://proxy:3128"), None);
        check(
            &[("HTTPS_PROXY", "http://a"), ("https_proxy", "http://b"), ("http_proxy", "http://c")],
            Some("http://b"),
            Some("http://c"),
        );
        check(
            &[("ALL_PROXY", "https://p"), ("HTTP_PROXY", "")],
            Some("https://p"),
            Some("https://p"),
        );
        let except = of(&[("NO_PROXY", "a.test"), ("no_proxy", "b.test")]).expect("good").except;
        assert_eq!(except, "b.test");
    }

    #[test]
    fn passwords_in_addresses_are_known_and_not_shown() {
        let proxies = of(&[("HTTPS_PROXY", "http://ops:hush%2Dhush@proxy:1")]).expect("good");
        let sent = Sent::default();
        proxies.tell(&sent);
        let told = "407 for b3BzOmh1c2gtaHVzaA== and hush-hush or hush%2Dhush";
        assert_eq!(sent.without(told), "407 for b3BzOm[redacted]A== and [redacted] or [redacted]");
        let check = |address: &str, shown: &str| assert_eq!(without_login(address), shown);
        check("https://ops:hu@sh@iam.test/v3", "https://iam.test/v3");
        check("https://iam.test/v3/@x", "https://iam.test/v3/@x");
        check("https://iam.test:8/v3", "https://iam.test:8/v3");
        check("ops:hush@iam.test", "iam.test");
        check("iam.test", "iam.test");
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_told_without_its_password() {
        let check = |value: &str, wanted: &str| {
            let error = of(&[("HTTPS_PROXY", value)]).expect_err(value);
            assert_eq!(error.to_string(), format!("use the proxy of HTTPS_PROXY: {wanted}"));
        };
        check("socks5://u:hush@p:1", "only http and https proxies are known, not SOCKS");
        check("http://u:hu sh@p", "it is not an address, as http://proxy:3128");
        let good = of(&[("HTTPS_PROXY", "http://u:hush@p:1")]).expect("a proxy");
        assert_eq!(format!("{good:?}"), "Proxies { https: Some(\"p\"), http: None, except: \"\" }");
    }
}
