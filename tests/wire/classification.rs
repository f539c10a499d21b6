//! What every code of the reference becomes: class, sent again or not, what the operator is told.
//!
//! `codes.txt` lists the codes as the reference has them, `classification.md` says what each becomes,
//! and the two must agree on what there is. Answers go through the client's own reading, in every
//! shape of an error body that can carry a code (`errors-and-limits.md`, section 1).

use std::collections::BTreeSet;

use refleet::domain::{Action, CloudCode, CostClass, Fault, FaultClass, Remedy, RetryKind, advice};
use serde_json::json;

use crate::answers::{reinstall, reply, show, stop};

/// A row of `classification.md`.
struct Row {
    code: &'static str,
    statuses: Vec<u16>,
    classes: [&'static str; 3],
    again: &'static str,
    told: &'static str,
}

/// The table of codes, and that of what comes without one.
fn tables() -> (&'static str, &'static str) {
    include_str!("classification.md").split_once("## Without").expect("two tables")
}

fn rows() -> Vec<Row> {
    let (codes, _) = tables();
    let rows = codes.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [code, http, look, stop, reinstall, again, told] = cells[..] else { panic!("{line}") };
        let statuses = http.split(", ").map(|status| status.parse().expect(line)).collect();
        Row { code, statuses, classes: [look, stop, reinstall], again, told }
    })
    .collect()
}

/// Code, status and the word for "retry", as the reference has them.
fn listed() -> Vec<(&'static str, u16, &'static str)> {
    let lines = include_str!("codes.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [code, status, retry] = words[..] else { panic!("{line}") };
            (code, status.parse().expect(line), retry)
        })
        .collect()
}

/// The shapes that can carry a code of a service: E1, E2, E3, E6, E7, E8, and what is near them.
fn shapes(code: &str) -> Vec<(&'static str, String)> {
    let one = json!({"error": {"code": code, "message": "m", "details": [{"code": "x", "message": "y"}]}});
    let inner = json!([{"id": "s", "error_code": "Ecs.0005", "error_message": "inner"}]);
    let shapes = [
        ("E1", one),
        ("E2", json!({"error_code": code, "error_msg": "m", "request_id": "r"})),
        ("E3", json!({"error": {"error_code": code, "error_msg": "m"}})),
        ("E6", json!({"error": {"code": code, "message": "m"}, "internalError": inner})),
        (
            "E6 without an outer code",
            json!({"internalError": [{"id": "s", "error_code": code, "error_message": "m"}]}),
        ),
        ("E7", json!({"code": code, "message": "m"})),
        ("E8", json!({"errorCode": code, "errorMsg": "m"})),
        ("a sentence above", json!({"message": "m", "error": {"code": code, "message": "m"}})),
        (
            "nulls above",
            json!({"error_code": null, "error_msg": null, "error": {"code": code, "message": "m"}}),
        ),
    ];
    shapes.into_iter().map(|(name, body)| (name, body.to_string())).collect()
}

/// What a look, a stop and a reinstall hear.
fn heard(status: u16, body: &str) -> [Fault; 3] {
    [show("s"), stop(), reinstall()].map(|action: Action| {
        reply(&action, status, body).expect_err("it is not what was asked for")
    })
}

fn class_name(class: FaultClass) -> String {
    let name = serde_json::to_value(class).expect("a class");
    name.as_str().expect("a word").to_owned()
}

/// What is done about it, in the words of the table.
fn again(fault: &Fault) -> String {
    let kind = match fault.class.remedy(CostClass::Mutating) {
        Remedy::Never => return "never".to_owned(),
        Remedy::LookFirst => return "look first".to_owned(),
        Remedy::Retry(RetryKind::Throttled) => "throttled",
        Remedy::Retry(RetryKind::Transient) => "transient",
        Remedy::Retry(RetryKind::Busy) => "busy",
    };
    let wait = fault.retry_after.map(|wait| format!(", {wait} at least"));
    format!("{kind}{}", wait.unwrap_or_default())
}

