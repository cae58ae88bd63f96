#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use event::{Reason, Timestamp};
use serde_json::{Value, json};

use crate::{Choice, Context, Decoded, Rejection};

fn decode(line: &str) -> Result<Decoded, Rejection> {
    let ingest_time = Timestamp::parse("2017-03-30T00:00:00Z").unwrap();
    let choice: Choice = "sshd".parse().unwrap();
    choice.decode(line.as_bytes(), &Context::new("default", ingest_time))
}

/// What `message` of `program` (with or without a pid) becomes, without what every line has.
fn event_of(program: &str, message: &str) -> Value {
    let event = decode(&format!("Mar 27 13:06:56 web-1 {program}: {message}"))
        .unwrap()
        .event;
    let mut value = serde_json::to_value(event).unwrap();
    let fields = value.as_object_mut().unwrap();
    for (name, expected) in [
        ("schema_version", json!(1)),
        ("event_id", json!("")),
        ("time", json!("2017-03-27T13:06:56.000Z")),
        ("tenant", json!("default")),
        ("format", json!("sshd")),
    ] {
        assert_eq!(fields.remove(name), Some(expected), "{name}");
    }
    fields.remove("ingest_time");
    fields.remove("raw");
    let metadata = fields["metadata"].as_object_mut().unwrap();
    assert_eq!(metadata.remove("host"), Some(json!("web-1")));
    value
}

fn sshd(message: &str) -> Value {
    let mut value = event_of("sshd[17]", message);
    let fields = value.as_object_mut().unwrap();
    assert_eq!(
        (fields.remove("service"), fields.remove("session_id")),
        (Some(json!("sshd")), Some(json!("17")))
    );
    assert_eq!(
        fields["metadata"].as_object_mut().unwrap().remove("pid"),
        Some(json!(17))
    );
    value
}

/// `Failed {what} from 203.0.113.7 port 22 …` is a failure of `user` (none if empty) by `method` with `key`.
fn check_failure(message: &str, user: &str, method: &str, key: &str) {
    let event = sshd(message);
    let mut metadata = json!({"method": method, "port": 22});
    if message.contains(" for invalid user ") || message.contains(" for illegal user ") {
        metadata["user_invalid"] = json!(true);
    }
    if !key.is_empty() {
        metadata["key"] = json!(key);
    }
    let mut expected = json!({
        "level": "warn", "message": message, "security_event": "login_failed", "severity": "medium",
        "source_ip": "203.0.113.7", "success": false, "metadata": metadata,
    });
    if !user.is_empty() {
        expected["user_id"] = json!(user);
    }
    assert_eq!(event, expected, "{message}");
}

const PEER: &str = "from 203.0.113.7 port 22 ssh2";

#[test]
fn failures() {
    for (who, user) in [
        ("password for root", "root"),
        ("password for invalid user admin", "admin"),
        ("password for illegal user admin", "admin"),
        ("password for invalid user ", ""),
        ("password for invalid user a b from c", "a b from c"),
        ("password for invalid user from", "from"),
        (
            "password for invalid user x from 10.0.0.1 port 1 ssh2",
            "x from 10.0.0.1 port 1 ssh2",
        ),
        ("password for invalid user x from 10.0.0.1", "x from 10.0.0.1"),
        ("none for invalid user a", "a"),
        ("keyboard-interactive/pam for root", "root"),
    ] {
        let method = who.split(' ').next().unwrap();
        check_failure(&format!("Failed {who} {PEER}"), user, method, "");
    }
    check_failure(
        "Failed password for root from 203.0.113.7 port 22",
        "root",
        "password",
        "",
    );
}

#[test]
fn failures_with_a_key() {
    for (user, key) in [
        ("root", "RSA SHA256:abc"),
        ("x from 10.0.0.1 port 1 ssh2: RSA y", "RSA SHA256:abc"),
        (
            "root",
            "RSA-CERT ID x from 10.0.0.1 port 1 ssh2: (serial 0) CA RSA SHA256:abc",
        ),
    ] {
        check_failure(
            &format!("Failed publickey for {user} {PEER}: {key}"),
            user,
            "publickey",
            key,
        );
    }
}

