//! What the process was started with, read once. Start with [`Environment`].
//!
//! Everything that depends on the machine comes into the program here and is handed down as a value.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Variables and folders of the process.
#[derive(Clone, Default)]
pub(super) struct Environment {
    /// Variables whose name and value are text; credentials among them, so this is never shown.
    pub(super) variables: BTreeMap<String, String>,
    /// The folder that paths on the command line are seen from.
    pub(super) folder: PathBuf,
    /// The folder for what programs remember.
    pub(super) state: Option<PathBuf>,
}

/// Variables by their names only.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variables, folder, state } = self;
        f.debug_struct("Environment")
            .field("variables", &variables.keys())
            .field("folder", folder)
            .field("state", state)
            .finish()
    }
}

impl Environment {
    /// Reads it.
    pub(super) fn read() -> Self {
        let base = etcetera::choose_base_strategy().ok();
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            variables,
            folder: std::env::current_dir().unwrap_or_default(),
            state: base.as_ref().and_then(etcetera::BaseStrategy::state_dir),
        }
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a terminal of ours cannot move its cursor or show colours, as far as anybody says.
    pub(super) fn is_dumb(&self) -> bool {
        self.variable("TERM").is_none_or(|term| term == "dumb")
    }

    /// The state file where the command line names none.
    pub(super) fn state_file(&self) -> Option<PathBuf> {
        Some(self.state.as_ref()?.join("refleet").join("state.db"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_nobody_describes_can_do_nothing() {
        let check = |term: Option<&str>, dumb: bool| {
            let variables = term.map(|term| ("TERM".to_owned(), term.to_owned()));
            let variables = variables.into_iter().collect();
            let environment = Environment { variables, ..Environment::default() };
            assert_eq!(environment.is_dumb(), dumb, "{term:?}");
        };
        check(Some("dumb"), true);
        check(Some(""), true);
        check(None, true);
        check(Some("xterm-256color"), false);
    }
}
