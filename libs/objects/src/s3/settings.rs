use std::fmt;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use secrecy::{ExposeSecret as _, SecretString};

/// Where a bucket is and how to speak to its server.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// The bucket; it exists already.
    pub bucket: String,
    /// What the names of our objects begin with: empty, or ending in `/`. Two Tidewatches may share a bucket so.
    pub prefix: String,
    /// The region, as the server names it.
    pub region: String,
    /// The server's address where it is not Amazon's.
    pub endpoint: Option<String>,
    /// The bucket goes into the path instead of the host name.
    pub path_style: bool,
    /// The key; without one the SDK looks where it always does: environment, profile, web identity, instance.
    pub access_key: Option<AccessKey>,
    /// How long one attempt may take, until the answer begins.
    pub attempt_timeout: Duration,
    /// How often to try, the first attempt included; at least 1.
    pub attempts_max: u32,
    /// How long all attempts together may take. Less than the group waits for a poll.
    pub patience: Duration,
}

/// A key that does not expire.
#[derive(Clone)]
pub struct AccessKey {
    /// Its public half.
    pub id: String,
    /// Its secret half.
    pub secret: SecretString,
}

impl AccessKey {
    /// A key of these two halves.
    pub fn new(id: impl Into<String>, secret: impl Into<SecretString>) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
        }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "AccessKey({})", self.id)
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

impl S3Settings {
    /// A bucket at Amazon; up to six attempts with pauses of up to 1, 2, 4, 8 and 10 s between them, none longer than
    /// a minute, and two minutes in all.
    pub fn new(bucket: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            region: region.into(),
            endpoint: None,
            path_style: false,
            access_key: None,
            attempt_timeout: Duration::from_secs(60),
            attempts_max: 6,
            patience: Duration::from_secs(120),
        }
    }

    pub(super) async fn client(&self) -> Client {
        let tls = Provider::Rustls(CryptoMode::Ring);
        let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
        let mut shared = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(self.region.clone()));
        if let Some(AccessKey { id, secret }) = &self.access_key {
            shared = shared.credentials_provider(Credentials::new(id, secret.expose_secret(), None, None, "settings"));
        }
        if let Some(endpoint) = &self.endpoint {
            shared = shared.endpoint_url(endpoint);
        }
        let retry = RetryConfig::standard()
            .with_max_attempts(self.attempts_max.max(1))
            .with_max_backoff(BACKOFF_MAX);
        let timeout = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(self.attempt_timeout)
            .operation_timeout(self.patience)
            .build();
        let config = Builder::from(&shared.load().await)
            .force_path_style(self.path_style)
            .retry_config(retry)
            .timeout_config(timeout);
        Client::from_conf(config.build())
    }
}
