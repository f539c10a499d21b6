//! Talking to a real cloud: one attempt at one action, and a classified answer.
//!
//! Start with [`Cloud`]; [`connect`] makes one, of whichever family it is: [`huawei::HuaweiCloud`] or
//! [`openstack::OpenStackCloud`], which share the login of `keystone`. [`config::load`] says which
//! cloud is meant, [`http::Transport`] is the network below, [`fault`] says what a bad answer means,
//! and [`Sent`] keeps what was sent out of it.
//!
//! This room never retries, never waits and decides nothing: retries, waiting and rate limits
//! belong to the engine, where they are journaled, budgeted and simulated.

pub mod config;
mod config_entry;
mod connect;
pub mod credentials_file;
pub mod fault;
pub mod http;
pub mod huawei;
mod keystone;
mod lenient;
pub mod openstack;
mod profile;
pub mod proxy;
mod sent;
pub mod sign;
mod skew;

use std::future::Future;

pub use self::connect::{AnyCloud, connect};
pub use self::http::NetError;
pub use self::keystone::{ConnectError, Identity, Secrets, WallClock};
pub use self::sent::Sent;
use crate::domain::{Action, Reply};

/// A cloud.
pub trait Cloud: Send + Sync {
    /// One attempt at one action. Never retries, never sleeps.
    fn call(&self, action: Action) -> impl Future<Output = Reply> + Send;
}