#[test]
fn a_repeated_failure_is_one_event_of_its_weight() {
    let inner = format!("Failed password for root {PEER}");
    let mut expected = sshd(&inner);
    expected["repeat"] = json!(5);
    assert_eq!(sshd(&format!("message repeated 5 times: [ {inner}]")), expected);
}

#[test]
fn what_is_told_again_counts_nothing() {
    let cases = [
        (
            "PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user=root",
            json!("root"),
        ),
        (
            "PAM 1 more authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7 ",
            json!(null),
        ),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser=x rhost=203.0.113.7  user=a b",
            json!("a b"),
        ),
        (
            "error: maximum authentication attempts exceeded for root from 203.0.113.7 port 22 ssh2 [preauth]",
            json!("root"),
        ),
        (
            "error: maximum authentication attempts exceeded for invalid user a from 203.0.113.7 port 22 ssh2 [preauth]",
            json!("a"),
        ),
        (
            "Connection closed by authenticating user a b 203.0.113.7 port 22 [preauth]",
            json!("a b"),
        ),
        ("Connection closed by 203.0.113.7 port 22 [preauth]", json!(null)),
        (
            "Received disconnect from 203.0.113.7 port 22:11: Bye Bye [preauth]",
            json!(null),
        ),
        ("Received disconnect from 203.0.113.7: 11: Bye Bye", json!(null)),
        (
            "Bad protocol version identification 'x from 10.0.0.1 port 1' from 203.0.113.7 port 22",
            json!(null),
        ),
    ];
    for (message, user) in &cases {
        let event = sshd(message);
        let found = (&event["security_event"], &event["source_ip"], &event["user_id"]);
        assert_eq!(found, (&Value::Null, &json!("203.0.113.7"), user), "{message}");
    }
    assert_eq!(sshd(cases[0].0)["metadata"]["failures"], 5);
    for message in [
        "input_userauth_request: invalid user a [preauth]",
        "Failed to release session: Interrupted system call",
        "Disconnecting: Too many authentication failures [preauth]",
        "PAM service(sshd) ignoring max retries; 6 > 3",
        "Accepted the challenge",
        "",
    ] {
        let event = sshd(message);
        assert_eq!(
            (&event["security_event"], &event["source_ip"]),
            (&Value::Null, &Value::Null),
            "{message}"
        );
    }
}

#[test]
fn logins_and_unknown_users() {
    let message = "Accepted publickey for alice from 203.0.113.7 port 22 ssh2: RSA SHA256:abc";
    let expected = json!({
        "level": "info", "message": message, "security_event": "login_success", "severity": "low", "user_id": "alice",
        "source_ip": "203.0.113.7", "success": true, "metadata": {"method": "publickey", "port": 22, "key": "RSA SHA256:abc"},
    });
    assert_eq!(sshd(message), expected);
    for (message, user, port) in [
        ("Invalid user admin from 203.0.113.7", json!("admin"), Value::Null),
        (
            "Invalid user a from b from 203.0.113.7 port 22",
            json!("a from b"),
            json!(22),
        ),
        ("Invalid user  from 203.0.113.7", Value::Null, Value::Null),
        ("Illegal user admin from 203.0.113.7", json!("admin"), Value::Null),
    ] {
        let event = sshd(message);
        assert_eq!(event["security_event"], "invalid_user", "{message}");
        let found = (
            &event["severity"],
            &event["source_ip"],
            &event["user_id"],
            &event["metadata"]["port"],
        );
        assert_eq!(found, (&json!("low"), &json!("203.0.113.7"), &user, &port), "{message}");
    }
}

#[test]
fn a_host_name_is_no_address() {
    let event = sshd("Failed password for root from host.example port 22 ssh2");
    assert_eq!(
        (&event["source_ip"], &event["metadata"]["source_host"]),
        (&Value::Null, &json!("host.example"))
    );
    let old = event_of(
        "sshd(pam_unix)[17]",
        "authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=host.example user=root",
    );
    assert_eq!(
        (&old["service"], &old["metadata"]["program"]),
        (&json!("sshd"), &json!("sshd(pam_unix)"))
    );
    assert_eq!(
        (&old["security_event"], &old["user_id"]),
        (&Value::Null, &json!("root"))
    );
    assert_eq!(old["metadata"]["source_host"], "host.example");
    assert_eq!(
        event_of("sshd-session[17]", "x")["service"],
        "sshd",
        "OpenSSH 9.8 and later"
    );
}

