//! A real S3 for a test, with buckets of its own.
//!
//! What a lock must withstand is tried over plain HTTP, signed here and not by the SDK that our adapter uses: the
//! adapter cannot delete, and a proof should not rest on what it proves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use objects::{AccessKey, S3, S3Settings};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

const REGION: &str = "us-east-1";

/// The address of the test's S3.
///
/// # Panics
/// If `TIDEWATCH_TEST_S3` is not set. A test that needs a store fails without one; it is never passed over.
pub fn endpoint() -> String {
    std::env::var("TIDEWATCH_TEST_S3").expect(
        "TIDEWATCH_TEST_S3 is not set: `make e2e` starts the servers, or start one with deploy/dev/s3.sh start DIR, \
         set TIDEWATCH_TEST_S3=http://127.0.0.1:9000 and export what is in DIR/credentials.env",
    )
}

/// A bucket that no other test and no earlier run has.
pub struct Bucket {
    /// Its name.
    pub name: String,
    endpoint: String,
    key: (String, String),
    client: reqwest::Client,
    runtime: Runtime,
}

/// Key and secret of the test's guest.
///
/// # Panics
/// If `TIDEWATCH_TEST_S3_GUEST` is not set.
pub fn guest() -> (String, String) {
    let guest = std::env::var("TIDEWATCH_TEST_S3_GUEST").expect(
        "TIDEWATCH_TEST_S3_GUEST is not set: `make e2e` starts the servers; deploy/dev/s3.sh writes it to DIR/guest.env",
    );
    let (id, secret) = guest.split_once(':').expect("ID:SECRET");
    (id.to_owned(), secret.to_owned())
}

