//! `SDK-HMAC-SHA256`: how a request proves that its sender holds a secret key.
//!
//! Start with [`sign`], which a client calls, and [`check`], which a server calls with nothing but
//! what arrived. Both go through [`canonical_request`], the text that is signed (`auth.md`,
//! section 3). Nothing here reads a clock, and no secret appears in an error.

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest, Sha256};

use crate::domain::{Millis, Timestamp};

/// The only algorithm there is.
pub const ALGORITHM: &str = "SDK-HMAC-SHA256";
/// How far a request's date may be from the clock of the server (`auth.md`, section 3.1).
pub const MAX_SKEW: Millis = Millis::mins(15);

const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const DATE: &str = "X-Sdk-Date";
const CONTENT_HASH: &str = "X-Sdk-Content-Sha256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// What stays as it is; everything else is escaped, in paths and in queries.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request on its way out.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// `GET`, `POST` …
    pub method: &'a str,
    /// Host, with the port if it is not the usual one. A `Host` among the headers wins.
    pub host: &'a str,
    /// Path, escaped where it needs to be.
    pub path: &'a str,
    /// Query, not escaped.
    pub query: &'a [(String, String)],
    /// Headers; all of them are signed, except names with an underscore.
    pub headers: &'a [(String, String)],
    /// Body, byte for byte.
    pub body: &'a [u8],
}

/// What [`sign`] made.
pub struct Signed {
    /// All headers to send, `Host`, `X-Sdk-Date` and `Authorization` among them.
    pub headers: Vec<(String, String)>,
    /// The text whose hash is signed.
    pub canonical_request: String,
    /// The text that is signed.
    pub string_to_sign: String,
}

/// A request as it arrived at a server.
#[derive(Clone, Copy)]
pub struct Arrived<'a> {
    /// `GET`, `POST` …
    pub method: &'a str,
    /// Path and query as they stood in the request line.
    pub target: &'a str,
    /// Headers.
    pub headers: &'a [(String, String)],
    /// Body, byte for byte.
    pub body: &'a [u8],
}

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No `Authorization` header.
    #[error("the request is not signed: there is no Authorization header")]
    Missing,
    /// The older form of `auth.md`, section 3.2.
    #[error(
        "the Authorization header has the form Credential=<key>/<scope>; only the form Access=<key> is accepted here"
    )]
    CredentialForm,
    /// Not `SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…`.
    #[error("the Authorization header cannot be read")]
    Malformed,
    /// `host` and `x-sdk-date` have to be signed.
    #[error("header {0} is not among the signed ones")]
    NotSigned(&'static str),
    /// Named in `SignedHeaders`, but not there.
    #[error("signed header {0} was not sent")]
    HeaderMissing(String),
    /// Named in `SignedHeaders`, and there more than once.
    #[error("signed header {0} was sent twice")]
    HeaderTwice(String),
    /// Not `YYYYMMDDTHHMMSSZ`.
    #[error("X-Sdk-Date {0:?} is not a date of the form 20260102T030405Z")]
    Date(String),
    /// More than 15 minutes away.
    #[error("X-Sdk-Date is more than 15 minutes away from the clock of the server")]
    Skew,
    /// Another secret, or the request was changed.
    #[error("the signature does not match")]
    Mismatch,
}

/// Signs `request` with the key pair `access`, `secret`.
#[must_use]
pub fn sign(request: &Outgoing<'_>, access: &str, secret: &str, now: Timestamp) -> Signed {
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.trim().to_owned()))
        .collect();
    let date = date_text(now);
    put(&mut headers, DATE, &date);
    if find(&headers, "host").is_none() {
        headers.push(("Host".to_owned(), request.host.to_owned()));
    }
    let unsigned_body = find(&headers, "content-type").is_some_and(|kind| {
        !kind.starts_with("application/json") && !kind.starts_with("application/bson")
    });
    if unsigned_body && find(&headers, CONTENT_HASH).is_none() {
        headers.push((CONTENT_HASH.to_owned(), UNSIGNED.to_owned()));
    }
    let mut signed: Vec<(String, &str)> = headers
        .iter()
        .filter(|(name, _)| !name.contains('_'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
        .collect();
    signed.sort();
    let query = canonical_query(request.query.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())));
    let canonical = canonical_request(
        request.method,
        &canonical_path(request.path),
        &query,
        &signed,
        &payload_hash(&signed, request.body),
    );
    let string_to_sign = string_to_sign(&date, &canonical);
    let authorization = format!(
        "{ALGORITHM} Access={access}, SignedHeaders={}, Signature={}",
        names(&signed),
        signature(secret, &string_to_sign)
    );
    headers.push(("Authorization".to_owned(), authorization));
    Signed { headers, canonical_request: canonical, string_to_sign }
}

