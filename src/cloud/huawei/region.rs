//! Regions by their names. Start with [`of`].

use super::super::config::{CloudConfig, Provider};

/// What the names of regions begin with: a part of the world, or a country (`auth.md`, section 6).
const PARTS: [&str; 11] = ["ae", "af", "ap", "cn", "eu", "la", "me", "na", "ru", "sa", "tr"];

/// The region that a project's name says: the main project of a region carries its name, others
/// begin with it, as in `eu-de_prod` (`auth.md`, section 5). A project may also be called anything.
fn of_project(project: &str) -> Option<&str> {
    let name = project.split('_').next().unwrap_or(project);
    is_region(name).then_some(name)
}

/// The project that is meant where none is said: the main one of the region, which has its name. Of a
/// cloud that is not known yet, only where the name is one of a region of this family.
pub(in crate::cloud) fn main_project(config: &CloudConfig) -> Option<&str> {
    let region = config.region.as_deref()?;
    let is_meant = match config.provider {
        Some(Provider::Otc | Provider::Huawei) => true,
        Some(Provider::OpenStack) => false,
        None => is_region(region),
    };
    is_meant.then_some(region)
}

/// The region that is configured, else the one that the project's name says; the error is the region
/// that the project is in where another one is configured.
pub(super) fn of(config: &CloudConfig, project: &str) -> Result<String, String> {
    let guessed = || project.split('_').next().unwrap_or(project).to_owned();
    match (&config.region, of_project(project)) {
        (Some(region), Some(its)) if *region != its => Err(its.to_owned()),
        (Some(region), _) => Ok(region.clone()),
        (None, _) => Ok(guessed()),
    }
}

fn is_region(name: &str) -> bool {
    let mut parts = name.split('-');
    let known = parts.next().is_some_and(|first| PARTS.contains(&first));
    let rest: Vec<&str> = parts.collect();
    let plain = |part: &&str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    known && !rest.is_empty() && rest.len() <= 2 && rest.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_a_project_is_in_its_name_or_nowhere() {
        for (project, region) in [
            ("eu-de", Some("eu-de")),
            ("eu-de_prod", Some("eu-de")),
            ("eu-ch2_a_b", Some("eu-ch2")),
            ("cn-north-4", Some("cn-north-4")),
            ("eu-west-101_x", Some("eu-west-101")),
            ("my-project", None),
            ("eu", None),
            ("eu-", None),
            ("EU-DE", None),
            ("eu-de-prod-web", None),
            ("", None),
        ] {
            assert_eq!(of_project(project), region, "{project}");
        }
    }
}
