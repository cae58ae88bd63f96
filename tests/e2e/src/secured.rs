//! The broker that asks who is there: who it knows, what it lets them do, and what it noted of who asked for what.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use kafka::{KafkaSettings, Mechanism, Sasl, Tls};
use serde_json::{Value, json};

use crate::log::settings_of;
use crate::tool;

/// Who has a right by `deploy/kafka/acls.sh`; the broker has a user of each name.
pub const ROLES: [&str; 8] = [
    "topics", "ingest", "detector", "alerter", "archiver", "producer", "operator", "monitor",
];
/// A user of whom `deploy/kafka/acls.sh` knows nothing.
pub const NOBODY: &str = "nobody";

/// Where the broker listens: so many ports after the first one.
#[derive(Clone, Copy, Debug)]
pub enum Listener {
    /// For the tests themselves, which may do everything.
    Plain = 0,
    /// TLS and passwords.
    Sasl = 1,
    /// TLS, and the client has a certificate too.
    Mutual = 2,
    /// As `Sasl`, with a certificate that has expired.
    Expired = 3,
}

/// The broker.
#[derive(Clone, Debug)]
pub struct Secured {
    directory: PathBuf,
    host: String,
    port: u16,
}

/// That somebody may do something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// Who: `User:ingest`.
    pub principal: String,
    /// What, in capitals: `READ`.
    pub operation: String,
    /// With what: kind, pattern and name, as the broker writes it: `TOPIC:LITERAL:raw`.
    pub resource: String,
}

/// That somebody asked for something, as the broker's authorizer noted it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// The right that it takes.
    pub right: Right,
    /// The right that it was granted by; `None` if it was denied.
    pub by: Option<Right>,
}

impl Secured {
    /// The one that the test stage started.
    ///
    /// # Panics
    /// If `TIDEWATCH_TEST_KAFKA_SECURE` is not set. A test that needs it fails without it; it is never passed over.
    pub fn of_environment() -> Self {
        let directory = std::env::var("TIDEWATCH_TEST_KAFKA_SECURE").expect(
            "TIDEWATCH_TEST_KAFKA_SECURE is not set: `make e2e` starts the servers, or start one with \
             deploy/dev/kafka.sh start DIR 9192 secure and set TIDEWATCH_TEST_KAFKA_SECURE=DIR",
        );
        let directory = PathBuf::from(directory);
        let address = std::fs::read_to_string(directory.join("bootstrap")).expect("the broker runs");
        let (host, port) = address.trim().rsplit_once(':').expect("host and port");
        Self {
            host: host.to_owned(),
            port: port.parse().expect("a port"),
            directory,
        }
    }

    /// The address of a listener.
    pub fn address(&self, listener: Listener) -> String {
        format!("{}:{}", self.host, self.port + listener as u16)
    }

    /// The port of a listener.
    pub fn port(&self, listener: Listener) -> u16 {
        self.port + listener as u16
    }

