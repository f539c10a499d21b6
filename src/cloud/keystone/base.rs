//! The root of a service: what stands before its paths. Start with [`Base::parse`].

/// The root of a service: paths with version and project are put behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// `https://host:port`, without the port if it is the usual one, and a prefix if there is one.
    pub(in crate::cloud) root: String,
    pub(in crate::cloud) host_at: usize,
    prefix_at: usize,
}

impl Base {
    /// Reads an address; version and project behind the host are left away.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let uri: http::Uri = url.trim().parse().ok()?;
        let (scheme, host) = (uri.scheme_str()?, uri.host()?);
        let usual = matches!(
            (scheme, uri.port_u16()),
            (_, None) | ("https", Some(443)) | ("http", Some(80))
        );
        let port = uri.port_u16().filter(|_| !usual).map(|port| format!(":{port}"));
        let prefix: String = uri
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .take_while(|part| !is_version(part))
            .map(|part| format!("/{part}"))
            .collect();
        let start = format!("{scheme}://");
        let authority = format!("{start}{host}{}", port.unwrap_or_default());
        (scheme == "https" || scheme == "http").then(|| Self {
            root: format!("{authority}{prefix}"),
            host_at: start.len(),
            prefix_at: authority.len(),
        })
    }

    /// Host, and port if it is not the usual one.
    pub(in crate::cloud) fn host(&self) -> &str {
        &self.root[self.host_at..self.prefix_at]
    }

    /// What stands before every path.
    pub(in crate::cloud) fn prefix(&self) -> &str {
        &self.root[self.prefix_at..]
    }

    pub(in crate::cloud) fn is_encrypted(&self) -> bool {
        self.root.starts_with("https:")
    }
}

fn is_version(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Base {
        Base::parse(url).expect("an address")
    }

    #[test]
    fn version_project_and_usual_port_are_left_away() {
        let check = |url: &str, root: &str, host: &str| {
            let base = base(url);
            assert_eq!((base.root.as_str(), base.host()), (root, host), "{url}");
        };
        check(
            "https://iam.eu-de.otc.t-systems.com:443/v3",
            "https://iam.eu-de.otc.t-systems.com",
            "iam.eu-de.otc.t-systems.com",
        );
        check("http://127.0.0.1:4000", "http://127.0.0.1:4000", "127.0.0.1:4000");
        check("http://127.0.0.1:80/", "http://127.0.0.1", "127.0.0.1");
        check("https://h/ims/v2/x", "https://h/ims", "h");
        check("https://h/v2.1/0123", "https://h", "h");
        check("https://h:8443/vault/v1/0123", "https://h:8443/vault", "h:8443");
        assert_eq!(base("https://h/ims/v2").prefix(), "/ims");
        for bad in ["", "iam.eu-de", "ftp://h/", "https://", "/v3"] {
            assert_eq!(Base::parse(bad), None, "{bad}");
        }
    }
}
