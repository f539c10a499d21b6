//! What can go wrong while telling. Each message completes "failed to …".

/// A reporter that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What it writes into does not take it.
    #[error("write the report: {0}")]
    Write(#[from] std::io::Error),
    /// A record cannot be written as JSON.
    #[error("write a record as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The report cannot be laid out as HTML.
    #[error("lay the report out as HTML: {0}")]
    Html(#[from] minijinja::Error),
    /// The report cannot be written as JUnit XML.
    #[error("write the report as JUnit XML: {0}")]
    Junit(String),
}
