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
