//! Which cloud is meant, from files and variables that are not there.

use secrecy::ExposeSecret;

use super::*;
use crate::cloud::http::Trust;

const HOME: &str = "/home/ops/.config/openstack/clouds.yaml";

const OTC: &str = "
clouds:
  otc-prod:
    auth:
      auth_url: https://iam.eu-de.otc.t-systems.com:443/v3
      username: ops
      password: hush
      user_domain_name: OTC-EU-DE-00000000001000000001
      project_name: eu-de_prod
      project_id: 0123456789e12345678901234567890
    region_name: eu-de
    interface: public
    identity_api_version: 3
    verify: True
    regions: [eu-de, {name: eu-nl, values: {}}]
  keys:
    auth: {auth_url: http://127.0.0.1:4000/v3, project_name: eu-de}
    access_key: AK1
    secret_key: SK1
    x_refleet: {simulated: true}
  empty:
";

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn look(
    name: &str,
    files: &[(&str, &str)],
    given: &[(&str, &str)],
) -> Result<CloudConfig, ConfigError> {
    let mut given = variables(given);
    given.insert("HOME".to_owned(), "/home/ops".to_owned());
    let read = |path: &str| {
        files.iter().find(|(have, _)| *have == path).map(|(_, text)| (*text).to_owned())
    };
    load(name, None, None, &Sources { variables: &given, clouds_file: None, read: &read })
}

fn password(config: &CloudConfig) -> &str {
    match &config.credentials {
        Credentials::Password { password, .. } => password.expose_secret(),
        Credentials::Keys { .. } | Credentials::Application { .. } | Credentials::Token(_) => {
            panic!("no password: {config:?}")
        }
    }
}

fn keys(config: &CloudConfig) -> (&str, &str) {
    match &config.credentials {
        Credentials::Keys { access, secret, .. } => (access, secret.expose_secret()),
        Credentials::Password { .. } | Credentials::Application { .. } | Credentials::Token(_) => {
            panic!("no keys: {config:?}")
        }
    }
}

#[test]
fn an_entry_of_clouds_yaml_is_read_with_all_it_says() {
    let config = look("otc-prod", &[(HOME, OTC)], &[]).expect("it is there");
    assert_eq!(config.provider, Some(Provider::Otc));
    assert_eq!(config.auth_url, "https://iam.eu-de.otc.t-systems.com:443/v3");
    assert_eq!(config.region.as_deref(), Some("eu-de"));
    assert_eq!(config.project_name.as_deref(), Some("eu-de_prod"));
    // An id that a careless reader of YAML takes for a number.
    assert_eq!(config.project_id.as_deref(), Some("0123456789e12345678901234567890"));
    assert_eq!(config.source, HOME);
    assert_eq!((config.simulated, config.access.trust.clone()), (false, Trust::Platform));
    assert_eq!(password(&config), "hush");
    let Credentials::Password { user, domain, .. } = &config.credentials else { panic!() };
    assert_eq!(*user, NameOrId::Name("ops".to_owned()));
    assert_eq!(*domain, Some(NameOrId::Name("OTC-EU-DE-00000000001000000001".to_owned())));
}

#[test]
fn keys_stand_under_auth_or_beside_it() {
    let config = look("keys", &[(HOME, OTC)], &[]).expect("it is there");
    assert_eq!(keys(&config), ("AK1", "SK1"));
    assert_eq!(config.provider, Some(Provider::Huawei));
    assert_eq!((config.simulated, config.access.trust), (true, Trust::PlainHttp));
    let inside = "clouds: {c: {auth: {auth_url: 'http://h', ak: A, sk: S, security_token: T}}}";
    let config = look("c", &[("clouds.yaml", inside)], &[]).expect("it is there");
    assert_eq!(keys(&config), ("A", "S"));
    let Credentials::Keys { security_token: Some(token), .. } = &config.credentials else {
        panic!("no token")
    };
    assert_eq!(token.expose_secret(), "T");
}

#[test]
fn the_kind_of_login_can_be_chosen() {
    let both = "clouds: {c: {auth_type: KIND, auth: {auth_url: 'http://h', ak: A, sk: S,
        user_id: U, password: P, token: T}}}";
    let kind = |kind: &str| {
        let text = both.replace("KIND", kind);
        look("c", &[("clouds.yaml", &text)], &[]).expect("it is there").credentials
    };
    assert!(matches!(kind("null"), Credentials::Keys { .. }));
    assert!(matches!(kind("aksk"), Credentials::Keys { .. }));
    assert!(matches!(kind("v3password"), Credentials::Password { .. }));
    assert!(matches!(kind("v3token"), Credentials::Token(_)));
}

