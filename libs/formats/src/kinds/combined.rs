//! `combined`: the access logs of nginx and Apache, combined or common, with or without a leading virtual host.
//!
//! `[vhost[:port] ]address ident user [time] "request" status bytes[ "referer" "agent"[ anything]]`. The line does
//! not say which server wrote it: `service` is `nginx` unless the context names it. Status 429 is
//! `rate_limit_exceeded`; every other line is an access event without a `security_event`. Level: status 500 and more
//! error, 400 and more warn; severity follows from it.

use event::Level;

use crate::rejection::text;
use crate::time::{Moment, number, of_access_log};
use crate::unescape::unescape;
use crate::{Context, Draft, Format, Rejection};

const METADATA: [&str; 10] = [
    "status_code",
    "method",
    "path",
    "query",
    "protocol",
    "bytes",
    "referer",
    "vhost",
    "ident",
    "extra",
];

pub(crate) struct Combined;

impl Format for Combined {
    fn name(&self) -> &'static str {
        "combined"
    }

    fn metadata(&self) -> &'static [&'static str] {
        &METADATA
    }

    fn recognises(&self, record: &[u8]) -> bool {
        let request = first_quote(record).unwrap_or(record.len());
        let stamp = memchr::memrchr(b'[', &record[..request]).map_or(&[][..], |at| &record[at..]);
        // `[17/May/2015:`
        stamp.get(3) == Some(&b'/') && stamp.get(7) == Some(&b'/') && stamp.get(12) == Some(&b':')
    }

    fn read(&self, record: &[u8], context: &Context) -> Result<Draft, Rejection> {
        let line = text(record)?.trim_ascii();
        let fields = Fields::of(line)?;
        let mut draft = Draft::new(context.service.unwrap_or("nginx"));
        draft.moment = Moment::At {
            time: fields.time,
            fine: false,
        };
        draft.set_source(fields.who.address);
        draft.event.message = fields.request.to_owned();
        draft.event.user_id = said(fields.who.user).map(|user| unescape(user).into_owned());
        draft.event.user_agent = said(fields.agent).map(|agent| unescape(agent).into_owned());
        draft.event.success = Some(fields.status < 400);
        draft.level = Some(match fields.status {
            500.. => Level::Error,
            400.. => Level::Warn,
            _ => Level::Info,
        });
        if fields.status == 429 {
            draft.event.security_event = Some("rate_limit_exceeded".to_owned());
        }
        describe(&mut draft, &fields);
        Ok(draft)
    }
}

/// What has no field of its own.
fn describe(draft: &mut Draft, fields: &Fields) {
    draft.put("status_code", fields.status);
    if let Some(request) = Request::of(fields.request) {
        let (path, query) = match request.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (request.target, None),
        };
        draft.put("method", request.method);
        draft.put("path", unescape(path));
        query.into_iter().for_each(|query| draft.put("query", unescape(query)));
        request
            .protocol
            .into_iter()
            .for_each(|protocol| draft.put("protocol", protocol));
    }
    fields.bytes.into_iter().for_each(|bytes| draft.put("bytes", bytes));
    let texts = [
        ("referer", fields.referer),
        ("vhost", fields.who.vhost),
        ("ident", fields.who.ident),
        ("extra", fields.extra),
    ];
    for (name, text) in texts {
        said(text).into_iter().for_each(|text| draft.put(name, unescape(text)));
    }
}

/// `-` is how both servers write nothing.
fn said(field: &str) -> Option<&str> {
    Some(field).filter(|field| !matches!(*field, "" | "-"))
}

struct Fields<'a> {
    who: Who<'a>,
    time: event::Timestamp,
    request: &'a str,
    status: u16,
    bytes: Option<u64>,
    referer: &'a str,
    agent: &'a str,
    extra: &'a str,
}

