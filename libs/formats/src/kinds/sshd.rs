//! `sshd`: auth.log, that is sshd's lines and those of the programs that share the file.
//!
//! | message | `security_event` | level | severity |
//! |---|---|---|---|
//! | `Failed <method> for [invalid user ]<user> from <address> port <port>` | `login_failed` | warn | medium |
//! | `Invalid user <user> from <address>` | `invalid_user` | warn | low |
//! | `Accepted <method> for <user> from <address> port <port>` | `login_success` | info | low |
//!
//! One failure can be told in five lines: PAM's `authentication failure`, `Failed`, `PAM 5 more authentication
//! failures`, `maximum authentication attempts exceeded`, `Too many authentication failures`. Only `Failed` counts;
//! the others carry who and where and no `security_event`. The user's name is the client's to choose and may hold
//! ` from 10.0.0.1 port 22 ssh2`, so the address is looked for from the end of the line.

use event::{Level, Severity};

use crate::rejection::text;
use crate::syslog::programs::{self, name, pam, secure};
use crate::syslog::{self, Line};
use crate::time::number;
use crate::{Context, Draft, Format, Rejection};

/// Of every line, of sshd's, and of other programs'.
const METADATA: [&str; 14] = [
    "host",
    "pid",
    "program",
    "method",
    "port",
    "key",
    "user_invalid",
    "tty",
    "pwd",
    "target_user",
    "command",
    "new_role",
    "target_id",
    "failures",
];

pub(crate) struct Sshd;

impl Format for Sshd {
    fn name(&self) -> &'static str {
        "sshd"
    }

    fn metadata(&self) -> &'static [&'static str] {
        &METADATA
    }

    fn recognises(&self, record: &[u8]) -> bool {
        syslog::recognises(record)
    }

    fn read(&self, record: &[u8], context: &Context) -> Result<Draft, Rejection> {
        let line = Line::of(text(record)?.trim_ascii_end(), context)?;
        let mut draft = line.draft();
        if line.service() == "sshd" {
            draft.event.session_id = line.pid.map(|pid| pid.to_string());
            sshd(&mut draft, &line)?;
        } else {
            programs::describe(&mut draft, &line);
        }
        Ok(draft)
    }
}

fn sshd(draft: &mut Draft, line: &Line) -> Result<(), Rejection> {
    let message = line.message.strip_suffix(" [preauth]").unwrap_or(line.message);
    if let Some(rest) = message.strip_prefix("Accepted ") {
        if let Some(login) = login(line, rest)? {
            describe_login(draft, &login);
            secure(draft, "login_success", Severity::Low);
            draft.level.get_or_insert(Level::Info);
            draft.event.success = Some(true);
        }
    } else if let Some(rest) = message.strip_prefix("Failed ") {
        if let Some(login) = login(line, rest)? {
            describe_login(draft, &login);
            secure(draft, "login_failed", Severity::Medium);
            draft.level.get_or_insert(Level::Warn);
            draft.event.success = Some(false);
        }
    } else if let Some(rest) = ["Invalid user ", "Illegal user "]
        .iter()
        .find_map(|head| message.strip_prefix(head))
    {
        let (user, peer) = user_and_peer(rest).ok_or_else(|| line.expected(rest, "a user, `from` and an address"))?;
        draft.event.user_id = name(user);
        peer.describe(draft);
        draft.put("user_invalid", true);
        secure(draft, "invalid_user", Severity::Low);
        draft.level.get_or_insert(Level::Warn);
        draft.event.success = Some(false);
    } else {
        pam(draft, message);
        if draft.event.action.is_none() {
            connection(draft, message);
        }
    }
    Ok(())
}

/// What `Failed` and `Accepted` lines say.
struct Login<'a> {
    method: &'a str,
    user: &'a str,
    user_invalid: bool,
    peer: Peer<'a>,
}

/// What clients can log in with, as sshd's authentication methods are named; some have a part after `/`.
const METHODS: [&str; 6] = [
    "password",
    "publickey",
    "none",
    "keyboard-interactive",
    "hostbased",
    "gssapi",
];

/// Reads `password for root from 203.0.113.7 port 22 ssh2`. `None` if it speaks of something else, such as
/// `Failed to release session`.
fn login<'a>(line: &Line, text: &'a str) -> Result<Option<Login<'a>>, Rejection> {
    let (method, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
    let Some(rest) = rest.strip_prefix(" for ") else {
        return match METHODS.iter().any(|known| method.starts_with(known)) {
            true => Err(line.expected(rest, "`for` and a user")),
            false => Ok(None),
        };
    };
    let valid = ["invalid user ", "illegal user "]
        .iter()
        .find_map(|head| rest.strip_prefix(head));
    let found = user_and_peer(valid.unwrap_or(rest));
    let (user, peer) = found.ok_or_else(|| line.expected(rest, "a user, `from`, an address, `port` and a number"))?;
    Ok(Some(Login {
        method,
        user,
        user_invalid: valid.is_some(),
        peer,
    }))
}