#[test]
fn the_first_file_of_the_search_order_is_the_only_one() {
    let entry = |region: &str| {
        format!("clouds: {{c: {{region_name: {region}, auth: {{user_id: u, password: p}}}}}}")
    };
    let files: Vec<(&str, String)> =
        ["pointed.yaml", "clouds.yaml", HOME, "/etc/openstack/clouds.yaml"]
            .iter()
            .zip(["cn-north-1", "cn-north-2", "cn-north-4", "cn-north-9"])
            .map(|(path, region)| (*path, entry(region)))
            .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, &text[..])).collect();
    let region = |from: usize, given: &[(&str, &str)]| {
        look("c", &files[from..], given).expect("it is there").region.expect("a region")
    };
    assert_eq!(region(0, &[("OS_CLIENT_CONFIG_FILE", "pointed.yaml")]), "cn-north-1");
    assert_eq!(region(0, &[]), "cn-north-2");
    assert_eq!(region(2, &[]), "cn-north-4");
    assert_eq!(region(3, &[]), "cn-north-9");
    let given = variables(&[("OS_CLIENT_CONFIG_FILE", "pointed.yaml")]);
    let read = |path: &str| (path == "mine.yaml").then(|| entry("cn-east-3"));
    let sources = Sources { variables: &given, clouds_file: Some("mine.yaml"), read: &read };
    assert_eq!(
        load("c", None, None, &sources).expect("it is there").region.as_deref(),
        Some("cn-east-3")
    );
}

#[test]
fn secure_yaml_beside_it_wins() {
    let secure = "clouds: {otc-prod: {auth: {password: other}}, unknown: {auth: {password: x}}}";
    let beside = "/home/ops/.config/openstack/secure.yaml";
    let config = look("otc-prod", &[(HOME, OTC), (beside, secure)], &[]).expect("it is there");
    assert_eq!(password(&config), "other");
    assert_eq!(config.region.as_deref(), Some("eu-de"));
    let elsewhere = look("otc-prod", &[(HOME, OTC), ("secure.yaml", secure)], &[]);
    assert_eq!(password(&elsewhere.expect("it is there")), "hush");
}

#[test]
fn variables_stand_for_a_cloud_that_no_file_has() {
    let given = [
        ("OS_AUTH_URL", "https://iam.eu-de.otc.t-systems.com/v3"),
        ("OS_USERNAME", "ops"),
        ("OS_PASSWORD", "hush"),
        ("OS_DOMAIN_NAME", "acme"),
        ("OS_TENANT_NAME", "eu-de_x"),
        ("OS_REGION", "eu-de"),
    ];
    let config = look("anything", &[], &given).expect("the variables are enough");
    assert_eq!((password(&config), config.source.as_str()), ("hush", "the environment"));
    assert_eq!(config.project_name.as_deref(), Some("eu-de_x"));
    let aside = look("otc-prod", &[(HOME, OTC)], &given).expect("the file wins");
    assert_eq!(aside.source, HOME);
    let mut named = given.to_vec();
    named.push(("OS_CLOUD", "other"));
    assert!(matches!(look("anything", &[], &named), Err(ConfigError::Unknown { .. })));
    // A slip of the pen must not lead to another cloud.
    assert!(matches!(look("otc-prdo", &[(HOME, OTC)], &given), Err(ConfigError::Unknown { .. })));
}

