//! What every cloud with Keystone v3 shares: logging in, staying logged in, and the line to it.
//!
//! Start with [`Door::enter`]: from a configuration to a session, a user and a project.
//! [`Session::exchange`] then sends a [`Draft`], and what comes back is [`read`]. What a cloud's
//! services are asked, and where they are, is its own story.

mod base;
pub(in crate::cloud) mod catalog;
mod connect_error;
mod door;
mod draft;
mod gate;
pub(in crate::cloud) mod identity;
mod line;
mod payload;
mod read;
mod session;
mod tokens;
mod who;

pub use base::Base;
pub(in crate::cloud) use catalog::Service;
pub use connect_error::{ConnectError, Visible};
pub(in crate::cloud) use door::{Door, Entered};
pub use draft::{Draft, Scope};
pub(in crate::cloud) use draft::{invalid, segment};
pub(in crate::cloud) use gate::Gate;
pub(in crate::cloud) use line::Line;
pub use line::WallClock;
pub use payload::{Payload, Secrets};
pub(in crate::cloud) use payload::{WIPE_WITHIN, expect_quotes_of, payload};
pub(in crate::cloud) use read::{all, missing, present, read};
pub(in crate::cloud) use session::{Session, Signer};
pub(in crate::cloud) use tokens::plain_headers;
pub use who::Identity;
