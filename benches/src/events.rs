//! Records of `events.*`.

use event::{Event, Level, Raw, Severity, Timestamp};
use serde_json::{Map, Value, json};

use crate::Random;

/// What kind of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// What the guide's applications log.
    Narrow,
    /// The same, and none of it what a rule of the guide is about.
    Quiet,
    /// The same without the bytes it was read from.
    QuietWithoutRaw,
    /// 25 fields of a new process, as Sysmon tells them.
    Wide,
    /// The same without the bytes it was read from.
    WideWithoutRaw,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Narrow,
        Self::Quiet,
        Self::QuietWithoutRaw,
        Self::Wide,
        Self::WideWithoutRaw,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Quiet => "quiet",
            Self::QuietWithoutRaw => "quiet, no raw",
            Self::Wide => "wide",
            Self::WideWithoutRaw => "wide, no raw",
        }
    }
}

/// The values of `count` records.
pub fn records(shape: Shape, count: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(20_261_125);
    let one = |at| {
        let event = match shape {
            Shape::Narrow => narrow(at, &KINDS, &mut random),
            Shape::Quiet | Shape::QuietWithoutRaw => narrow(at, &QUIET_KINDS, &mut random),
            Shape::Wide | Shape::WideWithoutRaw => wide(at, &mut random),
        };
        let keeps_raw = matches!(shape, Shape::Narrow | Shape::Quiet | Shape::Wide);
        let raw = if keeps_raw { event.raw.clone() } else { Raw::default() };
        Event { raw, ..event }.encode()
    };
    (0..count).map(one).collect()
}

const KINDS: [&str; 16] = [
    "login_failed",
    "login_failed",
    "login_failed",
    "login_success",
    "login_success",
    "data_exported",
    "session_created",
    "session_destroyed",
    "password_changed",
    "permission_denied",
    "rate_limit_exceeded",
    "impossible_travel",
    "role_changed",
    "mfa_enabled",
    "api_key_created",
    "data_accessed",
];
/// Those of which no filter of the guide's rules takes any.
const QUIET_KINDS: [&str; 5] = [
    "session_created",
    "mfa_enabled",
    "api_key_created",
    "data_accessed",
    "permission_denied",
];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64)",
    "curl/8.5.0",
    "python-requests/2.32",
    "okhttp/4.12",
];
const PATHS: [&str; 4] = ["/api/v1/login", "/api/v1/users/42", "/admin/export", "/health"];

fn narrow(at: usize, kinds: &[&str], random: &mut Random) -> Event {
    let kind = random.one_of(kinds);
    let user = format!("user-{}", random.below(100_000));
    let address = format!("203.0.{}.{}", random.below(256), random.below(256));
    let (agent, path) = (random.one_of(&AGENTS), random.one_of(&PATHS));
    let time = Timestamp::from_millis(1_767_571_200_000 + 137 * i64::try_from(at).expect("few events"));
    let role = random.one_of(&["user", "user", "user", "support", "admin"]);
    let body = json!({
        "timestamp": time, "level": "warn", "service": "auth-api", "message": format!("SECURITY: {kind}"),
        "metadata": {
            "security_event": kind, "severity": "medium", "user_id": user, "user_role": role, "source_ip": address,
            "user_agent": agent, "path": path, "request_id": format!("req-{at:08x}"), "duration_ms": random.below(900),
        },
    });
    let mut metadata = Map::new();
    for name in ["path", "request_id", "duration_ms"] {
        metadata.insert(name.to_owned(), body["metadata"][name].clone());
    }
    Event {
        event_id: format!("0198f3c2-7d1e-7aaa-8bbb-{at:012x}"),
        time,
        ingest_time: time,
        tenant: "default".to_owned(),
        service: "auth-api".to_owned(),
        level: Level::Warn,
        message: format!("SECURITY: {kind}"),
        security_event: Some(kind.to_owned()),
        severity: Severity::Medium,
        user_id: Some(user),
        user_role: Some(role.to_owned()),
        source_ip: Some(address),
        user_agent: Some(agent.to_owned()),
        metadata,
        format: "logtide".to_owned(),
        raw: Raw::new(body.to_string().as_bytes()),
        ..Event::default()
    }
}

