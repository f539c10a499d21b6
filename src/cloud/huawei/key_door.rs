//! The way in with access keys: they are checked by looking their project up (`auth.md`, section 5).
//!
//! Start with [`enter`]. A project that is meant twice is told with the ids that there are.

use super::super::config::NameOrId;
use super::super::fault;
use super::super::keystone::identity::{self, Project, Thing};
use super::super::keystone::{ConnectError, Door, Entered, Session};
use super::key_questions;
use super::keys::AccessKeys;
use crate::domain::CostClass;

const KEYS_NOTE: &str = "; more than five failures in a row lock an access key for 5 minutes, so look at ak, sk and this machine's clock before the next try";

/// Checks the keys by looking their project up.
pub(super) async fn enter(door: &Door<'_>, keys: AccessKeys) -> Result<Entered, ConnectError> {
    let access = keys.access.clone();
    let unbound = Session::signing(keys.clone());
    let Some(wanted) = door.wanted_project() else {
        let there = door.asked_for_visible(&unbound).await;
        let there = there.map_err(|fault| door.refused("list the projects", KEYS_NOTE, fault))?;
        return Err(ConnectError::NoProject { there });
    };
    let name = door.config.project_name.as_deref().or(match &wanted {
        NameOrId::Name(name) => Some(name),
        NameOrId::Id(_) => None,
    });
    let projects = door
        .ask(&unbound, key_questions::projects_request(door.iam, name), identity::read_projects)
        .await
        .map_err(|fault| door.refused("look the project up", KEYS_NOTE, fault))?;
    let project = only(door, &unbound, projects, wanted).await?;
    let session = Session::signing(keys.acting_on(&project));
    let catalog = door
        .ask(&session, key_questions::catalog_request(door.iam), key_questions::read_catalog)
        .await
        .unwrap_or_default();
    let user_id = owner(door, &session, &access).await?;
    Ok(Entered {
        session,
        user: Thing { id: user_id, name: ending(&access) },
        domain_id: project.domain_id,
        project: Thing { id: project.id, name: project.name },
        catalog,
    })
}

/// Whose key it is: reinstalls with a key pair name its owner.
async fn owner(door: &Door<'_>, session: &Session, access: &str) -> Result<String, ConnectError> {
    if let Some(told) = door.config.user_id.clone() {
        return Ok(told);
    }
    let request = key_questions::owner_request(door.iam, access);
    match door.ask(session, request, key_questions::read_owner).await {
        Ok(Some(id)) => Ok(id),
        Ok(None) => {
            let fault = fault::unreadable(CostClass::Reading, "no user_id");
            Err(ConnectError::NoUser { fault: Box::new(fault) })
        }
        Err(fault) => Err(ConnectError::NoUser { fault: Box::new(fault) }),
    }
}

/// The one project that is meant; none and several are both wrong.
async fn only(
    door: &Door<'_>,
    session: &Session,
    projects: Vec<Project>,
    wanted: NameOrId,
) -> Result<Project, ConnectError> {
    let is_meant = |project: &Project| match &wanted {
        NameOrId::Name(name) => project.name == *name,
        NameOrId::Id(id) => project.id == *id,
    };
    let mut found: Vec<Project> = projects.into_iter().filter(is_meant).collect();
    match (found.pop(), found.is_empty()) {
        (Some(project), true) => Ok(project),
        (Some(last), false) => {
            let mut ids: Vec<String> = found.into_iter().map(|project| project.id).collect();
            ids.push(last.id);
            ids.sort();
            Err(ConnectError::AmbiguousProject { wanted: text(wanted), ids })
        }
        (None, _) => {
            let there = door.visible(session).await;
            Err(ConnectError::UnknownProject { wanted: text(wanted), there })
        }
    }
}

/// An access key as it may be shown: plans name the user that they were made by.
fn ending(access: &str) -> String {
    // Keys have twenty letters; of a shorter one the end says too much.
    let end = access.char_indices().rev().nth(3).filter(|(at, _)| *at >= 12);
    end.map_or_else(|| "access key".to_owned(), |(at, _)| format!("access key …{}", &access[at..]))
}

fn text(wanted: NameOrId) -> String {
    let (NameOrId::Name(text) | NameOrId::Id(text)) = wanted;
    text
}
