//! Regions by their names. Start with [`of_project`].

/// What the names of regions begin with: a part of the world, or a country (`auth.md`, section 6).
const PARTS: [&str; 11] = ["ae", "af", "ap", "cn", "eu", "la", "me", "na", "ru", "sa", "tr"];

/// The region that a project's name says: the main project of a region carries its name, others
/// begin with it, as in `eu-de_prod` (`auth.md`, section 5). A project may also be called anything.
pub(super) fn of_project(project: &str) -> Option<&str> {
    let name = project.split('_').next().unwrap_or(project);
    is_region(name).then_some(name)
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