impl<'a> Fields<'a> {
    fn of(line: &'a str) -> Result<Self, Rejection> {
        let expected = |rest: &str, what: &str| Rejection::at(line, rest, what);
        // Both servers escape quotes, so the first is that of the request, whatever a user's name holds.
        let quote = first_quote(line.as_bytes()).ok_or_else(|| expected("", "a quoted request"))?;
        let (head, rest) = line.split_at(quote);
        let before = head.strip_suffix("] ").and_then(|head| head.rsplit_once('['));
        let (who, stamp) = before.ok_or_else(|| expected(rest, "a time in brackets before the request"))?;
        let time = of_access_log(stamp);
        let time = time.ok_or_else(|| expected(&line[who.len() + 1..], "a time such as 17/May/2015:10:05:03 +0000"))?;
        let who = Who::of(who).ok_or_else(|| expected(line, "address, identity and user"))?;
        let (request, rest) = quoted(rest).ok_or_else(|| expected(rest, "a request that ends with a quote"))?;
        let (status, after) = word(rest);
        let status = Some(status)
            .filter(|status| status.len() == 3)
            .and_then(number)
            .filter(|status| *status >= 100);
        let status = status.ok_or_else(|| expected(rest, "a status of three digits"))?;
        let (bytes, rest) = word(after);
        let size = Some(bytes).filter(|bytes| !bytes.is_empty()).and_then(number);
        if size.is_none() && bytes != "-" {
            return Err(expected(after, "a number of bytes"));
        }
        let mut fields = Self {
            who,
            time,
            request,
            status,
            bytes: size,
            referer: "",
            agent: "",
            extra: "",
        };
        if !rest.is_empty() {
            let referer = rest.strip_prefix(' ').and_then(quoted);
            let (referer, rest) = referer.ok_or_else(|| expected(rest, "a quoted referer"))?;
            let agent = rest.strip_prefix(' ').and_then(quoted);
            let (agent, rest) = agent.ok_or_else(|| expected(rest, "a quoted user agent"))?;
            (fields.referer, fields.agent, fields.extra) = (referer, agent, rest.trim_start());
        }
        Ok(fields)
    }
}

/// What stands before the time.
struct Who<'a> {
    vhost: &'a str,
    address: &'a str,
    ident: &'a str,
    user: &'a str,
}

impl<'a> Who<'a> {
    /// A user's name may hold spaces and is the client's to choose; the words before it are not.
    fn of(text: &'a str) -> Option<Self> {
        let (first, rest) = text.split_once(' ')?;
        let (second, rest) = rest.split_once(' ')?;
        let plain = || Self {
            vhost: "",
            address: first,
            ident: second,
            user: rest.trim_end(),
        };
        if second == "-" {
            return Some(plain()).filter(|who| !who.user.is_empty());
        }
        match rest.split_once(' ') {
            Some((third, rest)) if !rest.trim_end().is_empty() => Some(Self {
                vhost: first,
                address: second,
                ident: third,
                user: rest.trim_end(),
            }),
            _ => Some(plain()).filter(|who| !who.user.is_empty()),
        }
    }
}

struct Request<'a> {
    method: &'a str,
    target: &'a str,
    protocol: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// `None` for what is no request, such as a TLS hello on a plain port.
    fn of(line: &'a str) -> Option<Self> {
        let (method, rest) = line.split_once(' ')?;
        if method.is_empty()
            || !method
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
        {
            return None;
        }
        let (target, protocol) = match rest.rsplit_once(' ') {
            Some((target, protocol)) if protocol.starts_with("HTTP/") => (target, Some(protocol)),
            _ => (rest, None),
        };
        Some(Self {
            method,
            target,
            protocol,
        })
    }
}

/// The word after one space, and what follows it.
fn word(rest: &str) -> (&str, &str) {
    let Some(rest) = rest.strip_prefix(' ') else {
        return ("", rest);
    };
    rest.split_at(rest.find(' ').unwrap_or(rest.len()))
}

/// The field in quotes that `text` begins with, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let end = first_quote(inside.as_bytes())?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// The place of the first quote that no backslash escapes.
fn first_quote(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests;
