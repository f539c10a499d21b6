//! The front for real time: the cloud's wire format over loopback, on one port.
//!
//! Start with [`serve`]. A request goes through `front`: counted, told apart by `route`, checked by
//! `auth`, given its fate by the world, carried out, and written down as the cloud writes it, one
//! module for each service. The bodies are written by hand from the cloud's
//! documents and share no type with our client, so that both cannot be wrong together.

mod audit;
mod auth;
mod catalog;
mod control;
mod detail;
mod filter;
mod flavors;
mod front;
mod identity;
mod images;
mod jobs;
mod keys;
mod line;
mod message;
mod native;
mod power;
mod quote;
mod route;
mod server;
mod servers;
mod short;
mod storage;
mod tags;
mod vaults;

pub use server::{Clock, Options, Running, serve};