pub(crate) const PROGRAMS: [&str; 10] = [
    "powershell",
    "cmd",
    "rundll32",
    "svchost",
    "chrome",
    "certutil",
    "wmic",
    "explorer",
    "mshta",
    "notepad",
];
pub(crate) const USERS: [&str; 6] = [
    r"CORP\alice",
    r"CORP\bob",
    r"NT AUTHORITY\SYSTEM",
    r"CORP\svc-backup",
    r"CORP\carol",
    r"CORP\administrator",
];
pub(crate) const ARGUMENTS: [&str; 12] = [
    "-enc SQBFAFgA",
    "-nop -w hidden",
    "/c whoami /all",
    "-urlcache -split -f",
    "process call create",
    "--type=renderer",
    "-k netsvcs",
    "javascript:close",
    "/node:dc01",
    "/s /q C:\\temp",
    "-ExecutionPolicy Bypass",
    "file.txt",
];

fn wide(at: usize, random: &mut Random) -> Event {
    let (program, parent) = (random.one_of(&PROGRAMS), random.one_of(&PROGRAMS));
    let (argument, user) = (random.one_of(&ARGUMENTS), random.one_of(&USERS));
    let time = Timestamp::from_millis(1_767_571_200_000 + 137 * i64::try_from(at).expect("few events"));
    let hash = format!("{:08x}{:08x}", random.below(1 << 30), random.below(1 << 30));
    let fields = json!({
        "EventID": 1 + random.below(20),
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "Computer": format!("ws-{:04}.corp.example", random.below(5000)),
        "UtcTime": time,
        "ProcessGuid": format!("{{B2796A13-618F-5881-0000-0010{at:08X}}}"),
        "ProcessId": 1000 + random.below(60_000),
        "Image": format!(r"C:\Windows\System32\{program}.exe"),
        "FileVersion": "10.0.19041.1 (WinBuild.160101.0800)",
        "Description": "Windows host process",
        "Product": "Microsoft Windows Operating System",
        "Company": "Microsoft Corporation",
        "OriginalFileName": format!("{program}.exe"),
        "CommandLine": format!(r"C:\Windows\System32\{program}.exe {argument}"),
        "CurrentDirectory": r"C:\Windows\system32\",
        "User": user,
        "LogonGuid": format!("{{B2796A13-5C22-5881-0000-0020{at:08X}}}"),
        "LogonId": format!("0x{:x}", random.below(1 << 20)),
        "TerminalSessionId": random.below(4),
        "IntegrityLevel": random.one_of(&["Low", "Medium", "High", "System"]),
        "Hashes": format!("SHA256={hash}{hash}{hash}{hash},IMPHASH={hash}{hash}"),
        "ParentProcessGuid": format!("{{B2796A13-618F-5881-0000-0011{at:08X}}}"),
        "ParentProcessId": 1000 + random.below(60_000),
        "ParentImage": format!(r"C:\Windows\System32\{parent}.exe"),
        "ParentCommandLine": format!(r"{parent}.exe -parent"),
    });
    let Value::Object(metadata) = &fields else {
        unreachable!("it was written as an object");
    };
    Event {
        event_id: format!("0198f3c2-7d1e-7aaa-8bbb-{at:012x}"),
        time,
        ingest_time: time,
        tenant: "default".to_owned(),
        service: "sysmon".to_owned(),
        message: "Process Create".to_owned(),
        metadata: metadata.clone(),
        format: "json".to_owned(),
        raw: Raw::new(fields.to_string().as_bytes()),
        ..Event::default()
    }
}
