//! Who the user of a simulated cloud is: names and secrets, derived from the seed.

use super::dice::Dice;

/// Identities of a simulated cloud. All invented, the same for the same seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Id of the project.
    pub project_id: String,
    /// Its name; it begins with the region.
    pub project_name: String,
    /// Id of the domain.
    pub domain_id: String,
    /// Its name.
    pub domain_name: String,
    /// Id of the user: the owner of the key pair.
    pub user_id: String,
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: String,
    /// Access key.
    pub access_key: String,
    /// Secret key.
    pub secret_key: String,
    /// A key pair of the user.
    pub key_name: String,
}

/// The region of every simulated cloud.
pub(super) const REGION: &str = "eu-de";

impl Account {
    /// The account of that seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 7);
        Self {
            project_id: dice.hex(),
            project_name: format!("{REGION}_sim"),
            domain_id: dice.hex(),
            domain_name: "SIM-DOMAIN".to_owned(),
            user_id: dice.hex(),
            username: "sim-operator".to_owned(),
            password: format!("Sim-{}", &dice.hex()[..16]),
            access_key: dice.hex()[..20].to_ascii_uppercase(),
            secret_key: dice.hex(),
            key_name: "sim-key".to_owned(),
        }
    }

    /// The region of every simulated cloud.
    #[must_use]
    pub fn region(&self) -> &'static str {
        REGION
    }
}

/// The line that `refleet simulator` begins with: where the cloud is and how to get in, as JSON
/// (`product.md`, section 8).
#[must_use]
pub fn first_line(account: &Account, endpoint: &str, clouds_file: Option<&str>) -> String {
    serde_json::json!({
        "endpoint": endpoint,
        "project_id": account.project_id,
        "project_name": account.project_name,
        "domain_id": account.domain_id,
        "domain_name": account.domain_name,
        "user_id": account.user_id,
        "username": account.username,
        "password": account.password,
        "access_key": account.access_key,
        "secret_key": account.secret_key,
        "key_name": account.key_name,
        "clouds_file": clouds_file,
    })
    .to_string()
}

/// A clouds.yaml with the one entry `sim`, marked as a rehearsal.
#[must_use]
pub fn clouds_yaml(account: &Account, endpoint: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let (domain, project) = (quoted(&account.domain_name), quoted(&account.project_name));
    format!(
        "clouds:\n  sim:\n    auth:\n      auth_url: {}\n      username: {}\n      password: {}\n      \
         user_domain_name: {domain}\n      project_name: {project}\n      \
         project_domain_name: {domain}\n    region_name: {REGION}\n    interface: public\n    \
         identity_api_version: \"3\"\n    x_refleet: {{ simulated: true, provider: huaweicloud }}\n",
        quoted(&format!("{endpoint}/v3")),
        quoted(&account.username),
        quoted(&account.password),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_and_the_clouds_file_lead_in() {
        let account = Account::from_seed(3);
        assert_eq!(account, Account::from_seed(3));
        assert_ne!(account, Account::from_seed(4));
        let line = first_line(&account, "http://127.0.0.1:1", None);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let contract = "endpoint project_id project_name domain_id domain_name user_id username \
                        password access_key secret_key key_name clouds_file";
        assert_eq!(keys.join(" "), contract);
        let yaml = clouds_yaml(&account, "http://127.0.0.1:1");
        let clouds: serde_json::Value = crate::yaml::from_str(&yaml).unwrap();
        let sim = &clouds["clouds"]["sim"];
        assert_eq!(sim["x_refleet"]["simulated"], true);
        assert_eq!(sim["auth"]["auth_url"], "http://127.0.0.1:1/v3");
        assert_eq!(sim["auth"]["password"], account.password);
        assert_eq!(sim["auth"]["project_name"], account.project_name);
    }
}