#[test]
fn the_variables_of_huaweis_sdk_are_known() {
    let given = [("HUAWEICLOUD_SDK_AK", "A"), ("HUAWEICLOUD_SDK_SK", "S")];
    let error = look("h", &[], &given).expect_err("no region").to_string();
    assert!(error.contains("neither auth_url nor a region"), "{error}");
    let given = variables(&given);
    let sources = Sources { variables: &given, clouds_file: None, read: &|_| None };
    let config =
        load("h", Some("cn-north-4"), None, &sources).expect("the playbook says the region");
    assert_eq!(keys(&config), ("A", "S"));
    assert_eq!(config.auth_url, "https://iam.cn-north-4.myhuaweicloud.com/v3");
}

#[test]
fn an_unknown_cloud_is_told_with_what_was_looked_at() {
    let text = |name: &str, files: &[(&str, &str)]| {
        look(name, files, &[]).expect_err("it is not there").to_string()
    };
    assert_eq!(
        text("otc-prdo", &[(HOME, OTC)]),
        "find cloud \"otc-prdo\": /home/ops/.config/openstack/clouds.yaml has empty, keys, otc-prod, \
         and neither OS_AUTH_URL nor HUAWEICLOUD_SDK_AK is set; did you mean \"otc-prod\"?"
    );
    assert_eq!(
        text("x", &[]),
        "find cloud \"x\": there is no clouds.yaml, no /home/ops/.config/openstack/clouds.yaml, \
         no /etc/openstack/clouds.yaml, and neither OS_AUTH_URL nor HUAWEICLOUD_SDK_AK is set"
    );
    assert!(!text("something-else", &[(HOME, OTC)]).contains("did you mean"));
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let error = look("x", &[(HOME, OTC)], &[("OS_CLIENT_CONFIG_FILE", "gone.yaml")]);
    let error = error.expect_err("it is not there").to_string();
    assert_eq!(error, "read gone.yaml, which OS_CLIENT_CONFIG_FILE names");
    let broken = look("x", &[(HOME, "clouds: [")], &[]).expect_err("it is broken").to_string();
    assert!(broken.starts_with("read /home/ops/.config/openstack/clouds.yaml: line "), "{broken}");
}

#[test]
fn what_is_missing_is_said() {
    let check = |auth: &str, wanted: &str| {
        let text = format!("clouds: {{c: {{auth: {{auth_url: 'http://h', {auth}}}}}}}");
        let error = look("c", &[("clouds.yaml", &text)], &[]).expect_err(auth).to_string();
        assert_eq!(error, format!("use cloud \"c\" from clouds.yaml: {wanted}"));
    };
    check("ak: A", "there is an access key without its secret key");
    check("sk: hush", "there is a secret key without its access key");
    check("password: hush", "there is a password, but no username");
    check(
        "username: u, password: hush",
        "there is a username, but no user_domain_name: it is the account's name",
    );
    check(
        "username: u",
        "there are no credentials: neither a password, nor ak and sk, nor a token",
    );
}

#[test]
fn certificates_are_trusted_as_configured() {
    let trust = |rest: &str| {
        let text = format!(
            "clouds: {{c: {{{rest} auth: {{auth_url: 'https://h', user_id: u, password: p}}}}}}"
        );
        let files = [("clouds.yaml", text.as_str()), ("ca.pem", "PEM")];
        look("c", &files, &[]).map(|config| config.access.trust)
    };
    let check = |rest: &str, wanted: Trust| {
        assert_eq!(trust(rest).expect("it is there"), wanted, "{rest}");
    };
    check("", Trust::Platform);
    check("verify: true,", Trust::Platform);
    check("verify: false,", Trust::Anything);
    check("verify: 'False',", Trust::Anything);
    check("cacert: ca.pem,", Trust::PlatformAnd(b"PEM".to_vec()));
    let error = trust("cacert: gone.pem,").expect_err("it is not there").to_string();
    assert_eq!(error, "read gone.pem, which cacert names");
}