/// What a statement of a policy permits: one action, or several.
pub fn actions(statement: &Value) -> Vec<String> {
    let action = &statement["Action"];
    let text = |action: &Value| action.as_str().expect("an action").to_owned();
    action
        .as_array()
        .map_or_else(|| vec![text(action)], |all| all.iter().map(text).collect())
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Bucket {
    /// Creates a bucket, with Object Lock or without.
    ///
    /// # Panics
    /// If there is no server, no key, or it does not let us.
    pub fn create(test: &str, object_lock: bool) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = now().as_millis();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        // Another test of this process may have installed it already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build();
        let bucket = Self {
            name: format!("{test}-{now:x}-{}-{count}", std::process::id()),
            endpoint: endpoint().trim_end_matches('/').to_owned(),
            key: (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")),
            client: client.expect("a client without TLS"),
            runtime: Runtime::new().expect("threads"),
        };
        let lock = [("x-amz-bucket-object-lock-enabled", "true".to_owned())];
        let created = bucket.send(Method::PUT, "", "", if object_lock { &lock } else { &[] }, "");
        assert_eq!(created.status, 200, "{}", created.body);
        bucket
    }

    /// How our adapter reaches it; the key is in the environment.
    pub fn settings(&self) -> S3Settings {
        S3Settings {
            endpoint: Some(self.endpoint.clone()),
            path_style: true,
            ..S3Settings::new(&self.name, REGION)
        }
    }

    /// The same bucket as it looks to a guest, who may do what its owner permits.
    ///
    /// # Panics
    /// If `TIDEWATCH_TEST_S3_GUEST` is not set.
    pub fn as_guest(&self) -> Self {
        Self {
            name: self.name.clone(),
            endpoint: self.endpoint.clone(),
            key: guest(),
            client: self.client.clone(),
            runtime: Runtime::new().expect("threads"),
        }
    }

    /// Our adapter on what lies below `prefix`, as the guest.
    ///
    /// # Panics
    /// If `TIDEWATCH_TEST_S3_GUEST` is not set, or it cannot be made.
    pub fn guest_store(&self, prefix: &str) -> S3 {
        let (id, secret) = guest();
        let settings = S3Settings {
            access_key: Some(AccessKey::new(id, secret)),
            prefix: prefix.to_owned(),
            ..self.settings()
        };
        S3::new(settings).expect("a thread")
    }

    /// Permits the guest what `deploy/s3/archiver-policy.json` permits an archiver whose objects begin with `prefix`, but
    /// for one action.
    ///
    /// # Panics
    /// If the file is no policy, or the server refuses it.
    pub fn permit(&self, prefix: &str, but: Option<&str>) {
        let text = include_str!("../../../deploy/s3/archiver-policy.json");
        let text = text.replace("BUCKET", &self.name).replace("PREFIX", prefix);
        let mut policy: Value = serde_json::from_str(&text).expect("JSON");
        for statement in policy["Statement"].as_array_mut().expect("statements") {
            statement["Principal"] = json!({"AWS": ["arn:aws:iam:::user/guest"]});
            statement["Action"] = actions(statement)
                .into_iter()
                .filter(|action| Some(action.as_str()) != but)
                .collect();
        }
        // A statement that permits nothing is none.
        let statements = policy["Statement"].as_array_mut().expect("statements");
        statements.retain(|statement| statement["Action"] != json!([]));
        let answer = self.send(Method::PUT, "", "policy=", &[], &policy.to_string());
        assert!(answer.status < 300, "{answer:?}");
    }

    /// Our adapter on it.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn store(&self) -> S3 {
        S3::new(self.settings()).expect("a thread")
    }

    /// Deletes a version, or without one puts a delete marker; `bypass` claims the right to ignore governance.
    pub fn delete(&self, name: &str, version: Option<&str>, bypass: bool) -> Answer {
        let query = version.map_or(String::new(), |version| format!("versionId={}", encode(version, "")));
        let header = [("x-amz-bypass-governance-retention", "true".to_owned())];
        self.send(Method::DELETE, name, &query, if bypass { &header } else { &[] }, "")
    }

    /// Changes the lock of a version.
    pub fn retain(&self, name: &str, version: &str, mode: &str, until: Timestamp) -> Answer {
        let until = until.to_string();
        let body = format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>");
        let query = format!("retention=&versionId={}", encode(version, ""));
        self.send(Method::PUT, name, &query, &[], &body)
    }

    /// Sends a request, signed with Signature Version 4.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn send(&self, method: Method, name: &str, query: &str, more: &[(&str, String)], body: &str) -> Answer {
        let path = format!("/{}/{}", self.name, encode(name, "/"));
        let path = path.trim_end_matches('/');
        let headers = self.sign(&method, path, query, more, body);
        let mut request = self
            .client
            .request(method, format!("{}{path}?{query}", self.endpoint))
            .body(body.to_owned());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.runtime.block_on(async {
            let response = request.send().await.expect("the server answers");
            Answer {
                status: response.status().as_u16(),
                body: response.text().await.expect("a body"),
            }
        })
    }

    /// The headers to send with a request, the signature among them.
    fn sign(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        more: &[(&str, String)],
        body: &str,
    ) -> BTreeMap<String, String> {
        let moment: String = now()
            .to_string()
            .chars()
            .filter(|digit| !"-:".contains(*digit))
            .collect();
        let (moment, date) = (format!("{}Z", &moment[..15]), &moment[..8]);
        let host = self.endpoint.trim_start_matches("http://").to_owned();
        let mut headers: BTreeMap<String, String> = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        headers.insert("host".to_owned(), host);
        headers.insert("x-amz-content-sha256".to_owned(), hex(&Sha256::digest(body)));
        headers.insert("x-amz-date".to_owned(), moment.clone());
        let mut request = format!("{method}\n{path}\n{query}\n");
        for (name, value) in &headers {
            writeln!(request, "{name}:{value}").expect("writing to memory");
        }
        let names = headers.keys().cloned().collect::<Vec<_>>().join(";");
        write!(request, "\n{names}\n{}", headers["x-amz-content-sha256"]).expect("writing to memory");
        let scope = format!("{date}/{REGION}/s3/aws4_request");
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}",
            hex(&Sha256::digest(&request))
        );
        let secret = format!("AWS4{}", self.key.1).into_bytes();
        let key = [date, REGION, "s3", "aws4_request"]
            .iter()
            .fold(secret, |key, part| mac(&key, part));
        let signature = hex(&mac(&key, &to_sign));
        let credential = format!("{}/{scope}", self.key.0);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}");
        headers.insert("authorization".to_owned(), authorization);
        headers
    }
}

/// Now, by this machine's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("before the year 292,000,000"))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything but unreserved characters and those of `keep` as %XX.
fn encode(text: &str, keep: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.as_bytes().contains(&byte);
    let encoded = text.bytes().map(|byte| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    encoded.collect()
}
