//! Files that list servers: one a line, CSV, Ansible's INI and YAML, what `ansible-inventory` and the
//! `openstack` client print, and the state of Terraform.
//!
//! Start with [`read`]. Each format has a reader that knows nothing of playbooks; what all of them
//! owe is the same: names or ids of servers, each with its place, never a pattern, never without an
//! end. What a file of another tool holds besides is not looked at, and never shown.

mod ansible_ini;
mod ansible_yaml;
mod columns;
mod csv;
mod encoding;
mod foreign;
mod format;
mod groups;
mod lines;
mod ranges;
mod read;
mod terraform;
mod words;

pub(super) use read::{Wanted, read};
