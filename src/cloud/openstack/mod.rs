//! Any cloud with Keystone, Nova and Glance.
//!
//! Start with [`OpenStackCloud`]. What it sends is made by [`request`], what comes back is read by
//! [`answer`]; both are pure, so that they are tested against recorded exchanges without a socket.
//! Where the services are is found by `places`, what this Nova can do by `version`. Nova has no jobs:
//! `job` reads them from what it keeps beside each server, its instance actions.

mod answer;
mod client;
mod fault;
mod job;
mod places;
mod request;
mod version;
mod wire;
mod wire_image;

pub use answer::answer;
pub use client::OpenStackCloud;
pub use fault::of_answer;
pub use places::Places;
pub use request::{Step, request};
pub use version::{Microversion, Versions};
