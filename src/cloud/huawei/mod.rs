//! Open Telekom Cloud and Huawei Cloud.
//!
//! Start with [`HuaweiCloud`]. What it sends is made by [`request`], what comes back is read by
//! [`answer`]; both are pure, so that they are tested against other people's clients and the
//! documents without a socket. Logging in is `keystone`'s; what holders of access keys do in its
//! place is in `key_door`.

mod answer;
mod client;
mod endpoints;
mod key_door;
mod key_questions;
mod keys;
pub(in crate::cloud) mod region;
mod request;
mod wire;
mod wire_backup;

pub use super::keystone::{
    Base, ConnectError, Draft, Identity, Payload, Scope, Secrets, Visible, WallClock,
};
pub use answer::answer;
pub use client::HuaweiCloud;
pub use endpoints::{Endpoints, Family};
pub use request::{Site, request};
