//! The frame of a syslog line as daemons write it to a file: `[<PRI>]time host program[pid]: message`.
//!
//! The time is RFC 3164's `Mar 27 13:06:56`, without year and zone, or RFC 3339. `message repeated N times: [ … ]`
//! is unwrapped: the line stands for N events of the inner message, beside the one line that was written before it.

pub(crate) mod programs;

use event::{Level, Reason};
use jiff::civil::Time;

use crate::time::{self, Moment, number};
use crate::{Context, Draft, Rejection, Zone};

/// One line, cut into its parts.
pub(crate) struct Line<'a> {
    pub(crate) whole: &'a str,
    pub(crate) level: Option<Level>,
    pub(crate) moment: Moment,
    pub(crate) host: &'a str,
    /// As it is written, without the pid. Empty where the line names none.
    pub(crate) program: &'a str,
    pub(crate) pid: Option<u32>,
    /// How many events it stands for, at least 1.
    pub(crate) repeat: u32,
    pub(crate) message: &'a str,
}

/// Whether the bytes begin as a syslog line does.
pub(crate) fn recognises(record: &[u8]) -> bool {
    // A time is never longer than 64 bytes.
    let head = &record[..record.len().min(64)];
    let head = std::str::from_utf8(head)
        .unwrap_or_else(|error| std::str::from_utf8(&head[..error.valid_up_to()]).expect("it is valid up to there"));
    priority(head)
        .and_then(|(_, rest)| Stamp::of(rest, &Zone::default()))
        .is_some_and(|(_, rest)| !rest.is_empty())
}

impl<'a> Line<'a> {
    pub(crate) fn of(whole: &'a str, context: &Context) -> Result<Self, Rejection> {
        let expected = |rest: &str, what: &str| Rejection::at(whole, rest, what);
        let (level, rest) = priority(whole).ok_or_else(|| expected(whole, "a priority between <0> and <191>"))?;
        let (stamp, after) = Stamp::of(rest, &context.zone)
            .ok_or_else(|| expected(rest, "a time such as Mar 27 13:06:56 or RFC 3339"))?;
        let moment = stamp.moment(context).ok_or_else(|| {
            let detail = format!("`{}` is no day of the year", &rest[..rest.len() - after.len()]);
            Rejection::new(Reason::Invalid, detail)
        })?;
        let host = after.strip_prefix(' ').and_then(|rest| rest.split_once(' '));
        let (host, rest) = host
            .filter(|(host, _)| !host.is_empty())
            .ok_or_else(|| expected(after, "a host name and a message"))?;
        let (program, pid, message) = tag(rest).unwrap_or(("", None, rest));
        let (repeat, message) =
            repeated(message).ok_or_else(|| expected(message, "how often the message was repeated"))?;
        Ok(Self {
            whole,
            level,
            moment,
            host,
            program,
            pid,
            repeat,
            message,
        })
    }

    /// The part of the program's name that rules go by: `sshd` for `sshd(pam_unix)`, `sshd-session` and `sshd-auth`.
    pub(crate) fn service(&self) -> &'a str {
        let name = self.program.split('(').next().unwrap_or_default();
        match name {
            "" => "syslog",
            "sshd-session" | "sshd-auth" => "sshd",
            name => name,
        }
    }

    /// The event that every line is, whatever program wrote it.
    pub(crate) fn draft(&self) -> Draft {
        let mut draft = Draft::new(self.service());
        draft.moment = self.moment;
        draft.level = self.level;
        draft.event.message = self.message.to_owned();
        draft.event.repeat = self.repeat;
        draft.put("host", self.host);
        self.pid.into_iter().for_each(|pid| draft.put("pid", pid));
        if !self.program.is_empty() && self.program != self.service() {
            draft.put("program", self.program);
        }
        draft
    }

    /// A message of a known kind that is not as that kind is written; `rest` is what stands from there on.
    pub(crate) fn expected(&self, rest: &str, what: &str) -> Rejection {
        Rejection::at(self.whole, rest, what)
    }
}

/// The level of `<PRI>`, if there is one.
fn priority(line: &str) -> Option<(Option<Level>, &str)> {
    let Some(rest) = line.strip_prefix('<') else {
        return Some((None, line));
    };
    let (digits, rest) = rest.split_once('>')?;
    let priority: u8 = number(digits).filter(|priority| *priority <= 191)?;
    let level = match priority % 8 {
        0..=2 => Level::Critical,
        3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        _ => Level::Debug,
    };
    Some((Some(level), rest))
}

enum Stamp {
    WithoutYear { month: i8, day: i8, clock: Time },
    Whole(Moment),
}

impl Stamp {
    fn of<'t>(text: &'t str, zone: &Zone) -> Option<(Self, &'t str)> {
        let (word, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
        let Some(month) = time::month(word) else {
            let moment = Moment::of_text(word, zone);
            let rfc3339 = word.as_bytes().get(10) == Some(&b'T') && matches!(moment, Moment::At { .. });
            return rfc3339.then_some((Self::Whole(moment), rest));
        };
        let (day, rest) = rest.trim_start().split_once(' ')?;
        let day = number(day).filter(|day| (1..=31).contains(day))?;
        let (clock, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
        Some((
            Self::WithoutYear {
                month,
                day,
                clock: time::clock(clock)?,
            },
            rest,
        ))
    }

    fn moment(&self, context: &Context) -> Option<Moment> {
        match *self {
            Self::Whole(moment) => Some(moment),
            Self::WithoutYear { month, day, clock } => {
                let time = time::without_year(month, day, clock, context)?;
                Some(Moment::At { time, fine: false })
            }
        }
    }
}

/// Program, pid and message of `program[pid]: message`.
fn tag(text: &str) -> Option<(&str, Option<u32>, &str)> {
    let end = text
        .find(": ")
        .or_else(|| text.ends_with(':').then(|| text.len() - 1))?;
    let tag = &text[..end];
    let message = text[end + 1..].strip_prefix(' ').unwrap_or_default();
    if tag.is_empty() || tag.contains(' ') {
        return None;
    }
    let pid = tag.strip_suffix(']').and_then(|tag| tag.rsplit_once('['));
    match pid.and_then(|(program, digits)| Some((program, number(digits)?))) {
        Some((program, pid)) => Some((program, Some(pid), message)),
        None => Some((tag, None, message)),
    }
}

/// The inner message of `message repeated N times: [ … ]` and N; every other message once. `None` if N cannot be.
fn repeated(message: &str) -> Option<(u32, &str)> {
    let Some((count, inner)) = message
        .strip_prefix("message repeated ")
        .and_then(|rest| rest.split_once(" times: ["))
    else {
        return Some((1, message));
    };
    let count = number(count).filter(|count| *count > 0)?;
    let inner = inner.strip_suffix(']').unwrap_or(inner);
    Some((count, inner.strip_prefix(' ').unwrap_or(inner)))
}

#[cfg(test)]
mod tests;
