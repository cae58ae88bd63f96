use event::{Event, Timestamp};
use serde_json::json;

use crate::{Choice, Context};

fn decode(record: &serde_json::Value) -> Event {
    let context = Context::new("acme", Timestamp::parse("2026-06-01T00:00:00Z").expect("it is a time"));
    let decoded = Choice::Auto.decode(record.to_string().as_bytes(), &context);
    let event = decoded.expect("it is an event").event;
    assert_eq!(event.format, "windows");
    event
}

/// An event of the Security log, as evtx_dump writes it.
fn security(id: u32, data: &serde_json::Value) -> Event {
    decode(&json!({"Event": {
        "#attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"},
        "System": {
            "Provider": {"#attributes": {"Name": "Microsoft-Windows-Security-Auditing", "Guid": "54849625"}},
            "EventID": id, "Level": 0, "Channel": "Security", "Computer": "dc-1.example",
            "TimeCreated": {"#attributes": {"SystemTime": "2026-03-11T05:16:41.816327Z"}},
            "Execution": {"#attributes": {"ProcessID": 852, "ThreadID": 968}},
            "Security": null,
        },
        "EventData": data,
    }}))
}

#[test]
fn evtx_dump_is_laid_flat_under_the_names_of_sigma() {
    let data = json!({"SubjectUserName": "alice", "NewProcessName": "C:\\a.exe", "SubjectLogonId": "0x3e7", "CommandLine": ""});
    let event = security(4688, &data);
    assert_eq!(event.time.to_string(), "2026-03-11T05:16:41.816Z");
    assert_eq!(
        (event.service.as_str(), event.message.as_str()),
        (
            "Microsoft-Windows-Security-Auditing",
            "Microsoft-Windows-Security-Auditing 4688",
        )
    );
    assert_eq!((event.user_id.as_deref(), event.security_event), (Some("alice"), None));
    for (name, value) in [
        ("EventID", json!(4688)),
        ("Channel", json!("Security")),
        ("Provider_Name", json!("Microsoft-Windows-Security-Auditing")),
        ("Execution_ProcessID", json!(852)),
        ("Computer", json!("dc-1.example")),
        ("ComputerName", json!("dc-1.example")),
        ("Image", json!("C:\\a.exe")),
        ("LogonId", json!("0x3e7")),
    ] {
        assert_eq!(event.metadata.get(name), Some(&value), "{name}");
    }
    assert!(!event.metadata.contains_key("ParentImage") && !event.metadata.contains_key("System"));
}

#[test]
fn separate_attributes_and_user_data_and_data_without_names() {
    let event = decode(&json!({"Event": {
        "System": {
            "Provider_attributes": {"Name": "Application Error"}, "EventID": 1000, "EventID_attributes": {"Qualifiers": 0},
            "Level": 2, "Channel": "Application", "TimeCreated_attributes": {"SystemTime": "2026-03-11T05:16:41Z"},
        },
        "EventData": {"#attributes": {"Name": "x"}, "Data": {"#text": ["one", "two"]}, "Channel": "forged"},
    }}));
    assert_eq!(event.metadata["Provider_Name"], "Application Error");
    assert_eq!(event.metadata["Data"], json!(["one", "two"]));
    assert_eq!(event.metadata["Channel"], "Application", "what the system says wins");
    assert_eq!(
        (event.level, event.time.to_string().as_str()),
        (event::Level::Error, "2026-03-11T05:16:41.000Z")
    );
    let event = decode(&json!({"Event": {
        "System": {"EventID": {"#text": 5858, "#attributes": {"Qualifiers": 0}}, "Channel": "c"},
        "UserData": {"Operation_ClientFailure": {"#attributes": {"xmlns": "x"}, "Operation": "Start"}},
    }}));
    assert_eq!(
        (event.metadata["EventID"].clone(), event.metadata["Operation"].clone()),
        (json!(5858), json!("Start"))
    );
    assert!(event.time_suspect, "there is no time");
}

#[test]
fn winlogbeat_has_the_same_names() {
    let event = decode(&json!({
        "@timestamp": "2026-03-11T05:16:41.816Z", "message": "An account failed to log on.", "log": {"level": "information"},
        "host": {"name": "h"},
        "winlog": {
            "channel": "Security", "event_id": "4625", "provider_name": "Microsoft-Windows-Security-Auditing",
            "computer_name": "dc-1", "process": {"pid": 4, "thread": {"id": 5}},
            "event_data": {"TargetUserName": "bob", "IpAddress": "::ffff:203.0.113.9", "LogonType": "3"},
        },
    }));
    assert_eq!(event.message, "An account failed to log on.");
    assert_eq!(event.security_event.as_deref(), Some("login_failed"));
    assert_eq!(
        (event.user_id.as_deref(), event.source_ip.as_deref()),
        (Some("bob"), Some("203.0.113.9"))
    );
    for (name, value) in [
        ("EventID", "4625"),
        ("Channel", "Security"),
        ("Computer", "dc-1"),
        ("LogonType", "3"),
    ] {
        assert_eq!(event.metadata[name], value, "{name}");
    }
    assert_eq!(event.metadata["Execution_ThreadID"], 5);
    assert_eq!(event.metadata["host"]["name"], "h");
}

#[test]
fn what_the_security_log_proves_is_said_and_nothing_else() {
    let said = |id, data| {
        let event = security(id, &data);
        (event.security_event, event.user_id, event.success)
    };
    let some = |text: &str| Some(text.to_owned());
    let logon =
        |kind| json!({"TargetUserName": "bob", "SubjectUserName": "HOST$", "LogonType": kind, "IpAddress": "-"});
    assert_eq!(said(4625, logon(3)), (some("login_failed"), some("bob"), Some(false)));
    assert_eq!(said(4624, logon(10)), (some("login_success"), some("bob"), Some(true)));
    assert_eq!(
        said(4624, logon(5)),
        (None, some("bob"), Some(true)),
        "a service, not a person"
    );
    let member =
        json!({"TargetUserName": "Administrators", "SubjectUserName": "eve", "MemberName": "-", "MemberSid": "S-1"});
    assert_eq!(
        said(4732, member.clone()),
        (some("role_changed"), some("eve"), Some(true))
    );
    let event = security(4732, &member);
    assert_eq!(
        (event.metadata["new_role"].clone(), event.metadata["target_id"].clone()),
        (json!("Administrators"), json!("S-1"))
    );
    assert_eq!(
        said(4720, json!({"TargetUserName": "new", "SubjectUserName": "eve"})),
        (some("user_created"), some("eve"), Some(true))
    );
    assert_eq!(
        said(4625, json!({"TargetUserName": "-"})),
        (some("login_failed"), None, Some(false)),
        "nobody is no user"
    );
    assert_eq!(security(4625, &json!({"IpAddress": "host.example"})).source_ip, None);
}

#[test]
fn what_is_no_event_of_windows_is_left_to_others_or_refused() {
    let context = Context::new("acme", Timestamp::default());
    let format = |text: &str| Choice::Auto.format(text.as_bytes()).map(crate::Format::name);
    assert_eq!(format(r#"{"Event":"login","service":"a"}"#), Some("json"));
    assert_eq!(format(r#"{"winlog":"x"}"#), Some("json"));
    let refused = Choice::Auto.decode(br#"{"Event":{"System":{"Level":4}}}"#, &context);
    assert_eq!(
        refused.expect_err("it says nothing").detail,
        "there is no `EventID` and no `Channel`"
    );
}
