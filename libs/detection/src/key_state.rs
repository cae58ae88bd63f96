use event::{Key, SemanticHash, StateChange};
use serde::{Deserialize, Serialize};
use state::{Image, ImageError, StateStore, Value};

use crate::case::Case;
use crate::correlate::Step;
use crate::episode::Episode;
use crate::kept::Kept;

/// What a rule keeps for a key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeyState {
    pub(crate) held: Kept,
    /// In the order of time, further apart than [`Case::link`].
    pub(crate) episodes: Vec<Episode>,
}

/// The version of the stored form of a [`KeyState`], its first byte.
const STATE_VERSION: u8 = 1;
/// The store key of the watermarks; the keys of rules begin with [`RULE_PREFIX`].
pub(crate) const WATERMARKS_KEY: [u8; 1] = [0];
const RULE_PREFIX: u8 = 1;

pub(crate) fn store_key(rule: SemanticHash, key: &Key) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(17 + key.as_bytes().len());
    bytes.push(RULE_PREFIX);
    bytes.extend_from_slice(&rule.0);
    bytes.extend_from_slice(key.as_bytes());
    bytes.into_boxed_slice()
}

pub(crate) fn parse_store_key(bytes: &[u8]) -> Option<(SemanticHash, Key)> {
    let (rule, key) = bytes.strip_prefix(&[RULE_PREFIX])?.split_first_chunk::<16>()?;
    Some((SemanticHash(*rule), Key::from_bytes(key)))
}

pub(crate) fn damaged(what: &str, error: &dyn std::fmt::Display) -> ImageError {
    ImageError::Corrupt(format!("{what}: {error}"))
}

pub(crate) fn load(case: &Case<'_>, stored: Option<&[u8]>) -> Result<KeyState, ImageError> {
    let Some(stored) = stored else {
        return Ok(KeyState {
            held: Kept::new(case.rule),
            episodes: Vec::new(),
        });
    };
    match Value::decode(stored).and_then(|value| value.payload.split_first()) {
        Some((&STATE_VERSION, body)) => postcard::from_bytes(body).map_err(|error| damaged("key state", &error)),
        _ => Err(damaged("key state", &"of an unknown version")),
    }
}

pub(crate) fn save<I: Image>(
    case: &Case<'_>,
    store_key: Box<[u8]>,
    state: &KeyState,
    store: &mut StateStore<I>,
    step: &mut Step,
) -> Result<(), ImageError> {
    if state.held.kind().newest().is_none() && state.episodes.is_empty() {
        if store.get(&store_key)?.is_some() {
            write(
                StateChange {
                    key: store_key,
                    value: None,
                },
                store,
                step,
            )?;
        }
        return Ok(());
    }
    let payload = postcard::to_extend(state, vec![STATE_VERSION]).expect("every length is known");
    let value = Value {
        clock: case.reading.sources.clock(),
        // The clock runs ahead of the rule's watermark by its lag.
        wake_after: case.wake_after(state).plus(case.reading.lag),
        payload: &payload,
    }
    .encode();
    if store.get(&store_key)?.as_deref() == Some(&value) {
        return Ok(());
    }
    write(
        StateChange {
            key: store_key,
            value: Some(value),
        },
        store,
        step,
    )
}

pub(crate) fn write<I: Image>(
    change: StateChange,
    store: &mut StateStore<I>,
    step: &mut Step,
) -> Result<(), ImageError> {
    store.apply(change.clone())?;
    step.changes.push(change);
    Ok(())
}
