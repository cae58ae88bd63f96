//! `windows`: events of Windows as JSON, as evtx_dump (`{"Event": {"System": …, "EventData": …}}`, with or without
//! separate attributes) and Winlogbeat (`{"winlog": {…}}`) write them.
//!
//! What `System` and `EventData` (or `UserData`) hold becomes metadata, flat, under the names that Sigma rules use:
//! `EventID`, `Channel`, `Provider_Name`, `Computer` (and `ComputerName`), `Execution_ProcessID`, …, and every field of
//! `EventData` under its own. What `System` says wins over a field of the same name. Of a process creation of the
//! Security log (4688) `Image`, `ParentImage` and `LogonId` are there as well, as Sysmon names them.
//!
//! | Security log | `security_event` | `user_id` | severity |
//! |---|---|---|---|
//! | 4625 | `login_failed` | `TargetUserName` | medium |
//! | 4624, by a person (types 2, 3, 7, 8, 10, 11) | `login_success` | `TargetUserName` | low |
//! | 4720, 4726 | `user_created`, `user_deleted` | `SubjectUserName` | medium |
//! | 4728, 4732, 4756 | `role_changed`, `new_role` = the group | `SubjectUserName` | medium |
//!
//! Everything else is an access event; its user is `User` (Sysmon), else `SubjectUserName`. `IpAddress` is `source_ip`.

use event::{Level, Reason, Severity, normalise_ip};
use serde_json::{Map, Value};

use crate::json::{members, object, start};
use crate::syslog::programs::secure;
use crate::time::Moment;
use crate::{Context, Draft, Format, Rejection};

pub(crate) struct Windows;

/// How XML attributes are written beside an element's fields, and how its text.
const ATTRIBUTES: &str = "#attributes";
const TEXT: &str = "#text";
/// What `--separate-json-attributes` appends to an element's name.
const SEPARATE: &str = "_attributes";

impl Format for Windows {
    fn name(&self) -> &'static str {
        "windows"
    }

    fn metadata(&self) -> &'static [&'static str] {
        &[]
    }

    fn recognises(&self, record: &[u8]) -> bool {
        members(record, start(record)).any(|(name, value)| match name {
            b"Event" => members(value, 0).any(|(name, _)| name == b"System"),
            b"winlog" => value.starts_with(b"{"),
            _ => false,
        })
    }

    fn read(&self, record: &[u8], context: &Context) -> Result<Draft, Rejection> {
        let mut fields = object(record, context)?;
        let mut read = Fields::default();
        if let Some(Value::Object(event)) = fields.shift_remove("Event") {
            read.of_event(event);
        } else if let Some(Value::Object(winlog)) = fields.shift_remove("winlog") {
            read.of_winlog(winlog, fields);
        } else {
            let detail = "there is no object `Event` or `winlog`";
            return Err(Rejection::new(Reason::Invalid, detail));
        }
        if read.text("EventID").is_none() && read.text("Channel").is_none() {
            let detail = "there is no `EventID` and no `Channel`";
            return Err(Rejection::new(Reason::Invalid, detail));
        }
        Ok(read.draft(context))
    }
}

/// The fields of an event, flat.
#[derive(Default)]
struct Fields {
    flat: Map<String, Value>,
    time: Option<Value>,
    message: Option<String>,
    level: Option<Level>,
}

impl Fields {
    /// evtx_dump's form.
    fn of_event(&mut self, event: Map<String, Value>) {
        let mut system = Map::new();
        for (name, value) in event {
            match (name.as_str(), value) {
                ("System", Value::Object(fields)) => system = fields,
                ("EventData", Value::Object(fields)) => self.data(fields),
                // One element, named after the event, holds the fields.
                ("UserData", Value::Object(elements)) => {
                    for (_, element) in elements {
                        if let Value::Object(fields) = element {
                            self.data(fields);
                        }
                    }
                }
                _ => {}
            }
        }
        for (name, value) in system {
            self.element(&name, value);
        }
        let time = self.flat.shift_remove("TimeCreated_SystemTime");
        self.time = time;
        let level = self.flat.get("Level").and_then(Value::as_u64);
        self.level = level.and_then(|level| match level {
            1 => Some(Level::Critical),
            2 => Some(Level::Error),
            3 => Some(Level::Warn),
            0 | 4 => Some(Level::Info),
            5 => Some(Level::Debug),
            _ => None,
        });
    }

    /// What the program that wrote the event says.
    fn data(&mut self, fields: Map<String, Value>) {
        for (name, value) in fields {
            if name == ATTRIBUTES || name.ends_with(SEPARATE) {
                continue;
            }
            // Data without names: one text, or a list of them.
            let text = value.get(TEXT).cloned();
            self.flat.insert(name, text.unwrap_or(value));
        }
    }

