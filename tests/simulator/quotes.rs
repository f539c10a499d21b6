//! A cloud that quotes what it was sent.

use refleet::domain::Millis;
use refleet::simulator::{Faults, WorldSpec};
use serde_json::json;

use super::wire::Cloud;

async fn cloud(faults: &str) -> Cloud {
    let cloud = Cloud::with(WorldSpec::healthy(2), Faults::default(), 1.0).await;
    cloud.set_faults(faults).await;
    cloud
}

/// The job of a reinstall that fails, told by the cloud.
async fn failed(cloud: &Cloud) -> serde_json::Value {
    let id = cloud.stopped(0).await;
    let job = cloud.reinstall(&id).await;
    cloud.pass(Millis::mins(10));
    cloud.get(&format!("/v1/{{p}}/jobs/{job}")).await
}

#[tokio::test]
async fn a_refusal_holds_headers_and_body_in_its_sentence_and_often_in_its_code() {
    let cloud = cloud("quotes: 1.0").await;
    let body = json!({"os-stop": {"type": "ODD", "secret": "hunter2", "servers": []}});
    let mut codes = 0;
    for _ in 0..20 {
        let (status, refused) = cloud.try_post("/v1/{p}/cloudservers/action", &body).await;
        assert_eq!(status, 400);
        let text = |key: &str| refused["error"][key].as_str().expect(key).to_owned();
        let (code, message) = (text("code"), text("message"));
        for quoted in [&body.to_string(), &cloud.token, &"x-auth-token".to_owned()] {
            assert!(message.contains(quoted), "{quoted} is not in {message}");
        }
        assert!(code.starts_with("Ecs.0005"), "{code}");
        codes += usize::from(code.contains("hunter2") && code.contains(&cloud.token));
    }
    assert!((1..20).contains(&codes), "{codes}");
}

#[tokio::test]
async fn a_job_that_fails_holds_the_request_that_began_it_and_nothing_else_is_another() {
    let plain = failed(&cloud("job_failure: 1.0").await).await;
    let quoting = cloud("{ job_failure: 1.0, quotes: 1.0 }").await;
    let mut quoted = failed(&quoting).await;
    let reason = quoted["fail_reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("\"os-reinstall\"") && reason.contains(&quoting.token), "{reason}");
    let usual = plain["fail_reason"].as_str().expect("a reason");
    assert!(reason.starts_with(usual), "{reason}");
    quoted["fail_reason"] = plain["fail_reason"].clone();
    assert_eq!(quoted, plain);
}