#[test]
fn every_code_becomes_what_the_table_says_in_every_shape() {
    for row in rows() {
        let apig = row.code.replacen("APIGW.", "APIG.", 1);
        for code in BTreeSet::from([row.code, &apig]) {
            for (shape, body) in shapes(code) {
                for status in &row.statuses {
                    let what = format!("{status} {code} as {shape}");
                    let faults = heard(*status, &body);
                    let classes = faults.each_ref().map(|fault| class_name(fault.class));
                    assert_eq!(classes, row.classes.map(str::to_owned), "{what}");
                    assert_eq!(again(&faults[2]), row.again, "{what}");
                    for fault in faults {
                        assert_eq!((fault.code.as_str(), fault.message.as_str()), (code, "m"));
                        let told = advice(&fault.code, fault.class);
                        assert!(told.contains(row.told), "{what}: {told}");
                    }
                }
            }
        }
    }
}

#[test]
fn no_code_of_the_reference_is_without_a_row() {
    let listed: BTreeSet<(&str, u16)> =
        listed().iter().map(|(code, http, _)| (*code, *http)).collect();
    let rows = rows();
    let shown = rows.iter().flat_map(|row| row.statuses.iter().map(|http| (row.code, *http)));
    assert_eq!(shown.collect::<BTreeSet<_>>(), listed, "rows (left) and listed codes (right)");
    let listed: BTreeSet<&str> = listed.iter().map(|(code, _)| *code).collect();
    let known: BTreeSet<&str> = CloudCode::all().map(|known| known.code).collect();
    assert_eq!(known, listed, "what is known (left) and listed codes (right)");
}

/// The reference's column "Retry" against what is done. Stricter is fine: where it says "later" of
/// a failure inside the cloud, a request that changes something is looked up first.
#[test]
fn what_is_done_about_a_code_is_what_the_reference_advises() {
    use Remedy::{LookFirst, Never, Retry};
    for (code, status, retry) in listed() {
        let body = json!({"error": {"code": code, "message": "m"}}).to_string();
        let [look, _, wipe] = heard(status, &body);
        let looked = look.class.remedy(CostClass::Reading);
        let wiped = wipe.class.remedy(CostClass::Mutating);
        let fits = match retry {
            "no" => (looked, wiped) == (Never, Never),
            "renew" => look.class == FaultClass::Unauthorised && wiped == Never,
            "later" => matches!((looked, wiped), (Retry(_), Retry(_) | LookFirst)),
            "state" => {
                // Looked at again before it is sent again, or looked up as perhaps done.
                matches!(
                    (wipe.class, wiped),
                    (FaultClass::State, Retry(RetryKind::Busy)) | (_, LookFirst)
                )
            }
            "once" => wiped == LookFirst,
            other => panic!("{code}: {other}"),
        };
        assert!(fits, "{status} {code}: {retry}, but {looked:?} and {wiped:?}");
    }
}

/// Without a code that is known, the status decides (section 4): E4, E5, E9, and codes to come.
#[test]
fn without_a_known_code_the_status_decides() {
    let numbered = |status: u16, name: &str| {
        [
            json!({"error": {"code": status, "message": "m", "title": "T"}}).to_string(),
            json!({name: {"message": "m", "code": status.to_string()}}).to_string(),
            json!({name: {"message": "m", "code": status}}).to_string(),
        ]
    };
    let names = [
        "badRequest",
        "badrequest",
        "itemNotFound",
        "forbidden",
        "conflictingRequest",
        "overLimit",
        "computeFault",
    ];
    let rows = tables().1.lines().filter(|line| line.starts_with("| ")).skip(1);
    let unlisted = json!({"error": {"code": "New.9999", "message": "m"}}).to_string();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [statuses, code, look, stop, reinstall] = cells[..] else { panic!("{row}") };
        for status in statuses.split(", ").map(|status| status.parse::<u16>().expect(row)) {
            let pages = ["", "<html><body>502</body></html>", "upstream is gone", "null", "[]"];
            let mut bodies: Vec<String> = pages.map(str::to_owned).to_vec();
            bodies.push(r#"{"error":"#.to_owned());
            bodies.extend(names.iter().flat_map(|name| numbered(status, name)));
            bodies.retain(|_| code != "unlisted");
            bodies.extend((code != "none").then(|| unlisted.clone()));
            for body in bodies {
                let faults = heard(status, &body);
                let classes = faults.each_ref().map(|fault| class_name(fault.class));
                assert_eq!(classes, [look, stop, reinstall].map(str::to_owned), "{status} {body}");
                for fault in faults {
                    let by_status = format!("HTTP {status}");
                    let code = if body == unlisted { "New.9999" } else { &by_status };
                    assert_eq!(fault.code, code, "{body}");
                    assert_eq!(advice(&fault.code, fault.class), fault.class.advice());
                }
            }
        }
    }
}