    /// An element of `System`: its text under its name, each attribute behind an underscore.
    fn element(&mut self, name: &str, value: Value) {
        let bare = name.strip_suffix(SEPARATE);
        match value {
            Value::Null => {}
            Value::Object(fields) => {
                for (inner, value) in fields {
                    match (inner.as_str(), value) {
                        (ATTRIBUTES, Value::Object(attributes)) => {
                            for (attribute, value) in attributes {
                                self.flat.insert(format!("{name}_{attribute}"), value);
                            }
                        }
                        (TEXT, value) => {
                            self.flat.insert(name.to_owned(), value);
                        }
                        (inner, value) => {
                            let element = bare.unwrap_or(name);
                            self.flat.insert(format!("{element}_{inner}"), value);
                        }
                    }
                }
            }
            value @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                self.flat.insert(name.to_owned(), value);
            }
        }
    }

    /// Winlogbeat's form; what stands beside `winlog` is kept as it is.
    fn of_winlog(&mut self, mut winlog: Map<String, Value>, mut beside: Map<String, Value>) {
        self.time = beside.shift_remove("@timestamp");
        if let Some(Value::String(message)) = beside.shift_remove("message") {
            self.message = Some(message);
        }
        let said = beside
            .get("log")
            .and_then(|log| log.get("level"))
            .and_then(Value::as_str);
        self.level = said.and_then(|level| match level {
            "critical" => Some(Level::Critical),
            "error" => Some(Level::Error),
            "warning" => Some(Level::Warn),
            "information" => Some(Level::Info),
            "verbose" => Some(Level::Debug),
            _ => None,
        });
        self.flat = beside;
        for data in ["event_data", "user_data"] {
            if let Some(Value::Object(fields)) = winlog.shift_remove(data) {
                self.data(fields);
            }
        }
        let paths: [(&str, &[&str]); 11] = [
            ("Channel", &["channel"]),
            ("EventID", &["event_id"]),
            ("Provider_Name", &["provider_name"]),
            ("Provider_Guid", &["provider_guid"]),
            ("Computer", &["computer_name"]),
            ("EventRecordID", &["record_id"]),
            ("Version", &["version"]),
            ("Task", &["task"]),
            ("Execution_ProcessID", &["process", "pid"]),
            ("Execution_ThreadID", &["process", "thread", "id"]),
            ("Security_UserID", &["user", "identifier"]),
        ];
        for (name, path) in paths {
            let (first, rest) = path.split_first().expect("no path is empty");
            let value = rest
                .iter()
                .try_fold(winlog.get(*first), |value, part| Some(value?.get(*part)));
            if let Some(Some(value)) = value {
                self.flat.insert(name.to_owned(), value.clone());
            }
        }
    }

    /// A value as text; `-` is how Windows writes nothing.
    fn text(&self, name: &str) -> Option<String> {
        let text = match self.flat.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        (!matches!(text.as_str(), "" | "-")).then_some(text)
    }

    fn draft(mut self, context: &Context) -> Draft {
        let provider = self.text("Provider_Name");
        let id = self.text("EventID").unwrap_or_default();
        let service = context.service.or(provider.as_deref()).unwrap_or("windows");
        let mut draft = Draft::new(service);
        draft.moment = self
            .time
            .take()
            .map_or(Moment::Absent, |time| Moment::of_value(&time, &context.zone));
        draft.level = self.level;
        let message = self.message.take();
        draft.event.message = message.unwrap_or_else(|| format!("{} {id}", provider.as_deref().unwrap_or("event")));
        let is_security = self.text("Channel").as_deref() == Some("Security");
        if is_security && id == "4688" {
            for (theirs, ours) in [
                ("NewProcessName", "Image"),
                ("ParentProcessName", "ParentImage"),
                ("SubjectLogonId", "LogonId"),
            ] {
                self.also(theirs, ours);
            }
        }
        self.also("Computer", "ComputerName");
        let address = self.text("IpAddress").filter(|address| normalise_ip(address).is_some());
        draft.event.source_ip = address;
        draft.event.user_id = self.text("User").or_else(|| self.text("SubjectUserName"));
        if is_security {
            self.describe(&id, &mut draft);
        }
        draft.event.metadata.extend(self.flat);
        draft
    }

    /// The same value under another name, if that is free.
    fn also(&mut self, from: &str, to: &str) {
        if let (Some(value), false) = (self.flat.get(from), self.flat.contains_key(to)) {
            self.flat.insert(to.to_owned(), value.clone());
        }
    }

    /// What the Security log says beyond doubt.
    fn describe(&self, id: &str, draft: &mut Draft) {
        let target = self.text("TargetUserName");
        let by_a_person = || {
            matches!(
                self.text("LogonType").as_deref(),
                Some("2" | "3" | "7" | "8" | "10" | "11")
            )
        };
        match id {
            "4625" => {
                secure(draft, "login_failed", Severity::Medium);
                draft.event.success = Some(false);
                draft.event.user_id = target;
            }
            "4624" => {
                if by_a_person() {
                    secure(draft, "login_success", Severity::Low);
                }
                draft.event.success = Some(true);
                draft.event.user_id = target;
            }
            "4720" | "4726" => {
                let what = if id == "4720" { "user_created" } else { "user_deleted" };
                secure(draft, what, Severity::Medium);
                draft.event.success = Some(true);
                target.into_iter().for_each(|target| draft.put("target_id", target));
            }
            "4728" | "4732" | "4756" => {
                secure(draft, "role_changed", Severity::Medium);
                draft.event.success = Some(true);
                target.into_iter().for_each(|group| draft.put("new_role", group));
                let member = self.text("MemberName").or_else(|| self.text("MemberSid"));
                member.into_iter().for_each(|member| draft.put("target_id", member));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
