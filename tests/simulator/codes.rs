//! Every code and every shape of the cloud's tables, produced by a fault file and seen over HTTP.

use serde_json::Value;

use refleet::simulator::AnswerShape;

use crate::wire::Cloud;

/// The tables of codes with their HTTP status: status, family, numbers.
const TABLES: &[(u16, &str, &str)] = &[
    (404, "APIGW", "0101"),
    (502, "APIGW", "0201 0202 0610"),
    (504, "APIGW", "0203"),
    (401, "APIGW", "0301 0303 0305 0307"),
    (403, "APIGW", "0302 0306 0310 0802"),
    (429, "APIGW", "0308"),
    (500, "APIGW", "0601 0605 0606 0608"),
    (400, "APIGW", "0602"),
    (503, "APIGW", "0613"),
    (500, "Common", "0001"),
    (400, "Common", "0002 0011 0018 0020 0021 0022 0025 0026 0999"),
    (401, "Common", "0013"),
    (202, "Common", "0024"),
    (429, "Common", "1503"),
    (403, "Pdp", "0001"),
    (400, "Ecs", "0000 0002 0004 0005 0023 0118 0122 0123 0124 0611"),
    (403, "Ecs", "0003 0066 0067 0068 0069 0070 0071 0110"),
    (400, "Ecs", "1000 1001 1002 1100 1200 1201 1300"),
    (404, "Ecs", "0114 0614"),
    (400, "Ecs", "0100 0605 0030 0105 0101 0102 0073 0021 0001 0031 0032 0034 0048 0007 0046"),
    (501, "Ecs", "0603"),
    (400, "Ecs", "0058 0074 0075 0090 0011 0314 0025 0912 0119 0120 0510 0202 0204 0219 0208"),
    (400, "Ecs", "0217 0401 0402 0403 0501 0503 0226 0301 0303 0304 0306 0311 0319"),
    (413, "EVS", "1034 1042 5413"),
    (404, "EVS", "5404"),
    (400, "EVS", "2040 2055 2130 2143"),
    (400, "BackupService", "0001 6113 6114"),
    (400, "IMG", "0001 0024"),
    (400, "KMS", "0205 0209"),
];

/// The code in a body, as the cloud's own SDK looks for it.
fn code_of(body: &Value) -> Option<&str> {
    let mut direct = ["error_code", "errorCode", "code"].into_iter();
    let found = direct.find_map(|key| body[key].as_str());
    found.or_else(|| body.as_object()?.values().filter(|it| it.is_object()).find_map(code_of))
}

#[expect(clippy::expect_used, reason = "an answer of ours is text")]
async fn answered(cloud: &Cloud, script: &str) -> (u16, String) {
    cloud.set_faults(&format!("answers: [{{ operation: list_servers, {script} }}]")).await;
    let answer = cloud.bare("/v1/{p}/cloudservers/detail", Some(&cloud.token)).await;
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

#[tokio::test]
async fn every_code_of_the_tables_can_be_produced() {
    let cloud = Cloud::healthy(1).await;
    for (status, family, numbers) in TABLES {
        for number in numbers.split(' ') {
            let otc = (*family == "APIGW").then(|| format!("APIG.{number}"));
            for code in [Some(format!("{family}.{number}")), otc].into_iter().flatten() {
                let (told, body) = answered(&cloud, &format!("code: {code}")).await;
                let body: Value = serde_json::from_str(&body).expect("JSON");
                assert_eq!((told, code_of(&body)), (*status, Some(code.as_str())), "{body}");
            }
        }
    }
}

#[tokio::test]
async fn every_shape_can_be_produced() {
    let cloud = Cloud::healthy(1).await;
    for shape in AnswerShape::ALL {
        let name = serde_json::to_value(shape).expect("a name");
        let script = format!("code: Ecs.0005, status: 400, message: wrong, shape: {name}");
        let (status, body) = answered(&cloud, &script).await;
        let read: Value = serde_json::from_str(&body).unwrap_or_default();
        let code = read["error"]["code"].as_str();
        let fits = match shape {
            AnswerShape::Service => code == Some("Ecs.0005"),
            AnswerShape::Detailed => read["error"]["details"][0]["code"] == "Ecs.0005",
            AnswerShape::Gateway => {
                read["error_code"] == "Ecs.0005" && !read["request_id"].is_null()
            }
            AnswerShape::Kms => read["error"]["error_code"] == "Ecs.0005",
            AnswerShape::Keystone => {
                read["error"]["code"] == 400 && read["error"]["title"] == "Bad Request"
            }
            AnswerShape::Native => read["badRequest"]["code"] == "400",
            AnswerShape::NativeEvs => read["badrequest"]["message"] == "wrong",
            AnswerShape::Batch => {
                read["internalError"][0]["error_code"] == "Ecs.0005" && code.is_some()
            }
            AnswerShape::Flat => read["code"] == "Ecs.0005",
            AnswerShape::Camel => read["errorCode"] == "Ecs.0005" && read["errorMsg"] == "wrong",
            AnswerShape::Html => body.starts_with("<html>"),
            AnswerShape::Empty => body.is_empty(),
        };
        assert!(fits && status == 400, "{shape:?}: {status} {body}");
    }
}

#[tokio::test]
async fn identity_can_be_scripted_too_and_a_script_ends() {
    let cloud = Cloud::healthy(1).await;
    let script = "answers: [{ operation: issue_token, status: 503, shape: empty, times: 1 }]";
    cloud.set_faults(script).await;
    let password = cloud.account.password.clone();
    assert_eq!(cloud.token_for(&password).await.status(), 503);
    assert_eq!(cloud.token_for(&password).await.status(), 201);
}