#[test]
fn a_login_line_cut_off_is_no_other_line() {
    for (message, column, expected) in [
        (
            "Failed password for root from 203.0.113.7 po",
            53,
            "a user, `from`, an address, `port` and a number",
        ),
        (
            "Failed password for root from 203.0.113.7 port 99999 ssh2",
            53,
            "a user, `from`, an address, `port` and a number",
        ),
        (
            "Failed password for root",
            53,
            "a user, `from`, an address, `port` and a number",
        ),
        ("Failed password", 48, "`for` and a user"),
        ("Accepted publickey f", 51, "`for` and a user"),
        ("Invalid user admin", 46, "a user, `from` and an address"),
    ] {
        let rejection = decode(&format!("Mar 27 13:06:56 web-1 sshd[17]: {message}")).unwrap_err();
        assert_eq!(rejection.reason, Reason::Malformed);
        assert_eq!(
            rejection.detail,
            format!("column {column}: expected {expected}"),
            "{message}"
        );
        assert_eq!(rejection.format, Some("sshd"));
    }
}

#[test]
fn sudo() {
    let sudo = "  alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/bin/sh -c a ; USER=b ; COMMAND=c";
    let command = "/bin/sh -c a ; USER=b ; COMMAND=c";
    let expected = json!({
        "service": "sudo", "level": "info", "severity": "low", "message": sudo, "user_id": "alice", "action": "sudo",
        "success": true, "metadata": {"tty": "pts/0", "pwd": "/home/alice", "target_user": "root", "command": command},
    });
    assert_eq!(event_of("sudo", sudo), expected);
    let refused = event_of(
        "sudo",
        "bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/su",
    );
    let found = (&refused["success"], &refused["error_message"], &refused["level"]);
    assert_eq!(found, (&json!(false), &json!("user NOT in sudoers"), &json!("warn")));
}

#[test]
fn sessions() {
    for (program, message, user, action) in [
        (
            "CRON[4]",
            "pam_unix(cron:session): session opened for user root by (uid=0)",
            "root",
            "session_opened",
        ),
        (
            "sshd[4]",
            "pam_unix(sshd:session): session opened for user u(uid=7) by (uid=0)",
            "u",
            "session_opened",
        ),
        (
            "sudo",
            "pam_unix(sudo:session): session closed for user root",
            "root",
            "session_closed",
        ),
    ] {
        let event = event_of(program, message);
        assert_eq!(
            (&event["user_id"], &event["action"]),
            (&json!(user), &json!(action)),
            "{message}"
        );
        assert_eq!(event["security_event"], Value::Null);
    }
}

#[test]
fn accounts() {
    for (program, message, expected) in [
        (
            "useradd[1]",
            "new user: name=eve, UID=1001, GID=1001, home=/home/eve",
            "user_created eve -",
        ),
        ("userdel[1]", "delete user 'eve'", "user_deleted eve -"),
        ("usermod[1]", "add 'eve' to group 'sudo'", "role_changed eve sudo"),
        ("usermod[1]", "add 'eve' to shadow group 'sudo'", "- - -"),
        ("useradd[1]", "failed adding user 'eve', data deleted", "- - -"),
        ("sshd[1]", "new user: name=eve", "- - -"),
        (
            "chpasswd[1]",
            "pam_unix(chpasswd:chauthtok): password changed for eve",
            "password_changed - -",
        ),
    ] {
        let event = event_of(program, message);
        let metadata = &event["metadata"];
        let found = [&event["security_event"], &metadata["target_id"], &metadata["new_role"]];
        assert_eq!(
            found.map(|value| value.as_str().unwrap_or("-")).join(" "),
            expected,
            "{message}"
        );
    }
    let changed = event_of("chpasswd[1]", "pam_unix(chpasswd:chauthtok): password changed for eve");
    assert_eq!(changed["user_id"], "eve");
}
