//! What every answer is read by. Start with [`read`].

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::de::DeserializeOwned;

use super::super::{Sent, fault};
use crate::domain::{CostClass, Fault, FaultClass};

/// The body of a good answer to a request that changes nothing.
pub(in crate::cloud) fn read<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T, Fault> {
    if response.status() != StatusCode::OK && response.status() != StatusCode::CREATED {
        return Err(fault::of_answer(CostClass::Reading, response));
    }
    serde_json::from_slice(response.body()).map_err(|error| {
        // The error quotes values.
        let why = Sent::before(response).without(&error.to_string());
        missing(format_args!("a body that cannot be read: {why}"))
    })
}

pub(in crate::cloud) fn missing(what: impl std::fmt::Display) -> Fault {
    fault::unreadable(CostClass::Reading, what)
}

/// All of a list, or nothing: half a list would look like servers that are gone.
pub(in crate::cloud) fn all<W, D>(
    list: Vec<W>,
    into: fn(W) -> Option<D>,
    what: &str,
) -> Result<Vec<D>, Fault> {
    list.into_iter().map(|item| into(item).ok_or_else(|| missing(what))).collect()
}

/// "There is no such thing" is an answer.
pub(in crate::cloud) fn present<T>(read: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match read {
        Ok(thing) => Ok(Some(thing)),
        Err(fault) if fault.class == FaultClass::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}
