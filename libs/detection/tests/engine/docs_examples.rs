//! Every example of `docs/rules.md`, from its text to its alerts: one list of events that fires, and one that does not.

use event::{Event, Level, Severity};
use serde_json::Value;

use crate::driver::{Engine, HOUR, MINUTE, SECOND, event, rules, time};

/// A query of the page, the events on which it fires, and how many alerts these are; and events on which it does not.
///
/// An event is its time, what happened (`-` for nothing) and its fields. Times are from a Monday's midnight in UTC;
/// `x5` repeats it five times; in a text `+` is a space.
struct Example(&'static str, &'static [&'static str], usize, &'static [&'static str]);

const FILTERS: &[Example] = &[
    Example(
        "security_event:login_failed",
        &["0s login_failed"],
        1,
        &["0s login_success", "0s -"],
    ),
    Example(
        "user_agent:*curl*",
        &["0s - user_agent=Curl/8"],
        1,
        &["0s - user_agent=wget", "0s -"],
    ),
    Example(
        "path:/admin/?",
        &["0s - path=/admin/x"],
        1,
        &["0s - path=/admin/", "0s - path=/admin/xy"],
    ),
    Example(
        r#"message:"failed password""#,
        &["0s - message=Failed+password"],
        1,
        &["0s - message=failed+password+for+root"],
    ),
    Example(
        "new_device_login",
        &["0s - tags=new_device_login", "1s - message=a+new_device_login"],
        2,
        &["0s - message=new+device"],
    ),
    Example(
        r#""failed password""#,
        &["0s - message=Failed+password+for+root"],
        1,
        &["0s - message=password+failed"],
    ),
    Example(
        "service:security AND (security_event:login_failed OR security_event:invalid_user) AND NOT source_ip:10.*",
        &["0s invalid_user", "1s login_failed service=security"],
        2,
        &[
            "0s login_failed source_ip=10.1.2.3",
            "0s login_failed source_ip",
            "0s -",
            "0s login_success",
        ],
    ),
    Example(
        "security_event:(login_failed OR invalid_user) AND user_id:(root, admin, postgres)",
        &["0s invalid_user user_id=root"],
        1,
        &["0s invalid_user user_id=alice", "0s login_success user_id=root"],
    ),
    Example(
        "user_agent:(*curl* AND NOT *bot*)",
        &["0s - user_agent=curl"],
        1,
        &["0s - user_agent=curlbot", "0s - user_agent=bot", "0s -"],
    ),
    Example(
        "bytes:[1000 TO 5000] OR bytes:{5000 TO *] OR ratio:{-0.5 TO 0.5}",
        &[
            "0s - bytes=1000",
            "1s - bytes=5001",
            "2s - ratio=0.25",
            "3s - bytes=[1,5000]",
        ],
        4,
        &["0s - bytes=999", "1s - ratio=-0.5", "2s - ratio=0.5", "3s -"],
    ),
    Example(
        "amount:>=10000 AND severity:[medium TO critical]",
        &["0s - amount=10000 severity=critical"],
        1,
        &["0s - amount=9999 severity=high", "0s - amount=10000 severity=low"],
    ),
    Example(
        "source_ip:10.0.0.0/8 OR source_ip:(192.168.0.0/16, 2001:db8::/32) OR metadata.peer:172.16.0.0/12",
        &[
            "0s - source_ip=10.9.9.9",
            "1s - source_ip=2001:db8::7",
            "2s - peer=172.31.0.1",
            "3s - peer=::ffff:172.16.0.1",
        ],
        4,
        &[
            "0s - source_ip=11.0.0.1",
            "1s - source_ip=2001:db9::7",
            "2s - peer=172.32.0.1",
            "3s - peer=host",
        ],
    ),
    Example(
        r"path:/^\/v[0-9]+\/(admin|root)/",
        &["0s - path=/v2/admin/users"],
        1,
        &["0s - path=/v/admin", "0s - path=/x/v2/admin", "0s - path=/V2/admin"],
    ),
    Example(
        "mfa_method:* AND NOT session_id:*",
        &["0s - mfa_method=totp"],
        1,
        &["0s -", "0s - mfa_method=totp session_id=s"],
    ),
];

const CONDITIONS: &[Example] = &[
    Example(
        r#"security_event:role_changed | where metadata.new_role = "admin""#,
        &["0s role_changed new_role=admin"],
        1,
        &["0s role_changed new_role=Admin", "0s role_changed"],
    ),
    Example(
        r#"security_event:transfer | where amount >= 10000 AND currency in (EUR, "USD")"#,
        &["0s transfer amount=10000 currency=USD"],
        1,
        &[
            "0s transfer amount=10000 currency=CHF",
            "0s transfer amount=9999.5 currency=EUR",
            "0s transfer amount=much currency=EUR",
        ],
    ),
    Example(
        "security_event:login_success | where severity >= high",
        &["0s login_success severity=high", "1s login_success severity=critical"],
        2,
        &["0s login_success severity=medium"],
    ),
    Example(
        r#"security_event:login_success | where user_role like "adm*" AND NOT session_id exists"#,
        &["0s login_success user_role=Administrator"],
        1,
        &["0s login_success user_role=admin session_id=s", "0s login_success"],
    ),
    Example(
        r#"security_event:api_call | where path ~ "^/v[0-9]+/admin" AND user_agent !~ "(?i)health.?check""#,
        &["0s api_call path=/v1/admin user_agent=curl"],
        1,
        &[
            "0s api_call path=/v1/admin user_agent=HealthCheck",
            "0s api_call path=/v1/admin",
            "0s api_call path=/admin user_agent=curl",
        ],
    ),
    Example(
        "security_event:login_success | where source_ip not in (10.0.0.0/8, 2001:db8::/32, 203.0.113.9)",
        &["0s login_success source_ip=203.0.113.8"],
        1,
        &[
            "0s login_success source_ip=203.0.113.9",
            "0s login_success source_ip=10.0.0.1",
            "0s login_success source_ip",
        ],
    ),
    Example(
        "security_event:role_changed | where user_id != field(target_id)",
        &["0s role_changed user_id=alice target_id=bob"],
        1,
        &[
            "0s role_changed user_id=alice target_id=Alice",
            "0s role_changed user_id=alice",
        ],
    ),
    Example(
        "security_event:transfer | where amount > field(limit) OR attempts <= 1",
        &["0s transfer amount=11 limit=9", "1s transfer attempts=1"],
        2,
        &[
            "0s transfer amount=9 limit=11",
            "1s transfer amount=9",
            "2s transfer attempts=2",
        ],
    ),
    Example(
        "security_event:login_success | where weekday in (sat, sun) OR hour < 7",
        &["5d login_success", "419m login_success"],
        2,
        &["7h login_success", "119h login_success"],
    ),
    Example(
        r#"security_event:login_success | where hour in timezone "Europe/Berlin" >= 22 OR weekday in timezone Asia/Tokyo in (sat, sun)"#,
        &["21h login_success", "111h login_success"],
        2,
        &["20h login_success", "110h login_success"],
    ),
    Example(
        r#"security_event:login_success | where user_role = "admin" | where success = true"#,
        &["0s login_success user_role=admin success=true"],
        1,
        &[
            "0s login_success user_role=admin success=false",
            "0s login_success user_role=admin",
        ],
    ),
    Example(
        r#"security_event:role_changed | where NOT user_role = "admin" OR user_role not exists"#,
        &["0s role_changed", "1s role_changed user_role=clerk"],
        2,
        &["0s role_changed user_role=admin"],
    ),
];

const AGGREGATES: &[Example] = &[
    Example(
        "security_event:login_failed | window 5m | group by source_ip | count > 10",
        &["0s login_failed x10", "5m login_failed"],
        1,
        &[
            "0s login_failed x10",
            "1s login_failed source_ip=10.0.0.1",
            "301s login_failed",
        ],
    ),
    Example(
        "security_event:login_failed | window 1h | group by source_ip, user_id | count >= 20 | keep_alive 4h",
        &["0s login_failed user_id=a x20", "3h login_failed user_id=a x20"],
        1,
        &[
            "0s login_failed user_id=a x19",
            "1s login_failed user_id=b x19",
            "2s login_failed user_id x20",
        ],
    ),
    Example(
        "security_event:api_error | window 1m | count > 1000",
        &["0s api_error x1000 source_ip", "60s api_error"],
        1,
        &["0s api_error x1000", "60001ms api_error"],
    ),
    Example(
        "security_event:login_failed | window 10m | group by source_ip | count_distinct(user_id) >= 5",
        &[
            "0s login_failed user_id=a",
            "1s login_failed user_id=b",
            "2s login_failed user_id=c",
            "3s login_failed user_id=d",
            "10m login_failed user_id=e",
        ],
        1,
        &[
            "0s login_failed user_id=a x9",
            "1s login_failed user_id=b",
            "2s login_failed user_id=c",
            "3s login_failed user_id=d",
            "4s login_failed user_id",
        ],
    ),
    Example(
        "security_event:login_success | window 1d tumbling | group by user_id | count_distinct(source_ip, user_agent) > 20",
        &[
            "0h login_success user_agent=a",
            "1h login_success user_agent=b",
            "2h login_success user_agent=c",
            "3h login_success user_agent=d",
            "4h login_success user_agent=e",
            "5h login_success user_agent=f",
            "6h login_success user_agent=g",
            "7h login_success user_agent=h",
            "8h login_success user_agent=i",
            "9h login_success user_agent=j",
            "10h login_success user_agent=k",
            "11h login_success user_agent=l",
            "12h login_success user_agent=m",
            "13h login_success user_agent=n",
            "14h login_success user_agent=o",
            "15h login_success user_agent=p",
            "16h login_success user_agent=q",
            "17h login_success user_agent=r",
            "18h login_success user_agent=s",
            "19h login_success user_agent=t",
            "20h login_success user_agent=t source_ip=10.0.0.1",
        ],
        1,
        &[
            "4h login_success user_agent=a",
            "5h login_success user_agent=b",
            "6h login_success user_agent=c",
            "7h login_success user_agent=d",
            "8h login_success user_agent=e",
            "9h login_success user_agent=f",
            "10h login_success user_agent=g",
            "11h login_success user_agent=h",
            "12h login_success user_agent=i",
            "13h login_success user_agent=j",
            "14h login_success user_agent=k",
            "15h login_success user_agent=l",
            "16h login_success user_agent=m",
            "17h login_success user_agent=n",
            "18h login_success user_agent=o",
            "19h login_success user_agent=p",
            "20h login_success user_agent=q",
            "21h login_success user_agent=r",
            "22h login_success user_agent=s",
            "23h login_success user_agent=t",
            "24h login_success user_agent=u",
        ],
    ),
    Example(
        "security_event:data_exported | window 1h every 5m | group by user_id | sum(bytes) > 1000000000",
        &[
            "4m data_exported bytes=600000000",
            "59m data_exported bytes=\"400000001\"",
        ],
        1,
        &[
            "4m data_exported bytes=600000000",
            "60m data_exported bytes=600000000",
            "61m data_exported bytes=-5",
        ],
    ),
    Example(
        "security_event:heartbeat | window 5m | group by host | count < 3 | grace 1m",
        &["0s heartbeat host=a", "5m heartbeat host=a"],
        1,
        &[
            "0s heartbeat host=a",
            "1m heartbeat host=a",
            "5m heartbeat host=a",
            "6m heartbeat",
        ],
    ),
    Example(
        "security_event:backup_done | window 1d tumbling | group by host | count != 1",
        &["1h backup_done host=a", "23h backup_done host=a"],
        1,
        &[
            "23h backup_done host=a",
            "24h backup_done host=a",
            "23h backup_done host=b",
        ],
    ),
    Example(
        "security_event:api_call | session gap 30m max 24h | group by session_id | count > 5000",
        &["0m api_call session_id=s x2500", "30m api_call session_id=s x2501"],
        1,
        &[
            "0m api_call session_id=s x2500",
            "30m api_call session_id=s x2500",
            "61m api_call session_id=s x2500",
        ],
    ),
    Example(
        "security_event:api_call | window 10m | group by service | avg(duration_ms) >= 250.5",
        &["0s api_call duration_ms=100 x3", "10m api_call duration_ms=702 x1"],
        1,
        &["0s api_call duration_ms=100 x3", "10m api_call duration_ms=701 x1"],
    ),
    Example(
        "security_event:api_call | window 10m | group by service | percentile(duration_ms, 99.9) > 2000",
        &["0s api_call duration_ms=10 x998", "1s api_call duration_ms=2001 x2"],
        1,
        &["0s api_call duration_ms=10 x999", "1s api_call duration_ms=2001"],
    ),
    Example(
        "security_event:transfer | session gap 1h max 7d | group by user_id | max(amount) > 10000 | lateness 2h",
        &[
            "0h transfer amount=1",
            "1h transfer amount=10001",
            "2h transfer amount=2",
        ],
        1,
        &["0h transfer amount=10000", "1h transfer amount=much"],
    ),
    Example(
        "security_event:risk_scored | window 1h | group by user_id | min(score) <= -3",
        &["0h risk_scored score=5", "1h risk_scored score=-3"],
        1,
        &["0h risk_scored score=-2.5", "1h risk_scored"],
    ),
];

const PAIRS: &[Example] = &[
    Example(
        "security_event:login_success | join (security_event:password_reset_requested) on user_id within 24h",
        &["0h login_success", "24h password_reset_requested"],
        1,
        &[
            "0h login_success",
            "1h password_reset_requested user_id=bob",
            "2h login_success user_id",
            "86401s password_reset_requested",
        ],
    ),
    Example(
        "security_event:login_success | join (security_event:password_reset_requested) before on user_id | within 24h",
        &["0h password_reset_requested", "24h login_success"],
        1,
        &["0h login_success", "1h password_reset_requested"],
    ),
    Example(
        "security_event:login_success | join (security_event:data_exported | where rows > 1000) then on user_id, session_id within 1h",
        &[
            "0h login_success session_id=s",
            "1h data_exported session_id=s rows=1001",
        ],
        1,
        &[
            "0m data_exported session_id=s rows=1001",
            "1m login_success session_id=s",
            "2m data_exported session_id=s rows=1000",
            "3m data_exported session_id=t rows=1001",
        ],
    ),
    Example(
        "security_event:role_changed | join (security_event:login_success) after on target_id = user_id within 7d",
        &[
            "0d role_changed target_id=bob user_id=alice",
            "7d login_success user_id=bob",
        ],
        1,
        &[
            "0d role_changed target_id=bob user_id=alice",
            "1d login_success user_id=alice",
            "2d role_changed user_id=alice",
        ],
    ),
    Example(
        "security_event:login_success | without (security_event:mfa_success) on user_id within 10m",
        &[
            "0m mfa_success",
            "1m login_success",
            "2m mfa_success user_id=bob",
            "661001ms mfa_success",
        ],
        1,
        &["1m login_success", "11m mfa_success", "12m login_success user_id"],
    ),
    Example(
        "security_event:role_changed | without (security_event:change_approved | where approved = true) before on target_id = user_id within 7d",
        &[
            "0h change_approved user_id=bob approved=false",
            "1h role_changed target_id=bob",
            "2h change_approved user_id=bob approved=true",
        ],
        1,
        &[
            "0d change_approved user_id=bob approved=true",
            "7d role_changed target_id=bob",
        ],
    ),
    Example(
        "security_event:badge_in | without (security_event:badge_out) around on user_id within 12h",
        &["0s badge_in", "43201s badge_out"],
        1,
        &[
            "0h badge_out",
            "12h badge_in",
            "20h badge_in user_id=bob",
            "32h badge_out user_id=bob",
        ],
    ),
    Example(
        "service:backup AND security_event:backup_started | without (security_event:backup_done) after within 6h | grace 5m",
        &["0h backup_started service=backup", "7h backup_done"],
        1,
        &[
            "0h backup_started service=backup",
            "6h backup_done user_id source_ip",
            "7h backup_started",
        ],
    ),
];

const SEQUENCES: &[Example] = &[
    Example(
        "sequence (security_event:login_failed | count >= 5) then (security_event:login_success) by user_id within 1h",
        &["0m login_failed x4", "1m login_failed", "1h login_success"],
        1,
        &[
            "0m login_failed x4",
            "1m login_success",
            "2m login_failed",
            "3m login_success user_id=bob",
        ],
    ),
    Example(
        "sequence (security_event:role_changed) then (security_event:data_exported | where rows > 1000) then (security_event:user_deleted) by target_id = user_id = user_id within 1d",
        &[
            "0h role_changed target_id=bob",
            "1h data_exported user_id=bob rows=2000",
            "24h user_deleted user_id=bob",
        ],
        1,
        &[
            "0h role_changed target_id=bob",
            "1h user_deleted user_id=bob",
            "2h data_exported user_id=bob rows=2000",
            "3h user_deleted user_id=alice",
        ],
    ),
    Example(
        "sequence (security_event:mfa_disabled) and (security_event:password_changed) and (new_device_login) by user_id | within 1h",
        &["0m - tags=new_device_login", "30m password_changed", "60m mfa_disabled"],
        1,
        &[
            "0m - tags=new_device_login",
            "30m password_changed",
            "3601s mfa_disabled",
        ],
    ),
    Example(
        "service:vpn | sequence (security_event:login_failed | count > 20) then (security_event:login_success) by source_ip, user_id within 30m",
        &["0m login_failed service=vpn x21", "30m login_success service=vpn"],
        1,
        &[
            "0m login_failed service=vpn x20",
            "1m login_failed",
            "2m login_success service=vpn",
            "3m login_failed service=vpn",
            "4m login_success",
        ],
    ),
];

const OTHERS: &[Example] = &[
    Example(
        "security_event:login_success | new value of country by user_id within 30d",
        &[
            "0d login_success country=DE",
            "1d login_success country=FR",
            "2d login_success country=DE",
        ],
        1,
        &[
            "0d login_success country=DE",
            "1d login_success country=DE",
            "2d login_success",
            "3d login_success country=FR user_id=bob",
        ],
    ),
    Example(
        "security_event:process_started | new value of image by host, user_id within 14d | suppress 20d",
        &[
            "0d process_started host=h image=a",
            "1d process_started host=h image=b",
            "14d process_started host=h image=c",
            "28d process_started host=h image=d",
        ],
        1,
        &[
            "0d process_started host=h image=a",
            "15d process_started host=h image=b",
            "16d process_started host=i image=c",
        ],
    ),
    Example(
        "security_event:disk_full | group by host | suppress 1h",
        &[
            "0m disk_full host=a",
            "60m disk_full host=a",
            "120m disk_full host=a",
            "180001s disk_full host=a",
            "0m disk_full host=b",
        ],
        3,
        &["0m disk_full"],
    ),
    Example(
        "security_event:login_failed | window 5m | group by source_ip | count > 10 | suppress 4h",
        &["0m login_failed x11", "240m login_failed x11", "481m login_failed x11"],
        2,
        &["0m login_failed x10"],
    ),
    Example(
        "security_event:login_failed | window 5m | group by source_ip | count > 10 | every_match",
        &["0s login_failed x11", "1s login_failed", "2s login_failed"],
        3,
        &["0s login_failed x10"],
    ),
];

const ALL: [&[Example]; 6] = [FILTERS, CONDITIONS, AGGREGATES, PAIRS, SEQUENCES, OTHERS];

/// Rules over the alerts of other rules, which this driver of one level does not feed.
const OF_ALERTS: [&str; 2] = [
    "alert:guide_brute_force AND severity:high",
    "sequence (alert:guide_brute_force) then (security_event:login_success) by source_ip within 1h",
];

/// Monday, 2026-01-05T00:00:00Z.
const MONDAY: i64 = 1_767_571_200_000;

fn alerts(query: &str, events: &[&str]) -> usize {
    let mut engine = Engine::with(&rules(&[query]));
    let mut events: Vec<Event> = (0..).zip(events).map(|(at, words)| worded(at, words)).collect();
    events.sort_by_key(|event| event.time);
    for event in events {
        let arrival = event.time.as_millis();
        engine.send([event]);
        engine.tick(arrival);
    }
    engine.tick(MONDAY + 10_000 * HOUR);
    engine.last_words().len()
}

fn worded(at: usize, words: &str) -> Event {
    let mut words = words.split(' ');
    let happened = MONDAY + span(words.next().unwrap());
    let kind = words.next().unwrap();
    let mut event = event(&format!("event-{at}"), kind, happened);
    if kind == "-" {
        event.security_event = None;
    }
    for word in words {
        match (word.split_once('='), word.strip_prefix('x')) {
            (Some((name, value)), _) => set(&mut event, name, Some(value.replace('+', " "))),
            (None, Some(times)) => event.repeat = times.parse().unwrap(),
            (None, None) => set(&mut event, word, None),
        }
    }
    event
}

fn span(text: &str) -> i64 {
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let millis = match unit {
        "ms" => 1,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => 24 * HOUR,
        _ => panic!("{text} is no span"),
    };
    text[..text.len() - unit.len()].parse::<i64>().unwrap() * millis
}

/// Without a value, the event has no such field.
fn set(event: &mut Event, name: &str, value: Option<String>) {
    match (name, value) {
        ("user_id", value) => event.user_id = value,
        ("source_ip", value) => event.source_ip = value,
        ("user_role", value) => event.user_role = value,
        ("user_agent", value) => event.user_agent = value,
        ("session_id", value) => event.session_id = value,
        ("success", value) => event.success = value.map(|value| value == "true"),
        ("tags", value) => event.tags = value.into_iter().collect(),
        ("service", value) => event.service = value.unwrap(),
        ("message", value) => event.message = value.unwrap(),
        ("severity", value) => event.severity = value.unwrap().parse::<Severity>().unwrap(),
        ("level", value) => event.level = value.unwrap().parse::<Level>().unwrap(),
        (name, value) => {
            let value = value.unwrap();
            let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
            event.metadata.insert(name.to_owned(), value);
        }
    }
}

fn check(examples: &[Example]) {
    for Example(query, firing, expected, silent) in examples {
        assert_eq!(alerts(query, firing), *expected, "{query} on {firing:#?}");
        assert_eq!(alerts(query, silent), 0, "{query} on {silent:#?}");
    }
}

#[test]
fn filters_do_as_the_page_says() {
    check(FILTERS);
}

#[test]
fn conditions_do_as_the_page_says() {
    check(CONDITIONS);
}

#[test]
fn aggregates_do_as_the_page_says() {
    check(AGGREGATES);
}

#[test]
fn joins_and_absences_do_as_the_page_says() {
    check(PAIRS);
}

#[test]
fn sequences_do_as_the_page_says() {
    check(SEQUENCES);
}

#[test]
fn new_values_and_suppression_do_as_the_page_says() {
    check(OTHERS);
}

#[test]
fn every_example_of_the_page_is_here() {
    let page = include_str!("../../../../docs/rules.md");
    let blocks = page
        .split("```query\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let of_page: Vec<&str> = blocks.flat_map(str::lines).collect();
    let here: Vec<&str> = ALL
        .iter()
        .copied()
        .flatten()
        .map(|Example(query, ..)| *query)
        .chain(OF_ALERTS)
        .collect();
    assert!(of_page.len() > 50, "the page has its examples in blocks of ```query");
    for query in &of_page {
        assert!(here.contains(query), "{query} has no events here");
    }
    for query in &here {
        assert!(of_page.contains(query), "{query} is not on the page");
    }
    assert!(time(MONDAY).to_string().starts_with("2026-01-05T00:00:00"));
}
