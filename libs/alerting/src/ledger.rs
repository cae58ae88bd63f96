use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use event::{Alert, AlertId, AlertStatus, DecodeError, Key, Timestamp};
use serde::{Deserialize, Serialize};

/// How one delivery ended: the value of a record of `notifications`, in the partition of its alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The version of this form: 1.
    pub version: u8,
    /// The alert.
    pub alert_id: AlertId,
    /// Its tenant.
    pub tenant: String,
    /// Which record of the alert.
    pub revision: u32,
    /// What that record told.
    pub status: AlertStatus,
    /// The name of the route.
    pub route: String,
    /// How it ended.
    pub state: State,
    /// How many attempts this process made.
    pub attempts: u32,
    /// Why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the record of the alert was appended; the ledger forgets by this time.
    pub alert_time: Timestamp,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The other end has it.
    Sent,
    /// It was given up: it is in `undelivered`, and the fallback route is to be told.
    Undelivered,
}

/// What no channel took: the value of a record of `undelivered`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undelivered {
    /// When it was given up.
    pub time: Timestamp,
    /// The name of the route.
    pub route: String,
    /// The channel of the route.
    pub channel: String,
    /// Why it was given up.
    pub reason: String,
    /// How many attempts this process made.
    pub attempts: u32,
    /// The route that is told instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// The alert.
    pub alert: Alert,
}

/// The key of the ledger for one record of an alert and one route.
pub fn notification_key(alert: &Alert, route: &str) -> Key {
    key(&alert.tenant, alert.alert_id, alert.revision, route)
}

fn key(tenant: &str, alert_id: AlertId, revision: u32, route: &str) -> Key {
    Key::new(
        tenant,
        [alert_id.to_string().as_str(), route, revision.to_string().as_str()],
    )
}

impl Notification {
    /// The version this build writes.
    pub const VERSION: u8 = 1;

    /// The key of its record.
    pub fn record_key(&self) -> Key {
        key(&self.tenant, self.alert_id, self.revision, &self.route)
    }

    /// The bytes of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a notification has only text keys, and writing to memory cannot fail")
    }

    /// Reads the value of a record of `notifications`.
    ///
    /// # Errors
    /// If it is not one, or one of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "notification";
        let decoded: Self = serde_json::from_slice(bytes).map_err(|source| DecodeError::Json { what: WHAT, source })?;
        if decoded.version == Self::VERSION {
            Ok(decoded)
        } else {
            Err(DecodeError::Version {
                what: WHAT,
                version: decoded.version,
            })
        }
    }
}

impl Undelivered {
    /// The bytes of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an alert has only text keys, and writing to memory cannot fail")
    }

    /// Reads the value of a record of `undelivered`.
    ///
    /// # Errors
    /// If it is not one.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(bytes).map_err(|source| DecodeError::Json {
            what: "undelivered alert",
            source,
        })
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known: it is to be made.
    Open,
    /// It is done.
    Ended(State),
}

/// The fold of the `notifications` of one partition, live and after a restart: which deliveries have ended.
///
/// It forgets a delivery when an alert is appended that is younger by more than the horizon; time is that of the
/// records, so the same records give the same ledger whenever they are read.
#[derive(Debug)]
pub struct Ledger {
    horizon: Duration,
    now: Timestamp,
    ended: BTreeMap<Key, (Timestamp, State)>,
    by_time: BTreeSet<(Timestamp, Key)>,
}

impl Ledger {
    /// An empty ledger that remembers for `horizon`.
    pub fn new(horizon: Duration) -> Self {
        Self {
            horizon,
            now: Timestamp::MIN,
            ended: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }

    /// Writes one record: `None` forgets the key.
    pub fn apply(&mut self, key: Key, notification: Option<&Notification>) {
        if let Some((time, _)) = self.ended.remove(&key) {
            self.by_time.remove(&(time, key.clone()));
        }
        if let Some(notification) = notification {
            self.now = self.now.max(notification.alert_time);
            self.by_time.insert((notification.alert_time, key.clone()));
            self.ended.insert(key, (notification.alert_time, notification.state));
        }
    }

    /// Where a delivery stands.
    pub fn standing(&self, key: &Key) -> Standing {
        self.ended
            .get(key)
            .map_or(Standing::Open, |(_, state)| Standing::Ended(*state))
    }

    /// Takes note of an alert appended at `time`, and forgets what is beyond the horizon: the keys to be written as
    /// forgotten, so that compaction forgets them too.
    pub fn advance(&mut self, time: Timestamp) -> Vec<Key> {
        self.now = self.now.max(time);
        let oldest = self.now.minus(self.horizon);
        let mut forgotten = Vec::new();
        while self.by_time.first().is_some_and(|(time, _)| *time < oldest) {
            if let Some((_, key)) = self.by_time.pop_first() {
                self.ended.remove(&key);
                forgotten.push(key);
            }
        }
        forgotten
    }

    /// How many deliveries it remembers.
    pub fn len(&self) -> usize {
        self.ended.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }
}
