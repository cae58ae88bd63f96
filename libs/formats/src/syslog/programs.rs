//! What programs other than sshd say in auth.log: sudo, PAM, and the tools that change accounts.
//!
//! | message | `security_event` | `action` | severity |
//! |---|---|---|---|
//! | `new user: name=…` | `user_created` | | medium |
//! | `delete user '…'` | `user_deleted` | | medium |
//! | `password changed for …` | `password_changed` | | medium |
//! | `add '…' to group '…'` | `role_changed`, `new_role` = the group | | medium |
//! | sudo `… ; COMMAND=…` | | `sudo` | from level |
//! | `session opened for user …`, `… closed …` | | `session_opened`, `session_closed` | from level |
//! | `authentication failure; …` | | `authentication_failure` | from level |
//!
//! Everything else is an access event with its message.

use event::{Level, Severity};

use super::Line;
use crate::Draft;

/// Adds to the draft what its message says.
pub(crate) fn describe(draft: &mut Draft, line: &Line) {
    let message = line.message;
    match line.service() {
        "sudo" if message.contains(" ; COMMAND=") => return sudo(draft, message),
        "useradd" | "userdel" | "usermod" if account(draft, message) => return,
        _ => {}
    }
    pam(draft, message);
}

/// `user : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/su`, with a refusal before `TTY=` where there was one.
fn sudo(draft: &mut Draft, message: &str) {
    let Some((user, rest)) = message.split_once(" : ") else {
        return;
    };
    // The command is the last field, and may hold what looks like others.
    let (head, command) = rest.split_once(" ; COMMAND=").unwrap_or((rest, ""));
    let mut refusal = None;
    for part in head.split(" ; ") {
        match part.split_once('=') {
            Some(("TTY", tty)) => draft.put("tty", tty),
            Some(("PWD", directory)) => draft.put("pwd", directory),
            Some(("USER", user)) => draft.put("target_user", user),
            _ => refusal = refusal.or(Some(part)),
        }
    }
    draft.put("command", command);
    draft.event.user_id = name(user.trim());
    draft.event.action = Some("sudo".to_owned());
    draft.event.success = Some(refusal.is_none());
    draft.event.error_message = refusal.map(str::to_owned);
    if refusal.is_some() {
        draft.level.get_or_insert(Level::Warn);
    }
}

/// What useradd, userdel, usermod and their kin did. Whether it was one of these.
fn account(draft: &mut Draft, message: &str) -> bool {
    let (what, target) = if let Some(rest) = message.strip_prefix("new user: name=") {
        ("user_created", rest.split(',').next())
    } else if let Some(rest) = message.strip_prefix("delete user ") {
        ("user_deleted", in_quotes(rest).map(|(user, _)| user))
    } else if let Some((user, group)) = group_change(message) {
        draft.put("new_role", group);
        ("role_changed", Some(user))
    } else {
        return false;
    };
    secure(draft, what, Severity::Medium);
    draft.event.success = Some(true);
    target.into_iter().for_each(|target| draft.put("target_id", target));
    true
}

/// `add 'user' to group 'group'`; usermod says it of the shadow file too, with another word before `group`.
fn group_change(message: &str) -> Option<(&str, &str)> {
    let (user, rest) = in_quotes(message.strip_prefix("add ")?)?;
    let (group, _) = in_quotes(rest.strip_prefix(" to group ")?)?;
    Some((user, group))
}

fn in_quotes(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('\'')?.split_once('\'')
}

/// `pam_unix(service:kind): …`, and the same words without that.
pub(crate) fn pam(draft: &mut Draft, message: &str) {
    let text = match message.split_once("): ") {
        Some((module, text)) if module.starts_with("pam_") && !module.contains(' ') => text,
        _ => message,
    };
    if let Some(rest) = text.strip_prefix("session opened for user ") {
        session(draft, "session_opened", rest);
    } else if let Some(rest) = text.strip_prefix("session closed for user ") {
        session(draft, "session_closed", rest);
    } else if let Some(rest) = text.strip_prefix("authentication failure; ") {
        failure(draft, rest);
    } else if let Some(rest) = text.strip_prefix("password changed for ") {
        secure(draft, "password_changed", Severity::Medium);
        draft.event.user_id = name(rest);
        draft.event.success = Some(true);
    } else if let Some((count, rest)) = text.strip_prefix("PAM ").and_then(more_failures) {
        draft.put("failures", count);
        failure(draft, rest);
    }
}

fn session(draft: &mut Draft, action: &str, rest: &str) {
    let user = rest.split(" by ").next().unwrap_or_default();
    let user = user.split("(uid=").next().unwrap_or_default();
    draft.event.user_id = name(user.trim_end());
    draft.event.action = Some(action.to_owned());
}

/// Failures that sshd also writes as `Failed …` lines: who and where, and no `security_event`, so that nothing is
/// counted twice.
fn failure(draft: &mut Draft, pairs: &str) {
    draft.event.action = Some("authentication_failure".to_owned());
    draft.event.success = Some(false);
    draft.level.get_or_insert(Level::Warn);
    // `ruser` and `user` are the client's to choose, `rhost` is not: it stands between them.
    let Some((_, rest)) = pairs.split_once("rhost=") else {
        return;
    };
    let (host, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    draft.set_source(host);
    draft.event.user_id = rest.trim_start().strip_prefix("user=").and_then(name);
}

/// `5 more authentication failures; …`
fn more_failures(text: &str) -> Option<(u32, &str)> {
    let (count, rest) = text.split_once(" more authentication failure")?;
    let rest = rest.strip_prefix('s').unwrap_or(rest);
    Some((crate::time::number(count)?, rest.strip_prefix("; ")?))
}

/// Makes it a security event.
pub(crate) fn secure(draft: &mut Draft, what: &str, severity: Severity) {
    draft.event.security_event = Some(what.to_owned());
    draft.severity = Some(severity);
}

/// A name, if there is one: no name is no user, and must not become a group of its own.
pub(crate) fn name(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
