//! What only a holder of access keys asks IAM: projects, the catalog, the owner of the key
//! (`auth.md`, section 5). Start with [`projects_request`].

use bytes::Bytes;
use http::Response;
use serde::Deserialize;

use super::super::keystone::{Base, Draft, Scope, Service, read, segment};
use super::super::lenient::{Text, or_default};
use crate::domain::Fault;

/// `GET /v3/projects`, of one name or all.
pub(super) fn projects_request(iam: &Base, name: Option<&str>) -> Draft {
    let query: Vec<(&str, &str)> = name.iter().map(|name| ("name", *name)).collect();
    Draft::get(iam, "/v3/projects".to_owned(), &query).scoped(Scope::Nobody)
}

#[derive(Deserialize)]
struct CatalogBody {
    #[serde(deserialize_with = "or_default")]
    catalog: Vec<Service>,
}

/// `GET /v3/auth/catalog`.
pub(super) fn catalog_request(iam: &Base) -> Draft {
    Draft::get(iam, "/v3/auth/catalog".to_owned(), &[])
}

pub(super) fn read_catalog(response: &Response<Bytes>) -> Result<Vec<Service>, Fault> {
    read::<CatalogBody>(response).map(|body| body.catalog)
}

#[derive(Deserialize)]
struct CredentialBody {
    credential: CredentialWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CredentialWire {
    user_id: Text,
}

/// `GET /v3.0/OS-CREDENTIAL/credentials/{access}`: whose key it is.
pub(super) fn owner_request(iam: &Base, access: &str) -> Draft {
    let path = format!("/v3.0/OS-CREDENTIAL/credentials/{}", segment(access));
    Draft::get(iam, path, &[]).scoped(Scope::Account)
}

pub(super) fn read_owner(response: &Response<Bytes>) -> Result<Option<String>, Fault> {
    read::<CredentialBody>(response).map(|body| body.credential.user_id.some())
}
