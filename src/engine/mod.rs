//! The pure core: decides, never acts.
//!
//! Start with [`Engine::handle`]: one [`Input`] goes in, a [`Turn`] comes out. The shell makes the
//! turn's records durable, carries out its commands, and waits for the next input or for `wake_at`.
//!
//! This room has no clock, no socket, no file, no randomness and no thread. What it knows is the
//! fold of its own records (`facts`); what it has in the air (`pending`) may be forgotten at any
//! time. So there is no second way of recovering: replay, then ask what is due.
//!
//! Inside, a turn is always the same four moves: *react* (what does the input mean?), *advance*
//! (what happens by itself: waves, starts, endings), *wants* (what does each server's state call
//! for?), *issue* (fold the wants into requests, as far as tokens go).

mod advance;
mod backup;
mod bucket;
mod clearance;
mod core;
mod doubt;
mod facts;
mod failure;
#[cfg(test)]
mod flaw;
mod issue;
mod look;
mod outside;
mod own;
mod patience;
mod pause;
mod pending;
mod power;
mod preflight;
mod react;
mod retry;
mod state;
mod steer;
mod steps;
mod turn;
mod verify;
mod waiting;
mod wants;
mod wave;
mod wipe;

pub use core::{Engine, Start};
pub use facts::IllegalEvent;
#[cfg(test)]
pub(crate) use flaw::Flaw;
pub use turn::{Input, Turn};
