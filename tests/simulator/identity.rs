//! Who may ask: tokens, keys and scopes of the simulated cloud.

use refleet::domain::Millis;
use refleet::simulator::{Faults, WorldSpec};
use serde_json::json;

use super::wire::{Cloud, status_of};

const SERVERS: &str = "/v1/{p}/cloudservers/detail";

#[tokio::test]
async fn a_token_lives_as_long_as_the_world_says_whatever_the_speed() {
    let spec = WorldSpec::from_yaml("servers: [{}]\nknobs: { token_life: 30 }").expect("a world");
    let cloud = Cloud::with(spec, Faults::default(), 60.0).await;
    cloud.pass(Millis(29_999));
    assert_eq!(cloud.bare(SERVERS, Some(&cloud.token)).await.status(), 200);
    cloud.pass(Millis(1));
    let late = cloud.bare(SERVERS, Some(&cloud.token)).await;
    assert_eq!(status_of(late).await, (401, "APIGW.0307".to_owned()));
    let issued = &cloud.get_public("/_refleet/stats").await["requests"]["by_operation"];
    assert_eq!(issued["issue_token"], json!(1));
}

#[tokio::test]
async fn a_revoked_token_is_over_and_others_live_on() {
    let cloud = Cloud::healthy(1).await;
    let other = cloud.token_for(&cloud.account.password).await;
    let other = other.headers().get("x-subject-token").expect("a token").to_str().expect("text");
    let (status, _) = cloud.revoke(&cloud.token, other).await;
    assert_eq!(status, 204);
    assert_eq!(cloud.bare(SERVERS, Some(other)).await.status(), 401);
    assert_eq!(cloud.bare(SERVERS, Some(&cloud.token)).await.status(), 200);
    assert_eq!(cloud.revoke(&cloud.token, other).await.0, 404, "it is not there any more");
}

#[tokio::test]
async fn a_temporary_key_opens_the_cloud_until_it_ends() {
    let cloud = Cloud::healthy(1).await;
    let body = json!({"auth": {"identity": {"methods": ["token"], "token": {
        "duration_seconds": 900}}}});
    let asked = Some(body.to_string());
    let (status, made) = cloud.any("POST", "/v3.0/OS-CREDENTIAL/securitytokens", asked).await;
    assert_eq!(status, 201, "{made}");
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let lent = &made["credential"];
    let try_with = |token: String| {
        let text = |key: &str| lent[key].as_str().expect("text").to_owned();
        let (access, secret) = (text("access"), text("secret"));
        let cloud = &cloud;
        async move { cloud.signed_as((&access, &secret, Some(&token)), SERVERS, 0).await.status() }
    };
    let token = lent["securitytoken"].as_str().expect("text").to_owned();
    assert_eq!(try_with(token.clone()).await, 200);
    assert_eq!(try_with("another".to_owned()).await, 401);
    cloud.pass(Millis::secs(900));
    assert_eq!(try_with(token).await, 401);
}
