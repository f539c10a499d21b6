//! Where we are, and who. Start with [`Identity`].

use crate::domain::{Features, Provider, UserId};

/// Where we are, and who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The family of the cloud.
    pub provider: Provider,
    /// The region.
    pub region: String,
    /// Id of the project.
    pub project_id: String,
    /// Name of the project.
    pub project_name: String,
    /// Id of the acting user: owner of the key pairs it can see.
    pub user_id: UserId,
    /// Name of the acting user, or the end of its access key.
    pub user_name: String,
    /// What the cloud's calls can do.
    pub features: Features,
}