/// Whether a request that arrived was signed with `secret`, not long before or after `now`.
pub fn check(request: &Arrived<'_>, secret: &str, now: Timestamp) -> Result<(), SignatureError> {
    let authorization = Authorization::of(request.headers)?;
    let signed = authorization
        .signed_headers
        .split(';')
        .map(|name| only(request.headers, name).map(|value| (name.to_owned(), value.trim())))
        .collect::<Result<Vec<_>, _>>()?;
    let value_of = |name: &'static str| {
        signed
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| *value)
            .ok_or(SignatureError::NotSigned(name))
    };
    value_of("host")?;
    let date = value_of("x-sdk-date")?;
    let sent = parse_date(date).ok_or_else(|| SignatureError::Date(date.to_owned()))?;
    if sent.since(now).max(now.since(sent)) > MAX_SKEW {
        return Err(SignatureError::Skew);
    }
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let pairs = decode_query(query);
    let canonical = canonical_request(
        request.method,
        &canonical_path(path),
        &canonical_query(pairs.iter().map(|(k, v)| (&k[..], &v[..]))),
        &signed,
        &payload_hash(&signed, request.body),
    );
    let given = hex::decode(authorization.signature).map_err(|_| SignatureError::Malformed)?;
    mac(secret, &string_to_sign(date, &canonical))
        .verify_slice(&given)
        .map_err(|_| SignatureError::Mismatch)
}

/// The access key that a request names: the server looks its secret up by it.
pub fn access_key(headers: &[(String, String)]) -> Result<&str, SignatureError> {
    Authorization::of(headers).map(|authorization| authorization.access)
}

/// The text whose hash is signed. `headers` are lower-case names with trimmed values, sorted.
#[must_use]
pub fn canonical_request(
    method: &str,
    path: &str,
    query: &str,
    headers: &[(String, &str)],
    payload_hash: &str,
) -> String {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let method = method.to_ascii_uppercase();
    format!("{method}\n{path}\n{query}\n{lines}\n{}\n{payload_hash}", names(headers))
}

/// The text that is signed.
#[must_use]
pub fn string_to_sign(date: &str, canonical_request: &str) -> String {
    format!("{ALGORITHM}\n{date}\n{}", hash(canonical_request.as_bytes()))
}

/// The signature, in hex: one HMAC with the secret as it is.
#[must_use]
pub fn signature(secret: &str, string_to_sign: &str) -> String {
    hex::encode(mac(secret, string_to_sign).finalize().into_bytes())
}

/// The path, unescaped once and escaped anew, with a slash at its end.
#[must_use]
pub fn canonical_path(path: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let mut canonical =
        decoded.split(|byte| *byte == b'/').map(escape).collect::<Vec<_>>().join("/");
    if !canonical.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

/// The query, sorted as pairs before it is escaped. It can be sent as it is.
#[must_use]
pub fn canonical_query<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> String {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable();
    let escaped: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{}={}", escape(key), escape(value)))
        .collect();
    escaped.join("&")
}

/// One segment of a path, or one side of a query's pair.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    percent_encode(bytes, ESCAPED).to_string()
}

/// `20260102T030405Z`.
#[must_use]
pub fn date_text(moment: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(moment.0)
        .map(|moment| moment.strftime(DATE_FORMAT).to_string())
        .unwrap_or_default()
}

/// Reads what [`date_text`] writes.
#[must_use]
pub fn parse_date(text: &str) -> Option<Timestamp> {
    let date = jiff::civil::DateTime::strptime(DATE_FORMAT, text).ok()?;
    let moment = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp(moment.as_millisecond()))
}

