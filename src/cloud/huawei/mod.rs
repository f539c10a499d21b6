//! Open Telekom Cloud and Huawei Cloud.
//!
//! Start with [`HuaweiCloud`]. What it sends is made by [`request`], what comes back is read by
//! [`answer`]; both are pure, so that they are tested against other people's clients and the
//! documents without a socket. Logging in is in `door`, staying logged in is in `session`.

mod answer;
mod client;
mod connect_error;
mod door;
mod endpoints;
mod identity;
mod line;
mod region;
mod request;
mod session;
mod tokens;
mod wire;
mod wire_backup;

pub use answer::answer;
pub use client::{HuaweiCloud, Identity, Secrets, WallClock};
pub use connect_error::{ConnectError, Visible};
pub use endpoints::{Base, Endpoints, Family};
pub use request::{Draft, Payload, Scope, Site, request};