fn describe_login(draft: &mut Draft, login: &Login) {
    draft.event.user_id = name(login.user);
    draft.put("method", login.method);
    if login.user_invalid {
        draft.put("user_invalid", true);
    }
    login.peer.describe(draft);
}

/// The other end of a connection.
struct Peer<'a> {
    address: &'a str,
    port: Option<u16>,
    /// The client's key, as sshd names it.
    key: &'a str,
}

impl<'a> Peer<'a> {
    /// `203.0.113.7[ port 4711[ ssh2[: key]]]` and nothing else.
    fn of(text: &'a str) -> Option<Self> {
        let (address, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
        if address.is_empty() || rest.is_empty() {
            return (!address.is_empty()).then_some(Self {
                address,
                port: None,
                key: "",
            });
        }
        let rest = rest.strip_prefix(" port ")?;
        let (port, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
        let port = Some(number(port).filter(|_| !port.is_empty())?);
        let key = match rest.strip_prefix(" ssh2").or_else(|| rest.strip_prefix(" ssh1")) {
            Some(key) if key.is_empty() => key,
            Some(key) => key.strip_prefix(": ")?,
            None if rest.is_empty() => rest,
            None => return None,
        };
        Some(Self { address, port, key })
    }

    fn describe(&self, draft: &mut Draft) {
        draft.set_source(self.address);
        self.port.into_iter().for_each(|port| draft.put("port", port));
        if !self.key.is_empty() {
            draft.put("key", self.key);
        }
    }

    /// Nothing after the port, or a plain key: its kind and its fingerprint.
    fn ends_plainly(&self) -> bool {
        self.key.is_empty() || self.key.split(' ').nth(2).is_none()
    }
}

/// Reads `<user> from <peer>`.
///
/// The last `from` after which all is as sshd writes it is sshd's own, for a user's name comes before it. After a
/// certificate's own text, which its owner chooses too, it is the first.
fn user_and_peer(text: &str) -> Option<(&str, Peer<'_>)> {
    let mut first = None;
    for (at, from) in text.rmatch_indices("from ") {
        let before = &text[..at];
        let Some(user) = before.strip_suffix(' ').or_else(|| before.is_empty().then_some(before)) else {
            continue;
        };
        if let Some(peer) = Peer::of(&text[at + from.len()..]) {
            if peer.ends_plainly() {
                return Some((user, peer));
            }
            first = Some((user, peer));
        }
    }
    first
}

/// What sshd says of a connection, with the words before the address.
const CONNECTION: [&str; 9] = [
    "Connection from ",
    "Connection closed by ",
    "Connection reset by ",
    "Disconnected from ",
    "Received disconnect from ",
    "Did not receive identification string from ",
    "fatal: Unable to negotiate with ",
    "Unable to negotiate with ",
    "error: Received disconnect from ",
];

/// Who and where of the lines that are neither logins nor failures.
fn connection(draft: &mut Draft, message: &str) {
    if let Some(rest) = message.strip_prefix("error: maximum authentication attempts exceeded for ") {
        let valid = rest.strip_prefix("invalid user ");
        if let Some((user, peer)) = user_and_peer(valid.unwrap_or(rest)) {
            draft.event.user_id = name(user);
            peer.describe(draft);
        }
    } else if let Some(rest) = CONNECTION.iter().find_map(|head| message.strip_prefix(head)) {
        let (user, rest) = match ["invalid user ", "authenticating user ", "user "]
            .iter()
            .find_map(|head| rest.strip_prefix(head))
        {
            // `root 203.0.113.7 port 22`
            Some(rest) => rest
                .rmatch_indices(' ')
                .nth(2)
                .map_or(("", rest), |(at, _)| (&rest[..at], &rest[at + 1..])),
            None => ("", rest),
        };
        draft.event.user_id = name(user);
        let address = rest.split(' ').next().unwrap_or_default();
        // `Received disconnect from 203.0.113.7: 11: Bye Bye`
        draft.set_source(address.strip_suffix(':').unwrap_or(address));
    } else if let Some(rest) = message.strip_prefix("Bad protocol version identification ")
        && let Some((_, peer)) = user_and_peer(rest)
    {
        peer.describe(draft);
    }
    if let Some(level) = ["fatal: ", "error: "].iter().position(|head| message.starts_with(head)) {
        draft.level.get_or_insert([Level::Critical, Level::Error][level]);
    }
}

#[cfg(test)]
mod tests;