#[test]
fn no_secret_is_shown() {
    let secure = "clouds: {keys: {secret_key: hush-hush, security_token: quiet}}";
    let files = [("clouds.yaml", OTC), ("secure.yaml", secure)];
    let (one, two) = (look("otc-prod", &files, &[]), look("keys", &files, &[]));
    for text in [format!("{one:?}"), format!("{two:?}")] {
        assert!(!text.contains("hush") && !text.contains("quiet"), "{text}");
    }
}

/// Entry `c` of that text, where the playbook says that region.
fn there(
    entry: &str,
    region: Option<&str>,
    more: &[(&str, &str)],
) -> Result<CloudConfig, ConfigError> {
    let text = format!("clouds: {{c: {{{entry}}}}}");
    let given = variables(&[("HOME", "/home/ops")]);
    let read = |path: &str| {
        let found = more.iter().find(|(have, _)| *have == path);
        found.map(|(_, text)| (*text).to_owned()).or_else(|| (path == HOME).then(|| text.clone()))
    };
    load("c", region, None, &Sources { variables: &given, clouds_file: None, read: &read })
}

const WHO: &str = "auth: {user_id: u, password: p}";

#[test]
fn a_profile_lies_under_its_entry() {
    let check = |entry: &str, region, wanted: &str, provider| {
        let config = there(&format!("{entry}, {WHO}"), region, &[]).expect(entry);
        assert_eq!(
            (config.auth_url.as_str(), config.provider),
            (wanted, Some(provider)),
            "{entry}"
        );
    };
    let (otc, huawei) = (Provider::Otc, Provider::Huawei);
    check("profile: otc", Some("eu-nl"), "https://iam.eu-nl.otc.t-systems.com/v3", otc);
    check("profile: otc-swiss", None, "https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3", otc);
    let region = "profile: huaweicloud, region_name: cn-north-4";
    check(region, None, "https://iam.cn-north-4.myhuaweicloud.com/v3", huawei);
    let own = "profile: otc, auth: {auth_url: 'https://mine', user_id: u, password: p}";
    assert_eq!(there(own, None, &[]).expect("the entry wins").auth_url, "https://mine");
}

#[test]
fn profiles_are_found_beside_the_file_and_along_the_search_order() {
    let public = |host: &str| {
        format!("public-clouds: {{ours: {{region_name: r, auth: {{auth_url: 'https://{host}'}}}}}}")
    };
    let (beside, elsewhere) = (public("beside"), public("elsewhere"));
    let near = ("/home/ops/.config/openstack/clouds-public.yaml", beside.as_str());
    let far = ("/etc/openstack/clouds-public.yaml", elsewhere.as_str());
    let entry = format!("profile: ours, {WHO}");
    let url = |files: &[(&str, &str)]| there(&entry, None, files).map(|config| config.auth_url);
    assert_eq!(url(&[far, near]).expect("a profile"), "https://beside");
    assert_eq!(url(&[far]).expect("a profile"), "https://elsewhere");
    assert_eq!(
        url(&[]).expect_err("there is none").to_string(),
        format!(
            "use cloud \"c\" from {HOME}: profile \"ours\" is not known; there are huaweicloud, \
             otc, otc-swiss: set auth_url instead, or describe the profile in clouds-public.yaml"
        )
    );
    let fetched = there(&format!("profile: 'https://vendor.test/', {WHO}"), None, &[]);
    let text = fetched.expect_err("nothing is fetched").to_string();
    assert!(text.contains("nothing is fetched") && text.contains("clouds-public.yaml"), "{text}");
}

