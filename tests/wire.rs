//! What goes over the wire, against what other people's clients send and what the cloud documents.

#[cfg(test)]
#[path = "wire/signing.rs"]
mod signing;

#[cfg(test)]
#[path = "wire/requests.rs"]
mod requests;

#[cfg(test)]
#[path = "wire/answers.rs"]
mod answers;

#[cfg(test)]
#[path = "wire/scripted.rs"]
mod scripted;

#[cfg(test)]
#[path = "wire/classification.rs"]
mod classification;

#[cfg(test)]
#[path = "wire/client.rs"]
mod client;

#[cfg(test)]
#[path = "wire/session.rs"]
mod session;

#[cfg(test)]
#[path = "wire/projects.rs"]
mod projects;

#[cfg(test)]
#[path = "wire/network.rs"]
mod network;

#[cfg(test)]
#[path = "wire/simulated.rs"]
mod simulated;

#[cfg(test)]
#[path = "wire/tls.rs"]
mod tls;

#[cfg(test)]
#[path = "wire/openstack_replay.rs"]
mod openstack_replay;

#[cfg(test)]
#[path = "wire/openstack_client.rs"]
mod openstack_client;