/// The parts of an `Authorization` header.
struct Authorization<'a> {
    access: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn of(headers: &'a [(String, String)]) -> Result<Self, SignatureError> {
        let text = find(headers, "authorization").ok_or(SignatureError::Missing)?;
        let rest = text.strip_prefix(ALGORITHM).ok_or(SignatureError::Malformed)?;
        let (mut access, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            match part.trim().split_once('=') {
                Some(("Access", value)) => access = Some(value),
                Some(("SignedHeaders", value)) => signed_headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                Some(("Credential", _)) => return Err(SignatureError::CredentialForm),
                _ => return Err(SignatureError::Malformed),
            }
        }
        match (access, signed_headers, signature) {
            (Some(access), Some(signed_headers), Some(signature)) => {
                Ok(Self { access, signed_headers, signature })
            }
            _ => Err(SignatureError::Malformed),
        }
    }
}

fn names(headers: &[(String, &str)]) -> String {
    headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
}

/// A header that names the hash replaces it, unless there is nothing to hash.
fn payload_hash(signed: &[(String, &str)], body: &[u8]) -> String {
    let named = signed.iter().find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_HASH));
    match named {
        Some((_, value)) if !body.is_empty() => (*value).to_owned(),
        _ => hash(body),
    }
}

fn decode_query(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode_str(key).collect(), percent_decode_str(value).collect())
        })
        .collect()
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| &value[..])
}

fn only<'a>(headers: &'a [(String, String)], name: &str) -> Result<&'a str, SignatureError> {
    let mut found = headers.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Ok(value),
        (Some(_), Some(_)) => Err(SignatureError::HeaderTwice(name.to_owned())),
        (None, _) => Err(SignatureError::HeaderMissing(name.to_owned())),
    }
}