    /// A file of the broker's `security`: `ca.pem`, `NAME.password`, `NAME.pem`, `NAME.key`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join("security").join(name)
    }

    /// How a user reaches it with a password.
    ///
    /// # Panics
    /// If there is no such user.
    pub fn settings(&self, user: &str, prefix: &str) -> KafkaSettings {
        let password = std::fs::read_to_string(self.file(&format!("{user}.password"))).expect("a user");
        let mut settings = settings_of(&self.address(Listener::Sasl), prefix);
        settings.tls = Some(Tls {
            ca_file: Some(self.file("ca.pem")),
            identity: None,
        });
        settings.sasl = Some(Sasl {
            mechanism: Mechanism::ScramSha512,
            user: user.to_owned(),
            password: password.trim().to_owned().into(),
        });
        settings
    }

    /// How a user reaches it with a password, in a configuration: what section `kafka` says of it.
    pub fn with_password(&self, user: &str, mechanism: &str) -> Value {
        json!({
            "brokers": self.address(Listener::Sasl),
            "tls": {"ca_file": self.file("ca.pem")},
            "sasl": {"mechanism": mechanism, "user": user, "password_file": self.file(&format!("{user}.password"))},
        })
    }

    /// How a user reaches it with a certificate, in a configuration.
    pub fn with_certificate(&self, user: &str) -> Value {
        json!({
            "brokers": self.address(Listener::Mutual),
            "tls": {
                "ca_file": self.file("ca.pem"),
                "certificate_file": self.file(&format!("{user}.pem")),
                "key_file": self.file(&format!("{user}.key")),
            },
        })
    }

    /// Gives every role its rights, by the commands that operators are given.
    ///
    /// # Panics
    /// If that fails.
    pub fn grant(&self, prefix: &str) {
        let commands = acls(
            &["--prefix", prefix],
            &["--", "--bootstrap-server", &self.address(Listener::Plain)],
        );
        let mut shell = Command::new("sh")
            .arg("-e")
            .env("PATH", path_with_tools())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut input = shell.stdin.take().expect("it was asked for");
        input.write_all(commands.as_bytes()).expect("the shell reads");
        drop(input);
        let granted = shell.wait_with_output().expect("our child");
        assert!(granted.status.success(), "{granted:?}");
    }

    /// The rights that [`Secured::grant`] gives.
    pub fn granted(prefix: &str) -> BTreeSet<Right> {
        let table = acls(&["--table", "--prefix", prefix], &[]);
        let right = |line: &str| {
            let [principal, operation, kind, pattern, name] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("not a line of the table: {line}");
            };
            Right::new(principal, operation, &format!("{kind}:{pattern}:{name}"))
        };
        table.lines().map(right).collect()
    }

    /// What was asked for that has to do with names that begin with `prefix`.
    ///
    /// # Panics
    /// If the broker's log cannot be read.
    pub fn asked(&self, prefix: &str) -> BTreeSet<Asked> {
        let log = std::fs::read_to_string(self.directory.join("broker-1/kafka.log")).expect("the broker's log");
        let asked = log.lines().filter_map(Asked::read);
        asked
            .filter(|asked| {
                asked
                    .right
                    .resource
                    .rsplit(':')
                    .next()
                    .is_some_and(|name| name.starts_with(prefix))
            })
            .collect()
    }

    /// How a user of librdkafka reaches it with a certificate.
    pub fn client(&self, user: &str) -> [(String, String); 4] {
        let file = |name: &str| self.file(name).display().to_string();
        [
            ("security.protocol", "ssl".to_owned()),
            ("ssl.ca.location", file("ca.pem")),
            ("ssl.certificate.location", file(&format!("{user}.pem"))),
            ("ssl.key.location", file(&format!("{user}.key"))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// How a user of Kafka's own tools reaches it with a password.
    ///
    /// # Panics
    /// If there is no such user.
    pub fn properties(&self, user: &str) -> String {
        let password = std::fs::read_to_string(self.file(&format!("{user}.password"))).expect("a user");
        let module = "org.apache.kafka.common.security.scram.ScramLoginModule";
        format!(
            "security.protocol=SASL_SSL\nssl.truststore.type=PEM\nssl.truststore.location={}\nsasl.mechanism=SCRAM-SHA-512\n\
             sasl.jaas.config={module} required username=\"{user}\" password=\"{}\";\n",
            self.file("ca.pem").display(),
            password.trim()
        )
    }

    /// Runs one of Kafka's own tools.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn tool(&self, name: &str, listener: Listener, arguments: &[&str]) -> Output {
        tool::run(name, &self.address(listener), arguments)
    }
}

impl Right {
    /// In the letters of the broker's log.
    pub fn new(principal: &str, operation: &str, resource: &str) -> Self {
        let upper = |word: &str| {
            // DescribeConfigs and TransactionalId are DESCRIBE_CONFIGS and TRANSACTIONAL_ID there.
            let mut letters = String::new();
            for (at, letter) in word.char_indices() {
                let begins =
                    letter.is_ascii_uppercase() && at > 0 && word[..at].ends_with(|it: char| it.is_lowercase());
                letters.extend(begins.then_some('_'));
                letters.push(letter.to_ascii_uppercase());
            }
            letters
        };
        let (kind, rest) = resource.split_once(':').expect("kind, pattern and name");
        Self {
            principal: principal.to_owned(),
            operation: upper(operation),
            resource: format!("{}:{rest}", upper(kind)),
        }
    }
}

impl Asked {
    /// A line of the authorizer's: `Principal = User:a is Allowed operation = READ from host = … on resource =
    /// Topic:LITERAL:raw for request = Fetch with resourceRefCount = 1 based on rule MatchingAcl(acl=StandardAcl[…])`.
    fn read(line: &str) -> Option<Self> {
        let between = |from: &str, to: &str| Some(line.split_once(from)?.1.split_once(to)?.0);
        let principal = between("Principal = ", " is ")?;
        let right = Right::new(
            principal,
            between(" operation = ", " ")?,
            between(" on resource = ", " for request = ")?,
        );
        let by = match between(" is ", " ")? {
            "Denied" => None,
            // A super user needs no right.
            _ => Some(Right::new(
                between("principal=", ",")?,
                between(", operation=", ",")?,
                &format!(
                    "{}:{}:{}",
                    between("resourceType=", ",")?,
                    between("patternType=", ",")?,
                    between("resourceName=", ",")?
                ),
            )),
        };
        Some(Self { right, by })
    }
}

/// What `deploy/kafka/acls.sh` prints for all roles, each the user of its name.
fn acls(options: &[&str], reach: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kafka/acls.sh");
    let roles = ROLES.map(|role| format!("{role}=User:{role}"));
    let printed = Command::new(script)
        .args(options)
        .args(roles)
        .args(reach)
        .output()
        .expect("bash is there");
    assert!(printed.status.success(), "{printed:?}");
    String::from_utf8(printed.stdout).expect("text")
}

/// The commands of this machine, and Kafka's own tools.
fn path_with_tools() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", tool::directory().display())
}
