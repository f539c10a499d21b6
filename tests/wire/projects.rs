//! Which project is meant: not said, not there, there twice, or elsewhere.

use std::sync::Arc;

use http::Method;
use refleet::cloud::huawei::HuaweiCloud;
use serde_json::{Value, json};

use crate::scripted::{KEYS, Net, PASSWORD, connect, is_login, refused, say, token};

/// A cloud with these projects, which gives a token for those of them that are asked for by name.
fn with_projects(projects: &[(&str, &str)]) -> Arc<Net> {
    let all: Vec<Value> = projects
        .iter()
        .map(|(id, name)| json!({"id": id, "name": name, "domain_id": "d1"}))
        .collect();
    Net::new(move |request| match request.uri().path() {
        _ if is_login(request) && request.method() == Method::POST => {
            let body: Value = serde_json::from_slice(request.body()).expect("JSON");
            let project = &body["auth"]["scope"]["project"];
            let found =
                all.iter().find(|one| one["name"] == project["name"] || one["id"] == project["id"]);
            let mut answer = token(if project.is_null() { "UNSCOPED" } else { "T" })?;
            let mut body: Value = serde_json::from_slice(answer.body()).expect("JSON");
            match found {
                Some(found) => body["token"]["project"] = found.clone(),
                None if project.is_null() => body["token"]["project"] = json!(null),
                None => return say(401, &json!({"error": {"message": "No such project."}})),
            }
            *answer.body_mut() = body.to_string().into();
            Ok(answer)
        }
        "/v3/auth/projects" | "/v3/projects" => say(200, &json!({"projects": all})),
        "/v3/auth/catalog" => say(200, &json!({"catalog": []})),
        _ => say(200, &json!({"credential": {"user_id": "u7"}})),
    })
}

const THERE: &[(&str, &str)] = &[("p1", "eu-de"), ("p2", "eu-de_test"), ("p3", "eu-nl_prod")];

fn named(text: &str, project: &str) -> String {
    let own = if text.contains("eu-de_prod") {
        "project_name: eu-de_prod"
    } else {
        "project_name: eu-de"
    };
    text.replace(own, project)
}

#[tokio::test]
async fn a_project_that_is_not_there_is_told_with_those_that_are() {
    for text in [PASSWORD, KEYS] {
        let wrong = refused(&named(text, "project_name: eu-de_tset"), &with_projects(THERE)).await;
        assert_eq!(
            wrong,
            "find project \"eu-de_tset\": this user may use eu-de, eu-de_test, eu-nl_prod; did you \
             mean \"eu-de_test\"?"
        );
        let wrong = refused(&named(text, "project_id: p9"), &with_projects(&[])).await;
        assert_eq!(wrong, "find project \"p9\": this user may use none");
    }
}

#[tokio::test]
async fn a_long_list_of_projects_is_cut() {
    let names: Vec<String> = (0..20).map(|n| format!("eu-de_{n:02}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (&name[..], &name[..])).collect();
    let wrong = refused(KEYS, &with_projects(&many)).await;
    assert!(wrong.contains("eu-de_00, ") && wrong.contains("eu-de_11 and 8 more"), "{wrong}");
}

#[tokio::test]
async fn without_a_project_and_a_region_there_is_a_choice_to_make() {
    for text in [PASSWORD, KEYS] {
        let text = named(text, "unused: x").replace("region_name: eu-de,", "");
        let wrong = refused(&text, &with_projects(THERE)).await;
        assert_eq!(
            wrong,
            "choose a project: set project_name or project_id; this user may use eu-de, \
             eu-de_test, eu-nl_prod"
        );
    }
}

#[tokio::test]
async fn a_name_that_two_projects_have_needs_an_id() {
    let net = with_projects(&[("b", "eu-de_prod"), ("a", "eu-de_prod")]);
    assert_eq!(
        refused(KEYS, &net).await,
        "find project \"eu-de_prod\": more than one has that name, so set project_id: a, b"
    );
    let similar = refused(KEYS, &with_projects(&[("a", "eu-de_production")])).await;
    assert!(similar.contains("find project \"eu-de_prod\""), "{similar}");
}

#[tokio::test]
async fn a_project_of_another_region_is_refused() {
    let keys = KEYS.replace("{c: {", "{c: {region_name: eu-de, ");
    for text in [PASSWORD, &keys] {
        let wrong = refused(&named(text, "project_name: eu-nl_prod"), &with_projects(THERE)).await;
        assert!(
            wrong.starts_with(
                "use project \"eu-nl_prod\" in region eu-de: it is one of region eu-nl, so set \
                 region_name: eu-nl or another project"
            ),
            "{wrong}"
        );
    }
    let region = |cloud: &HuaweiCloud| cloud.identity().region.clone();
    let net = with_projects(THERE);
    let main = connect(&named(&keys, "unused: x"), &net).await.expect("the region's main project");
    assert_eq!((region(&main).as_str(), main.identity().project_id.as_str()), ("eu-de", "p1"));
    let free = with_projects(&[("p4", "billing-tests")]);
    let free = connect(&named(&keys, "project_name: billing-tests"), &free).await;
    assert_eq!(region(&free.expect("a name that says no region")), "eu-de");
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again_to_list_projects() {
    let net =
        Net::new(|_| say(401, &json!({"error": {"code": 401, "message": "Wrong password."}})));
    let wrong = refused(PASSWORD, &net).await;
    assert!(wrong.contains("look at username, password"), "{wrong}");
    assert_eq!(net.seen().len(), 1);
}

#[tokio::test]
async fn a_token_from_outside_must_be_of_the_project_that_is_configured() {
    let theirs = |project: Value| {
        Net::new(move |request| {
            if request.uri().path() == "/v3/auth/projects" {
                return say(200, &json!({"projects": [{"id": "p1", "name": "eu-de"}]}));
            }
            let mut answer = token("THEIRS")?;
            let mut body: Value = serde_json::from_slice(answer.body()).expect("JSON");
            body["token"]["project"] = project.clone();
            *answer.body_mut() = body.to_string().into();
            *answer.status_mut() = http::StatusCode::OK;
            Ok(answer)
        })
    };
    let text = PASSWORD.replace("password: hush", "token: THEIRS").replace("username: ops,", "");
    assert_eq!(
        refused(&text, &theirs(json!(null))).await,
        "use the token: it is not for a project, so no server can be seen with it; this user may \
         use eu-de"
    );
    assert_eq!(
        refused(&text, &theirs(json!({"id": "p2", "name": "eu-de_test"}))).await,
        "use the token: it is for project eu-de_test, and \"eu-de\" is configured"
    );
}