fn put(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    headers.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
    headers.push((name.to_owned(), value.to_owned()));
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[expect(clippy::expect_used, reason = "HMAC pads or hashes its key: any length will do")]
fn mac(secret: &str, text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length will do");
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    struct Case {
        method: &'static str,
        url: (&'static str, &'static str),
        query: &'static [(&'static str, &'static str)],
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
        keys: (&'static str, &'static str),
        date: &'static str,
        hash: &'static str,
        signature: &'static str,
    }

    const V1: Case = Case {
        method: "GET",
        url: ("service.endpoint.myhuaweicloud.com", "/resources"),
        query: &[("size", "1")],
        headers: &[],
        body: "",
        keys: ("AccessKey", "SecretKey"),
        date: "20200608T023900Z",
        hash: "de94dd1e1ccdb730b403ce35d7e14f7c7b04337f6def1c3a3a2ba936852b133f",
        signature: "cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842",
    };
    const V2: Case = Case {
        method: "POST",
        body: r#"{"name":"test","id":1}"#,
        hash: "2b1b2515e48cb55e043ff2ec5b93d3f13ec287e1da1d7a2e4e14b0611a341969",
        signature: "436b1ac0a1ae03705934bb70ef2f2e09f7bfed2117d731a38235053199323a1f",
        ..V1
    };
    const V3: Case = Case {
        method: "POST",
        url: (
            "ecs.eu-de.otc.t-systems.com",
            "/v2/0123456789abcdef0123456789abcdef/cloudservers/11111111-2222-3333-4444-555555555555/reinstallos",
        ),
        query: &[],
        headers: &[("Content-Type", "application/json")],
        body: r#"{"os-reinstall":{"keyname":"kp1","userid":"u1"}}"#,
        keys: ("AK123", "SK456"),
        date: "20260102T030405Z",
        hash: "164d1f8d951746c859ee584b743410adbc3627eff7c551d79213b5cabbd17db9",
        signature: "e4ec7eda97f782543adb3e8530f25a18e0f88217e40eca51a89902c27179fc51",
    };
    const V4: Case = Case {
        method: "GET",
        url: (
            "ecs.eu-de.otc.t-systems.com",
            "/v1/0123456789abcdef0123456789abcdef/cloudservers/detail",
        ),
        query: &[
            ("offset", "1"),
            ("limit", "200"),
            ("name", "web 01"),
            ("not-tags", "__type_baremetal"),
        ],
        headers: &[("X-Security-Token", "tok")],
        body: "",
        hash: "4b50549e94fd1b5c4123809e2b6ab9fa3362726054d14b08023b35f506dc5511",
        signature: "f76b4fd8aa551ed236206f2f1057fe70105e1bd57ec350c9167beabd8e571caf",
        ..V3
    };

    fn signed(case: &Case) -> Signed {
        let (query, headers) = (owned(case.query), owned(case.headers));
        let request = Outgoing {
            method: case.method,
            host: case.url.0,
            path: case.url.1,
            query: &query,
            headers: &headers,
            body: case.body.as_bytes(),
        };
        let now = parse_date(case.date).expect("a date");
        sign(&request, case.keys.0, case.keys.1, now)
    }

    #[test]
    fn signing_agrees_with_the_four_published_vectors() {
        for case in [V1, V2, V3, V4] {
            let made = signed(&case);
            assert_eq!(hash(made.canonical_request.as_bytes()), case.hash);
            assert_eq!(signature(case.keys.1, &made.string_to_sign), case.signature);
            let authorization = find(&made.headers, "authorization").expect("it is signed");
            assert!(authorization.ends_with(case.signature), "{authorization}");
        }
    }

    #[test]
    fn a_query_is_sorted_before_it_is_escaped() {
        let pairs = owned(&[
            ("limit", "1"),
            ("enable", "true"),
            ("path", "/a/b"),
            ("multi", "3"),
            ("multi", "1"),
            ("multi", "2"),
        ]);
        let text = canonical_query(pairs.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())));
        assert_eq!(text, "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Fa%2Fb");
    }

    /// What [`check`] says about the signed V4 after `change`, so many seconds later.
    fn checked(change: fn(&mut Vec<(String, String)>), later: u64) -> Result<(), SignatureError> {
        let mut headers = signed(&V4).headers;
        change(&mut headers);
        let target =
            format!("{}?offset=1&name=web%2001&limit=200&not-tags=__type_baremetal", V4.url.1);
        let arrived = Arrived { method: "GET", target: &target, headers: &headers, body: b"" };
        let now = parse_date(V4.date).expect("a date") + Millis::secs(later);
        check(&arrived, V4.keys.1, now)
    }

    #[test]
    fn a_server_says_what_is_wrong_with_a_signature() {
        let quarter = 15 * 60;
        assert_eq!(checked(|_| (), quarter), Ok(()));
        assert_eq!(checked(|_| (), quarter + 1), Err(SignatureError::Skew));
        assert_eq!(checked(Vec::clear, 0), Err(SignatureError::Missing));
        let authorization = |text: &'static str| {
            move |headers: &mut Vec<(String, String)>| put(headers, "Authorization", text)
        };
        let check = |text, wanted| {
            let mut headers = signed(&V4).headers;
            authorization(text)(&mut headers);
            let arrived = Arrived { method: "GET", target: "/", headers: &headers, body: b"" };
            let now = parse_date(V4.date).expect("a date");
            assert_eq!(super::check(&arrived, "SK456", now), Err(wanted), "{text}");
        };
        check(
            "SDK-HMAC-SHA256 Credential=AK/20260102///sdk_request, SignedHeaders=host, Signature=00",
            SignatureError::CredentialForm,
        );
        check("Basic abc", SignatureError::Malformed);
        check("SDK-HMAC-SHA256 Access=a, SignedHeaders=host", SignatureError::Malformed);
        check(
            "SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=00",
            SignatureError::NotSigned("x-sdk-date"),
        );
        check(
            "SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature=00",
            SignatureError::NotSigned("host"),
        );
        check(
            "SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date;x-b, Signature=00",
            SignatureError::HeaderMissing("x-b".to_owned()),
        );
        check(
            "SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date, Signature=zz",
            SignatureError::Malformed,
        );
    }

    #[test]
    fn a_signed_header_may_come_once_and_others_may_be_added() {
        let twice: fn(&mut Vec<(String, String)>) =
            |headers| headers.push(("x-security-token".to_owned(), "other".to_owned()));
        let wanted = SignatureError::HeaderTwice("x-security-token".to_owned());
        assert_eq!(checked(twice, 0), Err(wanted));
        // Projects and domains may be set after signing (`auth.md`, section 3.1).
        let added: fn(&mut Vec<(String, String)>) =
            |headers| headers.push(("X-Project-Id".to_owned(), "p".to_owned()));
        assert_eq!(checked(added, 0), Ok(()));
        let bad_date: fn(&mut Vec<(String, String)>) = |headers| put(headers, DATE, "yesterday");
        assert_eq!(checked(bad_date, 0), Err(SignatureError::Date("yesterday".to_owned())));
    }
}
