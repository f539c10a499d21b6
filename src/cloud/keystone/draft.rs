//! A request before it is signed. Start with [`Draft`].

use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;

use super::super::{fault, sign};
use super::base::Base;
use crate::domain::{Fault, FaultClass, Timestamp};

/// What a POST is sent as.
const JSON_BODY: &str = "application/json;charset=utf-8";
const JSON: &str = "application/json";

/// What a request acts on: a token says it by itself, keys in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The project.
    Project,
    /// The whole account.
    Account,
    /// Neither is known yet.
    Nobody,
}

/// A request before it is signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// `GET` or `POST`.
    pub method: Method,
    /// The service.
    pub base: Base,
    /// Path behind the service's root, escaped.
    pub path: String,
    /// Query, not escaped.
    pub query: Vec<(String, String)>,
    /// Body; empty for a GET.
    pub body: Bytes,
    /// What it acts on.
    pub scope: Scope,
    /// Headers of its own, such as the version of the API that it is written in.
    pub headers: Vec<(&'static str, String)>,
    /// It must not be sent later than this: what was seen before it would be too old.
    pub send_by: Option<Timestamp>,
}

/// Without its body: there may be a password in it.
impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, base, path, query, body, scope, headers, send_by: _ } = self;
        f.debug_struct("Draft")
            .field("method", method)
            .field("base", base)
            .field("path", path)
            .field("query", query)
            .field("body", &format_args!("{} bytes", body.len()))
            .field("scope", scope)
            .field("headers", headers)
            .finish()
    }
}

impl Draft {
    pub(in crate::cloud) fn get(base: &Base, path: String, query: &[(&str, &str)]) -> Self {
        let query = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (method, body, scope) = (Method::GET, Bytes::new(), Scope::Project);
        let headers = Vec::new();
        Self { method, base: base.clone(), path, query, body, scope, headers, send_by: None }
    }

    pub(in crate::cloud) fn post(base: &Base, path: String, body: &Value) -> Self {
        let (method, query, scope) = (Method::POST, Vec::new(), Scope::Project);
        Self {
            method,
            base: base.clone(),
            path,
            query,
            body: body.to_string().into(),
            scope,
            headers: Vec::new(),
            send_by: None,
        }
    }

    pub(in crate::cloud) fn scoped(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// `application/json`, for a body with its character set, as the cloud's own client says it.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        if self.body.is_empty() { JSON } else { JSON_BODY }
    }

    /// The path as it is sent.
    pub(in crate::cloud) fn full_path(&self) -> String {
        format!("{}{}", self.base.prefix(), self.path)
    }

    /// The request with these headers.
    pub(in crate::cloud) fn into_http(
        self,
        headers: &[(String, String)],
    ) -> Result<Request<Bytes>, Fault> {
        let query =
            sign::canonical_query(self.query.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())));
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("{}{}{mark}{query}", self.base.root, self.path));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(self.body).map_err(|error| invalid("refleet.request", error.to_string()))
    }
}

/// One segment of a path: a slash inside a name is escaped as well.
pub(in crate::cloud) fn segment(text: &str) -> String {
    sign::escape(text.as_bytes())
}

pub(in crate::cloud) fn invalid(code: &str, message: String) -> Fault {
    fault::ours(FaultClass::Invalid, code, message)
}
