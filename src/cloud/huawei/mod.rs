//! Open Telekom Cloud and Huawei Cloud.
//!
//! Start with [`HuaweiCloud`]. What it sends is made by [`request`], what comes back is read by
//! [`answer`]; both are pure, so that they are tested against other people's clients and the
//! documents without a socket. Everything about logging in is in `identity` and `session`.

mod answer;
mod client;
mod endpoints;
mod identity;
mod request;
mod session;
mod wire;

pub use answer::answer;
pub use client::{ConnectError, HuaweiCloud, Identity, Secrets, WallClock};
pub use endpoints::{Base, Endpoints};
pub use request::{Draft, Payload, Scope, Site, request};