#[test]
fn the_region_is_one_of_those_that_the_entry_is_for() {
    let entry = |rest: &str| {
        format!(
            "profile: otc, {rest} regions: [eu-de, {{name: eu-nl, values: {{auth: \
                 {{project_id: 0123456789e1}}}}}}], {WHO}"
        )
    };
    let config = there(&entry(""), Some("eu-nl"), &[]).expect("it is among them");
    assert_eq!(config.region.as_deref(), Some("eu-nl"));
    assert_eq!(config.project_id.as_deref(), Some("0123456789e1"), "the values of the region");
    assert_eq!(there(&entry(""), Some("eu-de"), &[]).expect("it is").project_id, None);
    let refused = |rest, region| there(&entry(rest), region, &[]).expect_err("no").to_string();
    let text = refused("", None);
    assert!(text.ends_with("for the regions eu-de, eu-nl: set region in the playbook"), "{text}");
    let text = refused("", Some("eu-ch2"));
    assert!(text.ends_with("region eu-ch2 is not among its regions: eu-de, eu-nl"), "{text}");
    let text = refused("region_name: eu-ch2,", Some("eu-de"));
    assert!(text.ends_with("region eu-ch2 is not among its regions: eu-de, eu-nl"), "{text}");
    let only = there(&format!("profile: otc, regions: [eu-nl], {WHO}"), None, &[]);
    assert_eq!(only.expect("the only one").region.as_deref(), Some("eu-nl"));
}

#[test]
fn what_would_lead_elsewhere_is_refused_by_name() {
    let check = |entry: &str, wanted: &str| {
        let text = there(entry, Some("eu-de"), &[]).expect_err(entry).to_string();
        assert!(text.contains(wanted), "{text}");
    };
    check(&format!("auth_type: v3kerberos, {WHO}"), "auth_type v3kerberos is not known");
    check(&format!("identity_api_version: 2.0, {WHO}"), "only 3 is spoken");
    check("auth: {user_id: u, password: p, target_agency_name: a}", "target_agency_name");
    let otc = there(&format!("profile: otc, {WHO}"), None, &[]).expect_err("no region").to_string();
    assert!(otc.contains("it needs a region"), "{otc}");
}

#[test]
fn our_own_certificate_is_read_with_its_key() {
    let entry = format!("profile: otc, cert: ~/c.pem, key: k.pem, {WHO}");
    let files = [("/home/ops/c.pem", "CERT"), ("k.pem", "hush")];
    let config = there(&entry, Some("eu-de"), &files).expect("it is there");
    let pem = config.access.certificate.as_ref().expect("a certificate").expose_secret();
    assert_eq!(pem, "CERT\nhush");
    let error = there(&entry, Some("eu-de"), &files[..1]).expect_err("no key").to_string();
    assert_eq!(error, "read k.pem, which key names");
}

#[test]
fn the_credentials_file_of_huaweis_sdk_is_the_last_place() {
    const USUAL: &str = "/home/ops/.huaweicloud/credentials";
    let ini = "# ours\n[global]\nak = G\nsk = GS\n\n[basic]\nak = A\nsk=S=1\nproject_id = p\n\
               iam_endpoint = https://iam.eu-de.otc.t-systems.com\n";
    let config = look("c", &[(USUAL, ini)], &[]).expect("it is there");
    assert_eq!((keys(&config), config.source.as_str()), (("A", "S=1"), USUAL));
    assert_eq!((config.project_id.as_deref(), config.provider), (Some("p"), Some(Provider::Otc)));
    let global = "[global]\nak = G\nsk = GS\niam_endpoint = https://h\n";
    let variable = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
    let files = [("mine", global), (USUAL, ini)];
    let config = look("c", &files, &[(variable, "mine")]).expect("it is named");
    assert_eq!(keys(&config), ("G", "GS"));
    let with =
        [("HUAWEICLOUD_SDK_AK", "V"), ("HUAWEICLOUD_SDK_SK", "VS"), ("OS_REGION", "cn-north-4")];
    assert_eq!(keys(&look("c", &files, &with).expect("variables win")), ("V", "VS"));
    let gone = look("c", &[], &[(variable, "gone")]).expect_err("it is gone").to_string();
    assert_eq!(gone, format!("read gone, which {variable} names"));
    let bad = |text: &str| look("c", &[(USUAL, text)], &[]).expect_err(text).to_string();
    assert_eq!(bad("[basic]\nhush"), format!("read {USUAL}: line 2: it should be `key = value`"));
    assert!(bad("ak = hush").ends_with("line 1: it is in no section: write [basic] above"));
    // OS_CLOUD says that clouds.yaml is meant, and a slip of the pen leads nowhere else.
    assert!(look("c", &[(USUAL, ini)], &[("OS_CLOUD", "c")]).is_err());
    assert!(look("otc-prdo", &[(HOME, OTC), (USUAL, ini)], &[]).is_err());
}

