//! Who may send: API keys, each of one tenant.

use std::hint::black_box;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use crate::ApiKey;

const API_KEY: &str = "x-api-key";

/// The keys that are in force, as digests: the keys themselves are not kept.
pub(crate) struct Keys(Vec<([u8; 32], Arc<str>)>);

/// Why a request is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unauthorized {
    /// It names no key.
    Missing,
    /// It names one that is not in force, or more than one.
    Invalid,
}

impl Keys {
    pub(crate) fn new(keys: &[ApiKey]) -> Self {
        let digests = keys.iter().map(|key| {
            let digest = Sha256::digest(key.secret.expose_secret().as_bytes());
            (digest.into(), key.tenant.as_str().into())
        });
        Self(digests.collect())
    }

    /// The tenant whose key the headers name.
    pub(crate) fn tenant(&self, headers: &HeaderMap) -> Result<Arc<str>, Unauthorized> {
        let presented: [u8; 32] = Sha256::digest(presented(headers)?).into();
        // No key is passed over and no comparison ends early: how long it takes says nothing.
        let mut found = None;
        for (digest, tenant) in &self.0 {
            if is_same(digest, &presented) {
                found = Some(tenant);
            }
        }
        found.cloned().ok_or(Unauthorized::Invalid)
    }
}

/// The key that the headers name: `X-API-Key`, else `Authorization: Bearer`.
fn presented(headers: &HeaderMap) -> Result<&[u8], Unauthorized> {
    let mut keys = headers.get_all(API_KEY).iter();
    if let Some(key) = keys.next() {
        return keys.next().map_or(Ok(key.as_bytes()), |_| Err(Unauthorized::Invalid));
    }
    let mut credentials = headers.get_all(AUTHORIZATION).iter();
    let credential = credentials.next().ok_or(Unauthorized::Missing)?;
    if credentials.next().is_some() {
        return Err(Unauthorized::Invalid);
    }
    let (scheme, token) = credential.as_bytes().split_at_checked(7).unwrap_or_default();
    if scheme.eq_ignore_ascii_case(b"bearer ") {
        Ok(token.trim_ascii())
    } else {
        Err(Unauthorized::Missing)
    }
}

fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let differing = one.iter().zip(other).fold(0, |bits, (one, other)| bits | (one ^ other));
    black_box(differing) == 0
}

impl Unauthorized {
    /// What LogTide says.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Missing => "Missing X-API-Key header or Authorization token",
            Self::Invalid => "Invalid API key",
        }
    }

    /// The word used in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Keys, Unauthorized};
    use crate::ApiKey;

    fn check(headers: &[(&str, &str)], expected: Result<&str, Unauthorized>) {
        let keys = Keys::new(&[ApiKey::new("one", "acme"), ApiKey::new("two", "globex")]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let tenant = keys.tenant(&map);
        assert_eq!(tenant.as_deref().map_err(|error| *error), expected, "{headers:?}");
    }

    #[test]
    fn the_key_names_the_tenant() {
        check(&[("x-api-key", "one")], Ok("acme"));
        check(&[("x-api-key", "two")], Ok("globex"));
        check(&[("authorization", "Bearer two")], Ok("globex"));
        check(&[("authorization", "bearer  two")], Ok("globex"));
        check(&[("authorization", "Basic two"), ("x-api-key", "one")], Ok("acme"));
    }

    #[test]
    fn everything_else_is_nobody() {
        check(&[], Err(Unauthorized::Missing));
        check(&[("authorization", "Basic one")], Err(Unauthorized::Missing));
        check(&[("authorization", "one")], Err(Unauthorized::Missing));
        check(&[("x-api-key", "")], Err(Unauthorized::Invalid));
        check(&[("x-api-key", "on")], Err(Unauthorized::Invalid));
        check(&[("x-api-key", "onee")], Err(Unauthorized::Invalid));
        check(&[("x-api-key", "ONE")], Err(Unauthorized::Invalid));
        check(&[("authorization", "Bearer ")], Err(Unauthorized::Invalid));
        check(
            &[("x-api-key", "one"), ("x-api-key", "one")],
            Err(Unauthorized::Invalid),
        );
        check(
            &[("authorization", "Bearer one"), ("authorization", "Bearer one")],
            Err(Unauthorized::Invalid),
        );
    }
}