#[test]
fn no_configuration_and_no_error_shows_a_planted_secret() {
    let planted = "auth: {auth_url: 'https://h', PLANTED}, cert: c.pem";
    let proxy = [("HTTPS_PROXY", "http://u:hush@proxy:1")];
    for auth in [
        "user_id: u, password: hush, passcode: hush",
        "ak: A, sk: hush, security_token: hush",
        "token: hush",
        "application_credential_id: a, application_credential_secret: hush",
        "application_credential_name: a, application_credential_secret: hush",
        "sk: hush",
        "ak: A, security_token: hush",
        "password: hush",
        "username: u, password: hush, passcode: hush",
        "token: hush, target_agency_name: a",
        "password: hush, password: hush",
        "password: [hush]",
        "password: {hush: hush}",
    ] {
        let text = format!("clouds: {{c: {{{}}}}}", planted.replace("PLANTED", auth));
        for secure in ["{}", "clouds: {c: {auth: {password: [hush]}}}", "clouds: {c: {auth: hush}}"]
        {
            let files = [("clouds.yaml", &text[..]), ("secure.yaml", secure), ("c.pem", "hush")];
            let found = look("c", &files, &proxy);
            let shown = match &found {
                Ok(config) => format!("{config:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains("hush"), "{auth} {secure}: {shown}");
        }
    }
    let error = look("c", &[], &[("OS_AUTH_URL", "https://h"), ("HTTPS_PROXY", "socks5://hush@p")]);
    let error = error.expect_err("SOCKS is not known");
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
}

const KEYSTONE: &str = "auth_url: 'https://keystone.test/v3'";

#[test]
fn an_application_credential_goes_by_its_id_or_by_its_name() {
    let credential = |auth: &str| {
        let entry = format!("auth: {{{KEYSTONE}, {auth}}}");
        match there(&entry, None, &[]).map_err(|error| error.to_string())?.credentials {
            Credentials::Application { credential, secret } => {
                assert_eq!(secret.expose_secret(), "hush");
                Ok(credential)
            }
            other @ (Credentials::Password { .. }
            | Credentials::Keys { .. }
            | Credentials::Token(_)) => panic!("{other:?}"),
        }
    };
    let (id, secret) = ("application_credential_id: ac1", "application_credential_secret: hush");
    let by_id = ApplicationCredential::Id("ac1".to_owned());
    assert_eq!(credential(&format!("{id}, {secret}")), Ok(by_id.clone()));
    // A password beside it is another login, and not the one that was made for this.
    let beside = format!("{id}, {secret}, username: u, password: p, user_domain_name: d");
    assert_eq!(credential(&beside), Ok(by_id));
    let name = "application_credential_name: fleet";
    let whose = "username: ops, user_domain_name: staff";
    let named = ApplicationCredential::Named {
        name: "fleet".to_owned(),
        user: NameOrId::Name("ops".to_owned()),
        domain: Some(NameOrId::Name("staff".to_owned())),
    };
    assert_eq!(credential(&format!("{name}, {secret}, {whose}")), Ok(named));
    let refused = |auth: &str, why: &str| {
        let text: String = credential(auth).expect_err(auth);
        assert!(text.contains(why) && !text.contains("hush"), "{text}");
    };
    refused(id, "there is no application_credential_secret");
    refused(&format!("{name}, {secret}"), "or say whose it is");
    refused(&format!("{name}, {secret}, username: ops"), "no user_domain_name");
    let without = format!("auth_type: v3applicationcredential, auth: {{{KEYSTONE}, {secret}}}");
    let text = there(&without, None, &[]).expect_err("no id").to_string();
    assert!(text.ends_with("there is no application_credential_id"), "{text}");
    let nowhere = there(&format!("auth: {{{id}, {secret}}}"), Some("one"), &[]);
    let text = nowhere.expect_err("no address").to_string();
    assert!(text.ends_with("auth_url is not set"), "{text}");
}

#[test]
fn variables_hold_an_application_credential_too() {
    let given = [
        ("OS_AUTH_TYPE", "v3applicationcredential"),
        ("OS_AUTH_URL", "https://keystone.test/v3"),
        ("OS_APPLICATION_CREDENTIAL_ID", "ac1"),
        ("OS_APPLICATION_CREDENTIAL_SECRET", "hush"),
        ("OS_REGION_NAME", "one"),
        ("OS_INTERFACE", "internal"),
    ];
    let config = look("anything", &[], &given).expect("the variables are enough");
    assert!(matches!(config.credentials, Credentials::Application { .. }));
    assert_eq!(config.provider, Some(Provider::OpenStack));
    assert_eq!((config.region.as_deref(), config.interface.as_str()), (Some("one"), "internal"));
}

#[test]
fn the_family_is_said_or_known_by_what_only_one_has() {
    let family = |entry: &str, asked| {
        let text = format!("clouds: {{c: {{{entry}}}}}");
        let given = variables(&[]);
        let read = |path: &str| (path == "clouds.yaml").then(|| text.clone());
        let sources = Sources { variables: &given, clouds_file: None, read: &read };
        let found = load("c", Some("eu-de"), asked, &sources);
        found.map(|config| config.provider).map_err(|error| error.to_string())
    };
    let (otc, huawei, openstack) = (Provider::Otc, Provider::Huawei, Provider::OpenStack);
    let who = format!("auth: {{{KEYSTONE}, user_id: u, password: p}}");
    let said = |provider: &str| format!("x_refleet: {{provider: {provider}}}, {who}");
    assert_eq!(family(&who, None), Ok(None));
    assert_eq!(family(&who, Some(openstack)), Ok(Some(openstack)));
    assert_eq!(family(&said("openstack"), None), Ok(Some(openstack)));
    assert_eq!(family(&said("huaweicloud"), None), Ok(Some(huawei)));
    assert_eq!(family(&said("otc"), Some(otc)), Ok(Some(otc)));
    let contrary = family(&said("otc"), Some(openstack)).expect_err("two families");
    assert!(contrary.ends_with("x_refleet.provider is otc, and the playbook is for openstack"));
    let unknown = family(&said("aws"), None).expect_err("no such family");
    assert!(unknown.ends_with("is not known: it is otc, huaweicloud or openstack"), "{unknown}");
    // Addresses and credentials of one family only.
    let auth = |auth: &str| format!("auth: {{{auth}}}");
    let at = "auth_url: 'https://iam.eu-de.otc.t-systems.com/v3', user_id: u, password: p";
    assert_eq!(family(&auth(at), None), Ok(Some(otc)));
    let at = "auth_url: 'https://iam.x.myhuaweicloud.com/v3', user_id: u, password: p";
    assert_eq!(family(&auth(at), None), Ok(Some(huawei)));
    let keys = auth(&format!("{KEYSTONE}, ak: A, sk: S"));
    assert_eq!(family(&keys, None), Ok(Some(huawei)));
    let application = auth(&format!(
        "{KEYSTONE}, application_credential_id: a, application_credential_secret: s"
    ));
    assert_eq!(family(&application, None), Ok(Some(openstack)));
    let foreign = family(&keys, Some(openstack)).expect_err("OpenStack knows no keys");
    assert!(foreign.contains("a password or an application credential"), "{foreign}");
    let foreign = family(&application, Some(otc)).expect_err("IAM knows no such credentials");
    assert!(foreign.contains("a password, or ak and sk"), "{foreign}");
}

#[test]
fn the_domain_of_a_project_is_sent_where_it_is_needed() {
    let domain = |auth: &str, provider: &str| {
        let entry = format!(
            "x_refleet: {{provider: {provider}}}, auth: {{{KEYSTONE}, password: p, {auth}}}"
        );
        there(&entry, None, &[]).expect(auth).project_domain
    };
    let name = |text: &str| Some(NameOrId::Name(text.to_owned()));
    let user = "username: u, user_domain_name: staff";
    assert_eq!(domain(user, "openstack"), name("staff"));
    assert_eq!(domain(user, "huaweicloud"), None);
    let both = "username: u, user_domain_name: staff, project_domain_name: work";
    assert_eq!(domain(both, "openstack"), name("work"));
    assert_eq!(domain(both, "huaweicloud"), name("work"));
    assert_eq!(domain("user_id: u, default_domain: all", "openstack"), name("all"));
    assert_eq!(domain("user_id: u", "openstack"), None);
}

/// The host of another company is never put together from the name of a region, and an entry says what
/// openstacksdk makes of it.
#[test]
fn an_entry_means_what_openstacksdk_makes_of_it() {
    let url = |entry: &str| there(entry, None, &[]).map(|config| config.auth_url);
    let otc = "https://iam.eu-de.otc.t-systems.com/v3";
    for beside in
        [format!("auth_url: '{otc}'"), format!("auth-url: '{otc}'"), "cloud: otc".to_owned()]
    {
        let entry = format!("{beside}, region-name: eu-de, {WHO}");
        assert_eq!(url(&entry).expect("it is said"), otc, "{beside}");
    }
    let dublin = url(&format!("region_name: eu-west-101, {WHO}")).expect("it is in the table");
    assert_eq!(dublin, "https://iam.eu-west-101.myhuaweicloud.eu/v3");
    for (entry, wanted) in [
        ("region_name: eu-de", "profile: otc"),
        ("region_name: eu-west-0", "is not known: set auth_url"),
        ("profile: otc, region_name: cn-north-4", "profile: huaweicloud"),
        ("region_name: 'eu-de,eu-nl'", "several regions"),
    ] {
        let text = url(&format!("{entry}, {WHO}")).expect_err(entry).to_string();
        assert!(text.contains(wanted), "{entry}: {text}");
    }
    let project = |entry: &str| there(entry, None, &[]).expect(entry).project_name;
    let auth = "auth: {user_id: u, password: p, tenant_name: old}";
    let named = |more: &str| project(&format!("profile: otc, region_name: eu-de, {more} {auth}"));
    assert_eq!(named("").as_deref(), Some("old"));
    assert_eq!(named("tenant-name: beside,").as_deref(), Some("beside"));
    assert_eq!(named("project_name: new,").as_deref(), Some("new"));
}

#[test]
fn a_file_is_read_for_the_entry_that_was_asked_for() {
    let text = format!(
        "clouds:\n  c: {{profile: otc, region_name: eu-de, {WHO}}}\n  odd: {{region_name: [a, b]}}\n  \
         bare:\n"
    );
    for path in ["clouds.yaml", "clouds.yml", "clouds.json"] {
        look("c", &[(path, &text)], &[]).expect(path);
    }
    let odd = look("odd", &[("clouds.yaml", &text)], &[]).expect_err("it is odd").to_string();
    assert!(odd.contains("line 3"), "{odd}");
    let bare = look("bare", &[("clouds.yaml", &text)], &[("OS_AUTH_URL", "https://h/v3")]);
    assert!(bare.expect_err("empty").to_string().contains("the entry is empty"));
    let secure = format!("clouds:\n  bare: {{profile: otc, region_name: eu-de, {WHO}}}\n");
    look("bare", &[("clouds.yaml", &text), ("secure.yaml", &secure)], &[]).expect("it is there");
}
